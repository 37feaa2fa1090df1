"""Synchronising through trouble: broken downloads, lies about sizes, a kill at any step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from random import Random

import pytest

from apdu.sam import SoftwareSam
from backend_client import list_client
from backend_client.errors import NoReply
from backend_client.transport import Reply, Request
from simulator.backoffice import publisher
from simulator.backoffice.database import open_engine
from simulator.backoffice.inprocess import InProcessTransport
from simulator.backoffice.sample import HOSPITAL, SampleCity
from simulator.backoffice.staff import CardKey
from simulator.clock import SHANGHAI, SimulatedClock
from terminal.app import Terminal
from terminal.settings import load_settings
from terminal.store.store import Store

BEGIN = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)
PIECE = 200
SNAPSHOT = "/v1/blacklist/snapshot"
Change = Callable[[Reply], Reply]


class Line:
    """The way to the back office; `breaks` and `changes` concern the pieces of a snapshot."""

    def __init__(self, city: SampleCity) -> None:
        self._beyond = InProcessTransport(city.api)
        self.ranges: list[str] = []
        self.breaks = -1
        self.change: Change = lambda reply: reply

    def send(self, request: Request) -> Reply:
        reply = self._beyond.send(request)
        if not request.path.startswith(SNAPSHOT):
            return reply
        self.ranges.append(request.headers["range"])
        if self.breaks == 0:
            raise NoReply("broken off")
        self.breaks -= 1
        return self.change(reply)


class Killed(BaseException):
    """The program ends here: nothing of ours catches this."""


@pytest.fixture
def city(monkeypatch: pytest.MonkeyPatch) -> Iterator[SampleCity]:
    monkeypatch.setattr(list_client, "PIECE", PIECE)
    city = SampleCity(
        open_engine("sqlite://"), clock=SimulatedClock(BEGIN), random=Random(1).randbytes
    )
    for serial in range(1, 5):
        city.card(serial)
        city.backoffice.staff.report_formal_loss(key(serial))
    yield city
    city.backoffice.close()


def key(serial: int) -> CardKey:
    return CardKey(card_number=f"S{serial:08d}")


@contextmanager
def opened(city: SampleCity, directory: Path, line: Line) -> Iterator[Terminal]:
    with Terminal.open(
        load_settings(
            None, {"SSCT_TERMINAL_DATA_DIR": str(directory), "SSCT_BACKEND_ATTEMPTS": "1"}
        ),
        clock=city.clock,  # type: ignore[arg-type]  # a simulated clock, which has it all
        random=Random(7).randbytes,
        sam=SoftwareSam.development(Random(1).randbytes),
        transport=line,
    ) as terminal:
        if terminal.identity is None:
            code, _ = city.backoffice.staff.create_enrolment_code(HOSPITAL)
            terminal.enrol(code)
        yield terminal


def test_a_broken_download_goes_on_where_it_stopped_also_after_a_restart(
    city: SampleCity, tmp_path: Path
) -> None:
    line = Line(city)
    line.breaks = 2
    with opened(city, tmp_path, line) as terminal:
        assert terminal.sync().error is not None
        assert terminal.blacklist.head() is None
    line.breaks = -1
    before = len(line.ranges)
    with opened(city, tmp_path, line) as terminal:
        assert terminal.sync().entries == 4
    assert line.ranges[before] == f"bytes={2 * PIECE}-{3 * PIECE - 1}"
    assert not any(each.startswith("bytes=0-") for each in line.ranges[before:])


def test_a_download_that_was_spoiled_begins_anew(city: SampleCity, tmp_path: Path) -> None:
    line = Line(city)
    line.change = lambda reply: Reply(
        reply.status, reply.body[:-1] + bytes([reply.body[-1] ^ 1]), reply.headers
    )
    with opened(city, tmp_path, line) as terminal:
        report = terminal.sync()
        assert report.error is not None
        assert report.error.code in ("BACKEND_BAD_SIGNATURE", "BACKEND_BAD_MESSAGE")
        assert terminal.status().blacklist_refusal is not None
        line.change = lambda reply: reply
        assert terminal.sync().entries == 4
        assert terminal.status().blacklist_refusal is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda reply: Reply(206, reply.body + b"x", reply.headers), "BACKEND_LIST_TOO_LARGE"),
        (
            lambda reply: Reply(
                206, reply.body, {"content-range": f"bytes 0-{PIECE - 1}/99999999"}
            ),
            "BACKEND_LIST_TOO_LARGE",
        ),
        (lambda reply: Reply(200, reply.body * 100, {}), "BACKEND_BAD_MESSAGE"),
    ],
    ids=["more than asked for", "more than was said", "all of it at once"],
)
def test_more_bytes_than_declared_are_refused(
    city: SampleCity, tmp_path: Path, change: Change, code: str
) -> None:
    line = Line(city)
    line.change = change
    with opened(city, tmp_path, line) as terminal:
        report = terminal.sync()
        assert report.error is not None
        assert report.error.code == code
        assert terminal.blacklist.head() is None


def test_a_list_comes_in_a_file_where_there_is_no_network(city: SampleCity, tmp_path: Path) -> None:
    from backend_client.list_document import split

    city.backoffice.lists.rotate_keys(at_once=False)
    bundle = city.backoffice.lists.bundle()
    with opened(city, tmp_path, Line(city)) as terminal:
        assert terminal.take(split(bundle)).entries == 4
        report = terminal.take(split(bundle[:-1] + bytes([bundle[-1] ^ 1])))
        assert report.error is not None
        assert report.error.code == "BACKEND_BAD_SIGNATURE"
        assert terminal.status().blacklist_refusal is not None


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_whoever_is_killed_at_any_durable_step_of_a_sync_has_a_usable_list(
    city: SampleCity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """Killed before or after each commit, with a list in force and a snapshot to be fetched."""
    monkeypatch.setattr(publisher, "_MAX_DELTAS", 2)
    line = Line(city)
    with opened(city, tmp_path, line) as terminal:
        terminal.sync()
    steps = 0
    while True:
        for _ in range(2):  # more deltas than are sent, so that a snapshot is
            city.backoffice.staff.release_loss(key(1))
            city.backoffice.staff.report_formal_loss(key(1))
        with opened(city, tmp_path, line) as terminal, monkeypatch.context() as patch:
            held = terminal.blacklist.head()
            ended = _killed_at(terminal, steps, patch, after=after)
        with opened(city, tmp_path, line) as terminal:
            now_held = terminal.blacklist.load()
            assert now_held is not None
            assert held is not None
            assert now_held.version >= held.version
            assert now_held.entries.hash == now_held.set_hash
            assert len(now_held.entries) == 4
            assert terminal.sync().error is None
        if ended:
            break
        steps += 1
    assert steps > 3


def _killed_at(terminal: Terminal, step: int, patch: pytest.MonkeyPatch, *, after: bool) -> bool:
    """Synchronise, killed at the commit of that number; whether it ended before."""
    left = [step]
    real = Store.writing

    @contextmanager
    def writing(store: Store) -> Iterator[object]:
        with real(store) as connection:
            yield connection
            left[0] -= 1
            if left[0] < 0 and not after:
                raise Killed
        if left[0] < 0:
            raise Killed

    patch.setattr(Store, "writing", writing)
    try:
        terminal.sync()
    except Killed:
        return False
    return True
