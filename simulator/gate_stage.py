"""A gate on simulated parts: place, fares, purses, PSAM, store, clock. For tests and benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

from apdu.readers.inprocess import InProcessReader
from apdu.transit_records import Industry
from apdu.transit_sam import SoftwareTransitSam, TransitSam
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.card.transit_purse import TransitData
from simulator.clock import SimulatedClock
from simulator.fares import sample
from terminal.gate.decision import GatePolicy
from terminal.gate.fares import FareTable, parse_fares
from terminal.gate.gate import Gate
from terminal.gate.place import Mode, Place
from terminal.gate.signals import TapResult
from terminal.store.store import Store
from terminal.store.taps import TapBook

MORNING = datetime(2026, 3, 16, 0, 30, tzinfo=UTC)
CITY = bytes.fromhex("2900")
POLICY = GatePolicy(
    max_list_age=timedelta(days=7),
    needs_list=True,
    most_unsent=1000,
    unsent_for=timedelta(days=5),
    city=CITY,
)


@dataclass
class Deny:
    """A blacklist by hand."""

    version: int | None = 7
    issued_at: datetime | None = MORNING
    numbers: set[str] = field(default_factory=set)

    def stops(self, purse_number: str, now: datetime) -> bool:  # noqa: ARG002  # the protocol's
        """See `DenyList`."""
        return purse_number in self.numbers


def place(mode: Mode, station: str = "0101", device: bytes = b"GATE0001") -> Place:
    """A gate of line 1."""
    industry = Industry.BUS if mode is Mode.SINGLE else Industry.METRO
    acquirer = bytes.fromhex("12002900FFFFFFFF")
    return Place(mode, industry, 1, station, device, b"\x12\x00", CITY, acquirer)


def sample_fares(name: str, **changes: object) -> FareTable:
    """The sample table of this name ("metro", "bus"), with other entries where asked."""
    return parse_fares({**sample(name), **changes}, name)


def purse_number(serial: int) -> str:
    """The number of the sample purse with this serial, 19 digits."""
    return f"31029901000000{serial:05d}"


def purse_card(serial: int = 1, **changes: object) -> SimulatedCard:
    """A contactless card with ¥ 56.00 in its purse."""
    data = TransitData(purse_number(serial), date(2025, 1, 8), date(2035, 1, 8), balance_fen=5600)
    data = replace(data, **changes)  # type: ignore[arg-type]  # any field
    profile = replace(load_profile("adult-2.0"), transit=data)
    random = Random(serial).randbytes  # noqa: S311  # the same challenges in every run
    return SimulatedCard(profile, random=random, protocol="TCL")


@dataclass
class Stage:
    """One gate, its store and its clock."""

    store: Store
    clock: SimulatedClock
    deny: Deny
    sam: TransitSam
    place: Place
    fares: FareTable
    policy: GatePolicy = POLICY
    gate: Gate = field(init=False)
    book: TapBook = field(init=False)

    def __post_init__(self) -> None:
        self.again()

    def again(self) -> None:
        """Start the gate's program anew."""
        self.book = TapBook(self.store)
        self.gate = Gate(
            self.place,
            self.fares,
            self.policy,
            sam=self.sam,
            book=self.book,
            deny=self.deny,
            clock=self.clock,
        )

    def moved(self, to: Place, table: FareTable | None = None) -> None:
        """The same program at another place."""
        self.place = to
        self.fares = table or self.fares
        self.again()

    def tap(self, card: SimulatedCard) -> TapResult:
        """Hold a card against the gate."""
        return self.gate.serve(InProcessReader("gate", card))


@contextmanager
def stage(
    directory: Path, mode: Mode = Mode.ENTRY, table: FareTable | None = None
) -> Iterator[Stage]:
    """A gate with a store in `directory`, in the morning of a Monday."""
    clock = SimulatedClock(MORNING)
    random = Random(5).randbytes  # noqa: S311  # the same store in every run
    with Store.open(directory / "gate", random=random) as store:
        table = table or sample_fares("bus" if mode is Mode.SINGLE else "metro")
        yield Stage(store, clock, Deny(), SoftwareTransitSam(), place(mode), table)
