"""A software HSM: it answers by logical key address (facts 4.6, appendix A).

It holds the development root keys, so it serves the simulated cards. Besides the calls of
`apdu.hsm.HsmService` it takes the strings of the national interface.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import replace
from hmac import compare_digest
from itertools import count

from apdu.crypto import (
    Algorithm,
    Factors,
    auth_data,
    command_mac,
    diversify,
    encrypt_data,
    mac,
    purchase_session_key,
    region_factors,
    session_key,
)
from apdu.hsm import HsmKey
from apdu.hsm_text import (
    AuthenticationRequest,
    BasicReadAnswer,
    BasicReadRequest,
    DebitRequest,
    MessageRequest,
    permit_text,
)
from apdu.pin import Pin
from apdu.purchase import PurchasePermit, PurchaseRequest
from apdu.sam import DEVELOPMENT_KEY_VERSIONS, DEVELOPMENT_KEYS, CardIdentity
from apdu.ssc.keys import KeyName
from apdu.status import AlgorithmNotSupported, KeyNotAvailable


class SoftwareHsm:
    """An HSM with root keys in memory; implements `apdu.hsm.HsmService`.

    `roots` are the first group of every key, `later_versions` the groups 02 and 03. SM4 computes
    in the place of SSF33, as in the simulated card. `time`, 7 bytes BCD, is what it puts into
    purchases; left out, the terminal's stays. `counter` gives the next transaction number; without
    one they begin at 1 with every object.
    """

    def __init__(
        self,
        roots: Mapping[KeyName, bytes] = DEVELOPMENT_KEYS,
        *,
        later_versions: Mapping[int, Mapping[KeyName, bytes]] = DEVELOPMENT_KEY_VERSIONS,
        algorithms: Set[Algorithm] = frozenset({Algorithm.DES, Algorithm.SM4}),
        time: bytes | None = None,
        counter: Callable[[], int] | None = None,
    ) -> None:
        self._algorithms = frozenset(algorithms)
        versions = {**later_versions, 1: roots}
        self._roots = {
            name.spec.hsm + version - 1: (name, root)
            for version, names in versions.items()
            for name, root in names.items()
            if name.spec.hsm is not None
        }
        self._time = time
        self._next_purchase = counter or count(1).__next__

    @property
    def algorithms(self) -> Set[Algorithm]:
        """See `HsmService`."""
        return self._algorithms

    def authentication_data(self, key: HsmKey, factor: bytes, original: bytes) -> bytes:
        """See `HsmService`."""
        engine, session = self._session(key, factor)
        return auth_data(engine, session, original)

    def protected_data(
        self, key: HsmKey, factor: bytes, header: bytes, data: bytes, *, encipher: bool
    ) -> bytes:
        """See `HsmService`."""
        engine, session = self._session(key, factor)
        if encipher:
            data = encrypt_data(engine, session, data)
        return data + command_mac(engine, session, header[:4], data)

    def message_mac(self, key: HsmKey, factor: bytes, data: bytes) -> bytes:
        """See `HsmService`."""
        engine, session = self._session(key, factor)
        return mac(engine, session, data)

    def permit_purchase(self, key: HsmKey, request: PurchaseRequest) -> PurchasePermit:
        """See `HsmService`."""
        sequence = self._next_purchase().to_bytes(4, "big")
        engine, session = self._purchase_session(key, request, sequence)
        purchase = replace(request.purchase, time=self._time or request.purchase.time)
        return PurchasePermit(sequence, purchase.time, purchase.mac1(engine, session))

    def purchase_proved(
        self, key: HsmKey, request: PurchaseRequest, permit: PurchasePermit, mac2: bytes
    ) -> bool:
        """See `HsmService`."""
        engine, session = self._purchase_session(key, request, permit.sequence)
        return compare_digest(request.purchase.mac2(engine, session), mac2)

    # The strings of the national interface

    def basic_read(self, text: str) -> str:
        """The answer to step 1 of a basic read. Raises `MalformedData`."""
        request = BasicReadRequest.parse(text)
        card = request.identity
        internal = self._proof(
            card, KeyName.IRK, request.internal_factor, request.internal_original
        )
        external = b""
        if request.external_factor:
            external = self._proof(
                card, KeyName.RKSSSE, request.external_factor, request.external_original
            )
        return str(BasicReadAnswer(internal, external))

    def authentication(self, text: str, card: CardIdentity) -> str:
        """The answer to an `AuthenticationRequest` about `card`. Raises `MalformedData`."""
        request = AuthenticationRequest.parse(text)
        key = HsmKey(request.algorithm, request.address, _factors(card))
        data = self.authentication_data(key, request.factor, request.original)
        return (data + request.original).hex().upper()

    def message(self, text: str, card: CardIdentity) -> str:
        """The answer to a `MessageRequest` about `card`: the whole command."""
        request = MessageRequest.parse(text)
        key = HsmKey(request.algorithm, request.address, _factors(card))
        plain = b""
        if request.pin:
            with Pin(request.pin) as pin:
                plain = pin.packed()
        data = self.protected_data(
            key, request.factor, request.header, plain, encipher=bool(request.pin)
        )
        return (request.header + data).hex().upper()

    def debit(self, text: str, card: CardIdentity) -> str:
        """The answer to a `DebitRequest` about `card`: MAC1. Raises `MalformedData`."""
        question = DebitRequest.parse(text)
        key = HsmKey(question.algorithm, question.address, _factors(card))
        return permit_text(self.permit_purchase(key, question.request))

    def _proof(self, card: CardIdentity, name: KeyName, factor: bytes, original: bytes) -> bytes:
        key = HsmKey(card.algorithm, name.spec.hsm or 0, _factors(card))
        return self.authentication_data(key, factor, original) + original

    def _purchase_session(
        self, key: HsmKey, request: PurchaseRequest, sequence: bytes
    ) -> tuple[Algorithm, bytes]:
        engine, dpk = self._card_key(key)
        random = request.random
        return engine, purchase_session_key(engine, dpk, random, request.sequence, sequence)

    def _session(self, key: HsmKey, factor: bytes) -> tuple[Algorithm, bytes]:
        engine, card_key = self._card_key(key)
        return engine, session_key(engine, card_key, factor)

    def _card_key(self, key: HsmKey) -> tuple[Algorithm, bytes]:
        if key.algorithm not in self._algorithms:
            raise AlgorithmNotSupported(f"the HSM offers no {key.algorithm.name}")
        if key.address not in self._roots:
            raise KeyNotAvailable(f"the HSM has no key at {key.address:04X}")
        engine = Algorithm.SM4 if key.algorithm is Algorithm.SSF33 else key.algorithm
        name, root = self._roots[key.address]
        value = root[: name.length(engine)]
        for factor in (key.factors.level1, key.factors.level2, key.factors.level3):
            value = diversify(engine, value, factor)
        return engine, value


def _factors(card: CardIdentity) -> Factors:
    return region_factors(card.region, card.historical)
