"""Finding a card in the entries of a blacklist: a microsecond, whatever the list's size.

Groups stand on shelves of a few, each shelf with the union of its cards: a card that is not listed
costs one question a shelf, a listed one a few more. Groups of very few cards, of which there can be
many when every loss has an end of its own, share one dictionary. Nothing here changes after it is
made, so any number of threads may ask.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from backend_client.entry_set import SMALL, EntrySet, packed
from backend_client.list_messages import IDENTITY, BlacklistEntry, Terms

if TYPE_CHECKING:
    from pyroaring import BitMap64

_SHELF = 8

_Group = tuple[Terms, "BitMap64"]


class Lookup:
    """The look-up of one set of entries."""

    __slots__ = ("_few", "_ids", "_ranges", "_shelves")

    def __init__(self, entries: EntrySet) -> None:
        groups = list(entries.groups.items())
        large = [group for group in groups if len(group[1]) >= SMALL]
        self._shelves = tuple(
            _shelf(large[start : start + _SHELF]) for start in range(0, len(large), _SHELF)
        )
        self._few = _by_card(group for group in groups if len(group[1]) < SMALL)
        self._ids = _by_id(entries.rows)
        self._ranges = _Ranges([row for row in entries.rows if row.card_id is None])

    def find(self, card_id: str, card_number: str) -> tuple[Terms, ...]:
        """The terms of every entry that names the card, whatever its scope and time.

        `card_id` is 32 lower-case hex digits, `card_number` 9 characters.
        """
        found: list[Terms] = []
        card = packed(card_id)
        if card is not None:
            for union, groups in self._shelves:
                if card in union:
                    found += [terms for terms, cards in groups if card in cards]
            if card in self._few:
                found += self._few[card]
        if self._ids:
            rows = self._ids.get(card_id[:IDENTITY], ())
            found += [row.terms for row in rows if row.names(card_id, card_number)]
        if self._ranges:
            found += self._ranges.find(card_id, card_number)
        return tuple(found)


class _Ranges:
    """Card-number ranges by their first number, with how far those up to there reach."""

    __slots__ = ("_firsts", "_reach", "_rows")

    def __init__(self, rows: Sequence[BlacklistEntry]) -> None:
        self._rows = sorted(rows, key=lambda row: row.number_from or "")
        self._firsts = [row.number_from or "" for row in self._rows]
        self._reach = list(accumulate((row.number_to or "" for row in self._rows), max))

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, card_id: str, card_number: str) -> list[Terms]:
        """The terms of the ranges that hold the number."""
        found = []
        at = bisect_right(self._firsts, card_number) - 1
        while at >= 0 and self._reach[at] >= card_number:
            row = self._rows[at]
            if row.names(card_id, card_number):
                found.append(row.terms)
            at -= 1
        return found


def _shelf(groups: Sequence[_Group]) -> tuple[BitMap64, Sequence[_Group]]:
    union = groups[0][1]
    for _, cards in groups[1:]:
        union = union | cards
    return union, groups


def _by_card(groups: Iterable[_Group]) -> Mapping[int, tuple[Terms, ...]]:
    few: dict[int, tuple[Terms, ...]] = {}
    for terms, cards in groups:
        for card in cards:
            few[card] = (*few.get(card, ()), terms)
    return few


def _by_id(rows: Iterable[BlacklistEntry]) -> Mapping[str, Sequence[BlacklistEntry]]:
    ids: dict[str, list[BlacklistEntry]] = defaultdict(list)
    for row in rows:
        if row.card_id is not None:
            ids[row.card_id].append(row)
    return dict(ids)
