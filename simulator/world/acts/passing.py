"""Time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.world.world import World

_WAITS = (
    timedelta(seconds=40),
    timedelta(minutes=4),
    timedelta(minutes=70),
    timedelta(hours=26),
    timedelta(days=5, hours=1),
)
_HOW_OFTEN = (4, 4, 3, 2, 1)


def time_passes(world: World) -> None:
    """A while goes by: seconds, or until lists are stale and losses have lapsed."""
    wait = world.chance.pick(_WAITS, _HOW_OFTEN)
    world.story.hit("time", f"{wait} go by")
    world.clock.advance(wait)
    world.post.deliver()
