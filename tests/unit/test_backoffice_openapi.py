"""The description of the interface: valid, whole, of the contract's own schemas, and a page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from random import Random
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from schemathesis.specs.openapi.definitions import OPENAPI_31

from backend_client.codec import encode
from backend_client.messages import CardRef, EnrolmentRequest, Role
from backend_client.transport import Reply, Request
from backend_client.validation import load_schemas
from simulator.backoffice.database import open_engine
from simulator.backoffice.openapi import component, describe
from simulator.backoffice.routes import Who
from simulator.backoffice.sample import HOSPITAL, SampleCity
from simulator.backoffice.terminals import ROLES, Task
from simulator.backoffice.wording import WORDING
from simulator.clock import SHANGHAI, SimulatedClock

BEGIN = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)
JSON = {"content-type": "application/json"}


@pytest.fixture
def city() -> Iterator[SampleCity]:
    city = SampleCity(
        open_engine("sqlite://"), clock=SimulatedClock(BEGIN), random=Random(1).randbytes
    )
    yield city
    city.backoffice.close()


def get(city: SampleCity, path: str) -> Reply:
    return city.api.dispatch(Request("GET", path))


def served(city: SampleCity) -> dict[str, Any]:
    reply = get(city, "/openapi.json")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    document: dict[str, Any] = json.loads(reply.body)
    return document


def found(document: dict[str, Any], reference: str) -> object:
    """What a `$ref` leads to."""
    node: Any = document
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


def references(node: object) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from references(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)


def test_it_is_openapi_3_1(city: SampleCity) -> None:
    document = served(city)
    Draft202012Validator(OPENAPI_31).validate(document)
    assert not Draft202012Validator(OPENAPI_31).is_valid({**document, "info": {}})


def test_every_reference_leads_somewhere(city: SampleCity) -> None:
    document = served(city)
    leading = set(references(document))
    assert "#/components/schemas/card-ref" in leading
    for reference in leading:
        assert found(document, reference)


def test_every_schema_of_the_contract_is_there_and_says_the_same(city: SampleCity) -> None:
    document = served(city)
    for urn, schema in load_schemas().items():
        described = document["components"]["schemas"][component(urn)]
        assert described.get("properties", {}).keys() == schema.get("properties", {}).keys()
        assert described.get("$defs", {}).keys() == schema.get("$defs", {}).keys()
        assert described["description"] == schema["description"]
    ref = CardRef("00112233445566778899aabbccddeeff", "A12345678")
    checking = Draft202012Validator({**document, "$ref": "#/components/schemas/card-ref"})
    assert checking.is_valid(encode(ref))
    assert not checking.is_valid({**encode(ref), "card_number": "short"})


def test_every_route_is_there_with_every_refusal_by_its_status(city: SampleCity) -> None:
    paths = served(city)["paths"]
    assert paths.keys() == city.api.routes.keys()
    for path, route in city.api.routes.items():
        operation = paths[path][route.method.lower()]
        codes = {}
        for status, response in operation["responses"].items():
            if status == "200":
                continue
            (schema,) = [each["schema"] for each in response["content"].values()]
            narrowed = schema["allOf"][1]["properties"]
            assert narrowed["status"] == {"const": int(status)}
            codes.update(dict.fromkeys(narrowed["code"]["enum"], int(status)))
        assert codes == {r.value: int(WORDING[r].status) for r in route.refusals}
        assert ("requestBody" in operation) is (route.takes is not None)
        assert operation["summary"]


def test_it_says_what_to_show_and_which_roles_may(city: SampleCity) -> None:
    paths = served(city)["paths"]
    assert paths["/v1/time"]["get"]["security"] == []
    assert paths["/v1/activations"]["post"]["security"] == [{"terminalToken": []}]
    assert paths["/admin/v1/losses"]["post"]["security"] == [{"staffToken": []}]
    assert "kiosk" in paths["/v1/activations"]["post"]["x-roles"]
    with_tls = describe(city.api.routes, mutual_tls=True)
    Draft202012Validator(OPENAPI_31).validate(with_tls)
    assert with_tls["paths"]["/v1/activations"]["post"]["security"] == [
        {"terminalToken": [], "terminalCertificate": []}
    ]


MAY: Mapping[Role, frozenset[Task]] = {
    "developer": frozenset(Task),
    "kiosk": frozenset(Task) - {Task.TRANSIT},
    "hospital": frozenset(Task) - {Task.ACTIVATION, Task.LIFE, Task.TRANSIT},
    "gate": frozenset({Task.STATUS, Task.BLACKLIST, Task.TRANSIT}),
}


@pytest.mark.parametrize("role", MAY)
def test_each_role_may_use_exactly_the_routes_that_are_for_it(role: Role, city: SampleCity) -> None:
    paths = served(city)["paths"]
    code, _ = city.backoffice.staff.create_enrolment_code(HOSPITAL, None, role)
    identity = city.client(None).enrol(EnrolmentRequest(code, ROLES[role].profile))
    assert identity.role == role
    tried = 0
    for path, route in city.api.routes.items():
        if route.who is not Who.TERMINAL:
            continue
        headers = {**JSON, "authorization": f"Bearer {identity.token}"}
        reply = city.api.dispatch(Request(route.method, path, b"{}", headers))
        allowed = route.task is None or route.task in MAY[role]
        described = paths[path][route.method.lower()].get("x-roles")
        assert route.task is None or (role in described) is allowed
        refused = reply.status == 403 and json.loads(reply.body)["code"] == "ROLE_NOT_ALLOWED"
        assert refused is not allowed, path
        tried += 1
    assert tried > 10


def test_the_page_names_everything_and_asks_nobody(city: SampleCity) -> None:
    reply = get(city, "/docs")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")
    page = reply.body.decode()
    for path, route in city.api.routes.items():
        assert f"{route.method} {path}<" in page
    for refusal in city.api.routes["/v1/settlements"].refusals:
        assert refusal.value in page
        assert WORDING[refusal].zh in page
    for urn in load_schemas():
        assert f'id="shape-{component(urn)}"' in page
    assert not re.search(r"<(script|img|link|iframe)|url\(|@import|(src|href)=.https?:", page)
