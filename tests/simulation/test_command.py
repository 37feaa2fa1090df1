"""`ssct simulate`: many worlds in two processes, one again, and what it says of a failure."""

from __future__ import annotations

import pytest

from simulator.world import life
from simulator.world.acts import ACTS
from simulator.world.checks import Check
from simulator.world.command import main
from terminal.cli import main as ssct


def test_worlds_live_in_two_processes_and_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "12", "--jobs", "2", "--coverage"]) == 0

    out = capsys.readouterr().out
    assert out.count(" of 12 worlds\n") == 2, "no terminal: a line for each of two batches"
    assert "12 worlds, 0 in which something does not hold" in out
    assert "\nplayed: " in out
    assert "settlement " in out.partition("\nplayed: ")[2].splitlines()[0]


def test_one_world_is_told_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert ssct(["simulate", "--seed", "4"]) == 0

    out = capsys.readouterr().out
    assert out.startswith("seed 4\n")
    assert "fingerprint" in out


def test_a_world_in_which_something_does_not_hold_is_told_with_its_seed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    never = Check("nothing is ever right", lambda _: iter(["this is wrong"]))
    monkeypatch.setattr(life, "AT_REST", (never,))

    assert main(["--seeds", "3", "--first", "40", "--jobs", "1"]) == 1

    out = capsys.readouterr().out
    assert "=> nothing is ever right: this is wrong" in out
    assert "again: ssct simulate --seed 40" in out


@pytest.mark.parametrize("written", ["-1", "x", "0", "99999999"])
def test_a_wrong_number_of_worlds_is_refused(
    written: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--seeds", written])
    assert "--seeds" in capsys.readouterr().err


def test_every_act_has_a_name_of_its_own() -> None:
    assert len({act.name for act in ACTS}) == len(ACTS)
