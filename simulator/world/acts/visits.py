"""Holders at terminals: each function, with the foolish things that people do and what can fail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from apdu.status import CardRemoved
from simulator.world.books import is_active
from simulator.world.chance import Chance
from simulator.world.disk import Fuse, Trouble
from simulator.world.founding import LIMITS
from simulator.world.holder import Habits, Holder
from simulator.world.plastic import Plan, Tear
from simulator.world.station import Station
from simulator.world.weather import Weather
from terminal.outcome import Cancelled, TimedOut
from terminal.policy import Function
from terminal.screens import Choose, Screen

if TYPE_CHECKING:
    from simulator.world.world import World

_STEPS = 34
"""Durable steps within which a kill falls: a settlement has about so many."""

_FROM = (0, 14, 25)
"""Kills fall behind one of these: anywhere, in the operation, about its end."""

_SENSIBLE = 0.9
"""How often who comes has a card that is good for what they want."""

_AMOUNTS = (120, 1_250, 3_900, 5_999, LIMITS.operation_fen, LIMITS.operation_fen + 1)
_COMMANDS = 24
_MODULE_COMMANDS = 24
_WRITES = 60
_AWAY = timedelta(minutes=2)
_LONG_AWAY = timedelta(minutes=16)
"""Longer than a trial is good."""


def using(function: Function) -> Callable[[World], None]:
    """The act of somebody using this function."""
    return partial(_somebody, function=function)


class Human(Habits):
    """A holder who may do something foolish at any screen."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._chance: Chance = world.chance

    def at(self, screen: Screen) -> Exception | None:
        """Press cancel, walk away, or pull the card; a screen that takes no cancel is no bar."""
        weather: Weather = self._world.weather
        if not self._chance.happens(weather.folly):
            return None
        what = self._chance.pick(("cancel", "walk away", "come back late", "pull the card"))
        self._world.story.hit(f"holder: {what}", f"the holder: {what} ({type(screen).__name__})")
        match what:
            case "cancel":
                return Cancelled()
            case "walk away":
                self._world.clock.advance(_AWAY)
                return TimedOut()
            case "come back late":
                self._world.clock.advance(_LONG_AWAY)
                return None
            case _:
                return CardRemoved("the holder pulled the card")

    def option(self, screen: Choose) -> str:
        """Any of them."""
        return self._chance.pick(screen.options).key

    def agrees(self) -> bool:
        """Mostly yes."""
        return not self._chance.happens(self._world.weather.folly)

    def amount_fen(self) -> int:
        """Something small, or about as much as the limits of terminal and account allow."""
        return self._chance.pick(_AMOUNTS)

    def reading_time(self) -> timedelta:
        """A moment or two."""
        return timedelta(seconds=self._chance.between(1, 12))


def _somebody(world: World, function: Function) -> None:
    station, holder = world.free_station(), _holder(world, function)
    if station is None or holder is None:
        return
    with _troubled(world, station, holder):
        world.visit(station, holder, function, Human(world))


def _holder(world: World, function: Function) -> Holder | None:
    """Somebody who is free, mostly with a card that is good for this."""
    free = [holder for holder in world.holders if not holder.busy]
    if world.chance.happens(_SENSIBLE) and function is not Function.READ:
        wanted = function is not Function.ACTIVATION
        good = [holder for holder in free if is_active(world, holder) is wanted]
        free = good or free
    if function is Function.DEBIT and world.chance.happens(_SENSIBLE):
        free = [holder for holder in free if holder.pays_offline] or free
    return world.chance.pick(free) if free else None


class _troubled:  # noqa: N801  # reads as what it does: `with _troubled(...)`
    """What may hit this use of the terminal, laid out before it and cleared away after."""

    def __init__(self, world: World, station: Station, holder: Holder) -> None:
        self._world, self._station, self._holder = world, station, holder

    def __enter__(self) -> None:
        chance, weather = self._world.chance, self._world.weather
        if chance.happens(weather.kill):
            step = chance.between(chance.pick(_FROM), _STEPS)
            self._station.disk.burn(Fuse(step, Trouble.KILL))
        elif chance.happens(weather.disk):
            trouble = chance.pick((Trouble.FULL, Trouble.UNSURE))
            times = chance.pick((1, 3, 30)) if trouble is Trouble.FULL else 1
            self._station.disk.burn(Fuse(chance.below(_STEPS), trouble, times))
        if chance.happens(weather.tear):
            tear = chance.pick(tuple(Tear))
            plan = Plan(chance.below(_COMMANDS), tear, chance.below(_WRITES))
            self._holder.plastic.tear(plan)
        if chance.happens(weather.tear):
            plan = Plan(
                chance.below(_MODULE_COMMANDS), chance.pick(tuple(Tear)), chance.below(_WRITES)
            )
            self._station.module.psam.tear(plan)

    def __exit__(self, *_: object) -> None:
        self._station.disk.defuse()
        self._station.module.psam.tear(None)
