"""What back office and terminals have written down, read past all of our code."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from apdu.ssc.account_log import AccountRecord
from simulator.backoffice.vault import Vault
from simulator.world.centre import Centre
from simulator.world.founding import SEALING_KEY
from simulator.world.holder import Holder
from simulator.world.station import Station

if TYPE_CHECKING:
    from simulator.world.world import World

vault = Vault(SEALING_KEY, bytes)
"""Finds a card in the back office's database."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Key = tuple[str, str]
"""Terminal id and operation number: two terminals may use the same number."""

_OPERATIONS = """
SELECT terminals.terminal_id, operations.number, operations.kind, operations.state,
       made.total_fen, made.cash_fen, made.reversed_at, undone.cash_fen AS given_back_fen
FROM operations JOIN terminals ON terminals.id = operations.owner
LEFT JOIN settlements AS made ON made.operation = operations.id
LEFT JOIN settlements AS undone ON undone.cancelled_by = operations.id
"""


_OFFLINE = """
SELECT number, kind, state, card_index, payload FROM operation
WHERE kind IN ('debit', 'provisional')
"""
WITH_CENTRE = "WHERE kind NOT IN ('debit', 'provisional')"
"""What the back office has a part in."""
_UPLOADS = """
SELECT terminals.terminal_id, uploads.number, uploads.kind, account_fen, verdict
FROM uploads JOIN terminals ON terminals.id = uploads.owner
"""


@dataclass(frozen=True, slots=True)
class AtCentre:
    """One number as the back office has it.

    `total_fen` is that of a settlement, `cash_fen` what it wants in cash, negative for the
    cancellation of one, 0 for anything else. `is_undone`: a settlement that does not stand.
    """

    kind: str | None
    state: str
    total_fen: int | None
    cash_fen: int
    is_undone: bool

    @property
    def holds(self) -> bool:
        """Whether something is booked under it."""
        return self.state == "confirmed"

    @property
    def has_receipt(self) -> bool:
        """Whether the holder gets a receipt for it: for everything but an activation."""
        return self.holds and not (self.kind or "").startswith("activation")


def at_centre(centre: Centre) -> Mapping[Key, AtCentre]:
    """Every number that the back office knows."""
    return {
        (row["terminal_id"], row["number"]): AtCentre(
            row["kind"],
            row["state"],
            row["total_fen"],
            (row["cash_fen"] or 0) - (row["given_back_fen"] or 0),
            row["reversed_at"] is not None,
        )
        for row in centre.truth().execute(_OPERATIONS)
    }


def in_journal(station: Station, kinds: str = "") -> Mapping[str, str]:
    """Every number that the terminal knows, and the state of its operation.

    `kinds` restricts them: `WITH_CENTRE`.
    """
    rows = station.truth().execute(f"SELECT number, state FROM operation {kinds}")  # noqa: S608
    return {row["number"]: row["state"] for row in rows}


@dataclass(frozen=True, slots=True)
class Booking:
    """A debit as a card's log has it: its counter, terminal and time as hex, and the sum in fen."""

    sequence: str
    terminal: str
    time: str
    fen: int


@dataclass(frozen=True, slots=True)
class DoneOffline:
    """What a journal says was done, or begun, without the centre.

    `booking` is what its card would log, None for what is no debit, and before DEBIT has left.
    `card_index` names the card.
    """

    number: str
    kind: str
    state: str
    card_index: bytes
    booking: Booking | None


def done_offline(station: Station) -> Iterator[DoneOffline]:
    """Every debit and provisional visit in the journal of a terminal."""
    for row in station.truth().execute(_OFFLINE).fetchall():
        payload = station.opened("payload", row["number"], row["payload"])
        booking = None
        if "sequence" in payload:
            sequence, terminal, time = (payload[n] for n in ("sequence", "terminal", "time"))
            booking = Booking(sequence, terminal, time, payload["account_fen"])
        yield DoneOffline(row["number"], row["kind"], row["state"], row["card_index"], booking)


def on_card(holder: Holder) -> tuple[int, list[Booking]]:
    """What a card's account holds, in fen, and every debit that it has booked, newest first."""
    ledger = holder.plastic.mended().ledger
    records = [AccountRecord.parse(row) for row in ledger.log.records]
    return ledger.balance.balance, [
        Booking(
            f"{record.sequence:04x}", record.terminal, record.raw[9:16].hex(), record.account_fen
        )
        for record in records
    ]


@dataclass(frozen=True, slots=True)
class Upload:
    """A record of something done offline, as the back office has taken it."""

    kind: str
    account_fen: int
    verdict: str


def uploads(centre: Centre) -> Mapping[Key, Upload]:
    """Every record that the back office has taken."""
    return {
        (row["terminal_id"], row["number"]): Upload(row["kind"], row["account_fen"], row["verdict"])
        for row in centre.truth().execute(_UPLOADS)
    }


def untold(station: Station) -> frozenset[str]:
    """The numbers whose holders the terminal still has to tell what became of them."""
    rows = station.truth().execute("SELECT number FROM untold")
    return frozenset(row["number"] for row in rows)


def unsent(station: Station) -> int:
    """How many records of what was done without the centre wait at a terminal."""
    query = "SELECT COUNT(*) FROM outbox WHERE sent_at IS NULL"
    return int(station.truth().execute(query).fetchone()[0])


def fingerprint(world: World) -> str:
    """SHA-256 over every value in every table of every database: all that a world has come to."""
    whole = hashlib.sha256()
    for database in (world.centre.truth(), *(station.truth() for station in world.stations)):
        # Not `Connection.iterdump`: it writes what a table looks like, which is the same anyway.
        names = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        for (table,) in database.execute(names).fetchall():
            for row in database.execute(f'SELECT * FROM "{table}" ORDER BY rowid'):  # noqa: S608
                whole.update(repr(tuple(row)).encode())
    return whole.hexdigest()


def is_active(world: World, holder: Holder) -> bool:
    """Whether the holder's card may be used: active, not lost, or not any more."""
    index = vault.index("card_id", holder.card.card_id)
    now = stored(world.clock.now())
    query = "SELECT state, until, resumes FROM cards WHERE id_index = ?"
    row = world.centre.truth().execute(query, (index,)).fetchone()
    lapsed = row["until"] is not None and row["until"] <= now
    return bool((row["resumes"] if lapsed else row["state"]) == "active")


def stored(instant: datetime) -> int:
    """An instant as the back office's database has it: microseconds since 1970."""
    return (instant - _EPOCH) // timedelta(microseconds=1)
