"""Gates in seeded worlds: torn taps, killed programs, bad networks. Every fen is booked once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from apdu.transit_purchase import PurseCommands
from simulator.gate_world import GateWorld
from terminal.store.schema import tap
from terminal.store.taps import TapBook, TapRow, TapState

WORLDS = int(os.environ.get("SSCT_GATE_WORLDS", "40"))
PARTS = 4


def live(seed: int, directory: Path) -> None:
    world = GateWorld(seed, directory / str(seed))
    try:
        world.live()
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}\n" + "\n".join(world.story)) from error
    finally:
        world.close()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_fen_that_leaves_a_card_is_booked_once(part: int, tmp_path: Path) -> None:
    for seed in range(part, WORLDS, PARTS):
        live(seed, tmp_path)


Plant = Callable[[pytest.MonkeyPatch], None]


def proof_is_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PurseCommands, "proof", lambda *_: None)


def record_after_the_debit(patch: pytest.MonkeyPatch) -> None:
    prepare, finish = TapBook.prepare, TapBook.finish

    def written_later(book: TapBook, row: TapRow, tac: bytes) -> TapRow:
        return finish(book, row if row.id else prepare(book, row.tap), tac)

    patch.setattr(TapBook, "prepare", lambda _, one: TapRow(0, TapState.GREY, one))
    patch.setattr(TapBook, "finish", written_later)


def grey_rows_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(TapBook, "grey", lambda _: ())
    patch.setattr(TapBook, "to_send", _only_done)


def _only_done(book: TapBook, _before: object, most: int) -> object:
    return book._rows(tap.c.state == "done", most)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "plant", [proof_is_ignored, record_after_the_debit, grey_rows_are_forgotten]
)
def test_the_worlds_find_a_planted_fault(
    plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        live_many(tmp_path)


def live_many(directory: Path) -> None:
    for seed in range(40):
        live(seed, directory)
