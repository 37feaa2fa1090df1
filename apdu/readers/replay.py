"""A recorded trace in place of a card: what was heard once is answered again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from apdu.command import EXTENDED_LE_MAX, Command
from apdu.status import MalformedApdu, NoAnswer, ReaderError, StatusWord
from apdu.trace import Atr, Exchange, Note, Pattern, Reset, Trace

_Step: TypeAlias = Atr | Reset | Exchange

_NOT_IN_TRACE = StatusWord.INS_NOT_SUPPORTED.to_bytes(2, "big")


class ReplayReader:
    """A reader whose card answers from a trace. Every connection starts the trace anew.

    Ordered (the default), the card expects the recorded commands, byte by byte and in their order;
    anything else raises `NoAnswer`, which says where the two part. This proves that a program does
    exactly what it did.

    With `ordered=False` a command is answered where it occurs next in the trace, going on from the
    last answer and then from the start, so that a program may leave out, repeat or reorder
    commands. An exact match comes before one that differs in Le only; then the recorded data come
    in full, or, where they are longer than Le allows, 6Cxx. A command that does not occur is
    answered 6D00, as by a card that does not know it, so that a program's other ways of asking
    get their turn.

    Raises `NoAnswer` for a trace that does not begin with an ATR.
    """

    def __init__(self, trace: Trace, *, ordered: bool = True, name: str = "replay") -> None:
        self._steps = [event for event in trace.events if not isinstance(event, Note)]
        self._ordered = ordered
        self._name = name
        if not self._steps or not isinstance(self._steps[0], Atr):
            raise NoAnswer("the trace does not begin with an ATR")

    @property
    def name(self) -> str:
        """The reader's name."""
        return self._name

    def connect(self, *, exclusive: bool = True) -> ReplayConnection:  # noqa: ARG002  a protocol's
        """A connection to the recorded card, which anybody may have at any time."""
        kind = ReplayConnection if self._ordered else LookupConnection
        return kind(self._steps)

    def wait_for_card(self, timeout: float | None = None) -> bool:  # noqa: ARG002  a protocol's
        """True at once: the recorded card is always there."""
        return True

    def wait_for_removal(self, timeout: float | None = None) -> bool:  # noqa: ARG002  a protocol's
        """True at once: the recorded card leaves when it is asked to."""
        return True


class ReplayConnection:
    """The card of an ordered `ReplayReader`; made by its `connect`."""

    def __init__(self, steps: list[_Step]) -> None:
        self._steps = steps
        self._next = 0
        self._open = True
        self._atr = b""
        self._take_atr()

    @property
    def atr(self) -> bytes:
        """The recorded answer to reset."""
        return self._atr

    @property
    def remaining(self) -> int:
        """How many recorded steps come after the last one replayed."""
        return len(self._steps) - self._next

    def transmit(self, command: bytes) -> bytes:
        """The recorded answer to `command`, or the recorded error; see `ReplayReader`."""
        self._check_open()
        step = self._step()
        if not isinstance(step, Exchange) or not step.command.matches(command):
            raise self._parted(_outline(command))
        self._next += 1
        return step.result()

    def reset(self) -> bytes:
        """Go past the recorded reset and return the ATR recorded behind it, else the last one."""
        self._check_open()
        if not isinstance(self._step(), Reset):
            raise self._parted("reset")
        self._next += 1
        self._take_atr()
        return self._atr

    def close(self) -> None:
        """Close the connection."""
        self._open = False

    def _step(self) -> _Step | None:
        return self._steps[self._next] if self.remaining else None

    def _take_atr(self) -> None:
        step = self._step()
        if isinstance(step, Atr):
            self._atr = step.atr
            self._next += 1

    def _check_open(self) -> None:
        if not self._open:
            raise ReaderError("the connection to the recorded card is closed")

    def _parted(self, came: str) -> NoAnswer:
        step = self._step()
        if isinstance(step, Exchange):
            wanted = _outline(step.command.value)
        else:
            wanted = "its end" if step is None else type(step).__name__.lower()
        return NoAnswer(f"step {self._next} of the trace is {wanted}, not {came}")


class LookupConnection(ReplayConnection):
    """The card of a `ReplayReader` with `ordered=False`; made by its `connect`."""

    def transmit(self, command: bytes) -> bytes:
        """The answer recorded next for `command`, or 6D00; see `ReplayReader`."""
        self._check_open()
        exchange = self._find(lambda pattern: pattern.matches(command))
        if exchange is not None:
            return exchange.result()
        bare = _without_le(command)
        exchange = self._find(lambda pattern: _pattern_without_le(pattern).matches(bare))
        if exchange is None:
            return _NOT_IN_TRACE
        answer = exchange.result()
        size = len(answer) - 2
        return answer if size <= _most(command) else bytes((0x6C, size & 0xFF))

    def reset(self) -> bytes:
        """Go past the next recorded reset, or else to the start, and return the ATR there."""
        self._check_open()
        resets = (i for i in self._onward() if isinstance(self._steps[i], Reset))
        self._next = next(resets, -1) + 1
        self._take_atr()
        return self._atr

    def _find(self, wanted: Callable[[Pattern], bool]) -> Exchange | None:
        """The next exchange with a command that is `wanted`; what follows it is next then."""
        for i in self._onward():
            step = self._steps[i]
            if isinstance(step, Exchange) and wanted(step.command):
                self._next = i + 1
                return step
        return None

    def _onward(self) -> list[int]:
        return [*range(self._next, len(self._steps)), *range(self._next)]


def _outline(command: bytes) -> str:
    """Header and size: messages never hold command data."""
    return f"{command[:4].hex().upper()} ({len(command)} bytes)"


def _most(command: bytes) -> int:
    """The most bytes that may answer; a command without Le leaves it open, as T=0 does."""
    return Command.parse(command).le or EXTENDED_LE_MAX


def _without_le(command: bytes) -> bytes:
    try:
        return command[: len(bytes(replace(Command.parse(command), le=None)))]
    except MalformedApdu:
        return command


def _pattern_without_le(pattern: Pattern) -> Pattern:
    size = len(_without_le(pattern.value))
    return Pattern(pattern.value[:size], pattern.mask[:size])
