"""The back office's interface: routes, media types, bounds, problems, staff, and what is logged."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.codec import dump, load
from backend_client.messages import Problem, TrialRequest
from backend_client.transport import Reply, Request
from simulator.backoffice.api import Api
from simulator.backoffice.database import open_engine
from simulator.backoffice.errors import Refused
from simulator.backoffice.incoming import MAX_REQUEST
from simulator.backoffice.problems import problem_of
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.sample import (
    ADMIN_TOKEN,
    HOSPITAL,
    SampleCity,
    sample_bill,
    sample_ref,
)
from simulator.backoffice.staff import CardKey
from simulator.backoffice.wording import WORDING
from simulator.clock import SHANGHAI, SimulatedClock

BEGIN = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)
JSON = {"content-type": "application/json"}


@pytest.fixture
def city(database_url: str) -> Iterator[SampleCity]:
    city = SampleCity(
        open_engine(database_url), clock=SimulatedClock(BEGIN), random=Random(1).randbytes
    )
    yield city
    city.backoffice.close()


def token_of(city: SampleCity) -> str:
    code, _ = city.backoffice.staff.create_enrolment_code(HOSPITAL)
    body = json.dumps({"code": code, "profile": "kiosk"}).encode()
    reply = city.api.dispatch(Request("POST", "/v1/terminals", body, JSON))
    token: str = json.loads(reply.body)["token"]
    return token


def post(
    city: SampleCity,
    path: str,
    body: bytes,
    token: str = "",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    given = {**JSON, "authorization": f"Bearer {token}", **(headers or {})}
    return city.api.dispatch(Request("POST", path, body, given))


def staff(city: SampleCity, path: str, **fields: object) -> tuple[int, dict[str, Any]]:
    reply = post(city, f"/admin/v1{path}", json.dumps(fields).encode(), ADMIN_TOKEN)
    answer: dict[str, Any] = json.loads(reply.body)
    return reply.status, answer


def problem(reply: Reply) -> Problem:
    assert reply.headers["content-type"] == "application/problem+json"
    found = load(Problem, reply.body)
    assert found.status == reply.status
    return found


@pytest.mark.parametrize("refusal", list(Refusal))
def test_every_refusal_is_a_problem_with_both_languages(refusal: Refusal) -> None:
    found = problem_of(Refused(refusal))
    assert load(Problem, dump(found)) == found
    assert (found.code, found.status) == (refusal.value, WORDING[refusal].status)
    assert found.zh
    assert found.en
    assert found.detail
    assert found.type == f"urn:ssct:problem:{refusal.value.lower().replace('_', '-')}"


def test_only_a_refusal_for_being_busy_promises_that_nothing_was_processed() -> None:
    assert problem_of(Refused(Refusal.BUSY)).not_processed
    assert not problem_of(Refused(Refusal.INTERNAL)).not_processed


@pytest.mark.parametrize("path", ["/", "", "/v1", "/v1/time/", "/v2/time", "/V1/TIME", "//v1/time"])
def test_an_unknown_path_is_not_found(path: str, city: SampleCity) -> None:
    assert problem(city.api.dispatch(Request("GET", path))).code == "NOT_FOUND"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "get", ""])
def test_a_known_path_names_its_method(method: str, city: SampleCity) -> None:
    reply = city.api.dispatch(Request(method, "/v1/time"))
    assert problem(reply).code == "METHOD_NOT_ALLOWED"
    assert reply.headers["allow"] == "GET"
    assert city.api.dispatch(Request("GET", "/v1/settlements")).headers["allow"] == "POST"


OPEN = ("/v1/time", "/v1/terminals", "/openapi.json", "/docs")


def test_every_route_wants_a_token_but_time_enrolment_and_description(city: SampleCity) -> None:
    for path, route in city.api.routes.items():
        reply = city.api.dispatch(Request(route.method, path, b"{}", JSON))
        if path in OPEN:
            assert reply.status != 401
        else:
            code = "ADMIN_TOKEN_WRONG" if path.startswith("/admin/") else "NOT_ENROLLED"
            assert problem(reply).code == code
            assert reply.headers["www-authenticate"] == "Bearer"


def test_a_terminals_token_is_no_staff_token_and_the_other_way_round(city: SampleCity) -> None:
    ref, token = city.card(1), token_of(city)
    body = json.dumps({"card_id": ref.card_id, "kind": "temporary"}).encode()
    assert problem(post(city, "/admin/v1/losses", body, token)).code == "ADMIN_TOKEN_WRONG"
    assert problem(post(city, "/v1/cards/status", dump(ref), ADMIN_TOKEN)).code == "NOT_ENROLLED"


def test_without_an_administrators_token_nobody_is_staff(city: SampleCity) -> None:
    api = Api(city.backoffice)
    for shown in ("", "None", ADMIN_TOKEN):
        headers = {**JSON, "authorization": f"Bearer {shown}"}
        reply = api.dispatch(Request("POST", "/admin/v1/clock", b"{}", headers))
        assert problem(reply).code == "ADMIN_TOKEN_WRONG"


@pytest.mark.parametrize(
    "media_type", ["text/plain", "", "application/xml", "multipart/form-data", "json"]
)
def test_only_json_is_understood(media_type: str, city: SampleCity) -> None:
    headers = {"content-type": media_type}
    reply = post(city, "/v1/cards/status", dump(sample_ref(1)), token_of(city), headers)
    assert problem(reply).code == "MEDIA_TYPE_NOT_SUPPORTED"
    assert reply.status == 415


def test_json_may_name_its_charset(city: SampleCity) -> None:
    ref = city.card(1)
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert post(city, "/v1/cards/status", dump(ref), token_of(city), headers).status == 200


def test_a_body_is_bounded(city: SampleCity) -> None:
    body = b" " * (MAX_REQUEST + 1)
    reply = post(city, "/v1/cards/status", body, token_of(city))
    assert problem(reply).code == "BODY_TOO_LARGE"
    assert reply.status == 413


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "/ breaks the rule 'syntax'"),
        (b"{", "/ breaks the rule 'syntax'"),
        (b"\xff", "/ breaks the rule 'syntax'"),
        (b"[]", "/ breaks the rule 'type'"),
        (b"{}", "/ breaks the rule 'required'"),
        (b'{"card_id":1,"card_number":"S00000001"}', "/card_id breaks the rule 'type'"),
        (b'{"card_id":"1","card_id":"1"}', "/ breaks the rule 'unique keys'"),
        (b"[" * 100_000, "/ breaks the rule 'depth'"),
    ],
)
def test_a_bad_body_is_told_by_place_and_rule(body: bytes, detail: str, city: SampleCity) -> None:
    found = problem(post(city, "/v1/cards/status", body, token_of(city)))
    assert (found.code, found.detail) == ("BAD_REQUEST", detail)


def test_a_secret_in_a_bad_body_is_not_told_back(city: SampleCity) -> None:
    body = json.dumps({"card_id": "SECRET-VALUE", "SECRET-KEY": 1}).encode()
    assert b"SECRET" not in post(city, "/v1/cards/status", body, token_of(city)).body


@pytest.mark.parametrize(
    "query", ["since=", "since=-1", "since=x", "since=1&since=2", "x=1", "since=" + "9" * 17]
)
def test_a_bad_query_is_refused(query: str, city: SampleCity) -> None:
    headers = {"authorization": f"Bearer {token_of(city)}"}
    reply = city.api.dispatch(Request("GET", f"/v1/blacklist?{query}", b"", headers))
    assert problem(reply).code == "BAD_REQUEST"


@pytest.mark.parametrize("query", ["", "?", "?since=0", "?since=9999999999999999"])
def test_any_version_may_be_named(query: str, city: SampleCity) -> None:
    headers = {"authorization": f"Bearer {token_of(city)}"}
    reply = city.api.dispatch(Request("GET", f"/v1/blacklist{query}", b"", headers))
    assert reply.status == 200
    assert json.loads(reply.body)["snapshot"] is not None


def test_the_idempotency_key_is_the_number(city: SampleCity) -> None:
    ref, token = city.card(1, bills=[sample_bill("B1", 5)]), token_of(city)
    request = dump(TrialRequest(city.number(), ref, "B1", 5))
    for key, status in ((city.number(), 400), (json.loads(request)["number"], 200)):
        reply = post(city, "/v1/settlements/trial", request, token, {"idempotency-key": key})
        assert reply.status == status


def test_answers_are_not_to_be_stored(city: SampleCity) -> None:
    reply = city.api.dispatch(Request("GET", "/v1/time"))
    assert (reply.headers["cache-control"], reply.headers["content-type"]) == (
        "no-store",
        "application/json",
    )


def test_what_nobody_expected_stays_inside(
    city: SampleCity, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_of(city)

    secret = "SECRET-VALUE"

    def broken(*_: object) -> None:
        raise RuntimeError(secret)

    monkeypatch.setattr(city.backoffice.register, "find", broken)
    with caplog.at_level(logging.DEBUG):
        reply = post(city, "/v1/cards/status", dump(sample_ref(1)), token)
    found = problem(reply)
    assert (found.code, found.status, found.not_processed) == ("INTERNAL", 500, False)
    assert secret.encode() not in reply.body
    assert "RuntimeError" in caplog.text
    assert secret not in caplog.text


@pytest.mark.article(25)
def test_nothing_personal_is_logged(city: SampleCity, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        ref = city.card(1, bills=[sample_bill("B1", 5)])
        token = token_of(city)
        for path in ("/v1/cards/status", "/v1/cards/account", "/v1/bills/search"):
            assert post(city, path, dump(ref), token).status == 200
        post(city, f"/v1/cards/{ref.card_number}", dump(ref), token)
        staff(city, "/losses", card_id=ref.card_id, kind="temporary", reason="REASON")
    assert "/v1/cards/account 200 T000001" in caplog.text
    for secret in (ref.card_id, ref.card_number, "样本", "99010019900100", token, "REASON"):
        assert secret not in caplog.text


@pytest.mark.article(18)
@pytest.mark.article(19)
def test_staff_report_and_release_losses(city: SampleCity) -> None:
    ref = city.card(1)
    status, answer = staff(city, "/losses", card_number=ref.card_number, kind="temporary")
    assert (status, answer["state"]) == (200, "temporarily_lost")
    assert answer["state_until"] == "2026-03-22T00:00:00+08:00"
    assert staff(city, "/losses", card_id=ref.card_id, kind="formal")[1]["state"] == (
        "formally_lost"
    )
    assert staff(city, "/losses/release", card_id=ref.card_id)[1]["state"] == "active"
    assert staff(city, "/cards/status", card_id=ref.card_id)[1]["state"] == "active"


@pytest.mark.article(18)
def test_each_channel_does_what_the_regulation_lets_it_do(city: SampleCity) -> None:
    ref = city.card(1)
    status, answer = staff(city, "/losses", card_id=ref.card_id, kind="formal", channel="phone")
    assert (status, answer["code"]) == (403, "CHANNEL_NOT_ALLOWED")
    status, _ = staff(city, "/losses", card_id=ref.card_id, kind="formal", channel="online")
    assert status == 200


@pytest.mark.article(18)
@pytest.mark.parametrize("channel", ["phone", "online", "community_point", "bank_point"])
def test_a_temporary_loss_may_come_in_any_way(channel: str, city: SampleCity) -> None:
    ref = city.card(1)
    fields = {"card_id": ref.card_id, "kind": "temporary", "channel": channel}
    assert staff(city, "/losses", **fields)[1]["state"] == "temporarily_lost"


@pytest.mark.article(12)
@pytest.mark.parametrize("channel", ["community_point", "bank_point", "online", "phone"])
def test_staff_activate_a_card_for_its_holder(channel: str, city: SampleCity) -> None:
    ref = city.card(1, state="not_activated")
    fields = {"card_id": ref.card_id, "channel": channel, "actor": "desk 3", "reason": "asked"}
    status, answer = staff(city, "/activations", **fields)
    assert (status, answer["state"], answer["social_active"]) == (200, "active", True)
    line = staff(city, "/cards/history", card_id=ref.card_id)[1]["lines"][-1]
    assert (line["event"], line["article"], line["channel"]) == ("activate", 12, channel)
    assert (line["actor"], line["reason"]) == ("desk 3", "asked")
    assert staff(city, "/activations", **fields)[1]["code"] == "ALREADY_ACTIVE"


@pytest.mark.article(12)
def test_a_frozen_card_is_not_activated_by_staff(city: SampleCity) -> None:
    ref = city.card(1, state="not_activated")
    assert staff(city, "/freezes", card_id=ref.card_id)[0] == 200
    assert staff(city, "/activations", card_id=ref.card_id)[1]["code"] == "CARD_FROZEN"
    assert staff(city, "/cards/status", card_id=ref.card_id)[1]["state"] == "not_activated"


@pytest.mark.article(30)
def test_staff_stop_an_old_card_and_it_is_listed_at_once(city: SampleCity) -> None:
    ref, token = city.card(1), token_of(city)
    status, answer = staff(city, "/stops", card_number=ref.card_number, reason="before 2019")
    assert (status, answer["state"]) == (200, "stopped")
    line = staff(city, "/cards/history", card_id=ref.card_id)[1]["lines"][-1]
    assert (line["event"], line["article"], line["channel"]) == ("stop", 30, "centre")
    assert line["reason"] == "before 2019"
    assert problem(post(city, "/v1/cards/account", dump(ref), token)).code == "CARD_STOPPED"
    assert staff(city, "/stops", card_id=ref.card_id)[1]["code"] == "CARD_STOPPED"


@pytest.mark.article(23)
def test_staff_replace_a_card_and_see_its_history(city: SampleCity) -> None:
    old, new = city.card(1, state="formally_lost"), sample_ref(2)
    reference = {"card_id": new.card_id, "card_number": new.card_number}
    status, answer = staff(
        city,
        "/replacements",
        card_number=old.card_number,
        new=reference,
        activated=True,
        actor="desk 3",
        applied_at="2026-03-12T10:00:00+08:00",
    )
    assert (status, answer["old"]["state"], answer["new"]["state"]) == (200, "void", "active")
    assert answer["due_at"] == "2026-03-28T00:00:00+08:00"
    lines = staff(city, "/cards/history", card_id=old.card_id)[1]["lines"]
    assert [line["event"] for line in lines] == ["issue", "report_formal_loss", "replace"]
    assert lines[-1]["actor"] == "desk 3"
    post(city, "/v1/cards/account", dump(new), token_of(city))
    looked = staff(city, "/cards/accesses", card_id=new.card_id)[1]["lines"]
    assert [(line["terminal"], line["what"]) for line in looked] == [("T000001", "account")]


@pytest.mark.article(7)
@pytest.mark.article(27)
def test_who_froze_and_who_lifted_stands_in_the_trail(city: SampleCity) -> None:
    ref = city.card(1)
    by = {"channel": "phone", "actor": "desk 4", "why": "police report"}
    assert staff(city, "/freezes", card_id=ref.card_id, **by)[0] == 200
    span = {"number_from": "S00000001", "number_to": "S00000009"}
    assert staff(city, "/freezes", **span, reason="fraud")[0] == 200
    purse = "3104990000000000001"
    assert staff(city, "/freezes", purse_number=purse)[0] == 200
    lifted = {**by, "why": "withdrawn"}
    assert staff(city, "/freezes/release", card_id=ref.card_id, **lifted)[0] == 200
    status, answer = staff(city, "/freezes/history")
    assert status == 200
    release, of_purse, of_span, first = answer["lines"]
    assert (first["event"], first["card_number"], first["why"]) == (
        "freeze",
        ref.card_number,
        "police report",
    )
    assert (release["event"], release["card_number"], release["why"]) == (
        "release",
        ref.card_number,
        "withdrawn",
    )
    assert (release["channel"], release["actor"]) == ("phone", "desk 4")
    assert (of_span["number_from"], of_span["reason"]) == ("S00000001", "fraud")
    assert (of_purse["purse_number"], of_purse["scope"]) == (purse, ["transport"])
    assert of_purse["at"].endswith("+08:00")


def test_staff_freeze_make_codes_and_note_what_banks_say(city: SampleCity) -> None:
    ref = city.card(1)
    assert staff(city, "/freezes", card_id=ref.card_id, scope=["transport"])[0] == 200
    assert staff(city, "/freezes/release", card_id=ref.card_id)[0] == 200
    assert staff(city, "/freezes/release", card_id=ref.card_id)[1]["code"] == "NOT_FROZEN"
    span = {"number_from": "S00000001", "number_to": "S00000009"}
    assert staff(city, "/freezes", **span, reason="fraud")[0] == 200
    assert staff(city, "/freezes/release", **span)[0] == 200
    opened = staff(city, "/bank-functions", card_id=ref.card_id, event="open")[1]
    assert opened["financial_active"]
    institution = {"code": "990100000555", "name": "样本药房", "tier": 1}
    assert staff(city, "/institutions", **institution)[0] == 200
    answer = staff(city, "/enrolment-codes", institution="990100000555", profile="kiosk")[1]
    assert answer["valid_until"] == "2026-03-23T09:00:00+08:00"
    assert answer["code"]


def test_staff_let_a_simulated_clock_go_on(city: SampleCity) -> None:
    assert staff(city, "/clock", advance_seconds=60)[1]["now"] == "2026-03-16T09:01:00+08:00"
    until = "2026-03-22T00:00:00+08:00"
    assert staff(city, "/clock", until=until)[1]["now"] == until
    assert staff(city, "/clock", until=until)[0] == 200
    status, refused = staff(city, "/clock", until="2026-03-21T23:59:59+08:00")
    assert (status, refused["code"]) == (400, "BAD_REQUEST")  # time does not return
    assert city.clock.now().isoformat() == until


def test_a_real_clock_is_not_moved(city: SampleCity) -> None:
    api = Api(city.backoffice, admin_token=ADMIN_TOKEN)
    headers = {**JSON, "authorization": f"Bearer {ADMIN_TOKEN}"}
    body = b'{"advance_seconds":60}'
    reply = api.dispatch(Request("POST", "/admin/v1/clock", body, headers))
    assert problem(reply).code == "CLOCK_IS_REAL"
    assert city.backoffice.now() == BEGIN


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1.5", b'{"kind":"formal","kind":"formal"}'])
def test_what_staff_send_is_checked_too(body: bytes, city: SampleCity) -> None:
    assert problem(post(city, "/admin/v1/losses", body, ADMIN_TOKEN)).code == "BAD_REQUEST"


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/losses", {"kind": "temporary"}),
        ("/losses", {"card_id": "x", "kind": "temporary"}),
        ("/losses", {"card_number": "S00000001", "kind": "loud"}),
        ("/losses", {"card_number": "S00000001", "kind": "formal", "channel": "terminal"}),
        ("/losses", {"card_number": "S00000001", "kind": "formal", "actor": "a\nb"}),
        ("/replacements", {"card_number": "S00000001"}),
        ("/replacements", {"card_number": "S00000001", "new": {"card_id": "00"}}),
        ("/freezes", {}),
        ("/freezes", {"number_from": "S00000001"}),
        ("/freezes", {"number_from": "S00000002", "number_to": "S00000001"}),
        ("/freezes/release", {"number_from": "S00000002", "number_to": "S00000001"}),
        ("/activations", {}),
        ("/activations", {"card_number": "S00000001", "channel": "centre"}),
        ("/activations", {"card_number": "S00000001", "channel": "terminal"}),
        ("/stops", {}),
        ("/stops", {"card_number": "S00000001", "channel": "phone"}),
        ("/freezes", {"card_number": "S00000001", "number_from": "A", "number_to": "B"}),
        ("/clock", {}),
        ("/clock", {"advance_seconds": -1}),
        ("/clock", {"advance_seconds": 1, "until": "2026-03-22T00:00:00+08:00"}),
        ("/clock", {"until": "2026-02-30T00:00:00+08:00"}),
        ("/clock", {"until": "2199-12-31T00:00:00Z"}),
        ("/enrolment-codes", {"institution": "short"}),
        ("/institutions", {"code": "990100000555", "name": "样本", "tier": 4}),
        ("/institutions", {"code": "990100000555", "name": "\ud800", "tier": 1}),
        ("/losses", {"card_number": "S00000001", "kind": "formal", "actor": "\ud800"}),
    ],
)
def test_what_staff_may_not_send(path: str, fields: dict[str, object], city: SampleCity) -> None:
    city.card(1)
    status, answer = staff(city, path, **fields)
    assert (status, answer["code"]) == (400, "BAD_REQUEST")


METHODS = st.sampled_from(["GET", "POST", "PUT"])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["card_id", "card_number", "number", "card", "split", "kind", "x"]),
            inner,
        )
    ),
    max_leaves=8,
)


@given(
    method=METHODS,
    index=st.integers(0, 40),
    value=JSON_VALUES,
    who=st.sampled_from(["", "terminal", "staff"]),
    data=st.data(),
)
def test_nothing_sent_makes_the_back_office_stumble(
    method: str, index: int, value: object, who: str, data: st.DataObject
) -> None:
    city = _standing_city()
    paths = [*city.api.routes, "/nowhere"]
    path = paths[index % len(paths)]
    body = data.draw(st.just(json.dumps(value).encode()) | st.binary(max_size=50))
    token = {"": "", "terminal": _TOKENS[0], "staff": ADMIN_TOKEN}[who]
    headers = {**JSON, "authorization": f"Bearer {token}"}
    reply = city.api.dispatch(Request(method, path, body, headers))
    assert reply.status < 500
    if reply.status >= 400:
        assert problem(reply).zh


_CITIES: list[SampleCity] = []
_TOKENS: list[str] = []


def _standing_city() -> SampleCity:
    """One city for all examples of the test above."""
    if not _CITIES:
        city = SampleCity(
            open_engine("sqlite://"), clock=SimulatedClock(BEGIN), random=Random(1).randbytes
        )
        city.card(1)
        _CITIES.append(city)
        _TOKENS.append(token_of(city))
    return _CITIES[0]


def test_staff_find_a_card_by_its_number_or_its_id(city: SampleCity) -> None:
    ref = city.card(1)
    for key in (CardKey(card_id=ref.card_id), CardKey(card_number=ref.card_number)):
        assert city.backoffice.staff.status(key).card == ref
    with pytest.raises(Refused):
        city.backoffice.staff.status(CardKey())
    assert staff(city, "/cards/status", card_number="S99999999")[0] == 404


def test_a_refusal_that_its_route_does_not_declare_fails_a_test_and_is_logged_elsewhere(
    city: SampleCity, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_of(city)

    def undeclared(*_: object) -> None:
        raise Refused(Refusal.NO_TARIFF)

    monkeypatch.setattr(city.backoffice.register, "find", undeclared)
    with pytest.raises(AssertionError, match="NO_TARIFF"):
        post(city, "/v1/cards/status", dump(sample_ref(1)), token)
    headers = {**JSON, "authorization": f"Bearer {token}"}
    request = Request("POST", "/v1/cards/status", dump(sample_ref(1)), headers)
    assert problem(Api(city.backoffice).dispatch(request)).code == "NO_TARIFF"
    assert "/v1/cards/status does not declare NO_TARIFF" in caplog.text
