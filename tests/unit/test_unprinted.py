"""What paper let down is known until it is printed: over a restart, and whatever the disk does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from terminal.errors import StoreFull
from terminal.kiosk.unprinted import KEPT, Unprinted, UnprintedReceipt
from terminal.store.store import DATABASE, Store
from terminal.text import Text

NOW = datetime(2026, 3, 16, 9, tzinfo=UTC)


def receipt(number: str) -> UnprintedReceipt:
    title = Text("医疗费用结算单", "Settlement receipt")
    return UnprintedReceipt(number, title, "en", NOW, "PRINTER_PAPER_JAM")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path, random=Random(1).randbytes) as opened:
        yield opened


def test_it_outlives_the_program_until_it_is_printed(tmp_path: Path) -> None:
    with Store.open(tmp_path, random=Random(1).randbytes) as store:
        first = Unprinted(store)
        first.note(receipt("1"))
        first.note(receipt("2"))
        assert first.count == 2
    with Store.open(tmp_path, random=Random(2).randbytes) as store:
        again = Unprinted(store)
        assert again.waiting() == (receipt("2"), receipt("1"))
        assert again.count == 0
        again.printed("2")
    with Store.open(tmp_path, random=Random(3).randbytes) as store:
        assert Unprinted(store).waiting() == (receipt("1"),)


def test_only_the_last_ones_are_kept(store: Store) -> None:
    unprinted = Unprinted(store)
    for number in range(KEPT + 1):
        unprinted.note(receipt(str(number)))
    assert unprinted.waiting()[-1] == receipt("1")
    assert len(Unprinted(store).waiting()) == KEPT


def test_it_names_nobody_and_is_sealed_on_disk(store: Store, tmp_path: Path) -> None:
    Unprinted(store).note(receipt("990100000001202603160900000001"))
    on_disk = (tmp_path / DATABASE).read_bytes() + (tmp_path / f"{DATABASE}-wal").read_bytes()
    assert b"990100000001202603160900000001" not in on_disk


def test_a_disk_that_fails_costs_nobody_the_visit(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    unprinted = Unprinted(store)

    def full(*_: object) -> None:
        raise StoreFull("full")

    monkeypatch.setattr(store, "put", full)
    unprinted.note(receipt("1"))
    assert unprinted.waiting() == (receipt("1"),)
