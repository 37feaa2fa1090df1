"""News of the blacklist pushed by an MQTT broker: a source for a `Follower`.

Deltas are taken as they come. Whenever something may have been missed (a version without its delta,
a gap, a broker that is away, a long silence) the back office is asked. While that cannot be
reached, the broker is asked for what it retains: the recent deltas, and the whole list if those
leave a gap.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from queue import Empty, Full, Queue

from backend_client.broker import DELTA, RECENT, SNAPSHOT, VERSION, Broker, BrokerAddress
from backend_client.errors import BackendError, ListGap
from backend_client.list_document import split
from terminal.app import Terminal
from terminal.synchronisation import SyncReport

_WAITING = 256
"""So many messages may wait; with more of them the back office is asked."""

_DIGITS = 16


class Pushed:
    """News from a broker. `silence`: ask the back office after so many seconds without any."""

    def __init__(self, terminal: Terminal, address: BrokerAddress, silence: float) -> None:
        self._terminal = terminal
        self._address = address
        self._silence = silence
        self._queue: Queue[tuple[str, bytes]] = Queue(_WAITING)
        self._broker: Broker | None = None
        self._take: dict[str, Callable[[bytes], SyncReport]] = {
            DELTA: self._delta,
            VERSION: self._version,
            RECENT: self._retained_deltas,
            SNAPSHOT: self._retained_list,
        }
        self._recent = b""

    def next(self) -> SyncReport:
        """See `Source.next`. Raises `BackendError` when the broker cannot be reached."""
        if self._broker is None:
            self._broker = self._opened()
        try:
            topic, message = self._queue.get(timeout=self._silence)
        except Empty:
            return self._asked()
        take = self._take.get(topic, self._interrupted)
        return take(message)

    def interrupt(self) -> None:
        """See `Source.interrupt`."""
        self._arrived("", b"")

    def close(self) -> None:
        """Leave the broker."""
        if self._broker is not None:
            self._broker.close()
            self._broker = None

    def _opened(self) -> Broker:
        """The broker; while it is away the back office is asked, so that news still comes."""
        identity = self._terminal.identity
        name = f"ssct-{identity.terminal_id}" if identity else "ssct"
        try:
            return Broker(self._address, name, self._arrived).open()
        except BackendError:
            self._terminal.sync()
            raise

    def _arrived(self, topic: str, message: bytes) -> None:
        with suppress(Full):  # what was missed shows as a gap
            self._queue.put_nowait((topic, message))

    def _interrupted(self, _message: bytes) -> SyncReport:
        return self._terminal.take((), pushed=True)

    def _delta(self, document: bytes) -> SyncReport:
        report = self._terminal.take((document,), pushed=True)
        return self._asked() if _is_gap(report) else report

    def _version(self, message: bytes) -> SyncReport:
        """A version is out: nothing to do when its delta was taken."""
        held = self._terminal.blacklist.head()
        newest = int(message) if message.isdigit() and len(message) <= _DIGITS else None
        if newest is not None and held is not None and newest <= held.version:
            return self._terminal.take((), pushed=True)
        return self._asked()

    def _asked(self) -> SyncReport:
        """Ask the back office; while it does not help, have the broker send what it retains."""
        report = self._terminal.sync()
        if report.error is not None and self._broker is not None:
            self._broker.ask(RECENT)
        return report

    def _retained_deltas(self, documents: bytes) -> SyncReport:
        """The deltas that lead to the newest version; kept for the list that they continue."""
        self._leave(RECENT)
        report = self._terminal.take(split(documents), pushed=True)
        if _is_gap(report) and self._broker is not None:
            self._recent = documents
            self._broker.ask(SNAPSHOT)
        return report

    def _retained_list(self, documents: bytes) -> SyncReport:
        """The whole list, and the deltas since, which came before it."""
        self._leave(SNAPSHOT)
        recent, self._recent = self._recent, b""
        return self._terminal.take(split(documents + recent), pushed=True)

    def _leave(self, topic: str) -> None:
        if self._broker is not None:
            self._broker.leave(topic)


def _is_gap(report: SyncReport) -> bool:
    return report.error is not None and report.error.code == ListGap.code
