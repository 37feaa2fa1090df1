"""The HSM behind the back office, for a terminal without a PSAM (facts 4.6, appendix A).

Nothing here changes anything but the HSM's transaction counter, and a number that was not used is
none lost; so every call is repeated like a read.
"""

from __future__ import annotations

from backend_client.calls import Calls
from backend_client.hsm_messages import (
    HsmAnswer,
    HsmAuthenticationRequest,
    HsmCommandRequest,
    HsmMacRequest,
    HsmOffer,
    HsmPermit,
    HsmProof,
    HsmProofRequest,
    HsmPurchaseRequest,
    HsmTacRequest,
)
from backend_client.transport import Request


class HsmClient:
    """Asks the HSM. Methods raise what those of `BackendClient` raise."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def offer(self) -> HsmOffer:
        """What it computes with."""
        return self._calls.read(Request("GET", "/v1/hsm"), HsmOffer)

    def authentication(self, request: HsmAuthenticationRequest) -> HsmAnswer:
        """8 bytes of authentication data."""
        return self._calls.ask("/v1/hsm/authentication", request, HsmAnswer)

    def command(self, request: HsmCommandRequest) -> HsmAnswer:
        """The data of a protected command, with its MAC."""
        return self._calls.ask("/v1/hsm/command", request, HsmAnswer)

    def mac(self, request: HsmMacRequest) -> HsmAnswer:
        """A MAC of 4 bytes."""
        return self._calls.ask("/v1/hsm/mac", request, HsmAnswer)

    def purchase(self, request: HsmPurchaseRequest) -> HsmPermit:
        """MAC1 under the HSM's next transaction number."""
        return self._calls.ask("/v1/hsm/purchase", request, HsmPermit)

    def purchase_proof(self, request: HsmProofRequest) -> HsmProof:
        """Whether MAC2 proves the debit."""
        return self._calls.ask("/v1/hsm/purchase/proof", request, HsmProof)

    def tac(self, request: HsmTacRequest) -> HsmProof:
        """Whether a transaction cryptogram is the card's own."""
        return self._calls.ask("/v1/hsm/tac", request, HsmProof)
