"""The operator's page: who gets in, what it shows, and that it names nobody."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from apdu.readers.inprocess import InProcessReader
from apdu.sam import SoftwareSam
from backend_client.messages import CardRef
from simulator.clock import SimulatedClock
from simulator.kiosk import BEGINS
from simulator.printer import VirtualPrinter
from terminal.app import Nowhere, Terminal
from terminal.devices.printer import ReceiptPrinter, open_printer
from terminal.errors import ConfigurationError, PaperOut
from terminal.kiosk.driver import KioskDriver
from terminal.kiosk.inbox import Inbox
from terminal.kiosk.kiosk import Kiosk
from terminal.kiosk.operator_login import LoginRefused, Logins, write_password
from terminal.kiosk.operator_web import COOKIE, OperatorParts, OperatorWeb
from terminal.kiosk.recent_log import RecentLog
from terminal.kiosk.stage import Stage
from terminal.kiosk.timing import Timing
from terminal.kiosk.unprinted import Unprinted, UnprintedReceipt
from terminal.kiosk.views import Preferences
from terminal.settings import PrinterSettings, load_settings
from terminal.store.journal import Kind
from terminal.text import Text

from .asgi import Answer, ask

PASSWORD = "a long enough one"
CARD = CardRef("990100d15600000500000001ffffffff", "A12345678")
HOST = "127.0.0.1:8791"
POST = {"host": HOST, "origin": f"http://{HOST}"}


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(BEGINS)


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    write_password(file, PASSWORD, Random(1).randbytes)
    return file


@pytest.fixture
def logins(password_file: Path, clock: SimulatedClock) -> Logins:
    return Logins(password_file, clock, Random(2).randbytes)


def test_the_password_is_kept_as_a_hash_that_only_its_owner_reads(password_file: Path) -> None:
    assert PASSWORD not in password_file.read_text()
    assert password_file.stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigurationError):
        write_password(password_file, "short", Random(1).randbytes)


def test_a_session_lasts_while_it_is_used(logins: Logins, clock: SimulatedClock) -> None:
    key = logins.enter(PASSWORD)
    for _ in range(3):
        clock.sleep(14 * 60)
        assert logins.holds(key)
    clock.sleep(15 * 60)
    assert not logins.holds(key)
    again = logins.enter(PASSWORD)
    logins.leave(again)
    assert not logins.holds(again)


def test_wrong_passwords_make_everybody_wait_longer_each_time(
    logins: Logins, clock: SimulatedClock
) -> None:
    for wait in (30.0, 60.0, 120.0):
        tries = 3 if wait == 30.0 else 1
        for _ in range(tries):
            with pytest.raises(LoginRefused) as refused:
                logins.enter("wrong")
            assert refused.value.wait == 0
        with pytest.raises(LoginRefused) as refused:
            logins.enter(PASSWORD)
        assert refused.value.wait == wait
        clock.sleep(wait)
    assert logins.holds(logins.enter(PASSWORD))


def test_without_a_password_file_nobody_gets_in(clock: SimulatedClock) -> None:
    with pytest.raises(LoginRefused):
        Logins(None, clock, Random(1).randbytes).enter("")


def test_a_damaged_password_file_is_said_to_be_one(tmp_path: Path, clock: SimulatedClock) -> None:
    file = tmp_path / "password"
    file.write_text("plain password")
    with pytest.raises(ConfigurationError, match="operator_password_file"):
        Logins(file, clock, Random(1).randbytes).enter("x")


@dataclass
class Office:
    """The page over a kiosk that nobody has enrolled."""

    web: OperatorWeb
    printer: VirtualPrinter
    recent: RecentLog
    terminal: Terminal
    unprinted: Unprinted

    def get(self, path: str, cookie: str = "") -> Answer:
        return ask(self.web.app, path, {"host": HOST, "cookie": f"{COOKIE}={cookie}"})

    def post(self, path: str, body: bytes = b"", cookie: str = "") -> Answer:
        return ask(self.web.app, path, {**POST, "cookie": f"{COOKIE}={cookie}"}, body)

    def log_in(self) -> str:
        answer = self.post("/login", f"password={PASSWORD.replace(' ', '+')}".encode())
        assert answer.status == 303
        return answer.headers["set-cookie"].partition("=")[2].partition(";")[0]


@pytest.fixture
def office(tmp_path: Path, clock: SimulatedClock, logins: Logins) -> Iterator[Office]:
    settings = load_settings(None, {"SSCT_TERMINAL_DATA_DIR": str(tmp_path / "data")})
    random = Random(3).randbytes
    sam = SoftwareSam.development(random)
    with (
        VirtualPrinter() as virtual,
        Terminal.open(
            settings, clock=clock, random=random, sam=sam, transport=Nowhere()
        ) as terminal,
    ):
        inbox, stage = Inbox(clock), Stage(Preferences())
        driver = KioskDriver(stage, inbox, clock, Timing(), Unprinted(terminal.store))
        reader = InProcessReader("empty")
        kiosk = Kiosk(terminal, reader, stage=stage, inbox=inbox, driver=driver, timing=Timing())
        printer = _printer(virtual)
        recent = RecentLog()
        parts = OperatorParts(kiosk, logins, printer, recent, {"reader": "empty"})
        yield Office(OperatorWeb(parts), virtual, recent, terminal, kiosk.unprinted)


def _printer(virtual: VirtualPrinter) -> ReceiptPrinter:
    second = timedelta(seconds=1)
    settings = PrinterSettings("network", "127.0.0.1", virtual.port, timeout=second)
    opened = open_printer(settings)
    assert opened is not None
    return opened


@pytest.mark.parametrize("path", ["/", "/journal", "/open", "/reconciliation", "/audit", "/log"])
def test_every_page_needs_a_login(office: Office, path: str) -> None:
    answer = office.get(path)
    assert (answer.status, answer.headers["location"]) == (303, "/login")
    answer = office.get(path, office.log_in())
    assert answer.status == 200
    assert "script" not in answer.headers["content-security-policy"]


def test_what_changes_something_needs_a_login_and_our_own_page(office: Office) -> None:
    assert office.post("/print").headers["location"] == "/login"
    assert office.printer.slips == []
    foreign = {"host": HOST, "origin": "http://example.com", "cookie": f"{COOKIE}=x"}
    assert ask(office.web.app, "/print", foreign, b"").status == 403


def test_the_overview_says_why_nobody_is_served_and_prints_a_test(office: Office) -> None:
    key = office.log_in()
    assert b"TERMINAL_NOT_ENROLLED" in office.get("/", key).body
    assert "测试页已打印" in office.post("/print", cookie=key).body.decode()
    assert "打印测试" in office.printer.slip(0)
    office.printer.has_paper = False
    assert PaperOut.code.encode() in office.post("/print", cookie=key).body


def test_only_what_the_journal_knows_can_be_printed_again(office: Office) -> None:
    journal, now = office.terminal.journal, office.terminal.clock.now()
    sent = journal.mark_sent(journal.prepare(Kind.SETTLEMENT, CARD, {"bill_id": "B1"}))
    title = Text("申请回执", "Application")
    for number in (sent.number, "A2026031600000001"):
        office.unprinted.note(UnprintedReceipt(number, title, "zh", now, "PRINTER_PAPER_OUT"))

    page = office.get("/", office.log_in()).body.decode()

    assert f'value="{sent.number}"' in page
    assert "A2026031600000001" in page
    assert 'value="A2026031600000001"' not in page
    assert "凭流水号向服务中心查询" in page


def test_a_wrong_password_is_refused_and_counted(office: Office) -> None:
    statuses = [office.post("/login", b"password=wrong").status for _ in range(4)]
    assert statuses == [403, 403, 403, 429]


def test_the_log_keeps_our_lines_and_of_others_only_that_there_was_one(office: Office) -> None:
    def line(name: str, level: int, message: str) -> logging.LogRecord:
        return logging.LogRecord(name, level, "", 0, message, (), None)

    office.recent.handle(line("terminal.kiosk", logging.INFO, "a line of ours"))
    office.recent.handle(line("httpx2", logging.INFO, "GET of something"))
    office.recent.handle(line("sqlalchemy", logging.WARNING, "parameters 张三"))
    page = office.get("/log", office.log_in()).body.decode()
    assert "a line of ours" in page
    assert "GET of something" not in page
    assert "sqlalchemy" in page
    assert "张三" not in page


def test_a_day_is_reconciled_or_it_is_said_why_not(office: Office) -> None:
    key = office.log_in()
    away = ask(office.web.app, "/reconciliation", cookie(key), query="day=2026-03-16")
    assert (away.status, b"[BACKEND_" in away.body) == (503, True)
    assert ask(office.web.app, "/reconciliation", cookie(key), query="day=x").status == 400


def cookie(key: str) -> dict[str, str]:
    return {"host": HOST, "cookie": f"{COOKIE}={key}"}


def test_health_and_metrics_need_no_login(office: Office) -> None:
    health = office.get("/health")
    assert health.status == 503
    assert b'"code":"TERMINAL_NOT_ENROLLED"' in health.body
    metrics = office.get("/metrics").body.decode()
    assert "ssct_kiosk_serving 0.0" in metrics
    assert 'ssct_operations{state="unknown"} 0.0' in metrics
    assert "ssct_kiosk_visits_total 0.0" in metrics
