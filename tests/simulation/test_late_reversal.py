"""A reversal that is late undoes what was confirmed since: only its answer ends a settlement."""

from __future__ import annotations

from datetime import timedelta

from simulator.world.books import at_centre, in_journal
from simulator.world.checks import ALWAYS
from simulator.world.holder import Habits
from simulator.world.life import heal
from simulator.world.weather import CALM
from simulator.world.wire import Mishap
from simulator.world.world import world_of
from terminal.outcome import Unknown
from terminal.policy import Function

CONFIRM, REVERSE = "/v1/settlements", "/v1/operations/reverse"


def test_what_a_query_finds_confirmed_is_reversed_when_a_reversal_is_under_way() -> None:
    """A seeded world found this: confirmed here, given back there, and nobody knew."""
    with world_of(3, CALM, everybody=True, channel="direct") as world:
        station = world.stations[0]
        wire = world.wires[station]
        sent = len(wire.paths)
        wire.planned.extend([(sent + 4, Mishap.LATE), (sent + 6, Mishap.LATE)])
        outcome = world.visit(station, world.holders[0], Function.SETTLEMENT, Habits())
        assert isinstance(outcome, Unknown)
        assert wire.paths[sent + 4 :] == [CONFIRM, "/v1/operations/query", REVERSE]
        assert list(world.post.waiting) == [CONFIRM, REVERSE]

        while CONFIRM in world.post.waiting:
            world.clock.advance(timedelta(seconds=1))
            world.post.deliver()
        assert [booked.holds for booked in at_centre(world.centre).values()] == [True]
        station.sync()  # a query would find it confirmed
        world.post.deliver(all_of_it=True)

        world.check(ALWAYS)
        assert list(in_journal(station).values()) == ["reversed"]
        heal(world)


def test_a_reversal_that_was_lost_is_sent_again() -> None:
    with world_of(3, CALM, everybody=True, channel="direct") as world:
        station = world.stations[0]
        wire = world.wires[station]
        sent = len(wire.paths)
        lost = Mishap.REQUEST_LOST
        wire.planned.extend([(sent + 4, lost), (sent + 6, lost)])
        world.visit(station, world.holders[0], Function.SETTLEMENT, Habits())
        station.sync()

        assert wire.paths[sent + 6 :].count(REVERSE) == 2
        assert list(in_journal(station).values()) == ["reversed"]
        heal(world)
