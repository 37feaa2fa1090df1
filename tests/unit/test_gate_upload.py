"""Taps handed in: each booked once, disputed where the TAC is not the card's, kept offline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from apdu.readers.inprocess import InProcessReader
from apdu.sam import SoftwareSam
from apdu.transit_sam import SoftwareTransitSam
from backend_client.errors import NotEnrolled, Refused, Unreachable
from backend_client.transit_messages import Tap, TapBatch, listed_id
from backend_client.transport import Request
from simulator.backoffice.database import open_engine
from simulator.backoffice.inprocess import InProcessTransport
from simulator.backoffice.sample import ADMIN_TOKEN, HOSPITAL, SampleCity
from simulator.clock import SimulatedClock
from simulator.fares import sample
from simulator.gate_stage import (
    MORNING,
    Stage,
    purse_card,
    purse_number,
    sample_fares,
    stage,
)
from simulator.network import Fault, Network
from terminal.app import Terminal
from terminal.cli import main
from terminal.errors import ConfigurationError
from terminal.exit_codes import ExitCode
from terminal.gate.opening import open_gate, transit_sam
from terminal.gate.place import Mode
from terminal.gate.reasons import GateReason
from terminal.gate.upload import upload
from terminal.settings import load_settings
from terminal.store.taps import TapState

PATH = "/v1/transit/taps"


@pytest.fixture
def city(database_url: str) -> Iterator[SampleCity]:
    random = Random(9).randbytes
    made = SampleCity(open_engine(database_url), clock=SimulatedClock(MORNING), random=random)
    yield made
    made.backoffice.close()


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Stage]:
    with stage(tmp_path, Mode.SINGLE) as opened:
        yield opened


def tapped(bus: Stage, serial: int = 1) -> Tap:
    assert bus.tap(purse_card(serial)).opens
    return bus.book.to_send(bus.clock.now(), 100)[-1].tap


def outcome(city: SampleCity, tap: Tap) -> str:
    client = city.client(city.enrolled("point-of-use", role="gate").token)
    return client.transit.upload(TapBatch((tap,))).verdicts[0].outcome


def test_a_tap_is_booked_once_however_often_it_arrives(city: SampleCity, bus: Stage) -> None:
    tap = tapped(bus)
    client = city.client(city.enrolled("point-of-use", role="gate").token)
    for _ in range(3):
        assert client.transit.upload(TapBatch((tap,))).verdicts[0].outcome == "booked"
    assert city.backoffice.transit.totals() == {"booked": (1, 200)}


@pytest.mark.parametrize("change", [{"fen": 100}, {"sequence": 77}, {"purse_number": "3" * 19}])
def test_a_record_that_was_tampered_with_is_disputed(
    city: SampleCity, bus: Stage, change: dict[str, object]
) -> None:
    if "purse_number" in change:
        change = {"purse_number": purse_number(4)}
    assert outcome(city, replace(tapped(bus), **change)) == "disputed"  # type: ignore[arg-type]  # any field


def test_without_a_tac_it_stays_open_until_the_card_has_spoken(
    city: SampleCity, bus: Stage
) -> None:
    tap = tapped(bus)
    client = city.client(city.enrolled("point-of-use", role="gate").token)

    def handed_in(one: Tap) -> str:
        return client.transit.upload(TapBatch((one,))).verdicts[0].outcome

    assert handed_in(replace(tap, tac=None)) == "open"
    assert handed_in(tap) == "booked"
    assert handed_in(replace(tap, tac=None)) == "booked"


def test_another_record_under_the_same_number_is_a_conflict(city: SampleCity, bus: Stage) -> None:
    tap = tapped(bus)
    client = city.client(city.enrolled("point-of-use", role="gate").token)
    client.transit.upload(TapBatch((tap,)))
    other = client.transit.upload(TapBatch((replace(tap, fen=1),)))
    assert other.verdicts[0].outcome == "conflict"
    # Nor may another gate hand in what is not its own.
    assert outcome(city, tap) == "conflict"


def test_a_kiosk_is_no_gate(city: SampleCity, bus: Stage) -> None:
    with pytest.raises(Refused) as caught:
        city.terminal("kiosk").transit.upload(TapBatch((tapped(bus),)))
    assert caught.value.problem.code == "ROLE_NOT_ALLOWED"


def test_what_waits_is_handed_in_whatever_the_network_does(city: SampleCity, bus: Stage) -> None:
    for serial in range(1, 6):
        tapped(bus, serial)
    network = Network(InProcessTransport(city.api))
    client = city.client(city.enrolled("point-of-use", role="gate").token)
    client.calls._transport = network
    network.connected = False
    away = upload(bus.book, client, bus.clock)
    assert isinstance(away.error, Unreachable)
    assert bus.book.unsent().count == 5
    network.connected = True
    network.fail(PATH, Fault.ANSWER_LOST, Fault.SENT_TWICE)
    done = upload(bus.book, client, bus.clock)
    assert (done.error, done.outcomes, bus.book.unsent().count) == (None, {"booked": 5}, 0)
    assert bus.book.counts()[TapState.SENT] == 5
    assert city.backoffice.transit.totals() == {"booked": (5, 1000)}


def test_a_purse_is_named_in_the_list_by_its_number() -> None:
    assert listed_id("3102990100000000077") == "03102990100000000077ffffffffffff"
    # The list keeps the first 24 digits of a card id: the number is within them.
    assert listed_id("3102990100000000077")[:24].startswith("03102990100000000077")


# The command


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSCT_TERMINAL_DATA_DIR", str(tmp_path / "data"))
    return tmp_path


def test_the_command_serves_a_tap(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gate", "--reader", "sim:contactless-3.0", "--taps", "1"]) == ExitCode.OK
    output = capsys.readouterr().out
    assert "扣款 2.00 元，余额 54.00 元" in output
    assert "taps that wait to be handed in: 1" in output


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("SSCT_GATE_FARES", "nowhere.json", "GATE_FARE_TABLE"),
        ("SSCT_GATE_FARES", "sim:tram", "CONFIGURATION"),
        ("SSCT_GATE_MODE", "exit", "CONFIGURATION"),
        ("SSCT_GATE_STATION", "99", "CONFIGURATION"),
        ("SSCT_GATE_SAM", "psam", "[gate] sam = psam needs [gate] psam_reader"),
    ],
)
def test_a_gate_that_is_set_up_wrongly_says_so(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    code: str,
) -> None:
    monkeypatch.setenv(name, value)
    assert main(["gate", "--reader", "sim:contactless-3.0", "--taps", "1"]) == ExitCode.USAGE
    assert code in capsys.readouterr().err


def test_a_gate_in_production_needs_no_social_security_psam(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It never asks a social security card for its proof; what it lacks is a transport PSAM."""
    fares = home / "bus.json"
    fares.write_text(json.dumps(sample("bus")), "utf-8")
    monkeypatch.setenv("SSCT_TERMINAL_PROFILE", "point-of-use")
    monkeypatch.setenv("SSCT_GATE_FARES", str(fares))
    command = ["gate", "--reader", "sim:contactless-3.0", "--taps", "1"]
    assert main(command) == ExitCode.USAGE
    assert "[gate] psam_reader" in capsys.readouterr().err
    psam = str(home / "ttyS0")
    monkeypatch.setenv("SSCT_GATE_PSAM_READER", f"serial:{psam}")
    assert main(command) != ExitCode.OK
    assert psam in capsys.readouterr().err


