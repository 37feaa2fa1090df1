"""How much a terminal may do without the centre before it hands in what it has done (facts 5.4)."""

from __future__ import annotations

from datetime import timedelta

from terminal.errors import OfflineLimit
from terminal.store.journal import Operation, State
from terminal.visit import Visit


def check_stored(visit: Visit, amount_fen: int = 0) -> None:
    """Raise `OfflineLimit` when one more record of this amount would be too much to wait here.

    What has begun, and waits for its card's proof, counts too: it may have been done.
    """
    limits, waiting, begun = visit.offline, visit.outbox.waiting(), _begun(visit)
    within("stored_fen", waiting.total_fen + _fen(begun) + amount_fen, limits.stored_fen)
    within("stored_records", waiting.count + len(begun) + 1, limits.stored_records)
    age = visit.clock.now() - waiting.oldest if waiting.oldest is not None else timedelta()
    if age > limits.oldest:
        raise OfflineLimit("the oldest record waits longer than [offline] oldest")


def stored_fen(visit: Visit) -> int:
    """What waits here or has begun, in fen."""
    return visit.outbox.waiting().total_fen + _fen(_begun(visit))


def _begun(visit: Visit) -> list[Operation]:
    return [
        one
        for one in visit.journal.open_operations()
        if one.kind.is_offline and one.state is not State.PREPARED
    ]


def _fen(begun: list[Operation]) -> int:
    return sum(int(one.payload.get("account_fen", 0)) for one in begun)


def within(name: str, value: int, limit: int) -> None:
    """Raise `OfflineLimit` when `value` is more than the setting `name` of [offline] allows."""
    if value > limit:
        raise OfflineLimit(f"[offline] {name} = {limit} would be passed")
