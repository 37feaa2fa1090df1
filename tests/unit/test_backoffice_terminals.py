"""Terminals at the back office: enrolment, tokens, and what each role may do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from random import Random

import pytest

from backend_client.calls import Calls
from backend_client.client import BackendClient
from backend_client.errors import NotEnrolled, Refused
from backend_client.messages import ActivationRequest, EnrolmentRequest, Profile
from backend_client.transport import Request
from simulator.backoffice import seed
from simulator.backoffice.backoffice import Rules
from simulator.backoffice.database import open_engine
from simulator.backoffice.errors import Refused as RefusedHere
from simulator.backoffice.inprocess import InProcessTransport
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.sample import CHILDRENS_HOSPITAL, HOSPITAL, SampleCity
from simulator.clock import SHANGHAI, SimulatedClock

BEGIN = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)


def new_city(rules: Rules | None = None, url: str = "sqlite://") -> SampleCity:
    return SampleCity(
        open_engine(url),
        clock=SimulatedClock(BEGIN),
        random=Random(1).randbytes,
        rules=rules,
    )


@pytest.fixture
def city(database_url: str) -> Iterator[SampleCity]:
    city = new_city(url=database_url)
    yield city
    city.backoffice.close()


def stranger(city: SampleCity) -> BackendClient:
    """A client that is not enrolled."""
    return BackendClient(
        Calls(
            InProcessTransport(city.api),
            token=None,
            now=city.clock.now,
            sleep=lambda _: None,
            random=Random(2).randbytes,
        )
    )


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.problem.code


def test_a_code_makes_an_identity(city: SampleCity) -> None:
    code, valid_until = city.backoffice.staff.create_enrolment_code(HOSPITAL, "kiosk")
    assert valid_until == BEGIN + timedelta(days=7)
    identity = stranger(city).enrol(EnrolmentRequest(code, "kiosk"))
    assert (identity.institution, identity.institution_name) == (HOSPITAL, "示例市第一医院")
    assert identity.blacklist_keys == (city.backoffice.public_key,)
    assert identity.issued_at == BEGIN
    client = stranger(city).with_token(identity.token)
    assert client.card_status(city.card(1)).state == "active"


def test_a_code_is_good_once(city: SampleCity) -> None:
    code, _ = city.backoffice.staff.create_enrolment_code(HOSPITAL)
    client = stranger(city)
    client.enrol(EnrolmentRequest(code, "kiosk"))
    again = EnrolmentRequest(code, "kiosk")
    assert refusal(lambda: client.enrol(again)) == "ENROLMENT_CODE_INVALID"


def test_a_code_ends(city: SampleCity) -> None:
    code, valid_until = city.backoffice.staff.create_enrolment_code(HOSPITAL)
    city.clock.advance(valid_until - BEGIN)
    request = EnrolmentRequest(code, "kiosk")
    assert refusal(lambda: stranger(city).enrol(request)) == "ENROLMENT_CODE_INVALID"


def test_a_code_may_be_for_one_profile(city: SampleCity) -> None:
    code, _ = city.backoffice.staff.create_enrolment_code(HOSPITAL, "point-of-use")
    request = EnrolmentRequest(code, "kiosk")
    assert refusal(lambda: stranger(city).enrol(request)) == "ENROLMENT_CODE_INVALID"
    assert stranger(city).enrol(EnrolmentRequest(code, "point-of-use")).terminal_id == "T000001"


def test_an_invented_code_is_refused(city: SampleCity) -> None:
    request = EnrolmentRequest(seed.DEVELOPMENT_CODE.code, "developer")
    assert refusal(lambda: stranger(city).enrol(request)) == "ENROLMENT_CODE_INVALID"


def test_a_code_needs_a_known_institution(city: SampleCity) -> None:
    with pytest.raises(RefusedHere) as caught:
        city.backoffice.staff.create_enrolment_code("990100999999")
    assert caught.value.refusal is Refusal.INSTITUTION_UNKNOWN


def test_the_development_code_enrols_any_number_of_terminals() -> None:
    city = new_city(Rules(development_code=seed.DEVELOPMENT_CODE))
    request = EnrolmentRequest(seed.DEVELOPMENT_CODE.code, "developer")
    identities = [stranger(city).enrol(request) for _ in range(3)]
    assert [each.terminal_id for each in identities] == ["T000001", "T000002", "T000003"]
    assert len({each.token for each in identities}) == 3
    city.backoffice.close()


def test_a_previous_token_that_nobody_has_is_refused_and_the_code_stays_good(
    city: SampleCity,
) -> None:
    code, _ = city.backoffice.staff.create_enrolment_code(HOSPITAL)
    invented = EnrolmentRequest(code, "kiosk", previous_token="x" * 43)
    assert refusal(lambda: stranger(city).enrol(invented)) == "PREVIOUS_TOKEN_UNKNOWN"
    assert stranger(city).enrol(EnrolmentRequest(code, "kiosk")).institution == HOSPITAL
    # Who has no code learns nothing about tokens.
    real = city.enrolled("kiosk").token
    for token in (real, "x" * 43):
        guess = EnrolmentRequest("NO-SUCH-CODE", "kiosk", previous_token=token)
        assert refusal(partial(stranger(city).enrol, guess)) == "ENROLMENT_CODE_INVALID"


def test_a_terminal_that_moves_to_another_institution_inherits_nothing(city: SampleCity) -> None:
    old, number = city.enrolled("kiosk"), city.number()
    assert not city.client(old.token).reverse(number).found
    moved = city.enrolled("kiosk", CHILDRENS_HOSPITAL, previous_token=old.token)
    assert moved.institution == CHILDRENS_HOSPITAL
    client = city.client(moved.token)
    assert refusal(lambda: client.query(number)) == "NUMBER_FOREIGN"
    back = city.client(city.enrolled("kiosk", previous_token=moved.token).token)
    assert back.query(number).state == "unknown"


@pytest.mark.parametrize("token", ["", "short", "x" * 513, "x" * 20 + " "])
def test_a_previous_token_is_bounded(token: str, city: SampleCity) -> None:
    request = {"code": "NO-SUCH-CODE", "profile": "kiosk", "previous_token": token}
    headers = {"content-type": "application/json"}
    body = json.dumps(request).encode()
    reply = city.api.dispatch(Request("POST", "/v1/terminals", body, headers))
    assert (reply.status, json.loads(reply.body)["code"]) == (400, "BAD_REQUEST")
    assert "previous" not in repr(EnrolmentRequest("NO-SUCH-CODE", "kiosk", previous_token="x"))


@pytest.mark.parametrize("token", ["x" * 43, "x", "", "x" * 700, "忘"])
def test_an_invented_token_is_not_enrolled(token: str, city: SampleCity) -> None:
    ref = city.card(1)
    with pytest.raises(NotEnrolled):
        stranger(city).with_token(token).card_status(ref)


@pytest.mark.parametrize(
    ("profile", "allowed"), [("kiosk", True), ("developer", True), ("point-of-use", False)]
)
def test_each_terminal_does_what_its_role_allows(
    profile: Profile, allowed: bool, city: SampleCity
) -> None:
    ref, client = city.card(1, state="not_activated"), city.terminal(profile)
    request = ActivationRequest(city.number(), ref, pin_changed=True)
    if allowed:
        assert client.activate(request).status.state == "active"
    else:
        assert refusal(lambda: client.activate(request)) == "ROLE_NOT_ALLOWED"
        assert client.card_status(ref).state == "not_activated"
        assert client.query(request.number).state == "unknown"


def test_a_code_may_be_for_a_role_and_then_for_its_profile(city: SampleCity) -> None:
    code, _ = city.backoffice.staff.create_enrolment_code(HOSPITAL, role="gate")
    request = EnrolmentRequest(code, "kiosk")
    assert refusal(lambda: stranger(city).enrol(request)) == "ENROLMENT_CODE_INVALID"
    identity = stranger(city).enrol(EnrolmentRequest(code, "point-of-use"))
    assert identity.role == "gate"
    client, ref = city.client(identity.token), city.card(1)
    assert client.card_status(ref).state == "active"
    assert refusal(lambda: client.account(ref)) == "ROLE_NOT_ALLOWED"
    with pytest.raises(RefusedHere) as caught:
        city.backoffice.staff.create_enrolment_code(HOSPITAL, "kiosk", "gate")
    assert caught.value.refusal is Refusal.BAD_REQUEST


@pytest.mark.parametrize(
    ("profile", "role"),
    [("developer", "developer"), ("kiosk", "kiosk"), ("point-of-use", "hospital")],
)
def test_without_a_role_a_code_is_for_the_usual_one(
    profile: Profile, role: str, city: SampleCity
) -> None:
    assert city.enrolled(profile).role == role


def test_a_stopped_terminal_is_not_known_any_more_and_may_be_enrolled_again(
    city: SampleCity,
) -> None:
    identity, ref, number = city.enrolled("kiosk"), city.card(1), city.number()
    client = city.client(identity.token)
    assert not client.reverse(number).found
    city.backoffice.staff.stop_terminal(identity.terminal_id)
    with pytest.raises(NotEnrolled):
        client.card_status(ref)
    again = city.enrolled("kiosk", previous_token=identity.token)
    assert city.client(again.token).query(number).state == "reversed"
    with pytest.raises(RefusedHere) as caught:
        city.backoffice.staff.stop_terminal("T999999")
    assert caught.value.refusal is Refusal.TERMINAL_UNKNOWN


def test_the_clock_may_be_asked_by_anybody(city: SampleCity) -> None:
    assert stranger(city).server_time().now == BEGIN
