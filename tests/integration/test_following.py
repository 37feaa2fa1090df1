"""The blacklist reaches a running terminal at once: one suite over long-poll and an MQTT broker.

The back office is served over HTTP by a thread of this process; the broker is a real Mosquitto.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
import uvicorn

from apdu.sam import SoftwareSam
from backend_client.broker import DELTA, RECENT, SNAPSHOT, VERSION, Broker, BrokerAddress
from backend_client.errors import BrokerUnreachable
from backend_client.transport import HttpTransport, Timeouts
from simulator.backoffice.asgi import application
from simulator.backoffice.broker_feed import BrokerFeed
from simulator.backoffice.database import open_engine
from simulator.backoffice.sample import SampleCity
from simulator.backoffice.staff import CardKey
from simulator.backoffice.waiting import Waiting
from simulator.clock import RunningClock
from terminal.app import Terminal
from terminal.clock import SystemClock
from terminal.following import Follower, LongPoll, Pace
from terminal.pushed import Pushed
from terminal.settings import load_settings

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("following")]

PATIENCE = 30.0
"""Seconds after which a test gives up; nothing is expected to take a part of it."""

WAIT = 60.0
MOSQUITTO = "/usr/sbin/mosquitto"


@dataclass
class Scene:
    """A back office that listens, and where."""

    city: SampleCity
    url: str
    broker: BrokerAddress | None

    def transport(self, wait: float = WAIT) -> HttpTransport:
        timeouts = Timeouts(5, wait + 30, wait + 60)
        return HttpTransport(self.url, monotonic=time.monotonic, timeouts=timeouts)

    @contextmanager
    def terminal(self, directory: Path) -> Iterator[Terminal]:
        """An enrolled terminal with a first list."""
        transport = self.transport()
        with Terminal.open(
            load_settings(None, {"SSCT_TERMINAL_DATA_DIR": str(directory)}),
            clock=SystemClock(),
            random=os.urandom,
            sam=SoftwareSam.development(os.urandom),
            transport=transport,
        ) as terminal:
            code, _ = self.city.backoffice.staff.create_enrolment_code("990100000101")
            terminal.enrol(code)
            assert terminal.sync().error is None
            yield terminal
        transport.close()

    @contextmanager
    def following(self, terminal: Terminal) -> Iterator[Follower]:
        """A follower of this terminal, by broker where there is one."""
        pace = Pace(first_pause=0.05, longest_pause=0.2)
        if self.broker is not None:
            pushed = Pushed(terminal, self.broker, WAIT)
            with Follower(pushed, random=os.urandom, pace=pace) as follower:
                yield follower
            pushed.close()
        else:
            transport = self.transport()
            source = LongPoll(terminal, transport, WAIT)
            with Follower(source, random=os.urandom, pace=pace) as follower:
                yield follower
            transport.close()


@contextmanager
def served(city: SampleCity) -> Iterator[str]:
    """The city's interface over HTTP on a free port."""
    waiting = Waiting(city.api.bell)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        config = uvicorn.Config(
            application(city.api, waiting=waiting), lifespan="off", log_config=None, ws="none"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            server.force_exit = True
            thread.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def mosquitto(directory: Path, port: int) -> Iterator[BrokerAddress]:
    """A broker of our own on this machine."""
    config = directory / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    process = subprocess.Popen(
        [MOSQUITTO, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield BrokerAddress("127.0.0.1", port, tls=False)
    finally:
        process.terminate()
        process.wait()


def need_mosquitto() -> None:
    if shutil.which(MOSQUITTO) is None:
        if os.environ.get("SSCT_REQUIRE_REAL") == "1":
            pytest.fail("SSCT_REQUIRE_REAL=1, but mosquitto is not installed")
        pytest.skip("mosquitto is not installed")


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for something that another process does and tells nobody."""
    pause = threading.Event()
    ends = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < ends
        pause.wait(0.02)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def new_city() -> Iterator[SampleCity]:
    city = SampleCity(
        open_engine("sqlite://"),
        clock=RunningClock(datetime.now(UTC), time.monotonic),
        random=Random(1).randbytes,
    )
    yield city
    city.backoffice.close()


@pytest.fixture(params=["long-poll", "mqtt"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        city = stack.enter_context(new_city())
        address = None
        if request.param == "mqtt":
            need_mosquitto()
            address = stack.enter_context(mosquitto(tmp_path, free_port()))
            wait_until(lambda: listens(address.port))
            stack.enter_context(BrokerFeed(city.backoffice.lists, address))
        url = stack.enter_context(served(city))
        yield Scene(city, url, address)


def key(serial: int) -> CardKey:
    return CardKey(card_number=f"S{serial:08d}")


def version(scene: Scene) -> int:
    return scene.city.backoffice.lists.newest()


@pytest.mark.article(18)
def test_a_reported_loss_is_on_a_running_terminal_without_its_asking_again(
    scene: Scene, tmp_path: Path
) -> None:
    ref = scene.city.card(1)
    with scene.terminal(tmp_path / "t") as terminal, scene.following(terminal) as follower:
        assert terminal.blacklist.find(ref.card_id, ref.card_number) == ()
        scene.city.backoffice.staff.report_temporary_loss(key(1))
        assert follower.wait_for(version(scene), PATIENCE)
        (terms,) = terminal.blacklist.find(ref.card_id, ref.card_number)
        assert terms.reason == "temporary_loss"
        scene.city.backoffice.staff.release_loss(key(1))
        assert follower.wait_for(version(scene), PATIENCE)
        assert terminal.blacklist.find(ref.card_id, ref.card_number) == ()


def test_several_terminals_hear_of_every_one_of_many_changes(scene: Scene, tmp_path: Path) -> None:
    refs = [scene.city.card(serial) for serial in range(1, 9)]
    with ExitStack() as stack:
        terminals = [stack.enter_context(scene.terminal(tmp_path / f"t{n}")) for n in range(3)]
        followers = [stack.enter_context(scene.following(each)) for each in terminals]
        for serial in range(1, 9):
            scene.city.backoffice.staff.report_formal_loss(key(serial))
        for terminal, follower in zip(terminals, followers, strict=True):
            assert follower.wait_for(version(scene), PATIENCE)
            assert all(terminal.blacklist.find(ref.card_id, ref.card_number) for ref in refs)
            assert terminal.status().blacklist_refusal is None


def test_a_follower_ends_in_the_middle_of_a_question_and_nothing_is_left(
    scene: Scene, tmp_path: Path
) -> None:
    with scene.terminal(tmp_path / "t") as terminal:
        before = threading.active_count()
        with scene.following(terminal) as follower:
            assert follower.is_running
            assert follower.stop(PATIENCE)
        if scene.broker is None:
            assert threading.active_count() == before


def test_keys_that_change_while_somebody_follows(scene: Scene, tmp_path: Path) -> None:
    ref = scene.city.card(1)
    with scene.terminal(tmp_path / "t") as terminal, scene.following(terminal) as follower:
        scene.city.backoffice.lists.rotate_keys(at_once=True)
        scene.city.backoffice.staff.report_formal_loss(key(1))
        assert follower.wait_for(version(scene), PATIENCE)
        assert terminal.blacklist.find(ref.card_id, ref.card_number)
        assert terminal.blacklist.keys() == (scene.city.backoffice.public_key,)


def test_what_somebody_else_synchronises_meanwhile_does_no_harm(
    scene: Scene, tmp_path: Path
) -> None:
    with scene.terminal(tmp_path / "t") as terminal, scene.following(terminal) as follower:
        for serial in range(1, 6):
            scene.city.card(serial)
            scene.city.backoffice.staff.report_formal_loss(key(serial))
            assert terminal.sync().error is None
        assert follower.wait_for(version(scene), PATIENCE) or terminal.sync().error is None
        head = terminal.blacklist.head()
        assert head is not None
        assert (head.version, head.entries) == (version(scene), 5)
        assert terminal.status().blacklist_refusal is None


@pytest.mark.article(26)
def test_a_listed_card_that_was_presented_is_told_by_who_follows(
    scene: Scene, tmp_path: Path
) -> None:
    ref = scene.city.card(1)
    scene.city.backoffice.staff.report_formal_loss(key(1))
    with scene.terminal(tmp_path / "t") as terminal:
        terminal.misuse.note(
            ref, datetime.now(UTC), function="query", face="kiosk", reason="FROZEN", list_version=1
        )
        with scene.following(terminal) as follower:
            scene.city.backoffice.staff.release_loss(key(1))
            assert follower.wait_for(version(scene), PATIENCE)
            terminal.sync()
        (line,) = scene.city.backoffice.lists.misuse()
        assert (line.report.card, line.report.face, line.institution) == (
            ref,
            "kiosk",
            "990100000101",
        )
        assert terminal.misuse.count() == 0


# Only with a broker


@pytest.fixture
def port() -> int:
    need_mosquitto()
    return free_port()


def test_who_missed_a_message_asks_the_back_office(port: int, tmp_path: Path) -> None:
    """The broker carries a version number only: the delta got lost."""
    with new_city() as city, mosquitto(tmp_path, port) as address, served(city) as url:
        wait_until(lambda: listens(port))
        scene = Scene(city, url, address)
        with scene.terminal(tmp_path / "t") as terminal, scene.following(terminal) as follower:
            ref = city.card(1)
            city.backoffice.staff.report_formal_loss(key(1))
            with_broker = Broker(address, "publisher").open()
            with_broker.publish(VERSION, str(version(scene)).encode(), retain=True)
            assert follower.wait_for(version(scene), PATIENCE)
            assert terminal.blacklist.find(ref.card_id, ref.card_number)
            with_broker.close()


def test_what_a_stranger_publishes_is_refused_and_the_list_stays(port: int, tmp_path: Path) -> None:
    with new_city() as city, mosquitto(tmp_path, port) as address, served(city) as url:
        wait_until(lambda: listens(port))
        scene = Scene(city, url, address)
        with scene.terminal(tmp_path / "t") as terminal, scene.following(terminal) as follower:
            held = terminal.blacklist.head()
            stranger = Broker(address, "stranger").open()
            for forged in (b"SSCTLIST", b"", b"x" * 100):
                stranger.publish(DELTA, forged)
            stranger.publish(VERSION, b"99999999999999999999")
            stranger.publish(VERSION, b"no number")
            city.card(1)
            city.backoffice.staff.report_formal_loss(key(1))
            stranger.publish(VERSION, str(version(scene)).encode())
            assert follower.wait_for(version(scene), PATIENCE)
            assert held is not None
            assert terminal.blacklist.load() is not None
            stranger.close()


def test_a_broker_that_is_away_comes_back(port: int, tmp_path: Path) -> None:
    """Meanwhile the back office is asked, again and again."""
    with new_city() as city, served(city) as url:
        scene = Scene(city, url, BrokerAddress("127.0.0.1", port, tls=False, connect_timeout=1))
        with scene.terminal(tmp_path / "t") as terminal, scene.following(terminal) as follower:
            city.card(1)
            city.backoffice.staff.report_formal_loss(key(1))
            wait_until(lambda: _held(terminal) == version(scene))
            with mosquitto(tmp_path, port) as address:
                wait_until(lambda: listens(port))
                with BrokerFeed(city.backoffice.lists, address):
                    city.backoffice.staff.release_loss(key(1))
                    assert follower.wait_for(version(scene), PATIENCE)


@dataclass
class Alone:
    """A terminal that was enrolled over HTTP and has nothing but the broker now."""

    city: SampleCity
    scene: Scene
    terminal: Terminal
    address: BrokerAddress
    changes: int = 0

    def feed(self) -> BrokerFeed:
        return BrokerFeed(self.city.backoffice.lists, self.address)

    def change(self, times: int) -> None:
        """So many versions: the first card's loss is reported and released in turn."""
        staff = self.city.backoffice.staff
        for _ in range(times):
            (staff.release_loss if self.changes % 2 else staff.report_formal_loss)(key(1))
            self.changes += 1


@pytest.fixture
def alone(port: int, tmp_path: Path) -> Iterator[Alone]:
    with new_city() as city, mosquitto(tmp_path, port) as address, ExitStack() as stack:
        wait_until(lambda: listens(port))
        city.card(1)
        with served(city) as url:
            scene = Scene(city, url, address)
            terminal = stack.enter_context(scene.terminal(tmp_path / "t"))
        yield Alone(city, scene, terminal, address)


@pytest.mark.article(18)
@pytest.mark.parametrize("behind", [1, 3, 103])
def test_the_broker_alone_brings_a_terminal_up_to_date(alone: Alone, behind: int) -> None:
    """By the recent deltas, or by the whole list when they are too many."""
    alone.change(behind)
    with alone.feed(), alone.scene.following(alone.terminal) as follower:
        assert follower.wait_for(version(alone.scene), PATIENCE)
        ref = alone.city.card(1)
        assert alone.terminal.blacklist.find(ref.card_id, ref.card_number)
        alone.change(2)
        assert follower.wait_for(version(alone.scene), PATIENCE)


def test_keys_that_changed_while_only_the_broker_was_there(alone: Alone) -> None:
    alone.city.backoffice.lists.rotate_keys(at_once=True)
    alone.change(1)
    with alone.feed(), alone.scene.following(alone.terminal) as follower:
        assert follower.wait_for(version(alone.scene), PATIENCE)
        assert alone.terminal.blacklist.keys() == (alone.city.backoffice.public_key,)


def forged(real: bytes) -> bytes:
    return real[:-1] + bytes([real[-1] ^ 1])


def longer(real: bytes) -> bytes:
    return real + b"\0" * 100


@pytest.mark.parametrize(
    ("spoil", "code"),
    [(forged, "BACKEND_BAD_SIGNATURE"), (longer, "BACKEND_BAD_MESSAGE")],
)
def test_what_a_stranger_has_the_broker_retain_is_refused(
    alone: Alone, spoil: Callable[[bytes], bytes], code: str
) -> None:
    alone.change(103)
    before = _held(alone.terminal)
    standing = alone.city.backoffice.lists.standing()
    stranger = Broker(alone.address, "stranger").open()
    stranger.publish(RECENT, standing.recent, retain=True)
    stranger.publish(SNAPSHOT, spoil(standing.snapshot), retain=True)
    stranger.publish(VERSION, b"104", retain=True)
    with alone.scene.following(alone.terminal):
        wait_until(lambda: _refused(alone.terminal) == code)
        assert _held(alone.terminal) == before
    stranger.close()
    with alone.feed(), alone.scene.following(alone.terminal) as follower:
        assert follower.wait_for(version(alone.scene), PATIENCE)
        assert alone.terminal.status().blacklist_refusal is None


def test_an_older_list_that_is_retained_again_rolls_nothing_back(alone: Alone) -> None:
    old = alone.city.backoffice.lists.standing()
    alone.change(103)
    with alone.feed(), alone.scene.following(alone.terminal) as follower:
        assert follower.wait_for(version(alone.scene), PATIENCE)
    newest = _held(alone.terminal)
    stranger = Broker(alone.address, "stranger").open()
    for topic in (RECENT, SNAPSHOT):
        stranger.publish(topic, old.snapshot, retain=True)
    stranger.publish(VERSION, b"99999", retain=True)
    reports: list[int | None] = []
    pushed = Pushed(alone.terminal, alone.address, WAIT)
    with Follower(pushed, random=os.urandom, heard=lambda one: reports.append(one.after)):
        wait_until(lambda: len(reports) >= 2)
    pushed.close()
    assert set(reports) == {newest}
    stranger.close()


def _refused(terminal: Terminal) -> str | None:
    refusal = terminal.status().blacklist_refusal
    return refusal.code if refusal else None


def _held(terminal: Terminal) -> int:
    head = terminal.blacklist.head()
    return head.version if head else 0


def test_a_broker_that_is_not_there_is_said(port: int) -> None:
    with pytest.raises(BrokerUnreachable):
        Broker(BrokerAddress("127.0.0.1", port, tls=False), "nobody").open()
