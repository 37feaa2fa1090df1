"""The gate's security module: who allows a purse to be debited (facts A1, A2).

`TransitSam` is what the gate asks; `TransitPsam` asks the transport PSAM in its slot, and
`SoftwareTransitSam` holds development keys. Unlike a social security PSAM, this one is handed the
card's two diversification factors with every purchase.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from apdu.command import Command, Response
from apdu.connection import Connection, Reader
from apdu.crypto import Algorithm
from apdu.layers import stack
from apdu.purse import (
    ISSUER_LENGTH,
    SERIAL_LENGTH,
    PursePurchase,
    algorithm_identifier,
    purchase_seed,
    purse_key,
    purse_session_key,
)
from apdu.status import (
    CardError,
    KeyNotAvailable,
    MalformedData,
    NoAnswer,
    NoCard,
    PurchaseNotProved,
    SamAbsent,
    SamBadAnswer,
    SamNoAnswer,
    SamStatus,
    StatusWord,
)

APPLICATION = bytes.fromhex("A000000632") + b"MOT.CPTSAM01"
_TERMINAL_SFI, _TERMINAL_LENGTH = 0x16, 6
_KEYS_SFI = 0x17
_INIT, _CREDIT = 0x70, 0x72
_SEQUENCE_MAX = 0xFFFFFFFF


def _development(name: str) -> bytes:
    """A key that anybody can compute: it protects nothing."""
    return hashlib.sha256(f"ssct development transport key {name}".encode()).digest()[:16]


DEVELOPMENT_PURCHASE_KEY = _development("DPK")
DEVELOPMENT_LOAD_KEY = _development("DLK")
DEVELOPMENT_TAC_KEY = _development("DTK")


@dataclass(frozen=True, slots=True)
class PurseIdentity:
    """What a module needs to derive a purse's keys: issuer code 8 bytes, serial 8 bytes.

    The serial is the last 8 of the 10 bytes of the card number. Raises `MalformedData`.
    """

    issuer: bytes
    serial: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.issuer) != ISSUER_LENGTH or len(self.serial) != SERIAL_LENGTH:
            raise MalformedData("a purse has an issuer code and a serial of 8 bytes each")

    @classmethod
    def of(cls, issuer: bytes, number: str) -> PurseIdentity:
        """The identity of the purse of this number (19 digits). Raises `MalformedData`."""
        return cls(issuer, bytes.fromhex("0" + number)[-SERIAL_LENGTH:])


@dataclass(frozen=True, slots=True)
class PurseRequest:
    """What the module needs for MAC1; `random` 4, `sequence` 2 and the rest as the card gave."""

    purse: PurseIdentity
    purchase: PursePurchase
    random: bytes = field(repr=False)
    sequence: bytes
    key_version: int
    algorithm: Algorithm


@dataclass(frozen=True, slots=True)
class PursePermit:
    """The module's part of the debit: its transaction number (4 bytes) and MAC1 (4 bytes)."""

    sequence: bytes
    mac1: bytes = field(repr=False)


class TransitSam(Protocol):
    """A gate's security module. Every method raises `SecurityModuleError`s."""

    @property
    def terminal(self) -> bytes:
        """The terminal number, 6 bytes BCD, that enters every purchase."""
        ...

    @property
    def key_index(self) -> int:
        """The index of the purchase key, as INITIALIZE names it to the card."""
        ...

    def permit(self, request: PurseRequest) -> PursePermit:
        """Allow one debit; it takes a transaction number that is never given again."""
        ...

    def check(self, mac2: bytes) -> None:
        """Check the card's proof of the debit permitted last. Raises `PurchaseNotProved`."""
        ...


