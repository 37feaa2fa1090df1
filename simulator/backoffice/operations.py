"""Accepting each operation once, by its terminal and its number.

A terminal's number stands for one request of that terminal. What another terminal did under the
same number is nothing to it: it can neither see nor undo that. The same request again gets the
same answer, byte for byte, also when the answer was a refusal. Another request under a number that
has ended is refused. A reversal kills a number for good, also one that has not arrived yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend_client.codec import Message, decode, dump, encode, load
from backend_client.messages import (
    ActivationResult,
    OperationOutcome,
    OperationState,
    Reversal,
    Settlement,
)
from backend_client.money_messages import BenefitReceipt, Cancellation, ContributionPayment
from simulator.backoffice.database import Database
from simulator.backoffice.errors import Refused
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.schema import Operation
from simulator.backoffice.terminals import Caller
from simulator.backoffice.vault import Vault

R = TypeVar("R", bound=Message)

RESULTS: Mapping[str, type[Message]] = {
    cls.schema: cls
    for cls in (Settlement, ActivationResult, Cancellation, ContributionPayment, BenefitReceipt)
}
"""What an operation can have made, by the schema that its row keeps as its kind."""

_STANDING: Mapping[str, Refusal] = {
    ActivationResult.schema: Refusal.ACTIVATION_STANDS,
    Cancellation.schema: Refusal.CANCELLATION_STANDS,
}
"""What a reversal of a finished operation is refused with; a settlement is undone instead."""


@dataclass(frozen=True, slots=True)
class Found:
    """What became of a number, and what it made where it is confirmed."""

    state: OperationOutcome
    made: Message | None = None
    reason: str | None = None


class Stage(StrEnum):
    """How far an operation is. OPEN: nothing is booked, there may have been a trial."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    REVERSED = "reversed"


def request_hash(request: Message) -> bytes:
    """32 bytes that tell one request from another."""
    return hashlib.sha256(request.schema.encode() + b"\0" + dump(request)).digest()


class Operations:
    """The numbers that were seen, and what became of them."""

    def __init__(self, database: Database, vault: Vault, now: Callable[[], datetime]) -> None:
        self._database = database
        self._vault = vault
        self._now = now

    def once(
        self,
        caller: Caller,
        number: str,
        request: Message | bytes,
        answer: type[R],
        work: Callable[[Session, Operation, datetime], R],
    ) -> R:
        """Do `work` under `number`, or give the answer that this request got before.

        A `request` in another format than ours is given as 32 bytes that tell it from any other.
        What `work` changes and its answer are one transaction, at one instant. Raises `Refused`:
        what `work` raises now or raised then, NUMBER_REUSED, NUMBER_REVERSED or NUMBER_FOREIGN.
        """
        wanted = request if isinstance(request, bytes) else request_hash(request)
        with self._database.transaction() as session:
            now = self._now()
            row = self.opened(session, caller, number, answer, now)
            if row.state != Stage.OPEN:
                return self._again(row, wanted, answer)
            row.request_hash, row.at = wanted, now
            try:
                with session.begin_nested():
                    result = work(session, row, now)
            except Refused as refused:
                row.state, row.reason = Stage.REFUSED, refused.code
                row.article, row.detail = refused.article, refused.detail
                refusal = refused
            else:
                row.state = Stage.CONFIRMED
                row.sealed = self._vault.seal(encode(result), "operations", _place(row))
                return result
        raise refusal

    def opened(
        self, session: Session, caller: Caller, number: str, answer: type[R], now: datetime
    ) -> Operation:
        """The row of a number, made if it is new; `answer` tells what kind of operation it is.

        Raises `Refused` NUMBER_REVERSED, NUMBER_REUSED for another kind, or NUMBER_FOREIGN.
        """
        row = self._find(session, caller, number)
        if row is None:
            row = _add(session, caller, number, answer.schema, now)
        if row.state == Stage.REVERSED:
            raise Refused(Refusal.NUMBER_REVERSED)
        if row.kind != answer.schema:
            raise Refused(Refusal.NUMBER_REUSED)
        return row

    def found(self, caller: Caller, number: str) -> Found:
        """What became of a number; "unknown" as long as nothing was booked under it."""
        with self._database.transaction() as session:
            row = self._find(session, caller, number)
            if row is None or row.state == Stage.OPEN:
                return Found("unknown")
            if row.state == Stage.REVERSED:
                return Found("reversed")
            if row.state == Stage.REFUSED:
                return Found("refused", reason=row.reason)
            return Found("confirmed", self._result(row, RESULTS[row.kind or ""]))

    def query(self, caller: Caller, number: str) -> OperationState:
        """What became of a settlement or an activation."""
        found = self.found(caller, number)
        made = found.made
        return OperationState(
            number,
            found.state,
            settlement=made if isinstance(made, Settlement) else None,
            activation=made if isinstance(made, ActivationResult) else None,
            reason=found.reason,
        )

    def reverse(
        self,
        caller: Caller,
        number: str,
        undo: Callable[[Session, Operation, datetime], None],
    ) -> Reversal:
        """Undo what was booked under a number, and let nothing be booked under it any more.

        `undo` undoes a settlement. Raises `Refused` for what is done and stays (ACTIVATION_STANDS,
        CANCELLATION_STANDS, OPERATION_STANDS), or NUMBER_FOREIGN.
        """
        with self._database.transaction() as session:
            now = self._now()
            row = self._find(session, caller, number)
            if row is None:
                row = _add(session, caller, number, None, now)
            if row.reversal is not None:
                return load(Reversal, row.reversal)
            found = row.state == Stage.CONFIRMED
            if found:
                if row.kind != Settlement.schema:
                    raise Refused(_STANDING.get(row.kind or "", Refusal.OPERATION_STANDS))
                undo(session, row, now)
            reversal = Reversal(number, found, now)
            row.state, row.reversal = Stage.REVERSED, dump(reversal)
            return reversal

    def _find(self, session: Session, caller: Caller, number: str) -> Operation | None:
        if not number.startswith(caller.institution):
            raise Refused(Refusal.NUMBER_FOREIGN)
        mine = (Operation.owner == caller.owner) & (Operation.number == number)
        return session.scalar(select(Operation).where(mine).with_for_update())

    def _again(self, row: Operation, wanted: bytes, answer: type[R]) -> R:
        """What the same request got before."""
        if row.request_hash != wanted:
            raise Refused(Refusal.NUMBER_REUSED)
        if row.state == Stage.REFUSED:
            raise _refused_before(row)
        return self._result(row, answer)

    def _result(self, row: Operation, answer: type[R]) -> R:
        opened = self._vault.open(row.sealed or b"", "operations", _place(row))
        return decode(answer, opened)


def _refused_before(row: Operation) -> Refused:
    """The refusal that a row keeps; another version may have had a reason unknown to this one."""
    reason = row.reason or ""
    if reason not in set(Refusal):
        return Refused(Refusal.REFUSED_BEFORE, detail=reason)
    return Refused(Refusal(reason), article=row.article, detail=row.detail)


def _place(row: Operation) -> str:
    """What a row's sealed answer is bound to."""
    return f"{row.owner}/{row.number}"


def _add(
    session: Session, caller: Caller, number: str, kind: str | None, now: datetime
) -> Operation:
    row = Operation(
        owner=caller.owner,
        number=number,
        kind=kind,
        state=Stage.OPEN,
        terminal=caller.terminal_id,
        detail="",
        at=now,
    )
    session.add(row)
    session.flush()
    return row
