"""The web face: what it hands on, and bodies that are too large, too slow or never end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from random import Random
from typing import Any

import pytest
from starlette.types import Message

from simulator.backoffice.asgi import BODY_SECONDS, application
from simulator.backoffice.database import open_engine
from simulator.backoffice.incoming import MAX_REQUEST
from simulator.backoffice.sample import ADMIN_TOKEN, SampleCity
from simulator.clock import SHANGHAI, SimulatedClock

BEGIN = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)


@pytest.fixture
def city() -> Iterator[SampleCity]:
    city = SampleCity(
        open_engine("sqlite://"), clock=SimulatedClock(BEGIN), random=Random(1).randbytes
    )
    yield city
    city.backoffice.close()


def sent(
    city: SampleCity,
    path: str,
    received: list[Message],
    *,
    method: str = "POST",
    query: bytes = b"",
    headers: list[tuple[bytes, bytes]] | None = None,
    body_seconds: float = BODY_SECONDS,
) -> list[Message]:
    """What the application sends for a request that arrives as `received`, and then no more."""
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": headers or [],
    }
    messages: list[Message] = []
    arriving = iter(received)

    async def receive() -> Message:
        message = next(arriving, None)
        if message is None:
            await asyncio.Event().wait()
        return message or {}

    async def send(message: Message) -> None:
        messages.append(message)

    app = application(city.api, body_seconds=body_seconds)
    asyncio.run(app(scope, receive, send))
    return messages


def body(data: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": data, "more_body": more}


def answer(messages: list[Message]) -> tuple[int, Any]:
    start, *rest = messages
    return start["status"], json.loads(b"".join(part.get("body", b"") for part in rest))


def test_method_path_query_headers_and_body_are_handed_on(city: SampleCity) -> None:
    ref = city.card(1)
    headers = [
        (b"content-type", b"application/json"),
        (b"authorization", f"Bearer {ADMIN_TOKEN}".encode()),
    ]
    data = json.dumps({"card_id": ref.card_id}).encode()
    pieces = [body(data[:5], more=True), body(data[5:])]
    status, found = answer(sent(city, "/admin/v1/cards/status", pieces, headers=headers))
    assert (status, found["state"]) == (200, "active")
    status, found = answer(sent(city, "/v1/blacklist", [body(b"")], method="GET", query=b"x=1"))
    assert (status, found["code"]) == (401, "NOT_ENROLLED")


@pytest.mark.parametrize("path", ["/nowhere", "/", "/v1/time/", "/%00", "/../v1/time"])
def test_what_is_not_there_is_a_problem_too(path: str, city: SampleCity) -> None:
    status, found = answer(sent(city, path, [body(b"")], method="GET"))
    assert (status, found["code"]) == (404, "NOT_FOUND")


def test_a_body_without_end_is_cut_off(city: SampleCity) -> None:
    endless = [body(b"x" * 65_536, more=True)] * (MAX_REQUEST // 65_536 + 1)
    messages = sent(city, "/v1/cards/status", endless)
    assert answer(messages)[1]["code"] == "BODY_TOO_LARGE"
    assert (b"connection", b"close") in messages[0]["headers"]


def test_a_body_that_does_not_arrive_in_time_is_given_up(city: SampleCity) -> None:
    messages = sent(city, "/v1/cards/status", [body(b"{", more=True)], body_seconds=0)
    assert answer(messages)[1]["code"] == "REQUEST_TIMEOUT"


def test_nobody_is_answered_who_has_gone(city: SampleCity) -> None:
    gone = [body(b"{", more=True), {"type": "http.disconnect"}]
    assert sent(city, "/v1/cards/status", gone) == []
