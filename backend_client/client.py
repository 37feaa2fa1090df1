"""The back office as the terminal sees it: one method an operation.

Reads are repeated a few times. What changes something (`activate`, `confirm`,
`reverse`, `enrol`) is sent exactly once: the journal decides what happens after an unknown outcome.
An answer about another card, number or bill than the one asked about is `BadMessage`. Card and
operation travel in bodies, never in URLs.
"""

from __future__ import annotations

from backend_client.calls import Calls, same
from backend_client.certificates import CertificateClient
from backend_client.hsm import HsmClient
from backend_client.life import LifeClient
from backend_client.list_client import ListClient
from backend_client.messages import (
    AccountOverview,
    ActivationRequest,
    ActivationResult,
    BillList,
    CardRef,
    CardStatus,
    ConfirmRequest,
    Enrolment,
    EnrolmentRequest,
    OperationQuery,
    OperationState,
    Reversal,
    ReversalRequest,
    ServerTime,
    Settlement,
    Trial,
    TrialRequest,
)
from backend_client.money import MoneyClient
from backend_client.transit_client import TransitClient
from backend_client.transport import Request


class BackendClient:
    """Calls the back office over a transport. Safe to share between threads.

    `life` holds what there is about losses, applications and the electronic card, `lists` about the
    blacklist, `money` about money beyond trial and confirm, `certificates` about the terminal's own
    certificate, `hsm` the keys of a terminal without a PSAM, `transit` what a gate hands in.
    `now` gives timezone-aware instants, `sleep` takes seconds, `random(n)` gives n random bytes.
    Every method raises `Unreachable`, `NoReply`, `Refused`, `NotEnrolled` or `BadMessage`, and
    `BadRequest`, before anything is sent, for a message that breaks the contract.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.life = LifeClient(calls)
        self.lists = ListClient(calls)
        self.money = MoneyClient(calls)
        self.certificates = CertificateClient(calls)
        self.hsm = HsmClient(calls)
        self.transit = TransitClient(calls)

    @property
    def calls(self) -> Calls:
        """What its operations are sent with, for channels that speak another language."""
        return self._calls

    def with_token(self, token: str) -> BackendClient:
        """The same client for an enrolled terminal."""
        return BackendClient(self._calls.with_token(token))

    def enrol(self, request: EnrolmentRequest) -> Enrolment:
        """Turn a one-time code into an identity. Needs no token; sent once."""
        return self._calls.change("/v1/terminals", request, Enrolment, authorised=False)

    def server_time(self) -> ServerTime:
        """The back office's clock. Needs no token."""
        return self._calls.read(Request("GET", "/v1/time"), ServerTime, authorised=False)

    def card_status(self, card: CardRef) -> CardStatus:
        """The card's life now."""
        status = self._calls.ask("/v1/cards/status", card, CardStatus)
        same(status.card, card, "/card")
        return status

    def account(self, card: CardRef) -> AccountOverview:
        """Insurances, balances and contributions of the card's holder."""
        overview = self._calls.ask("/v1/cards/account", card, AccountOverview)
        same(overview.card, card, "/card")
        return overview

    def bills(self, card: CardRef) -> BillList:
        """The card's open bills."""
        found = self._calls.ask("/v1/bills/search", card, BillList)
        same(found.card, card, "/card")
        return found

    def trial(self, request: TrialRequest) -> Trial:
        """预结算: who would pay what. Books nothing, so it is repeated like a read."""
        trial = self._calls.ask("/v1/settlements/trial", request, Trial, key=request.number)
        same(trial.number, request.number, "/number")
        same(trial.bill_id, request.bill_id, "/bill_id")
        same(trial.split.total_fen, request.total_fen, "/split/total_fen")
        told = trial.provisional.number if trial.provisional is not None else None
        same(told, request.provisional_number, "/provisional/number")
        return trial

    def activate(self, request: ActivationRequest) -> ActivationResult:
        """开通 (Art. 12). Sent once."""
        result = self._calls.change(
            "/v1/activations", request, ActivationResult, key=request.number
        )
        same(result.number, request.number, "/number")
        same(result.status.card, request.card, "/status/card")
        return result

    def confirm(self, request: ConfirmRequest) -> Settlement:
        """结算. Sent once; only a refusal or a matching settlement is a known outcome."""
        settlement = self._calls.change("/v1/settlements", request, Settlement, key=request.number)
        same(settlement.number, request.number, "/number")
        same(settlement.bill_id, request.bill_id, "/bill_id")
        same(settlement.split, request.split, "/split")
        same(settlement.provisional_number, request.provisional_number, "/provisional_number")
        return settlement

    def query(self, number: str) -> OperationState:
        """What became of an operation."""
        state = self._calls.ask("/v1/operations/query", OperationQuery(number), OperationState)
        same(state.number, number, "/number")
        if state.settlement is not None:
            same(state.settlement.number, number, "/settlement/number")
        if state.activation is not None:
            same(state.activation.number, number, "/activation/number")
        return state

    def reverse(self, number: str) -> Reversal:
        """冲正. Sent once a call; calling again is harmless."""
        request = ReversalRequest(number)
        reversal = self._calls.change("/v1/operations/reverse", request, Reversal, key=number)
        same(reversal.number, number, "/number")
        return reversal
