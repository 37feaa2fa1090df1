"""An HSM behind the network as the terminal's security module (facts 4.6).

`RemoteSam` makes a security module of an `HsmService`, which computes by logical key address; with
it a card is used just as with a PSAM. `HsmBasicRead` is the other form, for a caller who carries
the HSM's strings himself: the card keeps its power between two steps.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass, field
from typing import Protocol

from apdu.command import Command
from apdu.crypto import MAC_LENGTH, Algorithm, Factors, block_data, region_factors
from apdu.hsm_text import BasicReadAnswer, BasicReadRequest
from apdu.purchase import PurchasePermit, PurchaseRequest
from apdu.sam import NO_TERMINAL_NUMBER, PURCHASE_KEYS, CardIdentity
from apdu.ssc.basic import BasicData
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.files import file_map
from apdu.ssc.filespec import Rule
from apdu.ssc.keys import KeyName
from apdu.status import (
    AlgorithmNotSupported,
    KeyNotAvailable,
    PurchaseNotProved,
    SamBadAnswer,
)

_HOLDER = ("SSSE", 0xEF06)


@dataclass(frozen=True, slots=True)
class HsmKey:
    """A card's key as an HSM is asked for it.

    `address` is the logical address of the key's group (facts appendix A), `factors` lead from
    the root key there to the card's.
    """

    algorithm: Algorithm
    address: int
    factors: Factors = field(repr=False)


class HsmService(Protocol):
    """What an HSM computes. Every method raises a `SecurityModuleError`.

    `KeyNotAvailable` is for an address that the HSM does not hold, `SamNoAnswer` for one that
    cannot be reached.
    """

    @property
    def algorithms(self) -> Set[Algorithm]:
        """The algorithms it offers; one that has SSF33 serves cards of SSF33."""
        ...

    def authentication_data(self, key: HsmKey, factor: bytes, original: bytes) -> bytes:
        """The 8 bytes of authentication data over `original`, 8 bytes (facts 4.4)."""
        ...

    def protected_data(
        self, key: HsmKey, factor: bytes, header: bytes, data: bytes, *, encipher: bool
    ) -> bytes:
        """The data of a command with its MAC. `header` is CLA INS P1 P2 and the final Lc."""
        ...

    def message_mac(self, key: HsmKey, factor: bytes, data: bytes) -> bytes:
        """The 4-byte MAC over `data` alone."""
        ...

    def permit_purchase(self, key: HsmKey, request: PurchaseRequest) -> PurchasePermit:
        """MAC1 under the HSM's next transaction number."""
        ...

    def purchase_proved(
        self, key: HsmKey, request: PurchaseRequest, permit: PurchasePermit, mac2: bytes
    ) -> bool:
        """Whether MAC2 proves the debit that `permit` allowed."""
        ...


