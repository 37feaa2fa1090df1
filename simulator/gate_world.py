"""Buses and a metro in one process, on one clock and from one seed, in which anything may go wrong.

Cards are torn at any command and in the middle of any write, come back or go to another gate; a
gate's program is killed at any statement and any commit and starts again from its disk; cards are
listed and taken off the list between taps; batches are lost on the way, answered into the void or
delivered twice. At the end every passenger with a torn tap comes back, everything is handed in, and
it must come out even.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random

from apdu.channel import CardChannel
from apdu.layers import stack
from apdu.readers.inprocess import InProcessReader
from apdu.status import CardError
from apdu.transit import TransitPurse
from apdu.transit_purchase import Offer, PurseCommands
from apdu.transit_sam import SoftwareTransitSam
from backend_client.calls import Calls
from backend_client.client import BackendClient
from simulator.backoffice.database import open_engine
from simulator.backoffice.inprocess import InProcessTransport
from simulator.backoffice.sample import SampleCity
from simulator.card.card import SimulatedCard
from simulator.clock import SimulatedClock
from simulator.gate_stage import (
    MORNING,
    POLICY,
    Deny,
    place,
    purse_card,
    purse_number,
    sample_fares,
)
from simulator.network import Fault, Network
from simulator.world.disk import Disk, Fuse, Trouble
from simulator.world.kill import Killed
from simulator.world.plastic import Plan, Plastic, Tear
from terminal.errors import StoreError
from terminal.gate.gate import Gate
from terminal.gate.place import Mode
from terminal.gate.signals import TapResult
from terminal.gate.upload import upload
from terminal.store.store import Store
from terminal.store.taps import TapBook, TapState

CARDS, TAPS = 3, 40
PLACES = (
    (Mode.SINGLE, "0101"),
    (Mode.SINGLE, "0101"),
    (Mode.ENTRY, "0101"),
    (Mode.ENTRY, "0102"),
    (Mode.EXIT, "0103"),
)
"""Two buses of one line, two stations to go in and one to come out."""

BALANCE = 5600
_COMMANDS, _STEPS, _UPLOAD_STEPS, _WRITES = 8, 14, 6, 300
PATH = "/v1/transit/taps"
CHANGE = {"within_minutes": 60, "discount_fen": 100}
"""What changing between bus and metro is worth."""


class GateProcess:
    """One gate's program, which can die. Its security module is hardware and does not."""

    def __init__(
        self,
        number: int,
        where: tuple[Mode, str],
        directory: Path,
        clock: SimulatedClock,
        random: Random,
        deny: Deny,
    ) -> None:
        """`where` it stands, at which station; `deny` is the list in force."""
        directory.mkdir(parents=True)
        mode, station = where
        self.place = place(mode, station, device=b"GATE000%d" % number)
        self.fares = sample_fares("bus" if mode is Mode.SINGLE else "metro", transfer=CHANGE)
        self.disk = Disk(directory, lambda *_: None)
        self.sam = SoftwareTransitSam(terminal=bytes.fromhex(f"99010000000{number}"))
        self.gate: Gate | None = None
        self.book: TapBook | None = None
        self._deny = deny
        self._clock = clock
        self._random = random
        self._store: Store | None = None

    def start(self) -> None:
        """Begin, or begin again from what the dead program left."""
        if self.gate is not None:
            return
        self.disk.restart()
        # The key is beside the machine and not what dies with its program.
        self._store = Store.open(
            self.disk.directory,
            random=self._random.randbytes,
            key=bytes(32),
            disk=self.disk.connect,
        )
        self.book = TapBook(self._store)
        self.gate = Gate(
            self.place,
            self.fares,
            POLICY,
            sam=self.sam,
            book=self.book,
            deny=self._deny,
            clock=self._clock,
        )

    def tap(self, card: Plastic[SimulatedCard]) -> TapResult | None:
        """Hold a card against the gate; None when the program dies at it."""
        reader = InProcessReader("gate")
        try:
            self.start()
            assert self.gate is not None  # noqa: S101  # just started
            card.enter(reader, self.disk.breathe)
            return self.gate.serve(reader)
        except (Killed, StoreError):
            self._bury()
            return None
        finally:
            self.disk.defuse()
            card.leave()

    def hand_in(self, client: BackendClient) -> None:
        """Upload what waits, as far as network and machine let it."""
        try:
            self.start()
            assert self.book is not None  # noqa: S101  # just started
            upload(self.book, client, self._clock)
        except (Killed, StoreError):
            self._bury()
        finally:
            self.disk.defuse()

    def close(self) -> None:
        """The program ends in good order."""
        if self._store is not None:
            self._store.close()
        self.gate = self.book = self._store = None

    def _bury(self) -> None:
        self.disk.cut()
        with suppress(Exception, Killed):
            self.close()
        self.gate = self.book = self._store = None


