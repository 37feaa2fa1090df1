"""The PC/SC binding: the part of pyscard's `smartcard.scard` that is used, and its result codes.

`smartcard.scard` is the thin binding of the C interface. pyscard's object layer above it costs
three to twelve microseconds a command and keeps threads of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

from apdu.status import (
    CardError,
    CardRemoved,
    CardReset,
    NoAnswer,
    NoCard,
    ReaderBusy,
    ReaderError,
    ReaderNotFound,
    ServiceUnavailable,
    UnsupportedCard,
)

# What SCardGetStatusChange answers: the result code, and of each reader its name, its SCARD_STATE
# flags and its ATR.
Changes = tuple[int, list[tuple[str, int, list[int]]]]


class Scard(Protocol):
    """The PC/SC functions and constants, as `smartcard.scard` offers them.

    Every function answers with a result code, alone or first in a tuple.
    """

    SCARD_S_SUCCESS: int
    SCARD_SCOPE_USER: int
    SCARD_SHARE_EXCLUSIVE: int
    SCARD_SHARE_SHARED: int
    SCARD_PROTOCOL_T0: int
    SCARD_PROTOCOL_T1: int
    SCARD_UNPOWER_CARD: int
    SCARD_RESET_CARD: int
    SCARD_LEAVE_CARD: int
    SCARD_STATE_UNAWARE: int
    SCARD_STATE_CHANGED: int
    SCARD_STATE_UNKNOWN: int
    SCARD_STATE_UNAVAILABLE: int
    SCARD_STATE_PRESENT: int
    SCARD_STATE_INUSE: int
    SCARD_STATE_EXCLUSIVE: int
    SCARD_E_CANCELLED: int
    SCARD_E_TIMEOUT: int
    SCARD_E_NO_READERS_AVAILABLE: int
    SCARD_W_REMOVED_CARD: int
    SCARD_W_UNPOWERED_CARD: int
    SCARD_W_UNRESPONSIVE_CARD: int

    SCardEstablishContext: Callable[[int], tuple[int, int]]
    SCardReleaseContext: Callable[[int], int]
    SCardCancel: Callable[[int], int]
    SCardListReaders: Callable[[int, list[str]], tuple[int, list[str]]]
    SCardGetStatusChange: Callable[[int, int, list[tuple[str, int]]], Changes]
    SCardConnect: Callable[[int, str, int, int], tuple[int, int, int]]
    SCardReconnect: Callable[[int, int, int, int], tuple[int, int]]
    SCardDisconnect: Callable[[int, int], int]
    SCardBeginTransaction: Callable[[int], int]
    SCardEndTransaction: Callable[[int, int], int]
    SCardTransmit: Callable[[int, int, list[int]], tuple[int, list[int]]]
    SCardStatus: Callable[[int], tuple[int, str, int, int, list[int]]]
    SCardGetErrorMessage: Callable[[int], str]


class PyscardMissing(ServiceUnavailable):
    """The PC/SC binding is not installed."""

    code = "READER_PYSCARD_MISSING"
    remedy = (
        "pip install 'ssct[pcsc]'. On Debian, before that: "
        "apt install pcscd libpcsclite-dev swig gcc pkg-config python3-dev"
    )


class AccessDenied(ServiceUnavailable):
    """The PC/SC service runs but refuses this user (polkit)."""

    code = "READER_ACCESS_DENIED"
    remedy = "Install the polkit rule that `ssct diagnose` prints, then start the terminal again."


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a result code stands for: the error it becomes and a sentence without a number."""

    error: type[CardError]
    text: str


_DOWN = Meaning(ServiceUnavailable, "the PC/SC service (pcscd) does not run or went away")
_DENIED = Meaning(AccessDenied, "the PC/SC service refuses this user")
_PULLED_READER = Meaning(ReaderNotFound, "this reader is not connected (any more)")
_SERVICE_FAULT = Meaning(ReaderError, "the PC/SC service failed inside")
_MISUSE = Meaning(ReaderError, "the PC/SC service did not accept the call")

