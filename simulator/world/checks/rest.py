"""What has to be so once everything is healed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from simulator.world.books import done_offline, in_journal, is_active

if TYPE_CHECKING:
    from simulator.world.station import Station
    from simulator.world.world import World

_OPEN = frozenset({"prepared", "sent", "unknown"})


def all_ended(world: World) -> Iterable[str]:
    """Every row of every journal has an end.

    But a torn debit ends by its own card alone, which is not asked for its log while it is lost or
    while its holder does not know the PIN.
    """
    for station in world.stations:
        waits = _waits_for_its_card(world, station)
        for number, state in in_journal(station).items():
            if state in _OPEN and number not in waits:
                yield f"{number} is {state} at {station.name} for ever"


def _waits_for_its_card(world: World, station: Station) -> frozenset[str]:
    away = [holder for holder in world.holders if not (is_active(world, holder) and holder.is_sure)]
    cards = {station.index(holder) for holder in away}
    debits = (one for one in done_offline(station) if one.kind == "debit")
    return frozenset(
        one.number for one in debits if one.state == "unknown" and one.card_index in cards
    )


def lists_up_to_date(world: World) -> Iterable[str]:
    """Every terminal has the newest blacklist."""
    newest = world.centre.truth().execute("SELECT MAX(version) FROM list_versions").fetchone()[0]
    for station in world.stations:
        if station.list_version != newest:
            yield f"{station.name} has version {station.list_version} of {newest}"
