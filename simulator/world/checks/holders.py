"""What holders were told, and what they paid."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from simulator.world.books import at_centre, done_offline, untold

if TYPE_CHECKING:
    from simulator.world.world import World


def word_kept(world: World) -> Iterable[str]:
    """What a holder was told did not happen does not happen later either."""
    centre = at_centre(world.centre)
    undone = world.tellings.undone
    for key in sorted(undone):
        if key in centre and centre[key].holds:
            yield f"{key[1]} was said not to be done, and is booked"
    for station in world.stations:
        for one in done_offline(station):
            if one.state == "confirmed" and (station.terminal_id, one.number) in undone:
                yield f"{one.number} was said not to be done, and is"


def all_told(world: World) -> Iterable[str]:
    """Whoever moved money has the receipt, or gets it on coming back."""
    waiting = _waiting(world)
    for key, booked in at_centre(world.centre).items():
        if booked.has_receipt and key not in world.tellings.paid and key not in waiting:
            yield f"nobody has told the holder, nor will, that {key[1]} is done"
    for station in world.stations:
        for one in done_offline(station):
            key = station.terminal_id, one.number
            if one.state == "confirmed" and key not in world.tellings.slips | waiting:
                yield f"nobody has told the holder, nor will, that {one.number} is done"


def cash_paid(world: World) -> Iterable[str]:
    """The cash that went over the counter is that of the settlements that stand.

    Those left out whose holder cannot come back to hear of it, because the card was lost meanwhile.
    """
    centre = at_centre(world.centre)
    for key, fen in world.tellings.paid.items():
        booked = centre.get(key)
        if booked is None or not booked.holds or booked.cash_fen != fen:
            yield f"{key[1]}: {fen} fen changed hands for something that does not hold"
    if _waiting(world):
        return
    owed = sum(
        booked.cash_fen
        for booked in centre.values()
        if booked.total_fen is not None and booked.holds and not booked.is_undone
    )
    paid = sum(world.tellings.paid.values())
    if paid != owed:
        yield f"{paid} fen were paid in cash, the settlements that stand want {owed}"


def _waiting(world: World) -> set[tuple[str, str]]:
    """What holders still have to be told."""
    return {
        (station.terminal_id, number) for station in world.stations for number in untold(station)
    }
