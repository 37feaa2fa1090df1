"""The probes of `ssct diagnose`, each on a machine made up for it."""

from __future__ import annotations

import importlib.metadata
import socket
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from apdu.readers.pcsc_binding import AccessDenied, PyscardMissing, Scard
from apdu.readers.pcsc_service import ReaderState
from apdu.status import ServiceUnavailable
from terminal import diagnose
from terminal.diagnose import ProbeResult, Status, run_probes


def state(
    name: str, *, present: bool = False, atr: bytes = b"", in_use: bool = False
) -> ReaderState:
    return ReaderState(name, 0, present=present, in_use=in_use, gone=False, atr=atr)


def raising(error: Exception) -> Callable[[], list[ReaderState]]:
    def states() -> list[ReaderState]:
        raise error

    return states


@pytest.fixture
def service_socket(tmp_path: Path) -> Path:
    path = tmp_path / "pcscd.comm"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    return path


def test_an_old_python_fails_with_the_version_to_install() -> None:
    assert diagnose.python_version((3, 11, 0)).status is Status.OK
    result = diagnose.python_version((3, 10, 9))
    assert result.status is Status.FAIL
    assert "3.11" in result.remedy


@pytest.mark.parametrize(
    ("absent", "status"),
    [(set(), Status.OK), ({"pyscard"}, Status.WARN), ({"sqlalchemy", "pyscard"}, Status.FAIL)],
)
def test_packages_are_listed_and_only_pyscard_may_be_absent(
    absent: set[str], status: Status
) -> None:
    def version_of(name: str) -> str:
        if name in absent:
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.2"

    result = diagnose.packages(version_of)
    assert result.status is status
    assert "cryptography 1.2" in result.finding
    assert all(name in result.finding for name in absent)


def test_root_is_a_warning() -> None:
    names = ["kiosk", "dialout"]
    result = diagnose.privileges(lambda: "kiosk", lambda: 1000, lambda: names)
    assert result == ProbeResult(
        "privileges", Status.OK, "user kiosk (uid 1000), groups kiosk, dialout"
    )
    assert diagnose.privileges(lambda: "root", lambda: 0, list).status is Status.WARN


def test_a_missing_binding_names_its_packages() -> None:
    def load() -> Scard:
        raise PyscardMissing("no module named smartcard")

    result = diagnose.pyscard(load)
    assert result.status is Status.FAIL
    assert "libpcsclite-dev" in result.remedy


def test_a_missing_service_names_package_and_unit(tmp_path: Path) -> None:
    result = diagnose.pcsc_service(list, lambda: tmp_path / "nothing")
    assert result.status is Status.FAIL
    assert "pcscd.socket" in result.remedy


def test_a_running_service_is_fine(service_socket: Path) -> None:
    assert diagnose.pcsc_service(list, lambda: service_socket).status is Status.OK


def test_a_refused_user_gets_the_polkit_rule_for_that_user(service_socket: Path) -> None:
    denied = raising(AccessDenied("the PC/SC service refuses this user"))
    result = diagnose.pcsc_service(denied, lambda: service_socket, lambda: "kiosk")
    assert result.status is Status.FAIL
    assert 'subject.user === "kiosk"' in result.remedy
    assert "org.debian.pcsc-lite.access_pcsc" in result.remedy
    assert "org.debian.pcsc-lite.access_card" in result.remedy
    assert result.remedy.count("{") == result.remedy.count("}") == 2
    assert diagnose.POLKIT_RULE_PATH in result.remedy


def test_a_dead_daemon_behind_its_socket_is_to_be_restarted(service_socket: Path) -> None:
    dead = raising(ServiceUnavailable("the PC/SC service went away"))
    result = diagnose.pcsc_service(dead, lambda: service_socket)
    assert result.status is Status.FAIL
    assert "restart" in result.remedy


def test_a_daemon_that_never_answers_does_not_hang_the_diagnosis(service_socket: Path) -> None:
    never = Event()

    def hang() -> list[ReaderState]:
        never.wait()
        return []

    try:
        result = diagnose.pcsc_service(hang, lambda: service_socket, seconds=0)
        assert result.status is Status.FAIL
        assert "does not answer" in result.finding
        assert diagnose.readers(hang, seconds=0).status is Status.FAIL
    finally:
        never.set()


def test_readers_are_listed_with_what_is_in_them() -> None:
    found = [
        state("A 00 00"),
        state("B 01 00", present=True, atr=b"\x3b\x00"),
        state("C 02 00", present=True, atr=b"\x3b\x00", in_use=True),
        state("D 03 00", present=True),
    ]
    result = diagnose.readers(lambda: found)
    assert result.status is Status.OK
    assert result.finding == (
        "A 00 00: empty; B 01 00: card; C 02 00: card in use; D 03 00: a card that does not answer"
    )


def test_no_reader_is_a_warning_that_names_the_way_without_hardware() -> None:
    result = diagnose.readers(list)
    assert result.status is Status.WARN
    assert "ssct sim card" in result.remedy


def test_without_a_service_the_readers_are_unknown() -> None:
    assert diagnose.readers(raising(ServiceUnavailable("gone"))).status is Status.FAIL


def test_the_virtual_reader_driver_is_looked_for(tmp_path: Path) -> None:
    driver = tmp_path / "libifdvpcd.so"
    assert "vsmartcard-vpcd" in diagnose.virtual_reader(driver).finding
    driver.touch()
    assert str(driver) in diagnose.virtual_reader(driver).finding


def test_a_probe_that_breaks_has_failed_and_the_others_still_run() -> None:
    def broken_probe() -> ProbeResult:
        raise ZeroDivisionError("oh")

    fine = ProbeResult("fine", Status.OK, "yes")
    results = run_probes([broken_probe, lambda: fine])
    assert results[0].name == "broken probe"
    assert results[0].status is Status.FAIL
    assert "ZeroDivisionError" in results[0].finding
    assert results[1] == fine


def test_every_registered_probe_gives_a_result_and_every_failure_a_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(diagnose, "_PROBES", list(diagnose._PROBES))
    diagnose.register(lambda: ProbeResult("store", Status.OK, "readable"))
    results = run_probes()
    assert [result.name for result in results][-1] == "store"
    assert all(result.status is Status.OK or result.remedy for result in results)
