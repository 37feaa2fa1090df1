"""The HSM behind the back office: what terminals without a PSAM may have computed (facts 4.6, A).

Each kind of question is answered with the keys that are for it, and no others: nobody gets a
transaction cryptogram made, a MAC under a purchase key, or money loaded onto a card. The HSM's
transaction counter is kept in the database, so no number is used twice. In the field a real HSM
takes the place of the software one, which holds the published development keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hmac import compare_digest
from typing import TypeVar, get_args

from apdu.crypto import Algorithm, Factors, Purchase
from apdu.hsm import HsmKey
from apdu.purchase import PurchasePermit, PurchaseRequest
from apdu.sam import PURCHASE_KEYS, CardIdentity
from apdu.ssc.keys import KeyName
from apdu.status import AlgorithmNotSupported, CardError, KeyNotAvailable
from apdu.tac import SoftwareTacModule, TacModule
from backend_client.hsm_messages import (
    CardAlgorithm,
    HsmAnswer,
    HsmAuthenticationRequest,
    HsmCommandRequest,
    HsmKeyRef,
    HsmMacRequest,
    HsmOffer,
    HsmPermit,
    HsmProof,
    HsmProofRequest,
    HsmPurchaseRequest,
    HsmTacRequest,
)
from simulator.backoffice.database import Database
from simulator.backoffice.errors import Refused
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.schema import Meta
from simulator.hsm import SoftwareHsm

R = TypeVar("R")

_COUNTER = "hsm_purchases"
_PURCHASE = frozenset(PURCHASE_KEYS.values())
_MESSAGE = frozenset(name for name in KeyName if name.spec.short)
_AUTHENTICATION = frozenset(KeyName) - _MESSAGE - _PURCHASE - {KeyName.DLK, KeyName.DTK}
_ALGORITHMS: Mapping[CardAlgorithm, Algorithm] = {
    name: Algorithm[name.upper()] for name in get_args(CardAlgorithm)
}
_NAMES: Mapping[Algorithm, CardAlgorithm] = {value: name for name, value in _ALGORITHMS.items()}


class HsmDesk:
    """What terminals may ask the HSM. Every method raises `Refused`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._hsm = SoftwareHsm(counter=self._next_purchase)
        self._tac: TacModule = SoftwareTacModule.development()

    def offer(self) -> HsmOffer:
        """The algorithms it computes with."""
        offered = sorted(self._hsm.algorithms)
        return HsmOffer(tuple(_NAMES[algorithm] for algorithm in offered))

    def authentication(self, request: HsmAuthenticationRequest) -> HsmAnswer:
        """Authentication data, with a key that authenticates."""
        key = _key(request.key, _AUTHENTICATION)
        return HsmAnswer(
            _done(lambda: self._hsm.authentication_data(key, request.factor, request.original))
        )

    def command(self, request: HsmCommandRequest) -> HsmAnswer:
        """A protected command, with a message key."""
        key = _key(request.key, _MESSAGE)
        return HsmAnswer(
            _done(
                lambda: self._hsm.protected_data(
                    key, request.factor, request.header, request.data, encipher=request.encipher
                )
            )
        )

    def mac(self, request: HsmMacRequest) -> HsmAnswer:
        """A MAC alone, with a message key."""
        key = _key(request.key, _MESSAGE)
        return HsmAnswer(_done(lambda: self._hsm.message_mac(key, request.factor, request.data)))

    def purchase(self, request: HsmPurchaseRequest) -> HsmPermit:
        """MAC1, with the purchase key of the version that the card named."""
        key, purchase = _purchase(request)
        permit = _done(lambda: self._hsm.permit_purchase(key, purchase))
        return HsmPermit(permit.sequence, permit.time, permit.mac1)

    def purchase_proof(self, request: HsmProofRequest) -> HsmProof:
        """Whether MAC2 proves the debit."""
        key, purchase = _purchase(request.purchase)
        permit = PurchasePermit(request.permit.sequence, request.permit.time, request.permit.mac1)
        proved = _done(lambda: self._hsm.purchase_proved(key, purchase, permit, request.mac2))
        return HsmProof(proved)

    def tac(self, request: HsmTacRequest) -> HsmProof:
        """Whether a transaction cryptogram is the card's own."""

        def computed() -> bytes:
            algorithm = _ALGORITHMS[request.algorithm]
            card = CardIdentity(algorithm, bytes.fromhex(request.card_id), request.historical)
            return self._tac.transaction_cryptogram(card, request.data)

        return HsmProof(compare_digest(_done(computed), request.tac))

    def _next_purchase(self) -> int:
        """The next transaction number, durable before it is used."""
        with self._database.transaction() as session:
            row = session.get(Meta, _COUNTER)
            if row is None:
                row = Meta(name=_COUNTER, value=b"0")
                session.add(row)
            number = int(row.value) + 1
            row.value = str(number).encode()
            return number


def _key(asked: HsmKeyRef, allowed: frozenset[KeyName]) -> HsmKey:
    """The key at an address, if it is for this kind of question. Raises `Refused`."""
    groups = range(asked.address - 2, asked.address + 1)
    if not any(
        name.spec.hsm in groups and asked.address < (name.spec.hsm or 0) + name.spec.versions
        for name in allowed
    ):
        raise Refused(Refusal.HSM_KEY_NOT_AVAILABLE)
    factors = asked.factors
    return HsmKey(
        _ALGORITHMS[asked.algorithm],
        asked.address,
        Factors(factors[:8], factors[8:16], factors[16:]),
    )


def _purchase(request: HsmPurchaseRequest) -> tuple[HsmKey, PurchaseRequest]:
    purchase = Purchase(
        request.account_fen,
        request.self_pay_fen,
        request.fund_fen,
        request.terminal,
        request.time,
        request.kind,
    )
    key = _key(request.key, frozenset({PURCHASE_KEYS[request.key_version]}))
    return key, PurchaseRequest(purchase, request.random, request.sequence, request.key_version)


def _done(compute: Callable[[], R]) -> R:
    """What the HSM computes. Raises `Refused` for what it cannot."""
    try:
        return compute()
    except KeyNotAvailable:
        raise Refused(Refusal.HSM_KEY_NOT_AVAILABLE) from None
    except AlgorithmNotSupported:
        raise Refused(Refusal.HSM_ALGORITHM_NOT_SUPPORTED) from None
    except (CardError, ValueError) as error:
        raise Refused(Refusal.BAD_REQUEST, detail=f"HSM: {type(error).__name__}") from None
