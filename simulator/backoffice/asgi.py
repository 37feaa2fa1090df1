"""The web face: a Starlette application that hands each request to the interface.

Bodies are read up to a bound and within a time; the interface itself runs in a thread pool, because
it waits for the database. Whoever waits for a new blacklist holds no thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.requests import Request as WebRequest
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from backend_client.transport import Reply, Request
from simulator.backoffice.api import Api
from simulator.backoffice.errors import Refused
from simulator.backoffice.problems import refusal_reply
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.waiting import Waiting

BODY_SECONDS = 10.0
"""How long a body may take to arrive."""


CERTIFICATE = "client_certificate"
"""Under what name the server puts a connection's certificate (DER) into the scope's state."""


def application(
    api: Api, *, body_seconds: float = BODY_SECONDS, waiting: Waiting | None = None
) -> Starlette:
    """The web application over an interface. `waiting` is handed in by whoever wants to end it."""
    face = _Face(api, body_seconds, waiting or Waiting(api.bell))
    return Starlette(routes=[Mount("/", app=face)])


class _Face:
    """Every path and method; the interface knows which there are."""

    def __init__(self, api: Api, body_seconds: float, waiting: Waiting) -> None:
        self._api = api
        self._body_seconds = body_seconds
        self._waiting = waiting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = WebRequest(scope, receive)
        try:
            largest = self._api.largest(scope["path"])
            body = await asyncio.wait_for(_body(request.stream(), largest), self._body_seconds)
        except TimeoutError:
            reply = refusal_reply(Refused(Refusal.REQUEST_TIMEOUT), {"connection": "close"})
        except ClientDisconnect:
            return
        except Refused as refused:
            reply = refusal_reply(refused, {"connection": "close"})
        else:
            certificate = scope.get("state", {}).get(CERTIFICATE)
            reply = await self._reply(_request(request, body), certificate, receive)
        await _response(reply)(scope, receive, send)

    async def _reply(self, request: Request, certificate: bytes | None, receive: Receive) -> Reply:
        """The reply, for which somebody may be willing to wait."""
        rung = self._api.bell.rung
        reply = await run_in_threadpool(self._api.dispatch, request, certificate)
        seconds = self._api.waits(request, reply)
        if seconds and await self._waiting.heard(rung, seconds, receive):
            return await run_in_threadpool(self._api.answer_again, request)
        return reply


async def _body(stream: AsyncIterator[bytes], largest: int) -> bytes:
    body = bytearray()
    async for piece in stream:
        body += piece
        if len(body) > largest:
            raise Refused(Refusal.BODY_TOO_LARGE)
    return bytes(body)


def _request(request: WebRequest, body: bytes) -> Request:
    query = request.scope["query_string"].decode("latin-1")
    path = request.scope["path"] + (f"?{query}" if query else "")
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Request(request.method, path, body, headers)


def _response(reply: Reply) -> Response:
    return Response(reply.body, reply.status, dict(reply.headers))
