"""The strings that a terminal and an HSM exchange, exactly as they travel (facts 4.6, 6.1).

Fields end with a bar; bytes are hexadecimal, upper case when written and either when read. A
string from the HSM is hostile until it has been parsed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from apdu.atr import historical_bytes
from apdu.command import Command
from apdu.crypto import MAC_LENGTH, Algorithm, Purchase
from apdu.purchase import PurchasePermit, PurchaseRequest
from apdu.sam import PURCHASE_KEYS, CardIdentity
from apdu.status import MalformedData, SamBadAnswer, UnsupportedCard

BAR = "|"
_HISTORICAL_LENGTH = 13
_AUTHENTICATION_LENGTH = 16
_LONGEST = 1024


@dataclass(frozen=True, slots=True)
class BasicReadRequest:
    """What step 1 of the basic read asks the HSM.

    `reset` holds the 13 historical bytes; one vendor sends the whole answer to reset. The
    external pair is empty unless the card opens its holder's data to a key only (3.0). `terminal`
    is the 32-character terminal number that one city appends. Raises `MalformedData`.
    """

    algorithm: Algorithm
    card_id: bytes = field(repr=False)
    reset: bytes = field(repr=False)
    internal_factor: bytes
    internal_original: bytes
    external_factor: bytes = b""
    external_original: bytes = b""
    terminal: str = ""

    def __post_init__(self) -> None:
        pairs = (self.internal_factor, self.internal_original)
        external = {len(self.external_factor), len(self.external_original)}
        if any(len(value) != 8 for value in pairs) or external not in ({0}, {8}):
            raise MalformedData("factor and original data of an authentication have 8 bytes")
        _ = self.identity

    @property
    def identity(self) -> CardIdentity:
        """The card that this is about."""
        reset = self.reset
        try:
            historical = reset if len(reset) == _HISTORICAL_LENGTH else historical_bytes(reset)
        except UnsupportedCard:
            raise MalformedData("neither historical bytes nor an answer to reset") from None
        return CardIdentity(self.algorithm, self.card_id, historical)

    def __str__(self) -> str:
        fields = [
            self.identity.region,
            _hex(self.reset),
            f"{self.algorithm.value:02}",
            _hex(self.card_id),
            _hex(self.internal_factor),
            _hex(self.internal_original),
            _hex(self.external_factor),
            _hex(self.external_original),
        ]
        return _joined(*fields, *([self.terminal] if self.terminal else ()))

    @classmethod
    def parse(cls, text: str) -> BasicReadRequest:
        """The request that `text` is. Raises `MalformedData`."""
        fields = _fields(text, 8, 9)
        region, reset, algorithm, card_id = fields[:4]
        request = cls(
            _algorithm(algorithm),
            _bytes(card_id),
            _bytes(reset),
            _bytes(fields[4]),
            _bytes(fields[5]),
            _bytes(fields[6]),
            _bytes(fields[7]),
            fields[8] if len(fields) > 8 else "",
        )
        if request.identity.region != region:
            raise MalformedData("the region is not the card id's")
        return request


@dataclass(frozen=True, slots=True)
class BasicReadAnswer:
    """What the HSM answers to it: cryptogram 8 and original data 8 of each authentication.

    `external` is empty when none was asked for.
    """

    internal: bytes = field(repr=False)
    external: bytes = field(default=b"", repr=False)

    def __str__(self) -> str:
        return _joined(_hex(self.internal), _hex(self.external))

    @classmethod
    def parse(cls, text: str) -> BasicReadAnswer:
        """The answer that `text` is. Raises `SamBadAnswer`."""
        try:
            internal, external = (_bytes(item) for item in _fields(text, 2))
        except MalformedData as error:
            raise SamBadAnswer(f"HSM, basic read: {error}") from None
        if len(internal) != _AUTHENTICATION_LENGTH or len(external) not in (
            0,
            _AUTHENTICATION_LENGTH,
        ):
            raise SamBadAnswer("HSM, basic read: an authentication of a wrong length")
        return cls(internal, external)


@dataclass(frozen=True, slots=True)
class AuthenticationRequest:
    """What is asked for an external authentication with the key at `address`."""

    algorithm: Algorithm
    address: int
    factor: bytes
    original: bytes

    def __str__(self) -> str:
        head = f"{self.algorithm.value:02}", f"{self.address:04X}"
        return _joined(*head, _hex(self.factor), _hex(self.original))

    @classmethod
    def parse(cls, text: str) -> AuthenticationRequest:
        """The request that `text` is. Raises `MalformedData`."""
        algorithm, address, factor, original = _fields(text, 4)
        return cls(_algorithm(algorithm), _address(address), _bytes(factor), _bytes(original))

    def answer(self, text: str) -> bytes:
        """Cryptogram 8 and original data 8 in the HSM's answer. Raises `SamBadAnswer`."""
        proof = _answer_bytes(text)
        if len(proof) != _AUTHENTICATION_LENGTH or proof[8:] != self.original:
            raise SamBadAnswer("HSM: an authentication that answers something else")
        return proof


