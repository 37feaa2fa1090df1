"""A card that was reported as lost is tried, at a terminal that has heard of it (Article 18)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from simulator.world.acts.visits import Human
from terminal.policy import Function

if TYPE_CHECKING:
    from simulator.world.world import World

_FUNCTIONS = (Function.READ, Function.READ, Function.QUERY, Function.SETTLEMENT)
_BEYOND = timedelta(days=6)
"""Longer than a temporary loss lasts."""


def tried(world: World) -> None:
    """Report it, let a terminal hear of it, set its clock forward perhaps, and use the card."""
    station, holder = world.free_station(), world.chance.pick(world.holders)
    if station is None or holder.busy or not world.started(station):
        return
    world.story.hit("lost card tried", f"{holder.name}'s card is reported and tried")
    with world.centre.staffed() as office:
        office.report_temporary_loss(holder.card)
    station.sync()
    if world.chance.happens(0.4):
        station.clock.offset = _BEYOND
        world.story.hit("clock stepped", f"the clock of {station.name} is set off by {_BEYOND}")
    world.visit(station, holder, world.chance.pick(_FUNCTIONS), Human(world))
