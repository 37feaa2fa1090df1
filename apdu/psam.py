"""The PSAM card in a second slot as the terminal's security module (facts 4.5).

A PSAM holds keys of one level of the key tree (national, provincial or city) and derives a card's
keys itself. Which level a key is of is not written anywhere: it is found by trying, once a key.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from apdu.command import Command
from apdu.connection import Connection, Reader
from apdu.crypto import MAC_LENGTH, Algorithm, block_data, fold
from apdu.psam_channel import PsamChannel, checked
from apdu.psam_keys import (
    LEVELS,
    VALIDITY_LENGTH,
    KeyLevel,
    KeyValidity,
    card_factors,
    key_level,
    use_bytes,
)
from apdu.purchase import PurchasePermit, PurchaseRequest
from apdu.sam import CardIdentity
from apdu.ssc.keys import KeyName
from apdu.status import (
    AlgorithmNotSupported,
    KeyNotAvailable,
    NoAnswer,
    NoCard,
    PurchaseNotProved,
    SamAbsent,
    SamBadAnswer,
    SamKeyLevel,
    SamNoAnswer,
    SamStatus,
    StatusWord,
    tries_left,
)


@dataclass(frozen=True, slots=True)
class PsamInfo:
    """The public file 0015: issuer 1, serial number 20 digits, version 1, type 1."""

    issuer: int
    serial: str
    version: int
    kind: int


class PsamCard:
    """A security module over a PSAM: authentication, protected commands, purchases.

    `connection` is a connection to the PSAM as its reader gives it; the usual layers are stacked
    on it here. `open` makes one where there is a reader.

    Every method may raise `SamRemoved`, `SamNoAnswer`, `SamBadAnswer` or `SamStatus`; those that
    compute also `AlgorithmNotSupported`, `KeyNotAvailable` (no such key) and `SamKeyLevel` (none
    of a level that fits). After `SamRemoved` the object is of use again only when its connection
    powers a PSAM anew by itself; then `forget` comes before.
    """

    def __init__(self, connection: Connection) -> None:
        self._channel = PsamChannel(connection)
        self.forget()

    def forget(self) -> None:
        """Know nothing of the PSAM any more, since another may be in its place."""
        self._channel.forget()
        self._supported: dict[Algorithm, bool] = {}
        self._uses: dict[tuple[Algorithm, KeyName, bool], int] = {}
        self._purchase_levels: dict[tuple[Algorithm, int], int] = {}
        self._validities: dict[tuple[Algorithm, KeyLevel], KeyValidity] = {}
        self._terminal_number = ""

    @classmethod
    def open(cls, reader: Reader) -> PsamCard:
        """The PSAM in this slot, held exclusively.

        Raises `SamAbsent`, `SamNoAnswer` or `ReaderError`.
        """
        try:
            return cls(reader.connect(exclusive=True))
        except NoCard as error:
            raise SamAbsent("there is no PSAM in its slot") from error
        except NoAnswer as error:
            raise SamNoAnswer("the PSAM does not answer to reset") from error

    def close(self) -> None:
        """Power the PSAM off and give its slot back."""
        self._channel.close()

    # Public files

    @property
    def terminal_number(self) -> str:
        """The terminal number: 12 digits from the public file 0016, read once."""
        if not self._terminal_number:
            self._terminal_number = _digits(self._channel.public_file(0x0016, 6))
        return self._terminal_number

    def info(self) -> PsamInfo:
        """Who issued the PSAM, and its serial number: the public file 0015."""
        raw = self._channel.public_file(0x0015, 15)
        return PsamInfo(raw[0], _digits(raw[1:11]), raw[11], raw[12])

    def transaction_counter(self, algorithm: Algorithm) -> int:
        """The counter of purchases in this algorithm's application: the file 0019."""
        self._enter(algorithm)
        return int.from_bytes(self._channel.file(0x0019, 4), "big")

    def key_validity(self, algorithm: Algorithm, level: KeyLevel) -> KeyValidity:
        """Version and term of the keys of one level: the files 001A to 001C, read once.

        Whether the term is over is for the caller to judge. Raises `SamStatus` (6A82) for a PSAM
        without the file.
        """
        index = (algorithm, level)
        if index not in self._validities:
            self._enter(algorithm)
            raw = self._channel.file(level, VALIDITY_LENGTH)
            self._validities[index] = KeyValidity.parse(raw)
        return self._validities[index]

    # SecureAccessModule

    def supports(self, algorithm: Algorithm) -> bool:
        """Whether the PSAM has an application for this algorithm; it is asked once."""
        if algorithm not in self._supported:
            self._supported[algorithm] = self._channel.enter(algorithm)
        return self._supported[algorithm]

    def challenge(self, length: int) -> bytes:
        """`length` bytes (4, 8 or 16) from the PSAM's random generator."""
        return self._channel.get_challenge(length)

    def card_authentication(
        self, card: CardIdentity, factor: bytes, original: bytes, version: int | None = None
    ) -> bytes:
        """See `SecureAccessModule`."""
        return self._authentication_data(card, KeyName.IRK, factor, original, version)

    def terminal_authentication(
        self,
        card: CardIdentity,
        key: KeyName,
        challenge: bytes,
        original: bytes,
        version: int | None = None,
    ) -> bytes:
        """See `SecureAccessModule`."""
        return self._authentication_data(card, key, challenge, original, version) + original

    # MessageModule

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
        """See `MessageModule`. One session key enciphers and signs."""
        self._deliver(card, key, challenge, encipher=encipher)
        if encipher:
            data = self._channel.encrypt(card.algorithm, block_data(card.algorithm, data))
        lc = bytes((len(data) + MAC_LENGTH,))
        cla, ins, p1, p2 = header
        mac = self._channel.mac(card.algorithm, header + lc + data)
        return Command(cla, ins, p1, p2, data + mac)

    def message_mac(self, card: CardIdentity, key: KeyName, factor: bytes, data: bytes) -> bytes:
        """See `MessageModule`."""
        self._deliver(card, key, factor)
        return self._channel.mac(card.algorithm, data)

    # PurchaseModule

    def permit_purchase(self, card: CardIdentity, request: PurchaseRequest) -> PurchasePermit:
        """See `PurchaseModule`; INIT SAM FOR PURCHASE, which the PSAM counts."""
        self._enter(card.algorithm)
        what = "PSAM INIT SAM FOR PURCHASE"
        index = (card.algorithm, request.key_version)
        for levels in _known_or(self._purchase_levels.get(index), LEVELS):
            data = _purchase_data(card, request) + card_factors(card, levels)
            command = Command(0x80, 0x70, 1, 0, data, le=8)
            response = self._channel.send_for(command, what, card.card_id[0])
            if response.sw == StatusWord.KEY_NOT_FOUND:
                raise KeyNotAvailable(f"no purchase key version {request.key_version} in this PSAM")
            if response.sw not in (StatusWord.WRONG_DATA, StatusWord.WRONG_LENGTH):
                answer = checked(response, what, 8)
                self._purchase_levels[index] = levels
                return PurchasePermit(answer[:4], request.purchase.time, answer[4:])
        raise SamKeyLevel("PSAM: the purchase key is of no level that fits")

    def complete_purchase(self, mac2: bytes) -> None:
        """See `PurchaseModule`; CREDIT SAM FOR PURCHASE."""
        what = "PSAM CREDIT SAM FOR PURCHASE"
        response = self._channel.send(Command(0x80, 0x72, 0, 0, mac2), what)
        if response.sw == StatusWord.MAC_INVALID or tries_left(response.sw) is not None:
            raise PurchaseNotProved(f"{what}: {response.sw:04X}")
        if response.sw in (StatusWord.WRONG_STATE, StatusWord.CONDITIONS_NOT_SATISFIED):
            raise PurchaseNotProved(f"{what}: nothing was permitted")
        checked(response, what, 0)

    def _authentication_data(
        self, card: CardIdentity, key: KeyName, factor: bytes, original: bytes, version: int | None
    ) -> bytes:
        if version is not None:
            self._require_version(card.algorithm, key, version)
        self._deliver(card, key, factor)
        block = original.ljust(card.algorithm.block_size, b"\x00")
        cipher = self._channel.encrypt(card.algorithm, block)
        return cipher if len(cipher) == 8 else fold(cipher, 8)

    def _deliver(
        self, card: CardIdentity, key: KeyName, factor: bytes, *, encipher: bool = False
    ) -> None:
        """Let the PSAM derive the card's `key`, and from it the session key for `factor`.

        Use and level under which the PSAM keeps the key are tried at its first use and remembered
        (facts 4.5, level probing).
        """
        number = key.spec.psam_id
        if number is None:
            raise KeyNotAvailable(f"how a PSAM addresses {key.name} is not published")
        self._enter(card.algorithm)
        session_factor = factor.ljust(card.algorithm.block_size, b"\x00")
        index = (card.algorithm, key, encipher)
        wrong_level = False
        for use in _known_or(self._uses.get(index), use_bytes(key, encipher=encipher)):
            data = card_factors(card, use >> 5) + session_factor
            sw = self._channel.deliver_session_key(use, number, data, card.card_id[0])
            if sw == StatusWord.OK:
                self._uses[index] = use
                return
            wrong_level |= sw == StatusWord.WRONG_DATA
        if wrong_level:
            raise SamKeyLevel(f"PSAM: {key.name} is of no level that fits")
        raise KeyNotAvailable(f"no {key.name} in this PSAM")

    def _require_version(self, algorithm: Algorithm, key: KeyName, version: int) -> None:
        """A PSAM holds one version of a key; its files tell which. Without them it is the first."""
        try:
            held = self.key_validity(algorithm, key_level(key.spec.psam_id or 0)).version
        except SamStatus as error:
            if error.sw != StatusWord.FILE_NOT_FOUND:
                raise
            held = 1
        if version != held:
            raise KeyNotAvailable(f"this PSAM holds {key.name} in version {held}, not {version}")

    def _enter(self, algorithm: Algorithm) -> None:
        """Make the application for `algorithm` current."""
        if not self.supports(algorithm):
            raise AlgorithmNotSupported(f"no {algorithm.name} in this PSAM")
        if not self._channel.enter(algorithm):
            raise SamBadAnswer(f"the PSAM has lost its application for {algorithm.name}")


def _known_or(known: int | None, candidates: Collection[int]) -> Collection[int]:
    return candidates if known is None else (known,)


def _purchase_data(card: CardIdentity, request: PurchaseRequest) -> bytes:
    """The data of INIT SAM FOR PURCHASE up to the factors: 1C bytes."""
    purchase = request.purchase
    return (
        request.random
        + request.sequence
        + purchase.amounts
        + purchase.kind
        + purchase.time
        + bytes((request.key_version, card.algorithm))
    )


def _digits(raw: bytes) -> str:
    digits = raw.hex()
    if not digits.isdecimal():
        raise SamBadAnswer("a number in the PSAM's public files is not made of digits")
    return digits
