"""The back office as its own process: key file, database, interface and web server put together.

This is a composition: the machine's clock and randomness are the defaults here, and nowhere below.
It prints nothing; the caller is told where it listens and says so. Plain HTTP: beyond this machine
put a TLS proxy in front.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes

import uvicorn

from simulator.backoffice.api import Api
from simulator.backoffice.asgi import application
from simulator.backoffice.backoffice import BackOffice, Rules
from simulator.backoffice.clocks import Clock, MovableClock
from simulator.backoffice.database import open_engine
from simulator.backoffice.errors import CannotListen
from simulator.backoffice.figures import load_figures
from simulator.backoffice.keys import load_or_create_key

GRACE_SECONDS = 10
"""How long requests that are being answered may take when the process is asked to end."""

_BACKLOG = 128
_CONCURRENT = 2000
_ENDING = (signal.SIGINT, signal.SIGTERM)


class _MachineClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def run(
    host: str,
    port: int,
    database_url: str,
    key_file: Path,
    admin_token: str | None,
    *,
    clock: Clock | None = None,
    random: Callable[[int], bytes] = token_bytes,
    rules: Rules | None = None,
    figures_directory: Path | None = None,
    prepare: Callable[[BackOffice], None] | None = None,
    announce: Callable[[str, int], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is being answered and return.

    `port` 0 takes a free one. `prepare` may fill the register before anybody is served. `announce`
    is called with host and port as soon as connections are accepted. With a clock that has
    `advance` the route /admin/v1/clock moves it. Raises `StartupError`.
    """
    clock = clock or _MachineClock()
    listener = _listening(host, port)
    try:
        backoffice = BackOffice(
            open_engine(database_url),
            now=clock.now,
            random=random,
            sealing_key=load_or_create_key(key_file, random),
            figures=load_figures(figures_directory),
            rules=rules,
        )
        with backoffice:
            if prepare is not None:
                prepare(backoffice)
            advance = clock.advance if isinstance(clock, MovableClock) else None
            api = Api(backoffice, admin_token=admin_token, advance=advance)
            _serve(api, listener, announce)
    finally:
        listener.close()


def _serve(api: Api, listener: socket.socket, announce: Callable[[str, int], None] | None) -> None:
    config = uvicorn.Config(
        application(api),
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_CONCURRENT,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=64 * 1024,
    )
    with _absorbing_signals():
        _Server(config, announce).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Tells where it listens as soon as it does."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[str, int], None] | None) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections, then tell."""
        await super().startup(sockets)
        if self._announce is not None and sockets:
            host, port = sockets[0].getsockname()[:2]
            self._announce(host, port)


def _listening(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `CannotListen`."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, OverflowError) as error:
        raise CannotListen(f"{host} port {port}: {error}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise CannotListen(f"{host} port {port}: {error}") from None
    return listener


@contextmanager
def _absorbing_signals() -> Iterator[None]:
    """Let the process go on after a shutdown: uvicorn raises its signal again when it is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: None) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
