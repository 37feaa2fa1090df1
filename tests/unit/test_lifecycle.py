"""The life of a card: every state and event, the channels, and what holds for any history."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.backoffice.bank_function import BankEvent, BankFunction, bank_transition
from simulator.backoffice.days import SHANGHAI, Counting
from simulator.backoffice.errors import LifecycleError
from simulator.backoffice.lifecycle import (
    RULES,
    Channel,
    Event,
    Life,
    State,
    lapse,
    state_at,
    transition,
)
from simulator.backoffice.refusals import Refusal

NOW = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)
LOSS_ENDS = datetime(2026, 3, 22, tzinfo=SHANGHAI)
ACTIVE = Life(State.ACTIVE)
FRESH = Life(State.NOT_ACTIVATED)
LOST = Life(State.TEMPORARILY_LOST, LOSS_ENDS, State.ACTIVE)
FORMALLY_LOST = Life(State.FORMALLY_LOST, resumes=State.ACTIVE)
LIVES = {
    State.NOT_ACTIVATED: FRESH,
    State.ACTIVE: ACTIVE,
    State.TEMPORARILY_LOST: LOST,
    State.FORMALLY_LOST: FORMALLY_LOST,
    State.VOID: Life(State.VOID),
    State.STOPPED: Life(State.STOPPED),
}


def refusal(life: Life, event: Event, channel: Channel, at: datetime = NOW) -> LifecycleError:
    with pytest.raises(LifecycleError) as caught:
        transition(life, event, channel, at)
    return caught.value


@pytest.mark.article(12)
@pytest.mark.parametrize(
    "channel",
    [
        Channel.COMMUNITY_POINT,
        Channel.BANK_POINT,
        Channel.ONLINE,
        Channel.PHONE,
        Channel.TERMINAL,
    ],
)
def test_activation_through_every_channel_that_article_12_names(channel: Channel) -> None:
    change = transition(FRESH, Event.ACTIVATE, channel, NOW)
    assert (change.after, change.article) == (ACTIVE, 12)


@pytest.mark.article(12)
def test_an_active_card_is_not_activated_again() -> None:
    error = refusal(ACTIVE, Event.ACTIVATE, Channel.TERMINAL)
    assert (error.refusal, error.article) == (Refusal.ALREADY_ACTIVE, 12)
    assert error.zh
    assert error.en


@pytest.mark.article(18)
def test_a_temporary_loss_freezes_at_once_and_knows_its_end() -> None:
    change = transition(ACTIVE, Event.REPORT_TEMPORARY_LOSS, Channel.PHONE, NOW)
    assert change.at == NOW
    assert change.after == LOST
    assert change.article == 18


@pytest.mark.article(18)
@pytest.mark.parametrize(
    "channel",
    [
        Channel.PHONE,
        Channel.ONLINE,
        Channel.COMMUNITY_POINT,
        Channel.BANK_POINT,
        Channel.TERMINAL,
    ],
)
def test_a_temporary_loss_may_be_reported_in_any_way(channel: Channel) -> None:
    assert transition(FRESH, Event.REPORT_TEMPORARY_LOSS, channel, NOW).article == 18
    assert transition(ACTIVE, Event.REPORT_TEMPORARY_LOSS, channel, NOW).after == LOST


@pytest.mark.article(18)
def test_a_temporary_loss_lapses_at_its_end_and_not_a_microsecond_before() -> None:
    assert state_at(LOST, LOSS_ENDS - timedelta(microseconds=1)) == LOST
    assert state_at(LOST, LOSS_ENDS) == ACTIVE
    change = lapse(LOST, LOSS_ENDS + timedelta(days=30))
    assert change is not None
    assert (change.at, change.event, change.article) == (LOSS_ENDS, Event.LAPSE, 18)


@pytest.mark.article(18)
def test_a_lapse_brings_back_what_the_card_was_before() -> None:
    lost = transition(FRESH, Event.REPORT_TEMPORARY_LOSS, Channel.PHONE, NOW).after
    assert not lost.is_activated
    assert state_at(lost, LOSS_ENDS) == FRESH


@pytest.mark.article(18)
def test_a_temporary_loss_in_force_is_not_prolonged_by_reporting_it_again() -> None:
    error = refusal(LOST, Event.REPORT_TEMPORARY_LOSS, Channel.PHONE, NOW + timedelta(days=4))
    assert error.refusal is Refusal.CARD_TEMPORARILY_LOST


@pytest.mark.article(18)
def test_after_the_lapse_a_new_temporary_loss_has_five_days_of_its_own() -> None:
    change = transition(LOST, Event.REPORT_TEMPORARY_LOSS, Channel.PHONE, LOSS_ENDS)
    assert change.before == ACTIVE
    assert change.after.until == datetime(2026, 3, 28, tzinfo=SHANGHAI)


@pytest.mark.article(18)
def test_the_days_of_a_loss_can_be_counted_in_hours() -> None:
    change = transition(
        ACTIVE, Event.REPORT_TEMPORARY_LOSS, Channel.PHONE, NOW, counting=Counting.HOURS
    )
    assert change.after.until == NOW + timedelta(hours=120)


@pytest.mark.article(18)
@pytest.mark.parametrize("life", [ACTIVE, FRESH, LOST])
def test_a_formal_loss_stops_the_card_without_an_end(life: Life) -> None:
    change = transition(life, Event.REPORT_FORMAL_LOSS, Channel.ONLINE, NOW)
    assert change.after.state is State.FORMALLY_LOST
    assert change.after.until is None
    assert state_at(change.after, NOW + timedelta(days=3650)) == change.after


@pytest.mark.article(18)
@pytest.mark.parametrize("channel", [Channel.PHONE, Channel.BANK_POINT, Channel.TERMINAL])
def test_a_formal_loss_needs_the_online_platform_or_a_community_point(channel: Channel) -> None:
    error = refusal(ACTIVE, Event.REPORT_FORMAL_LOSS, channel)
    assert (error.refusal, error.article) == (Refusal.CHANNEL_NOT_ALLOWED, 18)


@pytest.mark.article(19)
@pytest.mark.parametrize("life", [LOST, FORMALLY_LOST])
@pytest.mark.parametrize("channel", [Channel.ONLINE, Channel.COMMUNITY_POINT])
def test_a_release_restores_the_card_at_once(life: Life, channel: Channel) -> None:
    change = transition(life, Event.RELEASE, channel, NOW)
    assert (change.after, change.article) == (ACTIVE, 19)


@pytest.mark.article(19)
def test_a_release_restores_what_the_loss_interrupted_also_after_it_was_made_formal() -> None:
    lost = transition(FRESH, Event.REPORT_TEMPORARY_LOSS, Channel.PHONE, NOW).after
    formal = transition(lost, Event.REPORT_FORMAL_LOSS, Channel.ONLINE, NOW).after
    assert transition(formal, Event.RELEASE, Channel.ONLINE, NOW).after == FRESH


@pytest.mark.article(19)
@pytest.mark.parametrize("channel", [Channel.PHONE, Channel.BANK_POINT, Channel.TERMINAL])
def test_a_release_needs_the_online_platform_or_a_community_point(channel: Channel) -> None:
    assert refusal(LOST, Event.RELEASE, channel).refusal is Refusal.CHANNEL_NOT_ALLOWED


@pytest.mark.article(19)
def test_a_card_that_is_not_lost_is_not_released() -> None:
    assert refusal(ACTIVE, Event.RELEASE, Channel.ONLINE).refusal is Refusal.NOT_LOST
    late = refusal(LOST, Event.RELEASE, Channel.ONLINE, LOSS_ENDS)
    assert late.refusal is Refusal.NOT_LOST


@pytest.mark.article(19)
@pytest.mark.parametrize("channel", [Channel.ONLINE, Channel.COMMUNITY_POINT, Channel.BANK_POINT])
def test_a_replacement_follows_a_formal_loss(channel: Channel) -> None:
    change = transition(FORMALLY_LOST, Event.REPLACE, channel, NOW)
    assert (change.after.state, change.article) == (State.VOID, 19)
    assert refusal(LOST, Event.REPLACE, channel).refusal is Refusal.NOT_FORMALLY_LOST
    assert refusal(ACTIVE, Event.REPLACE, channel).refusal is Refusal.NOT_FORMALLY_LOST


@pytest.mark.article(21)
def test_a_damaged_card_is_exchanged() -> None:
    change = transition(ACTIVE, Event.EXCHANGE, Channel.BANK_POINT, NOW)
    assert (change.after.state, change.article) == (State.VOID, 21)


@pytest.mark.article(22)
def test_a_changed_name_needs_a_new_application() -> None:
    change = transition(ACTIVE, Event.REAPPLY, Channel.COMMUNITY_POINT, NOW)
    assert (change.after.state, change.article) == (State.VOID, 22)


@pytest.mark.article(30)
def test_an_old_card_is_stopped_and_can_only_be_applied_for_again() -> None:
    stopped = transition(ACTIVE, Event.STOP, Channel.CENTRE, NOW).after
    assert stopped == Life(State.STOPPED)
    again = transition(stopped, Event.REAPPLY, Channel.ONLINE, NOW)
    assert (again.after.state, again.article) == (State.VOID, 30)
    for event in set(Event) - {Event.REAPPLY}:
        error = refusal(stopped, event, Channel.COMMUNITY_POINT)
        assert (error.refusal, error.article) == (Refusal.CARD_STOPPED, 30)


@pytest.mark.article(23)
@pytest.mark.parametrize("event", list(Event))
@pytest.mark.parametrize("channel", list(Channel))
def test_nothing_brings_a_void_card_back(event: Event, channel: Channel) -> None:
    error = refusal(Life(State.VOID), event, channel)
    assert (error.refusal, error.article) == (Refusal.CARD_VOID, 23)


def test_only_time_lets_a_loss_lapse() -> None:
    for channel in set(Channel) - {Channel.TIME}:
        assert refusal(LOST, Event.LAPSE, channel).refusal is Refusal.CHANNEL_NOT_ALLOWED


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("event", list(Event))
@pytest.mark.parametrize("channel", list(Channel))
def test_every_state_event_and_channel_has_one_answer(
    state: State, event: Event, channel: Channel
) -> None:
    rule = RULES.get((state, event))
    if rule is None or channel not in rule.channels:
        error = refusal(LIVES[state], event, channel)
        assert error.zh
        assert error.en
        assert error.article is not None
    else:
        change = transition(LIVES[state], event, channel, NOW)
        assert change.article == rule.article
        assert change.after.state is (rule.target or LIVES[state].resumes)


HISTORY = st.lists(
    st.tuples(
        st.sampled_from(Event),
        st.sampled_from(Channel),
        st.timedeltas(timedelta(), timedelta(days=9)),
    ),
    max_size=60,
)


@pytest.mark.article(23)
@pytest.mark.article(18)
@given(HISTORY)
def test_what_holds_for_every_history(history: list[tuple[Event, Channel, timedelta]]) -> None:
    life, now = FRESH, NOW
    for event, channel, passed in history:
        now += passed
        was_void = life.state is State.VOID
        try:
            life = transition(life, event, channel, now).after
        except LifecycleError:
            life = state_at(life, now)
        assert not was_void or life.state is State.VOID
        assert (life.until is not None) == (life.state is State.TEMPORARILY_LOST)
        assert life.until is None or now < life.until <= now + timedelta(days=6)
        is_lost = life.state in (State.TEMPORARILY_LOST, State.FORMALLY_LOST)
        assert (life.resumes is not None) == is_lost
        assert life.resumes in (None, State.ACTIVE, State.NOT_ACTIVATED)


@pytest.mark.article(14)
@pytest.mark.article(20)
def test_the_financial_function_has_a_life_of_its_own() -> None:
    opened = bank_transition(BankFunction.CLOSED, BankEvent.OPEN)
    lost = bank_transition(opened, BankEvent.REPORT_LOSS)
    assert (opened, lost) == (BankFunction.OPEN, BankFunction.LOST)
    assert bank_transition(lost, BankEvent.RELEASE) is BankFunction.OPEN


@pytest.mark.article(14)
@pytest.mark.article(20)
@pytest.mark.parametrize(
    ("function", "event", "code", "article"),
    [
        (BankFunction.CLOSED, BankEvent.REPORT_LOSS, Refusal.BANK_FUNCTION_CLOSED, 20),
        (BankFunction.CLOSED, BankEvent.RELEASE, Refusal.BANK_FUNCTION_CLOSED, 20),
        (BankFunction.OPEN, BankEvent.OPEN, Refusal.BANK_FUNCTION_OPEN, 14),
        (BankFunction.OPEN, BankEvent.RELEASE, Refusal.BANK_FUNCTION_OPEN, 20),
        (BankFunction.LOST, BankEvent.OPEN, Refusal.BANK_FUNCTION_LOST, 14),
        (BankFunction.LOST, BankEvent.REPORT_LOSS, Refusal.BANK_FUNCTION_LOST, 20),
    ],
)
def test_what_a_bank_cannot_report(
    function: BankFunction, event: BankEvent, code: Refusal, article: int
) -> None:
    with pytest.raises(LifecycleError) as caught:
        bank_transition(function, event)
    assert (caught.value.refusal, caught.value.article) == (code, article)