@pytest.mark.parametrize("number", ["0", "-1", "nan", "1.5", "", "²"])
def test_a_number_of_taps_that_is_none(
    home: Path, capsys: pytest.CaptureFixture[str], number: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["gate", "--reader", "sim:contactless-3.0", f"--taps={number}"])
    assert ended.value.code == ExitCode.USAGE
    assert "--taps: " in capsys.readouterr().err


def test_handing_in_before_being_enrolled_says_what_to_do(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gate", "--send"]) == ExitCode.BACK_OFFICE
    told = capsys.readouterr().err
    assert NotEnrolled.code in told
    assert NotEnrolled.remedy in told


@pytest.mark.parametrize("changes", [{"sam": "software"}, {"sam": "psam", "psam_reader": "sim:"}])
def test_production_refuses_software_keys_and_a_simulated_psam(
    bus: Stage, changes: dict[str, Any]
) -> None:
    settings = replace(load_settings(None, {}).gate, **changes)
    with (
        pytest.raises(ConfigurationError),
        transit_sam(
            settings,
            bus.store,
            production=True,
            random=Random(1).randbytes,
            find_reader=lambda *_: InProcessReader("none"),
        ),
    ):
        pass


@pytest.mark.article(18)
def test_a_purse_that_staff_freeze_is_stopped_at_the_gate_and_passes_again_after(
    city: SampleCity, tmp_path: Path
) -> None:
    settings = load_settings(None, {"SSCT_TERMINAL_DATA_DIR": str(tmp_path / "terminal")})
    clock = city.clock
    assert isinstance(clock, SimulatedClock)
    code, _ = city.backoffice.staff.create_enrolment_code(HOSPITAL, "developer")
    with Terminal.open(
        settings,
        clock=clock,
        random=Random(3).randbytes,
        sam=SoftwareSam.development(Random(4).randbytes),
        transport=InProcessTransport(city.api),
    ) as terminal:
        terminal.enrol(code)
        gate, _book = open_gate(settings.gate, terminal, SoftwareTransitSam(), sample_fares("bus"))

        def tap(path: str | None) -> GateReason | None:
            if path is not None:
                request = Request(
                    "POST",
                    "/admin/v1" + path,
                    json.dumps({"purse_number": purse_number(5)}).encode(),
                    {
                        "authorization": f"Bearer {ADMIN_TOKEN}",
                        "content-type": "application/json",
                    },
                )
                assert city.api.dispatch(request).status == 200
            terminal.sync()
            gate.clock_trusted = terminal.clock_guard.trusted()
            city.clock.advance(timedelta(minutes=1))
            return gate.serve(InProcessReader("gate", card)).reason

        card = purse_card(5)
        assert tap(None) is None
        assert tap("/freezes") is GateReason.LISTED
        assert tap("/freezes/release") is None
