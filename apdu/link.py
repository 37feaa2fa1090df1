"""How long an exchange takes on the line: T=0 over contacts, T=CL over the air.

A model of the line alone. What the card needs to compute or to write, and what reader, cable and
operating system add, is not in it; so it is a lower bound, good for comparing ways of reading.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from apdu.command import Command
from apdu.connection import Connection
from apdu.layers import Layer

HEADER = 5
"""T=0 sends CLA INS P1 P2 P3 with every command (ISO/IEC 7816-3, 10.3.2)."""

STATUS = 2
"""SW1 SW2."""

PROCEDURE = 1
"""The card answers INS before data go either way (ISO/IEC 7816-3, 10.3.3)."""

ETU_A_CHARACTER = 12
"""Start bit, 8 data bits, parity, and 2 etu of guard time (7816-3, 7.2; TC1 = 00, facts 1.1)."""

ETU_A_TURN = 4
"""Between characters in opposite directions lie 16 etu instead of 12 (7816-3, 10.2)."""

CARRIER = 13_560_000
"""Hz; at the lowest rate a bit takes 128 periods of it: 106 kbit/s (ISO/IEC 14443-2)."""

BITS_A_BYTE = 9
"""8 data bits and odd parity (ISO/IEC 14443-3, type A)."""

BITS_A_FRAME = 2
"""Start and end of communication."""

BLOCK_OVERHEAD = 3
"""PCB 1 and CRC 2 around each block (ISO/IEC 14443-4, 7.1); neither CID nor NAD."""

BLOCK_MAX = 256
"""FSC and FSD: the card's ATS says FSCI 8 (facts 1.3), readers offer as much."""

FRAME_DELAY = 1172 / CARRIER
"""Seconds from a frame to the next in the other direction, at least (ISO/IEC 14443-3, 6.2.1.1)."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The lengths of one command and its answer: data bytes out and in, and whether Le was sent."""

    sent: int
    received: int
    has_le: bool

    @classmethod
    def of(cls, command: bytes, answer: bytes) -> Exchange:
        """The lengths in a command and a response APDU. Raises `MalformedApdu`."""
        parsed = Command.parse(command)
        return cls(len(parsed.data), max(len(answer) - STATUS, 0), parsed.le is not None)

    @property
    def size(self) -> int:
        """The bytes of both APDUs, short form, status word included."""
        body = 1 + self.sent if self.sent else 0
        return HEADER - 1 + body + self.has_le + self.received + STATUS


class Link(Protocol):
    """A line of a certain kind and speed."""

    @property
    def name(self) -> str:
        """What to call it in a table."""
        ...

    def seconds(self, exchange: Exchange) -> float:
        """How long one exchange takes."""
        ...


@dataclass(frozen=True, slots=True)
class ContactLink:
    """T=0 at `baud` bits a second."""

    baud: int

    @property
    def name(self) -> str:
        """See `Link`."""
        return f"T=0 {self.baud}"

    def seconds(self, exchange: Exchange) -> float:
        """See `Link`. An answer to a command with data comes by GET RESPONSE, of its own."""
        sent, received = exchange.sent, exchange.received
        if sent and received:
            first = Exchange(sent, 0, has_le=False)
            return self.seconds(first) + self.seconds(Exchange(0, received, has_le=True))
        characters = HEADER + STATUS + sent + received
        if sent or received:
            characters += PROCEDURE
        turns = 4 if sent else 2  # the last of them before the next command
        return (characters * ETU_A_CHARACTER + turns * ETU_A_TURN) / self.baud


@dataclass(frozen=True, slots=True)
class ContactlessLink:
    """T=CL, type A, in both directions at 106 kbit/s times `factor` (1, 2, 4, 8)."""

    factor: int = 1

    @property
    def name(self) -> str:
        """See `Link`."""
        return f"T=CL {round(CARRIER * self.factor / 128_000)}"

    def seconds(self, exchange: Exchange) -> float:
        """See `Link`. Waiting times that the card asks for (FWT, S(WTX)) are not in it."""
        answer = exchange.received + STATUS
        return self._chained(exchange.size - answer) + self._chained(answer)

    def _chained(self, size: int) -> float:
        """One direction: blocks of at most `BLOCK_MAX`, all but the last one acknowledged."""
        room = BLOCK_MAX - BLOCK_OVERHEAD
        blocks = -(-size // room)
        acknowledged = blocks - 1
        total = size + (blocks + acknowledged) * BLOCK_OVERHEAD
        bits = total * BITS_A_BYTE + (blocks + acknowledged) * BITS_A_FRAME
        return bits * 128 / (CARRIER * self.factor) + (blocks + acknowledged) * FRAME_DELAY


LINKS: tuple[Link, ...] = (
    *map(ContactLink, (9600, 19200, 38400, 57600, 115200)),
    *map(ContactlessLink, (1, 2, 4, 8)),
)
"""The speeds that cards and readers agree on."""


def milliseconds(exchanges: Iterable[Exchange], link: Link) -> float:
    """How long these exchanges take on `link`."""
    return 1000 * sum(map(link.seconds, exchanges))


class Measured(Layer):
    """Notes the lengths of every exchange with the card."""

    def __init__(self, below: Connection) -> None:
        super().__init__(below)
        self.exchanges: list[Exchange] = []

    def transmit(self, command: bytes) -> bytes:
        """Send a command and note it with its answer."""
        answer = self._transmit(command)
        self.exchanges.append(Exchange.of(command, answer))
        return answer
