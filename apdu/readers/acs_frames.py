"""The serial framing of ACS readers (ACR122S, ACR122L, ACR1281S; facts B5).

    STX  header 10  data  XOR of header and data  ETX

The header is CCID's: message type, length 4 (little-endian), slot, sequence number, three bytes of
its own. What the host sends is acknowledged at once by a status frame, `STX status status ETX`;
the answer follows when it is ready. A host that got the answer broken asks for it again with
eleven zeros between STX and ETX. STX and ETX are 02 and 03; those of the second and third SAM
interface are 12 and 13, 22 and 23.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import reduce
from operator import xor

HEADER_SIZE = 10
DATA_MAX = 0x0105
"""The manuals' bound on the data of one message: an extended-free APDU of 261 bytes."""

INTERFACES = 3
_STX, _ETX = 0x02, 0x03


class MessageType(IntEnum):
    """The messages that are used: four of the host's, three of the reader's."""

    POWER_ON = 0x62
    POWER_OFF = 0x63
    SLOT_STATUS_QUERY = 0x65
    EXCHANGE = 0x6F
    DATA = 0x80
    SLOT_STATUS = 0x81
    SLOT_CHANGE = 0x50


FROM_READER = frozenset({MessageType.DATA, MessageType.SLOT_STATUS, MessageType.SLOT_CHANGE})


class Acknowledgement(IntEnum):
    """What a status frame says of the frame that the host sent."""

    TAKEN = 0x00
    WRONG_CHECKSUM = 0xFF
    TOO_LONG = 0xFE
    NO_ETX = 0xFD
    NOT_COMPLETE = 0xFC
    NO_SUCH_SLOT = 0xFB
    TOO_SLOW = 0x99


AGAIN = frozenset(
    {
        Acknowledgement.WRONG_CHECKSUM,
        Acknowledgement.NO_ETX,
        Acknowledgement.NOT_COMPLETE,
        Acknowledgement.TOO_SLOW,
    }
)
"""The line's fault: the frame was not taken, and may be sent once more."""


class Broken(Exception):
    """A frame came, but its checksum or its end is wrong: it can be asked for again."""


class Silence(Exception):
    """No whole frame came in time."""


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """One message: `specific` are the last three bytes of its header."""

    type: int
    slot: int
    sequence: int
    specific: bytes = b"\x00\x00\x00"
    data: bytes = b""

    def __bytes__(self) -> bytes:
        length = len(self.data).to_bytes(4, "little")
        return bytes((self.type,)) + length + bytes((self.slot, self.sequence)) + self._rest

    @property
    def _rest(self) -> bytes:
        return self.specific + self.data

    def __repr__(self) -> str:
        return f"Message({self.type:02X}, slot {self.slot}, {len(self.data)} bytes)"


def frame(message: Message, interface: int = 0) -> bytes:
    """The bytes of `message` on the line."""
    body = bytes(message)
    shift = interface << 4
    return bytes((_STX + shift,)) + body + bytes((checksum(body), _ETX + shift))


def status_frame(status: int, interface: int = 0) -> bytes:
    """The reader's immediate answer to a frame."""
    shift = interface << 4
    return bytes((_STX + shift, status, status, _ETX + shift))


def repeat_request(interface: int = 0) -> bytes:
    """What asks for the last answer once more."""
    shift = interface << 4
    return bytes((_STX + shift,)) + bytes(HEADER_SIZE + 1) + bytes((_ETX + shift,))


def checksum(body: bytes) -> int:
    """The XOR over header and data."""
    return reduce(xor, body, 0)


def parse_message(body: bytes) -> Message:
    """The message with this header and data, whose length has been checked."""
    return Message(body[0], body[5], body[6], body[7:HEADER_SIZE], body[HEADER_SIZE:])


def data_length(header: bytes) -> int:
    """How many bytes of data follow a header."""
    return int.from_bytes(header[1:5], "little")


def receive(read: Callable[[int], bytes], interface: int = 0) -> Message | Acknowledgement:
    """The next frame of the reader; whatever is none is passed over.

    `read(n)` gives exactly n bytes, or raises `Silence` when they do not come in time. Raises
    `Broken` for a message whose checksum or end is wrong.
    """
    shift = interface << 4
    while True:
        if read(1)[0] != _STX + shift:
            continue
        kind = read(1)[0]
        if kind in FROM_READER:
            return _message(read, kind, _ETX + shift)
        if kind in Acknowledgement.__members__.values() and read(2) == bytes((kind, _ETX + shift)):
            return Acknowledgement(kind)


def _message(read: Callable[[int], bytes], kind: int, etx: int) -> Message:
    header = bytes((kind,)) + read(HEADER_SIZE - 1)
    length = data_length(header)
    if length > DATA_MAX:
        raise Broken(f"{length} bytes are longer than any message")
    data, end = read(length), read(2)
    if end != bytes((checksum(header + data), etx)):
        raise Broken("the checksum or the end is wrong")
    return parse_message(header + data)