@dataclass(frozen=True, slots=True)
class MessageRequest:
    """What is asked for a command with a MAC: `header` is CLA INS P1 P2 Lc.

    `pin` are the digits that the HSM shall encipher, or empty. It leaves the terminal as it is:
    the way to the HSM must be protected.
    """

    algorithm: Algorithm
    address: int
    factor: bytes
    header: bytes
    pin: str = field(default="", repr=False)

    def __str__(self) -> str:
        head = f"{self.algorithm.value:02}", f"{self.address:04X}"
        return _joined(*head, _hex(self.factor), _hex(self.header), self.pin)

    @classmethod
    def parse(cls, text: str) -> MessageRequest:
        """The request that `text` is, with or without its last bar. Raises `MalformedData`."""
        closed = text if text.endswith(BAR) else text + BAR
        algorithm, address, factor, header, pin = _fields(closed, 5)
        if len(_bytes(header)) != 5 or not (pin == "" or (pin.isascii() and pin.isdigit())):
            raise MalformedData("a command header has five bytes, a PIN digits only")
        factor_bytes = _bytes(factor)
        return cls(_algorithm(algorithm), _address(address), factor_bytes, _bytes(header), pin)

    def answer(self, text: str) -> Command:
        """The command in the HSM's answer, which may leave the header out.

        Raises `SamBadAnswer` when it is another command, or not as long as Lc says.
        """
        raw = _answer_bytes(text)
        lc = self.header[4]
        data = raw[len(self.header) :] if raw.startswith(self.header) else raw
        if len(data) != lc or lc < MAC_LENGTH:
            raise SamBadAnswer("HSM: a command of a wrong length")
        cla, ins, p1, p2 = self.header[:4]
        return Command(cla, ins, p1, p2, data)


@dataclass(frozen=True, slots=True)
class DebitRequest:
    """What is asked for MAC1 of a debit: the card's answer, and what is paid (facts 6.1).

    Only the last two amounts of the command travel: nothing is taken from the account itself.
    """

    algorithm: Algorithm
    address: int
    request: PurchaseRequest

    @classmethod
    def of(cls, algorithm: Algorithm, request: PurchaseRequest) -> DebitRequest:
        """The question about `request`, by the purchase key that the card named."""
        return cls(algorithm, PURCHASE_KEYS[request.key_version].spec.hsm or 0, request)

    def __str__(self) -> str:
        request, purchase = self.request, self.request.purchase
        return _joined(
            f"{self.algorithm.value:02}",
            f"{self.address:04X}",
            _hex(request.random),
            _hex(request.sequence),
            _hex(purchase.amounts[4:]),
            _hex(purchase.kind),
            _hex(purchase.terminal),
            _hex(purchase.time),
        )

    @classmethod
    def parse(cls, text: str) -> DebitRequest:
        """The request that `text` is. Raises `MalformedData`."""
        algorithm, address, *fields = _fields(text, 8)
        random, sequence, amounts, kind, terminal, time = map(_bytes, fields)
        if (len(amounts), len(kind), len(terminal), len(time)) != (8, 1, 6, 7):
            raise MalformedData("a debit has fields of a wrong length")
        self_pay, fund = (int.from_bytes(part, "big") for part in (amounts[:4], amounts[4:]))
        purchase = Purchase(0, self_pay, fund, terminal, time, kind)
        version = next(
            (number for number, key in PURCHASE_KEYS.items() if key.spec.hsm == _address(address)),
            0,
        )
        request = PurchaseRequest(purchase, random, sequence, version)
        return cls(_algorithm(algorithm), _address(address), request)

    def answer(self, text: str) -> PurchasePermit:
        """The HSM's transaction number, time and MAC1. Raises `SamBadAnswer`."""
        try:
            sequence, time, mac1 = map(_bytes, _fields(text, 3))
        except MalformedData as error:
            raise SamBadAnswer(f"HSM, debit: {error}") from None
        if (len(sequence), len(time), len(mac1)) != (4, 7, MAC_LENGTH):
            raise SamBadAnswer("HSM, debit: a permit of a wrong form")
        return PurchasePermit(sequence, time, mac1)


def permit_text(permit: PurchasePermit) -> str:
    """An HSM's answer to a `DebitRequest`."""
    return _joined(_hex(permit.sequence), _hex(permit.time), _hex(permit.mac1))


def _joined(*fields: str) -> str:
    return "".join(f"{item}{BAR}" for item in fields)


def _fields(text: str, *counts: int) -> list[str]:
    """The fields of `text`, of which there must be one of these numbers."""
    if len(text) > _LONGEST or not text.endswith(BAR):
        raise MalformedData("a string that is too long, or does not end with a bar")
    fields = text.split(BAR)[:-1]
    if len(fields) not in counts:
        raise MalformedData(f"{len(fields)} fields")
    return fields


def _hex(data: bytes) -> str:
    return data.hex().upper()


def _bytes(text: str) -> bytes:
    try:
        if text and not text.isalnum():  # fromhex would let spaces pass
            raise ValueError
        return bytes.fromhex(text)
    except ValueError:
        raise MalformedData("a field that is not hexadecimal") from None


def _answer_bytes(text: str) -> bytes:
    if len(text) > _LONGEST:
        raise SamBadAnswer("HSM: an answer that is too long")
    try:
        return _bytes(text.removesuffix(BAR))
    except MalformedData as error:
        raise SamBadAnswer(f"HSM: {error}") from None


def _algorithm(text: str) -> Algorithm:
    for algorithm in Algorithm:
        if text == f"{algorithm.value:02}":
            return algorithm
    raise MalformedData("an algorithm that is not known")


def _address(text: str) -> int:
    address = _bytes(text)
    if len(address) != 2:
        raise MalformedData("a key address has four digits")
    return int.from_bytes(address, "big")
