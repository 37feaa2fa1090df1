"""PIN pads that are not there, each on a pseudo-terminal: an encrypting and a plain one."""

from __future__ import annotations

import os
import tty
from abc import ABC, abstractmethod
from collections.abc import Callable
from threading import Condition, Thread

from terminal.devices.pin_pad import (
    CANCELLED,
    CLOSE,
    GET_PIN,
    LOAD_WORK_KEY,
    OK,
    OPEN,
    decrypt,
    encrypt,
    frame,
    unframe,
)

_KEYS = {"enter": 0x0D, "erase": 0x08, "cancel": 0x1B}
PAD_KEYS = frozenset({*"0123456789", *_KEYS})
"""What can be pressed."""

_STX, _ETX = 0x02, 0x03


class SimulatedPad(ABC):
    """What both have in common: a line, and keys that somebody presses.

    `device` is the path that the terminal opens as its serial line. `wanted` says whether the pad
    takes keys now. With `silent` it answers nothing, like one that has lost its power.
    """

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.device = os.ttyname(self._slave)
        self.silent = False
        self.wanted = False
        self._changed = Condition()
        self._thread = Thread(target=self._listen, name="simulated-pad", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take the pad away."""
        os.close(self._slave)
        self._thread.join()
        os.close(self._master)

    def press(self, key: str) -> None:
        """Press a digit, "enter", "erase" or "cancel", once the pad takes keys."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.wanted, 10):
                raise TimeoutError("nobody asked for a PIN")
            self._pressed(_KEYS.get(key) or ord(key))

    def type(self, digits: str) -> None:
        """Press these digits, then Enter."""
        for digit in digits:
            self.press(digit)
        self.press("enter")

    def _want(self, wanted: bool) -> None:
        with self._changed:
            self.wanted = wanted
            self._changed.notify_all()

    def _send(self, data: bytes) -> None:
        if not self.silent:
            os.write(self._master, data)

    def _listen(self) -> None:
        while True:
            try:
                data = os.read(self._master, 256)
            except OSError:
                return
            for byte in data:
                self._heard(byte)

    @abstractmethod
    def _heard(self, byte: int) -> None:
        """A byte from the terminal."""

    @abstractmethod
    def _pressed(self, key: int) -> None:
        """A key from whoever types."""


class SimulatedPlainPad(SimulatedPad):
    """Sends what is typed as it is typed (card facts 8.4)."""

    def _heard(self, byte: int) -> None:
        if byte in OPEN + CLOSE:
            self._want(byte in OPEN)

    def _pressed(self, key: int) -> None:
        self._send(bytes((key,)))
        if key == _KEYS["enter"]:
            self.wanted = False


class SimulatedEncryptingPad(SimulatedPad):
    """Gives a PIN as an encrypted block only. `random(n)` gives its filler."""

    def __init__(self, master_key: bytes, random: Callable[[int], bytes]) -> None:
        self._key = master_key
        self._random = random
        self._work_key = b""
        self._frame = bytearray()
        self._digits = bytearray()
        self._longest = 0
        super().__init__()

    def _heard(self, byte: int) -> None:
        if byte == _STX:
            self._frame = bytearray()
        elif byte == _ETX:
            self._command(*unframe(bytes(self._frame)))
        else:
            self._frame.append(byte)

    def _command(self, command: int, _state: int, data: bytes) -> None:
        if command == LOAD_WORK_KEY:
            self._work_key = decrypt(self._key, data)
            self._send(frame(command, OK, b""))
        elif command == GET_PIN:
            self._digits = bytearray()
            self._longest = data[1]
            self._want(True)

    def _pressed(self, key: int) -> None:
        if key == _KEYS["cancel"]:
            self.wanted = False
            self._send(frame(GET_PIN, CANCELLED, b""))
        elif key == _KEYS["erase"]:
            del self._digits[-1:]
        elif key == _KEYS["enter"]:
            self.wanted = False
            self._send(frame(GET_PIN, OK, encrypt(self._work_key, self._block())))
        elif len(self._digits) < self._longest:
            self._digits.append(key)

    def _block(self) -> bytes:
        """ISO 9564-1 format 1: control and length, the digits, filler."""
        nibbles = f"1{len(self._digits):X}{self._digits.decode()}{self._random(8).hex()}"
        return bytes.fromhex(nibbles[:16])
