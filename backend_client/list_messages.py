"""The messages of the blacklist: entries, what a signed document says of itself, updates, misuse.

The list itself is not JSON: `entry_set.py` packs it, `list_document.py` signs it. What stands here
is what surrounds it, and the few entries that cannot be packed.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import ClassVar

from backend_client.codec import Message
from backend_client.messages import Action, CardRef, ListingReason, PublicKey, Scope

__all__ = [
    "BlacklistEntry",
    "BlacklistUpdate",
    "Coverage",
    "KeyStatement",
    "ListHeader",
    "MisuseReceipt",
    "MisuseReport",
    "SnapshotOffer",
]

IDENTITY = 24
"""Hex digits of a card id that name the card; the other 8, its 认证码, follow from them (3.3)."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a listing means for its card: why, for which functions, what to do, and when.

    `valid_from` None: already. `valid_until` None: for good.
    """

    reason: ListingReason
    scope: tuple[Scope, ...]
    action: Action
    valid_from: dt.datetime | None = None
    valid_until: dt.datetime | None = None

    def apply(self, scope: Scope, now: dt.datetime) -> bool:
        """True when they stop a card in that scope at that instant.

        They hold from `valid_from` on and up to, but not at, `valid_until`, so that a temporary
        loss lifts by itself (Art. 18).
        """
        return (
            scope in self.scope
            and (self.valid_from is None or self.valid_from <= now)
            and (self.valid_until is None or now < self.valid_until)
        )


@dataclass(frozen=True, slots=True)
class BlacklistEntry(Message):
    """One listing: a card id, a card-number range, or both (facts 7.3).

    `card_id` is the first 24 of the id's hex digits. Where both are given, both must match: the one
    card of that id and number. An entry is what it says: a list has no two alike.
    """

    schema: ClassVar[str] = "blacklist-entry:2"
    card_id: str | None = field(repr=False)
    number_from: str | None = field(repr=False)
    number_to: str | None = field(repr=False)
    reason: ListingReason
    scope: tuple[Scope, ...]
    action: Action
    valid_from: dt.datetime | None
    valid_until: dt.datetime | None

    @property
    def terms(self) -> Terms:
        """What it means for the card it names."""
        return Terms(self.reason, self.scope, self.action, self.valid_from, self.valid_until)

    def names(self, card_id: str, card_number: str) -> bool:
        """True when this entry means that card (its whole id), whatever scope and time.

        Ranges are inclusive, in code point order (0-9 before A-Z), and hold only card numbers as
        long as their bounds.
        """
        if self.card_id is None and self.number_from is None:
            return False
        identity = card_id[:IDENTITY]
        return (self.card_id is None or self.card_id == identity) and self._spans(card_number)

    def applies(self, card_id: str, card_number: str, scope: Scope, now: dt.datetime) -> bool:
        """True when this entry stops that card in that scope at that instant."""
        return self.names(card_id, card_number) and self.terms.apply(scope, now)

    def _spans(self, card_number: str) -> bool:
        if self.number_from is None or self.number_to is None:
            return self.number_from is self.number_to
        if not len(self.number_from) == len(card_number) == len(self.number_to):
            return False
        return self.number_from <= card_number <= self.number_to


@dataclass(frozen=True, slots=True)
class Coverage(Message):
    """Which cards a list speaks about: issuing regions (6 digits), events up to an instant."""

    schema: ClassVar[str] = "blacklist-header:1#/$defs/coverage"
    regions: tuple[str, ...]
    until: dt.datetime


@dataclass(frozen=True, slots=True)
class ListHeader(Message):
    """What a signed snapshot or delta says of itself; its bytes are what is signed.

    `result_hash` and `entry_count` are of the list after it. A delta names what it continues and
    how many entries its body takes away and adds; in a snapshot `previous_version` and
    `previous_hash` are None and nothing is removed. `body_size` and `body_hash` bind the body.
    """

    schema: ClassVar[str] = "blacklist-header:1"
    issuer: str
    version: int
    previous_version: int | None
    previous_hash: bytes | None
    result_hash: bytes
    issued_at: dt.datetime
    expires_at: dt.datetime
    coverage: Coverage
    entry_count: int
    removed_count: int
    added_count: int
    body_size: int
    body_hash: bytes

    @property
    def is_delta(self) -> bool:
        """Whether it continues another version."""
        return self.previous_version is not None


@dataclass(frozen=True, slots=True)
class KeyStatement(Message):
    """From now on these keys sign the issuer's lists, and no others.

    Signed with a key that enrolment gave for nothing else. Statements are numbered; a terminal
    takes none that is older than the one it has.
    """

    schema: ClassVar[str] = "key-statement:1"
    issuer: str
    number: int
    issued_at: dt.datetime
    keys: tuple[PublicKey, ...]


@dataclass(frozen=True, slots=True)
class SnapshotOffer(Message):
    """A snapshot that can be fetched in pieces, and how many bytes it has in all."""

    schema: ClassVar[str] = "blacklist-update:2#/$defs/snapshot_offer"
    version: int
    size: int


@dataclass(frozen=True, slots=True)
class BlacklistUpdate(Message):
    """What brings a terminal up to date: signed documents (base64), in order, or a snapshot.

    `documents` are a key statement, if it has not the newest, then deltas from the oldest to the
    newest. With a `snapshot` on offer there are no deltas.
    """

    schema: ClassVar[str] = "blacklist-update:2"
    snapshot: SnapshotOffer | None = None
    documents: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class MisuseReport(Message):
    """A listed card was presented (Art. 26): which, when, for what, why it was refused, where.

    `report_id` is made once at the terminal: the same report may arrive more than once. Where is
    the terminal's institution, which the back office knows, and `face`, the place at it.
    """

    schema: ClassVar[str] = "misuse-report:1"
    report_id: str
    card: CardRef
    presented_at: dt.datetime
    function: str
    face: str
    reason: str
    list_version: int | None


@dataclass(frozen=True, slots=True)
class MisuseReceipt(Message):
    """The back office has the report; the terminal may forget it."""

    schema: ClassVar[str] = "misuse-report:1#/$defs/receipt"
    report_id: str
