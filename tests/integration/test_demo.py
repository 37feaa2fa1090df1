"""`ssct demo`: it tells the story, checks itself, and shows no PIN."""

from __future__ import annotations

import pytest

from simulator import demo
from simulator.scene import StoryBroken
from simulator.story import INITIAL_PIN, OWN_PIN, STORY, Play, Step
from terminal.cli import main
from terminal.exit_codes import ExitCode
from terminal.text import Text


def test_the_demo_tells_every_step_and_what_to_try_next(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["demo", "--fast"]) == ExitCode.OK
    shown = capsys.readouterr().out
    for step in STORY:
        assert step.title.zh in shown
    assert "第18条" in shown
    assert "2026-03-21 23:59:59" in shown
    assert "2026-03-22 00:00:00" in shown
    assert "医疗费用结算单" in shown
    assert "ssct sim backoffice" in shown
    assert "make test" in shown
    assert OWN_PIN not in shown
    assert INITIAL_PIN not in shown


@pytest.mark.parametrize(("lang", "hidden"), [("zh", "Settlement receipt"), ("en", "结算单")])
def test_the_demo_speaks_one_language_when_asked(
    lang: str, hidden: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--fast", "--lang", lang]) == ExitCode.OK
    assert hidden not in capsys.readouterr().out


def test_a_story_that_goes_another_way_is_told_and_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def another_way(_: Play) -> None:
        raise StoryBroken("the story says: it holds")

    title = Text("走样的一步", "a step that goes another way")
    monkeypatch.setattr(demo, "STORY", (Step("x", title, title, (), another_way),))
    assert main(["demo", "--fast"]) == ExitCode.REFUSED
    shown = capsys.readouterr().out
    assert "✘ the story says: it holds" in shown
    assert "make test" not in shown
