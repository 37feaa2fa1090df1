"""What happens in a world: one file an act, one line here.

An act is a function of the world. It picks who is concerned, and does nothing when nobody is
free. `weight` is how often it comes up; `meanwhile` is how often while something else goes on.
What an act needs of the city goes into `founding.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.world.acts import city, enrolment, lost_cards, machines, offline, passing
from simulator.world.acts.visits import using
from terminal.policy import Function

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
    Act("settlement", using(Function.SETTLEMENT), 12, 3),
    Act("cancellation", using(Function.CANCELLATION), 3, 1),
    Act("contribution", using(Function.CONTRIBUTION), 2, 1),
    Act("benefit", using(Function.BENEFITS), 1, 0.5),
    Act("debit", using(Function.DEBIT), 4, 1),
    Act("cut off", offline.cut_off, 1.5),
    Act("torn elsewhere", offline.torn_elsewhere, 0.7),
    Act("activation", using(Function.ACTIVATION), 2, 1),
    Act("PIN change", using(Function.PIN_CHANGE), 1),
    Act("query", using(Function.QUERY), 1.5, 1),
    Act("records", using(Function.RECORDS), 0.5),
    Act("read", using(Function.READ), 1),
    Act("synchronisation", machines.synchronisation, 3, 2),
    Act("power cut", machines.power_cut, 2, 1),
    Act("restart", machines.restart, 1),
    Act("enrolled anew", enrolment.enrolled_anew, 0.7),
    Act("back office restarts", machines.centre_restart, 1, 1),
    Act("network cut", machines.network_cut, 1, 1),
    Act("clock stepped", machines.clock_step, 1, 0.5),
    Act("loss", city.loss, 1, 1),
    Act("release", city.release, 0.5, 0.5),
    Act("lost card tried", lost_cards.tried, 0.7),
    Act("time passes", passing.time_passes, 2, 1),
)

THEMES: Mapping[str, Mapping[str, float]] = {
    "anything": {},
    "money": {"settlement": 3, "cancellation": 3, "contribution": 3, "benefit": 2, "activation": 2},
    "restarts": {"power cut": 3, "restart": 3, "synchronisation": 2, "enrolled anew": 3},
    "without the centre": {
        "debit": 6,
        "cut off": 4,
        "torn elsewhere": 3,
        "settlement": 0.3,
        "synchronisation": 2,
        "power cut": 2,
    },
    "lost cards": {
        "loss": 4,
        "lost card tried": 8,
        "release": 3,
        "synchronisation": 3,
        "read": 6,
        "query": 2,
        "settlement": 0.3,
    }
    | {"network cut": 3, "clock stepped": 6, "restart": 3},
}
"""What a world has more of: each has one of these."""
