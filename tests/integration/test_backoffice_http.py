"""The back office as a process of its own, spoken to over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from backend_client.blacklist import Trust, apply_documents
from backend_client.calls import Calls
from backend_client.client import BackendClient
from backend_client.errors import Refused, Unreachable
from backend_client.messages import (
    CardRef,
    ConfirmRequest,
    Enrolment,
    EnrolmentRequest,
    TrialRequest,
)
from backend_client.transport import HttpTransport, Request
from simulator.backoffice.errors import CannotListen
from simulator.backoffice.incoming import MAX_REQUEST
from simulator.backoffice.sample import ADMIN_TOKEN, sample_ref
from simulator.backoffice.seed import DEVELOPMENT_CODE
from simulator.backoffice.server import run

pytestmark = pytest.mark.integration

SHANGHAI = ZoneInfo("Asia/Shanghai")
BEGIN = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)
PROGRAM = """
import sys
from datetime import datetime
from pathlib import Path

from simulator.backoffice import seed
from simulator.backoffice.backoffice import Rules
from simulator.backoffice.records import AccountRecord, CardRecord, HolderRecord, InsuranceRecord
from simulator.backoffice.sample import ADMIN_TOKEN, sample_bill, sample_ref
from simulator.backoffice.server import run
from simulator.clock import SimulatedClock

directory, begin = Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2])
medical = InsuranceRecord("medical", "insured", begin.date(), 1)


def prepare(backoffice):
    seed.add_sample_institutions(backoffice)
    for serial in (1, 2):
        ref = sample_ref(serial)
        seed.register(
            backoffice,
            holder=HolderRecord("样本", f"99010019900101{serial:04d}", insurances=(medical,)),
            card=CardRecord(ref.card_id, ref.card_number, "active"),
            accounts=AccountRecord(100_000, 0),
            bills=[sample_bill(f"B{serial}-{i}", 100) for i in range(8)],
        )


