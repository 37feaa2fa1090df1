"""Cards at the back office: status, losses, release, replacement, bank function, audit trail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

import pytest

from backend_client.client import BackendClient
from backend_client.errors import Refused as RefusedByCentre
from backend_client.messages import ActivationRequest, CardRef
from simulator.backoffice import seed
from simulator.backoffice.bank_function import BankEvent
from simulator.backoffice.database import open_engine
from simulator.backoffice.errors import LifecycleError, Refused
from simulator.backoffice.lifecycle import Channel, Event
from simulator.backoffice.records import CardRecord, HolderRecord
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.register import By
from simulator.backoffice.sample import SampleCity, sample_ref
from simulator.backoffice.staff import CardKey
from simulator.clock import SHANGHAI, SimulatedClock

BEGIN = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)
LOSS_ENDS = datetime(2026, 3, 22, tzinfo=SHANGHAI)


@pytest.fixture
def city(database_url: str) -> Iterator[SampleCity]:
    city = SampleCity(
        open_engine(database_url), clock=SimulatedClock(BEGIN), random=Random(1).randbytes
    )
    yield city
    city.backoffice.close()


def wait_until(city: SampleCity, instant: datetime) -> None:
    city.clock.advance(instant - city.clock.now())


def key(ref: CardRef) -> CardKey:
    return CardKey(card_number=ref.card_number)


def refused(client: BackendClient, ref: CardRef) -> str:
    with pytest.raises(RefusedByCentre) as caught:
        client.account(ref)
    return caught.value.problem.code


def test_a_card_is_known_by_its_id_and_its_number_together(city: SampleCity) -> None:
    ref, other = city.card(1), city.card(2)
    client = city.terminal()
    assert client.card_status(ref).state == "active"
    for wrong in (CardRef(ref.card_id, other.card_number), sample_ref(3)):
        with pytest.raises(RefusedByCentre) as caught:
            client.card_status(wrong)
        assert caught.value.problem.code == "CARD_UNKNOWN"


@pytest.mark.article(12)
def test_activation_switches_the_social_security_function_on(city: SampleCity) -> None:
    ref, client = city.card(1, state="not_activated"), city.terminal()
    assert not client.card_status(ref).social_active
    assert refused(client, ref) == "NOT_ACTIVATED"
    result = client.activate(ActivationRequest(city.number(), ref, pin_changed=True))
    assert (result.status.state, result.status.social_active) == ("active", True)
    assert client.card_status(ref).state == "active"
    assert client.account(ref).card == ref


@pytest.mark.article(12)
def test_activation_needs_the_initial_pin_to_be_gone(city: SampleCity) -> None:
    ref, client = city.card(1, state="not_activated"), city.terminal()
    with pytest.raises(RefusedByCentre) as caught:
        client.activate(ActivationRequest(city.number(), ref, pin_changed=False))
    assert caught.value.problem.code == "PIN_NOT_CHANGED"
    assert client.card_status(ref).state == "not_activated"


@pytest.mark.article(12)
@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("active", "ALREADY_ACTIVE"),
        ("temporarily_lost", "CARD_TEMPORARILY_LOST"),
        ("formally_lost", "CARD_FORMALLY_LOST"),
        ("void", "CARD_VOID"),
        ("stopped", "CARD_STOPPED"),
    ],
)
def test_only_a_card_that_is_not_active_is_activated(
    state: str, code: str, city: SampleCity
) -> None:
    ref, client = city.card(1, state=state), city.terminal()
    with pytest.raises(RefusedByCentre) as caught:
        client.activate(ActivationRequest(city.number(), ref, pin_changed=True))
    assert caught.value.problem.code == code
    assert caught.value.problem.zh


@pytest.mark.article(18)
def test_a_temporary_loss_freezes_at_once_and_lapses_by_itself(city: SampleCity) -> None:
    ref, client = city.card(1), city.terminal()
    status = city.backoffice.staff.report_temporary_loss(key(ref))
    assert (status.state, status.state_until) == ("temporarily_lost", LOSS_ENDS)
    assert refused(client, ref) == "CARD_TEMPORARILY_LOST"
    wait_until(city, LOSS_ENDS - timedelta(microseconds=1))
    assert refused(client, ref) == "CARD_TEMPORARILY_LOST"
    assert client.card_status(ref).social_active
    wait_until(city, LOSS_ENDS)
    assert client.account(ref).card == ref
    status = client.card_status(ref)
    assert (status.state, status.state_until, status.social_active) == ("active", None, True)


@pytest.mark.article(18)
def test_a_formal_loss_stays(city: SampleCity) -> None:
    ref, client = city.card(1), city.terminal()
    city.backoffice.staff.report_temporary_loss(key(ref))
    city.backoffice.staff.report_formal_loss(key(ref))
    city.clock.advance(timedelta(days=400))
    assert refused(client, ref) == "CARD_FORMALLY_LOST"


@pytest.mark.article(19)
@pytest.mark.parametrize("state", ["temporarily_lost", "formally_lost"])
def test_a_release_restores_at_once(state: str, city: SampleCity) -> None:
    ref, client = city.card(1, state=state), city.terminal()
    city.backoffice.staff.release_loss(key(ref))
    assert client.account(ref).card == ref


@pytest.mark.article(19)
@pytest.mark.article(23)
def test_a_replacement_voids_the_old_card_for_ever(city: SampleCity) -> None:
    old, client = city.card(1, current_fen=7_000), city.terminal()
    city.backoffice.staff.report_formal_loss(key(old))
    new = sample_ref(2)
    made = city.backoffice.staff.replace(key(old), new)
    assert (made.old.state, made.old.replaced, made.old.social_active) == ("void", True, False)
    assert (made.new.state, made.new.card) == ("not_activated", new)
    client.activate(ActivationRequest(city.number(), new, pin_changed=True))
    assert client.account(new).current_account_fen == 7_000
    for report in (
        city.backoffice.staff.report_temporary_loss,
        city.backoffice.staff.report_formal_loss,
        city.backoffice.staff.release_loss,
    ):
        with pytest.raises(LifecycleError) as caught:
            report(key(old))
        assert (caught.value.refusal, caught.value.article) == (Refusal.CARD_VOID, 23)
    city.clock.advance(timedelta(days=3650))
    assert refused(client, old) == "CARD_VOID"


@pytest.mark.article(12)
@pytest.mark.article(21)
@pytest.mark.article(22)
@pytest.mark.parametrize("event", [Event.EXCHANGE, Event.REAPPLY])
def test_a_new_card_may_be_handed_out_activated(event: Event, city: SampleCity) -> None:
    old = city.card(1)
    by = By(Channel.BANK_POINT, "sample bank point", "worn")
    made = city.backoffice.staff.replace(key(old), sample_ref(2), event, by, activated=True)
    assert (made.old.state, made.new.state) == ("void", "active")


@pytest.mark.article(23)
@pytest.mark.parametrize(
    "event", sorted(set(Event) - {Event.REPLACE, Event.EXCHANGE, Event.REAPPLY})
)
def test_a_new_card_follows_from_certain_events_only(event: Event, city: SampleCity) -> None:
    old = city.card(1, state="not_activated" if event is Event.ACTIVATE else "active")
    before = city.backoffice.staff.history(key(old))
    for channel in Channel:
        with pytest.raises(Refused) as caught:
            city.backoffice.staff.replace(key(old), sample_ref(2), event, By(channel, "desk 3"))
        assert caught.value.refusal is Refusal.BAD_REQUEST
    assert city.backoffice.staff.history(key(old)) == before


@pytest.mark.article(23)
def test_a_new_card_is_due_15_days_after_the_application(city: SampleCity) -> None:
    old = city.card(1, state="formally_lost")
    applied = datetime(2026, 3, 10, 15, 0, tzinfo=SHANGHAI)
    made = city.backoffice.staff.replace(key(old), sample_ref(2), applied_at=applied)
    assert made.due_at == datetime(2026, 3, 26, tzinfo=SHANGHAI)


def test_a_new_card_needs_an_id_and_a_number_of_its_own(city: SampleCity) -> None:
    old, other = city.card(1, state="formally_lost"), city.card(2)
    for taken in (old, other, CardRef(sample_ref(9).card_id, other.card_number)):
        with pytest.raises(Refused) as caught:
            city.backoffice.staff.replace(key(old), taken)
        assert caught.value.refusal is Refusal.CARD_EXISTS
    assert city.backoffice.staff.status(key(old)).state == "formally_lost"


@pytest.mark.article(14)
@pytest.mark.article(20)
def test_a_banks_loss_leaves_the_social_security_function_as_it_is(city: SampleCity) -> None:
    ref, client = city.card(1, financial_active=True), city.terminal()
    assert client.card_status(ref).financial_active
    status = city.backoffice.staff.bank_event(key(ref), BankEvent.REPORT_LOSS)
    assert (status.financial_active, status.state, status.social_active) == (False, "active", True)
    assert client.account(ref).card == ref
    assert city.backoffice.staff.bank_event(key(ref), BankEvent.RELEASE).financial_active


@pytest.mark.article(20)
@pytest.mark.article(23)
def test_a_loss_leaves_the_financial_function_and_a_void_card_has_none(city: SampleCity) -> None:
    ref = city.card(1, financial_active=True)
    assert city.backoffice.staff.report_formal_loss(key(ref)).financial_active
    made = city.backoffice.staff.replace(key(ref), sample_ref(2))
    assert not made.old.financial_active
    with pytest.raises(Refused) as caught:
        city.backoffice.staff.bank_event(key(ref), BankEvent.OPEN)
    assert caught.value.refusal is Refusal.CARD_VOID


@pytest.mark.article(27)
def test_the_audit_trail_tells_who_where_when_and_why(city: SampleCity) -> None:
    ref, client = city.card(1, state="not_activated"), city.terminal()
    client.activate(ActivationRequest(city.number(), ref, pin_changed=True))
    by = By(Channel.PHONE, "operator 7", "lost on the metro")
    city.backoffice.staff.report_temporary_loss(key(ref), by)
    wait_until(city, LOSS_ENDS + timedelta(days=2))
    city.backoffice.staff.report_formal_loss(key(ref))
    lines = city.backoffice.staff.history(key(ref))
    assert [(line.event, line.article, line.before, line.after) for line in lines] == [
        ("issue", 11, "", "not_activated"),
        ("activate", 12, "not_activated", "active"),
        ("report_temporary_loss", 18, "active", "temporarily_lost"),
        ("lapse", 18, "temporarily_lost", "active"),
        ("report_formal_loss", 18, "active", "formally_lost"),
    ]
    activation, loss, lapsed = lines[1], lines[2], lines[3]
    assert (activation.channel, activation.actor) == ("terminal", "T000001")
    assert (loss.at, loss.channel, loss.actor, loss.reason, loss.until) == (
        BEGIN,
        "phone",
        "operator 7",
        "lost on the metro",
        LOSS_ENDS,
    )
    assert (lapsed.at, lapsed.channel) == (LOSS_ENDS, "time")


def test_a_refused_event_leaves_no_trace(city: SampleCity) -> None:
    ref = city.card(1)
    before = city.backoffice.staff.history(key(ref))
    with pytest.raises(LifecycleError):
        city.backoffice.staff.release_loss(key(ref))
    with pytest.raises(LifecycleError):
        city.backoffice.staff.report_formal_loss(key(ref), By(Channel.PHONE, "operator 7"))
    assert city.backoffice.staff.history(key(ref)) == before


@pytest.mark.article(25)
@pytest.mark.article(27)
def test_who_looked_at_whose_data_is_kept(city: SampleCity) -> None:
    ref, client = city.card(1), city.terminal()
    client.card_status(ref)
    client.account(ref)
    city.clock.advance(timedelta(minutes=1))
    client.bills(ref)
    lines = city.backoffice.staff.accesses(key(ref))
    assert [(line.at, line.terminal, line.what) for line in lines] == [
        (BEGIN, "T000001", "account"),
        (BEGIN + timedelta(minutes=1), "T000001", "bills"),
    ]


@pytest.mark.article(30)
def test_the_centre_stops_an_old_card(city: SampleCity) -> None:
    ref, client = city.card(1), city.terminal()
    city.backoffice.staff.stop(key(ref), By(Channel.CENTRE, "card service centre"))
    assert refused(client, ref) == "CARD_STOPPED"
    made = city.backoffice.staff.replace(key(ref), sample_ref(2), Event.REAPPLY)
    assert (made.old.state, made.new.state) == ("void", "not_activated")


@pytest.mark.article(23)
def test_nobody_has_two_cards(city: SampleCity) -> None:
    ref = city.card(1)
    holder = HolderRecord("样本1", "990100199001000001")
    second = sample_ref(2)
    record = CardRecord(second.card_id, second.card_number)
    with pytest.raises(Refused) as caught:
        seed.register(city.backoffice, holder=holder, card=record)
    assert caught.value.refusal is Refusal.HOLDER_HAS_CARD
    city.backoffice.staff.replace(key(ref), second, Event.EXCHANGE)
    assert city.backoffice.staff.status(key(second)).state == "not_activated"


@pytest.mark.article(5)
def test_an_account_shows_insurances_and_contributions(city: SampleCity) -> None:
    client = city.terminal()
    overview = client.account(city.card(1, current_fen=100, past_fen=200))
    assert (overview.current_account_fen, overview.past_accounts_fen) == (100, 200)
    assert [(i.kind, i.name_zh, i.status) for i in overview.insurances] == [
        ("medical", "医疗保险", "insured")
    ]
    assert overview.as_of == city.clock.now()


def test_what_is_left_of_the_years_money_becomes_past_years_money(city: SampleCity) -> None:
    ref, client = city.card(1, current_fen=100, past_fen=200), city.terminal()
    wait_until(city, datetime(2026, 6, 30, 23, 59, 59, tzinfo=SHANGHAI))
    assert client.account(ref).current_account_fen == 100
    wait_until(city, datetime(2026, 7, 1, tzinfo=SHANGHAI))
    overview = client.account(ref)
    assert (overview.current_account_fen, overview.past_accounts_fen) == (0, 300)
