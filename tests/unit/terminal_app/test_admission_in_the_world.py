"""Admission with the world around it: list, centre, clock and trail."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest

from apdu.readers.inprocess import InProcessReader
from backend_client.codec import dump
from backend_client.errors import Unreachable
from backend_client.transport import Reply
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.clock import SimulatedClock
from terminal.admission import Admitted, Refused
from terminal.app import Terminal
from terminal.clock import SHANGHAI
from terminal.policy import Function
from terminal.reasons import Reason
from terminal.session import CardSession
from terminal.store.journal import State

from .small_centre import (
    CARD,
    DAY,
    FACTS,
    OTHER,
    Centre,
    Open,
    loss,
    problem,
    publish,
    reason,
    sent_settlement,
    status_of,
)


def test_a_decision_is_written_into_the_trail(terminal: Terminal) -> None:
    assert isinstance(terminal.admit(FACTS, Function.QUERY, "console"), Admitted)
    assert isinstance(terminal.admit(FACTS, Function.ACTIVATION, "kiosk"), Refused)
    refused, admitted = terminal.audit.latest(card_id=CARD.card_id)
    assert (admitted.face, admitted.function, admitted.outcome) == ("console", "query", "admitted")
    assert (refused.face, refused.reason, refused.article) == ("kiosk", "ALREADY_ACTIVATED", 12)
    assert admitted.list_version == refused.list_version == 1


@pytest.mark.article(26)
def test_a_forged_card_is_audited_and_never_asked_about(terminal: Terminal, centre: Centre) -> None:
    assert reason(terminal, Function.SETTLEMENT, replace(FACTS, authentic=False)) is (
        Reason.NOT_AUTHENTIC
    )
    assert terminal.audit.latest(1)[0].reason == "NOT_AUTHENTIC"
    assert centre.requests == []


def test_reading_asks_nobody(terminal: Terminal, centre: Centre) -> None:
    assert reason(terminal, Function.READ) is None
    assert centre.requests == []


def test_the_centre_is_asked_each_time_and_its_word_is_remembered(
    terminal: Terminal, centre: Centre
) -> None:
    assert reason(terminal, Function.QUERY) is None
    centre.states[CARD.card_id] = status_of("not_activated")
    assert reason(terminal, Function.QUERY) is Reason.NOT_ACTIVATED
    assert reason(terminal, Function.ACTIVATION) is None
    centre.away = Unreachable
    assert reason(terminal, Function.QUERY) is Reason.NOT_ACTIVATED
    assert reason(terminal, Function.SETTLEMENT) is Reason.OFFLINE


def test_a_centre_that_is_away_is_not_asked_again_at_once(
    terminal: Terminal, centre: Centre, clock: SimulatedClock
) -> None:
    centre.away = Unreachable
    reason(terminal, Function.QUERY)
    asked = len(centre.requests)
    reason(terminal, Function.QUERY)
    assert len(centre.requests) == asked
    reason(terminal, Function.SETTLEMENT)  # which cannot do without
    assert len(centre.requests) > asked
    asked = len(centre.requests)
    clock.advance(timedelta(seconds=31))
    reason(terminal, Function.QUERY)
    assert len(centre.requests) > asked


def test_a_card_that_the_centre_does_not_know_settles_nothing(
    terminal: Terminal, centre: Centre
) -> None:
    centre.states.clear()
    assert reason(terminal, Function.SETTLEMENT) is Reason.STATUS_UNKNOWN


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Reply(403, b"<html>please log in"), Reason.OFFLINE),
        (Reply(200, b"<html>please log in"), Reason.OFFLINE),
        (Reply(502, b"bad gateway"), Reason.OFFLINE),
        (Reply(503, dump(problem("BUSY", 503))), Reason.OFFLINE),
        (Reply(404, dump(problem("CARD_UNKNOWN"))), Reason.STATUS_UNKNOWN),
        (Reply(429, dump(problem("TOO_MANY", 429))), Reason.STATUS_UNKNOWN),
    ],
    ids=["portal", "portal 200", "proxy", "busy", "unknown card", "too many"],
)
def test_only_the_centres_own_word_lets_money_move(
    terminal: Terminal, centre: Centre, answer: Reply, expected: Reason
) -> None:
    """What was heard a moment ago does not stand in for it."""
    assert reason(terminal, Function.SETTLEMENT) is None
    centre.meddle = lambda request: answer if request.path == "/v1/cards/status" else None
    assert reason(terminal, Function.SETTLEMENT) is expected
    assert reason(terminal, Function.QUERY) is None, "reading goes on"


@pytest.mark.article(18)
def test_after_a_start_no_loss_lifts_by_a_clock_that_nobody_confirmed(
    opened: Open, terminal: Terminal, centre: Centre, clock: SimulatedClock
) -> None:
    """While it was off somebody set the clock forward, past the end of the loss."""
    end = datetime(2026, 3, 10, tzinfo=SHANGHAI)
    publish(centre, 2, loss(end))
    terminal.sync()
    centre.away = Unreachable
    clock.advance(6 * DAY)
    assert reason(terminal, Function.QUERY) is None, "it ran all the time"
    again = opened()
    assert again.clock_guard.trusted()
    assert reason(again, Function.QUERY) is Reason.LISTED_TEMPORARY_LOSS
    other = replace(FACTS, card_id=OTHER.card_id, card_number=OTHER.card_number)
    assert reason(again, Function.QUERY, other) is None, "nothing else is stopped"
    centre.away = None
    again.sync()
    assert reason(again, Function.QUERY) is None


@pytest.mark.article(17)
@pytest.mark.article(18)
def test_a_reported_loss_arrives_lifts_and_stops_for_good(
    terminal: Terminal, centre: Centre, clock: SimulatedClock
) -> None:
    """The story: a temporary loss, its end while the terminal is offline, then a formal loss."""
    end = datetime(2026, 3, 10, tzinfo=SHANGHAI)
    publish(centre, 2, loss(end))
    assert terminal.sync().after == 2
    assert reason(terminal, Function.QUERY) is Reason.LISTED_TEMPORARY_LOSS
    centre.away = Unreachable
    clock.advance(end - clock.now() - timedelta(seconds=1))
    assert reason(terminal, Function.QUERY) is Reason.LISTED_TEMPORARY_LOSS
    clock.advance(timedelta(seconds=1))
    assert reason(terminal, Function.QUERY) is None
    centre.away = None
    publish(centre, 3, loss(None), at=clock.now())
    terminal.sync()
    assert reason(terminal, Function.QUERY) is Reason.LISTED_FORMAL_LOSS


def test_a_visit_hands_out_the_parts(terminal: Terminal) -> None:
    chip = SimulatedCard(load_profile("adult-3.0"), random=Random(2).randbytes)
    with CardSession.open(InProcessReader("test", chip), terminal.sam) as session:
        visit = terminal.visit(session, "console")
        assert visit.place == "示例医院"
        assert visit.card_ref.card_id == session.facts.card_id
        assert isinstance(visit.admit(Function.READ), Admitted)
        visit.still_here()
        visit.remember(status_of("void"))
        assert terminal.statuses.last(CARD.card_id) == status_of("void")
        sent = sent_settlement(terminal)
        assert visit.resolve(sent).state is State.REVERSED
