"""What the weather does to messages."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from simulator.world.wire import Mishap

if TYPE_CHECKING:
    from simulator.world.world import World

_CENTRE_STEPS = 12
_MISHAPS = tuple(Mishap)
_MINUTES = (0, 1, 5, 40, 60 * 7)


class Fate:
    """See `wire.Luck`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def mishap(self, _path: str) -> Mishap | None:
        """What happens to the next message."""
        world = self._world
        if not world.centre.up and (world.weather.centre == 0 or world.chance.happens(0.4)):
            world.story.tell("the back office is started")
            world.centre.start()
        if not world.chance.happens(world.weather.line):
            return None
        return world.chance.pick(_MISHAPS)

    def delay(self) -> timedelta:
        """How late a late message is."""
        minutes = self._world.chance.pick(_MINUTES)
        return timedelta(minutes=minutes, seconds=self._world.chance.between(1, 59))

    def centre_dies_at(self) -> int | None:
        """Where the back office dies."""
        world = self._world
        if world.chance.happens(world.weather.centre):
            return world.chance.below(_CENTRE_STEPS)
        return None
