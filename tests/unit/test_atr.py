"""Historical bytes of real answers to reset (facts 1.5) and of broken ones."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.atr import historical_bytes
from apdu.status import UnsupportedCard


@pytest.mark.parametrize(
    ("atr", "historical"),
    [
        ("3B6D000000814A444686605199000001AC", "00814A444686605199000001AC"),
        ("3B8D80010081544C9686845101C0666779E9", "0081544C9686845101C0666779"),
        ("3B7D940000008150220886431E10C9022736", "008150220886431E10C9022736"),
        ("3B2D000081544C9686845101C0666779", "0081544C9686845101C0666779"),
        # With class information: TC1, TD1 80, TD2 1F, TA3, and a check byte (facts 1.1).
        ("3BCD00801F030081544C9686845101C066677900", "0081544C9686845101C0666779"),
        ("3B00", ""),
        ("3F00", ""),
    ],
)
def test_historical_bytes(atr: str, historical: str) -> None:
    assert historical_bytes(bytes.fromhex(atr)).hex().upper() == historical


@pytest.mark.parametrize(
    "atr", ["", "3B", "00", "3B6D0000", "3B80", "3B8D8081", "AA6D0000" + "00" * 13]
)
def test_broken_answers(atr: str) -> None:
    with pytest.raises(UnsupportedCard):
        historical_bytes(bytes.fromhex(atr))


@given(st.binary(max_size=40))
def test_any_bytes_end_in_a_result_or_that_error(atr: bytes) -> None:
    with contextlib.suppress(UnsupportedCard):
        assert len(historical_bytes(atr)) == atr[1] & 0xF
