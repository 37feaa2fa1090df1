"""The blacklist: what an entry means, and which updates are taken."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_client import errors
from backend_client.blacklist import CLOCK_TOLERANCE, Blacklist, Trust, apply_documents
from backend_client.entry_set import EntrySet
from backend_client.list_document import delta_body, sign_keys, sign_list
from backend_client.list_issue import sign_delta, sign_snapshot
from backend_client.list_messages import (
    BlacklistEntry,
    Coverage,
    KeyStatement,
    ListHeader,
)
from backend_client.messages import PublicKey

SHANGHAI = dt.timezone(dt.timedelta(hours=8))
NOW = dt.datetime(2026, 11, 23, 12, tzinfo=SHANGHAI)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
ISSUER = "urn:example:center"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TRUSTED = PublicKey("key-1", KEY.public_key().public_bytes_raw())
COVERAGE = Coverage(("990100",), NOW)
CARD_ID = "990100d15600000500000001ffffffff"
CARD_NUMBER = "A12345678"


def card(name: str) -> str:
    """A card identity for each letter."""
    return f"990100d156000005{ord(name):08x}"


def entry(name: str = "e", **changes: object) -> BlacklistEntry:
    plain = BlacklistEntry(
        card(name),
        None,
        None,
        "formal_loss",
        ("social_security",),
        "refuse",
        NOW - DAY,
        None,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # checked by the test that uses it


MINE = entry(card_id=CARD_ID[:24])


def held(version: int, *entries: BlacklistEntry, issued_at: dt.datetime = NOW - HOUR) -> Blacklist:
    these = EntrySet.of(entries)
    return Blacklist(ISSUER, version, these.hash, issued_at, NOW + DAY, COVERAGE, these)


def snapshot_of(target: Blacklist, key_id: str = "key-1", key: Ed25519PrivateKey = KEY) -> bytes:
    return sign_snapshot(target, key_id, key)


def delta_between(old: Blacklist, new: Blacklist, key: Ed25519PrivateKey = KEY) -> bytes:
    return sign_delta(old, new, "key-1", key)


def take(
    current: Blacklist | None,
    *documents: bytes,
    keys: Iterable[PublicKey] = (TRUSTED,),
    issuer: str = ISSUER,
    now: dt.datetime = NOW,
) -> Blacklist:
    result = apply_documents(current, documents, Trust(issuer, tuple(keys)), now).list
    assert result is not None
    return result


V1 = held(1, entry("a"))
V2 = held(2, entry("a"), entry("b", reason="fraud"))
V3 = held(3, entry("b", reason="fraud"))


# What an entry means


@pytest.mark.article(18)
def test_a_temporary_loss_holds_up_to_its_end_and_lifts_by_itself() -> None:
    start, end = NOW, NOW + 5 * DAY
    loss = replace(MINE, reason="temporary_loss", valid_from=start, valid_until=end)
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
    assert MINE.applies(CARD_ID, CARD_NUMBER, "social_security", NOW + 36500 * DAY)


@pytest.mark.article(20)
def test_an_entry_stops_its_scope_only() -> None:
    bank_loss = replace(MINE, scope=("financial",))
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
    both = replace(MINE, number_from=CARD_NUMBER, number_to=CARD_NUMBER)
    assert both.names(CARD_ID, CARD_NUMBER)
    assert not both.names("ff" * 16, CARD_NUMBER)
    assert not both.names(CARD_ID, "A12345679")


def test_an_entry_that_names_nothing_stops_nothing() -> None:
    assert not entry(card_id=None).names(CARD_ID, CARD_NUMBER)
    assert not entry(card_id=None, number_from="000000000").names(CARD_ID, CARD_NUMBER)
    assert not entry(number_to="ZZZZZZZZZ").names(CARD_ID, CARD_NUMBER)


def test_all_matching_entries_are_given() -> None:
    ranged = entry(card_id=None, number_from=CARD_NUMBER, number_to=CARD_NUMBER)
    two = held(1, ranged, entry("c"), MINE)
    found = two.matching(CARD_ID, CARD_NUMBER, "social_security", NOW)
    assert set(found) == {MINE, ranged}


# What is taken


def test_a_first_snapshot_is_taken() -> None:
    assert take(None, snapshot_of(V2)) == V2


def test_deltas_lead_from_version_to_version_with_additions_and_removals() -> None:
    assert take(V1, delta_between(V1, V2), delta_between(V2, V3)) == V3
    assert take(None, snapshot_of(V1), delta_between(V1, V2)) == V2
    assert set(V1.entries) == {entry("a")}


def test_a_later_snapshot_replaces_the_list() -> None:
    assert take(V1, snapshot_of(V3)) == V3


def test_an_entry_changes_by_removal_and_addition_in_one_delta() -> None:
    changed = held(2, entry("a", reason="fraud"))
    assert take(V1, delta_between(V1, changed)) == changed


def test_a_delta_may_cover_several_versions() -> None:
    assert take(V1, delta_between(V1, V3)) == V3


def test_no_news_keeps_the_list() -> None:
    assert take(V2) is V2


def test_an_empty_delta_prolongs_the_list() -> None:
    prolonged = replace(V1, version=2, issued_at=NOW, expires_at=NOW + 7 * DAY)
    assert take(V1, delta_between(V1, prolonged)).expires_at == NOW + 7 * DAY


def test_what_is_held_already_may_come_again() -> None:
    assert take(V2, snapshot_of(V2)) == V2
    assert take(V2, delta_between(V1, V2)) is V2
    everything = (snapshot_of(V1), delta_between(V1, V2), delta_between(V2, V3))
    assert take(V2, *everything) == V3
    assert take(V3, *everything) is V3


def test_the_same_version_signed_later_prolongs_and_signed_earlier_does_not_shorten() -> None:
    later = replace(V2, issued_at=NOW, expires_at=NOW + 9 * DAY)
    assert take(V2, snapshot_of(later)).expires_at == later.expires_at
    assert take(later, snapshot_of(V2)).expires_at == later.expires_at


def test_steps_in_between_may_have_expired_but_not_the_result() -> None:
    expired = replace(V2, expires_at=NOW - HOUR)
    chain = (delta_between(V1, expired), delta_between(expired, V3))
    assert take(V1, *chain) == V3
    with pytest.raises(errors.ListExpired):
        take(V1, delta_between(V1, expired))


# What is refused, each with its own error


def test_rollback() -> None:
    with pytest.raises(errors.ListRolledBack):
        take(V2, snapshot_of(V1))
    with pytest.raises(errors.ListRolledBack):
        take(V3, delta_between(V1, V2))


def test_fork() -> None:
    other = held(2, entry("x"))
    with pytest.raises(errors.ListForked):
        take(V2, snapshot_of(other))
    with pytest.raises(errors.ListForked):
        take(V2, delta_between(V1, other))
    with pytest.raises(errors.ListForked):
        take(V2, delta_between(other, V3))


def test_mix_of_two_histories() -> None:
    other = held(2, entry("x"))
    with pytest.raises(errors.ListForked):
        take(V1, delta_between(V1, V2), delta_between(other, V3))


def test_a_delta_whose_result_is_not_what_it_says() -> None:
    lying = delta_between(V1, replace(V2, set_hash=V3.set_hash))
    with pytest.raises(errors.ListForked):
        take(V1, lying)


def test_gap() -> None:
    with pytest.raises(errors.ListGap):
        take(V1, delta_between(V2, V3))
    with pytest.raises(errors.ListGap):
        take(None, delta_between(V1, V2))
    with pytest.raises(errors.ListGap):
        take(None)
    v4 = held(4, entry("d"))
    with pytest.raises(errors.ListGap):
        take(V2, delta_between(V1, v4))


def test_freeze() -> None:
    expired = replace(V2, expires_at=NOW)
    with pytest.raises(errors.ListExpired):
        take(V1, snapshot_of(expired))
    with pytest.raises(errors.ListExpired):
        take(expired)


def test_wrong_issuer() -> None:
    with pytest.raises(errors.WrongIssuer):
        take(None, snapshot_of(replace(V1, issuer="urn:example:other")))


def test_issued_in_the_future() -> None:
    edge = replace(V1, issued_at=NOW + CLOCK_TOLERANCE)
    assert take(None, snapshot_of(edge)) == edge
    beyond = replace(edge, issued_at=edge.issued_at + dt.timedelta(seconds=1))
    with pytest.raises(errors.ListFromFuture):
        take(None, snapshot_of(beyond))


def test_nothing_is_taken_when_the_last_step_is_bad() -> None:
    gap = delta_between(replace(V3, version=9), replace(V3, version=10))
    with pytest.raises(errors.ListGap):
        take(V1, delta_between(V1, V2), gap)
    assert set(V1.entries) == {entry("a")}


def declared(changes: dict[str, object], body: bytes, before: Blacklist | None) -> bytes:
    """A document whose header says other things than its body holds."""
    said: list[ListHeader] = []

    def note(header: ListHeader, _body: bytes, *_: object) -> bytes:
        said.append(header)
        return b""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backend_client.list_issue.sign_list", note)
        _ = snapshot_of(V1) if before is None else delta_between(before, V2)
    size_and_hash = {"body_size": len(body), "body_hash": hashlib.sha256(body).digest()}
    header = replace(said[0], **{**size_and_hash, **changes})  # type: ignore[arg-type]  # by name
    return sign_list(header, body, "key-1", KEY)


NOTHING = EntrySet({})
ONLY_B = EntrySet.of([entry("b", reason="fraud")])


@pytest.mark.parametrize(
    ("changes", "body", "pointer"),
    [
        ({"entry_count": 3}, delta_body(NOTHING, ONLY_B), "/entry_count"),
        ({"added_count": 2}, delta_body(NOTHING, ONLY_B), "/added_count"),
        ({"removed_count": 1}, delta_body(NOTHING, ONLY_B), "/removed_count"),
        ({"removed_count": 1}, delta_body(ONLY_B, ONLY_B), "/removed"),
        ({}, delta_body(NOTHING, V1.entries), "/added"),
        ({"version": 1}, delta_body(NOTHING, ONLY_B), "/version"),
        ({"previous_version": None}, delta_body(NOTHING, ONLY_B), "/groups"),
    ],
    ids=str,
)
def test_a_delta_that_contradicts_itself(
    changes: dict[str, object], body: bytes, pointer: str
) -> None:
    with pytest.raises(errors.BadMessage) as caught:
        take(V1, declared(changes, body, V1))
    assert caught.value.pointer.startswith(pointer)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"entry_count": 0}, "/entry_count"),
        ({"added_count": 0}, "/added_count"),
        ({"removed_count": 1}, "/added_count"),
        ({"result_hash": V2.set_hash}, "/result_hash"),
    ],
    ids=str,
)
def test_a_snapshot_that_contradicts_itself(changes: dict[str, object], pointer: str) -> None:
    with pytest.raises(errors.BadMessage) as caught:
        take(None, declared(changes, V1.entries.encode(), None))
    assert caught.value.pointer == pointer


def test_half_a_range_and_an_entry_without_a_card_break_the_contract() -> None:
    for wrong in (
        entry(number_from="A00000000"),
        entry(card_id=None),
        entry(card_id="00" * 12, scope=()),
    ):
        with pytest.raises(errors.BadRequest):
            EntrySet.of([wrong])


# Keys that change

ROOT = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))
NEXT = Ed25519PrivateKey.from_private_bytes(bytes(range(3, 35)))
ROOT_KEY = PublicKey("root-1", ROOT.public_key().public_bytes_raw())
NEXT_KEY = PublicKey("key-2", NEXT.public_key().public_bytes_raw())
TRUST = Trust(ISSUER, (TRUSTED,), (ROOT_KEY,))


def statement(
    number: int = 1,
    *keys: PublicKey,
    issuer: str = ISSUER,
    key_id: str = "root-1",
    key: Ed25519PrivateKey = ROOT,
) -> bytes:
    said = KeyStatement(issuer, number, NOW - HOUR, keys or (NEXT_KEY,))
    return sign_keys(said, key_id, key)


def test_a_statement_changes_the_keys_for_what_follows_it() -> None:
    new = sign_delta(V1, V2, "key-2", NEXT)
    with pytest.raises(errors.BadSignature):
        apply_documents(V1, [new], TRUST, NOW)
    applied = apply_documents(V1, [statement(), new], TRUST, NOW)
    assert (applied.list, applied.statement) == (V2, statement())
    assert (applied.trust.keys, applied.trust.statement) == ((NEXT_KEY,), 1)
    with pytest.raises(errors.BadSignature):
        apply_documents(V2, [delta_between(V2, V3)], applied.trust, NOW)


def test_with_both_keys_named_what_the_old_one_signed_is_still_taken() -> None:
    both = statement(1, TRUSTED, NEXT_KEY)
    chain = [both, delta_between(V1, V2), sign_delta(V2, V3, "key-2", NEXT)]
    assert apply_documents(V1, chain, TRUST, NOW).list == V3


def test_a_statement_alone_leaves_the_list() -> None:
    applied = apply_documents(V1, [statement()], TRUST, NOW)
    assert applied.list is V1
    assert apply_documents(None, [statement()], TRUST, NOW).list is None


def test_a_statement_that_is_held_says_nothing_new_and_an_older_one_is_refused() -> None:
    trust = replace(TRUST, statement=2)
    assert apply_documents(V1, [statement(2)], trust, NOW).statement is None
    with pytest.raises(errors.KeysRolledBack):
        apply_documents(V1, [statement(1)], trust, NOW)


@pytest.mark.parametrize(
    "forged",
    [
        statement(key=NEXT),
        statement(key_id="key-1", key=KEY),
        statement(key_id="root-2"),
    ],
    ids=["another key", "a list key", "an unknown key"],
)
def test_only_a_statement_key_signs_statements(forged: bytes) -> None:
    with pytest.raises(errors.BadSignature):
        apply_documents(V1, [forged], TRUST, NOW)


def test_a_statement_key_signs_no_list() -> None:
    with pytest.raises(errors.BadSignature):
        apply_documents(V1, [sign_delta(V1, V2, "root-1", ROOT)], TRUST, NOW)


def test_another_issuers_statement_is_refused() -> None:
    with pytest.raises(errors.WrongIssuer):
        apply_documents(V1, [statement(issuer="urn:example:other")], TRUST, NOW)


# Any history, however it is cut into updates, ends in the same list

CONTENTS = st.lists(st.sets(st.sampled_from("abcdef"), max_size=6), min_size=1, max_size=6)


@settings(max_examples=40)
@given(CONTENTS, st.data())
def test_any_way_through_a_history_ends_alike(
    contents: list[set[str]], data: st.DataObject
) -> None:
    history = [held(i + 1, *map(entry, sorted(ids))) for i, ids in enumerate(contents)]
    current = take(None, snapshot_of(history[0]))
    while current.version < len(history):
        at = current.version - 1
        to = data.draw(st.integers(at + 1, len(history) - 1))
        if data.draw(st.booleans()):
            steps = [snapshot_of(history[to])]
        else:
            chain = zip(history[at:to], history[at + 1 : to + 1], strict=True)
            steps = [delta_between(old, new) for old, new in chain]
        current = take(current, *steps)
        assert current == history[to]
    for older in history[:-1]:
        with pytest.raises(errors.ListRolledBack):
            take(current, snapshot_of(older))


def test_a_list_is_a_value() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        V1.version = 2  # type: ignore[misc]  # that is the point
    assert card("a") not in repr(V1)
