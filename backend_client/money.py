"""What the terminal asks of the back office about money, beyond trial and confirm.

Reads are repeated; what changes something is sent once, as in `client.py`.
"""

from __future__ import annotations

from datetime import date

from backend_client.calls import Calls, same
from backend_client.errors import BadMessage
from backend_client.messages import CardRef, OperationQuery
from backend_client.money_messages import (
    BenefitConfirmation,
    BenefitList,
    BenefitReceipt,
    Cancellation,
    CancelRequest,
    ContributionBills,
    ContributionPayment,
    ContributionRequest,
    DayTotal,
    DebitUpload,
    MoneyRecords,
    MoneyState,
    ProvisionalUpload,
    Scope,
    Statement,
    StatementLine,
    StatementRequest,
    UploadReceipt,
)

_READINGS = 3
"""How often a ledger is read from its first line when it changes while it is read."""


class MoneyClient:
    """Cancellations, contributions, benefits, records, uploads and statements."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def cancel(self, request: CancelRequest) -> Cancellation:
        """结算撤销 of a whole settlement. Sent once."""
        path = "/v1/settlements/cancel"
        done = self._calls.change(path, request, Cancellation, key=request.number)
        same(done.number, request.number, "/number")
        same(done.settlement_id, request.settlement_id, "/settlement_id")
        return done

    def contribution_bills(self, card: CardRef) -> ContributionBills:
        """The contributions that the card's holder has not paid."""
        found = self._calls.ask("/v1/contributions/search", card, ContributionBills)
        same(found.card, card, "/card")
        return found

    def pay_contribution(self, request: ContributionRequest) -> ContributionPayment:
        """缴费. Sent once."""
        path = "/v1/contributions"
        paid = self._calls.change(path, request, ContributionPayment, key=request.number)
        same(paid.number, request.number, "/number")
        same(paid.bill_id, request.bill_id, "/bill_id")
        same(paid.amount_fen, request.amount_fen, "/amount_fen")
        return paid

    def benefits(self, card: CardRef) -> BenefitList:
        """The benefits paid to the card's holder."""
        found = self._calls.ask("/v1/benefits/search", card, BenefitList)
        same(found.card, card, "/card")
        return found

    def confirm_benefit(self, request: BenefitConfirmation) -> BenefitReceipt:
        """待遇领取确认. Sent once."""
        path = "/v1/benefits/confirm"
        done = self._calls.change(path, request, BenefitReceipt, key=request.number)
        same(done.number, request.number, "/number")
        same(done.benefit_id, request.benefit_id, "/benefit_id")
        same(done.amount_fen, request.amount_fen, "/amount_fen")
        return done

    def records(self, card: CardRef) -> MoneyRecords:
        """What was settled and debited for the card's holder."""
        found = self._calls.ask("/v1/records/search", card, MoneyRecords)
        same(found.card, card, "/card")
        return found

    def query(self, number: str) -> MoneyState:
        """What became of an operation that is no settlement."""
        state = self._calls.ask("/v1/money/query", OperationQuery(number), MoneyState)
        same(state.number, number, "/number")
        for made in (state.cancellation, state.payment, state.benefit):
            if made is not None:
                same(made.number, number, "/number")
        return state

    def upload_debit(self, debit: DebitUpload) -> UploadReceipt:
        """A debit on the card, with its TAC. The same upload again gets the same receipt."""
        receipt = self._calls.ask("/v1/debits", debit, UploadReceipt, key=debit.number)
        same(receipt.number, debit.number, "/number")
        return receipt

    def upload_provisional(self, visit: ProvisionalUpload) -> UploadReceipt:
        """A visit that was registered offline. Again the same receipt for the same upload."""
        path = "/v1/visits/provisional"
        receipt = self._calls.ask(path, visit, UploadReceipt, key=visit.number)
        same(receipt.number, visit.number, "/number")
        return receipt

    def totals(self, day: date, scope: Scope = "terminal") -> tuple[DayTotal, ...]:
        """The sums of what the centre has booked on that day."""
        return self._page(StatementRequest(day, lines=False, scope=scope)).totals

    def lines(self, day: date, scope: Scope = "terminal") -> tuple[StatementLine, ...]:
        """What the centre has booked on that day, line by line.

        Raises `BadMessage` too for a ledger that does not stand still.
        """
        for _ in range(_READINGS):
            read = self._read(day, scope)
            if read is not None:
                return read
        raise BadMessage("/totals", "stand still", Statement.schema)

    def _read(self, day: date, scope: Scope) -> tuple[StatementLine, ...] | None:
        """All pages, None where the ledger changed from one to the next."""
        first = self._page(StatementRequest(day, lines=True, scope=scope))
        count = sum(total.count for total in first.totals)
        read = list(first.lines)
        while len(read) < count:
            request = StatementRequest(day, lines=True, scope=scope, skip=len(read))
            page = self._page(request)
            if page.totals != first.totals or not page.lines:
                return None
            read += page.lines
        return tuple(read) if len(read) == count else None

    def _page(self, request: StatementRequest) -> Statement:
        statement = self._calls.ask("/v1/reconciliation/statement", request, Statement)
        same(statement.day, request.day, "/day")
        return statement
