"""The crash matrix: every single fault, at every place of every flow that changes something.

A clean run of a flow counts its durable steps, its messages and the card's commands. Then, each in
a world of its own, the process is killed at each step, the disk is full or a commit unsure at each,
each message meets each mishap, and the card leaves at each command. `double` combines the kills
with the mishaps of the message that changes something. Every world is healed at the end, and has to
come out even.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from backend_client.channels import direct, national
from simulator.world.acts.enrolment import enrol
from simulator.world.disk import Fuse, Moment, Trouble
from simulator.world.holder import Habits, Holder
from simulator.world.life import Life, finding, heal
from simulator.world.plastic import DEBIT, Plan, Tear
from simulator.world.weather import CALM
from simulator.world.wire import Mishap
from simulator.world.world import World, world_of
from terminal.policy import Function

SEED = 7


Step = Callable[[World, Holder], None]
"""Something that happens at terminal 1, with one holder."""


@dataclass(frozen=True, slots=True)
class Use:
    """The holder uses a function, and does everything right."""

    function: Function

    def __call__(self, world: World, holder: Holder) -> None:
        """A `Step`."""
        world.visit(world.stations[0], holder, self.function, Habits())


def _nothing(_world: World, _holder: Holder) -> None:
    """Nothing has to have happened."""


def _hand_in(world: World, _holder: Holder) -> None:
    """The terminal brings itself up to date, and hands in what it has done without the centre."""
    world.stations[0].sync()


def _enrol(world: World, _holder: Holder) -> None:
    """The terminal is enrolled anew."""
    enrol(world, world.stations[0])


def _cut_off(world: World, _holder: Holder) -> None:
    """The line is cut, until everything is healed."""
    world.wires[world.stations[0]].connected = False


def _register(world: World, holder: Holder) -> None:
    """A visit is registered while the line is cut."""
    wire = world.wires[world.stations[0]]
    wire.connected = False
    Use(Function.PROVISIONAL)(world, holder)
    wire.connected = True


def _tear_debit(world: World, holder: Holder) -> None:
    """A debit is torn when the card has booked it: its answer is lost."""
    holder.plastic.tear(Plan(0, Tear.AFTER, instruction=DEBIT))
    Use(Function.DEBIT)(world, holder)


def _torn_and_covered(world: World, holder: Holder) -> None:
    """The card of a torn debit has paid elsewhere since, which replaced its proof."""
    _tear_debit(world, holder)
    world.visit(world.stations[1], holder, Function.DEBIT, Habits())


@dataclass(frozen=True, slots=True)
class Flow:
    """One way of using terminal 1: who does what, and what has to have happened before."""

    name: str
    play: Step
    holder: int = 0
    before: Step = _nothing
    channel: str = direct.NAME
    has_psam: bool = False


FLOWS: tuple[Flow, ...] = (
    Flow("settlement", Use(Function.SETTLEMENT)),
    Flow("cancellation", Use(Function.CANCELLATION), before=Use(Function.SETTLEMENT)),
    Flow("national settlement", Use(Function.SETTLEMENT), channel=national.NAME),
    Flow(
        "national cancellation",
        Use(Function.CANCELLATION),
        before=Use(Function.SETTLEMENT),
        channel=national.NAME,
    ),
    Flow("contribution", Use(Function.CONTRIBUTION)),
    Flow("benefit", Use(Function.BENEFITS)),
    Flow("activation", Use(Function.ACTIVATION), holder=3),
    Flow("PIN change", Use(Function.PIN_CHANGE)),
    Flow("debit", Use(Function.DEBIT)),
    Flow("debit with a PSAM", Use(Function.DEBIT), has_psam=True),
    Flow("proof of a torn debit", Use(Function.DEBIT), before=_tear_debit),
    Flow("proof that was replaced", Use(Function.DEBIT), before=_torn_and_covered),
    Flow("provisional visit", Use(Function.PROVISIONAL), before=_cut_off),
    Flow("debit handed in", _hand_in, before=Use(Function.DEBIT)),
    Flow("enrolment anew", _enrol),
    Flow("visit handed in", _hand_in, before=_register),
)
"""A new flow is one line."""


_CLEARS_AWAY = ("/2202", "/2205")
"""A visit and its fee lines are taken back at the national interface."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a clean run of a flow can be hit. `change` is the message that changes something."""

    moments: tuple[Moment, ...]
    paths: tuple[str, ...]
    commands: int
    module_commands: int

    @property
    def change(self) -> int:
        """The place of the last message that is more than clearing away, as a channel may do."""
        return max(at for at, path in enumerate(self.paths) if not path.endswith(_CLEARS_AWAY))


