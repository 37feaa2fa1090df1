"""The blacklist in the store: applied whole, loaded back exactly, looked up as the rule says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from backend_client.blacklist import Blacklist, set_hash
from backend_client.errors import ListRolledBack
from backend_client.messages import BlacklistEntry, Coverage, ListingReason, PublicKey
from terminal.clock import SHANGHAI
from terminal.errors import StoreError
from terminal.store.blacklist import BlacklistStore, ListRefusal
from terminal.store.store import Store

NOW = datetime(2026, 3, 4, 10, tzinfo=SHANGHAI)
DAY = timedelta(days=1)
CARDS = [f"990100d1560000050000000{n}ffffffff" for n in range(6)]
NUMBERS = [f"{letter}1234567{n}" for letter in "AB" for n in range(3)]
KEY = bytes(range(32))
COVERAGE = Coverage(("990100", "310000"), NOW)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path, random=Random(1).randbytes, key=KEY) as opened:
        yield opened


def entry(entry_id: str, card: str | None = None, first: str | None = None) -> BlacklistEntry:
    return BlacklistEntry(
        entry_id, card, first, first, "formal_loss", ("social_security",), "refuse", NOW, None
    )


def listed(version: int, entries: Mapping[str, BlacklistEntry]) -> Blacklist:
    return Blacklist(
        "urn:example:centre",
        version,
        set_hash(entries.values()),
        NOW + version * DAY,
        NOW + (version + 7) * DAY,
        COVERAGE,
        MappingProxyType(dict(entries)),
    )


def of(version: int, *entries: BlacklistEntry) -> Blacklist:
    return listed(version, {e.entry_id: e for e in entries})


def test_before_the_first_list_there_is_none(store: Store) -> None:
    index = BlacklistStore(store)
    assert index.head() is None
    assert index.load() is None
    assert index.lookup(CARDS[0], NUMBERS[0]) == ()


def test_a_list_comes_back_exactly(tmp_path: Path) -> None:
    loss = BlacklistEntry(
        "e2",
        None,
        "A00000000",
        "B99999999",
        "temporary_loss",
        ("social_security", "transport"),
        "refuse_and_call_staff",
        datetime(2026, 3, 1, 1, 2, 3, 456789, tzinfo=UTC),
        NOW + DAY,
    )
    new = of(3, entry("e1", CARDS[0]), loss)
    with Store.open(tmp_path, random=Random(1).randbytes, key=KEY) as store:
        BlacklistStore(store).apply(new, NOW)
    with Store.open(tmp_path, random=Random(1).randbytes, key=KEY) as store:
        index = BlacklistStore(store)
        loaded, head = index.load(), index.head()
    assert loaded == new
    assert loaded is not None
    assert set_hash(loaded.entries.values()) == new.set_hash
    assert head is not None
    assert (head.version, head.entries, head.applied_at) == (3, 2, NOW)
    assert (head.issued_at, head.expires_at) == (new.issued_at, new.expires_at)


def test_a_card_is_found_by_id_by_range_and_by_both(store: Store) -> None:
    both = entry("both", CARDS[2], NUMBERS[2])
    wide = BlacklistEntry(
        "wide", None, "A00000000", "A99999999", "freeze", ("transport",), "refuse", NOW, NOW
    )
    index = BlacklistStore(store)
    index.apply(of(1, entry("id", CARDS[0]), entry("number", None, NUMBERS[4]), both, wide), NOW)

    def found(card: int, number: int) -> list[str]:
        return [e.entry_id for e in index.lookup(CARDS[card], NUMBERS[number])]

    assert found(0, 3) == ["id"]
    assert found(0, 0) == ["id", "wide"]
    assert found(5, 4) == ["number"]
    assert found(2, 2) == ["both", "wide"]
    assert found(2, 3) == []
    assert found(5, 2) == ["wide"]


@pytest.mark.article(25)
def test_no_card_identifier_of_a_list_is_readable_on_disk(tmp_path: Path) -> None:
    entries = (
        entry("id", CARDS[0]),
        entry("number", None, NUMBERS[4]),
        entry("both", CARDS[2], NUMBERS[2]),
        replace(entry("range", None, NUMBERS[0]), number_to=NUMBERS[5]),
    )
    with Store.open(tmp_path, random=Random(1).randbytes, key=KEY) as store:
        index = BlacklistStore(store)
        index.apply(of(1, *entries), NOW)
        assert [e.entry_id for e in index.lookup(CARDS[0], NUMBERS[3])] == ["id", "range"]
    raw = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for identifier in (*CARDS, *NUMBERS):
        assert identifier.encode() not in raw
    for card in CARDS:
        assert bytes.fromhex(card) not in raw


def test_the_keys_that_a_list_was_verified_with_are_kept(store: Store) -> None:
    index = BlacklistStore(store)
    assert index.keys() == ()
    keys = (PublicKey("key-1", bytes(range(32))), PublicKey("key-2", bytes(32)))
    index.apply(of(1), NOW, keys)
    assert index.keys() == keys
    index.apply(of(2), NOW, keys[:1])
    assert index.keys() == keys[:1]


ENTRY = st.builds(
    BlacklistEntry,
    entry_id=st.sampled_from("abcdefgh"),
    card_id=st.none() | st.sampled_from(CARDS),
    number_from=st.none() | st.sampled_from(NUMBERS),
    number_to=st.sampled_from(NUMBERS),
    reason=st.sampled_from(["temporary_loss", "void"]),
    scope=st.sampled_from([("social_security",), ("financial", "transport")]),
    action=st.just("refuse"),
    valid_from=st.sampled_from([NOW - DAY, NOW, NOW + DAY]),
    valid_until=st.sampled_from([None, NOW, NOW + DAY]),
).map(
    lambda e: (
        e
        if e.number_from
        else BlacklistEntry(
            e.entry_id,
            e.card_id,
            None,
            None,
            e.reason,
            e.scope,
            e.action,
            e.valid_from,
            e.valid_until,
        )
    )
)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(lists=st.lists(st.lists(ENTRY, max_size=8), min_size=1, max_size=4))
def test_it_agrees_with_the_plain_rule_after_any_changes(
    tmp_path_factory: pytest.TempPathFactory, lists: list[list[BlacklistEntry]]
) -> None:
    """One list after another in the same store: what is found is what each list says."""
    with Store.open(tmp_path_factory.mktemp("s"), random=Random(1).randbytes, key=KEY) as store:
        index = BlacklistStore(store)
        for version, entries in enumerate(lists):
            new = of(version, *entries)
            index.apply(new, NOW)
            assert index.load() == new
            for card, number in zip(CARDS, NUMBERS, strict=True):
                hits = [
                    e
                    for e in index.lookup(card, number)
                    if e.applies(card, number, "social_security", NOW)
                ]
                assert tuple(hits) == new.matching(card, number, "social_security", NOW)


def test_only_what_differs_is_written(store: Store) -> None:
    index = BlacklistStore(store)
    entries = {f"e{n:05d}": entry(f"e{n:05d}", CARDS[0]) for n in range(6_000)}
    index.apply(listed(1, entries), NOW)
    changed = dict(entries)
    del changed["e00000"]
    changed["new"] = entry("new", CARDS[1])
    written: list[int] = []

    @event.listens_for(store.engine, "after_cursor_execute")
    def count(_c: object, _r: object, sql: str, parameters: list[object], *_: object) -> None:
        if "blacklist_entry" in sql and not sql.startswith("SELECT"):
            written.append(len(parameters))

    index.apply(listed(2, changed), NOW)
    assert len(written) == 2
    assert sum(written) < 20
    assert index.load() == listed(2, changed)
    index.apply(listed(3, {}), NOW)  # a removal of more than one statement can name
    assert index.load() == listed(3, {})


def test_a_failed_application_leaves_the_list_in_force(store: Store) -> None:
    index = BlacklistStore(store)
    good = of(1, entry("e1", CARDS[0]))
    index.apply(good, NOW)

    @event.listens_for(store.engine, "before_cursor_execute")
    def fail(_c: object, _r: object, sql: str, *_: object) -> None:
        if sql.startswith("INSERT INTO blacklist "):
            raise StoreError("killed in the middle")

    with pytest.raises(StoreError):
        index.apply(of(2, entry("e2", CARDS[1])), NOW)
    event.remove(store.engine, "before_cursor_execute", fail)
    assert index.load() == good
    assert [e.entry_id for e in index.lookup(CARDS[0], NUMBERS[0])] == ["e1"]
    assert index.lookup(CARDS[1], NUMBERS[0]) == ()


def test_why_a_list_was_refused_is_kept_until_a_good_one_comes(store: Store) -> None:
    index = BlacklistStore(store)
    good = of(1, entry("e1", CARDS[0]))
    index.apply(good, NOW)
    assert index.last_refusal() is None
    index.refuse(ListRolledBack("version 1 is held already"), NOW)
    assert index.last_refusal() == ListRefusal("BACKEND_LIST_ROLLED_BACK", NOW)
    assert index.load() == good
    index.accept()
    assert index.last_refusal() is None
    index.refuse(ListRolledBack("again"), NOW)
    index.apply(of(2), NOW)
    assert index.last_refusal() is None


@pytest.mark.parametrize("reason", ["temporary_loss", "stopped", "fraud"])
def test_every_reason_fits(store: Store, reason: ListingReason) -> None:
    one = BlacklistEntry(
        "x" * 64, CARDS[0], None, None, reason, ("financial",), "refuse", NOW, None
    )
    index = BlacklistStore(store)
    index.apply(of(1, one), NOW)
    assert index.lookup(CARDS[0], NUMBERS[0]) == (one,)
