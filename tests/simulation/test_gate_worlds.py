"""Gates in seeded worlds: torn taps, killed programs, bad networks. Every fen is booked once."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from apdu.transit_purchase import PurseCommands
from simulator.gate_matrix import RIDES, cases, places, try_case
from simulator.gate_runner import live
from simulator.world.disk import Moment
from terminal.cli import main
from terminal.exit_codes import ExitCode
from terminal.gate import gate
from terminal.gate.decision import EmptyDenyList, entitled
from terminal.store.schema import tap
from terminal.store.taps import TapBook, TapRow, TapState

LEAST_COMMANDS = 6
WORLDS = int(os.environ.get("SSCT_GATE_WORLDS", "40"))
PARTS = 4


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_fen_that_leaves_a_card_is_booked_once(part: int, tmp_path: Path) -> None:
    for seed in range(part, WORLDS, PARTS):
        live(seed, tmp_path / str(seed))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("ride", RIDES)
def test_after_any_single_fault_a_ride_is_paid_once_and_its_passenger_passes(
    ride: str, tmp_path: Path
) -> None:
    at = places(ride, tmp_path / "places")
    assert at.commands == LEAST_COMMANDS
    assert Moment.COMMITTED in at.tap
    assert Moment.COMMITTED in at.handing_in
    every = list(cases(ride, at))
    assert len({case.name for case in every}) == len(every)
    for number, case in enumerate(every):
        try_case(case, tmp_path / str(number))


def test_the_command_lets_gates_live(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--gate", "--seeds", "2"]) == ExitCode.OK
    assert "2 gate worlds, 0 in which something does not hold" in capsys.readouterr().out


def test_the_command_tells_what_does_not_hold(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    proof_is_ignored(monkeypatch)
    assert main(["simulate", "--gate"]) == ExitCode.REFUSED
    told = capsys.readouterr().out
    assert "again: ssct simulate --gate --seed " in told
    assert "is torn at command" in told


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


def list_is_not_asked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gate, "entitled", lambda card, _deny, now: entitled(card, EmptyDenyList(), now))


def every_proof_counts_as_ours(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gate, "_is_ours", lambda *_: True)


def whatever_has_no_proof_is_void(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gate.Gate, "_is_certainly_undone", lambda *_: True)


def sent_before_it_is_answered(patch: pytest.MonkeyPatch) -> None:
    to_send = TapBook.to_send

    def taken(book: TapBook, before: datetime, most: int) -> tuple[TapRow, ...]:
        rows = to_send(book, before, most)
        book.sent(rows)
        return rows

    patch.setattr(TapBook, "to_send", taken)


def _only_done(book: TapBook, _before: object, most: int) -> object:
    return book._rows(tap.c.state == "done", most)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "plant",
    [
        proof_is_ignored,
        record_after_the_debit,
        grey_rows_are_forgotten,
        list_is_not_asked,
        every_proof_counts_as_ours,
        whatever_has_no_proof_is_void,
        sent_before_it_is_answered,
    ],
)
def test_the_worlds_find_a_planted_fault(
    plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        live_many(tmp_path)


def live_many(directory: Path) -> None:
    for seed in range(40):
        live(seed, directory / str(seed))
