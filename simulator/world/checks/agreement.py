"""Back office and journals: neither knows anything of money that the other does not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from simulator.world.books import WITH_CENTRE, at_centre, in_journal

if TYPE_CHECKING:
    from simulator.world.world import World

_MAY_BE_BOOKED = frozenset({"sent", "unknown", "confirmed"})


def never_apart(world: World) -> Iterable[str]:
    """What is booked was durable here before it was sent; what has ended here has ended there."""
    centre = at_centre(world.centre)
    journals = {station.terminal_id: in_journal(station, WITH_CENTRE) for station in world.stations}
    for (terminal, number), there in centre.items():
        here = journals[terminal].get(number)
        if here is None:
            yield f"{number} is {there.state} at the back office, {terminal} does not know it"
        elif there.holds and here not in _MAY_BE_BOOKED:
            yield f"{number} is booked at the back office and {here} at {terminal}"
    for terminal, journal in journals.items():
        for number, here in journal.items():
            booked = centre.get((terminal, number))
            if here == "confirmed" and (booked is None or not booked.holds):
                yield f"{number} is confirmed at {terminal} and not booked at the back office"


def the_same(world: World) -> Iterable[str]:
    """Once healed: what is booked is confirmed in the journal."""
    journals = {station.terminal_id: in_journal(station, WITH_CENTRE) for station in world.stations}
    for (terminal, number), there in at_centre(world.centre).items():
        if there.holds and journals[terminal].get(number) != "confirmed":
            yield f"{number} is booked and {journals[terminal].get(number)} at {terminal}"
