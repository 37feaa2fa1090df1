"""Publishes the blacklist on an MQTT broker: signed deltas, and, retained, how the list stands."""

from __future__ import annotations

import logging
from threading import Event, Thread

from backend_client.broker import DELTA, RECENT, SNAPSHOT, VERSION, Broker, BrokerAddress
from simulator.backoffice.errors import Refused
from simulator.backoffice.list_desk import ListDesk

log = logging.getLogger(__name__)

_NAME = "ssct-backoffice"


class BrokerFeed:
    """Publishes each version on a thread of its own, as soon as the bell rings.

    What cannot be published is not lost: terminals ask for what they missed.
    """

    def __init__(self, lists: ListDesk, address: BrokerAddress) -> None:
        self._lists = lists
        self._broker = Broker(address, _NAME)
        self._rung = Event()
        self._stopping = False
        self._published = 0
        self._snapshot = 0
        self._thread = Thread(target=self._run, name="broker feed", daemon=True)
        self._leave = lists.bell.listen(self._rung.set)

    def open(self) -> BrokerFeed:
        """Connect and begin. Raises `BrokerUnreachable`."""
        self._broker.open()
        self._rung.set()
        self._thread.start()
        return self

    def close(self) -> None:
        """Publish no more."""
        self._leave()
        self._stopping = True
        self._rung.set()
        self._thread.join()
        self._broker.close()

    def __enter__(self) -> BrokerFeed:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while self._rung.wait() and not self._stopping:
            self._rung.clear()
            try:
                self._publish()
            except Refused as refused:
                log.error("nothing is published: %s", refused.code)  # noqa: TRY400

    def _publish(self) -> None:
        """Publish what is new: deltas where it goes on from the last one, then how it stands.

        The version comes last: who is behind finds the rest retained by then.
        """
        newest = self._lists.newest()
        if self._published:
            for document in self._lists.deltas(self._published):
                self._broker.publish(DELTA, document)
        standing = self._lists.standing()
        if standing.since != self._snapshot:
            self._broker.publish(SNAPSHOT, standing.snapshot, retain=True)
            self._snapshot = standing.since
        self._broker.publish(RECENT, standing.recent, retain=True)
        self._broker.publish(VERSION, str(newest).encode(), retain=True)
        self._published = newest
