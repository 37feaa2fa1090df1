"""One request straight into a web application, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message


@dataclass
class Answer:
    """What came back; of repeated headers the last."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def ask(
    app: ASGIApp,
    path: str,
    headers: Mapping[str, str],
    body: bytes | None = None,
    query: str = "",
) -> Answer:
    """One request straight into the application."""
    answer = Answer()
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET" if body is None else "POST",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "scheme": "http",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    asked = False

    async def receive() -> Message:
        nonlocal asked
        if asked:  # whoever waits for the other side to leave waits for ever
            await asyncio.Event().wait()
        asked = True
        return {"type": "http.request", "body": body or b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {n.decode(): v.decode() for n, v in message["headers"]}
        else:
            answer.body += message.get("body", b"")

    async def run() -> None:
        await app(scope, receive, send)

    # In a thread of its own: this one may have a loop already, the browser's.
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(lambda: asyncio.run(run())).result()
    return answer
