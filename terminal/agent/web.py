"""The agent's web application: operations, events, the LD/T 33 socket, behind the guard."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version
from typing import Any, NoReturn

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute

from apdu.readers.pcsc_events import CardEvent
from terminal.agent import views
from terminal.agent.errors import BodyInvalid, BodyTooLong, NoSuchPath, WrongMethod
from terminal.agent.forms import check
from terminal.agent.guard import CALLER, Caller, Doors, Guard
from terminal.agent.ldt33 import PATHS, Ldt33Socket
from terminal.agent.openapi import document
from terminal.agent.operations import OPERATIONS, Agent, Call, Endpoint
from terminal.agent.problems import problem
from terminal.agent.rate import RateLimit
from terminal.agent.readers import EventBus
from terminal.agent.scopes import Scope
from terminal.agent.tokens import TokenBook

LONGEST_BODY = 64 * 1024
HEARTBEAT = 15.0
"""Seconds between signs of life on a stream where nothing happens."""


class AgentWeb:
    """The application; `app` is what a server serves."""

    def __init__(
        self,
        agent: Agent,
        bus: EventBus,
        socket: Ldt33Socket,
        *,
        doors: Doors,
        tokens: TokenBook,
        limit: RateLimit,
        failures: RateLimit,
    ) -> None:
        self._agent = agent
        self._bus = bus
        self._streams: set[_Stream] = set()
        self._ended = False
        routes: list[Any] = [
            Route(one.path, self._endpoint(one), methods=[one.method]) for one in OPERATIONS
        ]
        routes += [
            Route("/v1/events", self._events, methods=["GET"]),
            Route("/v1/openapi.json", self._openapi, methods=["GET"]),
            *(WebSocketRoute(path, socket.serve) for path in PATHS),
        ]
        guard = Middleware(
            Guard, doors=doors, tokens=tokens, limit=limit, failures=failures, page_paths=PATHS
        )
        # Whatever goes wrong becomes a problem, except what the client itself broke off.
        handlers = {Exception: _failed, HTTPException: _no_route}
        self.app = Starlette(routes=routes, middleware=[guard], exception_handlers=handlers)

    def close(self) -> None:
        """End what is streaming, so that a server can end."""
        self._ended = True
        for stream in tuple(self._streams):
            stream.end()

    def _endpoint(self, operation: Endpoint) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            try:
                caller: Caller = request.scope[CALLER]
                if operation.scope is not None:
                    caller.require(operation.scope)
                body = await _body(request, operation.form)
                return await operation.handler(Call(self._agent, caller, request, body))
            except Exception as error:
                return problem(error)

        return endpoint

    async def _openapi(self, _: Request) -> Response:
        return JSONResponse(document(version("ssct")))

    async def _events(self, request: Request) -> Response:
        try:
            request.scope[CALLER].require(Scope.READERS)
        except Exception as error:
            return problem(error)
        stream = _Stream()
        self._streams.add(stream)
        if self._ended:
            stream.end()
        leave = self._bus.listen(stream.tell)

        async def events() -> AsyncIterator[bytes]:
            try:
                async for piece in stream.pieces():
                    yield piece
            finally:
                leave()
                self._streams.discard(stream)

        return StreamingResponse(events(), media_type="text/event-stream")


class _Stream:
    """One listener's events, from any thread into the loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[CardEvent | None] = asyncio.Queue()

    def tell(self, event: CardEvent | None) -> None:
        """Pass an event on. From any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    def end(self) -> None:
        """Let the stream end. From any thread."""
        self.tell(None)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The events, encoded."""
        while True:
            try:
                event = await asyncio.wait_for(self._events.get(), HEARTBEAT)
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if event is None:
                return
            text = json.dumps(views.event(event), ensure_ascii=False)
            yield f"event: {event.kind.value}\ndata: {text}\n\n".encode()


async def _body(request: Request, form: str) -> dict[str, Any]:
    """The body as JSON of its form; an empty one counts as {}. Raises `AgentError`."""
    received = bytearray()
    async for piece in request.stream():
        received += piece
        if len(received) > LONGEST_BODY:
            raise BodyTooLong(f"more than {LONGEST_BODY} bytes")
    try:
        body = json.loads(bytes(received) or b"{}", parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise BodyInvalid("the body is not JSON") from None
    check(form, body)
    if not isinstance(body, dict):
        raise BodyInvalid("the body is not an object")
    return body


def _no_number(constant: str) -> NoReturn:
    """JSON has no NaN and no infinity, and no bound of a form would hold them."""
    raise ValueError(constant)


async def _failed(_: Request, error: Exception) -> Response:
    return problem(error)


async def _no_route(_: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    return problem(WrongMethod("see the description") if status == 405 else NoSuchPath("nothing"))
