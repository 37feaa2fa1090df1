"""The PIN pad beside the reader, on a serial line.

`EncryptingPad` gives an ISO 9564-1 block, format 1, encrypted under a key that is new for every
PIN; the framing is the documented one of facts B5: 02, then command, state, length (2), data and
their XOR with every byte as two ASCII nibbles, then 03. `PlainPad` sends digits as they are typed
(card facts 8.4); the settings allow it only where pad and reader share one tamper-responsive
housing. Whatever is typed is told to the inbox; the buffers are wiped.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import reduce
from operator import xor
from threading import Event, Thread
from typing import Protocol

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from apdu.pin import Pin
from apdu.status import PinFormat
from terminal.errors import ConfigurationError, PinPadError
from terminal.settings import PinPadSettings

log = logging.getLogger(__name__)

LOAD_WORK_KEY, GET_PIN = 0x41, 0x44
OK, CANCELLED, TIMED_OUT = 0x00, 0x15, 0x80
OPEN, CLOSE = b"\x82", b"\x83"
_STX, _ETX = 0x02, 0x03
_LONGEST_FRAME = 512
_KEY_SIZE = 16
_BLOCK_SIZE = 8
_FORMAT_1 = 0x1
_ENTER, _ERASE, _CANCEL = 0x0D, 0x08, 0x1B


class Port(Protocol):
    """A serial line, as pyserial has it. `read` gives nothing when its time-out passes."""

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes."""
        ...

    def write(self, data: bytes) -> int | None:
        """Send."""
        ...

    def reset_input_buffer(self) -> None:
        """Drop what came and was not read."""
        ...

    def cancel_read(self) -> None:
        """Have a read that waits return."""
        ...

    def close(self) -> None:
        """Give the line back."""
        ...


class Listener(Protocol):
    """Who hears what happens on the pad."""

    def keys(self, count: int) -> None:
        """So many digits have been typed."""
        ...

    def pin(self, pin: Pin) -> None:
        """The PIN; the listener wipes it."""
        ...

    def cancelled(self) -> None:
        """Cancel was pressed."""
        ...

    def failed(self, error: Exception) -> None:
        """The pad does not work."""
        ...


