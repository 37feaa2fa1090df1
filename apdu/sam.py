"""The security module: who proves the card genuine, and the terminal entitled.

`SecureAccessModule` is what the card side asks of a PSAM card, of an HSM behind the network, or
of keys held in software. `SoftwareSam` is the last of these, for development and for the tests.

Randomness belongs to the module. The values of an internal authentication must be the terminal's
own and unpredictable, or a copied card could repeat answers it has heard; a PSAM brings its own
generator, a `SoftwareSam` is given one. External authentication is the reverse: there the card
chooses the challenge.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from apdu.command import Command
from apdu.crypto import (
    Algorithm,
    auth_data,
    card_key,
    mac,
    purchase_session_key,
    secured_command,
    session_key,
)
from apdu.purchase import PurchasePermit, PurchaseRequest
from apdu.ssc.keys import KeyName
from apdu.status import (
    AlgorithmNotSupported,
    KeyNotAvailable,
    MalformedData,
    PurchaseNotProved,
)

__all__ = [
    "DEVELOPMENT_KEYS",
    "DEVELOPMENT_KEY_VERSIONS",
    "NO_TERMINAL_NUMBER",
    "CardIdentity",
    "CompleteModule",
    "KeyName",
    "MessageModule",
    "PurchaseModule",
    "SecureAccessModule",
    "SoftwareSam",
]

NO_TERMINAL_NUMBER = "0" * 12
DEVELOPMENT_TERMINAL_NUMBER = "990100000001"


@dataclass(frozen=True, slots=True)
class CardIdentity:
    """What a module needs to derive a card's own keys: 16 bytes card id, 13 historical bytes.

    Raises `MalformedData` when the lengths are wrong or the region is not six decimal digits.
    """

    algorithm: Algorithm
    card_id: bytes = field(repr=False)
    historical: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.card_id) != 16 or len(self.historical) != 13:
            raise MalformedData("a card id has 16 bytes, a card 13 historical bytes")
        if not self.region.isdecimal():
            raise MalformedData("the card id does not start with a region code")

    @property
    def region(self) -> str:
        """The region code: the six digits that the card id starts with (facts 3.3)."""
        return self.card_id[:3].hex()


class SecureAccessModule(Protocol):
    """The keys' side of authentication.

    Every method that computes raises `AlgorithmNotSupported`, `KeyNotAvailable` or another
    `SecurityModuleError`. `version` is the key version byte, None for the card's default.
    """

    @property
    def terminal_number(self) -> str:
        """The terminal number, 12 digits; twelve zeros without a PSAM (facts 6.2)."""
        ...

    def supports(self, algorithm: Algorithm) -> bool:
        """Whether the module can compute with this algorithm."""
        ...

    def challenge(self, length: int) -> bytes:
        """Unpredictable bytes for the terminal's part of an authentication."""
        ...

    def card_authentication(
        self, card: CardIdentity, factor: bytes, original: bytes, version: int | None = None
    ) -> bytes:
        """The 8 bytes that a genuine card answers to INTERNAL AUTHENTICATE (facts 4.4)."""
        ...

    def terminal_authentication(
        self,
        card: CardIdentity,
        key: KeyName,
        challenge: bytes,
        original: bytes,
        version: int | None = None,
    ) -> bytes:
        """The 16 bytes for EXTERNAL AUTHENTICATE: cryptogram, original data (facts 4.4).

        `challenge` is the card's last GET CHALLENGE, 8 bytes.
        """
        ...


class MessageModule(SecureAccessModule, Protocol):
    """A module that also protects commands to the card (facts 4.4)."""

    def secured_command(
        self,
        card: CardIdentity,
        key: KeyName,
        challenge: bytes,
        header: bytes,
        data: bytes = b"",
        *,
        encipher: bool = False,
    ) -> Command:
        """The command CLA INS P1 P2 (`header`) with its MAC, its data enciphered on request.

        `challenge` is the card's last GET CHALLENGE, 8 bytes; `key` one of the message keys.
        """
        ...

    def message_mac(self, card: CardIdentity, key: KeyName, factor: bytes, data: bytes) -> bytes:
        """The 4-byte MAC over `data` alone, with the session key that `factor` makes of `key`.

        What loads of the medical account are proved with (facts 5.1).
        """
        ...


class PurchaseModule(SecureAccessModule, Protocol):
    """A module that also takes part in purchases from the medical account (facts 5.1)."""

    def permit_purchase(self, card: CardIdentity, request: PurchaseRequest) -> PurchasePermit:
        """MAC1 under the module's next transaction counter, which is used up by this."""
        ...

    def complete_purchase(self, mac2: bytes) -> None:
        """Check the card's proof of the debit permitted last.

        Raises `PurchaseNotProved` when MAC2 is wrong or nothing was permitted. Either way the
        purchase is over for the module.
        """
        ...


class CompleteModule(MessageModule, PurchaseModule, Protocol):
    """A module that does all of it, as a PSAM, an HSM and the software keys do."""


PURCHASE_KEYS: Mapping[int, KeyName] = MappingProxyType(
    {1: KeyName.DPK, 2: KeyName.DPK2, 3: KeyName.DPK3}
)
"""The purchase keys by their version (facts 4.2)."""


def _invented(name: KeyName, version: int = 1) -> bytes:
    label = name.name if version == 1 else f"{name.name} version {version}"
    return hashlib.sha256(f"ssct development key {label}".encode()).digest()[:16]


DEVELOPMENT_KEYS: Mapping[KeyName, bytes] = MappingProxyType(
    {name: _invented(name) for name in KeyName}
)
"""The root keys of simulated cards: public, and made from nothing but the key's name.

16 bytes each; a message key is cut to what a DES card takes (`KeyName.length`).
"""

