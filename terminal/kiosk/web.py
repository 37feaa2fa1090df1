"""The web side of the kiosk: renders the stage, pushes it, and puts presses into the inbox.

It serves this machine only. Every request must name this host, every press must come from this
page, and all but the first must carry the cookie that the address with the key gave (the key is
made anew at every start). Nothing is kept by the browser: no cache, no storage, no script but ours.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from terminal.kiosk.guard import Guard
from terminal.kiosk.inbox import CancelPressed, Inbox, PinKey, Pressed, Touched
from terminal.kiosk.rendering import html_lang, render, template_of, warning_words
from terminal.kiosk.stage import CHOICES, Stage
from terminal.kiosk.views import Page
from terminal.screens import Identity

COOKIE = "ssct_kiosk"
LONGEST_BODY = 4096
HEARTBEAT = 15.0
"""Seconds between signs of life to a page that has nothing new to show."""

STATIC = Path(__file__).parent / "static"
_FILES = {"kiosk.js": "text/javascript", "kiosk.css": "text/css"}
_KEYS = (*"0123456789", "erase", "enter")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'"
)


class KioskWeb:
    """The application over one stage and inbox. `app` is what a server serves."""

    def __init__(
        self, stage: Stage, inbox: Inbox, *, key: str, framed_by: tuple[str, ...] = ()
    ) -> None:
        """`framed_by` are origins that may show the page in a frame: the developer's panel."""
        self._stage = stage
        self._inbox = inbox
        self._key = key
        self._streams: set[_Stream] = set()
        self._ended = False
        self.app = Starlette(
            routes=[
                Route("/", self._shell),
                Route("/events", self._events),
                Route("/press", self._press, methods=["POST"]),
                Route("/prefer", self._prefer, methods=["POST"]),
                Route("/static/{name}", self._file),
            ],
            middleware=[
                Middleware(Guard, policy=_POLICY, framed_by=framed_by, key=key, cookie=COOKIE)
            ],
        )

    def close(self) -> None:
        """End what is streaming, so that a server can end."""
        self._ended = True
        for stream in tuple(self._streams):
            stream.end()

    async def _shell(self, request: Request) -> Response:
        if "key" in request.query_params:  # out of the address bar and the history
            answer = RedirectResponse("/", 303)
            answer.set_cookie(COOKIE, self._key, httponly=True, samesite="strict", path="/")
            return answer
        return FileResponse(STATIC / "kiosk.html", media_type="text/html; charset=utf-8")

    async def _file(self, request: Request) -> Response:
        kind = _FILES.get(request.path_params["name"])
        if kind is None:
            raise HTTPException(404)
        return FileResponse(STATIC / request.path_params["name"], media_type=kind)

    async def _events(self, _: Request) -> Response:
        """Server-sent events. The newest page is the only one: an older one is told to stop."""
        for older in tuple(self._streams):
            older.end()
        stream = _Stream(self._stage)
        if self._ended:
            stream.end()
        self._streams.add(stream)

        async def events() -> AsyncIterator[bytes]:
            try:
                async for event in stream.events():
                    yield event
            finally:
                stream.leave()
                self._streams.discard(stream)

        return StreamingResponse(events(), media_type="text/event-stream")

    async def _press(self, request: Request) -> Response:
        """What was pressed: `{"revision": n, "press": kind, "value": ...}`."""
        body = await _json(request)
        revision, kind, value = body.get("revision"), body.get("press"), body.get("value")
        if type(revision) is not int:
            raise HTTPException(400)
        match kind, value:
            case "answer", (str() | bool() | None):
                happening: Any = Pressed(revision, value)
            case "identity", {"name": str(name), "ssn": str(ssn)}:
                happening = Pressed(revision, Identity(name, ssn))
            case "cancel", None:
                happening = CancelPressed(revision)
            case "key", str() if value in _KEYS:
                happening = PinKey(revision, value)
            case "touch", None:
                happening = Touched()
            case _:
                raise HTTPException(400)
        return Response(status_code=204 if self._inbox.put(happening) else 429)

    async def _prefer(self, request: Request) -> Response:
        name = (await _json(request)).get("prefer")
        if name not in CHOICES:
            raise HTTPException(400)
        self._stage.prefer(name)
        self._inbox.put(Touched())
        return Response(status_code=204)


class _Stream:
    """What one page is sent: the page as it is now, whenever it changed."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._ended = False
        self.leave = stage.follow(self._wake)

    def end(self) -> None:
        """Let the stream end. From any thread."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)

    async def events(self) -> AsyncIterator[bytes]:
        """The events, encoded."""
        shown: Page | None = None
        while not self._ended:
            self._changed.clear()
            page = self._stage.page
            if page != shown:
                yield _event("page", _described(page, shown))
                shown = page
            try:
                await asyncio.wait_for(self._changed.wait(), HEARTBEAT)
            except TimeoutError:
                yield b": still here\n\n"
        yield _event("superseded", {})


def _described(page: Page, shown: Page | None) -> Mapping[str, Any]:
    """What the page's script needs; the HTML only when that changed."""
    likes = page.preferences
    described: dict[str, Any] = {
        "revision": page.revision,
        "warning": page.warning,
        "digits": page.digits,
    }
    if page.warning is not None:
        described["words"] = warning_words(page)
    before = None if shown is None else (shown.revision, shown.view, shown.preferences)
    if before != (page.revision, page.view, page.preferences):
        described |= {
            "html": render(page),
            "kind": template_of(page.view),
            "lang": html_lang(page),
            "large": likes.large,
            "contrast": likes.contrast,
            "voice": likes.voice,
        }
    return described


def _event(name: str, data: Mapping[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


async def _json(request: Request) -> Mapping[str, Any]:
    """A small JSON object. Raises `HTTPException` for anything else."""
    try:
        value = json.loads(await read_body(request))
    except (ValueError, RecursionError):
        raise HTTPException(400) from None
    if not isinstance(value, dict):
        raise HTTPException(400)
    return value


async def read_body(request: Request) -> bytes:
    """A small body. Raises `HTTPException` for a long one."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST_BODY:
            raise HTTPException(413)
    return bytes(body)