class _Pad(ABC):
    """What both pads share: a line that is opened for one PIN, and a thread that listens."""

    def __init__(self, connect: Callable[[], Port], listener: Listener) -> None:
        self._connect = connect
        self._listener = listener
        self._port: Port | None = None
        self._thread: Thread | None = None
        self._stopping = Event()

    def ask(self, shortest: int, longest: int) -> None:
        """See `PinPad.ask`. Raises `PinPadError`."""
        self.stop()
        self._stopping = Event()
        port = self._opened()
        self._port = port
        self._thread = Thread(
            target=self._listen, args=(port, shortest, longest), name="pin-pad", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """See `PinPad.stop`."""
        self._stopping.set()
        port, self._port = self._port, None
        thread, self._thread = self._thread, None
        if port is None:
            return
        try:
            self._dismiss(port)
            port.cancel_read()
        except Exception as error:
            log.info("the PIN pad was not told to stop: %s", type(error).__name__)
        if thread is not None:
            thread.join()
        try:
            port.close()
        except Exception as error:
            log.info("the PIN pad's line did not close: %s", type(error).__name__)

    def _opened(self) -> Port:
        try:
            port = self._connect()
            port.reset_input_buffer()
        except Exception as error:
            raise PinPadError(f"its line does not open: {type(error).__name__}") from error
        return port

    def _listen(self, port: Port, shortest: int, longest: int) -> None:
        try:
            self._take(port, shortest, longest)
        except PinPadError as error:
            self._fail(error)
        except Exception as error:
            self._fail(PinPadError(f"{type(error).__name__}"))

    def _fail(self, error: PinPadError) -> None:
        if not self._stopping.is_set():
            self._listener.failed(error)

    def _read(self, port: Port) -> int:
        """The next byte; waits for it. Raises `_Stopped`."""
        while not self._stopping.is_set():
            data = port.read(1)
            if data:
                return data[0]
        raise _Stopped

    @abstractmethod
    def _take(self, port: Port, shortest: int, longest: int) -> None:
        """Talk to the pad until there is a PIN, or none is wanted any more."""

    def _dismiss(self, port: Port) -> None:  # noqa: B027 - not every pad wants to be told
        """Tell the pad that nothing is wanted any more."""


class _Stopped(Exception):
    """Nobody wants the PIN any more."""


class PlainPad(_Pad):
    """A pad in the same housing as the reader: digits in clear, Enter ends (card facts 8.4)."""

    def _take(self, port: Port, shortest: int, longest: int) -> None:
        port.write(OPEN)
        digits = bytearray()
        try:
            while True:
                key = self._read(port)
                if key == _CANCEL:
                    self._listener.cancelled()
                    return
                if key == _ENTER and len(digits) >= shortest:
                    self._listener.pin(Pin(digits))
                    return
                if key == _ERASE:
                    del digits[-1:]
                elif 0x30 <= key <= 0x39 and len(digits) < longest:
                    digits.append(key)
                self._listener.keys(len(digits))
        except _Stopped:
            return
        finally:
            digits[:] = bytes(len(digits))

    def _dismiss(self, port: Port) -> None:
        port.write(CLOSE)


class EncryptingPad(_Pad):
    """A pad that never gives a PIN in clear. `master_key` (16 bytes) is in the pad too.

    `random(n)` gives n unpredictable bytes: each PIN has a work key of its own, sent to the pad
    under the master key.
    """

    def __init__(
        self,
        connect: Callable[[], Port],
        listener: Listener,
        *,
        master_key: bytes,
        random: Callable[[int], bytes],
        seconds: int,
    ) -> None:
        if len(master_key) != _KEY_SIZE:
            raise ConfigurationError("[pin_pad] key_file must hold 32 hex digits")
        super().__init__(connect, listener)
        self._master = master_key
        self._random = random
        self._seconds = seconds

    def _take(self, port: Port, shortest: int, longest: int) -> None:
        work_key = bytearray(self._random(_KEY_SIZE))
        try:
            port.write(frame(LOAD_WORK_KEY, OK, encrypt(self._master, bytes(work_key))))
            state, _ = self._answer(port, LOAD_WORK_KEY)
            if state != OK:
                raise PinPadError(f"it does not take a work key: {state:02X}")
            port.write(frame(GET_PIN, OK, bytes((shortest, longest, self._seconds))))
            state, data = self._answer(port, GET_PIN)
            if state in (CANCELLED, TIMED_OUT):
                self._listener.cancelled()
            elif state != OK:
                raise PinPadError(f"it gives no PIN: {state:02X}")
            else:
                self._listener.pin(pin_of_block(decrypt(bytes(work_key), data)))
        except _Stopped:
            return
        finally:
            work_key[:] = bytes(_KEY_SIZE)

    def _answer(self, port: Port, command: int) -> tuple[int, bytes]:
        """State and data of the next frame that answers `command`."""
        while True:
            while self._read(port) != _STX:
                pass
            inner = bytearray()
            while (byte := self._read(port)) != _ETX:
                inner.append(byte)
                if len(inner) > _LONGEST_FRAME:
                    raise PinPadError("an answer without an end")
            answered, state, data = unframe(bytes(inner))
            if answered == command:
                return state, data


def frame(command: int, state: int, data: bytes) -> bytes:
    """A whole frame: 02, the rest as ASCII nibbles, 03."""
    inner = bytes((command, state)) + len(data).to_bytes(2, "big") + data
    inner += bytes((reduce(xor, inner),))
    return bytes((_STX,)) + inner.hex().upper().encode() + bytes((_ETX,))


def unframe(nibbles: bytes) -> tuple[int, int, bytes]:
    """Command, state and data of what stood between 02 and 03. Raises `PinPadError`."""
    try:
        inner = bytes.fromhex(nibbles.decode("ascii"))
    except ValueError:
        raise PinPadError("a frame that is not made of nibbles") from None
    if len(inner) < 5 or reduce(xor, inner) or int.from_bytes(inner[2:4], "big") != len(inner) - 5:
        raise PinPadError("a frame with a wrong length or check byte")
    return inner[0], inner[1], inner[4:-1]


def pin_of_block(block: bytes) -> Pin:
    """The PIN in an ISO 9564-1 format 1 block: 1, length, digits, filler. Raises `PinPadError`."""
    nibbles = bytearray(_BLOCK_SIZE * 2)
    try:
        for at, byte in enumerate(block[:_BLOCK_SIZE]):
            nibbles[2 * at : 2 * at + 2] = bytes((byte >> 4, byte & 0xF))
        length = nibbles[1]
        digits = bytearray(0x30 | nibble for nibble in nibbles[2 : 2 + length])
        try:
            if len(block) != _BLOCK_SIZE or nibbles[0] != _FORMAT_1 or len(digits) != length:
                raise PinPadError("not a PIN block of format 1")
            return Pin(digits)
        except PinFormat:
            raise PinPadError("a PIN block that holds no PIN") from None
        finally:
            digits[:] = bytes(len(digits))
    finally:
        nibbles[:] = bytes(len(nibbles))


def encrypt(key: bytes, data: bytes) -> bytes:
    """3DES with a key of two halves (16 bytes), block by block."""
    encryptor = Cipher(TripleDES(key + key[:8]), modes.ECB()).encryptor()  # noqa: S305 - single blocks
    return encryptor.update(data) + encryptor.finalize()


def decrypt(key: bytes, data: bytes) -> bytes:
    """The inverse of `encrypt`. Raises `PinPadError` for anything but whole blocks."""
    if not data or len(data) % _BLOCK_SIZE:
        raise PinPadError("an answer that is no whole block")
    decryptor = Cipher(TripleDES(key + key[:8]), modes.ECB()).decryptor()  # noqa: S305 - single blocks
    return decryptor.update(data) + decryptor.finalize()


def open_pin_pad(
    settings: PinPadSettings, listener: Listener, random: Callable[[int], bytes]
) -> PlainPad | EncryptingPad | None:
    """The pad that the settings describe, None where there is none.

    Raises `ConfigurationError` when its key cannot be read.
    """

    def connect() -> Port:
        from serial import Serial

        port: Port = Serial(settings.device, settings.baud, timeout=None, exclusive=True)
        return port

    if settings.kind == "plain":
        return PlainPad(connect, listener)
    if settings.kind == "encrypting":
        seconds = int(settings.timeout.total_seconds())
        key = _master_key(settings)
        return EncryptingPad(connect, listener, master_key=key, random=random, seconds=seconds)
    return None


def _master_key(settings: PinPadSettings) -> bytes:
    if settings.key_file is None:
        raise ConfigurationError("[pin_pad] kind = encrypting needs key_file")
    try:
        return bytes.fromhex(settings.key_file.read_text("ascii").strip())
    except (OSError, ValueError):
        raise ConfigurationError(
            f"[pin_pad] key_file: {settings.key_file} must hold 32 hex digits"
        ) from None
