"""`ssct enrol` and `ssct status`: what a terminal has after enrolment, and what it has to tell."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from backend_client.transport import Reply
from simulator.backoffice.seed import DEVELOPMENT_CODE
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.city import card_ref
from simulator.clock import SimulatedClock
from simulator.embedded import embedded_scene
from simulator.scene import Scene
from simulator.story import BEGINS
from terminal.app import Terminal
from terminal.cli import main
from terminal.commands import opening
from terminal.exit_codes import ExitCode
from terminal.policy import Function

SNAPSHOT = "/v1/blacklist/snapshot"


@pytest.fixture
def new_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A terminal that is not enrolled yet; the commands open this one."""
    with embedded_scene(
        tmp_path, clock=SimulatedClock(BEGINS), random=random.Random(5).randbytes
    ) as scene:

        @contextmanager
        def opened(*_: object, **__: object) -> Iterator[Terminal]:
            yield scene.terminal

        monkeypatch.setattr(opening, "open_terminal", opened)
        yield scene


def torn(reply: Reply) -> Reply:
    """The last byte, which belongs to the signature, is another one."""
    return replace(reply, body=reply.body[:-1] + bytes([reply.body[-1] ^ 1]))


def test_a_first_list_that_is_refused_is_told_and_the_terminal_is_enrolled(
    new_scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "BACKEND_BAD_SIGNATURE"
    new_scene.network.garble(SNAPSHOT, torn)
    assert main(["enrol", DEVELOPMENT_CODE.code]) == ExitCode.BACK_OFFICE
    told = capsys.readouterr()
    assert "terminal: " in told.out
    assert "without a blacklist" in told.err
    assert code in told.err
    assert main(["status"]) == ExitCode.OK
    assert code in capsys.readouterr().out
    assert main(["sync"]) == ExitCode.OK


@pytest.mark.article(26)
def test_status_counts_the_misuse_that_the_centre_has_not_heard_of(
    new_scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["enrol", DEVELOPMENT_CODE.code]) == ExitCode.OK
    profile = load_profile("adult-3.0")
    chip = SimulatedCard(profile, random=random.Random(1).randbytes)
    new_scene.office.report_formal_loss(card_ref(profile))
    new_scene.terminal.sync()
    new_scene.network.connected = False
    with new_scene.card_in(chip) as session:
        new_scene.terminal.admit(session.facts, Function.QUERY, "kiosk")
    capsys.readouterr()
    assert main(["status"]) == ExitCode.OK
    assert re.search(r"^misuse unsent +1$", capsys.readouterr().out, re.M)
    new_scene.network.heal()
    assert main(["sync"]) == ExitCode.OK
    capsys.readouterr()
    assert main(["status", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["misuse_unsent"] == 0
