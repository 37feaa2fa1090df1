"""Recorded exchanges as text: one format to read, to send in a bug report, and to replay.

    # anything said about what follows
    ATR 3B6D000000814A444686605199000001AC
    0.000000 > 00A40000 02EF05
    0.012345 < 9000
    > 00200000 03......
    < 63C2
    > 00B20105 40
    ! CARD_REMOVED
    reset
    ATR 3B6D000000814A444686605199000001AC

A line is `ATR`, a command `>`, its answer `<` (status word last) or the error `!` that came in
its place, `reset`, or an annotation `#`. A time in seconds since the trace began may stand before
`>`, `<` and `!`. Bytes are hex, spaced as one likes. Empty lines mean nothing.

The data of commands that carry a PIN are never kept: their bytes read `..`, and on replay such a
byte stands for any. Where the answer would give the PIN away its data read `..` too, and on replay
are zeros. Everything else is there, names and numbers too: a trace is not a log.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from apdu.status import CardError, CardRemoved, CardReset, MalformedApdu, NoAnswer, ReaderError

PIN_INSTRUCTIONS = frozenset({0x20, 0x24, 0x2C, 0x5E, 0xC4})
"""VERIFY, PIN UNBLOCK and RELOAD, RESET RETRY COUNTER, CHANGE PIN, hash a PIN, in any class."""

TELLTALE_INSTRUCTIONS = frozenset({0xC4})
"""Their answers give the PIN away: the certificate application's hash of it (facts 4.7)."""

GET_RESPONSE = 0xC0
"""Brings the rest of the answer to the command before."""

MAX_CHARACTERS = 16 * 1024 * 1024
MAX_LINE = 256 * 1024

_FAILURES: dict[str, type[CardError]] = {
    kind.code: kind
    for kind in (CardError, CardRemoved, CardReset, MalformedApdu, NoAnswer, ReaderError)
}
_TIMED = re.compile(r"(?:(\d{1,9}\.\d{1,6})\s+)?([><!])(.*)")
_HEADER_SIZE = 4
_LC_SIZE = 1
_SW_SIZE = 2


class TraceError(CardError):
    """A text that is not a trace. `line` is the line number, counted from 1."""

    code: ClassVar[str] = "TRACE_MALFORMED"
    zh: ClassVar[str] = "交互记录文件格式错误。"
    en: ClassVar[str] = "The trace file is not well-formed."
    remedy: ClassVar[str] = "Correct the line that the message names, or record the trace again."

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")
        self.line = line


@dataclass(frozen=True, slots=True, repr=False)
class Pattern:
    """A recorded command. Where `mask` is 00 the byte was left out, and any byte matches."""

    value: bytes
    mask: bytes

    @classmethod
    def of(cls, command: bytes) -> Pattern:
        """The command as it may be kept: all of it, or without the data where they hold a PIN."""
        kept = _HEADER_SIZE + _LC_SIZE
        if len(command) <= kept or command[1] not in PIN_INSTRUCTIONS:
            return cls(command, b"\xff" * len(command))
        hidden = len(command) - kept
        return cls(command[:kept] + bytes(hidden), b"\xff" * kept + bytes(hidden))

    def matches(self, command: bytes) -> bool:
        """Whether `command` is the recorded one, as far as it is known."""
        if len(command) != len(self.value):
            return False
        difference = int.from_bytes(command, "big") ^ int.from_bytes(self.value, "big")
        return not difference & int.from_bytes(self.mask, "big")

    def __str__(self) -> str:
        pairs = (
            f"{byte:02X}" if known else ".."
            for byte, known in zip(self.value, self.mask, strict=True)
        )
        text = "".join(pairs)
        return f"{text[:8]} {text[8:]}".rstrip()

    def __repr__(self) -> str:
        return f"Pattern({self.value[:_HEADER_SIZE].hex().upper()}, {len(self.value)} bytes)"


@dataclass(frozen=True, slots=True)
class Atr:
    """The card's answer to reset, at the start or after a reset."""

    atr: bytes


@dataclass(frozen=True, slots=True)
class Reset:
    """The terminal reset the card."""


@dataclass(frozen=True, slots=True)
class Note:
    """An annotation of one line."""

    text: str


@dataclass(frozen=True, slots=True, repr=False)
class Exchange:
    """A command and its answer, or the code of the error that came in the answer's place.

    The times, where known, are seconds since the trace began. `hidden`: the answer's data were
    left out, and zeros stand in their place.
    """

    command: Pattern
    answer: bytes | None
    failure: str = ""
    sent: float | None = None
    received: float | None = None
    hidden: bool = False

    def result(self) -> bytes:
        """The answer; raises the recorded error in its place."""
        if self.answer is None:
            raise _FAILURES[self.failure]("as recorded")
        return self.answer

    def __repr__(self) -> str:
        outcome = self.failure if self.answer is None else f"{len(self.answer)} bytes"
        return f"Exchange({self.command!r}, {outcome})"


Event: TypeAlias = Atr | Reset | Note | Exchange