DEVELOPMENT_KEY_VERSIONS: Mapping[int, Mapping[KeyName, bytes]] = MappingProxyType(
    {
        1: DEVELOPMENT_KEYS,
        **{
            version: MappingProxyType(
                {
                    name: _invented(name, version)
                    for name in KeyName
                    if name.spec.versions >= version
                }
            )
            for version in (2, 3)
        },
    }
)
"""The same by key version, which is the HSM's key group (facts 4.2); most keys have three."""


class SoftwareSam:
    """A security module that holds root keys in memory. Not for production.

    `keys` maps key names to root keys (16 bytes; message keys are cut for DES cards). `random`
    returns the given number of unpredictable bytes. `keys` are version 1; `later_versions` holds
    the root keys of versions 2 and 3 (facts 4.2).
    """

    def __init__(
        self,
        keys: Mapping[KeyName, bytes],
        random: Callable[[int], bytes],
        *,
        terminal_number: str = NO_TERMINAL_NUMBER,
        algorithms: frozenset[Algorithm] = frozenset({Algorithm.DES, Algorithm.SM4}),
        later_versions: Mapping[int, Mapping[KeyName, bytes]] = MappingProxyType({}),
    ) -> None:
        self.terminal_number = terminal_number
        self._keys = {**later_versions, 1: keys}
        self._card: CardIdentity | None = None
        self._card_keys: dict[tuple[KeyName, int], bytes] = {}
        self._random = random
        self._algorithms = algorithms
        self._purchases = 0
        self._expected_mac2 = b""

    @classmethod
    def development(
        cls,
        random: Callable[[int], bytes],
        *,
        terminal_number: str = DEVELOPMENT_TERMINAL_NUMBER,
    ) -> SoftwareSam:
        """The module for simulated cards: it holds the published development keys."""
        return cls(
            DEVELOPMENT_KEYS,
            random,
            terminal_number=terminal_number,
            later_versions=DEVELOPMENT_KEY_VERSIONS,
        )

    def supports(self, algorithm: Algorithm) -> bool:
        """Whether the module was made for this algorithm (never SSF33, which is not public)."""
        return algorithm in self._algorithms and algorithm is not Algorithm.SSF33

    def challenge(self, length: int) -> bytes:
        """`length` bytes of the randomness that was handed in."""
        return self._random(length)

    def card_authentication(
        self, card: CardIdentity, factor: bytes, original: bytes, version: int | None = None
    ) -> bytes:
        """See `SecureAccessModule`."""
        key = self._card_key(card, KeyName.IRK, version)
        return auth_data(card.algorithm, session_key(card.algorithm, key, factor), original)

    def terminal_authentication(
        self,
        card: CardIdentity,
        key: KeyName,
        challenge: bytes,
        original: bytes,
        version: int | None = None,
    ) -> bytes:
        """See `SecureAccessModule`."""
        session = session_key(card.algorithm, self._card_key(card, key, version), challenge)
        return auth_data(card.algorithm, session, original) + original

    def secured_command(
        self,
        card: CardIdentity,
        key: KeyName,
        challenge: bytes,
        header: bytes,
        data: bytes = b"",
        *,
        encipher: bool = False,
    ) -> Command:
        """See `MessageModule`."""
        session = session_key(card.algorithm, self._card_key(card, key, None), challenge)
        return secured_command(card.algorithm, session, header, data, encipher=encipher)

    def message_mac(self, card: CardIdentity, key: KeyName, factor: bytes, data: bytes) -> bytes:
        """See `MessageModule`."""
        session = session_key(card.algorithm, self._card_key(card, key, None), factor)
        return mac(card.algorithm, session, data)

    def permit_purchase(self, card: CardIdentity, request: PurchaseRequest) -> PurchasePermit:
        """See `PurchaseModule`. The counter starts at 1 with every new object."""
        dpk = self._card_key(card, PURCHASE_KEYS[request.key_version], None)
        self._purchases += 1
        sequence = self._purchases.to_bytes(4, "big")
        algorithm, purchase = card.algorithm, request.purchase
        session = purchase_session_key(algorithm, dpk, request.random, request.sequence, sequence)
        self._expected_mac2 = purchase.mac2(algorithm, session)
        return PurchasePermit(sequence, purchase.time, purchase.mac1(algorithm, session))

    def complete_purchase(self, mac2: bytes) -> None:
        """See `PurchaseModule`."""
        expected, self._expected_mac2 = self._expected_mac2, b""
        if not expected or not hmac.compare_digest(expected, mac2):
            raise PurchaseNotProved("MAC2 does not prove the debit that was permitted last")

    def _card_key(self, card: CardIdentity, name: KeyName, version: int | None) -> bytes:
        """The card's own key. Those of the card seen last are kept: deriving takes 15 µs."""
        version = 1 if version is None else version
        if card != self._card:
            self._card, self._card_keys = card, {}
        key = self._card_keys.get((name, version))
        if key is None:
            key = self._card_keys[name, version] = self._derived(card, name, version)
        return key

    def _derived(self, card: CardIdentity, name: KeyName, version: int) -> bytes:
        if not self.supports(card.algorithm):
            raise AlgorithmNotSupported(f"no {card.algorithm.name} in this security module")
        root = self._keys.get(version, {}).get(name)
        if root is None:
            raise KeyNotAvailable(f"no {name.name} version {version} in this security module")
        root = root[: name.length(card.algorithm)]
        return card_key(card.algorithm, root, card.region, card.historical)
