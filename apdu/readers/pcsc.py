"""Readers of the PC/SC service: listing, choosing, connecting, waiting for cards.

Each operation reaches the service anew, so a `PcscReader` outlives a restart of pcscd, and a
reader that was unplugged and plugged back. `pcsc_events` follows all readers at once.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from apdu.readers.pcsc_binding import Scard, load_scard
from apdu.readers.pcsc_connection import PcscConnection
from apdu.readers.pcsc_service import Context, ReaderState
from apdu.status import ReaderAmbiguous, ReaderNotFound

# pcsc-lite ends a reader's name with two hexadecimal numbers: the device and its slot.
_NUMBERED = re.compile(r"(?P<device>.* [0-9A-F]{2}) (?P<slot>[0-9A-F]{2})")


def list_readers(scard: Scard | None = None) -> list[str]:
    """The names of the connected readers. Raises `ServiceUnavailable`."""
    with Context(scard or load_scard()) as context:
        return context.readers()


def reader_states(scard: Scard | None = None) -> list[ReaderState]:
    """Every connected reader with what is in it. Raises `ServiceUnavailable`."""
    with Context(scard or load_scard()) as context:
        return context.states(context.readers())


def find_reader(
    pattern: str | None = None, slot: int | None = None, *, scard: Scard | None = None
) -> PcscReader:
    """The one reader that `pattern` and `slot` name.

    `pattern` is matched without regard to case: as a glob when it has a `*` or `?`, else as a
    part of the name; a name given in full always wins. `slot` is the slot number at the end of
    the name. Without one, the slots of one device count as one reader, and the first is taken.

    Raises `ReaderNotFound` and `ReaderAmbiguous`, which list the choices, and
    `ServiceUnavailable`.
    """
    scard = scard or load_scard()
    return PcscReader(choose(list_readers(scard), pattern, slot), scard=scard)


def choose(names: list[str], pattern: str | None, slot: int | None) -> str:
    """The name that `find_reader` takes from `names`."""
    if not names:
        raise ReaderNotFound("no reader is connected")
    matching = [name for name in names if _matches(name, pattern)]
    if slot is not None:
        matching = [name for name in matching if _device_and_slot(name)[1] == slot]
    wish = f"{pattern or 'any reader'}" + ("" if slot is None else f", slot {slot}")
    if not matching:
        raise ReaderNotFound(f"no reader matches {wish}; connected: {', '.join(names)}")
    full = [name for name in matching if pattern and name.casefold() == pattern.casefold()]
    devices = {_device_and_slot(name)[0] for name in full or matching}
    if len(devices) > 1:
        raise ReaderAmbiguous(f"more than one reader matches {wish}: {', '.join(matching)}")
    return min(full or matching, key=_device_and_slot)


def _matches(name: str, pattern: str | None) -> bool:
    if pattern is None:
        return True
    name, pattern = name.casefold(), pattern.casefold()
    if "*" in pattern or "?" in pattern:
        glob = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
        return re.fullmatch(glob, name) is not None or name == pattern
    return pattern in name


def _device_and_slot(name: str) -> tuple[str, int]:
    numbered = _NUMBERED.fullmatch(name)
    return (numbered["device"], int(numbered["slot"], 16)) if numbered else (name, 0)


class PcscReader:
    """A reader (`apdu.connection.Reader`) of the PC/SC service, known by its full name."""

    def __init__(
        self,
        name: str,
        *,
        scard: Scard | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._scard = scard
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._waiting: Context | None = None
        self._cancel_next = False

    def __repr__(self) -> str:
        return f"PcscReader({self._name!r})"

    @property
    def name(self) -> str:
        """The reader's name, as the service reports it."""
        return self._name

    def connect(self, *, exclusive: bool = True) -> PcscConnection:
        """Power the card and return its connection.

        Exclusive, nobody else can reach the card until `close`. Shared, other programs can, and
        `PcscConnection.transaction` keeps them out for a group of commands.

        Raises `NoCard`, `NoAnswer` (after one more try, as facts 1.1 ask for a bad cold ATR),
        `ReaderBusy`, `ReaderNotFound`, `UnsupportedCard` or `ServiceUnavailable`.
        """
        context = Context(self._scard or load_scard()).open()
        try:
            return PcscConnection(context, self._name, exclusive=exclusive)
        except BaseException:
            context.close()
            raise

    def wait_for_card(self, timeout: float | None = None) -> bool:
        """Block until a card is present; False when `timeout` seconds pass first or on `cancel`.

        Raises `ReaderNotFound` when the reader is unplugged, `ServiceUnavailable` when the
        service goes away.
        """
        return self._wait(lambda _, now: now.present, timeout)

    def wait_for_removal(self, timeout: float | None = None) -> bool:
        """Block until the card that is present now has left; a swapped card has left, too.

        False and errors as in `wait_for_card`.
        """
        return self._wait(lambda was, now: not now.present or now.events != was.events, timeout)

    def cancel(self) -> None:
        """End the wait another thread is in, or the next one if none is; it returns False."""
        with self._lock:
            waiting = self._waiting
            self._cancel_next = waiting is None
        if waiting:
            waiting.cancel()

    def _wait(
        self, reached: Callable[[ReaderState, ReaderState], bool], timeout: float | None
    ) -> bool:
        deadline = None if timeout is None else self._monotonic() + timeout
        with self._cancellable() as context:
            first = state = context.states([self._name])[0]
            while not reached(first, state):
                left = None if deadline is None else deadline - self._monotonic()
                if context.cancelled or (left is not None and left <= 0):
                    return False
                changed = context.wait([(self._name, state.flags)], left)
                state = changed[0] if changed else state
                if state.gone:
                    raise ReaderNotFound(f"{self._name}: the reader was unplugged")
            return True

    @contextmanager
    def _cancellable(self) -> Iterator[Context]:
        with Context(self._scard or load_scard()) as context:
            with self._lock:
                self._waiting = context
                if self._cancel_next:
                    self._cancel_next = False
                    context.cancel()
            try:
                yield context
            finally:
                with self._lock:
                    self._waiting = None
