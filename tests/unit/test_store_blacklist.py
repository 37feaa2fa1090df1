"""The blacklist in the store: applied whole, loaded back exactly, looked up as the rule says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, event, func, select

from backend_client.blacklist import Blacklist
from backend_client.entry_set import EntrySet
from backend_client.errors import ListRolledBack
from backend_client.list_messages import IDENTITY, BlacklistEntry, Coverage
from backend_client.messages import ListingReason, PublicKey
from terminal.clock import SHANGHAI
from terminal.errors import StoreDamaged, StoreError, StoreUnavailable
from terminal.store.blacklist import BlacklistStore, ListRefusal
from terminal.store.schema import blacklist_part
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


IDS = [card[:IDENTITY] for card in CARDS]


def entry(card: str | None = None, first: str | None = None, **changes: object) -> BlacklistEntry:
    plain = BlacklistEntry(
        card, first, first, "formal_loss", ("social_security",), "refuse", None, None
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # named by each test


def of(version: int, *entries: BlacklistEntry) -> Blacklist:
    return listed(version, EntrySet.of(entries))


def listed(version: int, entries: EntrySet) -> Blacklist:
    return Blacklist(
        "urn:example:centre",
        version,
        entries.hash,
        NOW + version * DAY,
        NOW + (version + 7) * DAY,
        COVERAGE,
        entries,
    )


def test_before_the_first_list_there_is_none(store: Store) -> None:
    index = BlacklistStore(store)
    assert index.head() is None
    assert index.load() is None
    assert index.find(CARDS[0], NUMBERS[0]) == ()


def test_a_list_comes_back_exactly(tmp_path: Path) -> None:
    loss = BlacklistEntry(
        None,
        "A00000000",
        "B99999999",
        "temporary_loss",
        ("social_security", "transport"),
        "refuse_and_call_staff",
        datetime(2026, 3, 1, 1, 2, 3, 456789, tzinfo=UTC),
        NOW + DAY,
    )
    new = of(3, entry(IDS[0]), loss)
    with Store.open(tmp_path, random=Random(1).randbytes, key=KEY) as store:
        BlacklistStore(store).apply(new, NOW)
    with Store.open(tmp_path, random=Random(1).randbytes, key=KEY) as store:
        index = BlacklistStore(store)
        loaded, head = index.load(), index.head()
    assert loaded == new
    assert head is not None
    assert (head.version, head.entries, head.applied_at) == (3, 2, NOW)
    assert (head.issued_at, head.expires_at) == (new.issued_at, new.expires_at)


def test_a_card_is_found_by_id_by_range_and_by_both(store: Store) -> None:
    index = BlacklistStore(store)
    index.apply(
        of(
            1,
            entry(IDS[0], reason="void"),
            entry(None, NUMBERS[4], reason="stopped"),
            entry(IDS[2], NUMBERS[2], reason="fraud"),
            entry(None, "A00000000", number_to="A99999999", reason="freeze"),
        ),
        NOW,
    )

    def found(card: int, number: int) -> list[str]:
        return sorted(terms.reason for terms in index.find(CARDS[card], NUMBERS[number]))

    assert found(0, 3) == ["void"]
    assert found(0, 0) == ["freeze", "void"]
    assert found(5, 4) == ["stopped"]
    assert found(2, 2) == ["fraud", "freeze"]
    assert found(2, 3) == []
    assert found(5, 2) == ["freeze"]


@pytest.mark.article(25)
def test_no_card_identifier_of_a_list_is_readable_on_disk(tmp_path: Path) -> None:
    entries = (
        *(entry(card) for card in IDS),
        entry(None, NUMBERS[4]),
        entry(IDS[2], NUMBERS[2]),
        entry(None, NUMBERS[0], number_to=NUMBERS[5]),
    )
    with Store.open(tmp_path, random=Random(1).randbytes, key=KEY) as store:
        index = BlacklistStore(store)
        index.apply(of(1, *entries), NOW)
        assert len(index.find(CARDS[0], NUMBERS[3])) == 2
    raw = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for identifier in (*CARDS, *NUMBERS):
        assert identifier.encode() not in raw
    for card in IDS:
        assert bytes.fromhex(card) not in raw
    assert (0x990100).to_bytes(3, "little") not in raw, "the region as a packed set has it"


def test_the_keys_that_a_list_was_verified_with_are_kept(store: Store) -> None:
    index = BlacklistStore(store)
    assert index.keys() == ()
    keys = (PublicKey("key-1", bytes(range(32))), PublicKey("key-2", bytes(32)))
    index.apply(of(1), NOW, keys)
    assert index.keys() == keys
    index.apply(of(2), NOW, keys[:1])
    assert index.keys() == keys[:1]


def shaped(card: str | None, first: str | None, last: str, **terms: object) -> BlacklistEntry:
    """An entry of one of the four shapes that there are."""
    if first is None:
        return replace(entry(card or IDS[0]), **terms)  # type: ignore[arg-type]  # by name
    span = replace(entry(card, min(first, last)), number_to=max(first, last))
    return replace(span, **terms)  # type: ignore[arg-type]  # by name


ENTRY = st.builds(
    shaped,
    card=st.none() | st.sampled_from([*IDS, "00" * 12]),
    first=st.none() | st.sampled_from(NUMBERS),
    last=st.sampled_from(NUMBERS),
    reason=st.sampled_from(["temporary_loss", "void"]),
    scope=st.sampled_from([("social_security",), ("financial", "transport")]),
    valid_from=st.sampled_from([None, NOW, NOW + DAY]),
    valid_until=st.sampled_from([None, NOW, NOW + DAY]),
)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(lists=st.lists(st.lists(ENTRY, max_size=12), min_size=1, max_size=4))
def test_it_agrees_with_the_plain_rule_after_any_changes(
    tmp_path_factory: pytest.TempPathFactory, lists: list[list[BlacklistEntry]]
) -> None:
    """One list after another in the same store: what is found is what each list says."""
    directory = tmp_path_factory.mktemp("s")
    with Store.open(directory, random=Random(1).randbytes, key=KEY) as store:
        index = BlacklistStore(store)
        for version, entries in enumerate(lists):
            new = of(version, *entries)
            index.apply(new, NOW)
            assert_says(index, new)
    with Store.open(directory, random=Random(2).randbytes, key=KEY) as store:
        assert_says(BlacklistStore(store), new)


def assert_says(index: BlacklistStore, new: Blacklist) -> None:
    assert index.load() == new
    for card, number in zip(CARDS, NUMBERS, strict=True):
        hits = [t for t in index.find(card, number) if t.apply("social_security", NOW)]
        plain = new.matching(card, number, "social_security", NOW)
        assert sorted(hits, key=repr) == sorted((e.terms for e in plain), key=repr)


def many(count: int) -> EntrySet:
    return EntrySet.of(entry(f"990100d156000005{97 * n:08x}") for n in range(count))


def test_only_what_differs_is_written_until_that_is_much(store: Store) -> None:
    index = BlacklistStore(store)
    everybody = many(60_000)
    index.apply(listed(1, everybody), NOW)
    written: list[int] = []

    @event.listens_for(store.engine, "after_cursor_execute")
    def count(_c: object, _r: object, sql: str, parameters: tuple[object, ...], *_: object) -> None:
        if sql.startswith("INSERT INTO blacklist_part"):
            written.append(sum(len(p) for p in parameters if isinstance(p, bytes)))

    one = EntrySet.of([entry(IDS[5], reason="void")])
    index.apply(listed(2, everybody.union(one)), NOW)
    index.apply(listed(3, everybody.union(one)), NOW)
    assert len(written) == 1
    assert written[0] < 200
    fewer = everybody.minus(many(40_000))
    index.apply(listed(4, fewer), NOW)
    assert index.load() == listed(4, fewer)
    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(blacklist_part)).scalar() == 1


def test_changes_are_worked_into_a_new_image_before_they_are_too_many(store: Store) -> None:
    index = BlacklistStore(store)
    for version in range(600):
        index.apply(of(version, entry(IDS[version % 3])), NOW)
    with store.reading() as connection:
        parts = connection.execute(select(func.count()).select_from(blacklist_part)).scalar() or 0
    assert 1 < parts < 300
    assert BlacklistStore(store).load() == of(599, entry(IDS[599 % 3]))


def test_what_lies_on_disk_has_to_be_the_list_that_was_put_in_force(store: Store) -> None:
    index = BlacklistStore(store)
    index.apply(of(1, entry(IDS[0])), NOW)
    index.apply(of(2, entry(IDS[0]), entry(IDS[1])), NOW)
    with store.writing() as connection:
        connection.execute(delete(blacklist_part).where(blacklist_part.c.sequence == 1))
    with pytest.raises(StoreDamaged):
        BlacklistStore(store).in_force()


def test_who_holds_a_list_sees_one_version_whatever_comes(store: Store) -> None:
    index = BlacklistStore(store)
    index.apply(of(1, entry(IDS[0])), NOW)
    held = index.in_force()
    index.apply(of(2, entry(IDS[1])), NOW)
    assert held is not None
    assert held.head.version == 1
    assert held.find(CARDS[0], NUMBERS[0])
    assert not held.find(CARDS[1], NUMBERS[0])
    assert index.find(CARDS[1], NUMBERS[0])


def test_a_failed_application_leaves_the_list_in_force(store: Store) -> None:
    index = BlacklistStore(store)
    good = of(1, entry(IDS[0]))
    index.apply(good, NOW)

    @event.listens_for(store.engine, "before_cursor_execute")
    def fail(_c: object, _r: object, sql: str, *_: object) -> None:
        if sql.startswith("INSERT INTO blacklist "):
            raise StoreError("killed in the middle")

    with pytest.raises(StoreError):
        index.apply(of(2, entry(IDS[1])), NOW)
    event.remove(store.engine, "before_cursor_execute", fail)
    for looked_at in (index, BlacklistStore(store)):
        assert looked_at.load() == good
        assert looked_at.find(CARDS[0], NUMBERS[0])
        assert looked_at.find(CARDS[1], NUMBERS[0]) == ()
    index.apply(of(2, entry(IDS[1])), NOW)
    assert BlacklistStore(store).load() == of(2, entry(IDS[1]))


def test_why_a_list_was_refused_is_kept_until_a_good_one_comes(store: Store) -> None:
    index = BlacklistStore(store)
    good = of(1, entry(IDS[0]))
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
    one = entry(IDS[0], reason=reason, scope=("financial",), valid_from=NOW)
    index = BlacklistStore(store)
    index.apply(of(1, one), NOW)
    assert index.find(CARDS[0], NUMBERS[0]) == (one.terms,)


@pytest.mark.parametrize("is_done", [True, False])
def test_after_a_write_that_was_reported_failed_the_disk_decides(
    store: Store, monkeypatch: pytest.MonkeyPatch, is_done: bool
) -> None:
    """A terminal that believed the report could take no further version, until its next start."""
    index = BlacklistStore(store)
    first, second = entry(IDS[0]), entry(IDS[1])
    index.apply(of(1, first), NOW)
    really = store.writing

    @contextmanager
    def failing() -> Iterator[Connection]:
        with really() as connection:
            yield connection
            if not is_done:
                raise StoreUnavailable("the disk is full")
        raise StoreUnavailable("whether it is done nobody knows")

    with monkeypatch.context() as patched:
        patched.setattr(store, "writing", failing)
        with pytest.raises(StoreUnavailable):
            index.apply(of(2, first, second), NOW)
    head = index.head()
    assert head is not None
    assert head.version == (2 if is_done else 1)
    assert bool(index.find(CARDS[1], NUMBERS[0])) is is_done
    for version in (3, 4):
        index.apply(of(version, second, entry(IDS[version])), NOW)
    assert index.find(CARDS[0], NUMBERS[0]) == ()
    assert index.find(CARDS[4], NUMBERS[0])
    assert BlacklistStore(store).load() == index.load()
