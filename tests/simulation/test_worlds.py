"""A fixed number of worlds, each test run the same; `make simulate SEEDS=n` lets more live."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Lock

import pytest

from simulator.world import standstill
from simulator.world.life import finding, live
from simulator.world.runner import run
from simulator.world.world import world_of

ROOT = Path(__file__).parents[2]
PARTS, IN_A_PART = 8, 25


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
def test_everything_holds_in_every_world(part: int) -> None:
    report = run(range(part * IN_A_PART, (part + 1) * IN_A_PART))

    assert report.worlds == IN_A_PART
    assert not report.failed, report.failed[0].report()


def test_a_seed_replays_exactly_in_another_process_with_another_hash_seed() -> None:
    """Every line of the story and every byte in every database."""
    lives = [_replayed(seed=11, hash_seed=hash_seed) for hash_seed in ("1", "2")]

    assert lives[0] == lives[1]
    life = live(11, with_fingerprint=True)
    assert f"fingerprint {life.fingerprint}" in lives[0]
    assert "\n".join(life.story) in lives[0]


def test_another_seed_is_another_world() -> None:
    assert live(11).story != live(12).story


def test_a_world_that_waits_for_itself_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standstill, "LIMIT", 0.2)
    before = signal.getsignal(signal.SIGALRM)
    turn = Lock()

    def again() -> None:
        with turn, turn:
            pass

    with world_of(1) as world:
        life = finding(world, again)

    assert life.violation is not None
    assert life.violation.check == "nothing stands still"
    assert "test_worlds.py" in life.violation.found
    assert signal.getsignal(signal.SIGALRM) is before


def test_the_alarm_of_somebody_else_goes_on_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standstill, "LIMIT", 50.0)
    before = signal.setitimer(signal.ITIMER_REAL, 90.0)
    try:
        with standstill.moving():
            inside, _ = signal.getitimer(signal.ITIMER_REAL)
        after, _ = signal.getitimer(signal.ITIMER_REAL)
    finally:
        signal.setitimer(signal.ITIMER_REAL, *before)
    assert 0 < inside <= 50
    assert 50 < after <= 90


def _replayed(seed: int, hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-m", "simulator.world", "--seed", str(seed)]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True, timeout=100
    )
    return done.stdout
