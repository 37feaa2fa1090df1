"""What every page of the kiosk has in common: this machine only, our own pages only, nothing kept.

Every request must name this host (so that no name a stranger chose leads here), every press must
come from a page of the same origin, and the browser is told what it may load.
"""

from __future__ import annotations

import hmac

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOCAL = ("127.0.0.1", "localhost", "[::1]")
_MISDIRECTED, _FORBIDDEN, _UNAUTHORISED = 421, 403, 401


class Guard:
    """Around an application. `policy` is its Content-Security-Policy.

    With `key` a request must carry it: in the cookie `cookie`, or as `key` in the address, once.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        policy: str,
        framed_by: tuple[str, ...] = (),
        key: str | None = None,
        cookie: str = "",
    ) -> None:
        self._app = app
        self._key = key
        self._cookie = cookie
        ancestors = " ".join(framed_by) or "'none'"
        self._headers = [
            (b"content-security-policy", f"{policy}; frame-ancestors {ancestors}".encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"same-origin"),  # without one, a form's origin would be "null"
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), usb=()"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on; either way with the headers."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._headers]
            await send(message)

        if scope["type"] != "http":
            return
        status = self._refusal(Request(scope))
        if status is not None:
            await Response(status_code=status)(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)

    def _refusal(self, request: Request) -> int | None:
        host = request.headers.get("host", "")
        if host.rsplit(":", 1)[0] not in _LOCAL:
            return _MISDIRECTED
        if request.method == "POST" and request.headers.get("origin") != f"http://{host}":
            return _FORBIDDEN
        if self._key is None:
            return None
        shown = request.cookies.get(self._cookie) or request.query_params.get("key", "")
        same = hmac.compare_digest(shown.encode(), self._key.encode())
        return None if same else _UNAUTHORISED
