"""The readers that the agent serves, and what happens at them.

Readers of the PC/SC service come and go with it; readers that were named (a serial line, a
simulated card) are followed one by one, each in a thread that blocks in the reader.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Protocol

from apdu.connection import Reader
from apdu.readers.pcsc import PcscReader, choose, reader_states
from apdu.readers.pcsc_binding import Scard
from apdu.readers.pcsc_events import CardEvent, CardEventKind, CardMonitor
from apdu.status import CardError, ReaderAmbiguous, ReaderNotFound

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds that one wait in a named reader lasts: how long ending may take."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 30.0


class Readers(Protocol):
    """Which readers there are, and the stream of what happens at them."""

    def states(self) -> list[tuple[str, bool]]:
        """Every reader's name and whether a card is in it. Raises `ServiceUnavailable`."""
        ...

    def find(self, wanted: str | None) -> Reader:
        """The one reader that `wanted` names; None: the only one.

        Raises `ReaderNotFound`, `ReaderAmbiguous` or `ServiceUnavailable`.
        """
        ...

    def follow(self) -> Iterator[CardEvent]:
        """What is there, then what happens, until `close`."""
        ...

    def close(self) -> None:
        """End what follows."""
        ...


class PcscReaders:
    """The readers of the PC/SC service, now and whenever they are plugged in."""

    def __init__(
        self,
        patterns: Sequence[str] = (),
        slot: int = 0,
        *,
        psam: tuple[str, int] | None = None,
        scard: Scard | None = None,
    ) -> None:
        """`patterns` and `slot` say which, as in the settings; without any, all of them.

        `psam` is the pattern and the slot of the PSAM's reader, which is for no holder's card.
        `scard` is the PC/SC binding, None for pyscard's.
        """
        self._patterns = tuple(patterns)
        self._slot = slot or None
        self._psam = psam
        self._scard = scard
        self._monitor = CardMonitor(scard=scard)

    def states(self) -> list[tuple[str, bool]]:
        """See `Readers`."""
        found = {state.name: state.present for state in reader_states(self._scard)}
        return [(name, found[name]) for name in self._holders(list(found))]

    def find(self, wanted: str | None) -> Reader:
        """See `Readers`."""
        names = [name for name, _ in self.states()]
        return PcscReader(choose(names, wanted, None), scard=self._scard)

    def follow(self) -> Iterator[CardEvent]:
        """See `Readers`."""
        return (event for event in self._monitor if self._holders([event.reader]))

    def close(self) -> None:
        """See `Readers`."""
        self._monitor.close()

    def _holders(self, names: list[str]) -> list[str]:
        """The slots for holders' cards; "" stands for the service itself."""
        return [name for name in names if not name or (self._wanted(name) and not self._sam(name))]

    def _wanted(self, name: str) -> bool:
        if not self._patterns:
            return True
        return any(_is(name, pattern, self._slot) for pattern in self._patterns)

    def _sam(self, name: str) -> bool:
        return self._psam is not None and _is(name, *self._psam)


