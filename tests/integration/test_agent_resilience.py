"""Whatever goes away at any point (card, reader, PC/SC service, caller), the next card is served.

The points are those of a visit: nobody there, a caller waiting for a card, a session open, a
function waiting for its answer, an HSM form half way.
"""

from __future__ import annotations

import json
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
import pytest
from websockets.sync.client import connect

from apdu.readers.serial import find_serial_reader
from apdu.status import ReaderNotFound
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.pcscd import PrivatePcscd
from simulator.serial_reader import SerialReaderDevice, Upset
from simulator.virtual_reader import VirtualReader
from terminal.agent.client import AgentClient, AgentProblem
from terminal.agent.readers import NamedReaders, PcscReaders
from tests.unit.agent_bench import MINUTE, PATIENCE, AgentBench, agent_bench, until

pytestmark = pytest.mark.integration

PIN = "246810"
GONE = {
    "AGENT_SESSION_UNKNOWN",
    "CARD_REMOVED",
    "CARD_RESET",
    "CARD_NO_ANSWER",
    "CARD_NONE",
    "READER_ERROR",
    "READER_NOT_FOUND",
    "READER_SERVICE_UNAVAILABLE",
    "AGENT_NOTHING_ASKED",
}
"""What a caller may be told whose card, reader or service went away; each is temporary."""


def chip(profile: str) -> SimulatedCard:
    return SimulatedCard(load_profile(profile), random=random.Random(3).randbytes)


@dataclass
class Place:
    """A bench at a real reader, and the hand that puts cards in."""

    bench: AgentBench
    insert: Callable[[str], None]
    remove: Callable[[], object]

    def served(self, profile: str) -> bool:
        """Whether a new caller reads this card now."""
        try:
            with self.bench.client.session(wait=2) as card:
                return bool(card.basic()["name"] == load_profile(profile).holder.name)
        except AgentProblem as problem:
            if problem.code not in GONE | {"AGENT_READER_TAKEN", "READER_BUSY"}:
                raise
            return False


@pytest.fixture
def in_pcsc(real_pcscd: PrivatePcscd, tmp_path: Path) -> Iterator[Place]:
    with (
        VirtualReader(real_pcscd.ports[0]) as panel,
        agent_bench(tmp_path, readers=PcscReaders()) as bench,
    ):
        yield Place(bench, lambda profile: panel.insert(chip(profile)), panel.remove)


# The points of a visit


@contextmanager
def nobody(_place: Place) -> Iterator[None]:
    yield


@contextmanager
def a_session(place: Place) -> Iterator[None]:
    with suppressing(), place.bench.client.session(wait=10) as card:
        yield
        card.basic()


@contextmanager
def a_question(place: Place) -> Iterator[None]:
    with suppressing(), place.bench.client.session(wait=10) as card:
        card.start("settlement")
        card.answer(pin=PIN)
        yield
        card.answer(cancel=True)
        card.basic()


@contextmanager
def an_hsm_form(place: Place) -> Iterator[None]:
    place_is_ready = until(lambda: place.served("adult-3.0"))
    assert place_is_ready
    with place.bench.client.ldt33() as functions:
        assert functions.call("iReadCardBas_HSM_Step1", iType=3).code == 0
        yield
        assert functions.call("iReadCardBas_HSM_Step2", pKey="0" * 32).code != 0


@contextmanager
def suppressing() -> Iterator[None]:
    """What a caller is told when its card went away, and nothing else."""
    try:
        yield
    except AgentProblem as problem:
        if problem.code not in GONE:
            raise


POINTS = (nobody, a_session, a_question, an_hsm_form)


@pytest.mark.parametrize("point", POINTS)
def test_pcscd_killed_and_started_again(
    point: Callable[..., ExitStack], in_pcsc: Place, real_pcscd: PrivatePcscd
) -> None:
    in_pcsc.insert("adult-3.0")
    with point(in_pcsc):
        real_pcscd.kill()
        real_pcscd.start()
    assert until(lambda: in_pcsc.served("adult-3.0"))
    in_pcsc.remove()
    in_pcsc.insert("child")
    assert until(lambda: in_pcsc.served("child"))
    assert in_pcsc.bench.scene.terminal.journal.open_operations() == ()


@pytest.mark.parametrize("point", POINTS)
def test_the_card_pulled_and_another_put_in(
    point: Callable[..., ExitStack], in_pcsc: Place
) -> None:
    in_pcsc.insert("adult-3.0")
    with point(in_pcsc):
        in_pcsc.remove()
        in_pcsc.insert("child")
    assert until(lambda: in_pcsc.served("child"))