class TransitPsam:
    """A transport PSAM in its slot. `connection` is as its reader gives it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = stack(connection)
        self._call(Command(0, 0xA4, 4, 0, APPLICATION, le=256), "SELECT the PSAM's application")
        self.terminal = self._file(_TERMINAL_SFI, _TERMINAL_LENGTH)
        self.key_index = self._file(_KEYS_SFI, 1)[0]

    @classmethod
    def open(cls, reader: Reader) -> TransitPsam:
        """The PSAM in this slot, held exclusively.

        Raises `SamAbsent`, `SamNoAnswer`, `SamBadAnswer`, `SamStatus` or `ReaderError`.
        """
        try:
            return cls(reader.connect(exclusive=True))
        except NoCard as error:
            raise SamAbsent("there is no transport PSAM in its slot") from error
        except NoAnswer as error:
            raise SamNoAnswer("the transport PSAM does not answer to reset") from error

    def close(self) -> None:
        """Power it off and give its slot back."""
        self._connection.close()

    def permit(self, request: PurseRequest) -> PursePermit:
        """See `TransitSam`: 80 70, with the card's factors behind the purchase."""
        purchase = request.purchase
        data = b"".join(
            (
                request.random,
                request.sequence,
                purchase.fen.to_bytes(4, "big"),
                bytes((purchase.kind,)),
                purchase.time,
                bytes((request.key_version, algorithm_identifier(request.algorithm))),
                request.purse.serial,
                request.purse.issuer,
            )
        )
        answer = self._call(Command(0x80, _INIT, 0, 0, data, le=8), "INIT SAM FOR PURCHASE")
        if len(answer) != 8:
            raise SamBadAnswer(f"INIT SAM FOR PURCHASE: {len(answer)} bytes instead of 8")
        return PursePermit(answer[:4], answer[4:])

    def check(self, mac2: bytes) -> None:
        """See `TransitSam`: 80 72."""
        answer = self._send(Command(0x80, _CREDIT, 0, 0, mac2), "CREDIT SAM FOR PURCHASE")
        if answer.sw == StatusWord.MAC_INVALID:
            raise PurchaseNotProved("the purse's MAC2 is wrong")
        if not answer.ok:
            raise SamStatus(answer.sw, "CREDIT SAM FOR PURCHASE")

    def _file(self, sfi: int, length: int) -> bytes:
        what = f"READ BINARY {sfi:04X}"
        content = self._call(Command(0, 0xB0, 0x80 | sfi, 0, le=length), what)
        if len(content) != length:
            raise SamBadAnswer(f"{what}: {len(content)} bytes instead of {length}")
        return content

    def _call(self, command: Command, what: str) -> bytes:
        answer = self._send(command, what)
        if not answer.ok:
            raise SamStatus(answer.sw, what)
        return answer.data

    def _send(self, command: Command, what: str) -> Response:
        try:
            return Response.parse(self._connection.transmit(bytes(command)))
        except CardError as error:
            raise SamNoAnswer(f"{what}: {error.code}") from error


class SoftwareTransitSam:
    """Purchase keys in memory, for development and for tests.

    `first` is its first transaction number; a real PSAM keeps its counter over power cuts, so
    whoever lives longer than one process hands in a number that has not been used.
    """

    key_index = 1

    def __init__(
        self,
        purchase_key: bytes = DEVELOPMENT_PURCHASE_KEY,
        *,
        terminal: bytes = bytes.fromhex("990100000001"),
        first: int = 1,
        keep: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`keep` is told the next number before the present one is used."""
        self.terminal = terminal
        self._key = purchase_key
        self._next = first
        self._keep = keep
        self._expected: bytes | None = None

    def permit(self, request: PurseRequest) -> PursePermit:
        """See `TransitSam`."""
        if request.key_version != self.key_index:
            raise KeyNotAvailable(f"no purchase key of version {request.key_version}")
        number, self._next = self._next, (self._next + 1) & _SEQUENCE_MAX
        self._keep(self._next)
        sequence = number.to_bytes(4, "big")
        algorithm, purse = request.algorithm, request.purse
        key = purse_key(algorithm, self._key, purse.issuer, purse.serial)
        seed = purchase_seed(request.random, request.sequence, sequence)
        session = purse_session_key(algorithm, key, seed)
        self._expected = request.purchase.mac2(algorithm, session)
        return PursePermit(sequence, request.purchase.mac1(algorithm, session))

    def check(self, mac2: bytes) -> None:
        """See `TransitSam`."""
        expected, self._expected = self._expected, None
        if expected is None or not hmac.compare_digest(expected, mac2):
            raise PurchaseNotProved("the purse's MAC2 is wrong")
