"""Carrying one request to the back office and its reply back: the protocol, and HTTP.

For money it matters when a failure happened. `Unreachable` means that no connection came about,
so nothing was processed; everything later is `NoReply`, because the request may have arrived.
Plain http is for a back office on this machine only: the token must not cross a network in clear.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import SplitResult, urlsplit, urlunsplit

from backend_client.codec import MAX_BODY
from backend_client.errors import BadAddress, BadMessage, NoReply, Unreachable, Untrusted

if TYPE_CHECKING:
    import ssl

    import httpx2

    from backend_client.deadline import BoundedTransport


@dataclass(frozen=True, slots=True)
class Request:
    """What to send. `path` starts with "/" and may end in a query; header names are lower case."""

    method: str
    path: str
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. Header names are lower case."""

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Transport(Protocol):
    """Anything that takes a request to the back office."""

    def send(self, request: Request) -> Reply:
        """Send once and return the reply, whatever its status.

        Raises `Unreachable` (certainly nothing processed), `NoReply` (outcome unknown) or
        `BadMessage` (a reply too large or in an encoding nobody asked for). Never retries.
        """
        ...


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait: for a connection, for each piece sent or received, and for all of it.

    `total` holds from the connection to the last byte of the reply, however it drips.
    """

    connect: float = 5.0
    piece: float = 15.0
    total: float = 60.0


class HttpTransport:
    """A `Transport` over HTTP(S), safe to share between threads.

    It follows no redirect, keeps no cookie, obeys no proxy variable and asks for no compression,
    so the size bound holds for what arrives. `monotonic` gives seconds; `tls` may carry a private
    CA or a client certificate. `handler` replaces the network in tests.
    """

    def __init__(
        self,
        base_url: str,
        *,
        monotonic: Callable[[], float],
        timeouts: Timeouts | None = None,
        max_body: int = MAX_BODY,
        tls: ssl.SSLContext | None = None,
        handler: httpx2.BaseTransport | None = None,
    ) -> None:
        """Raise `BadAddress` for a URL that is not https, or http to this machine."""
        from backend_client.deadline import BoundedTransport, Deadline

        self._base = _checked(base_url)
        self._deadline = Deadline(monotonic)
        self._timeouts = timeouts or Timeouts()
        self._max_body = max_body
        self._networks: list[BoundedTransport] = []
        self._client = self._made(
            handler or BoundedTransport(tls or _trust(self._base), self._deadline)
        )
        self._retired: list[httpx2.Client] = []

    def send(self, request: Request) -> Reply:
        """See `Transport.send`."""
        import httpx2

        never_sent = (
            httpx2.ConnectError,
            httpx2.ConnectTimeout,
            httpx2.PoolTimeout,
            httpx2.UnsupportedProtocol,
            httpx2.InvalidURL,
        )
        try:
            return self._exchange(request)
        except never_sent as error:
            raise _unreachable(error) from None
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            raise NoReply(f"the exchange broke off ({type(error).__name__})") from None

    def interrupt(self) -> None:
        """End every exchange that is under way with `NoReply`; may be called on any thread."""
        for network in self._networks:
            network.interrupt()

    def close(self) -> None:
        """Close the connections that are kept open."""
        for client in (*self._retired, self._client):
            client.close()

    def use(self, tls: ssl.SSLContext) -> None:
        """From the next request on connect with `tls`, also where a connection was kept open."""
        from backend_client.deadline import BoundedTransport

        self._retired.append(self._client)
        self._client = self._made(BoundedTransport(tls, self._deadline))

    def _made(self, transport: httpx2.BaseTransport) -> httpx2.Client:
        from http.cookiejar import CookieJar, DefaultCookiePolicy

        import httpx2

        from backend_client.deadline import BoundedTransport

        if isinstance(transport, BoundedTransport):
            self._networks.append(transport)
        return httpx2.Client(
            trust_env=False,
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            timeout=httpx2.Timeout(self._timeouts.piece, connect=self._timeouts.connect),
            headers={"accept-encoding": "identity", "user-agent": "ssct"},
            transport=transport,
        )

    def _exchange(self, request: Request) -> Reply:
        self._deadline.start(self._timeouts.total)
        with self._client.stream(
            request.method,
            self._base + request.path,
            content=request.body,
            headers=dict(request.headers),
        ) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            if headers.get("content-encoding", "identity") != "identity":
                raise BadMessage("", "content-encoding", "reply")
            body = self._read(response)
        return Reply(response.status_code, body, headers)

    def _read(self, response: httpx2.Response) -> bytes:
        body = bytearray()
        for piece in response.iter_raw():
            body += piece
            if len(body) > self._max_body:
                raise BadMessage("", "size", "reply")
            if self._deadline.left() <= 0:
                raise NoReply("the reply did not end in time")
        return bytes(body)


def _checked(base_url: str) -> str:
    """The base URL without a trailing slash. Raises `BadAddress`, which never shows the URL."""
    try:
        url = urlsplit(base_url)
        port_is_valid = url.port != 0
    except ValueError:
        raise BadAddress("the back office's URL cannot be parsed") from None
    if url.scheme not in ("http", "https") or not url.hostname or not port_is_valid:
        raise BadAddress("the back office's URL must be https://host[:port][/path]")
    if url.username is not None or url.password is not None or url.query or url.fragment:
        raise BadAddress("the back office's URL must hold no user, query or fragment")
    if url.scheme == "http" and not _is_loopback(url):
        raise BadAddress("plain http is for a back office on this machine only; use https")
    return urlunsplit(url).rstrip("/")


def _trust(base_url: str) -> ssl.SSLContext | bool:
    """The public CAs for https; for http nothing, which also spares loading them."""
    import ssl

    return base_url.startswith("https:") or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _is_loopback(url: SplitResult) -> bool:
    if url.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(url.hostname or "").is_loopback
    except ValueError:
        return False


def _unreachable(error: Exception) -> Unreachable:
    """Why no connection came about; an identity that was not proved is told apart."""
    import ssl

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Untrusted(cause.verify_message)
        cause = cause.__cause__ or cause.__context__
    return Unreachable(f"no connection to the back office ({type(error).__name__})")
