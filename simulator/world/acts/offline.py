"""A terminal without its centre: who cannot settle has the visit registered (facts 2.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.world.acts.visits import using
from terminal.policy import Function

if TYPE_CHECKING:
    from simulator.world.world import World

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
