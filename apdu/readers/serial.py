"""Readers on a serial line, with SAM slots, in the ACS framing (facts B5; docs/readers.md).

A device has one line and several slots: `serial:/dev/ttyUSB0` is its first slot,
`serial:/dev/ttyUSB0?slot=1` the next one of a reader that numbers them, and `?slot=sam2` the
second SAM interface of one that has several. All slots of a device share one line in this process.

A command is never sent twice unless the reader said that it has not taken it: whatever is lost
after that is asked for again, and where that fails the outcome is not known (`NoAnswer`).
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qsl

from apdu.readers.acs_frames import (
    AGAIN,
    DATA_MAX,
    INTERFACES,
    Acknowledgement,
    Broken,
    Message,
    MessageType,
    Silence,
    frame,
    receive,
    repeat_request,
)
from apdu.readers.t0 import for_t0, speaks_t0
from apdu.status import (
    CardError,
    CardRemoved,
    MalformedApdu,
    NoAnswer,
    NoCard,
    ReaderBusy,
    ReaderError,
    ReaderNotFound,
    UnsupportedCard,
)

PREFIX = "serial:"
BAUDS = (9600, 19200, 38400, 57600, 115200, 230400)
"""9600 is the ACR122S as delivered, 115200 the ACR122L (facts B5)."""

_ACKNOWLEDGE_SECONDS = 1.0
_ANSWER_SECONDS = 10.0
_ROUNDS = 3
_EXTENSIONS = 30  # of the waiting time, by a card that computes
_STALE_MAX = 64 * 1024  # bytes that came unasked and are dropped before a message
_LOOK_SECONDS = 0.25
"""Between two questions whether a card is there: the line tells of none by itself."""

_NO_CARD, _FAILED, _MORE_TIME = 0x02, 0x40, 0x80
_MUTE, _BUSY_SLOT, _NOT_SUPPORTED = 0xFE, 0xE0, 0x00
_PROTOCOL_NOT_SUPPORTED = 0xF6


class SerialAddress(ReaderNotFound):
    """A reader's name that does not say which line and slot are meant."""

    code = "READER_SERIAL_ADDRESS"
    remedy = "Write serial:/dev/ttyUSB0?baud=115200&slot=0; slot is 0 to 15, or sam1 to sam3."


class Port(Protocol):
    """What is used of `serial.Serial`."""

    timeout: float | None

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes, fewer when the timeout passes."""
        ...

    def write(self, data: bytes, /) -> int | None:
        """Send bytes."""
        ...

    def close(self) -> None:
        """Let the device go."""
        ...


@dataclass(frozen=True, slots=True)
class Address:
    """Where a slot is: the device, its speed, the SAM interface (0 to 2) and the slot on it."""

    device: str
    baud: int = 9600
    interface: int = 0
    slot: int = 0

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address in `DEVICE[?baud=B][&slot=S]`. Raises `SerialAddress`."""
        device, _, query = text.partition("?")
        options = dict(parse_qsl(query, keep_blank_values=True))
        unknown = set(options) - {"baud", "slot"}
        if not device or unknown:
            raise SerialAddress(f"{text!r}: {', '.join(sorted(unknown)) or 'no device'}")
        baud, slot = options.get("baud", "9600"), options.get("slot", "0")
        if not (baud.isascii() and baud.isdecimal() and int(baud) in BAUDS):
            raise SerialAddress(f"{text!r}: a baud rate is one of {BAUDS}")
        sam = re.fullmatch(rf"sam([1-{INTERFACES}])", slot)
        if sam:
            return cls(device, int(baud), int(sam[1]) - 1)
        if not re.fullmatch(r"[0-9]|1[0-5]", slot):
            raise SerialAddress(f"{text!r}: a slot is 0 to 15, or sam1 to sam{INTERFACES}")
        return cls(device, int(baud), 0, int(slot))

    def __str__(self) -> str:
        slot = f"sam{self.interface + 1}" if self.interface else str(self.slot)
        return f"{PREFIX}{self.device}?slot={slot}"


def open_port(address: Address) -> Port:
    """The device, held by this process alone. Raises `ReaderNotFound` or `ReaderBusy`."""
    import serial

    try:
        port: Port = serial.Serial(address.device, address.baud, exclusive=True)
    except (OSError, ValueError) as error:
        if "lock" in str(error):
            raise ReaderBusy(f"{address.device}: another program holds the line") from None
        raise ReaderNotFound(f"{address.device} cannot be opened: {error}") from None
    return port