class Trace:
    """A list of events in their order. `str()` of it is the text that `parse_trace` reads.

    `clock` gives seconds that only grow (`time.monotonic`); without one no times are recorded.
    """

    def __init__(
        self, events: Iterable[Event] = (), *, clock: Callable[[], float] | None = None
    ) -> None:
        self.events = list(events)
        self._clock = clock
        self._start = clock() if clock else 0.0
        self._telltale = False

    def now(self) -> float | None:
        """Seconds since the trace began, if the trace has a clock."""
        return self._clock() - self._start if self._clock else None

    def note(self, text: str) -> None:
        """Annotate: what follows in the trace is, or is for, `text`. No personal data."""
        self.events.extend(Note(line) for line in text.splitlines())

    def add(self, event: Event) -> None:
        """Append an event."""
        self.events.append(event)

    def add_answer(self, command: bytes, sent: float | None, answer: bytes) -> None:
        """Append a command and its answer; a PIN in the command is left out, and one to guess."""
        instruction = command[1] if len(command) > 1 else 0
        if instruction != GET_RESPONSE:
            self._telltale = instruction in TELLTALE_INSTRUCTIONS
        hidden = self._telltale and len(answer) > _SW_SIZE
        if hidden:
            answer = bytes(len(answer) - _SW_SIZE) + answer[-_SW_SIZE:]
        self.add(Exchange(Pattern.of(command), answer, "", sent, self.now(), hidden))

    def add_failure(self, command: bytes, sent: float | None, error: CardError) -> None:
        """Append a command that ended in an error instead of an answer."""
        code = error.code if error.code in _FAILURES else CardError.code
        self.add(Exchange(Pattern.of(command), None, code, sent, self.now()))

    def __str__(self) -> str:
        return "".join(f"{line}\n" for event in self.events for line in _lines(event))


def parse_trace(text: str) -> Trace:
    """The trace that `text` is. Raises `TraceError`, which names the line."""
    if len(text) > MAX_CHARACTERS:
        raise TraceError(1, f"more than {MAX_CHARACTERS} characters")
    return Trace(_Parser().events(text))


class _Parser:
    """Reads line by line; remembers a command that waits for its answer."""

    def __init__(self) -> None:
        self._powered = False
        self._open: tuple[int, Pattern, float | None] | None = None

    def events(self, text: str) -> Iterator[Event]:
        number = 0
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > MAX_LINE:
                raise TraceError(number, f"more than {MAX_LINE} characters")
            yield from self._event(number, line.strip())
        if self._open:
            raise TraceError(number, f"the command in line {self._open[0]} has no answer")

    def _event(self, number: int, line: str) -> Iterator[Event]:
        if not line:
            return
        if line.startswith("#"):
            yield Note(line[1:].strip())
            return
        match = _TIMED.fullmatch(line)
        if match:
            time, marker, rest = match.groups()
            seconds = float(time) if time else None
            if marker == ">":
                self._command(number, rest, seconds)
            else:
                yield self._outcome(number, marker, rest.strip(), seconds)
            return
        if self._open:
            raise TraceError(number, f"the command in line {self._open[0]} has no answer")
        yield self._power(number, line)

    def _power(self, number: int, line: str) -> Event:
        word, _, rest = line.partition(" ")
        if word == "ATR":
            self._powered = True
            return Atr(_bytes(number, rest))
        if line == "reset" and self._powered:
            return Reset()
        raise TraceError(number, "not a line of a trace" if word != "reset" else "reset before ATR")

    def _command(self, number: int, text: str, seconds: float | None) -> None:
        if not self._powered:
            raise TraceError(number, "a command before the ATR")
        if self._open:
            raise TraceError(number, f"the command in line {self._open[0]} has no answer")
        self._open = number, _pattern(number, text), seconds

    def _outcome(self, number: int, marker: str, text: str, seconds: float | None) -> Exchange:
        if not self._open:
            raise TraceError(number, "an answer without a command")
        _, command, sent = self._open
        self._open = None
        if marker == "<":
            answer, hidden = _answer(number, text)
            return Exchange(command, answer, "", sent, seconds, hidden)
        if text not in _FAILURES:
            raise TraceError(number, "an error code that no trace has")
        return Exchange(command, None, text, sent, seconds)


def _pattern(number: int, text: str) -> Pattern:
    digits = "".join(text.split())
    pairs = [digits[i : i + 2] for i in range(0, len(digits), 2)]
    value = _bytes(number, "".join("00" if pair == ".." else pair for pair in pairs))
    return Pattern(value, bytes(0x00 if pair == ".." else 0xFF for pair in pairs))


def _answer(number: int, text: str) -> tuple[bytes, bool]:
    """An answer, and whether its data were left out: then nothing but the status word is there."""
    digits = "".join(text.split())
    data, sw = digits[: -2 * _SW_SIZE], digits[-2 * _SW_SIZE :]
    if not data or data.strip(".") or len(data) % 2:
        return _bytes(number, digits), False
    return bytes(len(data) // 2) + _bytes(number, sw), True


def _bytes(number: int, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise TraceError(number, "bytes that are not hex") from None


def _lines(event: Event) -> Iterator[str]:
    if isinstance(event, Exchange):
        yield _timed(event.sent, f"> {event.command}")
        if event.answer is None:
            yield _timed(event.received, f"! {event.failure}")
        else:
            data, sw = event.answer[:-2].hex().upper(), event.answer[-2:].hex().upper()
            if event.hidden:
                data = "." * len(data)
            yield _timed(event.received, " ".join(filter(None, ("<", data, sw))))
    elif isinstance(event, Atr):
        yield f"ATR {event.atr.hex().upper()}"
    elif isinstance(event, Note):
        yield f"# {event.text}".rstrip()
    else:
        yield "reset"


def _timed(seconds: float | None, line: str) -> str:
    return line if seconds is None else f"{seconds:.6f} {line}"
