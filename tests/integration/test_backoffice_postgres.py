"""The back office on a real PostgreSQL server: turns, locks, a server that goes away, the command.

What the back office does is tested on both databases by tests/unit/test_backoffice_*.py.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import text

from backend_client.errors import Refused as RefusedByCentre
from backend_client.messages import ConfirmRequest, TrialRequest
from simulator.backoffice import database, neighbours
from simulator.backoffice.database import Database, open_engine
from simulator.backoffice.errors import DatabaseUnavailable, Refused
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.sample import SampleCity, sample_bill, sample_ref
from simulator.backoffice.staff import CardKey
from simulator.clock import SHANGHAI, SimulatedClock
from simulator.postgres import PrivatePostgres

pytestmark = pytest.mark.integration

BEGIN = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)
ROOT = Path(__file__).parents[2]
PATIENCE = 30.0


def opened(url: str, randomness: int = 1) -> SampleCity:
    return SampleCity(
        open_engine(url), clock=SimulatedClock(BEGIN), random=Random(randomness).randbytes
    )


@pytest.fixture
def url(postgres_server: PrivatePostgres) -> str:
    return postgres_server.database()


@pytest.fixture
def city(url: str) -> Iterator[SampleCity]:
    city = opened(url)
    yield city
    city.backoffice.close()


def test_two_programs_over_one_database_settle_a_bill_once(city: SampleCity, url: str) -> None:
    ref = city.card(1, current_fen=1_000, bills=[sample_bill("B1", 400)])
    token = city.enrolled("kiosk").token
    other = opened(url, randomness=2)
    clients = [each.client(token) for each in (city, other) for _ in range(4)]
    tried = [each.trial(TrialRequest(city.number(), ref, "B1", 400)) for each in clients]

    def confirm(index: int) -> str:
        trial = tried[index]
        try:
            answer = clients[index].confirm(ConfirmRequest(trial.number, ref, "B1", trial.split))
        except RefusedByCentre as refused:
            return refused.problem.code
        return answer.settlement_id

    with ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(confirm, range(len(clients))))
    # Nobody is told to come back later because another was at work: each has its turn.
    assert sorted(answers)[:-1] == ["BILL_SETTLED"] * 7
    assert clients[0].account(ref).current_account_fen == 600
    other.backoffice.close()


@pytest.mark.article(18)
def test_what_one_program_publishes_wakes_who_waits_at_another(
    city: SampleCity, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_AGAIN_SECONDS", 0.01)
    city.card(1)
    key = CardKey(card_number=sample_ref(1).card_number)
    other = opened(url, randomness=2)
    bell = other.backoffice.lists.bell
    rung = bell.rung
    with other.backoffice.neighbours(), city.backoffice.neighbours():
        assert bell.wait(rung, PATIENCE), "whoever begins to listen looks once"
        rung = bell.rung
        city.backoffice.staff.report_formal_loss(key)
        assert bell.wait(rung, PATIENCE)
        rung = bell.rung
        with other.backoffice.database.engine.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE query LIKE 'LISTEN%'"
                )
            )
        assert bell.wait(rung, PATIENCE), "whoever was cut off looks again"
        rung = bell.rung
        city.backoffice.staff.release_loss(key)
        assert bell.wait(rung, PATIENCE)
    other.backoffice.close()


def test_a_version_that_is_not_committed_wakes_nobody_and_ones_own_wakes_once(
    city: SampleCity, url: str
) -> None:
    city.card(1)
    key = CardKey(card_number=sample_ref(1).card_number)
    other = opened(url, randomness=2)
    own, theirs = city.backoffice.lists.bell, other.backoffice.lists.bell
    begun = own.rung, theirs.rung
    with other.backoffice.neighbours(), city.backoffice.neighbours():
        assert own.wait(begun[0], PATIENCE)
        assert theirs.wait(begun[1], PATIENCE)
        own_rung, their_rung = own.rung, theirs.rung
        with suppress(ZeroDivisionError), city.backoffice.database.transaction() as session:
            city.backoffice.publisher.publish(session, BEGIN, prolong=True)
            raise ZeroDivisionError
        city.backoffice.staff.report_formal_loss(key)
        assert theirs.wait(their_rung, PATIENCE)
        assert (own.rung, theirs.rung) == (own_rung + 1, their_rung + 1)
    other.backoffice.close()


def test_a_database_that_somebody_holds_is_busy_and_nothing_was_done(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_MILLISECONDS", 50)
    city = opened(url)
    key = CardKey(card_id=city.card(1).card_id)
    engine = open_engine(url)
    with engine.connect() as holder:
        holder.execute(text("LOCK TABLE meta IN SHARE ROW EXCLUSIVE MODE"))
        with pytest.raises(Refused) as caught:
            city.backoffice.staff.report_formal_loss(key)
    assert caught.value.refusal is Refusal.BUSY
    engine.dispose()
    assert city.backoffice.staff.status(key).state == "active"
    city.backoffice.close()


def test_what_was_committed_while_one_waited_is_seen(city: SampleCity, url: str) -> None:
    """A snapshot from before the wait would end in a serialisation failure, or in a lost update."""
    key, number = CardKey(card_id=city.card(1).card_id), sample_ref(1).card_number
    offices = [opened(url, randomness=i) for i in range(2, 6)]
    with ThreadPoolExecutor(len(offices)) as pool:
        jobs = [
            pool.submit(office.backoffice.staff.freeze, CardKey(card_number=number))
            for office in offices
            for _ in range(5)
        ]
    assert [job.exception() for job in jobs] == [None] * 20
    with city.backoffice.database.transaction() as session:
        versions = session.execute(text("SELECT version FROM list_versions ORDER BY version"))
        found = [version for (version,) in versions]
    assert found == list(range(found[0], found[0] + len(found)))
    assert len(found) >= 20
    assert city.backoffice.staff.status(key).state == "active"
    for office in offices:
        office.backoffice.close()


def test_a_connection_that_the_server_ended_is_replaced(city: SampleCity, url: str) -> None:
    key = CardKey(card_id=city.card(1).card_id)
    engine = open_engine(url)
    with engine.begin() as other:
        others = "FROM pg_stat_activity WHERE datname = current_database()"
        ended = f"SELECT count(pg_terminate_backend(pid)) {others} AND pid <> pg_backend_pid()"
        assert other.execute(text(ended)).scalar_one() >= 1
    engine.dispose()
    assert city.backoffice.staff.status(key).state == "active"


def test_a_server_that_is_gone_is_busy_and_keeps_a_new_office_from_starting() -> None:
    with PrivatePostgres() as server:
        url = server.database()
        city = opened(url)
        key = CardKey(card_id=city.card(1).card_id)
    with pytest.raises(Refused) as caught:
        city.backoffice.staff.report_formal_loss(key)
    assert caught.value.refusal is Refusal.BUSY
    city.backoffice.close()
    with pytest.raises(DatabaseUnavailable):
        Database(open_engine(url))


def test_the_command_serves_from_the_database_that_is_named(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "terminal.cli", "sim", "backoffice", "--port", "0"]
    command += ["--data", str(tmp_path), "--database", url]
    for _ in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            assert process.stdout is not None
            assert re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
        assert process.returncode == 0
    assert not list(tmp_path.glob("*.sqlite"))
    engine = open_engine(url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM cards")).scalar_one() > 1
    engine.dispose()
