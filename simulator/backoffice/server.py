"""The back office as its own process: key file, database, interface and web server put together.

This is a composition: the machine's clock and randomness are the defaults here, and nowhere below.
It prints nothing; the caller is told where it listens and says so. With TLS (1.2 or later) a client
may show a certificate of the authority, and the interface says where it must; an invalid one ends
the connection. Plain HTTP is for this machine only.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from backend_client.broker import BrokerAddress
from simulator.backoffice.api import Api
from simulator.backoffice.asgi import CERTIFICATE, application
from simulator.backoffice.authority import (
    CA_CERTIFICATE,
    SERVER_CERTIFICATE,
    SERVER_KEY,
    Authority,
)
from simulator.backoffice.backoffice import BackOffice, Rules
from simulator.backoffice.broker_feed import BrokerFeed
from simulator.backoffice.clocks import Clock, MovableClock
from simulator.backoffice.database import open_engine
from simulator.backoffice.deadlines import DeadlineWatch
from simulator.backoffice.errors import AuthorityUnusable, CannotListen
from simulator.backoffice.figures import load_figures
from simulator.backoffice.keys import load_or_create_key
from simulator.backoffice.waiting import Waiting

GRACE_SECONDS = 10
"""How long requests that are being answered may take when the process is asked to end."""

_BACKLOG = 1024
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
    tls: Path | None = None,
    broker: BrokerAddress | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is being answered and return.

    `port` 0 takes a free one. `prepare` may fill the register before anybody is served. `announce`
    is called with host and port as soon as connections are accepted. With a clock that has
    `advance` the route /admin/v1/clock moves it. Deadlines raise their events when they pass. `tls`
    is an authority's directory with a server's pair (`authority.py`). On a `broker` the blacklist
    is published too. Raises `StartupError`, and `BrokerUnreachable`.
    """
    clock = clock or _MachineClock()
    secured = None if tls is None else _tls_context(tls)
    authority = None if tls is None else Authority.opened(tls, random, _MachineClock().now)
    listener = _listening(host, port)
    try:
        backoffice = BackOffice(
            open_engine(database_url),
            now=clock.now,
            random=random,
            sealing_key=load_or_create_key(key_file, random),
            figures=load_figures(figures_directory),
            rules=rules,
            authority=authority,
        )
        with backoffice:
            if prepare is not None:
                prepare(backoffice)
            advance = clock.advance if isinstance(clock, MovableClock) else None
            api = Api(backoffice, admin_token=admin_token, advance=advance)
            feed = BrokerFeed(backoffice.lists, broker) if broker else nullcontext()
            watch = DeadlineWatch(backoffice.deadlines, clock)
            with backoffice.neighbours(), feed, watch:
                _serve(api, listener, announce, secured)
    finally:
        listener.close()


def _serve(
    api: Api,
    listener: socket.socket,
    announce: Callable[[str, int], None] | None,
    tls: ssl.SSLContext | None,
) -> None:
    waiting = Waiting(api.bell)
    config = uvicorn.Config(
        application(api, waiting=waiting),
        http=_Connection,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="info",  # below it are headers: tokens
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_CONCURRENT,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=64 * 1024,
    )
    with _absorbing_signals():
        _Server(config, announce, waiting).run(sockets=[listener])


class _Connection(H11Protocol):
    """Hands on the certificate that the client has shown, if any."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        shown = None if tls is None else tls.getpeercert(binary_form=True)
        self.app_state = {**self.app_state, CERTIFICATE: shown}


def _tls_context(directory: Path) -> ssl.SSLContext:
    """TLS with the server's pair, for clients of the same authority. Raises `AuthorityUnusable`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_OPTIONAL
    try:
        context.load_cert_chain(directory / SERVER_CERTIFICATE, directory / SERVER_KEY)
        context.load_verify_locations(directory / CA_CERTIFICATE)
    except (OSError, ssl.SSLError) as error:
        told = f"no server certificate in {directory}: {type(error).__name__}"
        raise AuthorityUnusable(told) from None
    return context


class _Server(uvicorn.Server):
    """Tells where it listens as soon as it does, and keeps nobody waiting when it ends."""

    def __init__(
        self,
        config: uvicorn.Config,
        announce: Callable[[str, int], None] | None,
        waiting: Waiting,
    ) -> None:
        super().__init__(config)
        self._announce = announce
        self._waiting = waiting

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections, then tell."""
        await super().startup(sockets)
        if self._announce is not None and sockets:
            host, port = sockets[0].getsockname()[:2]
            self._announce(host, port)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let whoever waits for news go, then finish what is being answered."""
        self._waiting.end()
        await super().shutdown(sockets)


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
