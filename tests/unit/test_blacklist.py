"""The blacklist: what an entry means, and which updates are taken."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_client import errors
from backend_client.blacklist import CLOCK_TOLERANCE, Blacklist, apply_update, set_hash
from backend_client.messages import (
    BlacklistDelta,
    BlacklistEntry,
    BlacklistSnapshot,
    BlacklistUpdate,
    Coverage,
    PublicKey,
    SignedDocument,
)
from backend_client.signing import sign_document

SHANGHAI = dt.timezone(dt.timedelta(hours=8))
NOW = dt.datetime(2026, 11, 23, 12, tzinfo=SHANGHAI)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
ISSUER = "urn:example:center"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TRUSTED = PublicKey("key-1", KEY.public_key().public_bytes_raw())
COVERAGE = Coverage(("990100",), NOW)
CARD_ID = "00112233445566778899aabbccddeeff"
CARD_NUMBER = "A12345678"


def entry(entry_id: str = "e1", **changes: object) -> BlacklistEntry:
    plain = BlacklistEntry(
        entry_id,
        CARD_ID,
        None,
        None,
        "formal_loss",
        ("social_security",),
        "refuse",
        NOW - DAY,
        None,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # checked by the test that uses it


def held(version: int, *entries: BlacklistEntry, issued_at: dt.datetime = NOW - HOUR) -> Blacklist:
    return Blacklist(
        ISSUER,
        version,
        set_hash(entries),
        issued_at,
        NOW + DAY,
        COVERAGE,
        MappingProxyType({each.entry_id: each for each in entries}),
    )


def snapshot_of(target: Blacklist) -> BlacklistSnapshot:
    return BlacklistSnapshot(
        target.issuer,
        target.version,
        target.set_hash,
        target.issued_at,
        target.expires_at,
        target.coverage,
        len(target.entries),
        tuple(target.entries.values()),
    )


def delta_between(old: Blacklist, new: Blacklist) -> BlacklistDelta:
    added = [e for e in new.entries.values() if old.entries.get(e.entry_id) != e]
    removed = [e.entry_id for e in old.entries.values() if new.entries.get(e.entry_id) != e]
    return BlacklistDelta(
        new.issuer,
        new.version,
        old.version,
        old.set_hash,
        new.set_hash,
        new.issued_at,
        new.expires_at,
        new.coverage,
        len(new.entries),
        len(added),
        len(removed),
        tuple(added),
        tuple(removed),
    )


def signed(
    message: BlacklistSnapshot | BlacklistDelta, key_id: str = "key-1", key: Ed25519PrivateKey = KEY
) -> SignedDocument:
    return sign_document(message, key_id, key)


def update(*documents: BlacklistSnapshot | BlacklistDelta) -> BlacklistUpdate:
    snapshots = [signed(d) for d in documents if isinstance(d, BlacklistSnapshot)]
    deltas = tuple(signed(d) for d in documents if isinstance(d, BlacklistDelta))
    return BlacklistUpdate(snapshots[0] if snapshots else None, deltas)


def take(
    current: Blacklist | None,
    offered: BlacklistUpdate,
    *,
    keys: Iterable[PublicKey] = (TRUSTED,),
    issuer: str = ISSUER,
    now: dt.datetime = NOW,
) -> Blacklist:
    return apply_update(current, offered, keys=keys, issuer=issuer, now=now)


V1 = held(1, entry("a"))
V2 = held(2, entry("a"), entry("b", reason="fraud"))
V3 = held(3, entry("b", reason="fraud"))


# What an entry means


@pytest.mark.article(18)
def test_a_temporary_loss_holds_up_to_its_end_and_lifts_by_itself() -> None:
    start, end = NOW, NOW + 5 * DAY
    loss = entry(reason="temporary_loss", valid_from=start, valid_until=end)
    instant = dt.timedelta(microseconds=1)

    def stops(when: dt.datetime) -> bool:
        return loss.applies(CARD_ID, CARD_NUMBER, "social_security", when)

    assert not stops(start - instant)
    assert stops(start)
    assert stops(end - instant)
    assert not stops(end)
    assert not stops(end.astimezone(dt.UTC))


@pytest.mark.article(18)
def test_a_formal_loss_does_not_lift_by_itself() -> None:
    assert entry().applies(CARD_ID, CARD_NUMBER, "social_security", NOW + 36500 * DAY)


@pytest.mark.article(20)
def test_an_entry_stops_its_scope_only() -> None:
    bank_loss = entry(scope=("financial",))
    assert bank_loss.applies(CARD_ID, CARD_NUMBER, "financial", NOW)
    assert not bank_loss.applies(CARD_ID, CARD_NUMBER, "social_security", NOW)


@pytest.mark.parametrize(
    ("number", "inside"),
    [
        ("A00000010", True),
        ("A00000019", True),
        ("A0000001A", True),
        ("A0000001Z", True),
        ("A00000009", False),
        ("A00000020", False),
        ("A0000001", False),
        ("A000000150", False),
        ("", False),
    ],
)
def test_a_range_is_inclusive_and_holds_numbers_of_its_own_length(
    number: str, inside: bool
) -> None:
    listed = entry(card_id=None, number_from="A00000010", number_to="A0000001Z")
    assert listed.applies(CARD_ID, number, "social_security", NOW) is inside


def test_id_and_range_together_must_both_match() -> None:
    both = entry(number_from=CARD_NUMBER, number_to=CARD_NUMBER)
    assert both.names(CARD_ID, CARD_NUMBER)
    assert not both.names("ff" * 16, CARD_NUMBER)
    assert not both.names(CARD_ID, "A12345679")


def test_an_entry_that_names_nothing_stops_nothing() -> None:
    assert not entry(card_id=None).names(CARD_ID, CARD_NUMBER)
    assert not entry(card_id=None, number_from="000000000").names(CARD_ID, CARD_NUMBER)
    assert not entry(number_to="ZZZZZZZZZ").names(CARD_ID, CARD_NUMBER)


def test_all_matching_entries_are_given_in_order() -> None:
    other = entry("c", card_id="ff" * 16)
    two = held(1, entry("b"), other, entry("a"))
    found = two.matching(CARD_ID, CARD_NUMBER, "social_security", NOW)
    assert [each.entry_id for each in found] == ["a", "b"]


# What is taken


def test_a_first_snapshot_is_taken() -> None:
    assert take(None, update(snapshot_of(V2))) == V2


def test_deltas_lead_from_version_to_version_with_additions_and_removals() -> None:
    assert take(V1, update(delta_between(V1, V2), delta_between(V2, V3))) == V3
    assert take(None, update(snapshot_of(V1), delta_between(V1, V2))) == V2
    assert V1.entries.keys() == {"a"}


def test_a_later_snapshot_replaces_the_list() -> None:
    assert take(V1, update(snapshot_of(V3))) == V3


def test_an_entry_changes_by_removal_and_addition_in_one_delta() -> None:
    changed = held(2, entry("a", reason="fraud"))
    assert take(V1, update(delta_between(V1, changed))) == changed


def test_a_delta_may_cover_several_versions() -> None:
    assert take(V1, update(delta_between(V1, V3))) == V3


def test_no_news_keeps_the_list() -> None:
    assert take(V2, BlacklistUpdate()) is V2


def test_an_empty_delta_prolongs_the_list() -> None:
    prolonged = replace(V1, version=2, issued_at=NOW, expires_at=NOW + 7 * DAY)
    assert take(V1, update(delta_between(V1, prolonged))).expires_at == NOW + 7 * DAY


def test_what_is_held_already_may_come_again() -> None:
    assert take(V2, update(snapshot_of(V2))) == V2
    assert take(V2, update(delta_between(V1, V2))) is V2
    everything = update(snapshot_of(V1), delta_between(V1, V2), delta_between(V2, V3))
    assert take(V2, everything) == V3
    assert take(V3, everything) is V3


def test_the_same_version_signed_later_prolongs_and_signed_earlier_does_not_shorten() -> None:
    later = replace(V2, issued_at=NOW, expires_at=NOW + 9 * DAY)
    assert take(V2, update(snapshot_of(later))).expires_at == later.expires_at
    assert take(later, update(snapshot_of(V2))).expires_at == later.expires_at


def test_steps_in_between_may_have_expired_but_not_the_result() -> None:
    expired = replace(V2, expires_at=NOW - HOUR)
    chain = update(delta_between(V1, expired), delta_between(expired, V3))
    assert take(V1, chain) == V3
    with pytest.raises(errors.ListExpired):
        take(V1, update(delta_between(V1, expired)))


# What is refused, each with its own error


def test_rollback() -> None:
    with pytest.raises(errors.ListRolledBack):
        take(V2, update(snapshot_of(V1)))
    with pytest.raises(errors.ListRolledBack):
        take(V3, update(delta_between(V1, V2)))


def test_fork() -> None:
    other = held(2, entry("x"))
    with pytest.raises(errors.ListForked):
        take(V2, update(snapshot_of(other)))
    with pytest.raises(errors.ListForked):
        take(V2, update(delta_between(V1, other)))
    with pytest.raises(errors.ListForked):
        take(V2, update(delta_between(other, V3)))


def test_mix_of_two_histories() -> None:
    other = held(2, entry("x"))
    with pytest.raises(errors.ListForked):
        take(V1, update(delta_between(V1, V2), delta_between(other, V3)))


def test_a_delta_whose_result_is_not_what_it_says() -> None:
    lying = replace(delta_between(V1, V2), result_hash=V3.set_hash)
    with pytest.raises(errors.ListForked):
        take(V1, update(lying))


def test_gap() -> None:
    with pytest.raises(errors.ListGap):
        take(V1, update(delta_between(V2, V3)))
    with pytest.raises(errors.ListGap):
        take(None, update(delta_between(V1, V2)))
    with pytest.raises(errors.ListGap):
        take(None, BlacklistUpdate())
    v4 = held(4, entry("d"))
    with pytest.raises(errors.ListGap):
        take(V2, update(delta_between(V1, v4)))


def test_freeze() -> None:
    expired = replace(V2, expires_at=NOW)
    with pytest.raises(errors.ListExpired):
        take(V1, update(snapshot_of(expired)))
    with pytest.raises(errors.ListExpired):
        take(expired, BlacklistUpdate())


def test_wrong_issuer() -> None:
    with pytest.raises(errors.WrongIssuer):
        take(None, update(snapshot_of(replace(V1, issuer="urn:example:other"))))


def test_issued_in_the_future() -> None:
    edge = replace(V1, issued_at=NOW + CLOCK_TOLERANCE)
    assert take(None, update(snapshot_of(edge))) == edge
    beyond = replace(edge, issued_at=edge.issued_at + dt.timedelta(seconds=1))
    with pytest.raises(errors.ListFromFuture):
        take(None, update(snapshot_of(beyond)))


def test_nothing_is_taken_when_the_last_step_is_bad() -> None:
    gap = delta_between(replace(V3, version=9), replace(V3, version=10))
    with pytest.raises(errors.ListGap):
        take(V1, update(delta_between(V1, V2), gap))
    assert V1.entries.keys() == {"a"}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"entry_count": 3}, "/entry_count"),
        ({"added_count": 2}, "/added_count"),
        ({"removed_count": 1}, "/removed_count"),
        ({"removed": ("zz",), "removed_count": 1}, "/removed/0"),
        ({"added": (entry("a"),)}, "/added/0/entry_id"),
        ({"version": 1}, "/version"),
    ],
    ids=str,
)
def test_a_delta_that_contradicts_itself(changes: dict[str, object], pointer: str) -> None:
    wrong = replace(delta_between(V1, V2), **changes)  # type: ignore[arg-type]  # fields by name
    with pytest.raises(errors.BadMessage) as caught:
        take(V1, update(wrong))
    assert caught.value.pointer == pointer


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"entry_count": 0}, "/entry_count"),
        ({"result_hash": V2.set_hash}, "/result_hash"),
        ({"added": (entry("a"), entry("a"))}, "/added"),
        (
            {"added": (entry("a", number_from="B00000000", number_to="A00000000"),)},
            "/added/0/number_to",
        ),
    ],
    ids=str,
)
def test_a_snapshot_that_contradicts_itself(changes: dict[str, object], pointer: str) -> None:
    wrong = replace(snapshot_of(V1), **changes)  # type: ignore[arg-type]  # fields by name
    with pytest.raises(errors.BadMessage) as caught:
        take(None, update(wrong))
    assert caught.value.pointer == pointer


def test_half_a_range_and_an_entry_without_a_card_break_the_contract() -> None:
    for wrong in (entry(number_from="A00000000"), entry(card_id=None), entry(scope=())):
        with pytest.raises(errors.BadRequest):
            signed(snapshot_of(held(1, wrong)))


# The hash of the set


def test_the_hash_is_that_of_the_canonical_entries_sorted_by_id() -> None:
    text = (
        '[{"action":"refuse","card_id":"00112233445566778899aabbccddeeff","entry_id":"a",'
        '"number_from":null,"number_to":null,"reason":"formal_loss","scope":["social_security"],'
        '"valid_from":"2026-11-22T12:00:00+08:00","valid_until":null},'
        '{"action":"refuse","card_id":"00112233445566778899aabbccddeeff","entry_id":"b",'
        '"number_from":null,"number_to":null,"reason":"fraud","scope":["social_security"],'
        '"valid_from":"2026-11-22T12:00:00+08:00","valid_until":null}]'
    )
    assert V2.set_hash == hashlib.sha256(text.encode()).digest()


def test_the_hash_knows_neither_order_nor_time_zone() -> None:
    one, two = entry("a"), entry("b")
    elsewhere = replace(one, valid_from=one.valid_from.astimezone(dt.UTC))
    assert set_hash([two, elsewhere]) == set_hash([one, two])
    assert set_hash([]) == hashlib.sha256(b"[]").digest()


@pytest.mark.parametrize(
    "changed",
    [
        entry(entry_id="e2"),
        entry(card_id="ff" * 16),
        entry(number_from=CARD_NUMBER, number_to=CARD_NUMBER),
        entry(reason="fraud"),
        entry(scope=("social_security", "financial")),
        entry(action="refuse_and_call_staff"),
        entry(valid_from=NOW),
        entry(valid_until=NOW + DAY),
    ],
)
def test_every_field_of_an_entry_is_in_the_hash(changed: BlacklistEntry) -> None:
    assert set_hash([changed]) != set_hash([entry()])


# Any history, however it is cut into updates, ends in the same list

CONTENTS = st.lists(st.sets(st.sampled_from("abcdef"), max_size=6), min_size=1, max_size=6)


@settings(max_examples=40)
@given(CONTENTS, st.data())
def test_any_way_through_a_history_ends_alike(
    contents: list[set[str]], data: st.DataObject
) -> None:
    history = [held(i + 1, *map(entry, sorted(ids))) for i, ids in enumerate(contents)]
    current = take(None, update(snapshot_of(history[0])))
    while current.version < len(history):
        at = current.version - 1
        to = data.draw(st.integers(at + 1, len(history) - 1))
        if data.draw(st.booleans()):
            step = update(snapshot_of(history[to]))
        else:
            chain = zip(history[at:to], history[at + 1 : to + 1], strict=True)
            step = update(*(delta_between(old, new) for old, new in chain))
        current = take(current, step)
        assert current == history[to]
    for older in history[:-1]:
        with pytest.raises(errors.ListRolledBack):
            take(current, update(snapshot_of(older)))


def test_a_list_is_a_value() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        V1.version = 2  # type: ignore[misc]  # that is the point
    with pytest.raises(TypeError):
        V1.entries["z"] = entry("z")  # type: ignore[index]  # that is the point
    assert CARD_ID not in repr(V1)
