"""What holders were told, and what they paid."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from simulator.world.books import at_centre, untold

if TYPE_CHECKING:
    from simulator.world.world import World


def word_kept(world: World) -> Iterable[str]:
    """What a holder was told did not happen does not happen later either."""
    centre = at_centre(world.centre)
    for key in sorted(world.tellings.undone):
        if key in centre and centre[key].holds:
            yield f"{key[1]} was said not to be done, and is booked"


def all_told(world: World) -> Iterable[str]:
    """Who has settled has the receipt, or gets it on coming back."""
    waiting = {
        (station.terminal_id, number) for station in world.stations for number in untold(station)
    }
    for key, booked in at_centre(world.centre).items():
        is_known = key in world.tellings.paid or key in waiting
        if booked.holds and booked.settlement is not None and not is_known:
            yield f"nobody has told the holder, nor will, that {key[1]} is settled"


def cash_paid(world: World) -> Iterable[str]:
    """Each receipt is of a settlement that stands, and its cash was paid once."""
    centre = at_centre(world.centre)
    for key, fen in sorted(world.tellings.paid.items()):
        booked = centre.get(key)
        if booked is None or not booked.holds or booked.cash_fen != fen:
            yield f"{key[1]}: {fen} fen were paid for a settlement that does not stand"
