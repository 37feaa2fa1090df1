"""Serial readers on a pseudo terminal: ours, driven by pyserial, and pcscd's own GemPC Twin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apdu.command import Command
from apdu.readers.serial import Address, SerialReader, find_serial_reader
from apdu.status import (
    CardRemoved,
    MalformedApdu,
    NoAnswer,
    NoCard,
    ReaderBusy,
    ReaderError,
    ReaderNotFound,
    SamAbsent,
    SecurityModuleError,
)
from simulator import pcscd
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.null_card import CONTACTLESS_ATR, T0_ATR, NullCard
from simulator.psam import PsamProfile, SimulatedPsam
from simulator.serial_reader import SerialReaderDevice, Upset
from terminal.commands.opening import open_reader, open_settings
from terminal.commands.security_module import security_module
from terminal.exit_codes import ExitCode
from terminal.session import CardSession

pytestmark = pytest.mark.integration

GET_CHALLENGE = bytes(Command(0x00, 0x84, 0x00, 0x00, le=8))
SSCT = (sys.executable, "-m", "terminal.cli")


def adult() -> SimulatedCard:
    return SimulatedCard(load_profile("adult-3.0"), random=os.urandom)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[SerialReaderDevice]:
    with SerialReaderDevice(tmp_path / "ttyUSB0", slots=((0, 0), (0, 1), (1, 0))) as plugged:
        yield plugged


@pytest.fixture
def reader(device: SerialReaderDevice) -> Iterator[SerialReader]:
    one = find_serial_reader(f"serial:{device.line.path}")
    yield one
    one._line.drop()


def test_a_card_comes_is_used_and_goes(device: SerialReaderDevice, reader: SerialReader) -> None:
    assert reader.wait_for_card(timeout=0) is False
    with pytest.raises(NoCard):
        reader.connect()
    card = NullCard()
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(reader.wait_for_card, 10)
        device.insert(card)
        assert waiting.result()
    connection = reader.connect()
    assert connection.atr == T0_ATR
    with pytest.raises(ReaderBusy):
        reader.connect()
    assert connection.transmit(GET_CHALLENGE) == b"\x90\x00"
    connection.transmit(bytes(Command(0x00, 0xA4, 0x04, 0x00, b"name", 256)))
    connection.transmit(bytes(Command(0x00, 0x1E, 0x00, 0x01)))
    assert [len(command) for command in card.commands] == [5, 9, 5], "T=0 has no Le beside data"
    assert connection.reset() == T0_ATR
    assert card.power_ups == 2
    connection.close()
    connection.close()
    assert not card.powered
    with pytest.raises(ReaderError):
        connection.transmit(GET_CHALLENGE)
    device.remove()
    assert reader.wait_for_removal(timeout=10)


def test_a_contactless_card_gets_whole_apdus(
    device: SerialReaderDevice, reader: SerialReader
) -> None:
    card = NullCard(CONTACTLESS_ATR)
    device.insert(card)
    connection = reader.connect()
    connection.transmit(bytes(Command(0x00, 0xA4, 0x04, 0x00, b"name", 256)))
    assert card.commands[-1][-1] == 0
    with pytest.raises(MalformedApdu):
        connection.transmit(bytes(300))
    connection.close()


@pytest.mark.parametrize(
    "upset",
    [
        Upset.REFUSE,
        Upset.SILENT_STATUS,
        Upset.NOISE,
        Upset.BROKEN_ANSWER,
        Upset.MORE_TIME,
        Upset.STALE,
    ],
)
def test_what_goes_wrong_on_the_line_is_put_right_and_runs_once(
    upset: Upset, device: SerialReaderDevice, reader: SerialReader
) -> None:
    device.insert(NullCard(answer=lambda command: command + b"\x90\x00"))
    connection = reader.connect()
    device.upset(upset)
    assert connection.transmit(GET_CHALLENGE) == GET_CHALLENGE + b"\x90\x00"
    assert device.executed == 1
    assert connection.transmit(GET_CHALLENGE) == GET_CHALLENGE + b"\x90\x00"
    assert device.executed == 2
    connection.close()


def test_a_whole_card_with_a_psam_in_the_second_slot(
    device: SerialReaderDevice, reader: SerialReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.insert(adult())
    device.insert(SimulatedPsam(PsamProfile(), random=os.urandom), (0, 1))
    path = f"serial:{device.line.path}"
    monkeypatch.setenv("SSCT_SECURITY_SAM", "psam")
    monkeypatch.setenv("SSCT_SECURITY_PSAM_READER", f"{path}?slot=1")
    monkeypatch.setenv("SSCT_READER_PATTERN", path)
    settings = open_settings(Namespace(settings=None, verbose=False, traffic=False))
    found = open_reader(None, settings.reader)
    with security_module(settings.security) as sam:
        with CardSession.open(found, sam) as session:
            assert session.facts.authentic
            assert session.basic.name == load_profile("adult-3.0").holder.name
        psam = device.remove((0, 1))
        with pytest.raises(Exception) as absent, CardSession.open(found, sam):  # noqa: PT011
            pass
        assert getattr(absent.value, "code", "") in ("SAM_REMOVED", "SAM_ABSENT")
        assert psam is not None
        device.insert(psam, (0, 1))
        with CardSession.open(found, sam) as session:
            assert session.facts.authentic, "the PSAM was powered anew"


def test_another_psam_in_the_slot_is_asked_anew(
    device: SerialReaderDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSCT_SECURITY_SAM", "psam")
    monkeypatch.setenv("SSCT_SECURITY_PSAM_READER", f"serial:{device.line.path}?slot=1")
    settings = open_settings(Namespace(settings=None, verbose=False, traffic=False))
    one, other = (
        SimulatedPsam(PsamProfile(terminal_number=number), random=os.urandom)
        for number in ("990100000001", "990100000002")
    )
    with security_module(settings.security) as sam:
        with pytest.raises(SamAbsent):
            sam.challenge(8)
        device.insert(one, (0, 1))
        assert sam.terminal_number == "990100000001"
        device.remove((0, 1))
        device.insert(other, (0, 1))
        with pytest.raises(SecurityModuleError):
            sam.challenge(8)  # the power was lost with the first one
        assert sam.terminal_number == "990100000002"


def test_a_sam_interface_that_knows_no_presence(tmp_path: Path) -> None:
    slots = ((0, 0), (1, 0))
    with SerialReaderDevice(tmp_path / "line", slots, knows_presence=False) as device:
        sam = SerialReader(Address(str(device.line.path), interface=1))
        assert sam.wait_for_card(timeout=0) is False
        device.insert(NullCard(), (1, 0))
        assert sam.wait_for_card(timeout=10)
        connection = sam.connect()
        assert sam.present(), "a slot in use has a card in it"
        connection.close()
        with pytest.raises(ReaderError):
            SerialReader(Address(str(device.line.path), interface=2)).connect()
        sam._line.drop()


def test_unplugged_in_the_middle_and_plugged_back(
    device: SerialReaderDevice, reader: SerialReader
) -> None:
    device.insert(adult())
    connection = reader.connect()
    device.upset(Upset.UNPLUG)
    with pytest.raises(ReaderNotFound):
        connection.transmit(GET_CHALLENGE)
    assert device.executed == 1
    with pytest.raises(ReaderError):
        reader.wait_for_card(timeout=1)
    device.plug()
    with pytest.raises(CardRemoved):
        connection.transmit(GET_CHALLENGE)
    assert device.executed == 1, "a card that lost its power is sent nothing"
    connection.close()
    assert reader.wait_for_card(timeout=10)
    again = reader.connect()
    assert len(again.transmit(GET_CHALLENGE)) == 10
    again.close()


def test_a_card_pulled_in_mid_command(device: SerialReaderDevice, reader: SerialReader) -> None:
    def pull(_command: bytes) -> bytes:
        raise CardRemoved("pulled")

    device.insert(NullCard(answer=pull))
    connection = reader.connect()
    with pytest.raises(NoAnswer):
        connection.transmit(GET_CHALLENGE)
    device.remove()
    with pytest.raises(CardRemoved):
        connection.transmit(GET_CHALLENGE)
    connection.close()
    device.insert(adult())
    assert len(reader.connect().transmit(GET_CHALLENGE)) == 10


def test_another_program_holds_the_line(device: SerialReaderDevice, reader: SerialReader) -> None:
    import serial

    with serial.Serial(str(device.line.path), exclusive=True), pytest.raises(ReaderBusy):
        reader.wait_for_card(timeout=0)
    assert reader.wait_for_card(timeout=0) is False


def test_pcscds_own_driver_drives_a_serial_reader(tmp_path: Path) -> None:
    lacking = pcscd.missing(twin=True)
    if lacking:
        if os.environ.get("SSCT_REQUIRE_REAL") == "1":
            pytest.fail(f"SSCT_REQUIRE_REAL=1, but {lacking}")
        pytest.skip(lacking)
    state = {"XDG_STATE_HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    with subprocess.Popen(
        [*SSCT, "sim", "card", "adult-3.0", "--twin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=state,
    ) as card:
        assert card.stdin is not None
        assert card.stdout is not None
        name, _, path = card.stdout.readline().removeprefix("export ").strip().partition("=")
        assert any("ssct readers" in line for line in iter(card.stdout.readline, ""))

        def ssct(*arguments: str) -> str:
            done = subprocess.run(
                [*SSCT, *arguments],
                env={**state, name: path},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == ExitCode.OK, done.stderr
            return done.stdout

        document = json.loads(ssct("read", "--json", "--show-personal", "--wait", "10"))
        assert document["card"]["name"] == load_profile("adult-3.0").holder.name
        assert document["card"]["authentic"]
        assert json.loads(ssct("readers", "--json"))[0]["name"].startswith(pcscd.TWIN_NAME)
        card.stdin.write("quit\n")
        card.stdin.flush()
        assert card.wait(timeout=20) == ExitCode.OK
