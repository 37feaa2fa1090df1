"""Fields of the national interface, declared: name, length, whether mandatory, and what it holds.

`read` turns a JSON object of the interface into typed values, `write` typed values into one. Both
sides use the same declarations. What is not declared is ignored when it is read, since provinces
add fields of their own; what is declared is bounded and checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from enum import Enum
from typing import Any

from backend_client.errors import BadMessage, BadRequest
from backend_client.national.amounts import to_fen, to_yuan

CHINA = timezone(timedelta(hours=8))
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_MAX_ITEMS = 1000


class Holds(Enum):
    """What a field holds, and as what it is read."""

    TEXT = "text"  # str
    AMOUNT = "amount"  # int, whole fen; yuan with two places on the wire
    COUNT = "count"  # int
    TIME = "time"  # datetime; yyyy-MM-dd HH:mm:ss in Shanghai on the wire
    DAY = "day"  # date; yyyy-MM-dd on the wire
    GROUP = "group"  # dict
    LIST = "list"  # list of dicts


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `length` bounds a text; `inner` are the fields of a group or of a list's items."""

    name: str
    length: int = 0
    required: bool = True
    holds: Holds = Holds.TEXT
    inner: tuple[Field, ...] = ()


def text(name: str, length: int, *, required: bool = True) -> Field:
    """A text of at most `length` characters."""
    return Field(name, length, required)


def amount(name: str, *, required: bool = True) -> Field:
    """An amount of money, (16,2)."""
    return Field(name, required=required, holds=Holds.AMOUNT)


def count(name: str) -> Field:
    """A whole number."""
    return Field(name, holds=Holds.COUNT)


def time(name: str, *, required: bool = True) -> Field:
    """An instant."""
    return Field(name, required=required, holds=Holds.TIME)


def day(name: str, *, required: bool = True) -> Field:
    """A day."""
    return Field(name, required=required, holds=Holds.DAY)


def group(name: str, *inner: Field, required: bool = True) -> Field:
    """An object within the object."""
    return Field(name, required=required, holds=Holds.GROUP, inner=inner)


def several(name: str, *inner: Field, required: bool = True) -> Field:
    """A list of objects."""
    return Field(name, required=required, holds=Holds.LIST, inner=inner)


class _Wrong(Exception):
    """A value breaks `rule` at `pointer`."""

    def __init__(self, pointer: str, rule: str) -> None:
        super().__init__(rule)
        self.pointer = pointer
        self.rule = rule


def read(fields: Sequence[Field], value: object, what: str) -> dict[str, Any]:
    """The declared fields of a JSON object, typed; one that is absent or empty is left out.

    `what` names the object in the error. Raises `BadMessage`.
    """
    try:
        return _read(fields, value, "")
    except _Wrong as wrong:
        raise BadMessage(wrong.pointer, wrong.rule, what) from None


def write(fields: Sequence[Field], values: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The JSON object of typed values. Raises `BadRequest` for one that breaks its declaration."""
    try:
        return _write(fields, values, "")
    except _Wrong as wrong:
        raise BadRequest(wrong.pointer, wrong.rule, what) from None


def _read(fields: Sequence[Field], value: object, pointer: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Wrong(pointer, "type")
    found = {}
    for field in fields:
        place = f"{pointer}/{field.name}"
        given = value.get(field.name)
        if given is None or given == "":
            if field.required:
                raise _Wrong(place, "required")
            continue
        found[field.name] = _value(field, given, place)
    return found


def _value(field: Field, given: object, place: str) -> object:
    match field.holds:
        case Holds.TEXT:
            return _text(field, given, place)
        case Holds.GROUP:
            return _read(field.inner, given, place)
        case Holds.LIST:
            if not isinstance(given, list) or len(given) > _MAX_ITEMS:
                raise _Wrong(place, "list")
            return [_read(field.inner, each, f"{place}/{i}") for i, each in enumerate(given)]
        case _:
            try:
                return _scalar(field.holds, given)
            except ValueError:
                raise _Wrong(place, field.holds.value) from None


def _text(field: Field, given: object, place: str) -> str:
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise _Wrong(place, "text")
    found = str(given)
    if len(found) > field.length:
        raise _Wrong(place, "length")
    if _FORBIDDEN.search(found):
        raise _Wrong(place, "characters")
    return found


def _scalar(holds: Holds, given: object) -> object:
    if holds is Holds.AMOUNT:
        return to_fen(given)
    if holds is Holds.COUNT:
        if isinstance(given, bool) or not re.fullmatch(r"[0-9]{1,9}", str(given)):
            raise ValueError("not a count")
        return int(str(given))
    if not isinstance(given, str):
        raise ValueError("not a text")  # noqa: TRY004 - one error for all that is no time
    if holds is Holds.DAY:
        return datetime.strptime(given, "%Y-%m-%d").replace(tzinfo=CHINA).date()
    return datetime.strptime(given, "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA)


def _write(fields: Sequence[Field], values: Mapping[str, Any], pointer: str) -> dict[str, Any]:
    unknown = set(values) - {field.name for field in fields}
    if unknown:
        raise _Wrong(f"{pointer}/{min(unknown)}", "declared")
    written = {}
    for field in fields:
        place = f"{pointer}/{field.name}"
        value = values.get(field.name)
        if value is None or value == "":
            if field.required:
                raise _Wrong(place, "required")
            continue
        written[field.name] = _written(field, value, place)
    return written


def _written(field: Field, value: Any, place: str) -> object:  # noqa: ANN401 - any field's
    match field.holds:
        case Holds.TEXT:
            return _text(field, value, place)
        case Holds.AMOUNT:
            return to_yuan(value)
        case Holds.COUNT:
            return str(value)
        case Holds.TIME:
            instant: datetime = value
            return instant.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
        case Holds.DAY:
            calendar_day: date = value
            return calendar_day.isoformat()
        case Holds.GROUP:
            return _write(field.inner, value, place)
        case Holds.LIST:
            return [_write(field.inner, each, f"{place}/{i}") for i, each in enumerate(value)]
