"""The commands that move a transport purse's money, and those that tell what it did (facts A1).

A composite purchase is begun, its records are handed over, and the debit writes money, log and
records together or not at all. After a debit without an answer the same card is asked for its
proof: `proof` of the counter that the debit would have led to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from apdu.channel import CardChannel
from apdu.command import Command
from apdu.crypto import Algorithm
from apdu.purse import PurseKind, purse_algorithm
from apdu.status import CardError, MalformedApdu, MalformedData, StatusError, StatusWord
from apdu.transit_records import (
    JOURNEY_LENGTH,
    JOURNEY_ROWS,
    LOG_LENGTH,
    LOG_ROWS,
    RAIL_LENGTH,
    Journey,
    LogRow,
    RailRecord,
)
from apdu.transit_sam import PursePermit

_CLA = 0x80
_INITIALIZE, _DEBIT, _CREDIT, _PROVE, _CACHE = 0x50, 0x54, 0x52, 0x5A, 0xDC
_PURSE = 0x02
_OFFER_LENGTH, _LOAD_OFFER_LENGTH = 15, 16
_NOT_PROVABLE = frozenset({StatusWord.PROOF_NOT_AVAILABLE, StatusWord.CONDITIONS_NOT_SATISFIED})


class Sfi(IntEnum):
    """The short file identifiers of the purse's records."""

    LOG = 0x18
    RAIL = 0x1A
    JOURNEYS = 0x1E


class PurseTooLow(CardError):
    """The purse does not hold the fare (9401)."""

    code = "PURSE_TOO_LOW"
    zh = "余额不足，请充值。"
    en = "There is not enough money on the card. Please top it up."
    remedy = "Top the purse up at a metro service machine."


@dataclass(frozen=True, slots=True)
class Offer:
    """The card's answer to INITIALIZE FOR PURCHASE; `sequence` is its offline counter."""

    balance_fen: int = field(repr=False)
    sequence: int
    overdraft_limit_fen: int
    key_version: int
    algorithm: Algorithm
    random: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class LoadOffer:
    """The card's answer to INITIALIZE FOR LOAD; `sequence` is its online counter."""

    balance_fen: int = field(repr=False)
    sequence: int
    key_version: int
    algorithm: Algorithm
    random: bytes = field(repr=False)
    mac1: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PurseReceipt:
    """The card's word for a debit: TAC (4 bytes) for the clearing house, MAC2 for the PSAM.

    Some cards prove a debit with the TAC alone; `mac2` is None then.
    """

    tac: bytes
    mac2: bytes | None = field(repr=False)


