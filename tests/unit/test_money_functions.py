"""Taking back a settlement, contributions, benefits, records: over both channels, once each."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend_client.errors import Refused as RefusedByCentre
from backend_client.messages import CardRef
from backend_client.money_messages import (
    BenefitConfirmation,
    CancelRequest,
    ContributionRequest,
)
from backend_client.national.envelope import PATH
from simulator.backoffice.seed import DEVELOPMENT_CODE
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.city import card_ref
from simulator.clock import SimulatedClock
from simulator.embedded import embedded_scene
from simulator.network import Fault
from simulator.scene import Audience, Scene
from simulator.story import BEGINS
from terminal.drivers.scripted import Scripted
from terminal.outcome import Done, Outcome, Refused, Stopped, Unknown
from terminal.policy import Function
from terminal.receipt import Receipt
from terminal.screens import Details, ReceiptScreen, Screen
from terminal.store.journal import Evidence, Kind, State
from terminal.text import Text

ADULT = load_profile("adult-3.0")
CARD = card_ref(ADULT)
PIN, BILL, BILL_FEN = "246810", "B2026031000001", 25020
DUE, BENEFIT = "C202602P01", "W202602001"


@pytest.fixture(params=["direct", "national"])
def scene(
    request: pytest.FixtureRequest, tmp_path: Path, stored_database_url: str
) -> Iterator[Scene]:
    environ = {"SSCT_SETTLEMENT_CHANNEL": request.param}
    chance = random.Random(5).randbytes
    with embedded_scene(
        tmp_path,
        database_url=stored_database_url,
        clock=SimulatedClock(BEGINS),
        random=chance,
        environ=environ,
    ) as ready:
        ready.terminal.enrol(DEVELOPMENT_CODE.code)
        assert ready.terminal.sync().error is None
        ready.network.paths.clear()
        yield ready


class Seen(Audience):
    def __init__(self) -> None:
        self.screens: list[Screen] = []

    def saw(self, screen: Screen) -> None:
        self.screens.append(screen)


def chip() -> SimulatedCard:
    return SimulatedCard(ADULT, random=random.Random(9).randbytes)


def serve(scene: Scene, function: Function, *answers: Scripted) -> Outcome:
    return scene.serve(chip(), function, *answers)


def settled(scene: Scene) -> str:
    outcome = serve(scene, Function.SETTLEMENT, PIN, BILL, True)
    assert isinstance(outcome, Done)
    assert outcome.receipt is not None
    return outcome.receipt.number


def money(scene: Scene) -> int:
    account = scene.terminal.client.account(CARD)
    return account.current_account_fen + account.past_accounts_fen


def cancel_path(scene: Scene) -> str:
    national = scene.terminal.centre.channel.name == "national"
    return f"{PATH}2208" if national else "/v1/settlements/cancel"


@pytest.mark.article(5)
def test_a_settlement_is_taken_back_and_the_bill_is_open_again(scene: Scene) -> None:
    before = money(scene)
    number = settled(scene)
    outcome = serve(scene, Function.CANCELLATION, PIN, number, True)
    assert isinstance(outcome, Done)
    assert outcome.receipt is not None
    assert {line.label.en for line in outcome.receipt.lines} >= {
        "Taken back in all",
        "To be given back to you",
    }
    assert money(scene) == before
    assert [bill.bill_id for bill in scene.terminal.client.bills(CARD).bills] == [BILL]
    operation = scene.terminal.journal.find(outcome.receipt.number)
    assert operation is not None
    assert (operation.kind, operation.state) == (Kind.CANCELLATION, State.CONFIRMED)
    nothing_left = serve(scene, Function.CANCELLATION, PIN)
    assert isinstance(nothing_left, Done)
    assert nothing_left.receipt is None
    settled(scene)
    assert len(scene.terminal.journal.settled(CARD.card_id)) == 1


def test_who_does_not_agree_takes_nothing_back(scene: Scene) -> None:
    number = settled(scene)
    after = money(scene)
    assert isinstance(serve(scene, Function.CANCELLATION, PIN, number, False), Stopped)
    assert money(scene) == after
    assert scene.terminal.journal.open_operations() == ()
    assert scene.terminal.client.bills(CARD).bills == ()


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name)
def test_whatever_is_lost_a_settlement_is_taken_back_once(scene: Scene, fault: Fault) -> None:
    before = money(scene)
    number = settled(scene)
    scene.network.fail(cancel_path(scene), fault)
    outcome = serve(scene, Function.CANCELLATION, PIN, number, True)
    assert scene.terminal.journal.open_operations() == ()
    if not isinstance(outcome, Done):
        assert fault in (Fault.REFUSED_CONNECTION, Fault.REQUEST_LOST)
        if isinstance(outcome, Refused):
            assert outcome.advice is not None
            assert "settlement stands" in outcome.advice.en
        assert money(scene) < before
        assert isinstance(serve(scene, Function.CANCELLATION, PIN, number, True), Done)
    assert money(scene) == before
    lines = scene.terminal.client.money.lines(BEGINS.date())
    assert [line.refund for line in lines] == [False, True]


def test_an_unknown_cancellation_blocks_and_is_told_when_it_is_known(scene: Scene) -> None:
    before = money(scene)
    number = settled(scene)
    scene.network.fail(cancel_path(scene), Fault.ANSWER_LOST)
    query = f"{PATH}5203" if PATH in cancel_path(scene) else "/v1/money/query"
    scene.network.fail(query, *[Fault.REQUEST_LOST] * 3)
    assert isinstance(serve(scene, Function.CANCELLATION, PIN, number, True), Unknown)
    assert scene.terminal.journal.settled(CARD.card_id) == ()
    scene.audience = seen = Seen()
    serve(scene, Function.RECORDS, PIN)
    scene.terminal.resolve_unknown()
    assert money(scene) == before
    serve(scene, Function.RECORDS, PIN)
    receipts = [screen.receipt for screen in seen.screens if isinstance(screen, ReceiptScreen)]
    assert [receipt.title.en for receipt in receipts] == ["Cancellation receipt"]


def test_a_reversal_after_a_cancellation_gives_nothing_back_twice(scene: Scene) -> None:
    before = money(scene)
    number = settled(scene)
    serve(scene, Function.CANCELLATION, PIN, number, True)
    scene.terminal.client.reverse(number)
    assert money(scene) == before


def test_only_the_terminal_and_the_card_that_settled_take_it_back(scene: Scene) -> None:
    number = settled(scene)
    operation = scene.terminal.journal.find(number)
    assert operation is not None
    assert operation.result is not None
    other = CardRef(load_profile("child").card.card_id.hex(), load_profile("child").card.number)
    mine = scene.terminal.journal.reserve(1)[0]
    request = CancelRequest(mine, other, number, operation.result["settlement_id"])
    with pytest.raises(RefusedByCentre) as caught:
        scene.terminal.client.money.cancel(request)
    assert caught.value.problem.code == "SETTLEMENT_UNKNOWN"


# Contributions and benefits


@pytest.mark.article(5)
def test_a_contribution_is_paid_once_and_counts(scene: Scene) -> None:
    before = scene.terminal.client.account(CARD)
    outcome = serve(scene, Function.CONTRIBUTION, PIN, DUE, True)
    assert isinstance(outcome, Done)
    assert isinstance(outcome.receipt, Receipt)
    said = {line.label.en: line.value for line in outcome.receipt.lines}
    assert said["Insurance"] == Text("养老保险", "Pension insurance")
    left = scene.terminal.client.money.contribution_bills(CARD).bills
    assert [bill.bill_id for bill in left] == ["C202602M01"]
    after = scene.terminal.client.account(CARD)
    paid = {(c.month, c.kind) for c in after.contributions}
    assert ("2026-02", "pension") in paid
    months = {i.kind: i.months_paid for i in after.insurances}
    were = {i.kind: i.months_paid for i in before.insurances}
    assert months["pension"] - were["pension"] in (0, 1)


def test_a_contribution_whose_amount_changed_is_refused(scene: Scene) -> None:
    number = scene.terminal.journal.reserve(1)[0]
    with pytest.raises(RefusedByCentre) as caught:
        scene.terminal.client.money.pay_contribution(ContributionRequest(number, CARD, DUE, 98_641))
    assert caught.value.problem.code == "CONTRIBUTION_CHANGED"
    assert len(scene.terminal.client.money.contribution_bills(CARD).bills) == 2


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name)
@pytest.mark.parametrize(
    ("function", "path", "what"),
    [
        (Function.CONTRIBUTION, "/v1/contributions", DUE),
        (Function.BENEFITS, "/v1/benefits/confirm", BENEFIT),
    ],
)
def test_whatever_is_lost_it_is_done_once(
    scene: Scene, function: Function, path: str, what: str, fault: Fault
) -> None:
    scene.network.fail(path, fault)
    outcome = serve(scene, function, PIN, what, True)
    assert scene.terminal.journal.open_operations() == ()
    if isinstance(outcome, Refused) or not isinstance(outcome, Done):
        assert isinstance(serve(scene, function, PIN, what, True), Done)
    left = {bill.bill_id for bill in scene.terminal.client.money.contribution_bills(CARD).bills}
    left |= {
        each.benefit_id
        for each in scene.terminal.client.money.benefits(CARD).benefits
        if each.confirmed_at is None
    }
    assert what not in left


@pytest.mark.article(5)
def test_the_receipt_of_a_benefit_is_confirmed_once(scene: Scene) -> None:
    outcome = serve(scene, Function.BENEFITS, PIN, BENEFIT, True)
    assert isinstance(outcome, Done)
    assert outcome.receipt is not None
    (benefit,) = scene.terminal.client.money.benefits(CARD).benefits
    assert benefit.confirmed_at == BEGINS
    again = BenefitConfirmation(
        scene.terminal.journal.reserve(1)[0], CARD, BENEFIT, benefit.amount_fen
    )
    with pytest.raises(RefusedByCentre) as caught:
        scene.terminal.client.money.confirm_benefit(again)
    assert caught.value.problem.code == "BENEFIT_CONFIRMED"
    seen_all = serve(scene, Function.BENEFITS, PIN)
    assert isinstance(seen_all, Done)
    assert seen_all.receipt is None


def test_what_was_paid_is_not_undone_by_its_number(scene: Scene) -> None:
    outcome = serve(scene, Function.CONTRIBUTION, PIN, DUE, True)
    assert isinstance(outcome, Done)
    assert outcome.receipt is not None
    with pytest.raises(RefusedByCentre) as caught:
        scene.terminal.client.reverse(outcome.receipt.number)
    assert caught.value.problem.code == "OPERATION_STANDS"
    operation = scene.terminal.journal.find(outcome.receipt.number)
    assert operation is not None
    assert operation.evidence is Evidence.ANSWER


# Records


@pytest.mark.article(4)
def test_the_holder_sees_what_was_settled_and_what_was_taken_back(scene: Scene) -> None:
    number = settled(scene)
    serve(scene, Function.CANCELLATION, PIN, number, True)
    settled(scene)
    scene.audience = seen = Seen()
    assert isinstance(serve(scene, Function.RECORDS, PIN), Done)
    (details,) = [screen for screen in seen.screens if isinstance(screen, Details)]
    assert [len(section.rows) for section in details.sections] == [3, 4]
