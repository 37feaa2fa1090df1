"""A disk that is full or fails, before money moves and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from simulator.scene import Scene
from terminal.errors import StoreFull, StoreUnavailable
from terminal.outcome import Done, Failed, Unknown
from terminal.store.journal import Evidence, Journal, Operation, State

from .functions_bench import (
    ACTIVATION,
    ADULT,
    BILL_FEN,
    CONFIRM,
    SETTLEMENT,
    Job,
    assert_in_order,
    chip_of,
    money,
    operations,
    serve,
)


def test_a_full_disk_before_sending_sends_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Operation:
        raise StoreFull("no space left")

    monkeypatch.setattr(Journal, "mark_sent", full)
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, StoreFull)
    assert CONFIRM not in scene.network.paths
    monkeypatch.undo()
    assert operations(scene) == {State.REVERSED: 1}, "it was closed at once"
    assert_in_order(scene)
    assert isinstance(serve(scene, chip_of(ADULT), SETTLEMENT), Done)


def test_a_full_disk_that_lets_nothing_be_closed_leaves_it_to_the_running_terminal(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Operation:
        raise StoreFull("no space left")

    def broken(*_: object) -> Operation:
        raise StoreUnavailable("and then the disk is gone")

    monkeypatch.setattr(Journal, "mark_sent", full)
    monkeypatch.setattr(Journal, "reverse", broken)
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, StoreFull), "not what went wrong in closing it"
    monkeypatch.undo()
    assert operations(scene) == {State.PREPARED: 1}
    assert len(scene.terminal.resolve_unknown().closed) == 1
    assert_in_order(scene)


def test_a_row_marked_as_sent_although_that_failed_is_closed_as_never_sent(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = Journal.mark_sent

    def late(self: Journal, prepared: Operation, payload: Mapping[str, Any]) -> Operation:
        mark(self, prepared, payload)
        raise StoreFull("after all")

    monkeypatch.setattr(Journal, "mark_sent", late)
    assert isinstance(serve(scene, chip_of(ADULT), SETTLEMENT), Failed)
    assert CONFIRM not in scene.network.paths
    assert operations(scene) == {State.REFUSED: 1}
    assert_in_order(scene)


def test_a_full_disk_after_sending_leaves_it_to_recovery(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = money(scene)

    def full(*_: object) -> Operation:
        raise StoreFull("no space left")

    monkeypatch.setattr(Journal, "confirm", full)
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(outcome, Unknown), "money has moved, so nobody says that nothing happened"
    monkeypatch.undo()
    recovery = scene.terminal.resolve_unknown()
    assert [operation.state for operation in recovery.closed] == [State.CONFIRMED]
    assert recovery.closed[0].evidence is Evidence.QUERY
    assert money(scene) == before - BILL_FEN
    assert_in_order(scene)


@pytest.mark.parametrize("job", [ACTIVATION, SETTLEMENT], ids=lambda job: job.function.value)
def test_nothing_after_the_confirmation_is_told_as_a_failure(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, job: Job
) -> None:
    """Neither the status that cannot be kept, nor the receipt that cannot be made."""

    def broken(*_: object) -> None:
        raise StoreFull("no space left")

    monkeypatch.setattr(Journal, "told", broken)
    monkeypatch.setattr("terminal.functions.activation.decode", broken)
    monkeypatch.setattr("terminal.functions.receipts.decode", broken)
    outcome = serve(scene, chip_of(job.profile), job)
    assert isinstance(outcome, Done)
    assert operations(scene) == {State.CONFIRMED: 1}
    if job is SETTLEMENT:
        assert outcome.receipt is not None
        assert scene.terminal.journal.find(outcome.receipt.number) is not None
        assert "补打" in outcome.receipt.notes[0].zh
