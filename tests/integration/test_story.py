"""The story of the demo, step by step: in this process, and with real parts in between.

With real parts, the terminal talks to the real pcscd through pyscard, and over HTTP to a back
office that is a process of its own.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apdu.readers.pcsc import PcscReader
from apdu.sam import SoftwareSam
from backend_client.errors import BackendError
from backend_client.transport import HttpTransport
from simulator.clock import SimulatedClock
from simulator.commands import ADMIN_TOKEN_FILE
from simulator.embedded import embedded_scene
from simulator.network import Network
from simulator.office import Office
from simulator.pcscd import PrivatePcscd
from simulator.scene import Scene, StoryBroken
from simulator.story import BEGINS, STORY, Play
from simulator.virtual_reader import VirtualReader
from terminal.app import Terminal
from terminal.settings import load_settings


def seeded() -> Callable[[int], bytes]:
    """Bytes that are the same in every run."""
    return random.Random(2).randbytes


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Play]:
    """Everything in this process, as the demo has it."""
    chance = seeded()
    with embedded_scene(tmp_path, clock=SimulatedClock(BEGINS), random=chance) as scene:
        yield Play(scene, chance)


@pytest.fixture
def back_office(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A back office in a process of its own: its URL and its staff's token."""
    directory = tmp_path / "backoffice"
    command = [sys.executable, "-m", "terminal.cli", "sim", "backoffice", "--port", "0"]
    options = ["--data", str(directory), "--clock", BEGINS.isoformat()]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        announced = process.stdout.readline()
        url = announced.split()[-1]
        assert url.startswith("http://127.0.0.1:"), announced
        yield url, (directory / ADMIN_TOKEN_FILE).read_text("ascii").strip()
        process.terminate()
        assert process.wait(timeout=20) == 0, "it ends in an orderly way"


@pytest.fixture
def real(back_office: tuple[str, str], real_pcscd: PrivatePcscd, tmp_path: Path) -> Iterator[Play]:
    """The card through pcscd, the back office over HTTP."""
    url, token = back_office
    data = {"SSCT_TERMINAL_DATA_DIR": str(tmp_path / "terminal")}
    chance, clock = seeded(), SimulatedClock(BEGINS)
    transport = HttpTransport(url, monotonic=time.monotonic)
    network = Network(transport)
    sam = SoftwareSam.development(chance)
    terminal = Terminal.open(
        load_settings(None, data), clock=clock, random=chance, sam=sam, transport=network
    )
    reader = PcscReader(real_pcscd.readers[1])
    with terminal, VirtualReader(real_pcscd.ports[1]) as panel:
        scene = Scene(clock, terminal, Office(transport, token), network, panel, reader)
        yield Play(scene, chance)
    transport.close()


def play_all(play: Play, subtests: pytest.Subtests) -> None:
    """Every step in its order, each reported by its name; after a broken one the rest is moot."""
    played = 0
    for step in STORY:
        with subtests.test(step=step.name):
            step.play(play)
            played += 1
        if played != STORY.index(step) + 1:
            break


@pytest.mark.article(4)
@pytest.mark.article(5)
@pytest.mark.article(12)
@pytest.mark.article(13)
@pytest.mark.article(16)
@pytest.mark.article(17)
@pytest.mark.article(18)
@pytest.mark.article(19)
@pytest.mark.article(23)
def test_the_story_holds(embedded: Play, subtests: pytest.Subtests) -> None:
    play_all(embedded, subtests)


@pytest.mark.integration
def test_the_story_holds_with_real_parts(real: Play, subtests: pytest.Subtests) -> None:
    play_all(real, subtests)


def test_the_story_notices_when_a_step_goes_another_way(embedded: Play) -> None:
    """The demo checks itself: with the network cut from the start, the first step breaks."""
    embedded.scene.network.connected = False
    with pytest.raises((StoryBroken, BackendError)):
        STORY[0].play(embedded)
