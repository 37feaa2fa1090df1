"""Money on the command line, over the national interface, with the back office as a process."""

from __future__ import annotations

import csv
import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from simulator.backoffice.seed import DEVELOPMENT_CODE
from simulator.card.profile import load_profile
from terminal.clock import SHANGHAI
from terminal.exit_codes import ExitCode
from tests.integration.test_cli_real_parts import back_office, ssct

__all__ = ["back_office"]

pytestmark = pytest.mark.integration

ADULT = ("--reader", "sim:adult-3.0")
PIN = "246810"


@pytest.fixture
def enrolled(back_office: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSCT_SETTLEMENT_CHANNEL", "national")
    assert ssct(monkeypatch, "enrol", DEVELOPMENT_CODE.code) == ExitCode.OK


def test_a_day_from_settlement_to_sign_out(
    enrolled: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    today = f"{datetime.now(SHANGHAI):%Y-%m-%d}"
    assert ssct(monkeypatch, "settle", *ADULT, typed=f"{PIN}\n1\ny\n") == ExitCode.OK
    assert ssct(monkeypatch, "reconcile", today) == ExitCode.OK
    assert ssct(monkeypatch, "cancel", *ADULT, typed=f"{PIN}\n1\ny\n") == ExitCode.OK
    assert ssct(monkeypatch, "contribution", *ADULT, typed=f"{PIN}\n1\ny\n") == ExitCode.OK
    assert ssct(monkeypatch, "benefits", *ADULT, typed=f"{PIN}\n1\ny\n") == ExitCode.OK
    capsys.readouterr()
    assert ssct(monkeypatch, "records", *ADULT, typed=f"{PIN}\n") == ExitCode.OK
    assert "已撤销" in capsys.readouterr().out
    table, page = tmp_path / "day.csv", tmp_path / "day.html"
    options = ("--lines", "--sign-out", "--csv", str(table), "--html", str(page))
    assert ssct(monkeypatch, "reconcile", today, *options) == ExitCode.OK
    told = capsys.readouterr().out
    assert re.search(r"结算 settlements, .*: 1, ¥ 250\.20: 平", told)
    assert re.search(r"撤销 refunds, .*: 1, ¥ 250\.20: 平", told)
    assert len(list(csv.reader(table.read_text("utf-8-sig").splitlines()))) == 1
    assert "平账" in page.read_text("utf-8")
    assert page.stat().st_mode & 0o077 == 0
    assert ssct(monkeypatch, "reconcile", today) == ExitCode.REFUSED
    assert "CENTRE_SIGNED_OUT_TODAY" in capsys.readouterr().err


def test_records_made_offline_keep_a_terminal_from_being_reset(
    enrolled: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    permitted = tmp_path / "card.json"
    profile = json.loads(
        (Path(load_profile.__code__.co_filename).parents[1] / "profiles/adult-3.0.json").read_text()
    )
    profile["files"]["DF04EF06"] = {"90": "1", "92": 0, "93": 0}
    permitted.write_text(json.dumps(profile))
    card = ("--reader", f"sim:{permitted}")
    monkeypatch.setenv("SSCT_BACKEND_URL", "http://127.0.0.1:9")
    assert ssct(monkeypatch, "debit", "12.50", *card, typed=f"{PIN}\ny\n") == ExitCode.OK
    capsys.readouterr()
    assert ssct(monkeypatch, "journal", "upload") == ExitCode.BACK_OFFICE
    assert "BACKEND_UNREACHABLE" in capsys.readouterr().err
    assert ssct(monkeypatch, "journal", "check") == ExitCode.OK
    assert "the chain holds" in capsys.readouterr().out
    assert ssct(monkeypatch, "status", "--json") == ExitCode.OK
    told = json.loads(capsys.readouterr().out)
    assert (told["records_unsent"], told["records_unsent_fen"]) == (1, 1_250)
    assert ssct(monkeypatch, "reset", "--yes") == ExitCode.TERMINAL
    assert "TERMINAL_RECORDS_UNSENT" in capsys.readouterr().err
    export = tmp_path / "records.jsonl"
    assert ssct(monkeypatch, "journal", "export", str(export)) == ExitCode.OK
    assert ssct(monkeypatch, "journal", "export", str(export)) == ExitCode.USAGE
    assert export.stat().st_mode & 0o077 == 0
    assert json.loads(export.read_text().splitlines()[0])["kind"] == "debit"
    assert ssct(monkeypatch, "reset") == ExitCode.USAGE
    assert ssct(monkeypatch, "reset", "--yes") == ExitCode.OK
    assert not list((tmp_path / "ssct").glob("terminal.sqlite*"))


@pytest.mark.parametrize("amount", ["0", "1.", "-1", "1e3", "12.345", "abc"])
def test_what_is_no_amount_is_refused(amount: str, capsys: pytest.CaptureFixture[str]) -> None:
    from terminal.cli import main

    with pytest.raises(SystemExit) as caught:
        main(["debit", "--", amount])
    assert caught.value.code == ExitCode.USAGE
    assert "12.50" in capsys.readouterr().err


@pytest.mark.parametrize(
    "day",
    ["2026-02-30", "20260316", "2026-W12-1", "0001-01-01", "9999-12-31", "２０２６-01-01"],
)
def test_what_is_no_day_is_refused(day: str, capsys: pytest.CaptureFixture[str]) -> None:
    from terminal.cli import main

    with pytest.raises(SystemExit):
        main(["reconcile", day])
    assert "YYYY-MM-DD" in capsys.readouterr().err


def test_a_report_without_a_place_is_refused_before_anything_is_mended(
    enrolled: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("terminal.reconciliation.reconcile", None)
    for option in ("--csv", "--html"):
        for nowhere in (tmp_path, tmp_path / "none" / "x"):
            asked = ("reconcile", "2026-03-16", "--repair", option, str(nowhere))
            assert ssct(monkeypatch, *asked) == ExitCode.USAGE
            assert "cannot be written" in capsys.readouterr().err
    assert ssct(monkeypatch, "reconcile", "2999-01-01") == ExitCode.USAGE
    assert "DAY_NOT_COME" in capsys.readouterr().err
