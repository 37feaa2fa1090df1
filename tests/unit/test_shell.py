"""The shell: every command, its errors, what it hides, what its history keeps."""

from __future__ import annotations

import io
from argparse import Namespace
from pathlib import Path

import pytest

from apdu.pin import Pin
from apdu.readers.inprocess import InProcessReader
from apdu.status import CardRemoved
from apdu.trace import Trace
from simulator.card.profile import load_profile
from simulator.null_card import NullCard
from terminal.cli import main
from terminal.commands import opening
from terminal.exit_codes import ExitCode
from terminal.shell.bench import Bench
from terminal.shell.commands import COMMANDS, Shell, completions, execute, may_be_remembered
from terminal.shell.prompt import completed, prompted_lines

PIN = "246810"


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("SSCT_CONFIG", raising=False)


def shell(monkeypatch: pytest.MonkeyPatch, script: str, *options: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(script))
    return main(["shell", "--wait", "1", *(options or ("--reader", "sim:adult-3.0"))])


def test_a_script_reads_decodes_verifies_and_authenticates(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = (
        f"# a comment\ntries\nverify\n{PIN}\ninfo\nselect DF04EF05\nread\nread SSSEEF05 03\n"
        "authenticate\nauthenticate UKSSSE\ndecode 6F048402AABB\ndecode SSSEEF05 0304332E3030\n"
        "decode 1122\nselect 3F00\nselect 315041592E5359532E4444463031\nselect DF01\n"
        "apdu 00A4000002 DDF1\nsw 6982\nreset\nfiles DF04\ntrace\nhelp\nquit\nnot reached\n"
    )
    assert shell(monkeypatch, script) == ExitCode.OK
    shown = capsys.readouterr().out
    for expected in (
        "3 tries left",
        "the PIN is right",
        "PIN          verified",
        "医疗保险基本信息 Medical insurance",
        "规范版本 Specification version: 3.00",
        "the card is genuine",
        "the card accepted UKSSSE",
        "  84 AABB",
        "no BER-TLV",
        "6982 security status not satisfied",
        "[read PIN and key RK1DF04",
        "VERIFY 3 bytes not kept",
        "9000 ok",
    ):
        assert expected in shown
    assert all(name in shown for name in COMMANDS)
    holder = load_profile("adult-3.0").holder
    for secret in (PIN, holder.name, holder.ssn):
        assert secret not in shown


def test_in_full_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--reader", "sim:adult-3.0", "--show-personal")
    assert shell(monkeypatch, "read SSSEEF06\n", *options) == ExitCode.OK
    assert load_profile("adult-3.0").holder.ssn in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("nonsense", "SHELL_USAGE"),
        ("read NOSUCH", "SHELL_USAGE"),
        ("read", "SHELL_USAGE"),
        ("read SSSEEF05 99", "SHELL_USAGE"),
        ("select", "SHELL_USAGE"),
        ("select XY", "SHELL_USAGE"),
        ("select AA", "SHELL_USAGE"),
        ("files DF99", "SHELL_USAGE"),
        ("authenticate NOKEY", "SHELL_USAGE"),
        ("decode NOFILE 00", "SHELL_USAGE"),
        ("decode DF04EF08 00", "CARD_MALFORMED_DATA"),
        ("apdu 00", "CARD_MALFORMED_APDU"),
        ("apdu 0020000003123456", "SHELL_USAGE"),
        ("sw 69", "SHELL_USAGE"),
        ("read DF04EF05 81 \x00", "SHELL_USAGE"),
        ("verify\n111111", "CARD_PIN_WRONG"),
        ("verify\nabc", "CARD_PIN_FORMAT"),
        ("authenticate IRK", "SAM_KEY_NOT_AVAILABLE"),
    ],
)
def test_the_first_error_ends_a_script(
    line: str, code: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = shell(monkeypatch, f"{line}\nhelp\n")
    assert ended == (ExitCode.USAGE if code == "SHELL_USAGE" else ExitCode.CARD)
    told = capsys.readouterr()
    assert f"[{code}" in told.err
    assert "leave" not in told.out, "help came after the error"


def test_a_chip_of_another_kind_can_be_spoken_to_in_development(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chip = NullCard(answer=lambda _: b"\x6a\x82")
    reader = InProcessReader("bare", chip)
    monkeypatch.setattr(opening, "open_reader", lambda *_: reader)
    assert shell(monkeypatch, "apdu 00A4040000\nread SSSEEF05\n") == ExitCode.CARD
    told = capsys.readouterr()
    assert "6A82 file not found" in told.out
    assert told.err.count("CARD_NOT_SOCIAL_SECURITY") == 2


def test_a_forged_card_may_be_looked_at_in_development_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell(monkeypatch, "info\n", "--reader", "sim:forged") == ExitCode.OK
    told = capsys.readouterr()
    assert "NOT_AUTHENTIC" in told.err
    assert "authentic    NO" in told.out
    real = opening.open_settings

    def in_production(args: object) -> object:
        from dataclasses import replace

        settings = real(args)  # type: ignore[arg-type]
        return replace(settings, security=replace(settings.security, production=True))

    monkeypatch.setattr(opening, "open_settings", in_production)
    monkeypatch.setattr("terminal.app.isinstance", lambda *_: False, raising=False)
    assert shell(monkeypatch, "info\n", "--reader", "sim:forged") == ExitCode.REFUSED
    assert "authentic" not in capsys.readouterr().out


def test_a_removed_card_is_told_and_another_opens(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from terminal.commands.opening import open_settings, open_terminal, simulated_reader

    args = Namespace(settings=None, verbose=False, traffic=False)
    reader = simulated_reader("adult-3.0")
    assert isinstance(reader, InProcessReader)
    with open_terminal(open_settings(args)) as terminal:
        bench = Bench(terminal, reader, Trace(), lambda _: None)
        served = Shell(bench, lambda: Pin(PIN), wait=1)
        list(execute(served, "open"))
        list(execute(served, "verify"))
        chip = reader.remove()
        with pytest.raises(CardRemoved):
            list(execute(served, "tries"))
        assert chip is not None
        reader.insert(chip)
        assert "PIN          not verified" in list(execute(served, "open"))
        entries = terminal.audit.latest()
        bench.close()
    assert [entry.face for entry in entries] == ["shell", "shell"]


def test_completion() -> None:
    assert completions(["re"], "3.0") == ["read", "reset"]
    assert "DF04EF05" in completions(["read", "df04"], "3.0")
    assert completions(["files", "DF0"], "3.0")[0] == "DF01"
    assert completions(["authenticate", "uks"], "3.0") == ["UKSSSE"]
    assert completions(["sw", ""], "3.0") == []
    assert next(completed("select DF04EF0", "3.0")) == ("DF04EF05", -7)
    assert ("open", 0) in completed("", "3.0")


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("read DF04EF05", True),
        ("verify", True),
        ("verify 246810", False),
        ("246810", False),
        ("", False),
        ("apdu 00A40000", True),
        ("apdu 00200000 03246810", False),
        ("apdu 00 20 0000", False),
        ("apdu zz", False),
        ("decode SSSEEF06 00", False),
    ],
)
def test_no_pin_in_the_history(line: str, kept: bool) -> None:
    assert may_be_remembered(line) is kept


def test_the_prompt_remembers_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from prompt_toolkit.application import create_app_session
    from prompt_toolkit.input import create_pipe_input
    from prompt_toolkit.output import DummyOutput

    bench = Bench(None, InProcessReader("none"), Trace(), lambda _: None)  # type: ignore[arg-type]
    shell = Shell(bench, lambda: Pin(PIN), wait=1)
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text(f"info\rverify {PIN}\rread SSSEEF06\r\x03\x04")
        lines = list(prompted_lines(shell, tmp_path / "state"))
    assert lines == ["info", f"verify {PIN}", "read SSSEEF06"]
    history = tmp_path / "state" / "shell-history"
    assert history.stat().st_mode & 0o077 == 0
    assert "SSSEEF06" in history.read_text()
    assert PIN not in history.read_text()


def test_read_asks_the_card_each_time_also_for_what_was_read_at_its_opening(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = "read SSSEEF05 03\nread SSSEEF05 03\ntrace\n"
    assert shell(monkeypatch, script) == ExitCode.OK
    opened_and_read_twice = 3
    assert capsys.readouterr().out.count("READ RECORD SSSEEF05") >= opened_and_read_twice
