"""What machines do by themselves, and what befalls them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from simulator.world.disk import Fuse, Trouble

if TYPE_CHECKING:
    from simulator.world.world import World

_STEPS = 30
_CLOCK_STEPS = (
    timedelta(minutes=-3),
    timedelta(minutes=20),
    timedelta(hours=-1),
    timedelta(days=6),
    timedelta(days=-1),
)


def synchronisation(world: World) -> None:
    """A terminal brings itself up to date, and may die of it."""
    station = world.chance.pick(world.stations)
    if station.busy:
        station.sync()
        return
    if world.started(station):
        if world.chance.happens(world.weather.kill):
            station.disk.burn(Fuse(world.chance.below(_STEPS), Trouble.KILL))
        station.sync()
        station.disk.defuse()


def power_cut(world: World) -> None:
    """A terminal loses its power, whatever it is doing."""
    station = world.chance.pick(world.stations)
    world.story.hit("power cut", f"{station.name} loses its power")
    station.power_cut()


def restart(world: World) -> None:
    """A terminal is stopped in good order, and started; it may die while it recovers."""
    station = world.free_station()
    if station is None:
        return
    world.story.hit("restart", f"{station.name} is stopped")
    station.stop()
    if world.chance.happens(world.weather.kill):
        station.disk.burn(Fuse(world.chance.below(_STEPS), Trouble.KILL))
    world.started(station)
    station.disk.defuse()


def centre_restart(world: World) -> None:
    """The back office loses its power; it comes back when somebody notices, or later."""
    world.story.hit("back office restarted", "the back office loses its power")
    world.centre.stop()
    if world.chance.happens(0.5):
        world.centre.start()


def network_cut(world: World) -> None:
    """A line is cut, or mended."""
    station = world.chance.pick(world.stations)
    wire = world.wires[station]
    wire.connected = not wire.connected
    if wire.connected:
        world.story.tell(f"the line of {station.name} is mended")
    else:
        world.story.hit("network cut", f"the line of {station.name} is cut")


def clock_step(world: World) -> None:
    """Somebody sets a terminal's clock: a little, or badly, or right again."""
    station = world.chance.pick(world.stations)
    if station.clock.offset:
        station.clock.offset = timedelta()
        world.story.tell(f"the clock of {station.name} is set right")
        return
    station.clock.offset = world.chance.pick(_CLOCK_STEPS)
    by = station.clock.offset
    world.story.hit("clock stepped", f"the clock of {station.name} is set off by {by}")
