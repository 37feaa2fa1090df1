"""A terminal is enrolled anew, which its operations outlive (facts 5.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator import city
from simulator.world.disk import Fuse, Trouble
from simulator.world.station import Station

if TYPE_CHECKING:
    from simulator.world.world import World

_STEPS = 12


def enrolled_anew(world: World) -> None:
    """The staff give out a code, and somebody enters it; the terminal may die of it."""
    station = world.free_station()
    if station is None or not world.started(station):
        return
    if world.chance.happens(world.weather.kill):
        station.disk.burn(Fuse(world.chance.below(_STEPS), Trouble.KILL))
    enrol(world, station)
    station.disk.defuse()


def enrol(world: World, station: Station) -> None:
    """Enrol a terminal with a code that is made for it."""
    code = ""
    with world.centre.staffed() as office:
        code = office.enrolment_code(city.HOSPITAL)
    if code:
        with world.story.doing("enrolment"):
            station.enrol(code)
