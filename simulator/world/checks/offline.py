"""What was done without the centre: on the cards, in the journals, and handed in afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from simulator.world.books import DoneOffline, done_offline, on_card, unsent, uploads
from simulator.world.founding import LIMITS
from simulator.world.holder import Holder
from terminal.clock import local

if TYPE_CHECKING:
    from simulator.world.world import World

_ENDED_UNDONE = frozenset({"reversed", "refused"})
_OUTBOX = "SELECT card_index, amount_fen, made_at, sent_at FROM outbox"


def account_conserved(world: World) -> Iterable[str]:
    """What left the account on a card is what the card has booked, to the fen."""
    for holder in _used(world):
        account = holder.profile.medical_account
        before = account.balance_fen if account else 0
        balance, booked = on_card(holder)
        if balance + sum(each.fen for each in booked) != before:
            yield f"the card of {holder.name} had {before} fen, has {balance} and booked {booked}"


def card_and_journal_agree(world: World) -> Iterable[str]:
    """Each debit that a card has booked is in one journal, and none is both kept and undone."""
    for holder in _used(world):
        booked = set(on_card(holder)[1])
        debits = [one for one in _of(world, holder) if one.booking is not None]
        for one in debits:
            if one.state == "confirmed" and one.booking not in booked:
                yield f"{one.number} is confirmed, and {holder.name}'s card has not booked it"
            if one.state in _ENDED_UNDONE and one.booking in booked:
                yield f"{one.number} is {one.state}, and {holder.name}'s card has booked it"
        for debit, count in Counter(one.booking for one in debits).items():
            if count > 1:
                yield f"{count} operations of {holder.name} are one debit of the card: {debit}"
        for debit in booked - {one.booking for one in debits}:
            yield f"{holder.name}'s card has booked {debit}, which no terminal knows"


def uploaded_once(world: World) -> Iterable[str]:
    """What the back office was handed in is done, with these sums and with the card's own proof."""
    journals = {
        (station.terminal_id, one.number): one
        for station in world.stations
        for one in done_offline(station)
    }
    for key, upload in uploads(world.centre).items():
        one = journals.get(key)
        if one is None or one.state != "confirmed" or one.kind != upload.kind:
            state = one.state if one else "not known"
            yield f"{key[1]} was handed in as {upload.kind}, and is {state} at its terminal"
        elif upload.account_fen != (one.booking.fen if one.booking else 0):
            yield f"{key[1]} was handed in with {upload.account_fen} fen, not {one.booking}"
        elif upload.verdict == "proof_wrong":
            yield f"{key[1]} was handed in with a proof that is not its card's"


def within_limits(world: World) -> Iterable[str]:
    """No terminal has done more without the centre than it may ([offline] of the settings)."""
    for station in world.stations:
        rows = station.truth().execute(_OUTBOX).fetchall()
        days: Counter[tuple[bytes, str]] = Counter()
        for row in rows:
            day = local(_instant(row["made_at"])).date().isoformat()
            days[row["card_index"], day] += row["amount_fen"]
            if row["amount_fen"] > LIMITS.operation_fen:
                yield f"{row['amount_fen']} fen were paid at once at {station.name}"
        for (_, day), fen in days.items():
            if fen > LIMITS.card_day_fen:
                yield f"{fen} fen were paid with one card on {day} at {station.name}"
        waiting = [row["amount_fen"] for row in rows if row["sent_at"] is None]
        if sum(waiting) > LIMITS.stored_fen or len(waiting) > LIMITS.stored_records:
            yield f"{len(waiting)} records of {sum(waiting)} fen wait at {station.name}"


def all_handed_in(world: World) -> Iterable[str]:
    """Once healed: everything done without the centre is with it."""
    taken = uploads(world.centre)
    for station in world.stations:
        for one in done_offline(station):
            if one.state == "confirmed" and (station.terminal_id, one.number) not in taken:
                yield f"{one.number} was done at {station.name} and is never handed in"
        waiting = unsent(station)
        if waiting:
            yield f"{waiting} records wait at {station.name} for ever"


def _used(world: World) -> Iterator[Holder]:
    return (holder for holder in world.holders if not holder.plastic.is_new)


def _of(world: World, holder: Holder) -> Iterator[DoneOffline]:
    for station in world.stations:
        mine = station.index(holder)
        yield from (one for one in done_offline(station) if one.card_index == mine)


def _instant(stored: str) -> datetime:
    return datetime.fromisoformat(stored).replace(tzinfo=UTC)
