"""A software card in the real PC/SC service, through the vpcd driver (Debian: vsmartcard-vpcd).

The driver listens on a TCP port for a card. A connection is a card in the slot; a frame is two
bytes of length, big-endian, and as many bytes of payload. One-byte payloads are the driver's
signals to the card, longer ones are command APDUs (facts B5).

Two habits of the driver shape this file:

- It sends length and payload in two writes. A peer that acknowledges late makes every command
  wait some 48 ms for the second one, so acknowledgement at once is asked for before every read.
- It asks every 0.4 s whether the card is there. A connection that breaks in the middle of a command
  tells the driver, but not pcscd; if the next card connects before the next question, pcscd takes
  it for the card it knows. So after such a break an empty connection waits for the question first,
  and closes as its answer.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from apdu.readers.inprocess import Chip
from apdu.status import CardRemoved, ReaderError, ServiceUnavailable

log = logging.getLogger(__name__)

# The port of the driver's first slot, as Debian configures it; further slots follow upwards.
VPCD_PORT = 0x8C7B

_POWER_OFF, _POWER_ON, _RESET, _GET_ATR = b"\x00", b"\x01", b"\x02", b"\x04"

_CONNECT_SECONDS = 5.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 2.0

# Only Linux knows how to acknowledge at once; elsewhere commands are slow, but right.
_QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)


class VpcdUnavailable(ServiceUnavailable):
    """No vpcd driver listens on the port."""

    code = "VIRTUAL_READER_UNAVAILABLE"
    remedy = (
        "apt install pcscd vsmartcard-vpcd, then start the service (systemctl start pcscd); "
        "`ssct diagnose` shows what is missing."
    )


class _Disconnected(Exception):
    """The driver closed the connection, or `VirtualReader.stop` did."""


class _Gone(Exception):
    """The slot is empty: whoever asks gets no answer."""


@dataclass(slots=True, eq=False)
class _Stay:
    """One stay of a card in the slot."""

    chip: Chip
    atr: bytes
    powered: bool = False
    presented: bool = False
    refused: OSError | None = None


class VirtualReader:
    """Puts one `Chip` at a time into a slot of the vpcd driver; every method is thread-safe.

    Use it in a `with` block, or call `stop` in the end. While a card is in the slot and pcscd
    restarts, it is presented again as soon as the driver listens.
    """

    def __init__(
        self,
        port: int = VPCD_PORT,
        host: str = "127.0.0.1",
        *,
        connect: Callable[..., socket.socket] = socket.create_connection,
    ) -> None:
        self._address = (host, port)
        self._connect = connect
        self._changed = threading.Condition()  # guards everything below
        self._stay: _Stay | None = None
        self._unnoticed = False  # a card has left, and pcscd does not know yet
        self._stopping = False
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        # Whoever calls the chip. Reentrant, so that a chip may pull itself in mid-command.
        self._line = threading.RLock()

    def __enter__(self) -> VirtualReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def occupied(self) -> bool:
        """Whether a card is in the slot; one that lost its power has left it."""
        return self._stay is not None

    def insert(self, chip: Chip) -> None:
        """Put a card into the slot; pcscd notices within 0.4 s.

        Raises `ReaderError` when there is one already, `VpcdUnavailable` when no driver listens.
        """
        with self._line:
            stay = _Stay(chip, chip.power_on())
            chip.power_off()
        with self._changed:
            if self._stay is not None:
                raise ReaderError("there is a card in the virtual reader already")
            self._stay = stay
            self._start_thread()
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: stay.presented or stay.refused or self._stay is not stay, _CONNECT_SECONDS
            )
            if self._stay is stay and not stay.presented:
                self._stay = None
                host, port = self._address
                reason = stay.refused or "no answer in time"
                raise VpcdUnavailable(f"no virtual reader driver at {host}:{port}: {reason}")

    def remove(self) -> Chip | None:
        """Pull the card, in the middle of a command if need be, and return it; None without one.

        Its power goes off before this returns, after the command it may be executing.
        """
        with self._changed:
            stay, self._stay = self._stay, None
            self._changed.notify_all()
        if stay is None:
            return None
        with self._line:
            _power_off(stay)
        return stay.chip

    def stop(self) -> None:
        """Remove the card and end the connection and its thread. May be called more than once."""
        self.remove()
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            if self._socket is not None:
                with suppress(OSError):  # the driver may have hung up first
                    self._socket.shutdown(socket.SHUT_RDWR)
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _start_thread(self) -> None:
        if self._thread is None:
            self._stopping = False
            self._thread = threading.Thread(target=self._run, name="virtual-reader", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._stay or self._unnoticed)
                if self._stopping:
                    return
                # An empty connection comes first when pcscd has not noticed the last removal.
                stay = None if self._unnoticed else self._stay
            try:
                link = self._open()
            except OSError as error:
                self._refused(stay, error)
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping, pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                continue
            pause = _FIRST_PAUSE_SECONDS
            noticed = self._present(link, stay)
            with self._changed:
                self._unnoticed = not noticed

    def _open(self) -> socket.socket:
        link = self._connect(self._address, timeout=_CONNECT_SECONDS)
        link.settimeout(None)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return link

    def _refused(self, stay: _Stay | None, error: OSError) -> None:
        with self._changed:
            self._unnoticed = False  # without a driver there is nobody left to notice
            if stay is not None and not stay.presented:
                stay.refused = error
                self._changed.notify_all()

    def _present(self, link: socket.socket, stay: _Stay | None) -> bool:
        """Be the card `stay` (None: an empty slot) until it leaves; whether pcscd noticed."""
        with link:
            with self._changed:
                if self._stopping:
                    return True
                self._socket = link
                if stay is not None:
                    stay.presented = True
                    self._changed.notify_all()
            try:
                return self._answer_until_removed(link, stay)
            except (OSError, _Disconnected):
                return True  # the driver itself hung up: it went away with pcscd
            finally:
                with self._changed:
                    self._socket = None
                if stay is not None:
                    with self._line:
                        _power_off(stay)

    def _answer_until_removed(self, link: socket.socket, stay: _Stay | None) -> bool:
        previous = b""
        while True:
            frame = _receive(link)
            try:
                answer = self._answer(stay, frame)
            except _Gone:
                # Right after power-on and reset the ATR belongs to the power-up, not the polling.
                return frame == _GET_ATR and previous not in (_POWER_ON, _RESET)
            if answer is not None:
                link.sendall(len(answer).to_bytes(2, "big") + answer)
            previous = frame

    def _answer(self, stay: _Stay | None, frame: bytes) -> bytes | None:
        """The payload to send back, None for a signal that has no answer. Raises `_Gone`."""
        answer = None
        with self._line:
            if stay is None or self._stay is not stay:
                raise _Gone
            if frame == _GET_ATR:
                return stay.atr
            if len(frame) > 1 and not stay.powered:
                raise _Gone  # pcscd takes this card for the one before it
            try:
                answer = _drive(stay, frame)
            except Exception as error:
                if not isinstance(error, CardRemoved):  # its power was cut, on purpose
                    log.warning("the software card failed: %s", type(error).__name__)
                with self._changed:
                    self._stay = None
            if self._stay is not stay:
                raise _Gone
        return answer


def _drive(stay: _Stay, frame: bytes) -> bytes | None:
    if frame in (_POWER_ON, _RESET):
        stay.powered = True
        stay.atr = stay.chip.power_on()
    elif frame == _POWER_OFF:
        _power_off(stay)
    else:
        return stay.chip.transmit(frame)
    return None


def _power_off(stay: _Stay) -> None:
    if stay.powered:
        stay.powered = False
        stay.chip.power_off()


def _receive(link: socket.socket) -> bytes:
    return _receive_exactly(link, int.from_bytes(_receive_exactly(link, 2), "big"))


def _receive_exactly(link: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        if _QUICK_ACK is not None:
            link.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
        part = link.recv(size - len(received))
        if not part:
            raise _Disconnected
        received += part
    return received
