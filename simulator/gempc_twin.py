"""A GemPC Twin on a pseudo terminal, for pcscd's own driver (libccidtwin; facts B5).

It shows that serial readers also work through PC/SC. The line carries `03 06`, a CCID message and
the XOR of it all; a frame that arrived broken is answered `03 15 16`. The reader echoes every
command before it answers. A T=0 card only: with T=1 the driver builds the blocks itself.
"""

from __future__ import annotations

import threading
from functools import reduce
from operator import xor
from pathlib import Path

from apdu.readers.inprocess import Chip
from apdu.status import CardRemoved, ReaderError
from simulator.pty_device import PtyDevice

DRIVER = Path("/usr/lib/pcsc/drivers/serial/libccidtwin.so")
FIRMWARE = b"GemTwin-V2.00-SSCT"

_SYNC, _ACK = 0x03, 0x06
_NAK_FRAME = b"\x03\x15\x16"
_HEADER_SIZE = 10
_LENGTH_MAX = 271

_POWER_ON, _POWER_OFF, _SLOT_STATUS, _EXCHANGE = 0x62, 0x63, 0x65, 0x6F
_GET_PARAMETERS, _SET_PARAMETERS, _ESCAPE = 0x6C, 0x61, 0x6B
_DATA, _STATUS, _PARAMETERS, _ESCAPED = 0x80, 0x81, 0x82, 0x83
_REPLY = {
    _POWER_ON: _DATA,
    _EXCHANGE: _DATA,
    _GET_PARAMETERS: _PARAMETERS,
    _SET_PARAMETERS: _PARAMETERS,
    _ESCAPE: _ESCAPED,
}
_ACTIVE, _INACTIVE, _EMPTY, _FAILED = 0x00, 0x01, 0x02, 0x40
_MUTE = 0xFE
_ASK_FIRMWARE = b"\x02"
_T0_PARAMETERS = bytes.fromhex("1100000A00")


class GemPcTwin:
    """The reader and the card in it. Every method is thread-safe."""

    def __init__(self, path: Path) -> None:
        self.line = PtyDevice(path, self._serve)
        self._chip: Chip | None = None
        self._powered = False
        self._lock = threading.RLock()

    def __enter__(self) -> GemPcTwin:
        self.line.plug()
        return self

    def __exit__(self, *_: object) -> None:
        self.line.unplug()

    @property
    def occupied(self) -> bool:
        """Whether a card is in."""
        return self._chip is not None

    def insert(self, chip: Chip) -> None:
        """Put a T=0 card in. Raises `ReaderError` when there is one."""
        with self._lock:
            if self._chip is not None:
                raise ReaderError("there is a card in the reader already")
            self._chip = chip

    def remove(self) -> Chip | None:
        """Take the card out, after the command it may be executing; None without one."""
        with self._lock:
            chip, self._chip = self._chip, None
            self._powered = False
        if chip is not None:
            chip.power_off()
        return chip

    def _serve(self, line: PtyDevice) -> None:
        while True:
            if line.read(1)[0] != _SYNC or line.read(1)[0] != _ACK:
                continue
            header = line.read(_HEADER_SIZE)
            length = int.from_bytes(header[1:5], "little")
            if length > _LENGTH_MAX:
                line.write(_NAK_FRAME)
                continue
            message = header + line.read(length)
            whole = bytes((_SYNC, _ACK)) + message + line.read(1)
            if reduce(xor, whole):
                line.write(_NAK_FRAME)
                continue
            line.write(whole + _framed(self._carried_out(message)))

    def _carried_out(self, message: bytes) -> bytes:
        kind, sequence, data = message[0], message[6], message[_HEADER_SIZE:]
        status, error, answer = self._done(kind, data)
        reply = _REPLY.get(kind, _STATUS)
        head = bytes((reply,)) + len(answer).to_bytes(4, "little")
        return head + bytes((message[5], sequence, status, error, 0)) + answer

    def _done(self, kind: int, data: bytes) -> tuple[int, int, bytes]:
        """Status, error and data of the answer."""
        with self._lock:
            chip = self._chip
            idle = _EMPTY if chip is None else _ACTIVE if self._powered else _INACTIVE
            if kind == _ESCAPE:
                return idle, 0, FIRMWARE if data == _ASK_FIRMWARE else b"\x00"
            if kind in (_GET_PARAMETERS, _SET_PARAMETERS):
                return idle, 0, _T0_PARAMETERS
            if kind == _SLOT_STATUS:
                return idle, 0, b""
            if chip is None:
                return _FAILED | _EMPTY, _MUTE, b""
            return self._of_the_card(kind, data, chip)

    def _of_the_card(self, kind: int, data: bytes, chip: Chip) -> tuple[int, int, bytes]:
        if kind == _POWER_OFF:
            self._powered = False
            chip.power_off()
            return _INACTIVE, 0, b""
        try:
            if kind == _POWER_ON:
                atr = chip.power_on()
                self._powered = True
                return _ACTIVE, 0, atr
            if kind == _EXCHANGE and self._powered:
                return _ACTIVE, 0, chip.transmit(data)
        except CardRemoved:
            self._powered = False
        return _FAILED | _INACTIVE, _MUTE, b""


def _framed(message: bytes) -> bytes:
    body = bytes((_SYNC, _ACK)) + message
    return body + bytes((reduce(xor, body),))
