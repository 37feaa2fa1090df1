"""An institution with two terminals on the command line, with the back office as a process."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from simulator.backoffice.seed import DEVELOPMENT_CODE
from terminal.clock import SHANGHAI
from terminal.exit_codes import ExitCode
from tests.integration.test_cli_real_parts import back_office, ssct

__all__ = ["back_office"]

pytestmark = pytest.mark.integration

At = Callable[..., int]
CARDS = {"one": ("sim:adult-3.0", "246810"), "two": ("sim:adult-2.0", "135790")}


@pytest.fixture(params=["direct", "national"])
def at(
    request: pytest.FixtureRequest,
    back_office: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> At:
    """Runs a command at one of two terminals; each has settled a bill."""
    monkeypatch.setenv("SSCT_SETTLEMENT_CHANNEL", request.param)

    def run(terminal: str, *arguments: str, typed: str = "") -> int:
        monkeypatch.setenv("SSCT_TERMINAL_DATA_DIR", str(tmp_path / terminal))
        return ssct(monkeypatch, *arguments, typed=typed)

    for terminal, (card, pin) in CARDS.items():
        assert run(terminal, "enrol", DEVELOPMENT_CODE.code) == ExitCode.OK
        typed = f"{pin}\n1\ny\n"
        assert run(terminal, "settle", "--reader", card, typed=typed) == ExitCode.OK
    return run


def undo_at_the_centre(number: str) -> None:
    """The centre loses a settlement that the terminal of the present settings has as done."""
    from terminal.commands.opening import open_terminal
    from terminal.settings import load_settings

    with open_terminal(load_settings(None, os.environ), proves_cards=False) as terminal:
        terminal.client.reverse(number)


def test_one_terminal_adds_up_and_each_mends_its_own(
    at: At, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    today = f"{datetime.now(SHANGHAI):%Y-%m-%d}"
    first, second = str(tmp_path / "two.json"), str(tmp_path / "two-again.json")
    with monkeypatch.context() as away:
        away.setenv("SSCT_BACKEND_URL", "http://127.0.0.1:9")
        assert at("two", "statement", today, first) == ExitCode.OK
        assert at("two", "statement", today, first) == ExitCode.USAGE
    assert Path(first).stat().st_mode & 0o077 == 0
    capsys.readouterr()
    assert at("one", "reconcile", today, "--with", first) == ExitCode.OK
    told = capsys.readouterr().out
    assert "T000001: 结算 settlements" in told
    assert "T000002: 结算 settlements" in told
    assert "平账" in told

    (line,) = json.loads(Path(first).read_text("utf-8"))["statement"]["lines"]
    monkeypatch.setenv("SSCT_TERMINAL_DATA_DIR", str(tmp_path / "two"))
    undo_at_the_centre(line["number"])
    table, page = tmp_path / "day.csv", tmp_path / "day.html"
    report = ("--repair", "--csv", str(table), "--html", str(page))
    assert at("one", "reconcile", today, *report, "--with", first) == ExitCode.REFUSED
    repaired = capsys.readouterr()
    assert "已处理 mended: 0" in repaired.out
    assert f"{line['number']} (T000002)" in repaired.err
    assert f"`ssct reconcile {today} --repair` at these terminals" in repaired.err
    (difference, *sums) = csv.DictReader(table.read_text("utf-8-sig").splitlines())
    assert difference["终端 terminal"] == "T000002"
    assert [row["笔数 count"] for row in sums if row["终端 terminal"] == ""].count("2") == 1
    assert "T000002 (1)" in page.read_text("utf-8")

    at("two", "reconcile", today, "--repair")
    assert "已处理 mended: 1" in capsys.readouterr().out
    assert at("two", "statement", today, second) == ExitCode.OK
    assert at("one", "reconcile", today, "--with", second) == ExitCode.OK
    assert at("one", "reconcile", today, "--with", first) == ExitCode.REFUSED


def test_what_does_not_belong_is_refused(
    at: At, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    now = datetime.now(SHANGHAI)
    today, yesterday = f"{now:%Y-%m-%d}", f"{now - timedelta(days=1):%Y-%m-%d}"
    good, own, cut = tmp_path / "two.json", str(tmp_path / "one.json"), tmp_path / "cut.json"
    assert at("two", "statement", today, str(good)) == ExitCode.OK
    assert at("one", "statement", today, own) == ExitCode.OK
    cut.write_bytes(good.read_bytes()[:-40])
    for day, files, code in (
        (yesterday, [str(good)], "STATEMENT_MISPLACED"),
        (today, [str(good), str(good)], "STATEMENT_REPEATED"),
        (today, [str(good), own], "STATEMENT_REPEATED"),
        (today, [str(cut)], "STATEMENT_DAMAGED"),
        (today, [str(tmp_path / "none.json")], "TERMINAL_CONFIGURATION"),
    ):
        capsys.readouterr()
        assert at("one", "reconcile", day, "--with", *files) == ExitCode.USAGE
        assert f"[{code}]" in capsys.readouterr().err