class PurseCommands:
    """The commands of the purse that is selected on `channel`.

    Methods raise `StatusError`, `MalformedApdu`, `MalformedData`, and the errors of the line.
    """

    def __init__(self, channel: CardChannel) -> None:
        self._channel = channel

    def begin(self, fen: int, *, terminal: bytes, key_index: int, composite: bool) -> Offer:
        """INITIALIZE FOR (CAPP) PURCHASE. Raises `PurseTooLow`."""
        data = bytes((key_index,)) + fen.to_bytes(4, "big") + terminal
        p1 = 0x03 if composite else 0x01
        command = Command(_CLA, _INITIALIZE, p1, _PURSE, data, le=_OFFER_LENGTH)
        answer = self._call(command, "INITIALIZE FOR PURCHASE", _OFFER_LENGTH)
        return Offer(
            balance_fen=int.from_bytes(answer[:4], "big"),
            sequence=int.from_bytes(answer[4:6], "big"),
            overdraft_limit_fen=int.from_bytes(answer[6:9], "big"),
            key_version=answer[9],
            algorithm=purse_algorithm(answer[10]),
            random=answer[11:15],
        )

    def hand_over(self, sfi: Sfi, record: bytes, *, number: int = 1) -> None:
        """UPDATE CAPP DATA CACHE: a record that the debit is to write.

        A cyclic file takes number 0 and makes the record its newest.
        """
        command = Command(_CLA, _CACHE, number, sfi << 3 | 0x04, record)
        self._channel.call(command, f"UPDATE CAPP DATA CACHE {sfi:02X}")

    def debit(self, permit: PursePermit, time: bytes) -> PurseReceipt:
        """DEBIT FOR PURCHASE; `time` is what went into MAC1."""
        data = permit.sequence + time + permit.mac1
        command = Command(_CLA, _DEBIT, 0x01, 0x00, data, le=8)
        answer = self._call(command, "DEBIT FOR PURCHASE", 8)
        return PurseReceipt(tac=answer[:4], mac2=answer[4:])

    def proof(self, kind: PurseKind, sequence: int) -> PurseReceipt | None:
        """GET TRANSACTION PROVE; None where the card has no such transaction to prove.

        `sequence` is the counter after a purchase. The answer's order is the debit's reversed.
        """
        what = "GET TRANSACTION PROVE"
        data = sequence.to_bytes(2, "big")
        try:
            answer = self._channel.call(Command(_CLA, _PROVE, 0, kind, data, le=8), what)
        except StatusError as error:
            if error.sw in _NOT_PROVABLE:
                return None
            raise
        if len(answer) == 4:
            return PurseReceipt(tac=answer, mac2=None)
        if len(answer) != 8:
            raise MalformedApdu(f"{what}: {len(answer)} bytes instead of 8")
        return PurseReceipt(tac=answer[4:], mac2=answer[:4])

    def begin_load(self, fen: int, *, terminal: bytes, key_index: int) -> LoadOffer:
        """INITIALIZE FOR LOAD."""
        data = bytes((key_index,)) + fen.to_bytes(4, "big") + terminal
        command = Command(_CLA, _INITIALIZE, 0x00, _PURSE, data, le=_LOAD_OFFER_LENGTH)
        answer = self._call(command, "INITIALIZE FOR LOAD", _LOAD_OFFER_LENGTH)
        return LoadOffer(
            balance_fen=int.from_bytes(answer[:4], "big"),
            sequence=int.from_bytes(answer[4:6], "big"),
            key_version=answer[6],
            algorithm=purse_algorithm(answer[7]),
            random=answer[8:12],
            mac1=answer[12:16],
        )

    def credit(self, time: bytes, mac2: bytes) -> bytes:
        """CREDIT FOR LOAD with the host's time and MAC2; returns the TAC, 4 bytes."""
        command = Command(_CLA, _CREDIT, 0, 0, time + mac2, le=4)
        return self._call(command, "CREDIT FOR LOAD", 4)

    def rail_record(self) -> RailRecord:
        """The rail record: where the card is, and what it has paid this month."""
        record = self._channel.read_record_by_number(1, sfi=Sfi.RAIL, le=RAIL_LENGTH)
        return RailRecord.parse(record)

    def log(self) -> tuple[LogRow, ...]:
        """The purse's own log, newest first, at most ten rows."""
        rows = self._rows(Sfi.LOG, LOG_LENGTH, LOG_ROWS)
        return tuple(LogRow.parse(row) for row in rows)

    def log_row(self, number: int) -> LogRow | None:
        """One row of the log, 1 the newest; None where there is none."""
        row = self._row(Sfi.LOG, number, LOG_LENGTH)
        return None if row is None else LogRow.parse(row)

    def journeys(self) -> tuple[Journey, ...]:
        """The transport's log, newest first, at most thirty rows."""
        rows = self._rows(Sfi.JOURNEYS, JOURNEY_LENGTH, JOURNEY_ROWS)
        return tuple(Journey.parse(row) for row in rows)

    def _rows(self, sfi: Sfi, length: int, most: int) -> list[bytes]:
        """The rows that have been written, one command each; blank rows end the log."""
        rows: list[bytes] = []
        for number in range(1, most + 1):
            row = self._row(sfi, number, length)
            if row is None:
                break
            rows.append(row)
        return rows

    def _row(self, sfi: Sfi, number: int, length: int) -> bytes | None:
        """One row of a log; None for one that is not there or blank."""
        try:
            row = self._channel.read_record_by_number(number, sfi=sfi, le=length)
        except StatusError as error:
            if error.sw == StatusWord.RECORD_NOT_FOUND:
                return None
            raise
        if len(row) != length:
            raise MalformedData(f"a row of file {sfi:04X} has {len(row)} bytes")
        return row if row.strip(b"\x00") and row.strip(b"\xff") else None

    def _call(self, command: Command, what: str, length: int) -> bytes:
        try:
            answer = self._channel.call(command, what)
        except StatusError as error:
            if error.sw == StatusWord.INSUFFICIENT_BALANCE:
                raise PurseTooLow(what) from None
            raise
        if len(answer) != length:
            raise MalformedApdu(f"{what}: {len(answer)} bytes instead of {length}")
        return answer
