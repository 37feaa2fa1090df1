"""Where a gate stands, and what a ride through it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from apdu.transit_records import Industry


class Mode(StrEnum):
    """What a tap here means: going in, coming out, or a whole ride at once."""

    ENTRY = "entry"
    EXIT = "exit"
    SINGLE = "single"


INDUSTRIES = {"metro": Industry.METRO, "bus": Industry.BUS, "ferry": Industry.FERRY}


@dataclass(frozen=True, slots=True)
class Place:
    """One gate. `station` is four digits, as the fare table names it.

    `line` is 0 to 255, `operator`, `city` and `acquirer` are the operator's codes as the card
    keeps them (2, 2 and 8 bytes), `device` 8 bytes.
    """

    mode: Mode
    industry: Industry
    line: int
    station: str
    device: bytes
    operator: bytes
    city: bytes
    acquirer: bytes

    @property
    def station_code(self) -> bytes:
        """The station as file 001E keeps it: 2 bytes BCD."""
        return bytes.fromhex(self.station)

    @property
    def station_id(self) -> bytes:
        """The station as the rail record keeps it: 8 bytes, line 1 and station 2 at the end."""
        return bytes((0, 0, 0, 0, 0, self.line)) + self.station_code


def station_of(identifier: bytes) -> str:
    """The four digits of a station in the rail record."""
    return identifier[-2:].hex()
