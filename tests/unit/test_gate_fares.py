"""The fare table: what is refused, and how a fare is found."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from simulator.fares import sample
from terminal.gate.fares import FareTableError, load_fares, parse_fares

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"flat_fen": -1}, "flat_fen"),
        ({"flat_fen": 2001}, "above single_limit_fen"),
        ({"name": ""}, "name"),
        ({"surprise": 1}, "the table: surprise is not known here; allowed are .*, flat_fen, "),
        ({"flat_fen": "2.00"}, "flat_fen: this must be of the JSON type integer"),
        ({"maximum_fen": 100_001}, "maximum_fen: maximum is 100000"),
        ({"inside_again": "pay"}, "inside_again: allowed are refuse, charge_maximum"),
        ({"transfer": {"within_minutes": 5}}, "transfer: discount_fen is missing"),
        ({"pairs": [["0101", "x", 3]]}, r"pairs\[0\]\[1\]: 'x' must match"),
        ({"stations": {}, "flat_fen": 2}, "stations: minProperties is 1"),
        ({"distances": [{"up_to_metres": 9, "fen": 1}, {"up_to_metres": 5, "fen": 2}]}, "rise"),
        ({"pairs": [["0101", "0999", 300]]}, "0999"),
        ({"pairs": [["0101", "0102", 300], ["0102", "0101", 400]]}, "two fares"),
        ({"valid_from": "2026-02-30"}, "valid_from: day"),
    ],
)
def test_a_table_that_is_wrong_says_where(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(FareTableError, match=where):
        parse_fares({**sample("metro"), **changes}, "test")


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"", "line 1, column 1: this is not JSON"),
        (b"[1]", "the table: "),
        (b'{"name":\n x}', "line 2, column 2: "),
        (b'{"name": "\xff"}', "byte 10: this is not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"name": "x", "valid_from": "2026-01-01", "single_limit_fen": 1}', "either flat_fen or"),
    ],
)
def test_a_file_that_holds_no_table_is_named_with_the_place(
    tmp_path: Path, content: bytes, where: str
) -> None:
    file = tmp_path / "fares.json"
    file.write_bytes(content)
    with pytest.raises(FareTableError) as caught:
        load_fares(file)
    assert str(file) in str(caught.value)
    assert where in str(caught.value)
    file.unlink()
    with pytest.raises(FareTableError, match=f"{file} cannot be read: No such file"):
        load_fares(file)


def test_a_file_that_holds_one(tmp_path: Path) -> None:
    file = tmp_path / "fares.json"
    file.write_text(json.dumps(sample("bus")), "utf-8")
    assert load_fares(file).flat_fen == 200


@pytest.mark.parametrize(
    ("entry", "exit_", "fen"),
    [
        ("0101", "0102", 300),
        ("0103", "0101", 400),
        ("0101", "0101", 300),
        ("0101", "9999", 1500),
    ],
)
def test_fares_by_distance_both_ways_and_the_maximum_where_nothing_is_known(
    entry: str, exit_: str, fen: int
) -> None:
    assert parse_fares(sample("metro"), "test").between(entry, exit_, HOUR) == fen


def test_a_pair_goes_before_the_distance() -> None:
    table = parse_fares({**sample("metro"), "pairs": [["0102", "0101", 250]]}, "test")
    assert table.between("0101", "0102", HOUR) == 250


def test_nobody_knows_how_long_it_took() -> None:
    assert parse_fares(sample("metro"), "test").between("0101", "0102", None) == 1500
