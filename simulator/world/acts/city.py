"""What happens to cards at the service points and on the telephone (Articles 18, 19)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.world.world import World


def loss(world: World) -> None:
    """Somebody reports a card as lost, who may well be holding it."""
    holder = world.chance.pick(world.holders)
    with world.centre.staffed() as office:
        if world.chance.happens(0.6):
            world.story.hit("temporary loss", f"{holder.name}: temporary loss")
            office.report_temporary_loss(holder.card)
        else:
            world.story.hit("formal loss", f"{holder.name}: formal loss")
            office.report_formal_loss(holder.card)


def release(world: World) -> None:
    """A card was found."""
    holder = world.chance.pick(world.holders)
    with world.centre.staffed() as office:
        world.story.hit("release", f"{holder.name}: the card was found")
        office.release_loss(holder.card)
