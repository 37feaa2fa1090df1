"""Bills that a hospital hands in through the staff's interface, for holders to settle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from random import Random
from typing import Any

import pytest

from backend_client.transport import Request
from simulator.backoffice.database import open_engine
from simulator.backoffice.sample import ADMIN_TOKEN, HOSPITAL, SampleCity, sample_ref
from simulator.clock import SHANGHAI, SimulatedClock

BEGIN = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)
CARD = sample_ref(1)
LINES = [
    {"code": "110200001", "name": "门诊诊查费", "quantity": 1, "unit_price_fen": 2500},
    {"code": "X1", "name": "眼镜", "quantity": 2, "unit_price_fen": 1000, "is_covered": False},
]


@pytest.fixture
def city(database_url: str) -> Iterator[SampleCity]:
    city = SampleCity(
        open_engine(database_url), clock=SimulatedClock(BEGIN), random=Random(1).randbytes
    )
    city.card(1)
    yield city
    city.backoffice.close()


def hand_in(city: SampleCity, **changes: object) -> tuple[int, dict[str, Any]]:
    fields = {
        "card_number": CARD.card_number,
        "institution": HOSPITAL,
        "department": "眼科",
        "lines": LINES,
        **changes,
    }
    headers = {"content-type": "application/json", "authorization": f"Bearer {ADMIN_TOKEN}"}
    body = json.dumps(fields).encode()
    reply = city.api.dispatch(Request("POST", "/admin/v1/bills", body, headers))
    answer: dict[str, Any] = json.loads(reply.body)
    return reply.status, answer


def test_a_bill_is_handed_in_and_tried(city: SampleCity) -> None:
    status, made = hand_in(city)
    assert (status, made["total_fen"]) == (200, 4_500)
    client = city.terminal()
    (bill,) = [each for each in client.bills(CARD).bills if each.bill_id == made["bill_id"]]
    assert (bill.date, bill.department, bill.institution) == (BEGIN.date(), "眼科", HOSPITAL)
    assert bill.adds_up()


def test_every_bill_has_a_number_of_its_own(city: SampleCity) -> None:
    days = ["2026-03-10", "2026-03-10", "2026-03-16", "2026-03-10"]
    made = [hand_in(city, date=day)[1]["bill_id"] for day in days]
    assert len(set(made)) == len(days)
    assert [each[1:9] for each in made] == [day.replace("-", "") for day in days]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"card_number": "A00000000"}, 404, "CARD_UNKNOWN"),
        ({"institution": "999999999999"}, 404, "INSTITUTION_UNKNOWN"),
        ({"lines": []}, 400, "BAD_REQUEST"),
        ({"date": "2026-02-30"}, 400, "BAD_REQUEST"),
        ({"lines": [{**LINES[0], "unit_price_fen": -1}]}, 400, "BAD_REQUEST"),
        ({"lines": [{**LINES[0], "quantity": 0}]}, 400, "BAD_REQUEST"),
        ({"lines": [{**LINES[0], "unit_price_fen": "25"}]}, 400, "BAD_REQUEST"),
    ],
)
def test_what_is_no_bill_is_refused(
    city: SampleCity, changes: dict[str, object], status: int, code: str
) -> None:
    answered, problem = hand_in(city, **changes)
    assert (answered, problem["code"]) == (status, code)
