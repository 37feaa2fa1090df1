"""What is installed on a machine holds together: settings, units, policy, scripts."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from terminal.kiosk.page_file import NAME
from terminal.settings import load_settings

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_the_settings_of_a_kiosk_load_as_they_are() -> None:
    settings = load_settings(DEPLOY / "kiosk.toml", {})
    assert settings.terminal.profile == "kiosk"
    assert settings.security.production
    assert settings.pin_pad.kind == "encrypting"
    assert not settings.kiosk.screen_pin


def test_the_settings_of_an_agent_and_a_gate_load_as_they_are() -> None:
    agent = load_settings(DEPLOY / "agent.toml", {})
    assert (agent.security.production, agent.security.sam) == (True, "psam")
    assert agent.agent.unchanged_pages == ()
    gate = load_settings(DEPLOY / "gate.toml", {})
    assert (gate.gate.sam, gate.gate.needs_list) == ("psam", True)


@pytest.mark.parametrize("face", ["kiosk", "agent", "gate"])
def test_a_unit_starts_the_face_with_its_settings_where_it_may_write(face: str) -> None:
    unit = (DEPLOY / f"ssct-{face}.service").read_text("utf-8")
    started = re.search(r"^ExecStart=/opt/ssct/venv/bin/ssct (\S+) --settings (\S+)", unit, re.M)
    state = re.search(r"^StateDirectory=(\S+)$", unit, re.M)
    assert started is not None
    assert state is not None
    assert (started[1], started[2]) == (face, f"/etc/ssct/{face}.toml")
    settings = load_settings(DEPLOY / f"{face}.toml", {})
    assert settings.terminal.data_dir == Path("/var/lib") / state[1]
    assert f"[{face}]={settings.terminal.data_dir}" in (DEPLOY / "install").read_text("utf-8")
    assert "LimitCORE=0\n" in unit


def test_the_browser_may_open_the_kiosks_page_and_nothing_else() -> None:
    policy = json.loads((DEPLOY / "chromium-policy.json").read_text("utf-8"))
    port = load_settings(DEPLOY / "kiosk.toml", {}).kiosk.port
    assert policy["URLBlocklist"] == ["*"]
    assert policy["URLAllowlist"] == [f"http://127.0.0.1:{port}"]


def test_the_screen_opens_the_file_that_the_terminal_writes() -> None:
    unit = (DEPLOY / "ssct-kiosk.service").read_text("utf-8")
    runtime = re.search(r"^RuntimeDirectory=(\S+)$", unit, re.M)
    assert runtime is not None
    assert f"page=/run/{runtime[1]}/{NAME}" in (DEPLOY / "ssct-screen").read_text("utf-8")


def test_freed_memory_is_overwritten_as_the_test_of_the_process_has_it() -> None:
    unit = (DEPLOY / "ssct-kiosk.service").read_text("utf-8")
    assert "Environment=PYTHONMALLOC=malloc\n" in unit
    assert "Environment=GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.perturb=165" in unit
    assert "LimitCORE=0" in unit


@pytest.mark.parametrize("script", ["install", "ssct-screen"])
def test_the_scripts_can_be_read_by_their_shell(script: str) -> None:
    file = DEPLOY / script
    assert file.stat().st_mode & 0o111
    shell = file.read_text("utf-8").splitlines()[0].rpartition("/")[2].rpartition(" ")[2]
    subprocess.run([shell, "-n", file], check=True)
