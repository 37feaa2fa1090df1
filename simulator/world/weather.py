"""How much goes wrong in a world: some are calm but for one kind of trouble, some are stormy."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.world.chance import Chance

_DEGREES = (0.0, 0.3, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Weather:
    """Probabilities: of a message to go wrong, of a use of a terminal to meet the other troubles.

    `line` and `centre` (the back office is killed) count for each message, `folly` (people) and
    `interlude` (something else happens meanwhile) for each screen, the others for each use.
    """

    line: float = 0.0
    centre: float = 0.0
    kill: float = 0.0
    disk: float = 0.0
    tear: float = 0.0
    folly: float = 0.0
    interlude: float = 0.0

    @classmethod
    def of(cls, chance: Chance) -> Weather:
        """The weather of a world."""
        return cls(
            line=0.4 * chance.pick(_DEGREES),
            centre=0.1 * chance.pick(_DEGREES),
            kill=0.5 * chance.pick(_DEGREES),
            disk=0.25 * chance.pick(_DEGREES),
            tear=0.25 * chance.pick(_DEGREES),
            folly=0.15 * chance.pick(_DEGREES),
            interlude=0.12 * chance.pick(_DEGREES),
        )


CALM = Weather()
"""Nothing goes wrong."""