class GateWorld:
    """One world in `directory`. `story` tells what happened."""

    def __init__(
        self,
        seed: int,
        directory: Path,
        *,
        cards: int = CARDS,
        places: Sequence[tuple[Mode, str]] = PLACES,
    ) -> None:
        self.random = Random(seed)  # noqa: S311  # the same world from the same seed
        self.clock = SimulatedClock(MORNING)
        self.deny = Deny()
        self.story: list[str] = []
        self.city = SampleCity(
            open_engine("sqlite://"), clock=self.clock, random=self.random.randbytes
        )
        self.network = Network(InProcessTransport(self.city.api))
        token = self.city.enrolled("point-of-use", role="gate").token
        self.client = BackendClient(
            Calls(
                self.network,
                token=token,
                now=self.clock.now,
                sleep=lambda seconds: self.clock.advance(timedelta(seconds=seconds)),
                random=self.random.randbytes,
            )
        )
        self.cards = [
            Plastic(partial(purse_card, serial), lambda _: None) for serial in range(1, cards + 1)
        ]
        self.gates = [
            GateProcess(n, where, directory / f"gate{n}", self.clock, self.random, self.deny)
            for n, where in enumerate(places)
        ]

    def live(self) -> None:
        """Let everything happen, heal it, and look whether it comes out even."""
        for _ in range(TAPS):
            self._something()
        self.heal()
        self.check()

    def close(self) -> None:
        """The world ends."""
        for gate in self.gates:
            gate.close()
        self.city.backoffice.close()

    def _something(self) -> None:
        self.clock.advance(timedelta(seconds=self.random.choice((1, 20, 60, 4000))))
        card = self.random.randrange(len(self.cards))
        gate = self.random.randrange(len(self.gates))
        what = self.random.random()
        plan = None
        if what < 0.2:
            faults = (Fault.REQUEST_LOST, Fault.ANSWER_LOST, Fault.SENT_TWICE)
            self.network.fail(PATH, *self.random.choices(faults, k=self.random.randrange(1, 9)))
            if self.random.random() < 0.3:
                self._burn(gate, _UPLOAD_STEPS)
            self.gates[gate].hand_in(self.client)
            self.network.heal()
            self.story.append(f"gate {gate} hands in through a bad network")
            return
        if what < 0.6:
            tear = self.random.choice(list(Tear))
            command = self.random.randrange(_COMMANDS)
            plan = Plan(command, tear, self.random.randrange(_WRITES))
            self.story.append(f"card {card} is torn at command {command}, {tear.value}")
        elif what < 0.8:
            self._burn(gate, _STEPS)
        elif what < 0.9:
            self.deny.numbers ^= {purse_number(card + 1)}
            self.story.append(f"the list holds {sorted(self.deny.numbers)}")
        self.tap(gate, card, plan)

    def _burn(self, gate: int, steps: int) -> None:
        self.gates[gate].start()
        fuse = Fuse(self.random.randrange(steps), self.random.choice(list(Trouble)))
        self.gates[gate].disk.burn(fuse)
        self.story.append(f"gate {gate}: {fuse.trouble.value} at step {fuse.step}")

    def tap(self, gate: int, card: int, plan: Plan | None = None) -> TapResult | None:
        """One tap. Whoever is let through leaves no debit behind that the card could have proved.

        A listed card is let through for what it has paid before, and pays nothing. Raises
        `AssertionError`.
        """
        self.deny.issued_at = self.clock.now()
        process, plastic = self.gates[gate], self.cards[card]
        sequence = self.offer(card).sequence
        if plan is not None:
            plastic.tear(plan)
        number = purse_number(card + 1)
        result = process.tap(plastic)
        self.story.append(f"card {card} at gate {gate}: {result}")
        if number in self.deny.numbers:
            assert self.offer(card).sequence == sequence, "a listed card was debited"  # noqa: S101
            assert result is None or result.resumed or not result.opens, "one passed"  # noqa: S101
        if result is None or not result.opens or process.book is None:
            return result
        left = [
            row.tap.card_sequence for row in process.book.grey() if row.tap.purse_number == number
        ]
        assert sequence not in left, f"card {card} was debited twice"  # noqa: S101
        return result

    def heal(self) -> None:
        """Every passenger comes back to every gate, and everything is handed in."""
        self.network.heal()
        self.deny.numbers.clear()
        self.clock.advance(timedelta(hours=25))
        for gate in range(len(self.gates)):
            self.gates[gate].close()
            for card in range(len(self.cards)):
                self.tap(gate, card)
                self.clock.advance(timedelta(minutes=2))
            self.gates[gate].hand_in(self.client)

    def check(self) -> None:
        """Raise `AssertionError` unless every fen that left a card is booked once."""
        taken = sum(BALANCE - self.offer(card).balance_fen for card in range(len(self.cards)))
        totals = self.city.backoffice.transit.totals()
        booked, left_open = totals.get("booked", (0, 0))[1], totals.get("open", (0, 0))[1]
        assert "disputed" not in totals, totals  # noqa: S101  # this is a check
        # A torn tap whose card was used elsewhere since stays open: the clearing decides on it.
        assert booked <= taken <= booked + left_open, (taken, totals)  # noqa: S101
        for gate in self.gates:
            gate.start()
            assert gate.book is not None  # noqa: S101
            waiting = gate.book.counts()
            assert waiting[TapState.DONE] == 0, waiting  # noqa: S101

    def offer(self, number: int) -> Offer:
        """What a card says when it is asked to pay nothing; it remembers nothing of it."""
        reader, card = InProcessReader("look"), self.cards[number]
        card.enter(reader, lambda: None)
        try:
            channel = CardChannel(stack(reader.connect()))
            TransitPurse.select(channel)
            return PurseCommands(channel).begin(0, terminal=bytes(6), key_index=1, composite=True)
        except CardError as error:
            raise AssertionError(f"the card cannot be read: {error.code}") from error
        finally:
            card.leave()