run(
    "127.0.0.1",
    0,
    f"sqlite:///{directory}/office.db",
    directory / "office.key",
    ADMIN_TOKEN,
    clock=SimulatedClock(begin),
    rules=Rules(development_code=seed.DEVELOPMENT_CODE),
    prepare=prepare,
    announce=lambda host, port: print(port, flush=True),
)
print("ended", flush=True)
"""


@dataclass
class Office:
    """The process, and where it listens."""

    process: subprocess.Popen[str]
    port: int

    @property
    def transport(self) -> HttpTransport:
        return HttpTransport(f"http://127.0.0.1:{self.port}", monotonic=time.monotonic)

    def end(self) -> str:
        """Ask it to end, and give what it still printed."""
        self.process.send_signal(signal.SIGTERM)
        printed, _ = self.process.communicate(timeout=30)
        return printed


def start(directory: Path, *, errors: int | None = None) -> Office:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(directory), BEGIN.isoformat()],
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    return Office(process, int(process.stdout.readline()))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = start(tmp_path)
    yield office
    if office.process.poll() is None:
        office.end()


def enrolled(transport: HttpTransport) -> tuple[BackendClient, Enrolment]:
    client = BackendClient(
        Calls(transport, token=None, now=lambda: BEGIN, sleep=time.sleep, random=os.urandom)
    )
    identity = client.enrol(EnrolmentRequest(DEVELOPMENT_CODE.code, "kiosk"))
    return client.with_token(identity.token), identity


def staff(transport: HttpTransport, path: str, **fields: object) -> dict[str, object]:
    headers = {"content-type": "application/json", "authorization": f"Bearer {ADMIN_TOKEN}"}
    request = Request("POST", f"/admin/v1{path}", json.dumps(fields).encode(), headers)
    reply = transport.send(request)
    assert reply.status == 200
    answer: dict[str, object] = json.loads(reply.body)
    return answer


def settle(client: BackendClient, ref: CardRef, number: str, bill: str) -> str:
    split = client.trial(TrialRequest(number, ref, bill, 100)).split
    return client.confirm(ConfirmRequest(number, ref, bill, split)).settlement_id


@pytest.mark.article(18)
def test_the_story_of_a_card_over_http(office: Office) -> None:
    transport, ref = office.transport, sample_ref(1)
    client, identity = enrolled(transport)
    assert client.server_time().now == BEGIN
    number = f"{identity.institution}202603160900000001"
    settle(client, ref, number, "B1-0")
    assert client.query(number).state == "confirmed"
    assert client.account(ref).current_account_fen == 99_900
    assert client.reverse(number).found
    assert client.account(ref).current_account_fen == 100_000

    staff(transport, "/losses", card_number=ref.card_number, kind="temporary")
    offer = client.lists.news(0).snapshot
    assert offer is not None
    trust = Trust(identity.blacklist_issuer, identity.blacklist_keys)
    held = apply_documents(None, [client.lists.piece(offer, 0)], trust, BEGIN).list
    assert held is not None
    assert [entry.card_id for entry in held.entries] == [ref.card_id[:24]]
    with pytest.raises(Refused) as caught:
        client.bills(ref)
    assert caught.value.problem.code == "CARD_TEMPORARILY_LOST"
    staff(transport, "/clock", until=(BEGIN + timedelta(days=6)).isoformat())
    assert client.card_status(ref).state == "active"
    transport.close()


@pytest.mark.article(18)
@pytest.mark.article(23)
@pytest.mark.article(27)
def test_deadlines_raise_events_though_nobody_asks_and_they_outlive_the_process(
    tmp_path: Path,
) -> None:
    office = start(tmp_path, errors=subprocess.STDOUT)
    transport = office.transport
    numbers = [sample_ref(serial).card_number for serial in (1, 2)]
    staff(transport, "/losses", card_number=numbers[0], kind="temporary")
    staff(transport, "/applications", card_number=numbers[1], cause="damaged")
    staff(transport, "/clock", until="2026-04-01T00:00:00+08:00")
    transport.close()
    assert office.process.stdout is not None
    assert office.process.stdout.readline() == (
        "application A00000001: make is overdue (Article 23)\n"
    )
    office.process.kill()
    office.process.communicate(timeout=30)
    with closing(sqlite3.connect(tmp_path / "office.db")) as kept:
        found = kept.execute("SELECT event FROM life_events ORDER BY id").fetchall()
        duties = kept.execute("SELECT duty, article FROM overdue_duties").fetchall()
    assert ("lapse",) in found
    assert duties == [("make", 23)]


def test_terminals_settle_side_by_side(office: Office) -> None:
    transport = office.transport
    client, identity = enrolled(transport)
    jobs = [
        (
            sample_ref(serial),
            f"{identity.institution}20260316090000{serial}{i:03d}",
            f"B{serial}-{i}",
        )
        for serial in (1, 2)
        for i in range(8)
    ]
    with ThreadPoolExecutor(8) as pool:
        settled = set(pool.map(lambda job: settle(client, *job), jobs))
    assert len(settled) == 16
    assert client.account(sample_ref(1)).current_account_fen == 99_200
    assert client.bills(sample_ref(2)).bills == ()
    transport.close()


def test_it_ends_when_it_is_asked_to_and_goes_on_where_it_was(tmp_path: Path) -> None:
    office = start(tmp_path)
    transport, ref = office.transport, sample_ref(1)
    client, identity = enrolled(transport)
    number = f"{identity.institution}202603160900000001"
    settle(client, ref, number, "B1-0")
    assert office.end() == "ended\n"
    assert office.process.returncode == 0
    with pytest.raises(Unreachable):
        client.query(number)
    transport.close()
    assert (tmp_path / "office.key").stat().st_mode & 0o777 == 0o600
    again = start(tmp_path)
    transport = again.transport
    client = BackendClient(
        Calls(
            transport, token=identity.token, now=lambda: BEGIN, sleep=time.sleep, random=os.urandom
        )
    )
    assert client.query(number).state == "confirmed"
    transport.close()
    again.end()


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_without_end_is_cut_off(chunked: bool, office: Office) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", office.port, timeout=30)
    body = b"x" * (MAX_REQUEST + 1)
    if chunked:
        connection.request("POST", "/v1/cards/status", iter([body]), encode_chunked=True)
    else:
        connection.request("POST", "/v1/cards/status", body)
    response = connection.getresponse()
    assert response.status == 413
    assert json.loads(response.read())["code"] == "BODY_TOO_LARGE"
    connection.close()


def test_what_is_not_http_ends_in_a_refusal_and_others_are_served(office: Office) -> None:
    with socket.create_connection(("127.0.0.1", office.port), timeout=30) as garbage:
        garbage.sendall(b"\x00\x01\x02 nothing of the kind\r\n\r\n")
        assert b"400" in garbage.recv(100)
    transport = office.transport
    assert enrolled(transport)[0].server_time().now == BEGIN
    transport.close()


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen):
            run("127.0.0.1", port, "sqlite://", tmp_path / "key", None)
    with pytest.raises(CannotListen):
        run("no.such.host.invalid", 0, "sqlite://", tmp_path / "key", None)
