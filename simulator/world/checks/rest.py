"""What has to be so once everything is healed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from simulator.world.books import in_journal

if TYPE_CHECKING:
    from simulator.world.world import World

_OPEN = frozenset({"prepared", "sent", "unknown"})


def all_ended(world: World) -> Iterable[str]:
    """Every row of every journal has an end."""
    for station in world.stations:
        for number, state in in_journal(station).items():
            if state in _OPEN:
                yield f"{number} is {state} at {station.name} for ever"


def lists_up_to_date(world: World) -> Iterable[str]:
    """Every terminal has the newest blacklist."""
    newest = world.centre.truth().execute("SELECT MAX(version) FROM list_versions").fetchone()[0]
    for station in world.stations:
        if station.list_version != newest:
            yield f"{station.name} has version {station.list_version} of {newest}"
