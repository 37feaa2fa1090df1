"""A reader on a serial line, with SAM slots, in the ACS framing: the other end of `readers/serial`.

Slots are keyed by SAM interface (0 to 2) and slot number; (0, 0) is where the holder's card goes.
`upset` prepares what goes wrong next on the line: a frame that does not arrive, an answer that
arrives broken, silence.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from enum import Enum, auto
from pathlib import Path

from apdu.readers.acs_frames import (
    DATA_MAX,
    HEADER_SIZE,
    INTERFACES,
    Acknowledgement,
    Message,
    MessageType,
    checksum,
    data_length,
    frame,
    parse_message,
    status_frame,
)
from apdu.readers.inprocess import Chip
from apdu.status import CardRemoved, ReaderError
from simulator.pty_device import PtyDevice

Place = tuple[int, int]
"""SAM interface and slot."""

_STARTS = {0x02 + (interface << 4): interface for interface in range(INTERFACES)}
_ACTIVE, _INACTIVE, _EMPTY, _FAILED, _MORE_TIME = 0x00, 0x01, 0x02, 0x40, 0x80
_MUTE = 0xFE
_MESSAGES = frozenset(
    {
        MessageType.POWER_ON,
        MessageType.POWER_OFF,
        MessageType.SLOT_STATUS_QUERY,
        MessageType.EXCHANGE,
    }
)


class Upset(Enum):
    """Something that goes wrong once."""

    REFUSE = auto()  # the frame arrived broken, as the reader says
    SILENT_STATUS = auto()  # the reader takes the frame and does not say so
    NOISE = auto()  # bytes that are no frame before the answer
    BROKEN_ANSWER = auto()  # the answer's checksum is wrong
    LOST_ANSWER = auto()  # the answer does not arrive
    MORE_TIME = auto()  # the reader asks for time before the answer
    STALE = auto()  # an answer to an earlier question comes first
    UNPLUG = auto()  # the device goes away once the command was carried out


class SerialReaderDevice:
    """The device: its line, its slots, its last answer. Every method is thread-safe."""

    def __init__(
        self,
        path: Path,
        slots: tuple[Place, ...] = ((0, 0), (0, 1)),
        *,
        knows_presence: bool = True,
    ) -> None:
        """`knows_presence`: whether it answers slot status; a SAM interface alone does not."""
        self.line = PtyDevice(path, self._serve)
        self._slots: dict[Place, Chip | None] = dict.fromkeys(slots)
        self._powered: set[Place] = set()
        self._knows_presence = knows_presence
        self._last: Mapping[int, bytes] = {}
        self._upsets: deque[Upset] = deque()
        self._lock = threading.RLock()
        self.executed = 0
        """How many commands reached a card."""

    def __enter__(self) -> SerialReaderDevice:
        self.line.plug()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    @property
    def occupied(self) -> bool:
        """Whether a card is in the holder's slot."""
        return self._slots[0, 0] is not None

    def insert(self, chip: Chip, place: Place = (0, 0)) -> None:
        """Put a card in. Raises `ReaderError` when there is one."""
        with self._lock:
            if self._slots[place] is not None:
                raise ReaderError("there is a card in the slot already")
            self._slots[place] = chip

    def remove(self, place: Place = (0, 0)) -> Chip | None:
        """Take the card out, after the command it may be executing; None without one."""
        with self._lock:
            chip, self._slots[place] = self._slots[place], None
            self._powered.discard(place)
        if chip is not None:
            chip.power_off()
        return chip

    def upset(self, *what: Upset) -> None:
        """What goes wrong with the next frames, one a frame."""
        self._upsets.extend(what)

    def plug(self) -> None:
        """Bring the device up; its cards have no power yet."""
        self.line.plug()

    def unplug(self) -> None:
        """Take the device away; its cards lose their power."""
        self.line.unplug()
        with self._lock:
            for place in self._powered:
                chip = self._slots[place]
                if chip is not None:
                    chip.power_off()
            self._powered.clear()

    def _serve(self, line: PtyDevice) -> None:
        while True:
            start = line.read(1)[0]
            if start in _STARTS:
                self._frame(line, _STARTS[start])

    def _frame(self, line: PtyDevice, interface: int) -> None:
        header = line.read(HEADER_SIZE)
        length = data_length(header)
        if not any(header):  # the request to repeat: eleven zeros
            line.read(2)
            line.write(dict(self._last).get(interface, b""))
            return
        if length > DATA_MAX:
            line.write(status_frame(Acknowledgement.TOO_LONG, interface))
            return
        body, end = header + line.read(length), line.read(2)
        upset = self._upsets.popleft() if self._upsets else None
        status = self._judged(body, end, interface, upset)
        if upset is not Upset.SILENT_STATUS:
            line.write(status_frame(status, interface))
        if status is Acknowledgement.TAKEN:
            self._answer(line, parse_message(body), interface, upset)

    def _judged(
        self, body: bytes, end: bytes, interface: int, upset: Upset | None
    ) -> Acknowledgement:
        if upset is Upset.REFUSE or end[0] != checksum(body):
            return Acknowledgement.WRONG_CHECKSUM
        if end[1] != 0x03 + (interface << 4):
            return Acknowledgement.NO_ETX
        known = (interface, body[5]) in self._slots
        return Acknowledgement.TAKEN if known else Acknowledgement.NO_SUCH_SLOT

    def _answer(
        self, line: PtyDevice, question: Message, interface: int, upset: Upset | None
    ) -> None:
        answer = frame(self._carried_out(question, interface), interface)
        self._last = {**self._last, interface: answer}
        if upset is Upset.UNPLUG:
            self.unplug()
        elif upset is Upset.NOISE:
            line.write(b"\x00\xff\x02\x77noise" + answer)
        elif upset is Upset.BROKEN_ANSWER:
            line.write(answer[:-2] + bytes((answer[-2] ^ 0xFF, answer[-1])))
        elif upset is Upset.MORE_TIME:
            wait = Message(MessageType.DATA, question.slot, question.sequence, b"\x80\x01\x00")
            line.write(frame(wait, interface) + answer)
        elif upset is Upset.STALE:
            old = Message(MessageType.DATA, question.slot, question.sequence ^ 0xFF)
            moved = Message(MessageType.SLOT_CHANGE, question.slot, question.sequence)
            line.write(frame(moved, interface) + frame(old, interface) + answer)
        elif upset is not Upset.LOST_ANSWER:
            line.write(answer)

    def _carried_out(self, question: Message, interface: int) -> Message:
        place = (interface, question.slot)
        with self._lock:
            chip = self._slots[place]
            if question.type not in _MESSAGES or (
                question.type == MessageType.SLOT_STATUS_QUERY and not self._knows_presence
            ):
                return _reply(question, _FAILED | _INACTIVE)
            if chip is None:
                return _reply(question, _FAILED | _EMPTY, _MUTE)
            if question.type == MessageType.EXCHANGE:
                return self._exchanged(question, place, chip)
            if question.type == MessageType.POWER_ON:
                self._powered.add(place)
                return _reply(question, _ACTIVE, data=chip.power_on())
            if question.type == MessageType.POWER_OFF:
                self._powered.discard(place)
                chip.power_off()
            return _reply(question, _ACTIVE if place in self._powered else _INACTIVE)

    def _exchanged(self, question: Message, place: Place, chip: Chip) -> Message:
        if place not in self._powered:
            return _reply(question, _FAILED | _INACTIVE, _MUTE)
        self.executed += 1
        try:
            return _reply(question, _ACTIVE, data=chip.transmit(question.data))
        except CardRemoved:
            self._powered.discard(place)
            return _reply(question, _FAILED | _INACTIVE, _MUTE)


def _reply(question: Message, status: int, error: int = 0, data: bytes = b"") -> Message:
    brings_data = question.type in (MessageType.POWER_ON, MessageType.EXCHANGE)
    kind = MessageType.DATA if brings_data else MessageType.SLOT_STATUS
    return Message(kind, question.slot, question.sequence, bytes((status, error, 0)), data)
