"""Paper that lets a settlement down, before a real Chromium: money stays, and paper comes later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Browser, Page, expect

from simulator.clock import SimulatedClock
from simulator.kiosk import Fittings, embedded_kiosk
from simulator.printer import SerialVirtualPrinter
from terminal.devices.printer import open_printer
from terminal.reconciliation import reconcile
from terminal.settings import PrinterSettings
from terminal.store.journal import State

from .conftest import Stand
from .hall import PATIENCE, Hall

pytestmark = pytest.mark.integration
PIN, PASSWORD = "246810", "a long enough one"


@dataclass
class Counter:
    """A kiosk with a printer on a serial line, and the operator's page in a second window."""

    hall: Hall
    printer: SerialVirtualPrinter
    operator: Page

    def settle(self) -> None:
        """Settle the bill, to its receipt."""
        self.hall.insert()
        self.hall.press_item("settlement")
        self.hall.enter(PIN)
        self.hall.press("option-1")
        self.hall.press("yes")
        self.hall.at("receipt")

    def settled(self) -> int:
        """Settlements that stand in the journal, and that the centre's ledger has as well."""
        terminal = self.hall.kiosk.scene.terminal
        own = terminal.day_statement(self.hall.clock.now().date())
        report = reconcile(terminal.journal, terminal.centre.channel, own)
        assert report.equal
        return terminal.journal.counts()[State.CONFIRMED]


@pytest.fixture
def counter(
    tmp_path: Path, clock: SimulatedClock, stand: Stand, browser: Browser
) -> Iterator[Counter]:
    with SerialVirtualPrinter() as printer:
        second = timedelta(seconds=1)
        opened = open_printer(PrinterSettings("serial", device=printer.device, timeout=second))
        with (
            embedded_kiosk(
                tmp_path,
                clock=clock,
                random=Random(4).randbytes,
                fittings=Fittings(printer=opened, operator_password=PASSWORD),
            ) as kiosk,
            stand(kiosk.running.page_url) as page,
            browser.new_context() as window,
        ):
            operator = window.new_page()
            operator.set_default_timeout(PATIENCE)
            operator.goto(kiosk.running.operator_url)
            operator.locator("input[name=password]").fill(PASSWORD)
            operator.keyboard.press("Enter")

            operator.get_by_role("heading", name="设备").wait_for()
            yield Counter(Hall(kiosk, clock, page), printer, operator)


def test_a_jam_in_mid_slip_leaves_the_money_and_paper_comes_when_it_is_mended(
    counter: Counter,
) -> None:
    hall, printer, operator = counter.hall, counter.printer, counter.operator
    printer.jams_after = 6
    counter.settle()
    hall.shows("打印机卡纸，凭条没有打印。办理结果不受影响，请扫描二维码保存")
    expect(hall.page.locator(".copy svg")).to_be_visible()
    number = hall.kiosk.running.kiosk.unprinted.waiting()[0].number
    assert number in hall.text()
    assert counter.settled() == 1
    operator.reload()
    row = operator.get_by_role("row").filter(has_text=number)
    expect(row).to_contain_text("医疗费用结算单")
    expect(row).to_contain_text("PRINTER_PAPER_JAM")
    row.get_by_role("button").click()
    expect(operator.get_by_role("status")).to_contain_text("[PRINTER_PAPER_JAM]")
    printer.mend()
    operator.get_by_role("row").filter(has_text=number).get_by_role("button").click()
    expect(operator.get_by_role("status")).to_contain_text("凭条已打印")
    expect(operator.locator("main")).to_contain_text("没有未打印的凭条")
    assert len(printer.slips) == 1
    slip = printer.slip(0)
    assert slip.startswith("医疗费用结算单（补打）")
    assert number in slip
    assert "¥ 250.20" in slip
    hall.press("next")
    hall.at("menu")
    assert counter.settled() == 1
    operator.goto(f"{hall.kiosk.running.operator_url}/audit")
    expect(operator.get_by_role("row").filter(has_text="operator")).to_contain_text("receipt")


@pytest.mark.parametrize(
    ("trouble", "words"), [("has_paper", "打印机缺纸"), ("cover_open", "打印机盖没有关好")]
)
def test_what_is_wrong_with_the_printer_is_said_and_the_next_slip_is_whole(
    counter: Counter, trouble: str, words: str
) -> None:
    hall, printer = counter.hall, counter.printer
    setattr(printer, trouble, trouble == "cover_open")
    counter.settle()
    hall.shows(words)
    assert counter.settled() == 1
    hall.remove()
    hall.at("attract")
    printer.mend()
    assert printer.slips == []


def test_a_slip_on_a_serial_line_is_the_receipt_in_the_language_of_its_holder(
    counter: Counter,
) -> None:
    counter.hall.press("tool-language")
    counter.hall.title("insert or place")
    counter.settle()
    counter.hall.shows("Your slip is printed.")
    assert "Settlement receipt" in counter.printer.slip(0)
    assert counter.printer.picture(0).getextrema() == (0, 255)
    assert counter.hall.kiosk.running.kiosk.unprinted.count == 0


def test_the_operator_prints_by_number_and_is_told_why_not(counter: Counter) -> None:
    operator = counter.operator
    operator.get_by_label("流水号").fill("<b>9901</b>")
    operator.get_by_role("button", name="补打凭条").click()
    expect(operator.get_by_role("status")).to_contain_text("本机没有这个流水号")
    assert counter.printer.slips == []


PERSONAL = ("张三", "310101", "A9901")
"""How the name, the social security number and the card number of the built-in holder begin."""


@pytest.mark.article(18)
def test_who_is_refused_takes_along_what_why_and_what_to_do(counter: Counter) -> None:
    hall, printer = counter.hall, counter.printer
    hall.kiosk.panel.lose("adult-3.0", "temporary")
    hall.insert()
    hall.at("message")
    hall.press("slip")
    hall.at("receipt")
    hall.title("未能办理说明")
    expect(hall.page.locator(".copy svg")).to_be_visible()
    slip, shown = printer.slip(0), hall.text()
    for words in ("办理事项：使用这张卡", "已临时挂失", "第18条", "解除挂失", "12333"):
        assert words in slip.replace("\n", "")
        assert words in shown
    assert "流水号" not in slip + shown
    assert not any(one in slip + shown for one in PERSONAL)
    hall.press("next")
    assert set(hall.menu()) == {"standing", "release", "catalogue"}


def test_a_refusal_in_a_function_names_it_and_paper_is_not_needed(counter: Counter) -> None:
    hall, printer = counter.hall, counter.printer
    printer.has_paper = False
    hall.insert()
    hall.press("tool-language")
    hall.press_item("query")
    for _ in range(3):
        hall.enter("000000")
    hall.title("PIN is blocked")
    hall.press("slip")
    hall.title("Why it was not possible")
    hall.shows("has no paper, so no slip was printed. Scan the code to keep a copy.")
    assert "What you wanted: Query" in hall.text()
    assert "CARD_PIN_BLOCKED" in hall.text()
    assert hall.kiosk.running.kiosk.unprinted.count == 0
    hall.remove()
    hall.at("attract")
