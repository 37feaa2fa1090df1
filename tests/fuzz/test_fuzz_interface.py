"""What the description of the interface says is what the back office does, whatever is asked.

Requests are made from the OpenAPI document that the back office serves: well-formed ones, ones that
break it, and well-formed ones about cards and bills that there are. No answer is a 5xx, and none
has a status, a media type, a header or a body that is not declared. SSCT_FUZZ_REQUESTS sets how
many requests each route gets from each caller; a run that sets it asks over PostgreSQL too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime
from functools import cache
from random import Random
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.schemas import BaseSchema
from starlette.types import Receive, Scope, Send

from backend_client.codec import encode
from backend_client.life_messages import Proof
from simulator.backoffice.application import Cause
from simulator.backoffice.asgi import application
from simulator.backoffice.database import open_engine
from simulator.backoffice.sample import ADMIN_TOKEN, HOSPITAL, SampleCity, sample_bill, sample_ref
from simulator.backoffice.staff import CardKey
from simulator.clock import SHANGHAI, SimulatedClock

REQUESTS = int(os.environ.get("SSCT_FUZZ_REQUESTS", "8"))
DATABASES = ("sqlite", "postgresql") if "SSCT_FUZZ_REQUESTS" in os.environ else ("sqlite",)
Case = schemathesis.Case[Any]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
BEGIN = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)
WHO = ("nobody", "terminal", "staff")
KNOWN = {
    "institution": HOSPITAL,
    "bill_id": "B1",
    "total_fen": 5000,
    "card": encode(sample_ref(1)),
    "new": encode(sample_ref(2)),
    "proof": encode(Proof(card=sample_ref(1))),
    "application_id": "A00000001",
    "point": "POINT-1",
    "pick_up": "POINT-2",
    "bank": "SAMPLE-BANK-1",
    **encode(sample_ref(1)),
}


class Present:
    """The web application of the city that is there now."""

    city: SampleCity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await application(self.city.api)(scope, receive, send)


def new_city(url: str = "sqlite://") -> SampleCity:
    city = SampleCity(open_engine(url), clock=SimulatedClock(BEGIN), random=Random(1).randbytes)
    city.card(1, current_fen=100_000, bills=[sample_bill("B1", 5000)])
    city.backoffice.clerks.apply_for(CardKey(sample_ref(1).card_id), Cause.NAME)
    return city


PRESENT = Present()
PRESENT.city = new_city()
ROUTES = sorted(PRESENT.city.api.routes)


@cache
def description() -> BaseSchema:
    """What the back office says of itself."""
    return schemathesis.openapi.from_asgi("/openapi.json", PRESENT)


def requests(path: str, mode: GenerationMode) -> SearchStrategy[Case]:
    """Requests to a route that keep to its description, or break it."""
    (operation,) = description()[path].values()
    made: SearchStrategy[Case] = operation.as_strategy(generation_mode=mode)
    return made


def about_what_there_is(case: Case) -> None:
    """Put the card, the bill and the institution of the city into a request."""
    case.headers.pop("Idempotency-Key", None)
    if isinstance(case.body, dict):
        body: dict[str, Any] = deepcopy(case.body)
        body.update({name: value for name, value in KNOWN.items() if name in body})
        if isinstance(body.get("number"), str):
            body["number"] = HOSPITAL + body["number"][len(HOSPITAL) :]
        case.body = body


@pytest.fixture
def city(database_url: str) -> Iterator[SampleCity]:
    with (city := new_city(database_url)).backoffice:
        PRESENT.city = city
        yield city


@pytest.mark.parametrize("new_database", DATABASES, indirect=True)
@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("path", ROUTES)
def test_every_answer_is_declared(path: str, who: str, city: SampleCity) -> None:
    shown = {"nobody": "", "terminal": city.enrolled("kiosk").token, "staff": ADMIN_TOKEN}[who]
    headers = {"authorization": f"Bearer {shown}"} if shown else {}
    # Who is not let in gets few answers, and a few requests find them.
    is_let_in = city.api.routes[path].who.value in (who, "anybody")

    @given(requests(path, GenerationMode.POSITIVE) | requests(path, GenerationMode.NEGATIVE))
    @settings(
        max_examples=REQUESTS if is_let_in else max(1, REQUESTS // 4),
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def asked(case: Case) -> None:
        case.call_and_validate(headers=headers, checks=CHECKS)
        about_what_there_is(case)
        case.call_and_validate(headers=headers, checks=CHECKS)

    asked()
