"""The report of a reconciliation in a real Chromium, as it comes out of a printer."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from backend_client.day_statement_messages import DayStatement
from backend_client.money_messages import StatementLine
from terminal.reconciliation import Report, compare
from terminal.reconciliation_report import as_html

pytestmark = pytest.mark.integration

DAY = date(2026, 3, 16)
A4_LANDSCAPE = 1031
"""Pixels at 96 to the inch between margins of 12 mm."""


def line(number: int, fen: int) -> StatementLine:
    return StatementLine(
        f"990100000101{DAY:%Y%m%d}090000{number:04d}",
        f"S{DAY:%Y%m%d}{number:08d}",
        False,
        "employee",
        fen,
        fen,
        0,
        0,
    )


def test_every_column_of_the_report_fits_on_a_sheet(browser: Browser, tmp_path: Path) -> None:
    ours = [line(1, 99_999_999), line(2, 99_999_999)]
    theirs = [line(1, 99_999_998), line(3, 99_999_999)]
    own = DayStatement(
        DAY, "990100000101", "T000001", datetime(2026, 3, 17, tzinfo=UTC), tuple(ours), ()
    )
    file = tmp_path / "day.html"
    file.write_text(as_html(Report(DAY, (), (own,), compare(ours, theirs)), "第一医院"), "utf-8")
    page = browser.new_page(viewport={"width": A4_LANDSCAPE, "height": 700})
    page.emulate_media(media="print")
    page.goto(file.as_uri())
    assert page.locator("td.repair").count() == 3
    assert page.evaluate("document.documentElement.scrollWidth") <= A4_LANDSCAPE
    page.close()
