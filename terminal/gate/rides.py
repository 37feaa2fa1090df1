"""What a tap is to do: the pure half of the gate's decision.

Given the place, the fare table, the card's rail record and the time, it says which ride this is and
what it costs, or why the gate stays shut. Passing a card back over a gate, going in twice and
coming out without having gone in are found here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from apdu.transit_records import JourneyKind, RailRecord
from terminal.gate.fares import FareTable
from terminal.gate.place import Mode, Place, station_of
from terminal.gate.reasons import GateReason


@dataclass(frozen=True, slots=True)
class Ride:
    """What the gate is to debit and to write. `fen` may be zero, as at an entry."""

    kind: JourneyKind
    fen: int
    rail: RailRecord


def plan(place: Place, table: FareTable, rail: RailRecord, now: datetime) -> Ride | GateReason:
    """The ride that a tap at `place` is, or why there is none."""
    match place.mode:
        case Mode.ENTRY:
            return _entry(place, table, rail, now)
        case Mode.EXIT:
            return _exit(place, table, rail, now)
        case Mode.SINGLE:
            return _single(place, table, rail, now)


def _entry(place: Place, table: FareTable, rail: RailRecord, now: datetime) -> Ride | GateReason:
    fen = 0
    if rail.inside:
        if not table.charges_inside_again:
            return GateReason.ALREADY_INSIDE
        fen = table.maximum_fen
    after = rail.entered(
        station=place.station_id, device=place.device, line=place.line, city=place.city, at=now
    )
    return Ride(JourneyKind.ENTRY, fen, after)


def _exit(place: Place, table: FareTable, rail: RailRecord, now: datetime) -> Ride | GateReason:
    if not rail.inside:
        if not table.charges_not_inside:
            return GateReason.NOT_INSIDE
        return Ride(JourneyKind.EXIT, table.maximum_fen, _left(place, rail, now, table.maximum_fen))
    took = None if rail.entered_at is None else now - rail.entered_at
    whole = table.between(station_of(rail.entry_station), place.station, took)
    fen = table.reduced(whole, rail, now, rail.entered_at)
    return Ride(JourneyKind.EXIT, fen, _left(place, rail, now, fen))


def _single(place: Place, table: FareTable, rail: RailRecord, now: datetime) -> Ride | GateReason:
    if table.flat_fen is None:
        return GateReason.NO_FARE
    if rail.exit_device == place.device and rail.left_at is not None:
        since = now - rail.left_at
        if abs(since) < table.pass_back:
            return GateReason.PASSED_BACK
    fen = table.reduced(table.flat_fen, rail, now)
    return Ride(JourneyKind.SINGLE, fen, _left(place, rail, now, fen))


def _left(place: Place, rail: RailRecord, now: datetime, fen: int) -> RailRecord:
    return rail.left(
        station=place.station_id,
        device=place.device,
        line=place.line,
        city=place.city,
        at=now,
        fen=fen,
    )
