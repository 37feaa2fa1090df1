"""The terminal's certificate through its life: enrolment, restart, renewal, losses, the end."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from apdu.sam import SoftwareSam
from backend_client.errors import NoReply, NotEnrolled
from backend_client.identity import TlsIdentity
from backend_client.transport import Reply, Request
from simulator.backoffice.authority import TERMINAL_LIFETIME, Authority
from simulator.backoffice.database import open_engine
from simulator.backoffice.sample import HOSPITAL, SampleCity
from simulator.clock import SHANGHAI, SimulatedClock
from simulator.network import Fault, Network
from terminal.app import Terminal
from terminal.settings import load_settings

BEGIN = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)
RENEWAL = "/v1/certificates"


class Line:
    """A TLS connection to the city: it shows the certificate that the terminal has it show."""

    def __init__(self, city: SampleCity) -> None:
        self.city = city
        self.shown: list[TlsIdentity] = []

    def send(self, request: Request) -> Reply:
        last = self.shown[-1].certificate.certificate if self.shown else None
        return self.city.api.dispatch(request, base64.b64decode(last) if last else None)


class Site:
    """A city with an authority, and one terminal that is opened and closed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = SimulatedClock(BEGIN)
        authority = Authority.created(directory / "ca", Random(1).randbytes, self.clock.now)
        self.city = SampleCity(
            open_engine("sqlite://"),
            clock=self.clock,
            random=Random(1).randbytes,
            authority=authority,
        )
        self.network = Network(Line(self.city))

    def opened(self) -> tuple[Terminal, Line]:
        line = Line(self.city)
        self.network = Network(line)
        settings = load_settings(None, {"SSCT_TERMINAL_DATA_DIR": str(self.directory / "store")})
        terminal = Terminal.open(
            settings,
            clock=self.clock,
            random=Random(2).randbytes,
            sam=SoftwareSam.development(Random(3).randbytes),
            transport=self.network,
            show=line.shown.append,
        )
        return terminal, line

    def enrolled(self) -> tuple[Terminal, Line]:
        terminal, line = self.opened()
        code, _ = self.city.backoffice.staff.create_enrolment_code(HOSPITAL)
        terminal.enrol(code)
        return terminal, line


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.city.backoffice.close()


def test_enrolment_brings_a_certificate_that_is_shown_now_and_after_a_restart(site: Site) -> None:
    terminal, line = site.enrolled()
    assert len(line.shown) == 1
    assert terminal.sync().error is None
    assert terminal.status().certificate_until == BEGIN + TERMINAL_LIFETIME
    terminal.close()
    again, other = site.opened()
    assert other.shown[0].certificate == line.shown[0].certificate
    assert again.sync().error is None
    again.close()


@pytest.mark.article(25)
def test_the_key_is_not_on_disk_in_clear(site: Site) -> None:
    terminal, line = site.enrolled()
    terminal.close()
    secret = line.shown[0].kept()["key"]
    for file in (site.directory / "store").iterdir():
        data = file.read_bytes()
        assert secret.encode() not in data
        assert bytes.fromhex(secret) not in data


def test_a_certificate_is_renewed_in_time_and_not_before(site: Site) -> None:
    terminal, line = site.enrolled()
    site.clock.advance(TERMINAL_LIFETIME * 2 / 3 - timedelta(minutes=10))
    terminal.sync()
    assert len(line.shown) == 1
    site.clock.advance(timedelta(minutes=10))
    assert terminal.sync().error is None
    first, second = line.shown
    assert second.certificate.not_after > first.certificate.not_after
    assert second.key.private_numbers() != first.key.private_numbers()
    terminal.close()
    # Long after the first one ended, the second is what the terminal lives on.
    site.clock.advance(TERMINAL_LIFETIME / 2)
    again, other = site.opened()
    assert other.shown[0].certificate == second.certificate
    assert again.sync().error is None
    again.close()


@pytest.mark.parametrize("fault", [Fault.REFUSED_CONNECTION, Fault.REQUEST_LOST, Fault.ANSWER_LOST])
def test_whatever_is_lost_in_a_renewal_the_present_certificate_works(
    fault: Fault, site: Site
) -> None:
    terminal, line = site.enrolled()
    site.clock.advance(TERMINAL_LIFETIME * 3 / 4)
    site.network.fail(RENEWAL, fault)
    assert terminal.sync().error is None
    assert len(line.shown) == 1
    assert terminal.sync().error is None
    assert len(line.shown) == 2
    terminal.close()


def test_a_certificate_for_another_key_is_not_taken(site: Site) -> None:
    terminal, line = site.enrolled()
    site.clock.advance(TERMINAL_LIFETIME * 3 / 4)
    other = Reply(200, line.city.api.dispatch(Request("GET", "/v1/time")).body)
    site.network.garble(RENEWAL, lambda _: other)
    assert terminal.sync().error is None
    assert len(line.shown) == 1
    terminal.close()


def test_a_certificate_that_has_ended_is_not_shown_and_a_new_enrolment_helps(site: Site) -> None:
    terminal, _ = site.enrolled()
    token = terminal.identity
    terminal.close()
    site.clock.advance(TERMINAL_LIFETIME + timedelta(seconds=1))
    again, line = site.opened()
    assert line.shown == []
    with pytest.raises(NotEnrolled):
        again.client.lists.news(0)
    code, _ = site.city.backoffice.staff.create_enrolment_code(HOSPITAL)
    assert again.enrol(code) != token
    assert again.sync().error is None
    assert again.client.lists.news(0).snapshot is not None
    again.close()


def test_an_enrolment_whose_answer_is_lost_leaves_what_was_before(site: Site) -> None:
    terminal, line = site.enrolled()
    before = terminal.identity
    code, _ = site.city.backoffice.staff.create_enrolment_code(HOSPITAL)
    site.network.fail("/v1/terminals", Fault.ANSWER_LOST)
    with pytest.raises(NoReply):
        terminal.enrol(code)
    assert terminal.identity == before
    assert len(line.shown) == 1
    assert terminal.client.lists.news(0).snapshot is not None
    terminal.close()
