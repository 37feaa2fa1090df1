"""The routes about money beyond bills, trial and confirm, and those of the national interface."""

from __future__ import annotations

from collections.abc import Mapping

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
    DebitUpload,
    MoneyRecords,
    MoneyState,
    ProvisionalUpload,
    Statement,
    StatementRequest,
    UploadReceipt,
)
from backend_client.national.envelope import PATH
from backend_client.national.transactions import TRANSACTIONS
from simulator.backoffice.backoffice import BackOffice
from simulator.backoffice.money_desk import MoneyDesk
from simulator.backoffice.national.gateway import Gateway, largest
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.routes import NUMBERED, UNUSABLE, Route, Who, by_terminal
from simulator.backoffice.terminals import Task

_UPLOADED = frozenset({Refusal.CARD_UNKNOWN, Refusal.NUMBER_FOREIGN, Refusal.UPLOAD_DIFFERS})
_PAYING = frozenset(
    {
        Refusal.CONTRIBUTION_UNKNOWN,
        Refusal.CONTRIBUTION_PAID,
        Refusal.CONTRIBUTION_CHANGED,
        Refusal.BANK_FUNCTION_CLOSED,
    }
)
_RECEIVING = frozenset(
    {Refusal.BENEFIT_UNKNOWN, Refusal.BENEFIT_CONFIRMED, Refusal.BENEFIT_CHANGED}
)


def money_routes(desk: MoneyDesk) -> Mapping[str, Route]:
    """Path -> route."""
    return {
        "/v1/settlements/cancel": by_terminal(
            CancelRequest,
            Cancellation,
            desk.cancel,
            task=Task.SETTLEMENT,
            summary="结算撤销 Take back a whole settlement",
            refuses=NUMBERED
            | UNUSABLE
            | {Refusal.SETTLEMENT_UNKNOWN, Refusal.SETTLEMENT_CANCELLED},
        ),
        "/v1/contributions/search": by_terminal(
            CardRef,
            ContributionBills,
            desk.due_contributions,
            task=Task.CONTRIBUTIONS,
            summary="The contributions that the holder has not paid",
            refuses=UNUSABLE,
        ),
        "/v1/contributions": by_terminal(
            ContributionRequest,
            ContributionPayment,
            desk.pay_contribution,
            task=Task.CONTRIBUTIONS,
            summary="缴费 Pay a contribution (Article 5)",
            refuses=NUMBERED | UNUSABLE | _PAYING,
        ),
        "/v1/benefits/search": by_terminal(
            CardRef,
            BenefitList,
            desk.benefits,
            task=Task.BENEFITS,
            summary="The benefits paid to the holder",
            refuses=UNUSABLE,
        ),
        "/v1/benefits/confirm": by_terminal(
            BenefitConfirmation,
            BenefitReceipt,
            desk.confirm_benefit,
            task=Task.BENEFITS,
            summary="待遇领取确认 Confirm the receipt of a benefit (Article 5)",
            refuses=NUMBERED | UNUSABLE | _RECEIVING,
        ),
        "/v1/records/search": by_terminal(
            CardRef,
            MoneyRecords,
            desk.records,
            task=Task.ACCOUNT,
            summary="What was settled and debited for the holder",
            refuses=UNUSABLE,
        ),
        "/v1/money/query": by_terminal(
            OperationQuery,
            MoneyState,
            desk.query,
            task=None,
            summary="What became of a cancellation, a payment or a confirmation",
            refuses={Refusal.NUMBER_FOREIGN},
        ),
        "/v1/debits": by_terminal(
            DebitUpload,
            UploadReceipt,
            desk.upload_debit,
            task=Task.SETTLEMENT,
            summary="A debit of the account on a card, with its TAC",
            refuses=_UPLOADED | {Refusal.DEBIT_UPLOADED_BEFORE},
        ),
        "/v1/visits/provisional": by_terminal(
            ProvisionalUpload,
            UploadReceipt,
            desk.upload_provisional,
            task=Task.SETTLEMENT,
            summary="A visit that was registered offline",
            refuses=_UPLOADED,
        ),
        "/v1/reconciliation/statement": by_terminal(
            StatementRequest,
            Statement,
            desk.statement,
            task=Task.SETTLEMENT,
            summary="对账 What is booked for the terminal, or for its institution, on one day",
        ),
    }


def national_routes(backoffice: BackOffice) -> Mapping[str, Route]:
    """One route a transaction; body and answer are the national envelope, no message of ours."""
    gateway = Gateway(backoffice.national, backoffice.now)
    return {
        path: Route(
            "POST",
            Who.TERMINAL,
            answer,
            f"{TRANSACTIONS[path.removeprefix(PATH)].name} (national interface)",
            task=Task.SETTLEMENT,
            largest=largest(path.removeprefix(PATH)),
        )
        for path, answer in gateway.routes().items()
    }
