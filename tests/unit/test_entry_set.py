"""The packed entries: exact, canonical, small, and nothing but packed entries comes in."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap64

from backend_client.entry_lookup import Lookup
from backend_client.entry_set import EntrySet, cards_of, packed
from backend_client.errors import BadMessage
from backend_client.list_messages import BlacklistEntry, Terms
from backend_client.messages import ListingReason

NOW = datetime(2026, 3, 16, 9, tzinfo=UTC)
NUMBER = "S00000001"


def card(serial: int, region: str = "310000") -> str:
    return f"{region}d156000005{serial:08x}"


def listed(card_id: str | None, *span: str, **terms: object) -> BlacklistEntry:
    said = {
        "reason": "void",
        "scope": ("social_security",),
        "action": "refuse",
        "valid_from": None,
        "valid_until": None,
        **terms,
    }
    first, last = span or (None, None)
    return BlacklistEntry(card_id, first, last, **said)  # type: ignore[arg-type]  # by name


TERMS = st.fixed_dictionaries(
    {
        "reason": st.sampled_from(["void", "temporary_loss", "fraud"]),
        "scope": st.sampled_from([("social_security",), ("social_security", "transport")]),
        "action": st.sampled_from(["refuse", "refuse_and_call_staff"]),
        "valid_from": st.sampled_from([None, NOW]),
        "valid_until": st.sampled_from([None, NOW + timedelta(microseconds=1)]),
    }
)
SUBJECTS = st.one_of(
    st.tuples(st.integers(0, 40).map(card)),
    st.tuples(st.integers(0, 2**32 - 1).map(card)),
    st.tuples(st.sampled_from(["00" * 12, "ff" * 12])),
    st.tuples(st.none(), st.just("S00000001"), st.just("S00000009")),
    st.tuples(st.just(card(1)), st.just(NUMBER), st.just(NUMBER)),
)
ENTRIES = st.lists(st.builds(lambda who, terms: listed(*who, **terms), SUBJECTS, TERMS))


def test_the_form_is_fixed() -> None:
    """A vector by hand: one group of one card, one row."""
    until = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    entries = EntrySet.of(
        [
            listed(card(7), reason="temporary_loss", valid_until=until),
            listed(None, "S00000001", "S00000002"),
        ]
    )
    rows = (
        b'[{"action":"refuse","card_id":null,"number_from":"S00000001","number_to":"S00000002",'
        b'"reason":"void","scope":["social_security"],"valid_from":null,"valid_until":null}]'
    )
    group = struct.pack("<BBBqqII", 0, 1, 0, -(2**63), 1_000_000, 1, 8)
    cards = struct.pack("<Q", 0x310000 << 32 | 7)
    rows_size = struct.pack("<I", len(rows))
    assert entries.encode() == struct.pack("<I", 1) + group + cards + rows_size + rows


def test_the_cards_of_a_group_are_a_portable_roaring_bitmap() -> None:
    """The vector is written by the format's specification: one container of eight values."""
    entries = EntrySet.of(listed(card(serial)) for serial in range(8))
    bitmap = (
        struct.pack("<QI", 1, 0x310000)  # one 32-bit bitmap, and the upper half of its values
        + struct.pack("<II", 12346, 1)  # no runs, one container
        + struct.pack("<HH", 0, 7)  # its upper 16 bits, its size less one
        + struct.pack("<I", 16)  # where it begins
        + struct.pack("<8H", *range(8))
    )
    assert bitmap in entries.encode()


@given(ENTRIES)
def test_what_is_packed_comes_back_exactly(entries: list[BlacklistEntry]) -> None:
    packed_set = EntrySet.of(entries)
    data = packed_set.encode()
    again = EntrySet.decode(data)
    assert again == packed_set
    assert again.encode() == data
    assert set(again) == set(entries)
    assert len(again) == len(set(entries))


@given(ENTRIES, ENTRIES)
def test_changes_lead_from_one_set_to_another(
    old: list[BlacklistEntry], new: list[BlacklistEntry]
) -> None:
    before, after = EntrySet.of(old), EntrySet.of(new)
    removed, added = before.minus(after), after.minus(before)
    assert set(removed) == set(old) - set(new)
    changed = before.changed(removed, added)
    assert changed.encode() == after.encode()
    assert before == EntrySet.of(old), "the set before stays as it is"
    if len(added):
        with pytest.raises(BadMessage):
            after.changed(EntrySet({}), added)
    if len(removed):
        with pytest.raises(BadMessage):
            after.changed(removed, EntrySet({}))


def plain(serials: Iterable[int]) -> EntrySet:
    """Cards of these serials, all under the same terms."""
    return EntrySet({Terms("void", ("transport",), "refuse"): cards_of(serials)})


@settings(max_examples=10)
@given(
    st.integers(0, 2**32),
    st.sampled_from([4095, 4096, 4097, 65_536, 70_000]),
    st.floats(0.01, 0.99),
)
def test_there_is_one_spelling_however_a_large_set_came_about(
    seed: int, size: int, part: float
) -> None:
    """Containers of the bitmap change their kind at 4096 values and when they are full."""
    numbers = sorted(Random(seed).sample(range(70_000), size))
    middle = int(size * part)
    whole, start, more = map(plain, (numbers, numbers[:middle], range(70_000, 75_000)))
    for made in (
        start.union(whole),
        whole.union(more).minus(more),
        EntrySet.decode(whole.encode()).minus(start).union(start),
    ):
        assert made.encode() == whole.encode()


@given(ENTRIES, SUBJECTS)
def test_the_look_up_agrees_with_the_plain_rule(
    entries: list[BlacklistEntry], who: tuple[str | None, ...]
) -> None:
    lookup = Lookup(EntrySet.of(entries))
    card_id = (who[0] or card(3)) + "ffffffff"
    for number in (NUMBER, "S00000005", "S99999999"):
        plain = [entry.terms for entry in set(entries) if entry.names(card_id, number)]
        found = lookup.find(card_id, number)
        assert sorted(found, key=repr) == sorted(plain, key=repr)


