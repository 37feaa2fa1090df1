"""Who may call at all: by host, by origin, by token, and how often.

A web page can make a browser call this machine. It gets nothing unless its origin is allowed; a
page whose own name was rebound to this machine's address still says that name as the host; and
what a browser sends without an origin (an image, a form) has no token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

from terminal.agent.errors import (
    AgentError,
    HostRefused,
    OriginRefused,
    QueryRefused,
    ScopeMissing,
    TokenRefused,
)
from terminal.agent.problems import problem
from terminal.agent.rate import RateLimit
from terminal.agent.scopes import Scope
from terminal.agent.tokens import TokenBook

CALLER = "ssct.caller"
SUBPROTOCOL = "ssct.v1"
TOKEN_SUBPROTOCOL = "ssct.token."  # noqa: S105 - where a token follows
LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
FAILURES_PER_MINUTE = 30
"""Wrong tokens of everybody together: guessing is hopeless, and noise is bounded."""

_BROWSERS_OWN = frozenset({"", "none", "same-origin"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the token's id and name, or the origin of a page that needs no token."""

    id: str
    name: str = field(repr=False)
    scopes: frozenset[Scope]

    @property
    def face(self) -> str:
        """How the audit trail names the caller."""
        return f"agent:{self.id}"

    def require(self, scope: Scope) -> None:
        """Raise `ScopeMissing` unless the caller has it."""
        if scope not in self.scopes:
            raise ScopeMissing(f"the token lacks the scope {scope}")


@dataclass(frozen=True, slots=True)
class Doors:
    """What the settings allow: host names, origins, and origins of unchanged LD/T 33 pages."""

    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    pages: Mapping[str, frozenset[Scope]]


class Guard:
    """The middleware in front of everything else."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        doors: Doors,
        tokens: TokenBook,
        limit: RateLimit,
        failures: RateLimit,
        page_paths: tuple[str, ...],
    ) -> None:
        """`page_paths` are where pages that are allowed as they are may go without a token."""
        self._app = app
        self._doors = doors
        self._tokens = tokens
        self._limit = limit
        self._failures = failures
        self._page_paths = page_paths

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Let the call through with its caller, or answer it here."""
        if scope["type"] not in ("http", "websocket"):
            return
        connection = HTTPConnection(scope)
        origin = connection.headers.get("origin")
        try:
            self._check_host(connection)
            self._check_origin(connection, origin)
            if scope["type"] == "http" and scope["method"] == "OPTIONS" and origin:
                await _preflight(origin)(scope, receive, send)
                return
            scope[CALLER] = self._caller(connection, origin)
            self._limit.take(scope[CALLER].id)
            if scope["type"] == "http" and scope["query_string"]:
                raise QueryRefused("an address takes no query")
        except AgentError as error:
            await _refuse(error, scope, receive, send, self._shared_with(origin))
            return
        await self._app(scope, receive, _sharing(send, self._shared_with(origin)))

    def _check_host(self, connection: HTTPConnection) -> None:
        host = connection.headers.get("host", "")
        name = host.rsplit(":", 1)[0] if host.rpartition(":")[2].isdecimal() else host
        if name.lower() not in (*LOCAL_HOSTS, *self._doors.hosts):
            raise HostRefused("the host is not this machine")

    def _check_origin(self, connection: HTTPConnection, origin: str | None) -> None:
        if origin is None:
            site = connection.headers.get("sec-fetch-site", "")
            if site not in _BROWSERS_OWN:
                raise OriginRefused("a page made the browser call")
        elif origin not in self._doors.origins and origin not in self._doors.pages:
            raise OriginRefused("the page's origin is not allowed")

    def _shared_with(self, origin: str | None) -> str | None:
        """The origin that may read answers: an allowed one."""
        known = origin in self._doors.origins or origin in self._doors.pages
        return origin if known else None

    def _caller(self, connection: HTTPConnection, origin: str | None) -> Caller:
        shown = _shown_token(connection.headers)
        if shown is None:
            page = self._doors.pages.get(origin or "")
            if page is not None and connection.scope["path"] in self._page_paths:
                return Caller("page", origin or "", page)
            raise TokenRefused("no token was sent")
        token = self._tokens.find(shown)
        if token is None:
            self._failures.take("everybody")
            raise TokenRefused("the token is not known, or was taken back")
        return Caller(token.id, token.name, token.scopes)


def _shown_token(headers: Headers) -> str | None:
    """The bearer token; a page's WebSocket, which cannot send one, has it as a subprotocol."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token:
        return token.strip()
    for offered in headers.get("sec-websocket-protocol", "").split(","):
        if offered.strip().startswith(TOKEN_SUBPROTOCOL):
            return offered.strip().removeprefix(TOKEN_SUBPROTOCOL)
    return None


def _preflight(origin: str) -> Response:
    """What a browser asks before a page's call: methods, headers, a private network."""
    headers = {
        "access-control-allow-origin": origin,
        "access-control-allow-methods": "GET, POST, PUT, DELETE",
        "access-control-allow-headers": "authorization, content-type",
        "access-control-allow-private-network": "true",
        "access-control-max-age": "600",
        "vary": "origin",
    }
    return Response(status_code=204, headers=headers)


def _sharing(send: Send, origin: str | None) -> Send:
    """Adds what a browser must know of the answer: who may read it, and that nobody keeps it."""
    extra = [
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        (b"cross-origin-resource-policy", b"cross-origin" if origin else b"same-origin"),
        (b"vary", b"origin"),
    ]
    if origin:
        extra.append((b"access-control-allow-origin", origin.encode()))

    async def shared(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *extra]
        await send(message)

    return shared


async def _refuse(
    error: AgentError, scope: AsgiScope, receive: Receive, send: Send, origin: str | None
) -> None:
    answer = problem(error)
    if scope["type"] == "http":
        await answer(scope, receive, _sharing(send, origin))
        return
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    await send(
        {
            "type": "websocket.http.response.start",
            "status": answer.status_code,
            "headers": answer.raw_headers,
        }
    )
    await send({"type": "websocket.http.response.body", "body": bytes(answer.body)})