def test_a_service_that_is_away_is_told_and_found_again(
    in_pcsc: Place, real_pcscd: PrivatePcscd
) -> None:
    in_pcsc.insert("adult-3.0")
    assert until(lambda: in_pcsc.served("adult-3.0"))
    events = in_pcsc.bench.client.events()
    assert next(events)["event"] == "reader_added"
    real_pcscd.kill()
    assert any(event["event"] == "service_lost" for event in events)
    with pytest.raises(AgentProblem) as away:
        in_pcsc.bench.client.readers()
    assert (away.value.status, away.value.code) == (503, "READER_SERVICE_UNAVAILABLE")
    with in_pcsc.bench.client.ldt33() as functions:
        assert functions.call("iReadCardBas", iType=3).code == -2
    real_pcscd.start()
    assert any(event["event"] == "service_back" for event in events)
    assert any(event["event"] == "inserted" for event in events)
    assert in_pcsc.served("adult-3.0")


def test_readers_are_chosen_by_name_and_slot_and_the_psams_is_nobodys(
    real_pcscd: PrivatePcscd,
) -> None:
    first, second = real_pcscd.readers
    assert [name for name, _ in PcscReaders().states()] == [first, second]
    assert PcscReaders(["ssct virtual"], 1).find(None).name == second
    assert PcscReaders([second]).states() == [(second, False)]
    holders = PcscReaders(psam=("SSCT", 1))
    assert holders.find("ssct").name == first
    assert [name for name, _ in holders.states()] == [first]
    assert PcscReaders(psam=("SSCT", 0)).find(None).name == second
    with pytest.raises(ReaderNotFound):
        PcscReaders(["a reader that is plugged in later"]).find(None)


@pytest.fixture
def on_a_line(tmp_path: Path) -> Iterator[tuple[Place, SerialReaderDevice]]:
    with SerialReaderDevice(tmp_path / "ttyUSB0") as device:
        reader = find_serial_reader(f"serial:{device.line.path}")
        with agent_bench(tmp_path, readers=NamedReaders([reader], patience=PATIENCE)) as bench:
            yield Place(bench, lambda profile: device.insert(chip(profile)), device.remove), device
        reader._line.drop()


@pytest.mark.parametrize("point", POINTS)
def test_the_reader_unplugged_and_plugged_back(
    point: Callable[..., ExitStack], on_a_line: tuple[Place, SerialReaderDevice]
) -> None:
    place, device = on_a_line
    place.insert("adult-3.0")
    with point(place):
        device.unplug()
        device.plug()
    assert until(lambda: place.served("adult-3.0"))


def test_the_reader_unplugged_in_the_middle_of_a_command(
    on_a_line: tuple[Place, SerialReaderDevice],
) -> None:
    place, device = on_a_line
    place.insert("adult-3.0")
    with suppressing(), place.bench.client.session(wait=10) as card:
        device.upset(Upset.UNPLUG)
        card.files("DF01EF06")
    device.plug()
    assert until(lambda: place.served("adult-3.0"))


# Callers that are killed, as processes

_CALLER = """
import json, sys
from terminal.agent.client import AgentClient
agent = AgentClient(sys.argv[1], sys.argv[2])
with agent.session(wait=10, lease=1) as card:
    card.start("settlement")
    print("asking", flush=True)
    sys.stdin.read()
"""
_WAITER = """
import sys
from terminal.agent.client import AgentClient
print("waiting", flush=True)
with AgentClient(sys.argv[1], sys.argv[2]).session(wait=2): pass
"""


@pytest.mark.parametrize(("program", "has_card"), [(_CALLER, True), (_WAITER, False)])
def test_a_caller_that_is_killed(program: str, has_card: bool, tmp_path: Path) -> None:
    with agent_bench(tmp_path) as bench:
        if has_card:
            bench.insert()
        caller = subprocess.Popen(
            [sys.executable, "-c", program, bench.origin, bench.token],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with caller:
            assert caller.stdout is not None
            assert caller.stdout.readline()
            caller.send_signal(signal.SIGKILL)
        bench.scene.clock.advance(MINUTE)
        assert until(lambda: not bench.running.sessions.busy)
        if not has_card:
            bench.insert()
        with bench.client.session() as card:
            assert card.basic()["authentic"]
        assert bench.scene.terminal.journal.open_operations() == ()


def test_half_a_call_holds_up_nobody(tmp_path: Path) -> None:
    with agent_bench(tmp_path) as bench, ExitStack() as left_open:
        bench.insert()
        host, _, port = bench.origin.removeprefix("http://").rpartition(":")
        for sent in (
            b"",
            b"GET /v1/rea",
            b"POST /v1/sessions HTTP/1.1\r\ncontent-length: 99\r\n\r\n",
        ):
            line = left_open.enter_context(socket.create_connection((host, int(port))))
            line.sendall(sent)
        headers = {"authorization": f"Bearer {bench.token}"}
        url = bench.origin.replace("http", "ws")
        silent = left_open.enter_context(connect(url, additional_headers=headers))
        silent.send(json.dumps({"function": "iReadCardBas", "iType": 3}))
        with bench.client.session() as card:
            assert card.basic()["authentic"]
    with suppress(httpx.HTTPError), AgentClient(bench.origin, bench.token) as late:
        late.readers()
        raise AssertionError("the agent has ended, and is not to answer")
