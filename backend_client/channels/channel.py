"""The protocol of a settlement channel, and what passes through it.

Inside are our own messages and whole fen; a channel's field names never leave its file. What a
channel must remember of an operation (a visit's number there, a person's) is its `Reference`: the
journal keeps it with the operation and gives it back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, Protocol

from backend_client.messages import (
    Bill,
    ConfirmRequest,
    OperationState,
    Reversal,
    Settlement,
    Trial,
    TrialRequest,
)
from backend_client.money_messages import (
    Cancellation,
    CancelRequest,
    DayTotal,
    MoneyState,
    Scope,
    StatementLine,
)

Reference = Mapping[str, str]
"""What a channel remembers of an operation: names and values that mean something to it alone."""


@dataclass(frozen=True, slots=True)
class Tried:
    """The answer to a trial, and what the channel needs for the confirm."""

    trial: Trial
    reference: Reference = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """An operation of unknown outcome: its number, what it was to do, and its reference."""

    number: str
    what: Literal["settlement", "cancellation"]
    reference: Reference = field(repr=False)


@dataclass(frozen=True, slots=True)
class VisitNumbers:
    """What a channel calls the visit and the person of an operation."""

    visit_id: str
    person_id: str = field(repr=False)


class SettlementChannel(Protocol):
    """How bills are settled with one centre. Safe to share between threads.

    Every method raises `Unreachable`, `NoReply`, `Refused`, `NotEnrolled` or `BadMessage`.
    """

    @property
    def name(self) -> str:
        """The channel's name in the settings and in the journal."""
        ...

    @property
    def settles_anew(self) -> bool:
        """Whether a confirm works the amounts out anew, and may book others than were agreed to."""
        ...

    def try_out(self, request: TrialRequest, bill: Bill) -> Tried:
        """登记、上传明细、预结算: everything that leads to a trial. Books nothing."""
        ...

    def confirm(self, request: ConfirmRequest, reference: Reference) -> Settlement:
        """结算 of exactly what was tried. Sent once; a differing answer is `BadMessage`."""
        ...

    def give_up(self, reference: Reference) -> None:
        """Take back what a trial left at the centre, since nothing was settled."""
        ...

    def cancel(self, request: CancelRequest, reference: Reference) -> Cancellation:
        """结算撤销 of the settlement that `reference` belongs to. Sent once."""
        ...

    def query(self, sent: Sent) -> OperationState | MoneyState:
        """What the centre knows of the operation's number."""
        ...

    def reverse(self, sent: Sent) -> Reversal:
        """冲正: undo it, or forbid it if it has not arrived. Calling again is harmless."""
        ...

    def agrees(self, day: date, total: DayTotal, scope: Scope = "terminal") -> bool:
        """对总账: whether the centre has the same sums of this type and insurance on that day.

        A centre that knows institutions only compares the institution's, whatever the scope.
        """
        ...

    def statement(
        self, day: date, ours: Sequence[StatementLine], scope: Scope = "terminal"
    ) -> tuple[StatementLine, ...]:
        """对明细账: the centre's lines of that day; it is told ours. The scope as in `agrees`."""
        ...

    def visit_of(self, reference: Reference) -> VisitNumbers | None:
        """What a line of `statement` must carry of an operation; None where it needs nothing."""
        ...

    def sign_out(self) -> None:
        """End the day, where the channel knows such a thing."""
        ...
