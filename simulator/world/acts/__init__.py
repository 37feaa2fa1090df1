"""What happens in a world: one file an act, one line here.

An act is a function of the world. It picks who is concerned, and does nothing when nobody is
free. `weight` is how often it comes up; `meanwhile` is how often while something else goes on.
`prepare` would go into `founding.py` for an act that needs more of the city than there is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.world.acts import city, machines, passing, visits

if TYPE_CHECKING:
    from simulator.world.world import World


@dataclass(frozen=True, slots=True)
class Act:
    """Something that may happen."""

    name: str
    play: Callable[[World], None]
    weight: float
    meanwhile: float = 0.0


ACTS: tuple[Act, ...] = (
    Act("settlement", visits.settlement, 10, 3),
    Act("activation", visits.activation, 3, 1),
    Act("PIN change", visits.pin_change, 2),
    Act("query", visits.query, 2, 1),
    Act("read", visits.read, 1),
    Act("synchronisation", machines.synchronisation, 4, 2),
    Act("power cut", machines.power_cut, 2, 1),
    Act("restart", machines.restart, 1),
    Act("back office restarts", machines.centre_restart, 1, 1),
    Act("network cut", machines.network_cut, 1, 1),
    Act("clock stepped", machines.clock_step, 1, 0.5),
    Act("loss", city.loss, 2, 1),
    Act("release", city.release, 1, 0.5),
    Act("time passes", passing.time_passes, 2, 1),
)
