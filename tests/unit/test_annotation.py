"""Traces in words: names, decoded values, masks, answers that come in parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from apdu.ssc.annotation import annotated
from apdu.trace import Trace, parse_trace
from simulator.card.profile import load_profile
from terminal.cli import main
from terminal.exit_codes import ExitCode
from terminal.mask import mask

TRACES = Path(__file__).parents[1] / "conformance" / "traces"
ADULT = "sim:adult-3.0"


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("SSCT_CONFIG", raising=False)


def told(text: str, *, in_full: bool = False) -> str:
    return "\n".join(annotated(parse_trace(text), mask, in_full=in_full))


@pytest.mark.parametrize("name", ["t1", "t3"])
def test_recorded_sessions_of_real_cards_name_their_files(name: str) -> None:
    text = told((TRACES / f"{name}.trace").read_text("utf-8"))
    assert "SELECT SSSE" in text
    assert "READ RECORD SSSEEF05" in text
    assert "9000 ok" in text


def test_a_recorded_session_is_told_masked_and_in_full(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "session.trace"
    assert main(["read", "--json", "--reader", ADULT, "--record", str(file)]) == ExitCode.OK
    assert file.stat().st_mode & 0o077 == 0
    capsys.readouterr()
    assert main(["trace", str(file)]) == ExitCode.OK
    masked = capsys.readouterr().out
    holder = load_profile("adult-3.0").holder
    assert "规范版本 Specification version: 3.00" in masked
    assert "EXTERNAL AUTHENTICATE 00 0A" in masked
    assert " ms  GET RESPONSE" in masked
    raw = file.read_text("utf-8")
    for secret in (holder.name, holder.ssn, holder.ssn.encode().hex().upper(), "1990-01-01"):
        assert secret not in masked
    assert holder.ssn.encode().hex().upper() in raw
    assert main(["trace", "--show-personal", str(file)]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert holder.name in shown
    assert holder.ssn in shown


def test_a_session_that_fails_is_recorded_too(tmp_path: Path) -> None:
    file = tmp_path / "session.trace"
    arguments = ["read", "--json", "--reader", "sim:forged", "--record", str(file)]
    assert main(arguments) == ExitCode.REFUSED
    assert "INTERNAL AUTHENTICATE" in told(file.read_text("utf-8"))


def test_a_recording_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "session.trace"
    file.write_text("mine")
    assert main(["read", "--reader", ADULT, "--record", str(file)]) == ExitCode.USAGE
    assert file.read_text() == "mine"
    assert main(["trace", str(file)]) == ExitCode.USAGE
    assert "TRACE_MALFORMED" in capsys.readouterr().err


def test_without_a_file_the_card_is_read_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "--reader", ADULT]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert "READ BINARY SSSEEF08 照片信息 Photograph, from byte 0" in shown
    assert "READ RECORD DF03EF05" in shown


def test_what_ends_otherwise_is_told_as_it_was() -> None:
    text = told(
        "ATR 3B00\n> 00A40000 02DF04\n< 6102\n> 00C00000 02\n< 6F00 9000\n"
        "> 00200000 03......\n< 63C2\n> 0020000000\n< 63C2\n> B0260001 04\n! CARD_REMOVED\n"
        "> 04DC0128 06 010203040506\n< 6988\nreset\nATR 3B00\n> 00B2010440\n< 6982\n"
        "> 001122\n< 6E00\n"
    )
    assert "SELECT DF04" in text
    assert "VERIFY 3 bytes not kept  ->  63C2 2 tries left" in text
    assert "VERIFY how many tries are left" in text
    assert "GET BALANCE 00 01  ->  CARD_REMOVED" in text
    assert "UPDATE RECORD (secured) DF04EF05" in text
    assert "READ RECORD an unknown file, record 1" in text, "a reset forgets what was selected"
    assert "3 bytes that are no command" in text


def test_garbage_from_a_card_ends_nothing() -> None:
    hostile = b"\xff" * 40
    trace = Trace(parse_trace("ATR 3B00\n> 00A40000 02DDF1\n< 9000\n").events)
    for command in ("00B2012D40", "00B2012C40", "00B0850010", "00A4040000", "B02600010400"):
        trace.add_answer(bytes.fromhex(command), None, hostile + b"\x90\x00")
    assert list(annotated(trace, mask))
    assert list(annotated(trace, mask, in_full=True))