class SerialLine:
    """One device: messages out and in, one at a time, whoever asks.

    The device is opened when it is first needed, and anew after it went away. Every method raises
    `ReaderNotFound` when it is not there (any more).
    """

    def __init__(
        self,
        address: Address,
        *,
        opener: Callable[[Address], Port] = open_port,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address
        self._opener = opener
        self._monotonic = monotonic
        self._lock = threading.RLock()
        self._port: Port | None = None
        self._sequence = 0
        self.holders: set[tuple[int, int]] = set()
        self.epoch = 0
        """Counts how often the device was let go: cards powered before were lost with it."""

    def ask(self, place: Address, kind: MessageType, specific: bytes, data: bytes = b"") -> Message:
        """Send a message and return the reader's answer to it.

        Raises `NoAnswer` when none comes, or when its outcome cannot be known.
        """
        with self._lock:
            port = self._opened()
            self._sequence = (self._sequence + 1) & 0xFF
            message = Message(kind, place.slot, self._sequence, specific, data)
            try:
                _drain(port)
                self._deliver(port, message, place.interface)
                return self._answer(port, message, place.interface)
            except OSError as error:
                self.drop()
                raise ReaderNotFound(f"{self._address.device} was unplugged: {error}") from None

    def drop(self) -> None:
        """Let the device go; the next message opens it again."""
        with self._lock:
            port, self._port = self._port, None
            if port is not None:
                self.epoch += 1
                with suppress(OSError):
                    port.close()

    def _opened(self) -> Port:
        if self._port is None:
            self._port = self._opener(self._address)
        return self._port

    def _deliver(self, port: Port, message: Message, interface: int) -> None:
        """Send until the reader has taken it; one that says nothing may have."""
        for _ in range(_ROUNDS):
            port.write(frame(message, interface))
            status = self._status(port, interface)
            if status is None or status is Acknowledgement.TAKEN:
                return
            if status not in AGAIN:
                raise ReaderError(f"{self._address.device}: the reader refused: {status.name}")
        raise NoAnswer(f"{self._address.device}: {_ROUNDS} frames did not arrive whole")

    def _status(self, port: Port, interface: int) -> Acknowledgement | None:
        read = self._reader(port, _ACKNOWLEDGE_SECONDS)
        while True:
            try:
                received = receive(read, interface)
            except Broken:
                return None
            except Silence:
                return None
            if isinstance(received, Acknowledgement):
                return received
            # An event, or the late answer to a question that was given up.

    def _answer(self, port: Port, message: Message, interface: int) -> Message:
        """The answer, asked for again where it is lost, waited for where the card takes longer."""
        read = self._reader(port, _ANSWER_SECONDS)
        lost = extended = 0
        while lost < _ROUNDS and extended < _EXTENSIONS:
            try:
                answer = self._own(read, message, interface)
            except (Broken, Silence):
                lost += 1
                port.write(repeat_request(interface))
                read = self._reader(port, _ACKNOWLEDGE_SECONDS)
                continue
            if answer is not None:
                return answer
            extended += 1
            read = self._reader(port, _ANSWER_SECONDS)
        raise NoAnswer(f"{self._address.device}: no answer from the reader")

    def _own(
        self, read: Callable[[int], bytes], message: Message, interface: int
    ) -> Message | None:
        """The answer to `message`; None for a reader that asks for more time (CCID, 6.2.6)."""
        while True:
            received = receive(read, interface)
            if isinstance(received, Acknowledgement) or received.sequence != message.sequence:
                continue
            if received.type == MessageType.SLOT_CHANGE:
                continue
            if received.specific[0] & 0xC0 == _MORE_TIME:
                return None
            return received

    def _reader(self, port: Port, seconds: float) -> Callable[[int], bytes]:
        """Reads exactly so many bytes, all before the same moment."""
        deadline = self._monotonic() + seconds

        def read(size: int) -> bytes:
            got = b""
            while len(got) < size:
                left = deadline - self._monotonic()
                if left <= 0:
                    raise Silence
                port.timeout = left
                got += port.read(size - len(got))
            return got

        return read


def _drain(port: Port) -> None:
    """Drop what came since the last answer; a device that babbles without end is left talking."""
    port.timeout = 0
    dropped = 0
    while dropped < _STALE_MAX and (stale := port.read(4096)):
        dropped += len(stale)


_lines: dict[str, SerialLine] = {}
_lines_lock = threading.Lock()


def shared_line(address: Address) -> SerialLine:
    """The line of a device, the same for all its slots in this process."""
    with _lines_lock:
        return _lines.setdefault(address.device, SerialLine(address))


class SerialReader:
    """One slot of a device on a serial line (`apdu.connection.Reader`)."""

    def __init__(
        self,
        address: Address,
        line: SerialLine | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._address = address
        self._line = line or shared_line(address)
        self._monotonic = monotonic
        self._cancelled = threading.Event()
        self._pause = pause or self._cancelled.wait
        self._asks_by_power = False

    def __repr__(self) -> str:
        return f"SerialReader({self.name!r})"

    @property
    def name(self) -> str:
        """The address, such as serial:/dev/ttyUSB0?slot=0."""
        return str(self._address)

    def connect(self, *, exclusive: bool = True) -> SerialConnection:  # noqa: ARG002  a protocol's
        """Power the card and return its connection; a slot has one holder at a time.

        Raises `NoCard`, `NoAnswer`, `ReaderBusy`, `UnsupportedCard` or `ReaderError`.
        """
        place = (self._address.interface, self._address.slot)
        if place in self._line.holders:
            raise ReaderBusy(f"{self.name}: another part of this program holds the slot")
        self._line.holders.add(place)
        try:
            return SerialConnection(self._line, self._address)
        except BaseException:
            self._line.holders.discard(place)
            raise

    def wait_for_card(self, timeout: float | None = None) -> bool:
        """Block until a card is there; False when `timeout` seconds pass first or on `cancel`.

        Raises `ReaderNotFound` when the device is not there.
        """
        return self._wait(present=True, timeout=timeout)

    def wait_for_removal(self, timeout: float | None = None) -> bool:
        """Block until the slot is empty; False and errors as in `wait_for_card`."""
        return self._wait(present=False, timeout=timeout)

    def cancel(self) -> None:
        """End the wait that another thread is in; it returns False."""
        self._cancelled.set()

    def present(self) -> bool:
        """Whether a card is in the slot. Raises `ReaderError`."""
        if not self._asks_by_power:
            try:
                answer = self._line.ask(self._address, MessageType.SLOT_STATUS_QUERY, bytes(3))
            except NoAnswer:
                answer = None
            if answer is not None and not _unsupported(answer):
                return answer.specific[0] & 0x03 != _NO_CARD
            self._asks_by_power = True  # a SAM interface knows no other way
        try:
            self.connect().close()
        except ReaderBusy:
            return True
        except (NoCard, NoAnswer):
            return False
        return True

    def _wait(self, *, present: bool, timeout: float | None) -> bool:
        deadline = None if timeout is None else self._monotonic() + timeout
        self._cancelled.clear()
        while self.present() is not present:
            left = _LOOK_SECONDS if deadline is None else deadline - self._monotonic()
            if left <= 0 or self._cancelled.is_set():
                return False
            self._pause(min(left, _LOOK_SECONDS))
        return True


class SerialConnection:
    """A powered card on a serial line; made by `SerialReader.connect`."""

    def __init__(self, line: SerialLine, address: Address) -> None:
        self._line = line
        self._address = address
        self._open = True
        self._atr = self._power_on()
        self._epoch = line.epoch

    @property
    def atr(self) -> bytes:
        """The answer to reset."""
        return self._atr

    def transmit(self, command: bytes) -> bytes:
        """Send one short command APDU and return the response APDU.

        Raises `CardRemoved`, `NoAnswer`, `MalformedApdu` or `ReaderError`.
        """
        if not self._open:
            raise ReaderError(f"{self._address}: the connection is closed")
        if len(command) > DATA_MAX:
            raise MalformedApdu(f"{len(command)} bytes do not fit one message of this reader")
        if self._line.epoch != self._epoch:
            raise CardRemoved(
                f"{self._address}: the reader went away, and the card's power with it"
            )
        framed = for_t0(command) if speaks_t0(self._atr) else command
        answer = self._ask(MessageType.EXCHANGE, framed)
        if len(answer.data) < 2:
            raise NoAnswer(f"{self._address}: the answer has no status word")
        return answer.data

    def reset(self) -> bytes:
        """Power the card off and on again and return the new ATR."""
        self._ask(MessageType.POWER_OFF)
        self._atr = self._power_on()
        self._epoch = self._line.epoch
        return self._atr

    def close(self) -> None:
        """Power the card off and give the slot back. A reader that is gone is no error here."""
        if not self._open:
            return
        self._open = False
        try:
            with suppress(CardError):
                self._line.ask(self._address, MessageType.POWER_OFF, bytes(3))
        finally:
            self._line.holders.discard((self._address.interface, self._address.slot))

    def _power_on(self) -> bytes:
        atr = self._ask(MessageType.POWER_ON).data
        if not atr:
            raise NoAnswer(f"{self._address}: the card does not answer to reset")
        return atr

    def _ask(self, kind: MessageType, data: bytes = b"") -> Message:
        answer = self._line.ask(self._address, kind, bytes(3), data)
        status, error = answer.specific[0], answer.specific[1]
        if status & 0x03 == _NO_CARD:
            gone = CardRemoved if kind is MessageType.EXCHANGE else NoCard
            if kind is not MessageType.POWER_OFF:
                raise gone(f"{self._address}: there is no card")
        elif status & _FAILED and kind is not MessageType.POWER_OFF:
            raise _failure(str(self._address), error)
        return answer


def _unsupported(answer: Message) -> bool:
    return bool(answer.specific[0] & _FAILED) and answer.specific[1] == _NOT_SUPPORTED


def _failure(where: str, error: int) -> CardError:
    """What the error code of a failed message means (CCID, table 6.2-2)."""
    if error == _MUTE:
        return NoAnswer(f"{where}: the card does not answer")
    if error == _PROTOCOL_NOT_SUPPORTED:
        return UnsupportedCard(f"{where}: the reader cannot drive this card")
    if error == _BUSY_SLOT:
        return ReaderBusy(f"{where}: the slot is busy")
    return NoAnswer(f"{where}: the exchange failed ({error:02X})")


def find_serial_reader(text: str) -> SerialReader:
    """The slot that `serial:DEVICE[?baud=B][&slot=S]` names. Raises `SerialAddress`."""
    return SerialReader(Address.parse(text.removeprefix(PREFIX)))