class RemoteSam:
    """A security module over an `HsmService`: authentication, protected commands, purchases.

    `random` gives the terminal's part of the authentications. A terminal without a PSAM has the
    terminal number that the back office gave it, or none.
    """

    def __init__(
        self,
        service: HsmService,
        random: Callable[[int], bytes],
        *,
        terminal_number: str = NO_TERMINAL_NUMBER,
    ) -> None:
        self.terminal_number = terminal_number
        self._service = service
        self._random = random
        self._permitted: tuple[HsmKey, PurchaseRequest, PurchasePermit] | None = None

    def supports(self, algorithm: Algorithm) -> bool:
        """Whether the service offers this algorithm."""
        return algorithm in self._service.algorithms

    def challenge(self, length: int) -> bytes:
        """`length` bytes of the randomness that was handed in."""
        return self._random(length)

    def card_authentication(
        self, card: CardIdentity, factor: bytes, original: bytes, version: int | None = None
    ) -> bytes:
        """See `SecureAccessModule`."""
        key = self._key(card, KeyName.IRK, version)
        return _sized(self._service.authentication_data(key, factor, original), 8)

    def terminal_authentication(
        self,
        card: CardIdentity,
        key: KeyName,
        challenge: bytes,
        original: bytes,
        version: int | None = None,
    ) -> bytes:
        """See `SecureAccessModule`."""
        address = self._key(card, key, version)
        return _sized(self._service.authentication_data(address, challenge, original), 8) + original

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
        length = len(block_data(card.algorithm, data)) if encipher else len(data)
        lc = length + MAC_LENGTH
        protected = self._service.protected_data(
            self._key(card, key, None), challenge, header + bytes((lc,)), data, encipher=encipher
        )
        cla, ins, p1, p2 = header
        return Command(cla, ins, p1, p2, _sized(protected, lc))

    def message_mac(self, card: CardIdentity, key: KeyName, factor: bytes, data: bytes) -> bytes:
        """See `MessageModule`."""
        return _sized(self._service.message_mac(self._key(card, key, None), factor, data), 4)

    def permit_purchase(self, card: CardIdentity, request: PurchaseRequest) -> PurchasePermit:
        """See `PurchaseModule`."""
        self._permitted = None
        key = self._key(card, PURCHASE_KEYS[request.key_version], None)
        permit = self._service.permit_purchase(key, request)
        if (len(permit.sequence), len(permit.time), len(permit.mac1)) != (4, 7, 4):
            raise SamBadAnswer("HSM: a purchase permit of a wrong form")
        self._permitted = key, request, permit
        return permit

    def complete_purchase(self, mac2: bytes) -> None:
        """See `PurchaseModule`."""
        permitted, self._permitted = self._permitted, None
        if permitted is None:
            raise PurchaseNotProved("HSM: no purchase was permitted")
        if not self._service.purchase_proved(*permitted, mac2):
            raise PurchaseNotProved("HSM: MAC2 does not prove the debit")

    def _key(self, card: CardIdentity, name: KeyName, version: int | None) -> HsmKey:
        if not self.supports(card.algorithm):
            raise AlgorithmNotSupported(f"the HSM offers no {card.algorithm.name}")
        address, group = name.spec.hsm, 1 if version is None else version
        if address is None or not 1 <= group <= name.spec.versions:
            raise KeyNotAvailable(f"an HSM has no address for {name.name} version {group}")
        factors = region_factors(card.region, card.historical)
        return HsmKey(card.algorithm, address + group - 1, factors)


class HsmBasicRead:
    """The basic read in two steps, with an HSM that somebody else asks in between.

    Step 1 is `begin`, which leaves what the HSM must be asked in `request`. Step 2 is `finish`
    with the HSM's answer. Between them the card keeps its power, and nobody may ask it for a
    challenge: the one in the request is good for one use.
    """

    def __init__(
        self, card: SocialSecurityCard, request: BasicReadRequest, card_answer: bytes
    ) -> None:
        self.card = card
        self.request = request
        self._card_answer = card_answer

    @classmethod
    def begin(
        cls,
        card: SocialSecurityCard,
        challenges: Callable[[int], bytes],
        *,
        terminal: str = "",
        whole_atr: bool = False,
    ) -> HsmBasicRead:
        """Step 1: the card answers an internal authentication.

        A 3.0 card also gives its challenge for the external one that opens its holder's data.
        `challenges` gives the terminal's values. Own randomness is safer; the national
        interface takes them from the card itself, which is `card.channel.get_challenge`.
        `terminal` and `whole_atr` are described at `BasicReadRequest`.
        """
        card.enter("SSSE")
        original, factor = challenges(8), challenges(8)
        answer = card.ask_authentication(factor, original)
        external_original = external_factor = b""
        if file_map(card.version)[_HOLDER].read.rule is Rule.KEY:
            external_original = challenges(8)
            external_factor = card.channel.get_challenge(8)
        request = BasicReadRequest(
            card.algorithm,
            card.card_id,
            card.channel.atr if whole_atr else card.historical,
            factor,
            original,
            external_factor,
            external_original,
            terminal,
        )
        return cls(card, request, answer)

    def confirm(self, answer: BasicReadAnswer) -> None:
        """Compare the card's answer with the HSM's, and present the HSM's proof to the card.

        Raises `NotAuthentic`, `KeyRefused`, or `SamBadAnswer` when the answer belongs to another
        request.
        """
        request = self.request
        if answer.internal[8:] != request.internal_original:
            raise SamBadAnswer("HSM: the answer belongs to another request")
        if answer.external[8:] != request.external_original:
            raise SamBadAnswer("HSM: the answer lacks the external authentication")
        self.card.accept_authentication(self._card_answer, answer.internal[:8])
        if answer.external:
            self.card.present_key(KeyName.RKSSSE, answer.external)

    def finish(self, answer: BasicReadAnswer) -> BasicData:
        """`confirm`, and read who issued the card and whose it is."""
        self.confirm(answer)
        return self.card.read_holder()


def _sized(data: bytes, length: int) -> bytes:
    if len(data) != length:
        raise SamBadAnswer(f"HSM: an answer of {len(data)} bytes")
    return data
