"""The kiosk's web side without a browser: who is let in, and what a press may be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pytest
from starlette.types import ASGIApp

from simulator.clock import SimulatedClock
from terminal.clock import SHANGHAI
from terminal.kiosk.inbox import CancelPressed, Inbox, PinKey, Pressed, Touched
from terminal.kiosk.stage import Stage
from terminal.kiosk.views import Checking, Preferences
from terminal.kiosk.web import COOKIE, KioskWeb
from terminal.screens import Identity

from .asgi import ask

KEY = "0123456789abcdef"
OWN = {"host": "127.0.0.1:8790", "cookie": f"{COOKIE}={KEY}"}
PRESS = {**OWN, "origin": "http://127.0.0.1:8790"}


@pytest.fixture
def inbox() -> Inbox:
    return Inbox(SimulatedClock(datetime(2026, 3, 16, tzinfo=SHANGHAI)))


@pytest.fixture
def stage() -> Stage:
    return Stage(Preferences())


@pytest.fixture
def app(stage: Stage, inbox: Inbox) -> ASGIApp:
    return KioskWeb(stage, inbox, key=KEY).app


def test_the_key_is_exchanged_for_a_cookie_and_leaves_the_address_bar(app: ASGIApp) -> None:
    answer = ask(app, "/", {"host": "127.0.0.1:8790"}, query=f"key={KEY}")
    assert answer.status == 303
    assert answer.headers["location"] == "/"
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "samesite=strict" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (OWN, 200),
        ({"host": "127.0.0.1:8790"}, 401),
        ({**OWN, "cookie": f"{COOKIE}=wrong"}, 401),
        ({**OWN, "host": "kiosk.example:8790"}, 421),
        ({**OWN, "host": "127.0.0.1.example"}, 421),
    ],
)
def test_only_this_machines_own_page_is_let_in(
    app: ASGIApp, headers: Mapping[str, str], status: int
) -> None:
    answer = ask(app, "/", headers)
    assert answer.status == status
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("origin", ["http://example.com", "http://127.0.0.1:9999", "null", None])
def test_a_press_from_another_page_does_not_count(
    app: ASGIApp, inbox: Inbox, origin: str | None
) -> None:
    headers = {**OWN, **({} if origin is None else {"origin": origin})}
    body = b'{"revision": 1, "press": "touch", "value": null}'
    assert ask(app, "/press", headers, body).status == 403
    assert inbox.wait(0.0) is None


@pytest.mark.parametrize(
    ("body", "happening"),
    [
        (b'{"revision": 3, "press": "answer", "value": "query"}', Pressed(3, "query")),
        (b'{"revision": 3, "press": "answer", "value": true}', Pressed(3, True)),
        (b'{"revision": 3, "press": "answer", "value": null}', Pressed(3, None)),
        (
            b'{"revision": 3, "press": "identity", "value": {"name": "A", "ssn": "1"}}',
            Pressed(3, Identity("A", "1")),
        ),
        (b'{"revision": 3, "press": "cancel", "value": null}', CancelPressed(3)),
        (b'{"revision": 3, "press": "key", "value": "7"}', PinKey(3, "7")),
        (b'{"revision": 3, "press": "touch", "value": null}', Touched()),
    ],
)
def test_a_press_is_put_into_the_inbox(
    app: ASGIApp, inbox: Inbox, body: bytes, happening: object
) -> None:
    assert ask(app, "/press", PRESS, body).status == 204
    assert inbox.wait(0.0) == happening


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"[" * 600, 400),
        (b'{"revision": true, "press": "touch", "value": null}', 400),
        (b'{"revision": 1, "press": "key", "value": "12"}', 400),
        (b'{"revision": 1, "press": "answer", "value": 1.5}', 400),
        (b'{"revision": 1, "press": "explode", "value": null}', 400),
        (b'{"revision": 1, "press": "answer", "value": "' + b"x" * 5000 + b'"}', 413),
    ],
)
def test_anything_else_is_refused(app: ASGIApp, inbox: Inbox, body: bytes, status: int) -> None:
    assert ask(app, "/press", PRESS, body).status == status
    assert inbox.wait(0.0) is None


def test_more_presses_than_anybody_makes_are_dropped(app: ASGIApp, inbox: Inbox) -> None:
    body = b'{"revision": 1, "press": "touch", "value": null}'
    statuses = [ask(app, "/press", PRESS, body).status for _ in range(70)]
    assert statuses.count(204) == 64
    assert statuses[-1] == 429


def test_preferences_are_forgotten_with_the_visit(app: ASGIApp, stage: Stage) -> None:
    for name in ("language", "large", "contrast", "voice"):
        assert ask(app, "/prefer", PRESS, b'{"prefer": "%s"}' % name.encode()).status == 204
    assert stage.page.preferences == Preferences("en", True, True, True)
    stage.wipe(Checking())
    assert stage.page.preferences == Preferences()
    assert ask(app, "/prefer", PRESS, b'{"prefer": "usual"}').status == 400


def test_only_the_files_of_the_page_are_served(app: ASGIApp) -> None:
    assert ask(app, "/static/kiosk.js", OWN).status == 200
    assert ask(app, "/static/..%2Fweb.py", OWN).status == 404
    assert ask(app, "/static/web.py", OWN).status == 404
