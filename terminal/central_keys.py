"""The HSM behind the back office as the terminal's keys, where it has no PSAM (facts 4.6).

`CentralHsm` gives `apdu.hsm.RemoteSam` what it needs, over the back office client. It is made
before the terminal is open, and connected to it then.
"""

from __future__ import annotations

from collections.abc import Callable, Set

from apdu.crypto import Algorithm
from apdu.hsm import HsmKey
from apdu.purchase import PurchasePermit, PurchaseRequest
from apdu.sam import NO_TERMINAL_NUMBER, CardIdentity
from apdu.status import AlgorithmNotSupported, KeyNotAvailable, SamBadAnswer, SamNoAnswer
from backend_client.errors import BackendError, BadMessage, Refused
from backend_client.hsm import HsmClient
from backend_client.hsm_messages import (
    CardAlgorithm,
    HsmAuthenticationRequest,
    HsmCommandRequest,
    HsmKeyRef,
    HsmMacRequest,
    HsmPermit,
    HsmProofRequest,
    HsmPurchaseRequest,
    HsmTacRequest,
)
from backend_client.messages import Enrolment

_NAMES: dict[Algorithm, CardAlgorithm] = {
    Algorithm.DES: "des",
    Algorithm.SSF33: "ssf33",
    Algorithm.SM4: "sm4",
}
_REFUSED = {
    "HSM_KEY_NOT_AVAILABLE": KeyNotAvailable,
    "HSM_ALGORITHM_NOT_SUPPORTED": AlgorithmNotSupported,
}


def terminal_number(enrolment: Enrolment | None) -> str:
    """12 digits for a terminal without a PSAM: the region, and its number at the back office.

    Twelve zeros before it is enrolled, or where the back office numbers otherwise (facts 6.2).
    """
    if enrolment is None:
        return NO_TERMINAL_NUMBER
    region, serial = enrolment.institution[:6], enrolment.terminal_id.removeprefix("T")
    known = f"{region}{serial:0>6}"
    return known if known.isascii() and known.isdigit() and len(known) == 12 else NO_TERMINAL_NUMBER


class CentralHsm:
    """An `apdu.hsm.HsmService` and `apdu.tac.TacModule`-like check over the back office client.

    Every method raises `SamNoAnswer` when the back office cannot be reached, says no, or before
    `connect`; `KeyNotAvailable`, `AlgorithmNotSupported` or `SamBadAnswer` as they say.
    """

    def __init__(self) -> None:
        self._client: Callable[[], HsmClient] | None = None
        self._algorithms: frozenset[Algorithm] | None = None

    def connect(self, client: Callable[[], HsmClient]) -> None:
        """Ask over the client that `client` gives from now on."""
        self._client = client

    @property
    def algorithms(self) -> Set[Algorithm]:
        """See `HsmService`; asked once."""
        if self._algorithms is None:
            with _Translated():
                offered = self._asked().offer().algorithms
            known = {name: algorithm for algorithm, name in _NAMES.items()}
            self._algorithms = frozenset(known[name] for name in offered)
        return self._algorithms

    def authentication_data(self, key: HsmKey, factor: bytes, original: bytes) -> bytes:
        """See `HsmService`."""
        with _Translated():
            request = HsmAuthenticationRequest(_reference(key), factor, original)
            return self._asked().authentication(request).data

    def protected_data(
        self, key: HsmKey, factor: bytes, header: bytes, data: bytes, *, encipher: bool
    ) -> bytes:
        """See `HsmService`."""
        with _Translated():
            request = HsmCommandRequest(_reference(key), factor, header, data, encipher)
            return self._asked().command(request).data

    def message_mac(self, key: HsmKey, factor: bytes, data: bytes) -> bytes:
        """See `HsmService`."""
        with _Translated():
            return self._asked().mac(HsmMacRequest(_reference(key), factor, data)).data

    def permit_purchase(self, key: HsmKey, request: PurchaseRequest) -> PurchasePermit:
        """See `HsmService`."""
        with _Translated():
            permit = self._asked().purchase(_purchase(key, request))
        return PurchasePermit(permit.sequence, permit.time, permit.mac1)

    def purchase_proved(
        self, key: HsmKey, request: PurchaseRequest, permit: PurchasePermit, mac2: bytes
    ) -> bool:
        """See `HsmService`."""
        given = HsmPermit(permit.sequence, permit.time, permit.mac1)
        with _Translated():
            asked = HsmProofRequest(_purchase(key, request), given, mac2)
            return self._asked().purchase_proof(asked).genuine

    def tac_genuine(self, card: CardIdentity, data: bytes, cryptogram: bytes) -> bool:
        """Whether `cryptogram` (4 bytes) is the card's TAC over `data`."""
        with _Translated():
            request = HsmTacRequest(
                _NAMES[card.algorithm], card.card_id.hex(), card.historical, data, cryptogram
            )
            return self._asked().tac(request).genuine

    def _asked(self) -> HsmClient:
        if self._client is None:
            raise SamNoAnswer("HSM: the terminal is not connected to its back office")
        return self._client()


class _Translated:
    """Turns what goes wrong at the back office into the errors of a security module."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Refused):
            told = _REFUSED.get(error.problem.code, SamNoAnswer)
            raise told(f"HSM: {error.problem.code}") from error
        if isinstance(error, BadMessage):
            raise SamBadAnswer(f"HSM: {error.code}") from error
        if isinstance(error, BackendError):
            raise SamNoAnswer(f"HSM: {error.code}") from error


def _reference(key: HsmKey) -> HsmKeyRef:
    factors = key.factors.level1 + key.factors.level2 + key.factors.level3
    return HsmKeyRef(_NAMES[key.algorithm], key.address, factors)


def _purchase(key: HsmKey, request: PurchaseRequest) -> HsmPurchaseRequest:
    purchase = request.purchase
    return HsmPurchaseRequest(
        _reference(key),
        purchase.account,
        purchase.self_pay,
        purchase.fund,
        purchase.terminal,
        purchase.time,
        purchase.kind,
        request.random,
        request.sequence,
        request.key_version,
    )
