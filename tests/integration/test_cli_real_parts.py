"""The command line with a back office in another process, and with a card in the real pcscd."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from simulator.backoffice.seed import DEVELOPMENT_CODE
from simulator.card.profile import load_profile
from simulator.pcscd import PrivatePcscd
from terminal.cli import main
from terminal.exit_codes import ExitCode

pytestmark = pytest.mark.integration

SSCT = (sys.executable, "-m", "terminal.cli")


@contextmanager
def running(*arguments: str) -> Iterator[str]:
    """A command of ours in a process of its own, ended by Ctrl-C; the first line it prints."""
    with subprocess.Popen([*SSCT, *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == ExitCode.OK


@pytest.fixture
def back_office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A back office on the machine's clock; this process's terminal is set to use it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    options = ("--port", "0", "--data", str(tmp_path / "backoffice"))
    with running("sim", "backoffice", *options) as announced:
        monkeypatch.setenv("SSCT_BACKEND_URL", announced.split()[-1])
        yield


def ssct(monkeypatch: pytest.MonkeyPatch, *arguments: str, typed: str = "") -> int:
    """Run a command with `typed` on its standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    return main(arguments)


def test_a_terminal_is_enrolled_and_serves_cards_over_http(
    back_office: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    adult = ("--reader", "sim:adult-3.0")
    assert ssct(monkeypatch, "sync") == ExitCode.BACK_OFFICE
    assert "BACKEND_NOT_ENROLLED" in capsys.readouterr().err
    assert ssct(monkeypatch, "enrol", "no-such-code") == ExitCode.REFUSED
    assert ssct(monkeypatch, "enrol", DEVELOPMENT_CODE.code) == ExitCode.OK
    assert ssct(monkeypatch, "sync") == ExitCode.OK
    capsys.readouterr()
    assert ssct(monkeypatch, "query", *adult, typed="246810\n") == ExitCode.OK
    shown = capsys.readouterr().out
    assert "养老保险" in shown
    assert "246810" not in shown
    assert ssct(monkeypatch, "settle", *adult, typed="246810\n1\ny\n") == ExitCode.OK
    assert "¥ 250.20" in capsys.readouterr().out
    assert ssct(monkeypatch, "settle", *adult, typed="246810\n") == ExitCode.OK
    assert "没有待结算的账单" in capsys.readouterr().out
    fresh = ("--reader", "sim:not-active")
    assert ssct(monkeypatch, "settle", *fresh) == ExitCode.REFUSED
    new = "y\n123456\n864209\n864209\n"
    assert ssct(monkeypatch, "activate", *fresh, typed=new) == ExitCode.OK
    changed = "246810\n975310\n975310\n"
    assert ssct(monkeypatch, "pin", *adult, typed=changed) == ExitCode.OK
    assert ssct(monkeypatch, "pin", *adult, typed="q") == ExitCode.INTERRUPTED
    wrong = "111111\n111111\n111111\n"
    assert ssct(monkeypatch, "query", *adult, typed=wrong) == ExitCode.CARD
    assert "CARD_PIN_BLOCKED" in capsys.readouterr().err
    assert ssct(monkeypatch, "status", "--json") == ExitCode.OK
    status = json.loads(capsys.readouterr().out)
    assert status["operations_confirmed"] == 2
    assert status["terminal"] == "T000001"


def test_a_card_with_a_service_of_its_own_is_put_in_and_out(
    real_pcscd: PrivatePcscd, tmp_path: Path
) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    card = subprocess.Popen(
        [*SSCT, "sim", "card", "adult-3.0", "--private"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=state,
    )
    with card:
        assert card.stdin is not None
        assert card.stdout is not None
        name, _, path = card.stdout.readline().removeprefix("export ").strip().partition("=")
        told = iter(card.stdout.readline, "")
        assert any("ssct readers" in line for line in told)

        def read() -> str:
            done = subprocess.run(
                [*SSCT, "read", "--json", "--show-personal", "--wait", "10"],
                env={**state, name: path},
                capture_output=True,
                text=True,
                check=False,
            )
            document = json.loads(done.stdout) if done.returncode == ExitCode.OK else {}
            return str(document.get("card", {}).get("name", done.stderr))

        def tell(line: str) -> str:
            assert card.stdin is not None
            card.stdin.write(f"{line}\n")
            card.stdin.flush()
            return next(told)

        assert read() == load_profile("adult-3.0").holder.name
        assert "removed" in tell("remove")
        assert "inserted: child" in tell("swap child")
        assert read() == load_profile("child").holder.name
        assert "quit" in tell("help") or any("quit" in line for line in told)
        card.stdin.write("quit\n")
        card.stdin.flush()
        assert card.wait(timeout=20) == ExitCode.OK


def test_a_card_in_the_real_service_is_read(
    real_pcscd: PrivatePcscd,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    name, port = real_pcscd.readers[0], str(real_pcscd.ports[0])
    with running("sim", "card", "adult-2.0", "--port", port) as announced:
        assert "Ctrl-C" in announced
        assert ssct(monkeypatch, "read", "--json", "--reader", name) == ExitCode.OK
        card = json.loads(capsys.readouterr().out)["card"]
        assert card["version"].startswith("2.0")
        assert card["authentic"] is True
        assert ssct(monkeypatch, "readers", "--json") == ExitCode.OK
        readers = {entry["name"]: entry["card"] for entry in json.loads(capsys.readouterr().out)}
        assert readers[name] is True
    assert ssct(monkeypatch, "read", "--reader", "no such reader") == ExitCode.CARD
    told = capsys.readouterr().err
    assert "READER_NOT_FOUND" in told
    assert name in told, "the choices are listed"
    assert ssct(monkeypatch, "diagnose", "--json") == ExitCode.OK
    probes = {probe["name"]: probe["status"] for probe in json.loads(capsys.readouterr().out)}
    assert probes["pcsc"] == "ok"
    assert probes["store"] == "ok"
