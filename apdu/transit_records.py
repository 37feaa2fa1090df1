"""What a transport purse writes down: its log, its journeys, and where it is now (facts A2).

File 0018 is the purse's own log of 23-byte rows, file 001E the transport's of 48, file 001A holds
one rail record of 128 bytes: whether the card is inside the gates, since when and from where. Codes
of stations, lines and devices are the operator's and stay bytes.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from enum import IntEnum

from apdu.status import MalformedData

LOG_LENGTH, LOG_ROWS = 23, 10
JOURNEY_LENGTH, JOURNEY_ROWS = 48, 30
RAIL_LENGTH = 128
_SHANGHAI = timezone(timedelta(hours=8))


class JourneyKind(IntEnum):
    """What a row of file 001E records."""

    CASH_IN = 0x01
    CASH_OUT = 0x02
    ENTRY = 0x03
    EXIT = 0x04
    CASH_SINGLE = 0x05
    SINGLE = 0x06
    MAKE_UP_CASH = 0x07
    MAKE_UP = 0x08
    LOAD_CASH = 0x09
    LOAD = 0x0A


class Industry(IntEnum):
    """Whose vehicle it was."""

    METRO = 0x01
    BUS = 0x02
    FERRY = 0x09


@dataclass(frozen=True, slots=True)
class LogRow:
    """One row of file 0018. `kind` is a `PurseKind` where it is known; `terminal` 6 bytes BCD."""

    sequence: int
    fen: int = field(repr=False)
    kind: int
    terminal: bytes
    at: datetime | None

    @classmethod
    def parse(cls, row: bytes) -> LogRow:
        """Sequence 2, overdraft 3, amount 4, kind 1, terminal 6, date 4, time 3."""
        if len(row) != LOG_LENGTH:
            raise MalformedData(f"a row of file 0018 has {len(row)} bytes")
        return cls(
            sequence=int.from_bytes(row[:2], "big"),
            fen=int.from_bytes(row[5:9], "big"),
            kind=row[9],
            terminal=row[10:16],
            at=instant(row[16:23]),
        )


@dataclass(frozen=True, slots=True)
class Journey:
    """One row of file 001E. `terminal` 8 bytes, `line`, `station`, `operator`, `city` 2 each."""

    kind: int
    terminal: bytes
    industry: int
    line: bytes
    station: bytes
    operator: bytes
    fen: int = field(repr=False)
    balance_fen: int = field(repr=False)
    at: datetime | None
    city: bytes
    acquirer: bytes

    @classmethod
    def parse(cls, row: bytes) -> Journey:
        """A row as it is read. Raises `MalformedData` for another length."""
        if len(row) != JOURNEY_LENGTH:
            raise MalformedData(f"a row of file 001E has {len(row)} bytes")
        return cls(
            kind=row[0],
            terminal=row[1:9],
            industry=row[9],
            line=row[10:12],
            station=row[12:14],
            operator=row[14:16],
            fen=int.from_bytes(row[17:21], "big"),
            balance_fen=int.from_bytes(row[21:25], "big"),
            at=instant(row[25:32]),
            city=row[32:34],
            acquirer=row[34:42],
        )

    def __bytes__(self) -> bytes:
        """The row as it is written; the limits of an unfinished ride stay zero, as at gates."""
        return b"".join(
            (
                bytes((self.kind,)),
                self.terminal,
                bytes((self.industry,)),
                self.line,
                self.station,
                self.operator,
                b"\x00",
                self.fen.to_bytes(4, "big"),
                self.balance_fen.to_bytes(4, "big"),
                bcd_time(self.at),
                self.city,
                self.acquirer,
                bytes(6),
            )
        )


INSIDE, OUTSIDE = 0x55, 0x66


@dataclass(frozen=True, slots=True)
class RailRecord:
    """The rail record of file 001A, as far as a gate uses it; `raw` keeps everything else.

    `inside`: the card went in and has not come out. `entered_at` and `left_at` are the last entry
    and exit, `entry_station` and `exit_station` 8 bytes. `accumulated_fen` and `rides` are what the
    card has paid and how often in `month` (`transfer[:3]`, YYYYMM BCD, decided here: the layout of
    the five transfer bytes is the city's own), for discounts.
    """

    raw: bytes = field(repr=False)

    @classmethod
    def parse(cls, record: bytes) -> RailRecord:
        """The record; one whose CRC is wrong counts as empty (facts A2)."""
        if len(record) != RAIL_LENGTH:
            raise MalformedData(f"the rail record has {len(record)} bytes")
        good = zlib.crc32(record[6:124]).to_bytes(4, "big") == record[124:]
        return cls(record if good else empty_rail(record[:6]).raw)

    def __bytes__(self) -> bytes:
        return self.raw

    @property
    def inside(self) -> bool:
        """Whether the card is inside the gates."""
        return self.raw[122] == INSIDE

    @property
    def entry_station(self) -> bytes:
        """Where it last went in."""
        return self.raw[35:43]

    @property
    def exit_station(self) -> bytes:
        """Where it last came out."""
        return self.raw[43:51]

    @property
    def entry_device(self) -> bytes:
        """The device it last went in by."""
        return self.raw[51:59]

    @property
    def exit_device(self) -> bytes:
        """The device it last came out by, or rode with."""
        return self.raw[59:67]

    @property
    def entered_at(self) -> datetime | None:
        """When it last went in."""
        return instant(self.raw[67:74])

    @property
    def left_at(self) -> datetime | None:
        """When it last came out."""
        return instant(self.raw[74:81])

    @property
    def last_fen(self) -> int:
        """What the last ride cost."""
        return int.from_bytes(self.raw[95:99], "big")

    @property
    def accumulated_fen(self) -> int:
        """What was paid in `month`."""
        return int.from_bytes(self.raw[110:113], "big")

    @property
    def rides(self) -> int:
        """How many rides there were in `month`."""
        return int.from_bytes(self.raw[113:115], "big")

    @property
    def month(self) -> str:
        """The month that `accumulated_fen` and `rides` are of, YYYYMM."""
        return self.raw[115:118].hex()

    def entered(
        self, *, station: bytes, device: bytes, line: int, city: bytes, at: datetime
    ) -> RailRecord:
        """The record after going in."""
        return self._with(
            {
                4: b"\x01",
                14: b"\x01",
                15: city,
                35: station,
                51: device,
                67: bcd_time(at),
                85: bytes((line,)),
                99: bcd_time(at),
                106: device[-4:],
                122: bytes((INSIDE,)),
            }
        )

    def with_entry(self, fen: int, balance_fen: int) -> RailRecord:
        """The record with what was debited at the entry, and the balance after it."""
        money = {87: fen.to_bytes(4, "big"), 91: balance_fen.to_bytes(4, "big")}
        return self._with(money)

    def left(
        self, *, station: bytes, device: bytes, line: int, city: bytes, at: datetime, fen: int
    ) -> RailRecord:
        """The record after coming out, or after a single ride, with the month's sums counted on."""
        month = f"{at.astimezone(_SHANGHAI):%Y%m}"
        same = month == self.month
        paid = (self.accumulated_fen if same else 0) + fen
        rides = (self.rides if same else 0) + 1
        return self._with(
            {
                4: b"\x01",
                14: b"\x02",
                17: city,
                43: station,
                59: device,
                74: bcd_time(at),
                86: bytes((line,)),
                95: fen.to_bytes(4, "big"),
                99: bcd_time(at),
                106: device[-4:],
                110: min(paid, 0xFFFFFF).to_bytes(3, "big"),
                113: min(rides, 0xFFFF).to_bytes(2, "big"),
                115: bytes.fromhex(month),
                122: bytes((OUTSIDE,)),
            }
        )

    def _with(self, changes: dict[int, bytes]) -> RailRecord:
        record = bytearray(self.raw)
        for at, value in changes.items():
            record[at : at + len(value)] = value
        record[124:] = zlib.crc32(record[6:124]).to_bytes(4, "big")
        return replace(self, raw=bytes(record))


def empty_rail(head: bytes = b"\x00\x00\x00\x7c\x00\x00") -> RailRecord:
    """A rail record of a card that was never inside; `head` is its first six bytes."""
    record = bytearray(head.ljust(RAIL_LENGTH, b"\x00"))
    record[124:] = zlib.crc32(record[6:124]).to_bytes(4, "big")
    return RailRecord(bytes(record))


def bcd_time(at: datetime | None) -> bytes:
    """YYYYMMDDhhmmss in Shanghai, 7 bytes BCD; zeros for none."""
    return bytes(7) if at is None else bytes.fromhex(f"{at.astimezone(_SHANGHAI):%Y%m%d%H%M%S}")


def instant(raw: bytes) -> datetime | None:
    """The instant that 7 bytes BCD of Shanghai time mean; None where they mean none."""
    try:
        return datetime.strptime(raw.hex(), "%Y%m%d%H%M%S").replace(tzinfo=_SHANGHAI)
    except ValueError:
        return None
