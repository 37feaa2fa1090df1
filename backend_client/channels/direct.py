"""The direct channel: the back office's own interface, our messages as they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from backend_client.channels.channel import Reference, Sent, Tried, VisitNumbers
from backend_client.client import BackendClient
from backend_client.messages import (
    Bill,
    ConfirmRequest,
    OperationState,
    Reversal,
    Settlement,
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

NAME = "direct"


class DirectChannel:
    """A `SettlementChannel` that needs no reference and no sign-in."""

    name = NAME
    settles_anew = False

    def __init__(self, client: BackendClient) -> None:
        self._client = client

    def try_out(self, request: TrialRequest, bill: Bill) -> Tried:  # noqa: ARG002 - known there
        """See `SettlementChannel`."""
        return Tried(self._client.trial(request), {})

    def confirm(self, request: ConfirmRequest, reference: Reference) -> Settlement:  # noqa: ARG002
        """See `SettlementChannel`."""
        return self._client.confirm(request)

    def give_up(self, reference: Reference) -> None:
        """A trial leaves nothing behind here."""

    def cancel(self, request: CancelRequest, reference: Reference) -> Cancellation:  # noqa: ARG002
        """See `SettlementChannel`."""
        return self._client.money.cancel(request)

    def query(self, sent: Sent) -> OperationState | MoneyState:
        """See `SettlementChannel`."""
        if sent.what == "cancellation":
            return self._client.money.query(sent.number)
        return self._client.query(sent.number)

    def reverse(self, sent: Sent) -> Reversal:
        """See `SettlementChannel`."""
        return self._client.reverse(sent.number)

    def agrees(self, day: date, total: DayTotal, scope: Scope = "terminal") -> bool:
        """See `SettlementChannel`."""
        theirs = self._client.money.totals(day, scope)
        same_kind = [
            each for each in theirs if (each.refund, each.scheme) == (total.refund, total.scheme)
        ]
        return (same_kind or [DayTotal(total.refund, total.scheme, 0, 0, 0, 0, 0)]) == [total]

    def statement(
        self,
        day: date,
        ours: Sequence[StatementLine],  # noqa: ARG002 - this centre tells all of its own
        scope: Scope = "terminal",
    ) -> tuple[StatementLine, ...]:
        """See `SettlementChannel`."""
        return self._client.money.lines(day, scope)

    def visit_of(self, reference: Reference) -> VisitNumbers | None:  # noqa: ARG002 - none is asked
        """See `SettlementChannel`."""
        return None

    def sign_out(self) -> None:
        """Nobody signs in here."""
