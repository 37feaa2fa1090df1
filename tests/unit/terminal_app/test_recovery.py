"""What becomes of operations whose answer was lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Thread

import pytest

from backend_client.codec import Message, encode
from backend_client.errors import NoReply, Unreachable
from backend_client.messages import (
    ActivationResult,
    OperationOutcome,
    OperationState,
    Reversal,
    Settlement,
)
from backend_client.transport import Request
from terminal.app import Terminal
from terminal.errors import StoreDamaged
from terminal.policy import Function
from terminal.reasons import Reason
from terminal.resolution import resolve
from terminal.store.journal import Evidence, Kind, Operation, State

from .small_centre import (
    CARD,
    FACTS,
    NOW,
    OTHER,
    SPLIT,
    Centre,
    Open,
    prepared_settlement,
    reason,
    sent_settlement,
    status_of,
)


def sent_activation(terminal: Terminal) -> Operation:
    operation = terminal.journal.prepare(Kind.ACTIVATION, CARD, {})
    terminal.journal.let_go(operation)
    payload = {"number": operation.number, "card": encode(CARD), "pin_changed": True}
    return terminal.journal.mark_sent(operation, payload)


def unknown_settlement(terminal: Terminal) -> Operation:
    return terminal.journal.unknown(sent_settlement(terminal), "BACKEND_UNKNOWN_OUTCOME")


def booked(number: str, **changes: object) -> OperationState:
    settlement = Settlement(number, "s-1", "b-1", SPLIT, NOW, 0, 0)
    changed = replace(settlement, **changes)  # type: ignore[arg-type]  # named by each test
    return OperationState(number, "confirmed", settlement=changed)


def test_recovery_closes_what_never_left_without_asking(terminal: Terminal, centre: Centre) -> None:
    operation = prepared_settlement(terminal)
    centre.away = Unreachable
    recovery = terminal.recover()
    assert [o.number for o in recovery.closed] == [operation.number]
    assert recovery.closed[0].state is State.REVERSED
    assert recovery.closed[0].evidence is Evidence.NEVER_SENT
    assert recovery.error is None
    assert centre.requests == []


@pytest.mark.parametrize("make", [sent_settlement, unknown_settlement])
def test_recovery_confirms_what_the_centre_booked(
    opened: Open, terminal: Terminal, centre: Centre, make: Callable[[Terminal], Operation]
) -> None:
    operation = make(terminal)
    centre.operations[operation.number] = booked(operation.number)
    recovery = opened().recover()
    assert [o.state for o in recovery.closed] == [State.CONFIRMED]
    assert recovery.closed[0].result == encode(
        Settlement(operation.number, "s-1", "b-1", SPLIT, NOW, 0, 0)
    )
    assert recovery.closed[0].evidence is Evidence.QUERY
    assert centre.reversed == []


@pytest.mark.parametrize("make", [sent_settlement, unknown_settlement, sent_activation])
def test_recovery_reverses_what_the_centre_never_saw(
    opened: Open, terminal: Terminal, centre: Centre, make: Callable[[Terminal], Operation]
) -> None:
    """Query first, then reverse, so that a request still under way can do nothing any more."""
    operation = make(terminal)
    centre.requests.clear()
    recovery = opened().recover()
    assert [o.state for o in recovery.closed] == [State.REVERSED]
    assert recovery.closed[0].evidence is Evidence.REVERSAL
    assert centre.requests == ["/v1/operations/query", "/v1/operations/reverse"]
    assert centre.reversed == [operation.number]


@pytest.mark.parametrize("state", ["refused", "reversed"])
def test_what_the_centre_refused_or_reversed_did_not_happen(
    terminal: Terminal, centre: Centre, state: OperationOutcome
) -> None:
    operation = sent_settlement(terminal)
    centre.operations[operation.number] = OperationState(operation.number, state, reason="X")
    recovery = terminal.recover()
    assert [o.state for o in recovery.closed] == [State.REVERSED]
    assert recovery.closed[0].evidence is Evidence.QUERY
    assert centre.reversed == []


def test_an_activation_is_confirmed_with_the_status_it_led_to(
    terminal: Terminal, centre: Centre
) -> None:
    operation = sent_activation(terminal)
    result = ActivationResult(operation.number, status_of("active"))
    centre.operations[operation.number] = OperationState(
        operation.number, "confirmed", activation=result
    )
    recovery = terminal.recover()
    assert [o.state for o in recovery.closed] == [State.CONFIRMED]
    assert recovery.closed[0].result == encode(result)


@pytest.mark.parametrize(
    "answer",
    [
        {"bill_id": "b-2"},
        {"split": replace(SPLIT, total_fen=999, current_account_fen=999)},
        None,
    ],
)
def test_a_booking_of_something_else_closes_nothing(
    terminal: Terminal, centre: Centre, answer: dict[str, object] | None
) -> None:
    operation = sent_settlement(terminal)
    number = operation.number
    result = ActivationResult(number, status_of("active"))
    centre.operations[number] = (
        OperationState(number, "confirmed", activation=result)
        if answer is None
        else booked(number, **answer)
    )
    recovery = terminal.recover()
    assert recovery.closed == ()
    assert [o.state for o in recovery.still_open] == [State.UNKNOWN]
    assert recovery.error is not None
    assert recovery.error.code == "BACKEND_BAD_MESSAGE"
    assert centre.reversed == []


def test_an_activation_of_another_card_closes_nothing(terminal: Terminal, centre: Centre) -> None:
    operation = sent_activation(terminal)
    result = ActivationResult(operation.number, replace(status_of("active"), card=OTHER))
    centre.operations[operation.number] = OperationState(
        operation.number, "confirmed", activation=result
    )
    assert terminal.recover().closed == ()


def test_while_the_centre_is_away_operations_stay_open_and_are_resolved_later(
    terminal: Terminal, centre: Centre
) -> None:
    first, second = sent_settlement(terminal), unknown_settlement(terminal)
    prepared = prepared_settlement(terminal)
    centre.away = Unreachable
    recovery = terminal.recover()
    assert [o.number for o in recovery.closed] == [prepared.number]
    assert {o.number for o in recovery.still_open} == {first.number, second.number}
    assert recovery.error is not None
    assert recovery.error.code == Unreachable.code
    assert len(centre.requests) <= 3, "a dead centre is not asked once for every row"
    assert terminal.try_resolve(recovery.still_open[0]).state is State.UNKNOWN
    centre.away = None
    assert terminal.recover().still_open == ()
    assert terminal.journal.verify_chain().ok


def test_a_lost_answer_to_the_reversal_is_asked_again(terminal: Terminal, centre: Centre) -> None:
    operation = unknown_settlement(terminal)
    asked: list[str] = []
    answer = centre.answer

    def lose_the_first(request: Request) -> Message:
        found = answer(request)
        asked.append(request.path)
        if request.path.endswith("reverse") and asked.count(request.path) == 1:
            raise NoReply("lost")
        return found

    centre.answer = lose_the_first  # type: ignore[method-assign]  # the fault under test
    assert terminal.recover().closed == ()
    centre.operations[operation.number] = OperationState(operation.number, "reversed")
    assert [o.state for o in terminal.recover().closed] == [State.REVERSED]


def test_resolution_leaves_what_has_ended(terminal: Terminal) -> None:
    done = terminal.journal.refuse(sent_settlement(terminal), Evidence.ANSWER, "NO")
    assert resolve(done, terminal.journal, terminal.centre) == done


def test_what_a_visit_has_in_hand_is_not_resolved_behind_its_back(terminal: Terminal) -> None:
    prepared = prepared_settlement(terminal, in_hand=True)
    sent = sent_settlement(terminal, in_hand=True)
    unknown = unknown_settlement(terminal)
    assert [o.number for o in terminal.resolve_unknown().closed] == [unknown.number]
    assert {o.number for o in terminal.journal.open_operations()} == {prepared.number, sent.number}
    assert terminal.recover().closed == ()
    terminal.journal.let_go(prepared)
    assert [o.number for o in terminal.resolve_unknown().closed] == [prepared.number]
    terminal.journal.let_go(sent)
    assert [o.number for o in terminal.resolve_unknown().closed] == [sent.number]


def test_one_operation_is_resolved_by_one_at_a_time(terminal: Terminal, centre: Centre) -> None:
    """Whoever asks meanwhile waits, and then finds it ended."""
    operation = unknown_settlement(terminal)
    centre.operations[operation.number] = booked(operation.number)
    free: list[bool] = []

    def look(request: Request) -> None:
        if request.path == "/v1/operations/query":
            lock = terminal.journal.resolving
            other = Thread(target=lambda: free.append(lock.acquire(blocking=False)))
            other.start()
            other.join()

    centre.meddle = look
    assert terminal.try_resolve(operation).state is State.CONFIRMED
    assert free == [False]
    assert terminal.try_resolve(operation).state is State.CONFIRMED, "an old copy of the row"
    assert centre.requests.count("/v1/operations/query") == 1


def test_a_row_that_ended_meanwhile_is_returned_as_it_ended(
    terminal: Terminal, centre: Centre
) -> None:
    operation = unknown_settlement(terminal)
    centre.operations[operation.number] = booked(operation.number)

    def overtake(request: Request) -> None:
        centre.meddle = lambda _: None
        terminal.resolve_unknown()

    centre.meddle = overtake
    recovery = terminal.resolve_unknown()
    assert [o.state for o in recovery.closed] == [State.CONFIRMED]
    assert recovery.error is None


def test_one_row_that_cannot_be_resolved_keeps_no_other_waiting(
    terminal: Terminal, centre: Centre
) -> None:
    first, second = unknown_settlement(terminal), unknown_settlement(terminal)

    def break_down(request: Request) -> None:
        if first.number.encode() in request.body:
            raise ValueError("a fault of the program")

    centre.meddle = break_down
    recovery = terminal.resolve_unknown()
    assert [o.number for o in recovery.closed] == [second.number]
    assert [(o.number, o.state) for o in recovery.still_open] == [(first.number, State.UNKNOWN)]
    assert recovery.error is not None
    assert recovery.error.code == "INTERNAL_ERROR"


def test_what_the_centre_said_to_a_reversal_is_kept(terminal: Terminal) -> None:
    operation = unknown_settlement(terminal)
    terminal.recover()
    ended = terminal.journal.find(operation.number)
    assert ended is not None
    assert ended.result == encode(Reversal(operation.number, found=False, reversed_at=NOW))


def test_a_card_with_an_unknown_operation_settles_nothing_until_it_is_resolved(
    terminal: Terminal, centre: Centre
) -> None:
    unknown_settlement(terminal)
    answer = centre.answer

    def no_queries(request: Request) -> Message:
        if "operations" in request.path:
            raise NoReply("lost")
        return answer(request)

    centre.answer = no_queries  # type: ignore[method-assign]  # the fault under test
    assert reason(terminal, Function.SETTLEMENT) is Reason.OPERATION_OPEN
    assert reason(terminal, Function.QUERY) is None
    centre.states[OTHER.card_id] = replace(status_of("active"), card=OTHER)
    other = replace(FACTS, card_id=OTHER.card_id, card_number=OTHER.card_number)
    assert reason(terminal, Function.SETTLEMENT, other) is None
    centre.answer = answer  # type: ignore[method-assign]  # the network is back
    assert reason(terminal, Function.SETTLEMENT) is None
    assert terminal.journal.open_operations() == ()


def test_what_is_only_prepared_stands_in_nobodys_way(terminal: Terminal) -> None:
    """Admission is asked again right before money is committed: its own row is no obstacle."""
    prepared = prepared_settlement(terminal)
    assert reason(terminal, Function.SETTLEMENT) is None
    assert terminal.journal.find(prepared.number) == prepared


def test_with_too_much_unfinished_nothing_new_is_begun(terminal: Terminal, centre: Centre) -> None:
    for _ in range(terminal.settings.limits.open_operations):
        operation = terminal.journal.prepare(Kind.SETTLEMENT, OTHER, {})
        terminal.journal.unknown(terminal.journal.mark_sent(operation))
    assert reason(terminal, Function.SETTLEMENT) is Reason.TOO_MANY_OPEN
    assert reason(terminal, Function.QUERY) is None
    assert terminal.resolve_unknown().still_open == ()
    assert reason(terminal, Function.SETTLEMENT) is None


def test_a_journal_that_does_not_hold_together_serves_nobody(terminal: Terminal) -> None:
    prepared_settlement(terminal)
    with terminal.store.writing() as connection:
        connection.exec_driver_sql("UPDATE operation SET kind='activation'")
    with pytest.raises(StoreDamaged, match="not as its last event left it"):
        terminal.recover()
