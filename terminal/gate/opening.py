"""Puts a gate together from the settings: place, fares, policy, security module, deny list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from pathlib import Path

from apdu.connection import Reader
from apdu.transit_sam import SoftwareTransitSam, TransitPsam, TransitSam
from backend_client.transit_messages import listed_id
from terminal.app import Terminal
from terminal.errors import ConfigurationError
from terminal.gate.decision import GatePolicy
from terminal.gate.fares import FareTable, load_fares, parse_fares
from terminal.gate.gate import Gate
from terminal.gate.place import INDUSTRIES, Mode, Place
from terminal.settings import GateSettings
from terminal.store.blacklist import BlacklistStore
from terminal.store.store import Store
from terminal.store.taps import TapBook

SIMULATED = "sim:"
_NEXT_NUMBER = "gate_software_sequence"


class ListInForce:
    """The terminal's blacklist as the gate asks it; each question sees the list then in force."""

    def __init__(self, blacklist: BlacklistStore) -> None:
        self._blacklist = blacklist

    @property
    def version(self) -> int | None:
        """See `DenyList`."""
        held = self._blacklist.in_force()
        return held.head.version if held else None

    @property
    def issued_at(self) -> datetime | None:
        """See `DenyList`."""
        held = self._blacklist.in_force()
        return held.head.issued_at if held else None

    def stops(self, purse_number: str, now: datetime) -> bool:
        """See `DenyList`. Card-number ranges are of social security cards and name no purse."""
        found = self._blacklist.find(listed_id(purse_number), "")
        return any(terms.apply("transport", now) for terms in found)


def place_of(settings: GateSettings) -> Place:
    """Where the gate stands."""
    return Place(
        mode=Mode(settings.mode),
        industry=INDUSTRIES[settings.industry],
        line=settings.line,
        station=settings.station,
        device=bytes.fromhex(settings.device),
        operator=bytes.fromhex(settings.operator),
        city=bytes.fromhex(settings.city),
        acquirer=bytes.fromhex(settings.acquirer),
    )


def policy_of(settings: GateSettings) -> GatePolicy:
    """What the gate may do on its own."""
    return GatePolicy(
        max_list_age=settings.max_list_age,
        needs_list=settings.needs_list,
        most_unsent=settings.most_unsent,
        unsent_for=settings.unsent_for,
        city=bytes.fromhex(settings.city),
    )


def fares_of(settings: GateSettings, today: datetime) -> FareTable:
    """The fare table, which has to be in force and to fit the gate.

    Raises `FareTableError` and `ConfigurationError`.
    """
    wanted = settings.fares
    if not wanted:
        raise ConfigurationError("[gate] fares names no fare table")
    if wanted.startswith(SIMULATED):
        # By name: the terminal does not depend on the simulator, and runs without it.
        written = import_module("simulator.fares").sample(wanted.removeprefix(SIMULATED))
        table = parse_fares(written, wanted)
    else:
        table = load_fares(Path(wanted))
    if today.date() < table.valid_from:
        raise ConfigurationError(f"the fare table '{table.name}' is not in force yet")
    if settings.mode == Mode.SINGLE:
        if table.flat_fen is None:
            raise ConfigurationError(f"the fare table '{table.name}' has no flat fare")
    elif settings.station not in table.stations:
        raise ConfigurationError(
            f"the fare table '{table.name}' does not know the station {settings.station}"
        )
    return table


@contextmanager
def transit_sam(
    settings: GateSettings,
    store: Store,
    *,
    production: bool,
    random: Callable[[int], bytes],
    find_reader: Callable[[str, int], Reader],
) -> Iterator[TransitSam]:
    """The security module that the settings name; `find_reader` finds a reader by pattern and slot.

    Raises `SecurityModuleError`, `ReaderError`, and `ConfigurationError` for software keys in
    production.
    """
    if settings.sam == "software":
        if production:
            raise ConfigurationError("[security] production = true refuses software keys")
        yield _software(store)
        return
    if settings.psam_reader.startswith(SIMULATED):
        if production:
            raise ConfigurationError("[security] production = true refuses a simulated PSAM")
        reader = _simulated_psam(random)
    elif settings.psam_reader:
        reader = find_reader(settings.psam_reader, settings.psam_slot)
    else:
        raise ConfigurationError(
            "[gate] sam = psam needs [gate] psam_reader: the reader that holds the transport PSAM"
        )
    psam = TransitPsam.open(reader)
    try:
        yield psam
    finally:
        psam.close()


def open_gate(
    settings: GateSettings, terminal: Terminal, sam: TransitSam, table: FareTable
) -> tuple[Gate, TapBook]:
    """The gate and its book of taps in the terminal's store."""
    book = TapBook(terminal.store)
    gate = Gate(
        place_of(settings),
        table,
        policy_of(settings),
        sam=sam,
        book=book,
        deny=ListInForce(terminal.blacklist),
        clock=terminal.clock,
        clock_trusted=terminal.clock_guard.trusted(),
    )
    return gate, book


def _software(store: Store) -> SoftwareTransitSam:
    """Development keys; the transaction number is kept, so none is given twice over a restart."""
    kept = store.get(_NEXT_NUMBER)
    return SoftwareTransitSam(
        first=kept["next"] if kept else 1,
        keep=lambda number: store.put(_NEXT_NUMBER, {"next": number}),
    )


def _simulated_psam(random: Callable[[int], bytes]) -> Reader:
    from apdu.readers.inprocess import InProcessReader

    chip = import_module("simulator.transit_psam").SimulatedTransitPsam(random=random)
    return InProcessReader("simulated transport PSAM", chip)