class NamedReaders:
    """Readers that were named when the agent started."""

    def __init__(self, readers: Sequence[Reader], *, patience: float = PATIENCE) -> None:
        self._readers = {reader.name: reader for reader in readers}
        self._patience = patience
        self._ending = threading.Event()
        self._events: SimpleQueue[CardEvent | None] = SimpleQueue()

    def states(self) -> list[tuple[str, bool]]:
        """See `Readers`; a reader that is away has no card in it."""
        return [(name, _present(reader)) for name, reader in self._readers.items()]

    def find(self, wanted: str | None) -> Reader:
        """See `Readers`."""
        matching = [name for name in self._readers if not wanted or wanted in name]
        if wanted in self._readers:
            matching = [wanted]
        if not matching:
            raise ReaderNotFound(
                f"no reader matches {wanted}; there are {', '.join(self._readers)}"
            )
        if len(matching) > 1:
            raise ReaderAmbiguous(f"more than one reader matches: {', '.join(matching)}")
        return self._readers[matching[0]]

    def follow(self) -> Iterator[CardEvent]:
        """See `Readers`."""
        for reader in self._readers.values():
            threading.Thread(
                target=self._watch, args=(reader,), name="agent-reader", daemon=True
            ).start()
        while (event := self._events.get()) is not None:
            yield event

    def close(self) -> None:
        """See `Readers`."""
        self._ending.set()
        self._events.put(None)

    def _watch(self, reader: Reader) -> None:
        present, pause = False, 0.0
        self._tell(CardEventKind.READER_ADDED, reader)
        while not self._ending.is_set():
            try:
                wait = reader.wait_for_removal if present else reader.wait_for_card
                changed = wait(self._patience)
            except CardError as error:
                if not pause:
                    log.warning("reader %s: %s", reader.name, error.code)
                    self._tell(CardEventKind.READER_REMOVED, reader)
                present, pause = False, min(max(2 * pause, _FIRST_PAUSE), _LONGEST_PAUSE)
                self._ending.wait(pause)
                continue
            if pause:
                pause = 0.0
                self._tell(CardEventKind.READER_ADDED, reader)
            if changed:
                present = not present
                kind = CardEventKind.INSERTED if present else CardEventKind.REMOVED
                self._tell(kind, reader)

    def _tell(self, kind: CardEventKind, reader: Reader) -> None:
        self._events.put(CardEvent(kind, reader.name))


class EventBus:
    """Follows the readers in a thread and tells everybody who listens. Thread-safe.

    A new listener is first told what is there.
    """

    def __init__(self, readers: Readers, heard: Callable[[CardEvent], None]) -> None:
        """`heard` is told of every event before the listeners are."""
        self._readers = readers
        self._heard = heard
        self._lock = threading.Lock()
        self._listeners: list[Callable[[CardEvent], None]] = []
        self._there: dict[tuple[str, CardEventKind], CardEvent] = {}
        self._thread = threading.Thread(target=self._run, name="agent-events", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def listen(self, listener: Callable[[CardEvent], None]) -> Callable[[], None]:
        """Tell `listener` what is there and what happens, until what is returned is called."""
        with self._lock:
            for event in self._there.values():
                listener(event)
            self._listeners.append(listener)

        def leave() -> None:
            with self._lock:
                self._listeners.remove(listener)

        return leave

    def close(self) -> None:
        """End."""
        self._readers.close()
        self._thread.join(_LONGEST_PAUSE)

    def _run(self) -> None:
        try:
            for event in self._readers.follow():
                with self._lock:
                    self._remember(event)
                    listeners = tuple(self._listeners)
                self._heard(event)
                for listener in listeners:
                    listener(event)
        except CardError as error:
            log.warning("readers are not followed: %s", error.code)

    def _remember(self, event: CardEvent) -> None:
        kinds = CardEventKind
        if event.kind in (kinds.READER_ADDED, kinds.INSERTED, kinds.SERVICE_LOST):
            if event.kind is kinds.SERVICE_LOST:
                self._there.clear()
            self._there[event.reader, event.kind] = event
        elif event.kind is kinds.REMOVED:
            self._there.pop((event.reader, kinds.INSERTED), None)
        elif event.kind is kinds.READER_REMOVED:
            self._there.pop((event.reader, kinds.INSERTED), None)
            self._there.pop((event.reader, kinds.READER_ADDED), None)
        else:
            self._there.pop(("", kinds.SERVICE_LOST), None)


def _is(name: str, pattern: str, slot: int | None) -> bool:
    """Whether pattern and slot name this reader."""
    try:
        choose([name], pattern, slot)
    except ReaderNotFound:
        return False
    return True


def _present(reader: Reader) -> bool:
    try:
        return reader.wait_for_card(0)
    except CardError:
        return False
