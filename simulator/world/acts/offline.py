"""Terminals without their centre: visits are registered, cards pay by themselves (facts 2.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.world.acts.visits import Human, using
from simulator.world.plastic import DEBIT, Plan, Tear
from terminal.policy import Function

if TYPE_CHECKING:
    from simulator.world.world import World

_WRITES = 60

_register = using(Function.PROVISIONAL)
_pay = using(Function.DEBIT)


def cut_off(world: World) -> None:
    """All lines are cut, people come all the same, and the lines may stay cut."""
    wires = [wire for wire in world.wires.values() if wire.connected]
    for wire in wires:
        wire.connected = False
    world.story.hit("network cut", "all lines are cut")
    for _ in range(world.chance.between(1, 5)):
        world.chance.pick((_register, _pay))(world)
    if world.chance.happens(0.7):
        for wire in wires:
            wire.connected = True
        world.story.tell("the lines are mended")


def torn_elsewhere(world: World) -> None:
    """A debit is torn at one terminal, and the card pays at another one before it comes back."""
    holders = [each for each in world.holders if each.pays_offline and not each.busy]
    first, *others = world.chance.shuffled(world.stations)
    if not holders or any(station.busy for station in world.stations):
        return
    holder = world.chance.pick(holders)
    tear = world.chance.pick(tuple(Tear))
    holder.plastic.tear(Plan(0, tear, world.chance.below(_WRITES), DEBIT))
    for station in (first, *others):
        world.visit(station, holder, Function.DEBIT, Human(world))
