"""Committing one operation: the part of a function that cannot be cancelled.

The order is the rule: SENT is durable before the first byte leaves; what certainly did not happen
is closed as refused; a lost answer makes the operation unknown, and the back office is asked what
became of it before anybody says anything to the holder. It is never sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping
from typing import Any, TypeVar

from backend_client.channels.channel import Reference, SettlementChannel
from backend_client.codec import Message, encode
from backend_client.errors import BackendError, NotEnrolled
from backend_client.errors import Refused as RefusedByCentre
from terminal.errors import TerminalError
from terminal.flow import agreement, committing
from terminal.functions.earlier import start_again, told
from terminal.functions.entry import admitted
from terminal.functions.receipts import unfinished_slip
from terminal.outcome import Cancelled, Outcome, Refused, Stopped, Unknown
from terminal.policy import Function
from terminal.resolution import as_found
from terminal.screens import Answer, Confirm, Screen
from terminal.store.journal import Evidence, Journal, Operation, State
from terminal.text import Text
from terminal.visit import Visit

log = logging.getLogger(__name__)

M = TypeVar("M", bound=Message)
R = TypeVar("R", bound=Message)

_NOT_DONE = Text("业务没有办成。", "This was not done.")


def commit(
    visit: Visit,
    prepared: Operation,
    request: M,
    send: Callable[[M], R],
    kept: Mapping[str, Any] | None = None,
) -> Operation:
    """Send `request` once and return the operation as the journal knows it afterwards.

    `kept` is what the journal keeps beside the request, for whoever asks what became of it.

    Confirmed, reversed (the answer was lost, and nothing holds) or still open. Raises the
    `BackendError` of an operation that certainly did not happen; it is closed as refused then.
    Before anything is sent, raises `TerminalError`; afterwards no more, since money may have moved.
    """
    try:
        sent = visit.journal.mark_sent(prepared, {**encode(request), **(kept or {})})
    except BaseException:
        abandon(visit, prepared)
        raise
    try:
        return _send(visit, sent, request, send)
    except Exception as error:
        if isinstance(error, BackendError) and error.certainly_not_done:
            raise
        # The answer cannot be kept now, so it is as good as lost: who resolves will ask for it.
        log.exception("operation %s is left to be resolved", sent.number)
        return as_found(sent, visit.journal)
    finally:
        visit.journal.let_go(sent)


def _send(visit: Visit, sent: Operation, request: M, send: Callable[[M], R]) -> Operation:
    try:
        answer = send(request)
    except BackendError as error:
        log.info("operation %s: %s", sent.number, error.code)
        if error.certainly_not_done:
            visit.journal.refuse(sent, _evidence(error), error.code)
            raise
        unknown = visit.journal.unknown(sent, error.code)
    except Exception:
        # A fault of the program, but the bytes may have left all the same.
        log.exception("operation %s: no usable answer", sent.number)
        unknown = visit.journal.unknown(sent, "INTERNAL_ERROR")
    else:
        return visit.journal.confirm(sent, Evidence.ANSWER, encode(answer))
    return visit.resolve(unknown)


def _evidence(error: BackendError) -> Evidence:
    """What proves that it was not done: the centre's no, or that no byte has left.

    `NotEnrolled` is the centre's no to a token; without any token no card gets this far.
    """
    answered = isinstance(error, RefusedByCentre | NotEnrolled)
    return Evidence.ANSWER if answered else Evidence.NEVER_SENT


def abandon(visit: Visit, prepared: Operation) -> None:
    """Close an operation that never left. What the journal cannot do now is left to be resolved."""
    never_sent(visit.journal, prepared)


def never_sent(journal: Journal, prepared: Operation) -> None:
    """`abandon` for who has the journal alone."""
    try:
        current = journal.find(prepared.number) or prepared
        if current.state is State.SENT:  # marked, although the journal said that it failed
            journal.refuse(current, Evidence.NEVER_SENT)
        else:
            journal.reverse(current, Evidence.NEVER_SENT)
    except TerminalError as error:
        log.warning("operation %s is left as it is: %s", prepared.number, error.code)
    finally:
        journal.let_go(prepared)


def agreed_upon(
    visit: Visit, function: Function, prepared: Operation, screen: Confirm, progress: Text
) -> Generator[Screen, Answer, Outcome | None]:
    """Have the holder agree to what was prepared; None when nothing speaks against committing it.

    Admission is asked again and the card proves that it is still there. Otherwise the operation is
    closed: it was never sent.
    """
    try:
        refused = yield from _consent(visit, function, screen, progress)
    except BaseException:
        abandon(visit, prepared)
        raise
    if refused is not None:
        abandon(visit, prepared)
    return refused


def _consent(
    visit: Visit, function: Function, screen: Confirm, progress: Text
) -> Generator[Screen, Answer, Outcome | None]:
    if not (yield from agreement(screen)):
        return Stopped(Cancelled())
    decision = admitted(visit, function)
    if isinstance(decision, Refused):
        return decision
    visit.still_here()
    yield from committing(progress.zh, progress.en)
    return None


def give_up(channel: SettlementChannel, reference: Reference) -> None:
    """Take back what a trial left at the centre. Never raises: nothing of it is money."""
    try:
        channel.give_up(reference)
    except BackendError as error:
        log.info("a trial is left at the centre: %s", error.code)
    except Exception:
        log.exception("a trial is left at the centre")


def unfinished(
    visit: Visit,
    operation: Operation,
    changed: Text | None = None,
    *,
    receipt_follows: bool = False,
) -> Outcome | None:
    """The outcome of a committed operation that is not confirmed; None for one that is.

    `changed` says what has changed all the same, where the holder must know it. With
    `receipt_follows` a confirmed one counts as told only when its `Done` was shown.
    """
    awaits_receipt = receipt_follows and operation.state is State.CONFIRMED
    if not (operation.state.is_open or awaits_receipt):
        told(visit, operation)
    if operation.state is State.CONFIRMED:
        return None
    if operation.state in (State.REVERSED, State.REFUSED):
        return Refused("OPERATION_REVERSED", _NOT_DONE, _both(changed, start_again(operation)))
    slip = unfinished_slip(visit.place, visit.clock.now(), operation, changed)
    return Unknown(operation.number, slip)


def _both(first: Text | None, second: Text) -> Text:
    return second if first is None else Text(first.zh + second.zh, f"{first.en} {second.en}")
