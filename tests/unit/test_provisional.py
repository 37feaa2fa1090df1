"""A visit that was registered without the centre, settled later: once, and both sides know."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from backend_client.client import BackendClient
from backend_client.errors import Refused as RefusedByCentre
from backend_client.messages import (
    CardRef,
    ConfirmRequest,
    ProvisionalVisit,
    Settlement,
    TrialRequest,
)
from backend_client.money_messages import CancelRequest, ProvisionalUpload
from backend_client.national.envelope import PATH
from simulator.backoffice.database import open_engine
from simulator.backoffice.sample import CHILDRENS_HOSPITAL, HOSPITAL, SampleCity, sample_bill
from simulator.backoffice.seed import DEVELOPMENT_CODE
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.city import card_ref
from simulator.clock import SHANGHAI, SimulatedClock
from simulator.embedded import embedded_scene
from simulator.network import Fault
from simulator.scene import Audience, Scene
from terminal.drivers.scripted import Scripted
from terminal.outcome import Done, Outcome, Unknown
from terminal.policy import Function
from terminal.receipt import Receipt
from terminal.screens import AskAmount, Choose, Confirm, Details, ReceiptScreen, Screen
from terminal.store.journal import Kind, Operation, State

ADULT = load_profile("adult-3.0")
CARD = card_ref(ADULT)
PIN, BILL = "246810", "B2026031000001"
DAY_OF_BILL = datetime(2026, 3, 10, 9, 0, tzinfo=SHANGHAI)
PAID = 3_000


class Seen(Audience):
    def __init__(self) -> None:
        self.screens: list[Screen] = []

    def saw(self, screen: Screen) -> None:
        self.screens.append(screen)


@pytest.fixture(params=["direct", "national"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    environ = {"SSCT_SETTLEMENT_CHANNEL": request.param}
    chance = random.Random(5).randbytes
    clock = SimulatedClock(DAY_OF_BILL)
    with embedded_scene(tmp_path, clock=clock, random=chance, environ=environ) as ready:
        ready.terminal.enrol(DEVELOPMENT_CODE.code)
        assert ready.terminal.sync().error is None
        ready.audience = Seen()
        yield ready


def serve(scene: Scene, function: Function, *answers: Scripted) -> Outcome:
    chip = SimulatedCard(ADULT, random=random.Random(9).randbytes)
    return scene.serve(chip, function, *answers)


def register(scene: Scene, paid: str = "30") -> str:
    """A visit is registered with the network cut; its number. The network is back then."""
    scene.network.connected = False
    outcome = serve(scene, Function.PROVISIONAL, PIN, paid, True)
    scene.network.connected = True
    return slip(outcome).number


def slip(outcome: Outcome) -> Receipt:
    assert isinstance(outcome, Done), outcome
    assert outcome.receipt is not None
    return outcome.receipt


def asked(scene: Scene, kind: type[Screen]) -> list[Screen]:
    assert isinstance(scene.audience, Seen)
    return [screen for screen in scene.audience.screens if isinstance(screen, kind)]


def settlements(scene: Scene) -> list[Operation]:
    return [one for one in scene.terminal.journal.every() if one.kind is Kind.SETTLEMENT]


def confirm_path(scene: Scene) -> str:
    national = scene.terminal.centre.channel.name == "national"
    return f"{PATH}2207" if national else "/v1/settlements"


@pytest.mark.article(13)
def test_exactly_the_registered_visit_is_settled_and_both_sides_know(scene: Scene) -> None:
    number = register(scene)
    receipt = slip(serve(scene, Function.SETTLEMENT, PIN, BILL, number, True))
    assert number in [line.value.zh for line in receipt.lines]
    (settled,) = settlements(scene)
    assert settled.payload["provisional_number"] == number
    assert settled.result is not None
    assert settled.result["provisional_number"] == number
    (known,) = scene.terminal.client.money.records(CARD).settlements
    assert known.provisional_number == number
    assert scene.terminal.client.bills(CARD).provisional == ()
    serve(scene, Function.RECORDS, PIN)
    details = asked(scene, Details)[-1]
    assert isinstance(details, Details)
    assert number in [row.value.zh for part in details.sections for row in part.rows]


@pytest.mark.article(13)
def test_the_amounts_show_what_was_paid_then_and_what_is_left(scene: Scene) -> None:
    number = register(scene)
    serve(scene, Function.SETTLEMENT, PIN, BILL, number, True)
    shown = asked(scene, Confirm)[-1]
    assert isinstance(shown, Confirm)
    details = [row.value.zh for part in shown.sections for row in part.rows]
    assert number in details
    rows = {row.label.en: row.value.zh for row in shown.amounts}
    assert rows["Paid then"] == "¥ 30.00"
    (settled,) = settlements(scene)
    left = settled.payload["split"]["cash_fen"] - PAID
    label = "To be paid now" if left >= 0 else "To be given back"
    assert rows[label] == f"¥ {abs(left) / 100:,.2f}"


def test_a_visit_that_waits_here_is_handed_in_before_bills_are_asked_for(scene: Scene) -> None:
    number = register(scene)
    assert scene.terminal.outbox.waiting().count == 1
    slip(serve(scene, Function.SETTLEMENT, PIN, BILL, number, True))
    assert scene.terminal.outbox.waiting().count == 0


def test_a_bill_of_another_visit_is_settled_alone(scene: Scene) -> None:
    number = register(scene)
    slip(serve(scene, Function.SETTLEMENT, PIN, BILL, "none", True))
    (settled,) = settlements(scene)
    assert settled.payload["provisional_number"] is None
    assert [each.number for each in scene.terminal.client.bills(CARD).provisional] == [number]
    without_bill = serve(scene, Function.SETTLEMENT, PIN)
    assert isinstance(without_bill, Done)
    assert "registered" in without_bill.text.en


def test_who_takes_the_settlement_back_finds_the_visit_open_again(scene: Scene) -> None:
    number = register(scene)
    done = slip(serve(scene, Function.SETTLEMENT, PIN, BILL, number, True))
    slip(serve(scene, Function.CANCELLATION, PIN, done.number, True))
    assert [each.number for each in scene.terminal.client.bills(CARD).provisional] == [number]
    slip(serve(scene, Function.SETTLEMENT, PIN, BILL, number, True))


def amounts_of(receipt: Receipt) -> dict[str, str]:
    return {line.label.en: line.value.en for line in receipt.lines}


@pytest.mark.parametrize("paid", ["30", "0", "9999"])
def test_what_was_paid_at_the_visit_is_given_back_by_nobody_twice(scene: Scene, paid: str) -> None:
    """It stays paid for the visit, and counts when that is settled again."""
    number = register(scene, paid)
    done = slip(serve(scene, Function.SETTLEMENT, PIN, BILL, number, True))
    (settled,) = settlements(scene)
    left = settled.payload["split"]["cash_fen"] - int(paid) * 100
    shown = f"¥ {abs(left) / 100:,.2f}"
    now = "To be paid now" if left >= 0 else "To be given back"
    assert amounts_of(done)["Paid then"] == f"¥ {int(paid):,}.00"
    assert amounts_of(done)[now] == shown
    back = slip(serve(scene, Function.CANCELLATION, PIN, done.number, True))
    undone = "To be given back now" if left >= 0 else "To be handed back by you"
    assert amounts_of(back)[undone] == shown
    confirmed = asked(scene, Confirm)[-1]
    assert isinstance(confirmed, Confirm)
    assert {row.label.en: row.value.zh for row in confirmed.amounts}[undone] == shown
    again = slip(serve(scene, Function.SETTLEMENT, PIN, BILL, number, True))
    assert amounts_of(again)[now] == shown


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name)
def test_whatever_is_lost_the_visit_is_settled_once(scene: Scene, fault: Fault) -> None:
    number = register(scene)
    scene.network.fail(confirm_path(scene), fault)
    if not isinstance(serve(scene, Function.SETTLEMENT, PIN, BILL, number, True), Done):
        assert [each.number for each in scene.terminal.client.bills(CARD).provisional] == [number]
        slip(serve(scene, Function.SETTLEMENT, PIN, BILL, number, True))
    (known,) = scene.terminal.client.money.records(CARD).settlements
    assert known.provisional_number == number
    states = [one.state for one in settlements(scene)]
    assert states.count(State.CONFIRMED) == 1
    assert all(not state.is_open for state in states)


def test_an_unknown_settlement_of_the_visit_is_found_with_its_number(scene: Scene) -> None:
    number = register(scene)
    scene.network.fail(confirm_path(scene), Fault.ANSWER_LOST)
    national = scene.terminal.centre.channel.name == "national"
    query = f"{PATH}5203" if national else "/v1/operations/query"
    scene.network.fail(query, *[Fault.REQUEST_LOST] * 3)
    assert isinstance(serve(scene, Function.SETTLEMENT, PIN, BILL, number, True), Unknown)
    scene.terminal.resolve_unknown()
    serve(scene, Function.RECORDS, PIN)
    told = [screen.receipt for screen in asked(scene, ReceiptScreen)]  # type: ignore[union-attr]
    assert number in [line.value.zh for line in told[-1].lines]


def test_an_upload_again_is_the_same_visit(scene: Scene) -> None:
    register(scene)
    scene.network.fail("/v1/visits/provisional", *[Fault.ANSWER_LOST] * 3)
    scene.terminal.upload()
    assert scene.terminal.upload().waiting == 0
    assert len(scene.terminal.client.bills(CARD).provisional) == 1


def test_what_is_no_amount_is_asked_for_again(scene: Scene) -> None:
    scene.network.connected = False
    slip(serve(scene, Function.PROVISIONAL, PIN, "abc", "99999999", "12.5", True))
    notes = [screen.note for screen in asked(scene, AskAmount)]  # type: ignore[union-attr]
    assert [note is None for note in notes] == [True, False, False]
    (registered,) = scene.terminal.journal.every()
    assert registered.payload["paid_fen"] == 1_250


def test_a_bill_of_an_earlier_day_is_no_bill_of_the_visit(scene: Scene) -> None:
    scene.wait_until(DAY_OF_BILL.replace(day=11))
    assert scene.terminal.sync().error is None
    register(scene)
    slip(serve(scene, Function.SETTLEMENT, PIN, BILL, True))
    assert [screen.title.en for screen in asked(scene, Choose)] == [  # type: ignore[union-attr]
        "Which bill do you want to settle?"
    ]


# At the back office


@pytest.fixture
def city(database_url: str) -> Iterator[SampleCity]:
    clock = SimulatedClock(DAY_OF_BILL)
    city = SampleCity(open_engine(database_url), clock=clock, random=random.Random(1).randbytes)
    yield city
    city.backoffice.close()


def upload(city: SampleCity, client: BackendClient, ref: CardRef) -> ProvisionalVisit:
    number = city.number()
    client.money.upload_provisional(ProvisionalUpload(number, ref, city.backoffice.now(), PAID))
    return ProvisionalVisit(number, HOSPITAL, city.backoffice.now(), PAID)


def settle(
    city: SampleCity, client: BackendClient, ref: CardRef, bill: str, visit: str | None
) -> Settlement:
    tried = client.trial(TrialRequest(city.number(), ref, bill, 1_000, visit))
    return client.confirm(ConfirmRequest(tried.number, ref, bill, tried.split, visit))


def refusal(call: object, *arguments: object) -> str:
    assert callable(call)
    with pytest.raises(RefusedByCentre) as caught:
        call(*arguments)
    return caught.value.problem.code


def test_a_second_settlement_of_the_visit_is_refused_until_the_first_is_undone(
    city: SampleCity,
) -> None:
    ref = city.card(1, bills=[sample_bill("B1", 1_000), sample_bill("B2", 1_000)])
    one, two = city.terminal(), city.terminal()
    visit = upload(city, one, ref)
    assert two.bills(ref).provisional == (visit,)
    late = two.trial(TrialRequest(city.number(), ref, "B2", 1_000, visit.number))
    assert late.provisional == visit
    first = settle(city, one, ref, "B1", visit.number)
    confirm = ConfirmRequest(late.number, ref, "B2", late.split, visit.number)
    assert refusal(two.confirm, confirm) == "PROVISIONAL_SETTLED"
    assert refusal(settle, city, two, ref, "B2", visit.number) == "PROVISIONAL_SETTLED"
    assert [bill.bill_id for bill in two.bills(ref).bills] == ["B2"]
    one.money.cancel(CancelRequest(city.number(), ref, first.number, first.settlement_id))
    assert settle(city, two, ref, "B2", visit.number).provisional_number == visit.number


def test_a_reversed_settlement_opens_the_visit_again(city: SampleCity) -> None:
    ref = city.card(1, bills=[sample_bill("B1", 1_000)])
    client = city.terminal()
    visit = upload(city, client, ref)
    client.reverse(settle(city, client, ref, "B1", visit.number).number)
    assert client.bills(ref).provisional == (visit,)


def test_a_confirm_names_the_visit_of_its_trial(city: SampleCity) -> None:
    ref = city.card(1, bills=[sample_bill("B1", 1_000)])
    client = city.terminal()
    visit = upload(city, client, ref)
    tried = client.trial(TrialRequest(city.number(), ref, "B1", 1_000, visit.number))
    confirm = ConfirmRequest(tried.number, ref, "B1", tried.split, None)
    assert refusal(client.confirm, confirm) == "SPLIT_DIFFERS"


def test_whose_and_where_the_visit_was_is_checked(city: SampleCity) -> None:
    elsewhere = sample_bill("B3", 1_000, institution=CHILDRENS_HOSPITAL)
    ref = city.card(1, bills=[sample_bill("B1", 1_000), elsewhere])
    other = city.card(2, bills=[sample_bill("B2", 1_000)])
    client = city.terminal()
    visit = upload(city, client, ref)
    assert refusal(settle, city, client, other, "B2", visit.number) == "PROVISIONAL_UNKNOWN"
    assert refusal(settle, city, client, ref, "B3", visit.number) == "PROVISIONAL_DIFFERS"
    assert refusal(settle, city, client, ref, "B1", city.number()) == "PROVISIONAL_UNKNOWN"
    assert client.bills(other).provisional == ()
