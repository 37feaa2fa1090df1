"""Faces that serve for long follow the blacklist; where nothing is to follow they just serve."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import cast

import pytest

from apdu.sam import SoftwareSam
from terminal.app import Terminal
from terminal.clock import SystemClock
from terminal.commands import opening
from terminal.settings import load_settings


@pytest.fixture
def followers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    begun: list[str] = []

    @contextmanager
    def follower(*_: object, **__: object) -> Iterator[None]:
        begun.append("begun")
        yield
        begun.append("ended")

    monkeypatch.setattr(opening, "open_follower", follower)
    return begun


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    settings = load_settings(None, {"SSCT_TERMINAL_DATA_DIR": str(tmp_path / "data")})
    sam = SoftwareSam.development(Random(1).randbytes)
    with Terminal.open(
        settings, clock=SystemClock(), random=Random(2).randbytes, sam=sam, transport=None
    ) as opened:
        yield opened


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:9"])
def test_a_terminal_that_is_not_enrolled_or_has_no_back_office_just_serves(
    url: str, terminal: Terminal, followers: list[str]
) -> None:
    settings = load_settings(None, {"SSCT_BACKEND_URL": url} if url else {})
    with opening.followed(settings, terminal):
        assert followers == []


@pytest.mark.article(18)
def test_an_enrolled_terminal_follows_for_as_long_as_it_serves(followers: list[str]) -> None:
    settings = load_settings(None, {"SSCT_BACKEND_URL": "http://127.0.0.1:9"})
    enrolled = cast(Terminal, SimpleNamespace(identity=object()))
    with opening.followed(settings, enrolled):
        assert followers == ["begun"]
    assert followers == ["begun", "ended"]
