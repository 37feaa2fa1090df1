"""The messages of the gate: what its taps debited, and what became of each at the centre."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from backend_client.codec import Message

__all__ = [
    "PurseAlgorithm",
    "Tap",
    "TapBatch",
    "TapIndustry",
    "TapKind",
    "TapOutcome",
    "TapReceipt",
    "TapVerdict",
    "listed_id",
]

PurseAlgorithm = Literal["DES", "SM4"]
TapKind = Literal["entry", "exit", "single"]
TapIndustry = Literal["metro", "bus", "ferry"]
TapOutcome = Literal["booked", "open", "conflict", "disputed"]


@dataclass(frozen=True, slots=True)
class Tap(Message):
    """One composite purchase at a gate.

    `terminal` is the PSAM's number, `sequence` its transaction number: together they name the tap.
    `card_sequence` is the card's counter after the debit. Without a `tac` nobody knows yet whether
    the card took the debit.
    """

    schema: ClassVar[str] = "tap-batch:1#/$defs/tap"
    terminal: str
    sequence: int
    purse_number: str = field(repr=False)
    issuer: bytes
    algorithm: PurseAlgorithm
    kind: TapKind
    fen: int
    balance_before_fen: int = field(repr=False)
    card_sequence: int
    at: dt.datetime
    industry: TapIndustry
    line: int
    station: str
    device: bytes
    fares: str
    list_version: int | None
    tac: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class TapBatch(Message):
    """Taps, oldest first, at most 500."""

    schema: ClassVar[str] = "tap-batch:1"
    taps: tuple[Tap, ...]


@dataclass(frozen=True, slots=True)
class TapVerdict(Message):
    """What became of one tap at the centre; the terminal need not send it again."""

    schema: ClassVar[str] = "tap-receipt:1#/$defs/verdict"
    terminal: str
    sequence: int
    outcome: TapOutcome


@dataclass(frozen=True, slots=True)
class TapReceipt(Message):
    """One verdict for each tap of a batch, in its order."""

    schema: ClassVar[str] = "tap-receipt:1"
    verdicts: tuple[TapVerdict, ...]


def listed_id(purse_number: str) -> str:
    """How the blacklist names a purse of 19 digits among card ids: 32 hex digits.

    The number as the card keeps it (10 bytes BCD, a zero first) filled with F to 16 bytes. A card
    id begins with a region code of GB/T 2260, none of which begins with a zero, so the two cannot
    be mistaken for each other.
    """
    return ("0" + purse_number).ljust(32, "f")
