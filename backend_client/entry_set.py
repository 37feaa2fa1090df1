"""The entries of a blacklist, packed: exact, two bytes a card, one canonical spelling.

Cards that share their terms (reason, scope, action, validity) form a group. A card is a number:
region and serial of its id, so that the serials of one region lie close together, which is what a
Roaring bitmap packs well (https://roaringbitmap.org, the portable 64-bit format). Entries that do
not fit, card-number ranges above all, are rows of JSON. The rest of a card id is not in a list: a
list that leaks names neither card numbers nor complete ids.

    set    = groups (4) group* size of rows (4) rows
    group  = reason (1) scope (1) action (1) from (8) until (8) cards (4) size (4) cards' bytes
    rows   = canonical JSON array of entries, in the order of their bytes

Integers are little-endian. Times are microseconds since 1970; the least and the greatest stand for
none. Groups stand in the order of their terms. Fewer than 8 cards are 8 bytes each, in order.
"""

from __future__ import annotations

import hashlib
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, get_args

from backend_client.codec import canonical, decode, encode, parse, to_json
from backend_client.errors import BadMessage
from backend_client.list_messages import BlacklistEntry, Terms
from backend_client.messages import Action, ListingReason, Scope

if TYPE_CHECKING:
    from pyroaring import BitMap64

SMALL = 8
"""A group of fewer cards is written card by card."""

MAX_ROWS = 10_000
MAX_SET = 32 * 1024 * 1024
"""No packed set has more rows, or more bytes."""

REASONS: tuple[ListingReason, ...] = get_args(ListingReason)
SCOPES: tuple[Scope, ...] = get_args(Scope)
ACTIONS: tuple[Action, ...] = get_args(Action)
"""Their places in these tuples are their codes; of scopes each is a bit."""

_IDENTIFIER = 0xD156000005
"""Bytes 3 to 7 of every card id (facts 3.3)."""

_COUNT = struct.Struct("<I")
_GROUP = struct.Struct("<BBBqqII")
_NO_START, _NO_END = -(2**63), 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_WHAT = "blacklist entries"

_Key = tuple[int, int, int, int, int]


