"""The command line: help, exit codes, output, errors, and that starting it loads nothing heavy."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from apdu.readers.inprocess import InProcessReader
from apdu.readers.pcsc_binding import PyscardMissing
from apdu.status import NoCard, NotACard, ReaderAmbiguous
from apdu.trace import TraceError
from backend_client.errors import BadAddress, NoReply, NotEnrolled, Unexplained, Unreachable
from backend_client.errors import Refused as RefusedByCentre
from backend_client.messages import Problem
from simulator.card.profile import load_profile
from terminal import cli
from terminal.cli import COMMANDS, main
from terminal.commands import opening
from terminal.commands.failures import exit_code, report
from terminal.commands.results import outcome_code
from terminal.errors import ConfigurationError, StoreFull
from terminal.exit_codes import MEANINGS, ExitCode
from terminal.outcome import Cancelled, Done, Failed, Refused, Stopped, Unknown
from terminal.receipt import Receipt
from terminal.text import Text

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("rich", "sqlalchemy", "httpx2", "jsonschema", "cryptography", "logging", "dataclasses")
TEXT = Text("文", "text")


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has its own data directory, settings and standard input."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSCT_CONFIG", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return tmp_path / "ssct"


def test_help_names_every_command_and_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["--help"])
    assert done.value.code == 0
    shown = capsys.readouterr().out
    for name, entry in COMMANDS.items():
        assert name in shown
        assert entry.help in shown
    for code, meaning in MEANINGS.items():
        assert f"{code.value:<4} {meaning}" in shown


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main([command, "--help"])
    assert done.value.code == 0
    assert "exit codes" in capsys.readouterr().out


def test_the_page_on_the_command_line_names_what_there_is() -> None:
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    for command in COMMANDS:
        assert f"`ssct {command}" in page
    for code, meaning in MEANINGS.items():
        assert f"| {code.value} | {meaning} |" in page


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["--version"])
    assert done.value.code == 0
    assert capsys.readouterr().out.startswith("ssct 0.")


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["read", "--nonsense"], ["enrol"], ["enrol", "!"]]
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(arguments)
    assert done.value.code == ExitCode.USAGE
    assert "usage:" in capsys.readouterr().err


def test_starting_loads_nothing_heavy() -> None:
    program = (
        "import sys; before = set(sys.modules); import terminal.cli;"
        "terminal.cli._parser(['read']); print(*sorted(set(sys.modules) - before))"
    )
    shown = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {program}"],
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = {name.partition(".")[0] for name in shown.stdout.split()}
    assert loaded.isdisjoint(HEAVY)


def test_reading_a_card_masks_what_is_personal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "--reader", "sim:adult-3.0"]) == ExitCode.OK
    shown = capsys.readouterr().out
    holder = load_profile("adult-3.0").holder
    assert holder.ssn not in shown
    assert holder.name not in shown
    assert "2024-03-15" in shown


def test_reading_a_card_in_full_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "--show-personal", "--reader", "sim:adult-3.0"]) == ExitCode.OK
    assert load_profile("adult-3.0").holder.ssn in capsys.readouterr().out


@pytest.mark.article(25)
def test_json_masks_what_is_personal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "--json", "--reader", "sim:adult-3.0"]) == ExitCode.OK
    shown = capsys.readouterr().out
    document = json.loads(shown)
    profile = load_profile("adult-3.0")
    assert document["admitted"] is True
    assert document["card"]["version"] == "3.00"
    for secret in (profile.holder.ssn, profile.holder.name, profile.card.number, "1990-01-01"):
        assert secret not in shown
    assert profile.card.card_id.hex().upper() not in shown


def test_json_in_full_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["read", "--json", "--show-personal", "--reader", "sim:adult-3.0"]
    assert main(arguments) == ExitCode.OK
    card = json.loads(capsys.readouterr().out)["card"]
    profile = load_profile("adult-3.0")
    assert card["name"] == profile.holder.name
    assert card["ssn"] == profile.holder.ssn
    assert card["card_number"] == profile.card.number
    assert card["card_id"] == profile.card.card_id.hex().upper()


@pytest.mark.article(26)
def test_a_forged_card_is_refused_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "--json", "--reader", "sim:forged"]) == ExitCode.REFUSED
    document = json.loads(capsys.readouterr().out)
    assert document["admitted"] is False
    assert document["reason"] == "NOT_AUTHENTIC"
    assert document["article"] == 26
    assert "card" not in document
    assert main(["read", "--reader", "sim:forged"]) == ExitCode.REFUSED
    assert "NOT_AUTHENTIC" in capsys.readouterr().out


def test_a_function_that_needs_the_list_is_refused_without_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["query", "--reader", "sim:adult-3.0"]) == ExitCode.REFUSED
    assert "LIST_MISSING" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["read", "--reader", "sim:nobody"], ExitCode.USAGE, "PROFILE_NOT_FOUND"),
        (["read", "--reader", "replay:/nowhere"], ExitCode.USAGE, "TERMINAL_CONFIGURATION"),
        (["read", "--settings", "/nowhere.toml"], ExitCode.USAGE, "TERMINAL_CONFIGURATION"),
        (["sync"], ExitCode.BACK_OFFICE, "BACKEND_UNREACHABLE"),
        (["enrol", "SOME-CODE"], ExitCode.BACK_OFFICE, "BACKEND_UNREACHABLE"),
    ],
)
def test_an_error_is_a_sentence_a_code_and_a_remedy(
    arguments: list[str], code: ExitCode, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    told = capsys.readouterr().err
    assert told.startswith("ssct: ")
    assert f"[{says}]" in told
    assert "Traceback" not in told


def test_no_card_in_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "simulated_reader", lambda _: InProcessReader("empty"))
    assert main(["read", "--wait", "0", "--reader", "sim:adult-3.0"]) == ExitCode.CARD
    assert "CARD_NONE" in capsys.readouterr().err


def test_a_trace_plays_a_card(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    trace = tmp_path / "nothing.trace"
    trace.write_text("ATR 3B6D000000814A444686605199000001AC\n", "utf-8")
    assert main(["read", "--reader", f"replay:{trace}"]) == ExitCode.CARD
    assert "[CARD_" in capsys.readouterr().err
    trace.write_text("this is no trace\n", "utf-8")
    assert main(["read", "--reader", f"replay:{trace}"]) == ExitCode.USAGE


def test_status_tells_what_the_terminal_knows(
    capsys: pytest.CaptureFixture[str], own_state: Path
) -> None:
    assert main(["status", "--json"]) == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    assert document["data_directory"] == str(own_state)
    assert document["blacklist_version"] is None
    assert document["operations_unknown"] == 0
    assert main(["status"]) == ExitCode.OK
    assert "blacklist version" in capsys.readouterr().out


def test_a_psam_must_have_a_reader(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    settings = tmp_path / "kiosk.toml"
    settings.write_text('[terminal]\nprofile = "kiosk"\n', "utf-8")
    arguments = ["read", "--settings", str(settings), "--reader", "sim:adult-3.0"]
    assert main(arguments) == ExitCode.USAGE
    assert "psam_reader" in capsys.readouterr().err


@pytest.mark.parametrize("profile", ["adult-2.0", "adult-3.0"])
def test_a_psam_holds_the_keys_instead_of_the_program(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    def no_software(*_: object) -> None:
        raise AssertionError("software keys were used")

    monkeypatch.setenv("SSCT_SECURITY_SAM", "psam")
    monkeypatch.setenv("SSCT_SECURITY_PSAM_READER", "sim:")
    monkeypatch.setattr("apdu.sam.SoftwareSam.card_authentication", no_software)
    assert main(["read", "--reader", f"sim:{profile}", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)
    monkeypatch.setattr("apdu.psam.PsamCard.card_authentication", lambda *_: bytes(8))
    assert main(["read", "--reader", f"sim:{profile}", "--json"]) == ExitCode.REFUSED
    assert json.loads(capsys.readouterr().out)["reason"] == "NOT_AUTHENTIC"


def test_looking_at_the_terminal_needs_no_psam(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSCT_SECURITY_SAM", "psam")
    monkeypatch.setenv("SSCT_SECURITY_PSAM_READER", "no such reader")
    assert main(["status"]) == ExitCode.OK
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "ends"),
    [
        (["status"], ExitCode.OK),
        (["journal", "check"], ExitCode.OK),
        (["sync"], ExitCode.BACK_OFFICE),
        (["enrol", "SSCT-DEVELOPMENT"], ExitCode.BACK_OFFICE),
        (["diagnose"], ExitCode.TERMINAL),
    ],
)
def test_what_proves_no_card_needs_no_psam_to_be_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: list[str], ends: ExitCode
) -> None:
    """A gate has none of its own for social security cards, and is enrolled like any terminal."""
    gate = (ROOT / "deploy" / "gate.toml").read_text("utf-8")
    settings = tmp_path / "gate.toml"
    settings.write_text(
        gate.replace("/var/lib/ssct-gate", str(tmp_path / "data")).replace(
            "https://backoffice.example", "http://127.0.0.1:9"
        ),
        "utf-8",
    )
    assert main([*command, "--settings", str(settings)]) == ends
    told = capsys.readouterr()
    assert "TERMINAL_CONFIGURATION" not in told.out + told.err
    assert "needs [security] psam_reader" not in told.out + told.err


def test_verbose_logs_and_traffic_warns(capsys: pytest.CaptureFixture[str]) -> None:
    program = [sys.executable, "-m", "terminal.cli", "read", "--reader", "sim:adult-3.0"]

    def stderr(option: str) -> str:
        done = subprocess.run(
            [*program, option], check=True, capture_output=True, text=True, cwd=ROOT
        )
        return done.stderr

    profile = load_profile("adult-3.0")
    number, ssn = (
        text.encode().hex().upper() for text in (profile.card.number, profile.holder.ssn)
    )
    verbose, traffic = stderr("--verbose"), stderr("--traffic")
    assert "DEBUG" in verbose
    assert number not in verbose
    assert ssn not in verbose
    assert "TRAFFIC is on" in traffic
    assert number in traffic
    assert ssn in traffic


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("terminal.commands.opening.open_settings", interrupt)
    assert main(["status"]) == ExitCode.INTERRUPTED


def test_an_unexpected_error_is_internal_and_leaves_no_data_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own_state: Path
) -> None:
    ssn = load_profile("adult-3.0").holder.ssn

    def fail(_: object) -> None:
        raise ZeroDivisionError(ssn)

    monkeypatch.setattr("terminal.commands.opening.open_settings", fail)
    assert main(["status"]) == ExitCode.INTERNAL
    told = capsys.readouterr().err
    assert "INTERNAL_ERROR" in told
    assert "Traceback" not in told
    kept = (own_state / "crash.log").read_text("utf-8")
    assert "ZeroDivisionError" in kept
    assert ssn not in kept + told


def test_a_closed_pipe_ends_quietly() -> None:
    command = f"{sys.executable} -m terminal.cli --help | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["/bin/bash", "-c", command], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode in (ExitCode.OK, ExitCode.BROKEN_PIPE)
    assert done.stderr == ""


def test_a_reader_that_leaves_before_the_last_bytes_is_a_broken_pipe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Left(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Left())
    monkeypatch.setattr(cli, "_silence", lambda: None)
    assert cli.main(["--version"]) == ExitCode.BROKEN_PIPE


def test_a_broken_pipe_is_141(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("terminal.commands.opening.open_settings", broken)
    monkeypatch.setattr(cli, "_silence", lambda: None)
    assert main(["status"]) == ExitCode.BROKEN_PIPE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("x"), ExitCode.USAGE),
        (BadAddress("x"), ExitCode.USAGE),
        (TraceError(1, "x"), ExitCode.USAGE),
        (NotACard("x"), ExitCode.CARD),
        (NoCard("x"), ExitCode.CARD),
        (ReaderAmbiguous("x"), ExitCode.CARD),
        (PyscardMissing("x"), ExitCode.CARD),
        (Unreachable("x"), ExitCode.BACK_OFFICE),
        (NoReply("x"), ExitCode.BACK_OFFICE),
        (NotEnrolled("x"), ExitCode.BACK_OFFICE),
        (Unexplained(Problem("about:blank", "?", 404, "UNEXPLAINED")), ExitCode.BACK_OFFICE),
        (RefusedByCentre(Problem("about:blank", "no", 409, "NO")), ExitCode.REFUSED),
        (StoreFull("x"), ExitCode.TERMINAL),
        (ValueError("x"), ExitCode.INTERNAL),
    ],
)
def test_every_family_of_errors_has_its_exit_code(error: Exception, code: ExitCode) -> None:
    assert exit_code(error) == code
    assert report(error, verbose=False) == code


def test_every_outcome_has_its_exit_code() -> None:
    from datetime import UTC, datetime

    slip = Receipt(TEXT, "1", datetime(2026, 1, 1, tzinfo=UTC), "", ())
    assert outcome_code(Done(TEXT)) == ExitCode.OK
    assert outcome_code(Refused("X", TEXT)) == ExitCode.REFUSED
    assert outcome_code(Stopped(Cancelled())) == ExitCode.INTERRUPTED
    assert outcome_code(Unknown("1", slip)) == ExitCode.UNKNOWN_OUTCOME
    assert outcome_code(Failed(NotACard("x"))) == ExitCode.CARD
    assert outcome_code(Failed(Unreachable("x"))) == ExitCode.BACK_OFFICE


@pytest.mark.parametrize("wait", ["nan", "-1", "inf", "86401", "a while", ""])
def test_a_wait_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], wait: str) -> None:
    for command in (["read"], ["trace"], ["shell"], ["dump", "x.json"], ["settle"]):
        with pytest.raises(SystemExit) as done:
            main([*command, "--reader", "sim:adult-3.0", f"--wait={wait}"])
        assert done.value.code == ExitCode.USAGE
        assert "seconds from 0 to 86400" in capsys.readouterr().err


def test_a_dump_to_nowhere_is_refused_before_a_card_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for nowhere in (tmp_path / "none" / "x.json", tmp_path / "file" / "x.json"):
        (tmp_path / "file").touch()
        assert main(["dump", str(nowhere), "--reader", "nobody's"]) == ExitCode.USAGE
        assert f"{nowhere.parent} is no directory" in capsys.readouterr().err
    gone = tmp_path / "link"
    gone.symlink_to(tmp_path / "none")
    assert main(["dump", str(gone), "--reader", "nobody's"]) == ExitCode.USAGE
    assert "nothing is overwritten" in capsys.readouterr().err


def test_an_empty_trace_is_said_to_be_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "empty.trace"
    for content in ("", "\n\n"):
        file.write_text(content, "utf-8")
        assert main(["trace", str(file)]) == ExitCode.USAGE
        assert f"{file} is empty" in capsys.readouterr().err


def test_where_profiles_go_without_any_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "profiles"
    assert main(["sim", "profiles", "--out", str(out)]) == ExitCode.USAGE
    assert "--generate" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 81])
def test_a_token_that_is_nobodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setenv("SSCT_TERMINAL_DATA_DIR", str(tmp_path / "data"))
    command = ["agent", "token", "create", name, "--scope", "read"]
    assert main(command) == ExitCode.USAGE
    assert "says whose it is" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", ["read", "trace", "shell", "dump", "settle", "agent", "gate"])
def test_the_help_names_every_kind_of_reader(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    told = capsys.readouterr().out
    assert "serial:DEVICE" in told
    assert "sim:PROFILE" in told
