"""The life of a card as the terminal asks for it: losses, applications, the electronic card.

Every wish has a `request_id` of its own, under which the back office does it once. So what changes
something is repeated like a read when an answer was lost: the same request under the same id gets
the answer that the first one got. An answer about another request than the one sent is
`BadMessage`.
"""

from __future__ import annotations

from backend_client.calls import Calls, same
from backend_client.life_messages import (
    ApplicationResult,
    CardApplication,
    Catalogue,
    EcardCode,
    EcardCodeRequest,
    EcardRequest,
    EcardResult,
    LifeResult,
    LossRequest,
    ReleaseRequest,
    SignedIn,
    SignInRequest,
    Standing,
    StandingQuery,
)
from backend_client.transport import Request


class LifeClient:
    """Operations on the life of cards. Methods raise what those of `BackendClient` raise."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def standing(self, query: StandingQuery) -> Standing:
        """Where each function of the holder's card stands, and what is under way."""
        return self._calls.ask("/v1/cards/standing", query, Standing)

    def report_loss(self, request: LossRequest) -> LifeResult:
        """临时挂失 or 正式挂失 (Art. 18)."""
        result = self._calls.ask("/v1/losses", request, LifeResult)
        same(result.request_id, request.request_id, "/request_id")
        return result

    def release(self, request: ReleaseRequest) -> LifeResult:
        """解除挂失 (Art. 19)."""
        result = self._calls.ask("/v1/losses/release", request, LifeResult)
        same(result.request_id, request.request_id, "/request_id")
        return result

    def apply(self, request: CardApplication) -> ApplicationResult:
        """补领, 换领 or 重新申领 (Art. 19, 21, 22)."""
        result = self._calls.ask("/v1/applications", request, ApplicationResult)
        same(result.request_id, request.request_id, "/request_id")
        same(result.progress.cause, request.cause, "/progress/cause")
        return result

    def issue_ecard(self, request: EcardRequest) -> EcardResult:
        """An electronic card for the holder of the card in the terminal (Art. 31)."""
        result = self._calls.ask("/v1/ecards", request, EcardResult)
        same(result.request_id, request.request_id, "/request_id")
        return result

    def ecard_code(self, request: EcardCodeRequest) -> EcardCode:
        """A code for the QR picture of the electronic card; each one is new."""
        return self._calls.ask("/v1/ecards/codes", request, EcardCode)

    def sign_in(self, request: SignInRequest) -> SignedIn:
        """Sign in with the electronic card's code and PIN. Sent once: a code is good once."""
        return self._calls.change("/v1/sign-ins", request, SignedIn)

    def catalogue(self) -> Catalogue:
        """Services, service banks and service points (Art. 15)."""
        return self._calls.read(Request("GET", "/v1/catalogue"), Catalogue)
