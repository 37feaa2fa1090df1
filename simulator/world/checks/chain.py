"""The journal's hash chain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.world.world import World


def holds(world: World) -> Iterable[str]:
    """Every event of every running terminal follows from the one before, up to the sealed head.

    What nobody has written to since it was last looked at is not looked at again.
    """
    for station in world.stations:
        if station.terminal is None or not station.has_changed():
            continue
        for fault in station.terminal.journal.verify_chain().faults:
            yield f"{station.name}: {fault}"
