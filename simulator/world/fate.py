"""What the weather does to messages."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from backend_client.national.envelope import PATH
from backend_client.transport import Request
from simulator.world.wire import Mishap

if TYPE_CHECKING:
    from simulator.world.world import World

_CENTRE_STEPS = 12
_MISHAPS = tuple(Mishap)
_HOW_LIKELY = tuple(
    2.0 if each in (Mishap.ANSWER_LOST, Mishap.SENT_TWICE, Mishap.LATE, Mishap.COPY_LATE) else 1.0
    for each in Mishap
)
_NUMBER = "idempotency-key"
_CHANGES, _ASKS_OF_NUMBERS, _OTHERS = 1.5, 0.8, 0.12
_NATIONAL = {"2207": _CHANGES, "2208": _CHANGES, "5203": _ASKS_OF_NUMBERS, "2601": _ASKS_OF_NUMBERS}
_MINUTES = (0, 0, 1, 5, 40)


class Fate:
    """See `wire.Luck`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def mishap(self, request: Request) -> Mishap | None:
        """What happens to this message."""
        world = self._world
        if not world.centre.up and (world.weather.centre == 0 or world.chance.happens(0.4)):
            world.story.tell("the back office is started")
            world.centre.start()
        if not world.chance.happens(_how_often(request) * world.weather.line):
            return None
        return world.chance.pick(_MISHAPS, _HOW_LIKELY)

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


def _how_often(request: Request) -> float:
    """How much of the trouble comes to this message: most where it hurts most."""
    if request.path.startswith(PATH):
        return _NATIONAL.get(request.path.removeprefix(PATH), _OTHERS)
    if _NUMBER in request.headers:
        return _OTHERS if request.path.endswith("/trial") else _CHANGES
    return _ASKS_OF_NUMBERS if "/operations/" in request.path else _OTHERS
