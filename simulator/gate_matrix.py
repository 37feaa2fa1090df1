"""The gate's crash matrix: every single fault at every place of a tap, none of them sampled.

A passenger takes a bus, goes in or comes out; once for every fault: the card torn before, within or
after each command, the gate's program hit at each statement and commit of its store, the same while
it hands in, and every fault of the network under the upload. The passenger then taps once more at
the same gate, as the light says. The ride is debited once, whoever was told to tap again was let
through, and what left the card is booked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from simulator.gate_world import PATH, PLACES, GateWorld
from simulator.network import Fault
from simulator.world.disk import Fuse, Moment, Trouble
from simulator.world.plastic import Plan, Tear
from terminal.gate.reasons import GateReason

CARD = 0
BUS, _, ENTRY, _, EXIT = PLACES
RIDES = {"bus": (BUS,), "going in": (ENTRY,), "coming out": (ENTRY, EXIT)}
"""By name, where one has to tap; the last tap meets the fault."""

WRITES = (0, 4, 64)
"""Bytes after which the contacts part within a command; one that writes fewer is done by then."""

RETURNS = timedelta(seconds=20)
_ALREADY = {GateReason.PASSED_BACK, GateReason.ALREADY_INSIDE, GateReason.NOT_INSIDE}
"""What who was let through before the fault is told at the second tap."""

_CAN_COME = {
    Trouble.KILL: frozenset(Moment),
    Trouble.FULL: frozenset({Moment.STATEMENT, Moment.COMMIT}),
    Trouble.UNSURE: frozenset({Moment.COMMITTED}),
}


@dataclass(frozen=True, slots=True)
class GateCase:
    """One fault in one ride: `arrange` prepares it, in the world, for the last tap of `ride`.

    With `handing_in` it comes while the taps are handed in.
    """

    ride: str
    name: str
    arrange: Callable[[GateWorld], Plan | None]
    handing_in: bool = False


@dataclass(frozen=True, slots=True)
class GatePlaces:
    """Where a ride can be hit: the last tap's commands, and its moments on the disk."""

    commands: int
    tap: tuple[Moment, ...]
    handing_in: tuple[Moment, ...]


def places(ride: str, directory: Path) -> GatePlaces:
    """The places of a ride to which nothing happens."""
    world = _world(ride, directory)
    try:
        gate = _before(world, ride)
        process, card = world.gates[gate], world.cards[CARD]
        process.start()
        sent = card.commands
        seen = process.disk.steps
        before = world.offer(CARD)
        looked = card.commands - sent
        result = world.tap(gate, CARD)
        assert result is not None and result.opens, result  # noqa: S101, PT018
        assert world.offer(CARD).sequence == before.sequence + 1  # noqa: S101
        # The look before and those around the tap are not the tap's.
        commands = card.commands - sent - 3 * looked
        tapped = tuple(process.disk.moments[seen:])
        seen = process.disk.steps
        process.hand_in(world.client)
        return GatePlaces(commands, tapped, tuple(process.disk.moments[seen:]))
    finally:
        world.close()


def cases(ride: str, at: GatePlaces) -> Iterator[GateCase]:
    """Every single fault of a ride."""
    for command in range(at.commands):
        for tear in Tear:
            for writes in WRITES if tear is Tear.WITHIN else (0,):
                yield _torn(ride, Plan(command, tear, writes))
    for handing_in, moments in ((False, at.tap), (True, at.handing_in)):
        for step, moment in enumerate(moments):
            for trouble, comes in _CAN_COME.items():
                if moment in comes:
                    yield _hit(ride, Fuse(step, trouble), moment, handing_in=handing_in)
    for fault in Fault:
        yield _lost(ride, fault)


def try_case(case: GateCase, directory: Path) -> None:
    """Let one world live. Raises `AssertionError`, with the world's story."""
    world = _world(case.ride, directory)
    try:
        _live(world, case)
    except AssertionError as error:
        story = "\n".join(world.story)
        raise AssertionError(f"{case.ride}, {case.name}: {error}\n{story}") from error
    finally:
        world.close()


def _live(world: GateWorld, case: GateCase) -> None:
    gate = _before(world, case.ride)
    process = world.gates[gate]
    process.start()
    before = world.offer(CARD)
    if case.handing_in:
        first = world.tap(gate, CARD)
        case.arrange(world)
        process.hand_in(world.client)
        world.network.heal()
    else:
        first = world.tap(gate, CARD, case.arrange(world))
    world.clock.advance(RETURNS)
    again = world.tap(gate, CARD)
    passed = [result for result in (first, again) if result is not None and result.opens]
    # A row that was closed and not yet synced is grey again: then its card proves the same debit.
    assert passed, "paid and not let through"  # noqa: S101
    assert all(result.resumed for result in passed[1:]), "let through twice"  # noqa: S101
    assert again is not None, "the gate does not come back"  # noqa: S101
    assert again.opens or again.reason in _ALREADY, again  # noqa: S101
    after = world.offer(CARD)
    assert after.sequence == before.sequence + 1, "not debited once"  # noqa: S101
    world.heal()
    world.check()


def _world(ride: str, directory: Path) -> GateWorld:
    return GateWorld(0, directory, cards=1, places=RIDES[ride])


def _before(world: GateWorld, ride: str) -> int:
    """Tap where the ride has taps before its last; where that one is."""
    last = len(RIDES[ride]) - 1
    for gate in range(last):
        result = world.tap(gate, CARD)
        assert result is not None and result.opens, result  # noqa: S101, PT018
        world.clock.advance(timedelta(minutes=20))
    return last


def _torn(ride: str, plan: Plan) -> GateCase:
    return GateCase(ride, f"{plan.tear.value} {plan.command}, {plan.writes}", lambda _: plan)


def _hit(ride: str, fuse: Fuse, moment: Moment, *, handing_in: bool) -> GateCase:
    def arrange(world: GateWorld) -> None:
        world.gates[-1].disk.burn(fuse)

    where = "handing in" if handing_in else "tapping"
    name = f"{fuse.trouble.value} {moment.value}, {where}, step {fuse.step}"
    return GateCase(ride, name, arrange, handing_in)


def _lost(ride: str, fault: Fault) -> GateCase:
    return GateCase(ride, fault.value, lambda world: world.network.fail(PATH, fault), True)
