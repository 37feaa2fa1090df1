"""Following all PC/SC readers: cards in and out, readers come and gone, service restarts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from apdu.readers.pcsc_binding import PyscardMissing, Scard, load_scard
from apdu.readers.pcsc_service import PLUG_AND_PLAY, Context, ReaderState
from apdu.status import ReaderNotFound, ServiceUnavailable

log = logging.getLogger(__name__)


class CardEventKind(Enum):
    """What happened."""

    INSERTED = "inserted"
    REMOVED = "removed"
    READER_ADDED = "reader_added"
    READER_REMOVED = "reader_removed"
    SERVICE_LOST = "service_lost"
    SERVICE_BACK = "service_back"


@dataclass(frozen=True, slots=True)
class CardEvent:
    """Something that happened to a card, a reader or the service.

    `reader` is empty for the service's events. `atr` belongs to INSERTED, and is empty for a card
    that does not answer to reset.
    """

    kind: CardEventKind
    reader: str = ""
    atr: bytes = b""


class CardMonitor:
    """The stream of what happens at all readers.

    Iterating starts with the readers and cards that are there already (READER_ADDED, INSERTED),
    then blocks until something happens; it never ticks. When the service goes away there is one
    SERVICE_LOST, which stands for all its readers and cards; then the service is tried again
    after `first_pause` seconds, twice as long each time up to `longest_pause`. SERVICE_BACK is
    followed by what is there again.

    `close`, from any thread, ends the iteration. Raises `PyscardMissing` when pyscard is not
    installed.
    """

    def __init__(
        self, *, scard: Scard | None = None, first_pause: float = 0.25, longest_pause: float = 30.0
    ) -> None:
        self._scard = scard
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._context: Context | None = None

    def close(self) -> None:
        """End the iteration; it may be waiting in another thread."""
        with self._lock:
            self._closed.set()
            context = self._context
        if context:
            context.cancel()

    def __iter__(self) -> Iterator[CardEvent]:
        pause = self._first_pause
        lost = False
        while not self._closed.is_set():
            try:
                with Context(self._scard or load_scard()) as context:
                    if lost:
                        yield CardEvent(CardEventKind.SERVICE_BACK)
                    lost, pause = False, self._first_pause
                    yield from self._follow(context)
            except PyscardMissing:
                raise
            except ServiceUnavailable as error:
                if not lost:
                    log.warning("PC/SC: %s", error)
                    yield CardEvent(CardEventKind.SERVICE_LOST)
                lost = True
                self._closed.wait(pause)
                pause = min(2 * pause, self._longest_pause)

    def _follow(self, context: Context) -> Iterator[CardEvent]:
        with self._lock:
            self._context = context
        known: dict[str, ReaderState | None] = {}
        notice = 0
        while not self._closed.is_set():
            yield from _compare_readers(known, context.readers())
            entries = [(name, state.flags if state else 0) for name, state in known.items()]
            try:
                changed = context.wait([*entries, (PLUG_AND_PLAY, notice)])
            except ReaderNotFound:  # unplugged since it was listed
                self._closed.wait(self._first_pause)
                continue
            for state in changed or ():
                if state.name == PLUG_AND_PLAY:
                    notice = state.flags
                else:
                    yield from _compare_card(known.get(state.name), state)
                    known[state.name] = state


def _compare_readers(known: dict[str, ReaderState | None], names: list[str]) -> Iterator[CardEvent]:
    for name in [name for name in known if name not in names]:
        state = known.pop(name)
        if state and state.present:
            yield CardEvent(CardEventKind.REMOVED, name)
        yield CardEvent(CardEventKind.READER_REMOVED, name)
    for name in names:
        if name not in known:
            known[name] = None
            yield CardEvent(CardEventKind.READER_ADDED, name)


def _compare_card(was: ReaderState | None, now: ReaderState) -> Iterator[CardEvent]:
    """The events between two states; the service's count shows a card that was swapped."""
    swapped = was is not None and was.present and now.present and was.events != now.events
    had_card = was is not None and was.present
    if had_card and (swapped or not now.present):
        yield CardEvent(CardEventKind.REMOVED, now.name)
    if now.present and (swapped or not had_card):
        yield CardEvent(CardEventKind.INSERTED, now.name, now.atr)
