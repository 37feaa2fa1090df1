"""A web server on this machine only, in a thread of its own."""

from __future__ import annotations

import socket
from threading import Event, Thread

import uvicorn
from starlette.types import ASGIApp

from terminal.errors import TerminalError

_GRACE_SECONDS = 3
_CONCURRENT = 64
_BACKLOG = 32
_LONGEST_MESSAGE = 64 * 1024


class PortTaken(TerminalError):
    """The port is taken, or may not be used."""

    code = "PORT_TAKEN"
    remedy = "Stop the other program on this port, or set another one in the settings."


class LocalServer:
    """Serves `app` on 127.0.0.1. `port` 0 takes a free one; `address` tells which."""

    def __init__(self, app: ASGIApp, port: int, name: str, *, sockets: bool = False) -> None:
        """With `sockets`, WebSockets too. Raises `PortTaken`."""
        self._socket = _listening(port)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            lifespan="off",
            ws="websockets-sansio" if sockets else "none",
            ws_max_size=_LONGEST_MESSAGE,
            log_config=None,
            log_level="info",  # below it are frames and headers: PINs, names, tokens
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_CONCURRENT,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            h11_max_incomplete_event_size=16 * 1024,
        )
        self._started = Event()
        self._server = _Announcing(config, self._started)
        self._thread = Thread(target=self._serve, name=name)

    @property
    def origin(self) -> str:
        """The origin of its pages."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin, and return when connections are accepted."""
        self._thread.start()
        self._started.wait()

    def close(self) -> None:
        """End. May be called more than once."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._started.set()


class _Announcing(uvicorn.Server):
    """Tells when it accepts connections."""

    def __init__(self, config: uvicorn.Config, started: Event) -> None:
        super().__init__(config)
        self._announced = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections, then tell."""
        await super().startup(sockets)
        self._announced.set()


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise PortTaken(f"127.0.0.1 port {port}: {error}") from None
    return listener
