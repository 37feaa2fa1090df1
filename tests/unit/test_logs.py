"""What the command line logs, and what it does not."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from terminal import logs


@pytest.fixture(autouse=True)
def root() -> Iterator[logging.Logger]:
    """The root logger without anybody else's handlers, as at the start of a command."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, set()),
        ({"serves": True}, {"warning"}),
        ({"verbose": True}, {"warning", "info"}),
        ({"verbose": True, "serves": True}, {"warning", "info"}),
        ({"traffic": True}, {"warning", "info", "byte"}),
    ],
)
def test_who_serves_tells_its_warnings_and_others_what_they_were_asked_for(
    asked: dict[str, bool], told: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up(**{"verbose": False, "traffic": False, **asked})
    log = logging.getLogger("some.part")
    log.warning("a-warning")
    log.info("an-info")
    chatty = log.getChild("of-a-library")
    chatty.setLevel(logging.INFO)
    chatty.info("an-info")
    log.log(logs.TRAFFIC, "a-byte")
    written = capsys.readouterr().err
    assert {word for word in ("warning", "info", "byte") if f"-{word}" in written} == told
