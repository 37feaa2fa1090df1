"""What became of an operation whose answer was lost: query first, then reverse.

The centre is asked what it knows of the number. Confirmed there: confirmed here, with what it says;
where it has booked other amounts than the holder agreed to, that is undone. Refused or reversed
there: nothing happened. Unknown there: a reversal makes sure that it never will, also when the
request is still under way. A reversal may be late itself, and undo what has been confirmed since:
once one has left, only its answer ends a settlement, whatever a query finds. While the centre does
not answer, the operation stays open. A request is never sent a second time.

The flow of a visit, admission and the background may ask about one operation at the same time: they
take turns, and who comes second finds it ended.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from backend_client.errors import BackendError, NoReply, NotEnrolled, Unreachable
from backend_client.messages import encode
from terminal.centre import Centre
from terminal.errors import Explanation, JournalError, StoreError, explain
from terminal.store.journal import Evidence, Journal, Kind, Operation, State

log = logging.getLogger(__name__)

NOTE_LENGTH = 64
_OTHER_AMOUNTS = "OTHER_AMOUNTS"


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of the operations found open: those that ended, those that could not.

    `error` is the first reason why one stayed open.
    """

    closed: tuple[Operation, ...]
    still_open: tuple[Operation, ...]
    error: Explanation | None


def resolve(operation: Operation, journal: Journal, centre: Centre) -> Operation:
    """Bring an open operation to its end and return it; one that has ended is returned as it is.

    Call it for a PREPARED or SENT operation only when nobody is working on it any more.

    Raises `BackendError` when the centre does not answer, or answers something else than was
    asked; the operation is then UNKNOWN and stays open. Raises `StoreError`.
    """
    with journal.resolving:
        current = journal.find(operation.number) or operation
        try:
            return _ended(current, journal, centre)
        except JournalError:
            # Somebody without the lock, such as another resolution of this very thread, was faster.
            return journal.find(operation.number) or current


def _ended(operation: Operation, journal: Journal, centre: Centre) -> Operation:
    if operation.state is State.PREPARED:
        return journal.reverse(operation, Evidence.NEVER_SENT)
    if operation.kind is Kind.PROVISIONAL:
        return journal.refuse(operation, Evidence.NEVER_SENT)
    if operation.state is State.SENT:
        operation = journal.unknown(operation, "no answer")
    if operation.state is not State.UNKNOWN or operation.kind is Kind.DEBIT:
        return operation  # a debit is ended by its own card alone (functions/proof.py)
    if journal.is_reversing(operation.number):
        return _reversed(operation, journal, centre)
    found = centre.query(operation)
    match found.state:
        case "confirmed" if not centre.is_agreed(operation, found):
            return _reversed(operation, journal, centre, _OTHER_AMOUNTS)
        case "confirmed":
            return journal.confirm(operation, Evidence.QUERY, centre.booked(operation, found))
        case "refused" | "reversed":
            note = (found.reason or found.state)[:NOTE_LENGTH]
            return journal.reverse(operation, Evidence.QUERY, note)
        case "unknown":
            return _reversed(operation, journal, centre)


def _reversed(
    operation: Operation, journal: Journal, centre: Centre, note: str | None = None
) -> Operation:
    """Undo it there, and end it by the answer. What is not a settlement stands, once booked."""
    if operation.kind is Kind.SETTLEMENT and not journal.is_reversing(operation.number):
        operation = journal.reversing(operation)
    answer = encode(centre.reverse(operation))
    return journal.reverse(operation, Evidence.REVERSAL, note, answer)


def resolve_all(operations: Iterable[Operation], journal: Journal, centre: Centre) -> Recovery:
    """Bring each of `operations` to its end; once the centre is away it is not asked again.

    One that cannot be ended, for whatever reason, stays open and keeps nobody else waiting.
    """
    closed: list[Operation] = []
    still_open: list[Operation] = []
    first: Exception | None = None
    away = False
    for operation in operations:
        if away and operation.state is not State.PREPARED:
            still_open.append(operation)
            continue
        try:
            ended = resolve(operation, journal, centre)
        except Exception as error:
            _log(operation, error)
            first = first or error
            away = isinstance(error, Unreachable | NoReply | NotEnrolled)
            ended = as_found(operation, journal)
        (still_open if ended.state.is_open else closed).append(ended)
    return Recovery(tuple(closed), tuple(still_open), explain(first) if first else None)


def as_found(operation: Operation, journal: Journal) -> Operation:
    """The operation as the journal has it now, or as it was when the journal cannot be read."""
    try:
        return journal.find(operation.number) or operation
    except StoreError as error:
        log.warning("operation %s cannot be read: %s", operation.number, error.code)
        return operation


def _log(operation: Operation, error: Exception) -> None:
    """An error of ours by its code; anything else is a fault of the program, with its place."""
    if isinstance(error, BackendError | StoreError):
        log.info("operation %s stays open: %s", operation.number, error.code)
    else:
        log.exception("operation %s stays open", operation.number)