def test_every_group_is_found_however_many_there_are() -> None:
    groups = [
        [listed(card(10 * n + i), valid_until=NOW + timedelta(n)) for i in range(9)]
        for n in range(40)
    ]
    lookup = Lookup(EntrySet.of(entry for group in groups for entry in group))
    for n, group in enumerate(groups):
        for entry in group:
            (terms,) = lookup.find(f"{entry.card_id}00000000", NUMBER)
            assert terms.valid_until == NOW + timedelta(n)
    assert lookup.find(card(9) + "00000000", NUMBER) == ()


def test_the_authentication_code_of_a_card_id_is_no_part_of_a_list() -> None:
    lookup = Lookup(EntrySet.of([listed(card(1))]))
    assert lookup.find(card(1) + "ffffffff", NUMBER)
    assert lookup.find(card(1) + "00000000", NUMBER)
    assert packed(card(1)) == 0x310000 << 32 | 1
    for odd in ("", "31", card(1)[:-1], "xy" * 12, "310000d156000006" + "00000001"):
        assert packed(odd) is None
        assert lookup.find(odd, NUMBER) == ()


# Hostile bytes


def roaring(serials: range) -> bytes:
    bitmap = BitMap64([0x310000 << 32 | n for n in serials])
    bitmap.run_optimize()
    return bitmap.serialize()


def packed_group(
    cards: bytes, count: int, reason: int = 0, scope: int = 1, action: int = 0
) -> bytes:
    end = 2**63 - 1
    return struct.pack("<BBBqqII", reason, scope, action, -(2**63), end, count, len(cards)) + cards


def packed_set(*groups: bytes, rows: bytes = b"[]") -> bytes:
    return struct.pack("<I", len(groups)) + b"".join(groups) + struct.pack("<I", len(rows)) + rows


ONE = struct.pack("<Q", 5)
GOOD = packed_group(ONE, 1)
ROW = (
    b'{"action":"refuse","card_id":null,"number_from":"S00000001","number_to":"S00000002",'
    b'"reason":"void","scope":["social_security"],"valid_from":null,"valid_until":null}'
)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xff\xff\xff",
        packed_set(GOOD) + b"x",
        packed_set(GOOD)[:-1],
        packed_set(GOOD, GOOD),
        packed_set(packed_group(ONE, 1, reason=1), GOOD),
        packed_set(packed_group(ONE, 1, reason=6)),
        packed_set(packed_group(ONE, 1, scope=0)),
        packed_set(packed_group(ONE, 1, scope=8)),
        packed_set(packed_group(ONE, 1, action=2)),
        packed_set(packed_group(b"", 0)),
        packed_set(packed_group(ONE + ONE, 2)),
        packed_set(packed_group(struct.pack("<QQ", 6, 5), 2)),
        packed_set(packed_group(struct.pack("<Q", 1 << 56), 1)),
        packed_set(packed_group(roaring(range(100)), 100)),
        packed_set(packed_group(b"\0" * 40, 100)),
        packed_set(packed_group(b"", 100)),
        packed_set(rows=b"{}"),
        packed_set(rows=b"[1]"),
        packed_set(rows=b"[" + ROW + b"," + ROW + b"]"),
        packed_set(rows=b"[ " + ROW + b"]"),
        packed_set(rows=b"[" + ROW.replace(b"S00000002", b"S00000000") + b"]"),
        packed_set(rows=b"[" + ROW.replace(b"null", b'"310000d15600000500000001"', 1).replace(
            b'"S00000001"', b"null").replace(b'"S00000002"', b"null") + b"]"),
        packed_set(rows=b"[" + ROW.replace(
            b'["social_security"]', b'["transport","social_security"]') + b"]"),
    ],
)  # fmt: skip
def test_what_is_not_the_one_spelling_of_a_set_is_refused(data: bytes) -> None:
    with pytest.raises(BadMessage):
        EntrySet.decode(data)


def test_the_good_neighbours_of_those_are_taken() -> None:
    assert len(EntrySet.decode(packed_set(GOOD))) == 1
    assert len(EntrySet.decode(packed_set(rows=b"[" + ROW + b"]"))) == 1
    cards = cards_of(0x310000 << 32 | n for n in range(100)).serialize()
    assert len(EntrySet.decode(packed_set(packed_group(cards, 100)))) == 100


@given(ENTRIES, st.data())
def test_any_bytes_are_a_set_or_refused(entries: list[BlacklistEntry], data: st.DataObject) -> None:
    raw = bytearray(EntrySet.of(entries).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        taken = EntrySet.decode(bytes(raw))
    except BadMessage:
        return
    assert taken.encode() == bytes(raw)


def test_a_million_cards_take_no_more_than_two_and_a_half_million_bytes() -> None:
    """Of twenty million issued, with a dozen different terms: a count of bytes, not of time."""
    random = Random(1)
    cards = random.sample(range(20_000_000), 1_000_000)
    reasons: list[ListingReason] = ["void", "formal_loss", "stopped", "freeze"]
    terms = [Terms(reason, ("social_security",), "refuse") for reason in reasons]
    terms += [
        Terms("temporary_loss", ("social_security",), "refuse", None, NOW + timedelta(n))
        for n in range(6)
    ]
    groups = {
        each: cards_of(0x310000 << 32 | serial for serial in cards[n :: len(terms)])
        for n, each in enumerate(terms)
    }
    entries = EntrySet(groups)
    assert len(entries) == 1_000_000
    assert len(entries.encode()) <= 2_500_000
