"""A whole city in one process, on one clock and from one seed, in which anything may go wrong.

`World.live` lets acts happen and looks after each whether everything still holds; then everything
is healed, and it must come out even. No thread runs and nothing of this machine gets in, so the
same seed replays exactly. What goes on "meanwhile" is played inside what it interrupts: at a
screen, or while a message is under way.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.card.card import SimulatedCard
from simulator.clock import SimulatedClock
from simulator.story import BEGINS
from simulator.world.admissions import Admissions
from simulator.world.books import in_journal
from simulator.world.centre import Centre
from simulator.world.chance import Chance
from simulator.world.checks import ALWAYS, Check
from simulator.world.checks.money import accounts
from simulator.world.clocks import WallClock
from simulator.world.fate import Fate
from simulator.world.founding import STATIONS, disk_space, founding
from simulator.world.holder import AtTheScreen, Habits, Holder, first_pins
from simulator.world.plastic import Plastic, Tear
from simulator.world.station import Station
from simulator.world.story import Story
from simulator.world.tellings import Listener, Tellings
from simulator.world.violation import Violation
from simulator.world.weather import CALM, Weather
from simulator.world.wire import Post, Wire
from terminal.flow import Flow
from terminal.functions import FUNCTIONS, debit
from terminal.outcome import Failed, Outcome, Refused
from terminal.policy import Function
from terminal.screens import Screen
from terminal.settlement_channels import CHANNELS
from terminal.visit import Visit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.world.acts import Act


_HOW_MANY = (1, 2, 2, 3, 4)

_HAVE_PSAM = 0.3

_IN_HAND = frozenset({"prepared", "sent"})
"""States in which an operation is in the hands of a visit."""


class World:
    """One world in `directory`. Open it with `world_of`, which clears away behind it."""

    def __init__(
        self,
        seed: int,
        directory: Path,
        weather: Weather | None,
        *,
        everybody: bool,
        channel: str | None,
        has_psam: bool | None,
    ) -> None:
        self.seed = seed
        self.chance = Chance(seed)
        self.clock = SimulatedClock(BEGINS)
        self.story = Story(self.clock)
        self.weather = weather or Weather.of(self.chance)
        channel = channel or self.chance.pick(tuple(CHANNELS))
        if has_psam is None:
            has_psam = self.chance.happens(_HAVE_PSAM)
        self.centre = Centre(directory / "centre", self.clock, self.chance, self.story)
        self.post = Post(self.clock, self.centre, self.story)
        self.tellings = Tellings(self.centre)
        self.stations = [
            Station(
                number,
                directory / str(number),
                WallClock(self.clock),
                self.chance,
                self.story,
                channel=channel,
                has_psam=has_psam,
            )
            for number in range(STATIONS)
        ]
        self.wires = {station: self._wire(station) for station in self.stations}
        cast: Sequence[int] = range(len(founding().cast))
        if not everybody:
            # The fewer there are, the more they have to do with each other.
            cast = sorted(self.chance.shuffled(cast)[: self.chance.pick(_HOW_MANY)])
        self.holders = [self._holder(index, chr(ord("A") + index)) for index in cast]
        self.accounts_before = accounts(self)
        self._admissions = Admissions(self.centre, self.clock)
        self._meanwhile = 0
        keys = "in PSAMs" if has_psam else "in software"
        self.story.tell(f"bills are settled over the {channel} channel, the keys are {keys}")
        for station in self.stations:
            station.start()

    def close(self) -> None:
        """End the world."""
        for station in self.stations:
            station.close()
        self.centre.close()

    def play(self, act: Act) -> None:
        """Let an act happen, and look whether everything still holds."""
        self._perform(act)
        self.check(ALWAYS)

    def check(self, checks: Sequence[Check]) -> None:
        """Raise `Violation` for the first of `checks` that does not hold."""
        for check in checks:
            for found in check.look(self):
                raise Violation(check.name, found)

    def free_station(self) -> Station | None:
        """A terminal that serves nobody, running or not."""
        free = [station for station in self.stations if not station.busy]
        return self.chance.pick(free) if free else None

    def started(self, station: Station) -> bool:
        """Whether a terminal runs, having been started if it was down.

        Raises `Violation` when it would serve before it has recovered: what the centre could not
        be asked about stays open, and keeps its card from being served.
        """
        is_up = station.terminal is not None
        if not station.start():
            return False
        if not is_up and not station.disk.has_failed:
            for number, state in in_journal(station).items():
                if state in _IN_HAND and number not in station.left_open:
                    found = f"{station.name} serves while {number} is {state}"
                    raise Violation("recovered first", found)
        return True

    def visit(
        self, station: Station, holder: Holder, function: Function, habits: Habits
    ) -> Outcome | None:
        """A holder uses a terminal; None when it is down or dies of it."""
        self.story.tell(f"{holder.name} at {station.name}: {function}")
        if not self.started(station):
            return None
        listener = Listener(self.tellings, station, holder)

        def saw(screen: Screen) -> None:
            station.alive()
            listener.saw(screen)

        def wait(reading: timedelta) -> None:
            self.clock.advance(reading)
            self.meanwhile()
            station.alive()

        holder.visited.append(station.name)
        holder.busy = True
        try:
            with self.story.doing(str(function)):
                driver = AtTheScreen(holder, habits, saw=saw, wait=wait)
                flow = _flow_of(function, habits)
                outcome = station.serve(holder, function, flow, driver, self._admissions.decided)
                self.story.tell(f"-> {_told(outcome)}")
        finally:
            holder.busy = False
        return outcome

    def meanwhile(self) -> None:
        """Something else may happen now, while what goes on is waiting."""
        if self._meanwhile or not self.chance.happens(self.weather.interlude):
            return
        from simulator.world.acts import ACTS

        acts = [act for act in ACTS if act.meanwhile]
        act = self.chance.pick(acts, [act.meanwhile for act in acts])
        self._meanwhile += 1
        try:
            self.story.hit("meanwhile", f"meanwhile: {act.name}")
            self._perform(act)
        finally:
            self._meanwhile -= 1

    def calm(self) -> None:
        """Nothing goes wrong from now on."""
        self.weather = CALM

    def _perform(self, act: Act) -> None:
        self.post.deliver()
        act.play(self)

    def _wire(self, station: Station) -> Wire:
        wire = Wire(
            station.name,
            self.clock,
            self.centre,
            self.post,
            self.story,
            Fate(self),
            alive=station.alive,
            die=station.disk.cut,
            meanwhile=self.meanwhile,
        )
        station.connect(wire)
        return wire

    def _holder(self, index: int, name: str) -> Holder:
        profile = founding().cast[index]
        label = f"holder {name}"

        def torn(tear: Tear) -> None:
            self.story.hit(tear.value, f"{label}: {tear.value}")

        def made() -> SimulatedCard:
            return SimulatedCard(profile, random=self.chance.bytes)

        return Holder(label, profile, Plastic(made, torn), first_pins(profile))


def _flow_of(function: Function, habits: Habits) -> Callable[[Visit], Flow]:
    """What a function does; of a debit, somebody at the desk says how much."""
    if function is Function.DEBIT:
        return partial(debit.flow, amount_fen=habits.amount_fen())
    return FUNCTIONS[function].flow


@contextmanager
def world_of(
    seed: int,
    weather: Weather | None = None,
    *,
    everybody: bool = False,
    channel: str | None = None,
    has_psam: bool | None = None,
) -> Iterator[World]:
    """A world from a seed; what is given is so instead of as the seed has it.

    `everybody`: all holders are there, not only some. `channel` is how bills are settled;
    `has_psam`: the terminals have PSAMs, not keys in software.
    """
    directory = Path(tempfile.mkdtemp(prefix="ssct-world-", dir=disk_space()))
    try:
        world = World(
            seed, directory, weather, everybody=everybody, channel=channel, has_psam=has_psam
        )
        try:
            yield world
        finally:
            world.close()
    finally:
        shutil.rmtree(directory)


def _told(outcome: Outcome | None) -> str:
    match outcome:
        case None:
            return "no end"
        case Refused(code=code):
            return f"Refused {code}"
        case Failed(error=error):
            return f"Failed {getattr(error, 'code', type(error).__name__)}"
        case _:
            return type(outcome).__name__
