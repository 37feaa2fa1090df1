"""Settlements at the back office: trial, confirm, reversal, accepted once, to the fen."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend_client.client import BackendClient
from backend_client.codec import dump
from backend_client.errors import Refused
from backend_client.messages import (
    ActivationRequest,
    CardRef,
    ConfirmRequest,
    OperationQuery,
    Settlement,
    Trial,
    TrialRequest,
)
from simulator.backoffice.bills import MAX_SHOWN
from simulator.backoffice.database import Database, open_engine
from simulator.backoffice.errors import Refused as RefusedHere
from simulator.backoffice.operations import Operations
from simulator.backoffice.records import InsuranceRecord
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.sample import CHILDRENS_HOSPITAL, HOSPITAL, SampleCity, sample_bill
from simulator.backoffice.schema import Institution, Operation, Terminal
from simulator.backoffice.staff import CardKey
from simulator.backoffice.terminals import ROLES, Caller
from simulator.backoffice.vault import Vault
from simulator.clock import SHANGHAI, SimulatedClock

BEGIN = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)


def new_city(url: str = "sqlite://") -> SampleCity:
    return SampleCity(open_engine(url), clock=SimulatedClock(BEGIN), random=Random(1).randbytes)


@pytest.fixture
def city(database_url: str) -> Iterator[SampleCity]:
    city = new_city(database_url)
    yield city
    city.backoffice.close()


def trial(client: BackendClient, ref: CardRef, number: str, bill: str, total: int) -> Trial:
    return client.trial(TrialRequest(number, ref, bill, total))


def confirmation(ref: CardRef, tried: Trial) -> ConfirmRequest:
    return ConfirmRequest(tried.number, ref, tried.bill_id, tried.split)


def settle(client: BackendClient, ref: CardRef, number: str, bill: str, total: int) -> Settlement:
    return client.confirm(confirmation(ref, trial(client, ref, number, bill, total)))


def refusal(call: object, *arguments: object) -> str:
    assert callable(call)
    with pytest.raises(Refused) as caught:
        call(*arguments)
    return caught.value.problem.code


def balances(client: BackendClient, ref: CardRef) -> tuple[int, int]:
    overview = client.account(ref)
    return overview.current_account_fen, overview.past_accounts_fen


@pytest.mark.article(5)
def test_a_bill_is_settled_from_trial_to_balance(city: SampleCity) -> None:
    ref = city.card(
        1, current_fen=30_000, past_fen=20_000, bills=[sample_bill("B1", 100_000, uncovered_fen=50)]
    )
    client, number = city.terminal(), city.number()
    tried = trial(client, ref, number, "B1", 100_050)
    # 300 from this year's account, 500 deductible of which 200 from past years', 200 shared at 70 %
    split = tried.split
    assert (split.current_account_fen, split.past_accounts_fen) == (30_000, 20_000)
    assert (split.fund_fen, split.cash_fen) == (14_000, 36_050)
    assert tried.valid_until == BEGIN + timedelta(minutes=15)
    assert balances(client, ref) == (30_000, 20_000)
    settled = client.confirm(confirmation(ref, tried))
    assert settled.split == split
    assert (settled.current_account_after_fen, settled.past_accounts_after_fen) == (0, 0)
    assert balances(client, ref) == (0, 0)
    assert client.bills(ref).bills == ()


def test_the_years_deductible_is_used_up_across_bills(city: SampleCity) -> None:
    ref = city.card(1, bills=[sample_bill("B1", 40_000), sample_bill("B2", 40_000)])
    client = city.terminal()
    assert settle(client, ref, city.number(), "B1", 40_000).split.cash_fen == 40_000
    second = settle(client, ref, city.number(), "B2", 40_000).split
    assert (second.fund_fen, second.cash_fen) == (21_000, 19_000)  # 100 deductible, 300 at 70 %


def test_the_years_ceiling_is_used_up_across_bills_and_given_back(city: SampleCity) -> None:
    ceiling, deductible = 65_000_000, 50_000
    bills = [
        sample_bill("B1", ceiling + deductible),
        sample_bill("B2", 10_000),
        sample_bill("B3", deductible),
    ]
    ref, client, number = city.card(1, bills=bills), city.terminal(), city.number()
    settle(client, ref, number, "B1", ceiling + deductible)
    above = trial(client, ref, city.number(), "B2", 10_000).split
    assert (above.fund_fen, above.supplementary_fen, above.cash_fen) == (0, 8_000, 2_000)
    client.reverse(number)
    settle(client, ref, city.number(), "B3", deductible)
    below = trial(client, ref, city.number(), "B2", 10_000).split
    assert (below.fund_fen, below.supplementary_fen, below.cash_fen) == (7_000, 0, 3_000)


def test_a_new_medical_year_begins_a_new_deductible(city: SampleCity) -> None:
    ref = city.card(1, bills=[sample_bill("B1", 60_000), sample_bill("B2", 60_000)])
    client = city.terminal()
    settle(client, ref, city.number(), "B1", 60_000)
    city.clock.advance(datetime(2026, 7, 1, tzinfo=SHANGHAI) - city.clock.now())
    assert settle(client, ref, city.number(), "B2", 60_000).split.fund_fen == 7_000


def test_open_bills_come_with_all_their_lines(city: SampleCity) -> None:
    ref = city.card(1, bills=[sample_bill("B1", 1_200, 300), sample_bill("B2", 5)])
    found = city.terminal().bills(ref).bills
    assert [bill.bill_id for bill in found] == ["B1", "B2"]
    assert found[0].adds_up()
    assert [(line.name, line.amount_fen) for line in found[0].lines] == [
        ("样本项目1", 1_200),
        ("样本项目2", 300),
    ]
    assert (found[0].department, found[0].date) == ("内科", date(2026, 3, 10))


def test_of_too_many_open_bills_the_newest_are_shown(city: SampleCity) -> None:
    days = [date(2026, 1, 1) + timedelta(days=day) for day in range(MAX_SHOWN + 3)]
    bills = [replace(sample_bill(f"B{day:%j}", 100), date=day) for day in reversed(days)]
    ref, client = city.card(1), city.terminal()
    with city.backoffice.database.transaction() as session:
        holder = city.backoffice.register.find(session, ref).holder
        for bill in bills:
            city.backoffice.bills.add(session, holder, bill.message(), [True])
    assert [bill.date for bill in client.bills(ref).bills] == days[3:]
    settle(client, ref, city.number(), f"B{days[-1]:%j}", 100)
    assert [bill.date for bill in client.bills(ref).bills] == days[2:-1]


def test_what_a_trial_is_refused_for(city: SampleCity) -> None:
    ref = city.card(1, bills=[sample_bill("B1", 100)])
    other = city.card(2)
    client = city.terminal()
    assert refusal(trial, client, ref, city.number(), "B9", 100) == "BILL_UNKNOWN"
    assert refusal(trial, client, other, city.number(), "B1", 100) == "BILL_UNKNOWN"
    assert refusal(trial, client, ref, city.number(), "B1", 99) == "BILL_CHANGED"
    settle(client, ref, city.number(), "B1", 100)
    assert refusal(trial, client, ref, city.number(), "B1", 100) == "BILL_SETTLED"


@pytest.mark.parametrize("status", ["suspended", "ended"])
def test_without_insurance_in_force_there_is_no_split(status: str, city: SampleCity) -> None:
    medical = InsuranceRecord("medical", status, date(2012, 7, 1), 10)
    ref = city.card(1, insurances=[medical], bills=[sample_bill("B1", 100)])
    code = refusal(trial, city.terminal(), ref, city.number(), "B1", 100)
    assert code == "INSURANCE_NOT_IN_FORCE"


@pytest.mark.article(18)
def test_a_loss_between_trial_and_confirm_stops_the_settlement(city: SampleCity) -> None:
    ref, client = city.card(1, current_fen=100, bills=[sample_bill("B1", 100)]), city.terminal()
    tried = trial(client, ref, city.number(), "B1", 100)
    city.backoffice.staff.report_temporary_loss(CardKey(card_number=ref.card_number))
    assert refusal(client.confirm, confirmation(ref, tried)) == "CARD_TEMPORARILY_LOST"
    assert client.query(tried.number).reason == "CARD_TEMPORARILY_LOST"
    city.backoffice.staff.release_loss(CardKey(card_number=ref.card_number))
    assert balances(client, ref) == (100, 0)


def test_a_confirm_names_exactly_the_trials_amounts(city: SampleCity) -> None:
    ref = city.card(1, bills=[sample_bill("B1", 100), sample_bill("B2", 100)])
    client = city.terminal()
    tried = trial(client, ref, city.number(), "B1", 100)
    more = replace(tried.split, fund_fen=100, cash_fen=0)
    changed = replace(confirmation(ref, tried), split=more)
    assert refusal(client.confirm, changed) == "SPLIT_DIFFERS"
    tried = trial(client, ref, city.number(), "B1", 100)
    other_bill = replace(confirmation(ref, tried), bill_id="B2")
    assert refusal(client.confirm, other_bill) == "SPLIT_DIFFERS"
    assert len(client.bills(ref).bills) == 2


def test_a_confirm_needs_a_trial_of_the_same_card(city: SampleCity) -> None:
    ref, other = city.card(1, bills=[sample_bill("B1", 100)]), city.card(2)
    client = city.terminal()
    tried = trial(client, ref, city.number(), "B1", 100)
    untried = replace(confirmation(ref, tried), number=city.number())
    assert refusal(client.confirm, untried) == "TRIAL_UNKNOWN"
    assert refusal(client.confirm, replace(confirmation(ref, tried), card=other)) == "TRIAL_UNKNOWN"


def test_a_trial_is_good_for_its_time_only(city: SampleCity) -> None:
    ref, client = city.card(1, bills=[sample_bill("B1", 100)]), city.terminal()
    tried = trial(client, ref, city.number(), "B1", 100)
    city.clock.advance(timedelta(minutes=15))
    assert refusal(client.confirm, confirmation(ref, tried)) == "TRIAL_EXPIRED"
    tried = trial(client, ref, city.number(), "B1", 100)
    city.clock.advance(timedelta(minutes=15) - timedelta(microseconds=1))
    assert client.confirm(confirmation(ref, tried)).bill_id == "B1"


def test_an_account_that_changed_since_the_trial_stops_the_confirm(city: SampleCity) -> None:
    bills = [sample_bill("B1", 8_000), sample_bill("B2", 8_000)]
    ref, client = city.card(1, current_fen=10_000, bills=bills), city.terminal()
    first = trial(client, ref, city.number(), "B1", 8_000)
    second = trial(client, ref, city.number(), "B2", 8_000)
    client.confirm(confirmation(ref, first))
    assert refusal(client.confirm, confirmation(ref, second)) == "ACCOUNT_CHANGED"
    assert balances(client, ref) == (2_000, 0)


def test_one_bill_is_settled_once_whatever_the_numbers(city: SampleCity) -> None:
    ref = city.card(1, bills=[sample_bill("B1", 100)])
    one, two = city.terminal(), city.terminal("developer")
    first = trial(one, ref, city.number(), "B1", 100)
    second = trial(two, ref, city.number(), "B1", 100)
    one.confirm(confirmation(ref, first))
    assert refusal(two.confirm, confirmation(ref, second)) == "BILL_SETTLED"


def test_the_same_confirm_again_gets_the_same_answer_byte_for_byte(city: SampleCity) -> None:
    ref, client = city.card(1, current_fen=100, bills=[sample_bill("B1", 70)]), city.terminal()
    tried = trial(client, ref, city.number(), "B1", 70)
    first = client.confirm(confirmation(ref, tried))
    city.clock.advance(timedelta(days=200))
    again = client.confirm(confirmation(ref, tried))
    assert dump(again) == dump(first)
    state = client.query(tried.number)
    assert (state.state, state.settlement) == ("confirmed", first)
    assert dump(trial(client, ref, tried.number, "B1", 70)) == dump(tried)


def test_the_same_refused_confirm_again_gets_the_same_refusal(city: SampleCity) -> None:
    ref, client = city.card(1, bills=[sample_bill("B1", 100)]), city.terminal()
    tried = trial(client, ref, city.number(), "B1", 100)
    city.backoffice.staff.freeze(CardKey(card_number=ref.card_number))
    problems = []
    for lifted in (False, True):
        with pytest.raises(Refused) as caught:
            client.confirm(confirmation(ref, tried))
        problems.append(dump(caught.value.problem))
        if not lifted:
            city.backoffice.staff.unfreeze(CardKey(card_number=ref.card_number))
    assert problems[0] == problems[1]
    assert client.query(tried.number).state == "refused"


def test_a_number_is_not_used_for_something_else(city: SampleCity) -> None:
    ref = city.card(1, bills=[sample_bill("B1", 100), sample_bill("B2", 100)])
    fresh = city.card(2, state="not_activated")
    client = city.terminal()
    tried = trial(client, ref, city.number(), "B1", 100)
    assert refusal(trial, client, ref, tried.number, "B2", 100) == "NUMBER_REUSED"
    activation = ActivationRequest(tried.number, fresh, pin_changed=True)
    assert refusal(client.activate, activation) == "NUMBER_REUSED"
    settled = client.confirm(confirmation(ref, tried))
    assert refusal(client.confirm, replace(confirmation(ref, tried), bill_id="B2")) == (
        "NUMBER_REUSED"
    )
    assert client.query(tried.number).settlement == settled
    number = city.number()
    client.activate(ActivationRequest(number, fresh, pin_changed=True))
    assert refusal(trial, client, ref, number, "B2", 100) == "NUMBER_REUSED"
    refused = replace(confirmation(ref, tried), number=city.number())
    assert refusal(client.confirm, refused) == "TRIAL_UNKNOWN"
    assert refusal(trial, client, ref, refused.number, "B2", 100) == "NUMBER_REUSED"


def known_terminal(database: Database) -> Caller:
    """A terminal in the register, without the ceremony of enrolling it."""
    with database.transaction() as session:
        session.add(Institution(code=HOSPITAL, name="", tier=1))
        session.flush()
        session.add(
            Terminal(
                id=1,
                terminal_id="T1",
                owner=1,
                token_index=b"",
                institution=HOSPITAL,
                profile="kiosk",
                role="kiosk",
                enrolled_at=BEGIN,
            )
        )
    return Caller("T1", 1, HOSPITAL, ROLES["kiosk"])


def test_what_was_begun_before_a_refusal_is_undone() -> None:
    database = Database(open_engine("sqlite://"))
    operations = Operations(database, Vault(bytes(32), Random(1).randbytes), lambda: BEGIN)
    caller = known_terminal(database)
    request = OperationQuery(f"{HOSPITAL}202603160900000001")

    def work(session: Session, _operation: Operation, _now: datetime) -> Settlement:
        session.add(Institution(code="begun", name="", tier=1))
        session.flush()
        raise RefusedHere(Refusal.BILL_SETTLED)

    for _ in range(2):
        with pytest.raises(RefusedHere) as caught:
            operations.once(caller, request.number, request, Settlement, work)
        assert caught.value.refusal is Refusal.BILL_SETTLED
    assert operations.query(caller, request.number).reason == "BILL_SETTLED"
    with database.transaction() as session:
        assert session.get(Institution, "begun") is None
    database.close()


def test_a_number_belongs_to_its_institution(city: SampleCity) -> None:
    ref = city.card(1, bills=[sample_bill("B1", 100)])
    client = city.terminal()
    foreign = city.number(CHILDRENS_HOSPITAL)
    assert refusal(trial, client, ref, foreign, "B1", 100) == "NUMBER_FOREIGN"
    assert refusal(client.query, foreign) == "NUMBER_FOREIGN"
    assert refusal(client.reverse, foreign) == "NUMBER_FOREIGN"


def test_a_refusal_is_told_again_with_its_article() -> None:
    database = Database(open_engine("sqlite://"))
    operations = Operations(database, Vault(bytes(32), Random(1).randbytes), lambda: BEGIN)
    caller = known_terminal(database)
    request = OperationQuery(f"{HOSPITAL}202603160900000001")

    def work(_session: Session, _operation: Operation, _now: datetime) -> Settlement:
        raise RefusedHere(Refusal.CHANNEL_NOT_ALLOWED, article=18, detail="why")

    told = []
    for _ in range(2):
        with pytest.raises(RefusedHere) as caught:
            operations.once(caller, request.number, request, Settlement, work)
        told.append((caught.value.refusal, caught.value.article, caught.value.detail))
    assert told == [(Refusal.CHANNEL_NOT_ALLOWED, 18, "why")] * 2
    with database.transaction() as session:
        session.scalars(select(Operation)).one().reason = "OF_ANOTHER_VERSION"
    with pytest.raises(RefusedHere) as caught:
        operations.once(caller, request.number, request, Settlement, work)
    assert (caught.value.refusal, caught.value.detail) == (
        Refusal.REFUSED_BEFORE,
        "OF_ANOTHER_VERSION",
    )
    assert operations.query(caller, request.number).reason == "OF_ANOTHER_VERSION"
    database.close()


def test_two_terminals_of_an_institution_do_not_meet_under_one_number(city: SampleCity) -> None:
    one, two = city.terminal(), city.terminal()
    mine = city.card(1, current_fen=1_000, bills=[sample_bill("B1", 100)])
    other = city.card(2, current_fen=1_000, bills=[sample_bill("B2", 200)])
    number = city.number()
    first = trial(one, mine, number, "B1", 100)
    second = trial(two, other, number, "B2", 200)
    settled = one.confirm(confirmation(mine, first))
    assert two.query(number).state == "unknown"
    also = two.confirm(confirmation(other, second))
    assert settled.settlement_id != also.settlement_id
    assert (one.query(number).settlement, two.query(number).settlement) == (settled, also)
    assert two.reverse(number).found
    assert (balances(one, mine), balances(two, other)) == ((900, 0), (1_000, 0))
    assert one.query(number).settlement == settled
    assert dump(one.confirm(confirmation(mine, first))) == dump(settled)


def test_a_lost_request_is_reversed_without_touching_anothers_settlement(city: SampleCity) -> None:
    ref = city.card(1, current_fen=1_000, bills=[sample_bill("B1", 100), sample_bill("B2", 100)])
    loser, other, number = city.terminal(), city.terminal(), city.number()
    lost = trial(loser, ref, number, "B1", 100)  # its confirm never arrives
    settled = settle(other, ref, number, "B2", 100)
    assert loser.query(number).state == "unknown"
    assert not loser.reverse(number).found
    assert loser.query(number).state == "reversed"
    assert refusal(loser.confirm, confirmation(ref, lost)) == "NUMBER_REVERSED"
    assert other.query(number).settlement == settled
    assert balances(other, ref) == (900, 0)
    assert [bill.bill_id for bill in other.bills(ref).bills] == ["B1"]


def test_an_activation_of_another_terminal_is_not_answered_for(city: SampleCity) -> None:
    ref, number = city.card(1, state="not_activated"), city.number()
    one, two = city.terminal(), city.terminal()
    one.activate(ActivationRequest(number, ref, pin_changed=True))
    assert two.query(number).state == "unknown"
    again = ActivationRequest(number, ref, pin_changed=True)
    assert refusal(two.activate, again) == "ALREADY_ACTIVE"
    assert one.query(number).state == "confirmed"


def test_a_terminal_that_enrols_again_keeps_its_numbers(city: SampleCity) -> None:
    bills = [sample_bill("B1", 100), sample_bill("B2", 100)]
    ref, old = city.card(1, current_fen=1_000, bills=bills), city.enrolled("kiosk")
    number, tried = city.number(), city.number()
    settled = settle(city.client(old.token), ref, number, "B1", 100)
    open_trial = trial(city.client(old.token), ref, tried, "B2", 100)
    newer = city.enrolled("kiosk", previous_token=old.token)
    newest = city.enrolled("point-of-use", previous_token=newer.token)
    client = city.client(newest.token)
    assert len({old.terminal_id, newer.terminal_id, newest.terminal_id}) == 3
    assert client.query(number).settlement == settled
    assert client.confirm(confirmation(ref, open_trial)).bill_id == "B2"
    assert client.reverse(number).found
    assert balances(client, ref) == (900, 0)
    # The answer to an enrolment may be lost: the token before is still good for another try.
    assert city.client(old.token).query(number).state == "reversed"
    twin = city.client(city.enrolled("kiosk", previous_token=old.token).token)
    assert twin.query(number).state == "reversed"


def test_a_reversal_gives_everything_back(city: SampleCity) -> None:
    bills = [sample_bill("B1", 100_000), sample_bill("B2", 60_000)]
    ref, client = city.card(1, current_fen=30_000, past_fen=5_000, bills=bills), city.terminal()
    number = city.number()
    settled = settle(client, ref, number, "B1", 100_000)
    reversal = client.reverse(number)
    assert reversal.found
    assert balances(client, ref) == (30_000, 5_000)
    assert {bill.bill_id for bill in client.bills(ref).bills} == {"B1", "B2"}
    again = settle(client, ref, city.number(), "B1", 100_000)
    assert again.split == settled.split  # the deductible was given back too
    city.clock.advance(timedelta(days=1))
    assert dump(client.reverse(number)) == dump(reversal)
    assert client.query(number).state == "reversed"
    assert balances(client, ref) == (0, 0)


def test_a_reversal_in_the_next_medical_year_credits_past_years_money(city: SampleCity) -> None:
    ref = city.card(1, current_fen=1_000, past_fen=10, bills=[sample_bill("B1", 400)])
    client, number = city.terminal(), city.number()
    settle(client, ref, number, "B1", 400)
    city.clock.advance(timedelta(days=200))
    assert balances(client, ref) == (0, 610)
    client.reverse(number)
    assert balances(client, ref) == (0, 1_010)


def test_a_reversed_number_is_dead_also_before_it_arrives(city: SampleCity) -> None:
    ref, client = city.card(1, bills=[sample_bill("B1", 100)]), city.terminal()
    fresh = city.card(2, state="not_activated")
    tried = trial(client, ref, city.number(), "B1", 100)
    assert client.query(tried.number).state == "unknown"
    assert not client.reverse(tried.number).found
    assert refusal(client.confirm, confirmation(ref, tried)) == "NUMBER_REVERSED"
    assert refusal(trial, client, ref, tried.number, "B1", 100) == "NUMBER_REVERSED"
    number = city.number()
    assert client.query(number).state == "unknown"
    assert not client.reverse(number).found
    activation = ActivationRequest(number, fresh, pin_changed=True)
    assert refusal(client.activate, activation) == "NUMBER_REVERSED"
    assert client.card_status(fresh).state == "not_activated"
    assert len(client.bills(ref).bills) == 1


@pytest.mark.article(12)
def test_an_activation_is_accepted_once_and_stands(city: SampleCity) -> None:
    ref, client = city.card(1, state="not_activated"), city.terminal()
    request = ActivationRequest(city.number(), ref, pin_changed=True)
    first = client.activate(request)
    city.clock.advance(timedelta(days=3))
    assert dump(client.activate(request)) == dump(first)
    assert refusal(client.reverse, request.number) == "ACTIVATION_STANDS"
    state = client.query(request.number)
    assert (state.state, state.activation) == ("confirmed", first)


def test_a_point_of_use_settles_its_own_bills_only(city: SampleCity) -> None:
    bills = [sample_bill("B1", 100), sample_bill("B2", 100, institution=CHILDRENS_HOSPITAL)]
    ref, client = city.card(1, bills=bills), city.terminal("point-of-use", HOSPITAL)
    assert [bill.bill_id for bill in client.bills(ref).bills] == ["B1"]
    assert refusal(trial, client, ref, city.number(), "B2", 100) == "BILL_UNKNOWN"


@pytest.mark.parametrize("same_number", [True, False])
def test_confirms_that_arrive_together_settle_once(
    same_number: bool, stored_database_url: str
) -> None:
    city = new_city(stored_database_url)
    ref = city.card(1, current_fen=1_000, bills=[sample_bill("B1", 400)])
    client = city.terminal()
    first = trial(client, ref, city.number(), "B1", 400)
    tried = [
        first if same_number else trial(client, ref, city.number(), "B1", 400) for _ in range(8)
    ]

    def confirm(each: Trial) -> str:
        try:
            return client.confirm(confirmation(ref, each)).settlement_id
        except Refused as refused:
            return refused.problem.code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(confirm, tried))
    settled = [answer for answer in answers if answer.startswith("S")]
    if same_number:
        assert len(set(answers)) == 1
    else:
        assert len(settled) == 1
    assert set(answers) - set(settled) <= {"BILL_SETTLED"}
    assert balances(client, ref) == (600, 0)
    city.backoffice.close()


AMOUNTS = st.lists(st.integers(1, 200_000), min_size=1, max_size=5)


@settings(max_examples=30)
@given(AMOUNTS, st.integers(0, 300_000), st.integers(0, 300_000), st.data())
def test_no_fen_is_lost_or_made(
    amounts: list[int], current: int, past: int, data: st.DataObject
) -> None:
    city = new_city()
    bills = [sample_bill(f"B{i}", amount) for i, amount in enumerate(amounts)]
    ref = city.card(1, current_fen=current, past_fen=past, bills=bills)
    client = city.terminal()
    in_force: dict[str, Settlement] = {}
    for bill, amount in enumerate(amounts):
        number = city.number()
        in_force[number] = settle(client, ref, number, f"B{bill}", amount)
        if data.draw(st.booleans()):
            undone = data.draw(st.sampled_from(sorted(in_force)))
            client.reverse(undone)
            del in_force[undone]
    splits = [settlement.split for settlement in in_force.values()]
    assert all(split.adds_up() for split in splits)
    assert balances(client, ref) == (
        current - sum(split.current_account_fen for split in splits),
        past - sum(split.past_accounts_fen for split in splits),
    )
    open_total = sum(bill.total_fen for bill in client.bills(ref).bills)
    assert open_total + sum(split.total_fen for split in splits) == sum(amounts)
    city.backoffice.close()
