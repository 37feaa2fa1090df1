"""A receipt is owed until it was shown: a terminal that dies first gives it at the next visit."""

from __future__ import annotations

from simulator.world.books import untold
from simulator.world.disk import Fuse, Moment, Trouble
from simulator.world.holder import Habits
from simulator.world.life import heal
from simulator.world.weather import CALM
from simulator.world.world import World, world_of
from terminal.policy import Function

NOTING_THAT_IT_WAS_SHOWN = 3
"""Durable steps after the receipt was shown: a statement, and before and after its commit."""


def test_a_terminal_that_dies_between_confirmation_and_receipt_gives_it_later() -> None:
    """A seeded world found this: nobody would ever have told this holder of the settlement."""
    with world_of(1, CALM, everybody=True, channel="direct") as world:
        begun = world.stations[0].disk.steps
        _settle(world)
        moments = world.stations[0].disk.moments[begun:]
        assert len(world.tellings.paid) == 1
        assert not untold(world.stations[0])
    confirmed = len(moments) - NOTING_THAT_IT_WAS_SHOWN - 1
    assert moments[confirmed] is Moment.COMMITTED

    with world_of(1, CALM, everybody=True, channel="direct") as world:
        world.stations[0].disk.burn(Fuse(confirmed, Trouble.KILL))
        _settle(world)
        assert not world.tellings.paid
        assert len(untold(world.stations[0])) == 1

        heal(world)  # the holder comes back among other things

        assert not untold(world.stations[0])
        assert world.tellings.paid


def test_the_receipt_that_was_shown_is_not_shown_again() -> None:
    with world_of(1, CALM, everybody=True, channel="direct") as world:
        _settle(world)
        world.visit(world.stations[0], world.holders[0], Function.QUERY, Habits())

        assert len(world.tellings.receipts) == 1


def _settle(world: World) -> None:
    world.visit(world.stations[0], world.holders[0], Function.SETTLEMENT, Habits())