class EntrySet:
    """A set of entries that never changes. Make one with `of` or `decode`.

    It costs about two bytes an entry. Iterating gives the entries, which costs far more.
    """

    __slots__ = ("__dict__", "groups", "rows")

    def __init__(
        self, groups: Mapping[Terms, BitMap64], rows: Sequence[BlacklistEntry] = ()
    ) -> None:
        """Of groups, made with `cards_of`, that are not empty and not changed any more."""
        self.groups = dict(sorted(groups.items(), key=lambda item: _key(item[0])))
        self.rows = tuple(sorted(rows, key=_spelled))

    @classmethod
    def of(cls, entries: Iterable[BlacklistEntry] = ()) -> EntrySet:
        """The set of these entries. Raises `BadRequest` for one that breaks the contract."""
        cards: dict[Terms, list[int]] = defaultdict(list)
        rows = set()
        for entry in entries:
            entry = _normal(entry)
            card = packed(entry.card_id or "") if entry.number_from is None else None
            if card is None:
                encode(entry)
                rows.add(entry)
            else:
                cards[entry.terms].append(card)
        return cls({terms: cards_of(some) for terms, some in cards.items()}, tuple(rows))

    @classmethod
    def decode(cls, data: bytes) -> EntrySet:
        """The set that was packed into these bytes. Raises `BadMessage`.

        Only the one spelling that `encode` gives is taken.
        """
        reader = _Reader(data)
        groups: dict[Terms, BitMap64] = {}
        last: _Key | None = None
        for number in range(reader.count()):
            key, bitmap = reader.group(number)
            if last is not None and key <= last:
                raise BadMessage(f"/groups/{number}", "in order, each once", _WHAT)
            groups[_terms(key, number)] = bitmap
            last = key
        return cls(groups, reader.rows())

    def encode(self) -> bytes:
        """The packed set."""
        parts = [_COUNT.pack(len(self.groups))]
        for terms, bitmap in self.groups.items():
            cards = _packed_cards(bitmap)
            parts += (_GROUP.pack(*_key(terms), len(bitmap), len(cards)), cards)
        rows = _array(self.rows)
        return b"".join((*parts, _COUNT.pack(len(rows)), rows))

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the packed set: what a version says that its entries are."""
        return hashlib.sha256(self.encode()).digest()

    def changed(self, removed: EntrySet, added: EntrySet) -> EntrySet:
        """The set without `removed`, then with `added`. This set stays as it is.

        Raises `BadMessage` when `removed` has an entry that is not here, or `added` one that is.
        """
        left = self.minus(removed)
        if len(left) != len(self) - len(removed):
            raise BadMessage("/removed", "entries of the list", _WHAT)
        result = left.union(added)
        if len(result) != len(left) + len(added):
            raise BadMessage("/added", "not in the list yet", _WHAT)
        return result

    def minus(self, other: EntrySet) -> EntrySet:
        """The entries that are here and not in `other`."""
        groups = dict(self.groups)
        for terms in groups.keys() & other.groups.keys():
            left = groups[terms] - other.groups[terms]
            if left:
                groups[terms] = left
            else:
                del groups[terms]
        rows = set(self.rows).difference(other.rows) if other.rows else self.rows
        return EntrySet(groups, tuple(rows))

    def union(self, other: EntrySet) -> EntrySet:
        """The entries that are here or in `other`."""
        groups = dict(self.groups)
        for terms, cards in other.groups.items():
            held = groups.get(terms)
            groups[terms] = cards if held is None else held | cards
        rows = set(self.rows).union(other.rows) if other.rows else self.rows
        return EntrySet(groups, tuple(rows))

    def __len__(self) -> int:
        return sum(map(len, self.groups.values())) + len(self.rows)

    def __iter__(self) -> Iterator[BlacklistEntry]:
        for terms, bitmap in self.groups.items():
            for card in bitmap:
                yield _entry(card, terms)
        yield from self.rows

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EntrySet):
            return NotImplemented
        return self.groups == other.groups and self.rows == other.rows

    def __hash__(self) -> int:
        return hash(self.hash)

    def __repr__(self) -> str:
        return f"<EntrySet: {len(self)} entries>"


def cards_of(numbers: Iterable[int]) -> BitMap64:
    """Packed cards as a bitmap without runs, of which there would be more than one spelling."""
    from pyroaring import BitMap64

    return BitMap64(list(numbers), optimize=False)


def packed(card_id: str) -> int | None:
    """Region (24 bits) and serial (32 bits) of a card id, of which the first 24 digits count.

    None for an id that is not built like a card's (facts 3.3).
    """
    try:
        number = int(card_id[:24], 16)
    except ValueError:
        return None
    if (number >> 32) & 0xFFFFFFFFFF != _IDENTIFIER or len(card_id) < 24:
        return None
    return (number >> 72) << 32 | number & 0xFFFFFFFF


def _entry(card: int, terms: Terms) -> BlacklistEntry:
    card_id = f"{card >> 32:06x}{_IDENTIFIER:010x}{card & 0xFFFFFFFF:08x}"
    return BlacklistEntry(
        card_id,
        None,
        None,
        terms.reason,
        terms.scope,
        terms.action,
        terms.valid_from,
        terms.valid_until,
    )


def _normal(entry: BlacklistEntry) -> BlacklistEntry:
    """The entry with its scope in the one order."""
    scope = tuple(each for each in SCOPES if each in entry.scope)
    if scope == entry.scope:
        return entry
    return BlacklistEntry(
        entry.card_id,
        entry.number_from,
        entry.number_to,
        entry.reason,
        scope,
        entry.action,
        entry.valid_from,
        entry.valid_until,
    )


def _key(terms: Terms) -> _Key:
    """The terms in numbers, which also gives their order."""
    return (
        REASONS.index(terms.reason),
        sum(1 << SCOPES.index(each) for each in terms.scope),
        ACTIONS.index(terms.action),
        _NO_START if terms.valid_from is None else (terms.valid_from - _EPOCH) // _MICROSECOND,
        _NO_END if terms.valid_until is None else (terms.valid_until - _EPOCH) // _MICROSECOND,
    )


def _terms(key: _Key, number: int) -> Terms:
    """The terms of the group of that number. Raises `BadMessage`."""
    reason, scope, action, start, end = key
    try:
        terms = Terms(
            REASONS[reason],
            tuple(each for bit, each in enumerate(SCOPES) if scope >> bit & 1),
            ACTIONS[action],
            None if start == _NO_START else _EPOCH + start * _MICROSECOND,
            None if end == _NO_END else _EPOCH + end * _MICROSECOND,
        )
    except (IndexError, OverflowError):
        raise BadMessage(f"/groups/{number}", "known terms", _WHAT) from None
    if not 0 < scope < 1 << len(SCOPES):
        raise BadMessage(f"/groups/{number}/scope", "known scopes", _WHAT)
    return terms


def _spelled(row: BlacklistEntry) -> bytes:
    return canonical(to_json(row))


def _array(rows: Iterable[BlacklistEntry]) -> bytes:
    return b"[" + b",".join(map(_spelled, rows)) + b"]"


def _packed_cards(bitmap: BitMap64) -> bytes:
    if len(bitmap) < SMALL:
        return struct.pack(f"<{len(bitmap)}Q", *bitmap)
    return bitmap.serialize()


class _Reader:
    """Takes a packed set apart, front to back."""

    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_SET:
            raise BadMessage("", "size", _WHAT)
        self._data = data
        self._at = 0

    def count(self) -> int:
        return int(_COUNT.unpack(self._take(_COUNT.size, "/groups"))[0])

    def group(self, number: int) -> tuple[_Key, BitMap64]:
        """The next group: its terms in numbers, and its cards."""
        pointer = f"/groups/{number}"
        *key, count, size = _GROUP.unpack(self._take(_GROUP.size, pointer))
        data = self._take(size, pointer)
        bitmap = _unpacked(data, count, pointer)
        if len(bitmap) != count or not count or _packed_cards(bitmap) != data:
            raise BadMessage(f"{pointer}/cards", "canonical", _WHAT)
        if bitmap.max() >> 56:
            raise BadMessage(f"{pointer}/cards", "region and serial", _WHAT)
        return (key[0], key[1], key[2], key[3], key[4]), bitmap

    def rows(self) -> tuple[BlacklistEntry, ...]:
        """The rows, with which the set ends."""
        data = self._take(self.count(), "/rows")
        if self._at != len(self._data):
            raise BadMessage("", "nothing behind the rows", _WHAT)
        values = parse(data, limit=MAX_SET)
        if not isinstance(values, list) or len(values) > MAX_ROWS:
            raise BadMessage("/rows", "a bounded array", _WHAT)
        rows = tuple(decode(BlacklistEntry, value) for value in values)
        _check_rows(rows)
        if len(set(rows)) != len(rows) or _array(sorted(rows, key=_spelled)) != data:
            raise BadMessage("/rows", "canonical", _WHAT)
        return rows

    def _take(self, size: int, pointer: str) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise BadMessage(pointer, "size", _WHAT)
        taken, self._at = self._data[self._at : end], end
        return taken


def _check_rows(rows: Iterable[BlacklistEntry]) -> None:
    for number, row in enumerate(rows):
        if row.number_from and row.number_to and row.number_from > row.number_to:
            raise BadMessage(f"/rows/{number}/number_to", "not below number_from", _WHAT)
        if row.number_from is None and packed(row.card_id or "") is not None:
            raise BadMessage(f"/rows/{number}/card_id", "in a group where it fits", _WHAT)
        if _normal(row) != row:
            raise BadMessage(f"/rows/{number}/scope", "in order", _WHAT)


def _unpacked(data: bytes, count: int, pointer: str) -> BitMap64:
    from pyroaring import BitMap64

    if count < SMALL:
        if len(data) != 8 * count:
            raise BadMessage(f"{pointer}/cards", "size", _WHAT)
        return cards_of(struct.unpack(f"<{count}Q", data))
    try:
        bitmap = BitMap64.deserialize(data)
    except (ValueError, IndexError):
        raise BadMessage(f"{pointer}/cards", "a Roaring bitmap", _WHAT) from None
    if bitmap.get_statistics()["n_run_containers"]:
        raise BadMessage(f"{pointer}/cards", "without runs", _WHAT)
    return bitmap