MEANINGS: Mapping[str, Meaning] = {
    # the card
    "SCARD_W_REMOVED_CARD": Meaning(CardRemoved, "the card was taken out"),
    "SCARD_W_RESET_CARD": Meaning(CardReset, "another program reset the card"),
    "SCARD_W_UNPOWERED_CARD": Meaning(CardReset, "the card lost its power"),
    "SCARD_E_NO_SMARTCARD": Meaning(NoCard, "there is no card in the reader"),
    "SCARD_W_UNRESPONSIVE_CARD": Meaning(NoAnswer, "the card does not answer to reset"),
    "SCARD_E_INVALID_ATR": Meaning(NoAnswer, "the card answers to reset with garbage"),
    "SCARD_E_NOT_TRANSACTED": Meaning(NoAnswer, "the exchange with the card failed"),
    "SCARD_E_COMM_DATA_LOST": Meaning(NoAnswer, "bytes were lost between reader and card"),
    "SCARD_E_TIMEOUT": Meaning(NoAnswer, "no answer in time"),
    "SCARD_W_UNSUPPORTED_CARD": Meaning(UnsupportedCard, "the reader cannot drive this card"),
    "SCARD_E_CARD_UNSUPPORTED": Meaning(UnsupportedCard, "the reader cannot drive this card"),
    "SCARD_E_PROTO_MISMATCH": Meaning(UnsupportedCard, "the card offers neither T=0 nor T=1"),
    # the reader
    "SCARD_E_SHARING_VIOLATION": Meaning(
        ReaderBusy, "another program holds the reader; close it, then try again"
    ),
    "SCARD_E_UNKNOWN_READER": _PULLED_READER,
    "SCARD_E_READER_UNAVAILABLE": _PULLED_READER,
    "SCARD_E_NO_READERS_AVAILABLE": Meaning(ReaderNotFound, "no reader is connected"),
    "SCARD_E_READER_UNSUPPORTED": Meaning(ReaderError, "the driver does not support the reader"),
    "SCARD_E_DUPLICATE_READER": Meaning(ReaderError, "two readers have one name"),
    "SCARD_E_NOT_READY": Meaning(ReaderError, "the reader is not ready yet"),
    "SCARD_E_INSUFFICIENT_BUFFER": Meaning(ReaderError, "the answer is longer than can be taken"),
    "SCARD_E_PCI_TOO_SMALL": _MISUSE,
    "SCARD_E_UNSUPPORTED_FEATURE": Meaning(ReaderError, "the driver cannot do this"),
    # the service
    "SCARD_E_NO_SERVICE": _DOWN,
    "SCARD_E_SERVICE_STOPPED": _DOWN,
    "SCARD_F_COMM_ERROR": _DOWN,
    "SCARD_P_SHUTDOWN": _DOWN,
    "SCARD_E_INVALID_HANDLE": _DOWN,  # of an instance that runs no more
    "SCARD_E_SERVER_TOO_BUSY": Meaning(ServiceUnavailable, "the PC/SC service is overloaded"),
    "SCARD_E_NO_MEMORY": Meaning(ServiceUnavailable, "the PC/SC service has no room left"),
    "SCARD_E_NO_ACCESS": _DENIED,
    "SCARD_W_SECURITY_VIOLATION": _DENIED,
    "SCARD_F_INTERNAL_ERROR": _SERVICE_FAULT,
    "SCARD_F_UNKNOWN_ERROR": _SERVICE_FAULT,
    "SCARD_F_WAITED_TOO_LONG": _SERVICE_FAULT,
    "SCARD_E_UNEXPECTED": _SERVICE_FAULT,
    "SCARD_E_CANT_DISPOSE": _SERVICE_FAULT,
    "SCARD_E_CANCELLED": Meaning(ReaderError, "the call was cancelled"),
    "SCARD_E_SYSTEM_CANCELLED": Meaning(ServiceUnavailable, "the system is shutting down"),
    "SCARD_E_INVALID_PARAMETER": _MISUSE,
    "SCARD_E_INVALID_TARGET": _MISUSE,
    "SCARD_E_INVALID_VALUE": _MISUSE,
}


def load_scard() -> Scard:
    """The pyscard binding. Raises `PyscardMissing` when it is not installed or cannot load."""
    try:
        import smartcard.scard as scard
    except ImportError as error:
        raise PyscardMissing(f"smartcard.scard cannot be imported: {error}") from error
    return cast(Scard, scard)


def failure(scard: Scard, result: int, what: str) -> CardError:
    """The error a PC/SC result code stands for; `what` says what was being done, and where."""
    wanted = result & 0xFFFFFFFF
    for name, meaning in MEANINGS.items():
        if getattr(scard, name, 0) & 0xFFFFFFFF == wanted:
            return meaning.error(f"{what}: {meaning.text} ({name})")
    return ReaderError(f"{what}: {scard.SCardGetErrorMessage(result)} ({wanted:08X})")
