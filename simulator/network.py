"""The network between terminal and back office, which can be cut and can lose and garble.

A `Transport` around another one. A fault is told for one path and used up by the next request to
it, so a test says exactly which message goes wrong, and how.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from enum import Enum

from backend_client.errors import NoReply, Unreachable
from backend_client.transport import Reply, Request, Transport


class Fault(Enum):
    """What happens to one message."""

    REFUSED_CONNECTION = "refused connection"  # nothing arrives, and the sender knows
    REQUEST_LOST = "request lost"  # nothing arrives, and the sender does not know
    ANSWER_LOST = "answer lost"  # it is done, and the sender does not know
    SENT_TWICE = "sent twice"  # it arrives twice, and the second answer comes back


class Network:
    """A network in front of `beyond`, connected at first."""

    def __init__(self, beyond: Transport) -> None:
        self.connected = True
        self.paths: list[str] = []
        self._beyond = beyond
        self._faults: defaultdict[str, deque[Fault | Callable[[Reply], Reply]]] = defaultdict(deque)

    def fail(self, path: str, *faults: Fault) -> None:
        """Let the next requests to `path` meet these faults, one each."""
        self._faults[path].extend(faults)

    def garble(self, path: str, change: Callable[[Reply], Reply]) -> None:
        """Let the answer to the next request to `path` arrive as `change` makes it."""
        self._faults[path].append(change)

    def heal(self) -> None:
        """Connect again and forget every fault that is still to come."""
        self.connected = True
        self._faults.clear()

    def send(self, request: Request) -> Reply:
        """See `Transport.send`; every path that was asked for is kept in `paths`."""
        path = request.path.partition("?")[0]
        self.paths.append(path)
        if not self.connected:
            raise Unreachable("the network is cut")
        faults = self._faults[path]
        fault = faults.popleft() if faults else None
        match fault:
            case Fault.REFUSED_CONNECTION:
                raise Unreachable("no connection")
            case Fault.REQUEST_LOST:
                raise NoReply("the request was lost")
            case Fault.ANSWER_LOST:
                self._beyond.send(request)
                raise NoReply("the answer was lost")
            case Fault.SENT_TWICE:
                self._beyond.send(request)
                return self._beyond.send(request)
            case None:
                return self._beyond.send(request)
            case change:
                return change(self._beyond.send(request))