@dataclass(frozen=True, slots=True)
class Case:
    """One or two faults of one flow."""

    flow: Flow
    name: str
    lay: Callable[[World], None]


def places(flow: Flow) -> Places:
    """Run the flow without any fault."""
    with _world(flow) as world:
        _begin(world, flow)
        station = world.stations[0]
        steps, messages = station.disk.steps, len(world.wires[station].paths)
        commands = world.holders[flow.holder].plastic.commands
        module_commands = station.module.psam.commands
        _play(world, flow)
        return Places(
            tuple(station.disk.moments[steps:]),
            tuple(world.wires[station].paths[messages:]),
            world.holders[flow.holder].plastic.commands - commands,
            station.module.psam.commands - module_commands,
        )


def single(flow: Flow, at: Places) -> Iterator[Case]:
    """Every single fault of a flow; with PSAMs those of the PSAM alone, the rest being the same."""
    if flow.has_psam:
        yield from _module_faults(flow, at)
        return
    for step, moment in enumerate(at.moments):
        for trouble in Trouble:
            if trouble is not Trouble.UNSURE or moment is Moment.COMMITTED:
                name = f"{trouble.value} {moment.value} ({step})"
                yield Case(flow, name, _burning(Fuse(step, trouble)))
    for message, path in enumerate(at.paths):
        for mishap in Mishap:
            yield Case(flow, f"{path}: {mishap.value}", _missing(message, mishap))
    for command in range(at.commands):
        for tear in Tear:
            plan = Plan(command, tear, writes=9)
            yield Case(flow, f"{tear.value} ({command})", _tearing(flow, plan))


def _module_faults(flow: Flow, at: Places) -> Iterator[Case]:
    for command in range(at.module_commands):
        for tear in Tear:
            plan = Plan(command, tear, writes=2)
            yield Case(flow, f"PSAM: {tear.value} ({command})", _tearing_module(plan))


def double(flow: Flow, at: Places) -> Iterator[Case]:
    """Every mishap of the message that changes something, with a kill at every step.

    Where the card alone is changed, DEBIT is torn instead.
    """
    if flow.play == Use(Function.DEBIT) and not flow.has_psam:
        for tear in Tear:
            for step in range(len(at.moments)):
                plan = Plan(0, tear, writes=9, instruction=DEBIT)
                name = f"DEBIT: {tear.value}, then killed ({step})"
                yield Case(flow, name, _torn_and_killed(flow, plan, Fuse(step, Trouble.KILL)))
    for mishap in Mishap if at.paths else ():
        if mishap in (Mishap.KILLED_UNSENT, Mishap.KILLED_SENT):
            continue
        for step in range(len(at.moments)):
            name = f"{at.paths[at.change]}: {mishap.value}, then killed ({step})"
            yield Case(flow, name, _both(at.change, mishap, Fuse(step, Trouble.KILL)))


def try_case(case: Case) -> Life:
    """Play a case, heal its world and look whether it comes out even."""
    with _world(case.flow) as world:

        def body() -> None:
            _begin(world, case.flow)
            case.lay(world)
            _play(world, case.flow)
            world.stations[0].disk.defuse()
            heal(world)

        return finding(world, body)


def _world(flow: Flow) -> AbstractContextManager[World]:
    return world_of(SEED, CALM, everybody=True, channel=flow.channel, has_psam=flow.has_psam)


def _begin(world: World, flow: Flow) -> None:
    flow.before(world, world.holders[flow.holder])


def _play(world: World, flow: Flow) -> None:
    flow.play(world, world.holders[flow.holder])


def _burning(fuse: Fuse) -> Callable[[World], None]:
    return lambda world: world.stations[0].disk.burn(fuse)


def _missing(message: int, mishap: Mishap) -> Callable[[World], None]:
    def lay(world: World) -> None:
        wire = world.wires[world.stations[0]]
        wire.planned.append((len(wire.paths) + message, mishap))

    return lay


def _tearing(flow: Flow, plan: Plan) -> Callable[[World], None]:
    return lambda world: world.holders[flow.holder].plastic.tear(plan)


def _tearing_module(plan: Plan) -> Callable[[World], None]:
    return lambda world: world.stations[0].module.psam.tear(plan)


def _torn_and_killed(flow: Flow, plan: Plan, fuse: Fuse) -> Callable[[World], None]:
    def lay(world: World) -> None:
        _tearing(flow, plan)(world)
        _burning(fuse)(world)

    return lay


def _both(message: int, mishap: Mishap, fuse: Fuse) -> Callable[[World], None]:
    def lay(world: World) -> None:
        _missing(message, mishap)(world)
        _burning(fuse)(world)

    return lay
