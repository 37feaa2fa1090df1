"""One deadline over a whole HTTP exchange, kept on every single read and write of its socket.

A time-out for each piece is no bound: a peer that sends a header byte now and then would hold its
caller for ever. Here every wait is cut to what is left of the exchange, also inside the headers.
"""

from __future__ import annotations

import socket
import ssl
import threading
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from math import inf
from typing import Any

import httpcore2
import httpx2

_PIECE = 4096
"""How many bytes are written under one wait, so that a peer that takes them slowly is cut too."""


class Deadline(threading.local):
    """When the exchange of this thread has to be over; `monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._ends_at = -inf

    def start(self, seconds: float) -> None:
        """Begin an exchange that may take so long."""
        self._ends_at = self._monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left; zero or less when the exchange has to end."""
        return self._ends_at - self._monotonic()

    def bounded(self, timeout: float | None, late: type[Exception]) -> float:
        """How long the next wait may be. Raises `late` when nothing is left."""
        left = self.left()
        if left <= 0:
            raise late("the exchange took too long")
        return left if timeout is None else min(timeout, left)


class BoundedTransport(httpx2.HTTPTransport):
    """HTTP/1.1 over sockets that keep a deadline, without proxies from the environment."""

    def __init__(self, verify: ssl.SSLContext | bool, deadline: Deadline) -> None:
        context = httpx2.create_ssl_context(verify=verify, trust_env=False)
        self._opened: weakref.WeakSet[_BoundedStream] = weakref.WeakSet()
        super().__init__(verify=context, trust_env=False)
        self._pool.close()
        # httpx2 hands no network backend through, so its pool is replaced by one that has ours.
        self._pool = httpcore2.ConnectionPool(
            ssl_context=context,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=5.0,
            network_backend=_BoundedNetwork(deadline, self._opened),
        )

    def interrupt(self) -> None:
        """End every exchange that is under way; those who wait for an answer get none.

        May be called on any thread. What is sent later is not hindered.
        """
        for stream in list(self._opened):
            stream.interrupt()


class _BoundedNetwork(httpcore2.NetworkBackend):
    """The network, with the deadline on everything."""

    def __init__(self, deadline: Deadline, opened: weakref.WeakSet[_BoundedStream]) -> None:
        self._network = httpcore2.SyncBackend()
        self._deadline = deadline
        self._opened = opened

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        bounded = self._deadline.bounded(timeout, httpcore2.ConnectTimeout)
        stream = self._network.connect_tcp(host, port, bounded, local_address, socket_options)
        return _BoundedStream(stream, self._deadline, self._opened)


class _BoundedStream(httpcore2.NetworkStream):
    """A connection; it may serve one exchange after the other, each with its own deadline."""

    def __init__(
        self,
        stream: httpcore2.NetworkStream,
        deadline: Deadline,
        opened: weakref.WeakSet[_BoundedStream],
    ) -> None:
        self._stream = stream
        self._deadline = deadline
        self._opened = opened
        opened.add(self)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        bounded = self._deadline.bounded(timeout, httpcore2.ReadTimeout)
        return self._stream.read(max_bytes, bounded)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PIECE):
            bounded = self._deadline.bounded(timeout, httpcore2.WriteTimeout)
            self._stream.write(buffer[start : start + _PIECE], bounded)

    def close(self) -> None:
        self._stream.close()

    def interrupt(self) -> None:
        """Let whoever reads from it find its end."""
        connection = self.get_extra_info("socket")
        with suppress(OSError):  # it is closed already
            # On the TCP connection also under TLS, whose own state belongs to the thread in it.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        bounded = self._deadline.bounded(timeout, httpcore2.ConnectTimeout)
        stream = self._stream.start_tls(ssl_context, server_hostname, bounded)
        return _BoundedStream(stream, self._deadline, self._opened)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401  # the interface's own
        return self._stream.get_extra_info(info)
