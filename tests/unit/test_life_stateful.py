"""Random courses of events through the whole register, and what holds after every one of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from simulator.backoffice.application import Cause, Department, Stage
from simulator.backoffice.bank_function import BankEvent
from simulator.backoffice.database import open_engine
from simulator.backoffice.errors import Refused
from simulator.backoffice.lifecycle import Channel, State, state_at
from simulator.backoffice.register import By, life_of
from simulator.backoffice.sample import SampleCity, sample_ref
from simulator.backoffice.schema import Card, LifeEvent, ListingRow
from simulator.backoffice.schema_life import ApplicationEvent, ApplicationRow, OverdueRow
from simulator.backoffice.staff import CardKey
from simulator.clock import SHANGHAI, SimulatedClock

BEGIN = datetime(2026, 9, 21, 9, 0, tzinfo=SHANGHAI)
"""Before a week of days off."""

HOLDERS = 3
LISTED = {
    State.TEMPORARILY_LOST: "temporary_loss",
    State.FORMALLY_LOST: "formal_loss",
    State.VOID: "void",
    State.STOPPED: "stopped",
}
COUNTER = By(Channel.COMMUNITY_POINT, "somebody")
BYS = st.sampled_from(
    [COUNTER] * 6 + [By(channel, "somebody") for channel in Channel if channel is not Channel.TIME]
)
"""Mostly a counter, which may do nearly everything, so that courses of events go deep."""

CARDS = st.integers(0, 30)


class Lives(RuleBasedStateMachine):
    """Staff and holders do anything to anybody's card and application, and time passes.

    `database` gives the URL of an empty one.
    """

    database: Callable[[], str] = staticmethod(lambda: "sqlite://")

    @initialize()
    def found(self) -> None:
        self.city = SampleCity(
            open_engine(self.database()), clock=SimulatedClock(BEGIN), random=Random(7).randbytes
        )
        self.staff, self.clerks = self.city.backoffice.staff, self.city.backoffice.clerks
        self.cards = [self.city.card(serial) for serial in range(1, HOLDERS + 1)]
        self.applications: list[str] = []
        self.void: set[int] = set()

    def key(self, number: int) -> CardKey:
        return CardKey(card_id=self.cards[number % len(self.cards)].card_id)

    def attempt(self, what: Callable[[], object]) -> object:
        """Try something; a no leaves everything as it was."""
        before = self.trail()
        try:
            return what()
        except Refused:
            assert self.trail() == before
            return None

    def trail(self) -> int:
        with self.city.backoffice.database.transaction() as session:
            lines = (select(func.count(table.id)) for table in (LifeEvent, ApplicationEvent))
            return sum(session.execute(count).scalar_one() for count in lines)

    @rule(card=CARDS, by=BYS, kind=st.integers(0, 4))
    def event(self, card: int, by: By, kind: int) -> None:
        staff = self.staff
        act = (
            staff.report_temporary_loss,
            staff.report_formal_loss,
            staff.release_loss,
            staff.activate,
            staff.stop,
        )[kind]
        self.attempt(lambda: act(self.key(card), by))

    @rule(card=CARDS, event=st.sampled_from(BankEvent))
    def bank(self, card: int, event: BankEvent) -> None:
        social = self.staff.status(self.key(card)).state
        self.attempt(lambda: self.staff.bank_event(self.key(card), event))
        assert self.staff.status(self.key(card)).state == social

    @rule(card=CARDS, cause=st.sampled_from(Cause), by=BYS)
    def apply(self, card: int, cause: Cause, by: By) -> None:
        def work() -> None:
            made = self.clerks.apply_for(self.key(card), cause, None, by)
            self.applications.append(made.application_id)

        self.attempt(work)

    @rule(which=CARDS, department=st.sampled_from(Department), passed=st.booleans())
    def judge(self, which: int, department: Department, passed: bool) -> None:
        self.on(which, lambda a: self.clerks.judge(a, department, passed=passed, reason="no"))

    @rule(which=CARDS)
    def verify(self, which: int) -> None:
        for department in Department:
            self.judge_passed(which, department)

    def judge_passed(self, which: int, department: Department) -> None:
        self.on(which, lambda a: self.clerks.judge(a, department, passed=True))

    @rule(which=CARDS, by=BYS)
    def make(self, which: int, by: By) -> None:
        new = sample_ref(100 + len(self.cards))
        self.on(which, lambda a: self.clerks.make(a, new, by))

    @rule(which=CARDS, card=CARDS)
    def make_what_is_somebodys(self, which: int, card: int) -> None:
        """Never done; and the application goes on."""
        taken = self.cards[card % len(self.cards)]

        def work(application: str) -> None:
            self.clerks.make(application, taken)
            pytest.fail("a card was made that is somebody's already")

        self.on(which, work)

    @rule(which=CARDS, by=BYS)
    def issue(self, which: int, by: By) -> None:
        def work(application: str) -> None:
            issued = self.clerks.issue(application, by)
            self.cards.append(issued.new.card)

        self.on(which, work)

    @rule(which=CARDS, by=BYS)
    def withdraw(self, which: int, by: By) -> None:
        self.on(which, lambda a: self.clerks.withdraw(a, by))

    @rule(card=CARDS, cause=st.sampled_from(Cause), by=BYS, point=st.integers(1, 3))
    def on_the_spot(self, card: int, cause: Cause, by: By, point: int) -> None:
        self.on_the_spot_at(card, cause, by, point)

    def on_the_spot_at(self, card: int, cause: Cause, by: By, point: int) -> None:
        new = sample_ref(100 + len(self.cards))

        def work() -> None:
            self.clerks.on_the_spot(self.key(card), cause, new, f"POINT-{point}", by)
            self.cards.append(new)

        self.attempt(work)

    @rule(card=CARDS)
    def exchange(self, card: int) -> None:
        """The shortest way to a void card."""
        self.on_the_spot_at(card, Cause.DAMAGED, COUNTER, 1)

    @rule(hours=st.integers(1, 200))
    def time_passes(self, hours: int) -> None:
        self.city.clock.advance(timedelta(hours=hours))

    @rule()
    def deadlines_pass(self) -> None:
        """What a watch does; whether it comes at once or late, the rest holds."""
        self.city.backoffice.deadlines.raise_passed()
        now = self.city.backoffice.now()
        with self.city.backoffice.database.transaction() as session:
            for card in session.scalars(select(Card)):
                assert card.until is None or card.until > now, "a lapse was not written down"

    def on(self, which: int, work: Callable[[str], object]) -> None:
        if self.applications:
            application = self.applications[which % len(self.applications)]
            self.attempt(lambda: work(application))

    @invariant()
    def what_holds_of_cards(self) -> None:
        now = self.city.backoffice.now()
        with self.city.backoffice.database.transaction() as session:
            cards = session.scalars(select(Card)).all()
            live = [card.holder for card in cards if card.state != State.VOID]
            assert len(live) == len(set(live)), "two live cards for one holder"
            void = {card.id for card in cards if card.state == State.VOID}
            assert self.void <= void, "a void card came back"
            self.void = void
            life = select(ListingRow).where(
                ListingRow.origin == "life", ListingRow.is_removed.is_(False)
            )
            standing = session.scalars(life).all()
            trail = select(LifeEvent).where(~LifeEvent.event.startswith("bank_"))
            last = {e.card: e.after for e in session.scalars(trail.order_by(LifeEvent.id))}
            for card in cards:
                mine = [row for row in standing if row.card == card.id]
                in_force = [r for r in mine if r.valid_until is None or r.valid_until > now]
                wanted = LISTED.get(state_at(life_of(card), now).state)
                assert [row.reason for row in in_force] == ([wanted] if wanted else [])
                assert last[card.id] == card.state, "a change without a line in the audit trail"

    @invariant()
    def what_holds_of_applications(self) -> None:
        now = self.city.backoffice.now()
        self.clerks.overdue()
        with self.city.backoffice.database.transaction() as session:
            rows = session.scalars(select(ApplicationRow)).all()
            under_way = [row.holder for row in rows if Stage(row.stage).is_open]
            assert len(under_way) == len(set(under_way)), "two applications at once"
            overdue = session.scalars(select(OverdueRow)).all()
            assert len({(o.application, o.duty) for o in overdue}) == len(overdue)
            for row in rows:
                assert row.due_at is None or row.due_at > now, "an overdue duty was not noted"
                if Stage(row.stage) is Stage.ISSUED:
                    old = session.get(Card, row.card)
                    assert old is not None
                    assert old.state == State.VOID
                    assert old.replaced_by is not None

    def teardown(self) -> None:
        if hasattr(self, "city"):
            self.city.backoffice.close()


@pytest.mark.article(18)
@pytest.mark.article(23)
def test_what_holds_for_every_course_of_events(new_database: Callable[[], str]) -> None:
    class LivesThere(Lives):
        database = staticmethod(new_database)

    courses = 45 if new_database() == "sqlite://" else 20
    run_state_machine_as_test(
        LivesThere,
        settings=settings(max_examples=courses, stateful_step_count=40, deadline=None),
    )
