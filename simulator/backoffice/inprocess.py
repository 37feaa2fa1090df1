"""The back office in the terminal's own process: a transport without a network."""

from __future__ import annotations

from backend_client.transport import Reply, Request
from simulator.backoffice.api import Api


class InProcessTransport:
    """A `backend_client.transport.Transport` that hands each request to the interface."""

    def __init__(self, api: Api, certificate: bytes | None = None) -> None:
        """`certificate` (DER) stands for the one of a TLS connection."""
        self._api = api
        self._certificate = certificate

    def send(self, request: Request) -> Reply:
        """See `Transport.send`. A request that waits for news waits in its own thread."""
        rung = self._api.bell.rung
        reply = self._api.dispatch(request, self._certificate)
        seconds = self._api.waits(request, reply)
        if seconds and self._api.bell.wait(rung, seconds):
            return self._api.answer_again(request)
        return reply

    def interrupt(self) -> None:
        """Have whoever waits for news answered now."""
        self._api.bell.ring()
