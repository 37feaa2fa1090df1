"""The fare table: data, read from a file, and the fare of one ride. No figure is in the code.

A table is checked against `fare-table.schema.json` and against itself before a gate opens with it.
Reductions are worked out in the order in which they stand here: the monthly share first, then the
transfer; a fare never falls below zero.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apdu.transit_records import RailRecord
from terminal.clock import local
from terminal.errors import ConfigurationError
from terminal.text import Text

if TYPE_CHECKING:
    from jsonschema import (  # type: ignore[import-untyped]
        Draft202012Validator,
        ValidationError,
    )

_SCHEMA = "fare-table.schema.json"
_LARGEST = 32 * 1024 * 1024


class FareTableError(ConfigurationError):
    """The fare table cannot be used."""

    code = "GATE_FARE_TABLE"
    remedy = "Correct the file that [gate] fares names; the message says where it is wrong."


@dataclass(frozen=True, slots=True)
class Station:
    """A station: its name, and its place in metres where fares go by distance."""

    name: Text
    metres: int | None


@dataclass(frozen=True, slots=True)
class Transfer:
    """A reduction in fen for who changed within `within`."""

    within: timedelta
    discount_fen: int


@dataclass(frozen=True, slots=True)
class FareTable:
    """What rides cost, in fen. See the schema for what each field means."""

    name: str
    valid_from: date
    single_limit_fen: int
    flat_fen: int | None = None
    maximum_fen: int = 0
    stations: Mapping[str, Station] = field(default_factory=dict)
    pairs: Mapping[frozenset[str], int] = field(default_factory=dict)
    distances: tuple[tuple[int, int], ...] = ()
    longest: timedelta | None = None
    pass_back: timedelta = timedelta()
    charges_inside_again: bool = False
    charges_not_inside: bool = False
    transfer: Transfer | None = None
    monthly: tuple[tuple[int, int], ...] = ()

    def between(self, entry: str, exit_: str, took: timedelta | None) -> int:
        """The whole fare from one station to another; the maximum where nothing cheaper is known.

        `took` is how long the ride lasted, None where nobody knows.
        """
        if self.longest is not None and (took is None or took > self.longest):
            return self.maximum_fen
        fixed = self.pairs.get(frozenset((entry, exit_)))
        if fixed is not None:
            return fixed
        start, end = self.stations.get(entry), self.stations.get(exit_)
        if start is None or end is None or start.metres is None or end.metres is None:
            return self.maximum_fen
        far = abs(start.metres - end.metres)
        by_distance = (fen for up_to, fen in self.distances if far <= up_to)
        return next(by_distance, self.maximum_fen)

    def reduced(
        self, fen: int, rail: RailRecord, now: datetime, began: datetime | None = None
    ) -> int:
        """What is left of a fare after the reductions that this card has earned.

        `began` is when the ride began, if that was not now.
        """
        month = f"{local(now):%Y%m}"
        paid = rail.accumulated_fen if rail.month == month else 0
        percent = next((share for start, share in reversed(self.monthly) if paid >= start), 100)
        fen = fen * percent // 100
        if self.transfer is not None and self._changed(rail, began or now, self.transfer):
            fen -= self.transfer.discount_fen
        return max(0, fen)

    def _changed(self, rail: RailRecord, began: datetime, transfer: Transfer) -> bool:
        left = rail.left_at
        return left is not None and timedelta() <= began - left <= transfer.within


def load_fares(file: Path) -> FareTable:
    """The table in `file`. Raises `FareTableError`, which says where it is wrong."""
    try:
        if file.stat().st_size > _LARGEST:
            raise FareTableError(f"{file}: larger than {_LARGEST} bytes")
        written = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise FareTableError(f"{file} cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise FareTableError(f"{file}, {where}: this is not JSON: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise FareTableError(f"{file}, byte {error.start}: this is not UTF-8") from None
    except RecursionError:
        raise FareTableError(f"{file}: nested too deeply for a fare table") from None
    return parse_fares(written, str(file))


def parse_fares(written: object, name: str) -> FareTable:
    """The table that was written; `name` is where, for errors. Raises `FareTableError`."""
    wrong = next(iter(_validator().iter_errors(written)), None)
    if wrong is not None:
        place = wrong.json_path.removeprefix("$").removeprefix(".") or "the table"
        raise FareTableError(f"{name}: {place}: {_allowed(wrong)}")
    assert isinstance(written, dict)  # noqa: S101  # the schema says so
    try:
        table = _table(written)
    except ValueError as error:
        raise FareTableError(f"{name}: {error}") from None
    return table


def _allowed(wrong: ValidationError) -> str:
    """What a rule that was broken allows, and what it found where that helps."""
    rule, value = wrong.validator, wrong.validator_value
    match rule:
        case "additionalProperties":
            known = wrong.schema["properties"]
            unknown = ", ".join(sorted(set(wrong.instance) - set(known)))
            return f"{unknown} is not known here; allowed are {', '.join(known)}"
        case "required":
            return f"{', '.join(sorted(set(value) - set(wrong.instance)))} is missing"
        case "anyOf":
            return "either flat_fen or stations and maximum_fen must be there"
        case "type":
            return f"this must be of the JSON type {value}"
        case "pattern":
            return f"{wrong.instance!r} must match {value}"
        case "enum":
            return f"allowed are {', '.join(map(str, value))}"
        case _:
            return f"{rule} is {value}"


def _table(written: Mapping[str, Any]) -> FareTable:
    stations = {
        code: Station(Text(one["zh"], one["en"]), one.get("metres"))
        for code, one in written.get("stations", {}).items()
    }
    minutes = written.get("longest_minutes")
    transfer = written.get("transfer")
    table = FareTable(
        name=written["name"],
        valid_from=_day(written["valid_from"]),
        single_limit_fen=written["single_limit_fen"],
        flat_fen=written.get("flat_fen"),
        maximum_fen=written.get("maximum_fen", 0),
        stations=stations,
        pairs=_pairs(written.get("pairs", []), stations),
        distances=tuple((one["up_to_metres"], one["fen"]) for one in written.get("distances", [])),
        longest=None if minutes is None else timedelta(minutes=minutes),
        pass_back=timedelta(seconds=written.get("pass_back_seconds", 0)),
        charges_inside_again=written.get("inside_again") == "charge_maximum",
        charges_not_inside=written.get("not_inside") == "charge_maximum",
        transfer=transfer
        and Transfer(timedelta(minutes=transfer["within_minutes"]), transfer["discount_fen"]),
        monthly=tuple((one["from_fen"], one["percent"]) for one in written.get("monthly", [])),
    )
    _check(table)
    return table


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"valid_from: {error}") from None


def _pairs(rows: list[list[Any]], stations: Mapping[str, Station]) -> dict[frozenset[str], int]:
    found: dict[frozenset[str], int] = {}
    for entry, exit_, fen in rows:
        unknown = next((code for code in (entry, exit_) if code not in stations), None)
        if unknown is not None:
            raise ValueError(f"pairs name the station {unknown}, which is not in the table")
        if found.setdefault(frozenset((entry, exit_)), fen) != fen:
            raise ValueError(f"there are two fares between {entry} and {exit_}")
    return found


def _check(table: FareTable) -> None:
    """What a schema cannot say. Raises `ValueError`."""
    for name, rising in (("distances", table.distances), ("monthly", table.monthly)):
        starts = [start for start, _ in rising]
        if starts != sorted(set(starts)):
            raise ValueError(f"{name} do not rise")
    fares = [table.flat_fen or 0, table.maximum_fen, *table.pairs.values()]
    if max(fares + [fen for _, fen in table.distances]) > table.single_limit_fen:
        raise ValueError("a fare is above single_limit_fen")


@cache
def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    text = files("terminal.gate").joinpath(_SCHEMA).read_text("utf-8")
    return Draft202012Validator(json.loads(text))
