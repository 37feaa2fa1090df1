"""The life of a world: acts, then healing, then everything has to come out even."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from simulator.world.acts import ACTS, THEMES
from simulator.world.books import fingerprint, is_active, unsent
from simulator.world.checks import ALWAYS, AT_REST
from simulator.world.holder import Habits, Holder
from simulator.world.standstill import StandsStill, moving
from simulator.world.station import Station
from simulator.world.story import Coverage
from simulator.world.violation import Violation
from simulator.world.weather import CALM, Weather
from simulator.world.world import World, world_of
from terminal.outcome import Cancelled, Done
from terminal.policy import Function
from terminal.screens import Choose, Confirm, Screen

_SHORTEST, _LONGEST = 3, 8
_SETTLES = 0.25
"""How often somebody settles a bill after all, to see that nothing stands in the way."""

_TOLD_LINES = 40


@dataclass(frozen=True, slots=True)
class Life:
    """How a world went. `violation` is None when everything held.

    `fingerprint` is of all databases at the end, "" unless it was asked for.
    """

    seed: int
    violation: Violation | None
    story: tuple[str, ...]
    coverage: Coverage
    fingerprint: str

    def report(self, *, whole: bool = False) -> str:
        """The story, or its end, and what was found."""
        lines = self.story if whole else self.story[-_TOLD_LINES:]
        left_out = len(self.story) - len(lines)
        head = [f"seed {self.seed}"] + ([f"({left_out} lines before)"] if left_out else [])
        return "\n".join([*head, *lines, f"=> {self.violation or 'everything holds'}"])


def live(
    seed: int,
    weather: Weather | None = None,
    theme: str | None = None,
    *,
    with_fingerprint: bool = False,
) -> Life:
    """Let the world of a seed live; with `weather` or `theme`, that instead of the seed's own.

    Never raises for what it finds.
    """
    with world_of(seed, weather) as world:
        life = finding(world, lambda: _live(world, theme))
        return replace(life, fingerprint=fingerprint(world)) if with_fingerprint else life


def _live(world: World, name: str | None) -> None:
    drawn = world.chance.pick(tuple(THEMES))
    theme = THEMES[name or drawn]
    weights = [act.weight * theme.get(act.name, 1) for act in ACTS]
    for _ in range(world.chance.between(_SHORTEST, _LONGEST)):
        act = world.chance.pick(ACTS, weights)
        world.play(act)
    heal(world)


def heal(world: World) -> None:
    """Make everything whole, and see that it comes out even. Raises `Violation`."""
    world.story.tell("everything is healed")
    world.weather = CALM
    if world.chance.happens(0.5):
        world.post.deliver(all_of_it=True)
    world.centre.start()
    for station in world.chance.shuffled(world.stations):
        _heal_station(world, station)
    # What comes now comes too late, and must change nothing.
    world.post.deliver(all_of_it=True)
    world.check(ALWAYS)
    for holder in world.holders:
        for station in world.stations:
            if station.name in holder.visited:
                _come_back(world, station, holder)
    for station in world.stations:
        if unsent(station):
            station.sync()  # it hands in what the cards have proved
    if world.chance.happens(_SETTLES):
        _settle(world)
    world.check(ALWAYS)
    world.check(AT_REST)


def finding(world: World, body: Callable[[], None]) -> Life:
    """Run `body` on a world, and keep what it finds. A fault of the program is a finding too."""
    found: Violation | None = None
    try:
        with moving():
            body()
    except Violation as violation:
        found = violation
    except StandsStill as error:
        found = Violation("nothing stands still", f"waiting for good at {error.place}")
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        found = Violation("nothing breaks", f"{type(error).__name__} at {place}: {error}")
    return Life(world.seed, found, tuple(world.story.lines), world.story.coverage, "")


def _heal_station(world: World, station: Station) -> None:
    station.clock.offset = timedelta()
    station.disk.defuse()
    station.module.psam.tear(None)
    world.wires[station].connected = True
    world.wires[station].planned.clear()
    if not world.started(station):
        raise Violation("starts again", f"{station.name} does not start on a whole disk")
    station.sync()


def _come_back(world: World, station: Station, holder: Holder) -> None:
    """The holder comes back to where a question is open, to hear what became of it."""
    terminal = station.terminal
    if terminal is not None and terminal.journal.left_open(holder.card.card_id):
        world.visit(station, holder, Function.SETTLEMENT, _Asking())  # a torn debit is proved
    if terminal is not None and terminal.journal.untold(holder.card.card_id):
        world.visit(station, holder, Function.QUERY, Habits())


class _Asking(Habits):
    """Enters the PIN, and wants nothing more."""

    def at(self, screen: Screen) -> Exception | None:
        """See `Habits`."""
        return Cancelled() if isinstance(screen, Choose | Confirm) else None


def _settle(world: World) -> None:
    """Somebody whose card is good settles a bill; nothing of the past stands in the way."""
    good = [holder for holder in world.holders if is_active(world, holder) and holder.is_sure]
    if not good:
        return
    station, holder = world.chance.pick(world.stations), world.chance.pick(good)
    outcome = world.visit(station, holder, Function.SETTLEMENT, Habits())
    if not isinstance(outcome, Done):
        raise Violation("life goes on", f"{holder.name} cannot settle at {station.name}: {outcome}")
