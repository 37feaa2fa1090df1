"""A function as a holder uses it, on the embedded scene, and a card that anything may happen to."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from apdu.pin import Pin
from apdu.readers.inprocess import InProcessReader
from apdu.status import CardError, CardRemoved
from simulator.backoffice.seed import DEVELOPMENT_CODE
from simulator.card.card import SimulatedCard
from simulator.card.description import CardProfile
from simulator.card.profile import load_profile
from simulator.city import card_ref
from simulator.clock import SimulatedClock
from simulator.embedded import embedded_scene
from simulator.scene import Audience, Scene
from simulator.story import BEGINS, INITIAL_PIN, OWN_PIN
from terminal.drivers.scripted import Scripted
from terminal.outcome import Done, Failed, Outcome
from terminal.policy import Function
from terminal.screens import Screen
from terminal.store.journal import State

ADULT, FRESH, OLD, FORGED = (
    load_profile(name) for name in ("adult-3.0", "not-active", "adult-1.0", "forged")
)
PIN = "246810"
BILL = "B2026031000001"
BILL_FEN = 25020
CONFIRM, QUERY, REVERSE = "/v1/settlements", "/v1/operations/query", "/v1/operations/reverse"
TRIAL, BILLS, ACTIVATE = "/v1/settlements/trial", "/v1/bills/search", "/v1/activations"


@dataclass(frozen=True)
class Job:
    """One function as a holder uses it, and what is asked when it is used again."""

    function: Function
    profile: CardProfile
    answers: tuple[Scripted, ...]


READ = Job(Function.READ, ADULT, ())
LOOK_UP = Job(Function.QUERY, ADULT, (PIN,))
CHANGE_PIN = Job(Function.PIN_CHANGE, ADULT, (PIN, OWN_PIN, OWN_PIN))
ACTIVATION = Job(Function.ACTIVATION, FRESH, (True, INITIAL_PIN, OWN_PIN, OWN_PIN))
SETTLEMENT = Job(Function.SETTLEMENT, ADULT, (PIN, BILL, True))


def chip_of(profile: CardProfile) -> SimulatedCard:
    return SimulatedCard(profile, random=random.Random(9).randbytes)


class Chip:
    """A card under somebody's hand: `meddle` sees every command and may answer in its stead."""

    def __init__(self, inner: SimulatedCard) -> None:
        self.inner = inner
        self.count = 0
        self.meddle: Callable[[int, bytes], bytes | None] = lambda _count, _command: None

    def power_on(self) -> bytes:
        return self.inner.power_on()

    def power_off(self) -> None:
        self.inner.power_off()

    def transmit(self, command: bytes) -> bytes:
        self.count += 1
        answer = self.meddle(self.count, command)
        return self.inner.transmit(command) if answer is None else answer


def pull_at(chip: Chip, reader: InProcessReader, at: int, *, done: bool) -> None:
    """Pull the card at its command number `at`, after (`done`) or before it takes effect."""

    def meddle(count: int, command: bytes) -> bytes | None:
        if count != at:
            return None
        answer = chip.inner.transmit(command) if done else b"\x6f\x00"
        reader.remove()
        return answer

    chip.meddle = meddle


def serve(scene: Scene, chip: Chip | SimulatedCard, job: Job, *answers: Scripted) -> Outcome:
    """One use of a function; a card that fails before it is a failure of it."""
    try:
        return scene.serve(chip, job.function, *(answers or job.answers))
    except CardError as error:
        return Failed(error)


def money(scene: Scene) -> int:
    """What is in the adult's accounts."""
    account = scene.terminal.client.account(card_ref(ADULT))
    return account.current_account_fen + account.past_accounts_fen


def open_bills(scene: Scene, profile: CardProfile = ADULT) -> int:
    return len(scene.terminal.client.bills(card_ref(profile)).bills)


def is_active(scene: Scene, profile: CardProfile) -> bool:
    return scene.terminal.client.card_status(card_ref(profile)).social_active


def operations(scene: Scene) -> dict[State, int]:
    counts = scene.terminal.journal.counts()
    return {state: count for state, count in counts.items() if count}


def assert_in_order(scene: Scene) -> None:
    """Nothing is left open, the journal holds together, and the next card is served."""
    journal = scene.terminal.journal
    assert journal.open_operations() == ()
    assert journal.verify_chain().ok
    assert isinstance(serve(scene, chip_of(load_profile("adult-2.0")), READ), Done)


@contextmanager
def fresh_scene(directory: Path) -> Iterator[Scene]:
    chance = random.Random(5).randbytes
    with embedded_scene(directory, clock=SimulatedClock(BEGINS), random=chance) as scene:
        scene.terminal.enrol(DEVELOPMENT_CODE.code)
        assert scene.terminal.sync().error is None
        yield scene


def has_pin(chip: SimulatedCard, pin: str) -> bool:
    """Whether this is the card's PIN now."""
    reader = InProcessReader("bench", chip)
    connection = reader.connect()
    select = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00")
    connection.transmit(select)
    with Pin(pin) as entered:
        packed = entered.packed()
    answer = connection.transmit(bytes((0, 0x20, 0, 0, len(packed))) + packed)
    connection.close()
    return answer == b"\x90\x00"


def assert_torn(outcome: Outcome) -> None:
    assert isinstance(outcome, Failed), outcome
    assert isinstance(outcome.error, CardRemoved)


GARBAGE = {
    "nothing": b"",
    "half a status word": b"\x90",
    "an unknown status word": b"\x12\x34",
    "an endless answer": b"\xff" * 5 + b"\x61\x10",
    "a wrong length": b"\x6c\x05",
    "zeros": bytes(64) + b"\x90\x00",
    "nested lengths": b"\x6f\xff\x84\xff" * 8 + b"\x90\x00",
}


def answering_from(at: int, garbage: bytes) -> Callable[[int, bytes], bytes | None]:
    return lambda count, _command: garbage if count >= at else None


def shown(scene: Scene, chip: SimulatedCard, job: Job, *answers: Scripted) -> list[Screen]:
    """The screens of one use of a function."""
    seen: list[Screen] = []

    class Witness(Audience):
        def saw(self, screen: Screen) -> None:
            seen.append(screen)

    scene.audience = Witness()
    serve(scene, chip, job, *answers)
    return seen
