"""The published blacklist: what is listed, and that versions are signed, numbered and chained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from backend_client.blacklist import Blacklist, Trust, apply_documents
from backend_client.client import BackendClient
from backend_client.errors import BadSignature, ListRolledBack, Refused
from backend_client.list_client import News
from backend_client.list_messages import BlacklistEntry, SnapshotOffer
from backend_client.messages import CardRef, PublicKey
from simulator.backoffice.backoffice import Rules
from simulator.backoffice.bank_function import BankEvent
from simulator.backoffice.database import open_engine
from simulator.backoffice.days import Counting
from simulator.backoffice.errors import LifecycleError
from simulator.backoffice.errors import Refused as RefusedHere
from simulator.backoffice.lifecycle import Event
from simulator.backoffice.listings import NumberRange, freeze
from simulator.backoffice.publisher import ListPolicy
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.sample import SampleCity, sample_bill, sample_ref
from simulator.backoffice.schema import Card, ListingRow
from simulator.backoffice.staff import CardKey
from simulator.clock import SHANGHAI, SimulatedClock

BEGIN = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)
LOSS_ENDS = datetime(2026, 3, 22, tzinfo=SHANGHAI)
POLICY = ListPolicy()


def new_city(rules: Rules | None = None, url: str = "sqlite://") -> SampleCity:
    return SampleCity(
        open_engine(url),
        clock=SimulatedClock(BEGIN),
        random=Random(1).randbytes,
        rules=rules,
    )


@pytest.fixture
def city(database_url: str) -> Iterator[SampleCity]:
    city = new_city(url=database_url)
    yield city
    city.backoffice.close()


def key(ref: CardRef) -> CardKey:
    return CardKey(card_id=ref.card_id)


class Listener:
    """A terminal that keeps its list up to date."""

    def __init__(self, city: SampleCity) -> None:
        self.city = city
        self.client: BackendClient = city.terminal()
        self.held: Blacklist | None = None

    def sync(self, *, afresh: bool = False) -> Blacklist:
        if afresh or self.held is None:
            self.take(None, (self.snapshot(self.news(0).snapshot),))
        held = self.held
        assert held is not None
        news = self.news(held.version)
        whole = () if news.snapshot is None else (self.snapshot(news.snapshot),)
        return self.take(held, (*news.documents, *whole))

    def take(self, held: Blacklist | None, documents: tuple[bytes, ...]) -> Blacklist:
        keys = (self.city.backoffice.public_key,)
        trust = Trust(POLICY.issuer, keys)
        self.held = apply_documents(held, documents, trust, self.city.clock.now()).list
        assert self.held is not None
        return self.held

    def news(self, since: int) -> News:
        return self.client.lists.news(since)

    def snapshot(self, offer: SnapshotOffer | None) -> bytes:
        assert offer is not None
        document = b""
        while len(document) < offer.size:
            document += self.client.lists.piece(offer, len(document))
        return document

    def entry(self) -> BlacklistEntry:
        """The only entry of a list brought up to date."""
        (one,) = self.sync().entries
        return one

    def reasons(self, ref: CardRef) -> list[str]:
        """Why the card is listed now, by the list held, as it stands."""
        assert self.held is not None
        now = self.city.clock.now()
        found = self.held.matching(ref.card_id, ref.card_number, "social_security", now)
        return [entry.reason for entry in found]


def test_a_terminal_starts_with_a_signed_snapshot(city: SampleCity) -> None:
    listed = Listener(city).sync()
    assert (listed.version, len(listed.entries), listed.issuer) == (1, 0, POLICY.issuer)
    assert listed.coverage.regions == ("990100",)
    assert listed.expires_at == BEGIN + POLICY.lifetime


@pytest.mark.article(18)
def test_a_temporary_loss_carries_its_end_and_lifts_where_nothing_more_is_heard(
    city: SampleCity,
) -> None:
    ref, terminal = city.card(1), Listener(city)
    terminal.sync()
    city.backoffice.staff.report_temporary_loss(key(ref))
    entry = terminal.entry()
    assert (entry.reason, entry.valid_from, entry.valid_until) == (
        "temporary_loss",
        None,
        LOSS_ENDS,
    )
    assert entry.scope == ("social_security",)
    city.clock.advance(LOSS_ENDS - BEGIN - timedelta(microseconds=1))
    assert terminal.reasons(ref) == ["temporary_loss"]
    city.clock.advance(timedelta(microseconds=1))
    assert terminal.reasons(ref) == []


@pytest.mark.article(18)
def test_a_lapse_needs_no_new_entry_and_is_cleared_with_the_next_version(city: SampleCity) -> None:
    ref, terminal = city.card(1), Listener(city)
    city.backoffice.staff.report_temporary_loss(key(ref))
    before = terminal.sync()
    city.clock.advance(LOSS_ENDS - BEGIN)
    after = terminal.sync()
    assert after.version == before.version + 1
    assert len(after.entries) == 0


@pytest.mark.article(18)
def test_a_loss_counted_in_hours_is_listed_in_hours() -> None:
    city = new_city(Rules(counting=Counting.HOURS))
    ref, terminal = city.card(1), Listener(city)
    city.backoffice.staff.report_temporary_loss(key(ref))
    entry = terminal.entry()
    assert entry.valid_until == BEGIN + timedelta(hours=120)
    city.backoffice.close()


@pytest.mark.article(18)
@pytest.mark.article(19)
def test_a_release_travels_as_a_removal(city: SampleCity) -> None:
    ref, terminal = city.card(1), Listener(city)
    city.backoffice.staff.report_formal_loss(key(ref))
    terminal.sync()
    assert terminal.reasons(ref) == ["formal_loss"]
    city.backoffice.staff.release_loss(key(ref))
    terminal.sync()
    assert terminal.reasons(ref) == []


@pytest.mark.article(18)
def test_a_loss_made_formal_loses_its_end(city: SampleCity) -> None:
    ref, terminal = city.card(1), Listener(city)
    city.backoffice.staff.report_temporary_loss(key(ref))
    terminal.sync()
    city.backoffice.staff.report_formal_loss(key(ref))
    entry = terminal.entry()
    assert (entry.reason, entry.valid_until) == ("formal_loss", None)


@pytest.mark.article(23)
def test_a_void_card_is_listed_for_every_use_and_for_ever(city: SampleCity) -> None:
    old, terminal = city.card(1), Listener(city)
    terminal.sync()
    city.backoffice.staff.replace(key(old), sample_ref(2), Event.EXCHANGE)
    entry = terminal.entry()
    assert (entry.card_id, entry.reason, entry.valid_until) == (old.card_id[:24], "void", None)
    assert set(entry.scope) == {"social_security", "financial", "transport"}
    city.clock.advance(timedelta(days=3650))
    terminal.sync()
    assert terminal.reasons(old) == ["void"]
    assert terminal.reasons(sample_ref(2)) == []


@pytest.mark.article(30)
def test_a_stopped_card_is_listed(city: SampleCity) -> None:
    ref, terminal = city.card(1, state="stopped"), Listener(city)
    terminal.sync()
    assert terminal.reasons(ref) == ["stopped"]


@pytest.mark.article(20)
def test_a_loss_at_the_bank_lists_nothing(city: SampleCity) -> None:
    ref, terminal = city.card(1, financial_active=True), Listener(city)
    city.backoffice.staff.bank_event(key(ref), BankEvent.REPORT_LOSS)
    assert len(terminal.sync().entries) == 0


@pytest.mark.article(26)
def test_a_freeze_is_listed_and_holds_at_the_centre_until_it_is_lifted(city: SampleCity) -> None:
    ref, terminal = city.card(1), Listener(city)
    city.backoffice.staff.freeze(key(ref), reason="fraud", action="refuse_and_call_staff")
    entry = terminal.entry()
    assert (entry.reason, entry.action, entry.valid_until) == (
        "fraud",
        "refuse_and_call_staff",
        None,
    )
    with pytest.raises(Refused) as caught:
        terminal.client.account(ref)
    assert caught.value.problem.code == "CARD_FROZEN"
    city.backoffice.staff.unfreeze(key(ref))
    assert len(terminal.sync().entries) == 0
    assert terminal.client.account(ref).card == ref


def test_a_range_of_card_numbers_is_frozen(city: SampleCity) -> None:
    inside = city.card(5, bills=[sample_bill("B1", 1)])
    outside = city.card(6)
    terminal = Listener(city)
    span = NumberRange("S00000000", "S00000005")
    city.backoffice.staff.freeze(span)
    terminal.sync()
    assert terminal.reasons(inside) == ["freeze"]
    assert terminal.reasons(outside) == []
    with pytest.raises(Refused):
        terminal.client.bills(inside)
    assert terminal.client.bills(outside).bills == ()
    city.backoffice.staff.unfreeze(span)
    terminal.sync()
    assert terminal.reasons(inside) == []


def test_a_range_that_is_the_wrong_way_round_reaches_no_list(city: SampleCity) -> None:
    terminal = Listener(city)
    before = terminal.sync()
    with pytest.raises(RefusedHere) as caught:
        city.backoffice.staff.freeze(NumberRange("S00000002", "S00000001"))
    assert caught.value.refusal is Refusal.BAD_REQUEST
    assert terminal.sync() == before
    city.backoffice.staff.freeze(NumberRange("S00000001", "S00000001"))
    assert len(terminal.sync().entries) == 1


def test_what_no_terminal_could_take_is_not_published(city: SampleCity) -> None:
    ref, terminal = city.card(1), Listener(city)
    before = terminal.sync()
    bad = ListingRow(
        number_from="S00000002",
        number_to="S00000001",
        origin="freeze",
        reason="freeze",
        scope="social_security",
        action="refuse",
        valid_from=BEGIN,
        is_removed=False,
    )

    def publish() -> None:
        with city.backoffice.database.transaction() as session:
            session.add(bad)
            city.backoffice.publisher.publish(session, BEGIN)

    with pytest.raises(RefusedHere) as caught:
        publish()
    assert (caught.value.refusal, caught.value.status) == (Refusal.INTERNAL, 500)
    assert terminal.sync() == before
    city.backoffice.staff.report_formal_loss(key(ref))
    terminal.sync()
    assert terminal.reasons(ref) == ["formal_loss"]


def test_a_version_that_would_not_be_believed_is_not_published() -> None:
    city = new_city(Rules(blacklist=ListPolicy(lifetime=timedelta())))
    terminal = city.terminal()
    for ask in (lambda: city.card(1), lambda: terminal.lists.news(0)):
        with pytest.raises((RefusedHere, Refused)) as caught:
            ask()
        assert "INTERNAL" in str(caught.value)
    with pytest.raises(RefusedHere) as unknown:
        city.backoffice.staff.status(CardKey(card_number="S00000001"))
    assert unknown.value.refusal is Refusal.CARD_UNKNOWN
    city.backoffice.close()


def test_a_list_that_does_not_hash_to_what_was_published_is_not_continued(
    city: SampleCity,
) -> None:
    ref = city.card(1)
    city.backoffice.staff.report_formal_loss(key(ref))
    with city.backoffice.database.transaction() as session:
        session.scalars(select(ListingRow)).one().reason = "fraud"
    city.backoffice.publisher._held = None  # as after a restart
    with pytest.raises(RefusedHere) as caught:
        city.backoffice.staff.release_loss(key(ref))
    assert caught.value.refusal is Refusal.INTERNAL


def test_a_version_that_was_undone_leaves_nothing_behind(city: SampleCity) -> None:
    refs = [city.card(serial) for serial in (1, 2, 3)]
    terminal = Listener(city)
    city.backoffice.staff.report_formal_loss(key(refs[0]))
    terminal.sync()
    for undone, kept in ((refs[1], refs[2]), (refs[2], refs[1])):
        with suppress(RuntimeError), city.backoffice.database.transaction() as session:
            card = city.backoffice.register.find(session, undone)
            freeze(session, card, "freeze", ("transport",), "refuse", BEGIN)
            city.backoffice.publisher.publish(session, BEGIN)
            raise RuntimeError
        city.backoffice.staff.report_formal_loss(key(kept))
        assert terminal.sync() == Listener(city).sync(afresh=True)
        assert terminal.reasons(undone) == ["formal_loss"] * (undone is refs[2])


def test_a_report_opens_no_more_cards_the_longer_the_list_is(
    city: SampleCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = [city.card(serial) for serial in range(1, 31)]
    opened: list[int] = []
    ref_of = city.backoffice.register.ref

    def counted(card: Card) -> CardRef:
        opened.append(card.id)
        return ref_of(card)

    monkeypatch.setattr(city.backoffice.register, "ref", counted)
    costs = []
    for ref in refs:
        opened.clear()
        city.backoffice.staff.report_formal_loss(key(ref))
        costs.append(len(opened))
    assert len(Listener(city).sync().entries) == 30
    assert set(costs) == {2}  # the new entry and the answer


def test_a_freeze_of_another_scope_leaves_the_social_security_function(city: SampleCity) -> None:
    ref, terminal = city.card(1), Listener(city)
    city.backoffice.staff.freeze(key(ref), scope=("transport",))
    terminal.sync()
    assert terminal.reasons(ref) == []
    assert terminal.client.account(ref).card == ref


def test_nothing_new_is_nothing_sent(city: SampleCity) -> None:
    terminal = Listener(city)
    version = terminal.sync().version
    assert terminal.news(version) == News()


def test_an_unchanged_list_is_prolonged_when_somebody_asks(city: SampleCity) -> None:
    terminal = Listener(city)
    first = terminal.sync()
    city.clock.advance(POLICY.refresh - timedelta(seconds=1))
    assert terminal.sync() == first
    city.clock.advance(timedelta(seconds=1))
    second = terminal.sync()
    assert second.version == first.version + 1
    assert second.issued_at == city.clock.now()
    assert second.expires_at == city.clock.now() + POLICY.lifetime
    assert second.set_hash == first.set_hash


def test_a_terminal_that_was_away_for_long_gets_a_snapshot(city: SampleCity) -> None:
    ref, away, here = city.card(1), Listener(city), Listener(city)
    version = away.sync().version
    for _ in range(60):
        city.backoffice.staff.report_formal_loss(key(ref))
        city.backoffice.staff.release_loss(key(ref))
    city.backoffice.staff.report_formal_loss(key(ref))
    news = away.news(version)
    assert news.snapshot is not None
    assert news.documents == ()
    assert away.sync() == here.sync()
    assert away.reasons(ref) == ["formal_loss"]


def test_a_version_the_back_office_does_not_know_shows_as_a_rollback(city: SampleCity) -> None:
    terminal = Listener(city)
    terminal.sync()
    raised = replace(terminal.sync(), version=6)
    with pytest.raises(ListRolledBack):
        terminal.take(raised, (terminal.snapshot(terminal.news(6).snapshot),))


def test_another_key_does_not_pass(city: SampleCity) -> None:
    stranger = PublicKey(city.backoffice.public_key.key_id, b"\1" * 32)
    terminal = Listener(city)
    document = terminal.snapshot(terminal.news(0).snapshot)
    with pytest.raises(BadSignature):
        apply_documents(None, [document], Trust(POLICY.issuer, (stranger,)), BEGIN)


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.sampled_from(["temporary", "formal", "release", "wait"])),
        max_size=15,
    ),
    st.lists(st.booleans(), min_size=15, max_size=15),
)
@pytest.mark.article(18)
@pytest.mark.article(19)
def test_deltas_and_snapshot_always_tell_the_same(
    events: list[tuple[int, str]], syncs: list[bool]
) -> None:
    city = new_city()
    refs = {serial: city.card(serial) for serial in (1, 2, 3)}
    follower, fresh = Listener(city), Listener(city)
    follower.sync()
    staff = city.backoffice.staff
    acts = {
        "temporary": staff.report_temporary_loss,
        "formal": staff.report_formal_loss,
        "release": staff.release_loss,
    }
    for (serial, what), sync in zip(events, syncs, strict=False):
        if what == "wait":
            city.clock.advance(timedelta(days=2))
        else:
            with suppress(LifecycleError):
                acts[what](key(refs[serial]))
        if sync:
            follower.sync()
    assert follower.sync() == fresh.sync(afresh=True)
    for ref in refs.values():
        state = staff.status(key(ref)).state
        reasons = {"temporarily_lost": ["temporary_loss"], "formally_lost": ["formal_loss"]}
        assert follower.reasons(ref) == reasons.get(state, [])
    city.backoffice.close()
