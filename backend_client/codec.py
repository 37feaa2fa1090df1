"""Typed messages to JSON and back, driven by the type hints of `messages.py`.

`encode`/`decode` speak JSON values, `dump`/`load` bytes. Every message is checked against its
JSON Schema in both directions. Written bytes are canonical (sorted keys, no spaces, UTF-8,
instants at +08:00), so a message sent twice is the same bytes and can be signed. What comes in is
hostile: `decode` and `load` return a message or raise `BadMessage`, nothing else.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, Never, TypeVar

from backend_client.errors import BadMessage, BadRequest
from backend_client.validation import Violation, check

MAX_BODY = 8 * 1024 * 1024
"""No body, either way, is larger than this many bytes."""

_CHINA = dt.timezone(dt.timedelta(hours=8))
"""Asia/Shanghai without its past summer times: one instant has one spelling."""


class Message:
    """Base of all messages. `schema` is what follows `urn:ssct:schema:` in the schema's name."""

    __slots__ = ()
    schema: ClassVar[str]


_FROM_TEXT: Mapping[type, Callable[[str], object]] = {
    dt.datetime: dt.datetime.fromisoformat,
    dt.date: dt.date.fromisoformat,
    bytes: bytes.fromhex,
}

M = TypeVar("M", bound=Message)


def encode(message: Message) -> dict[str, Any]:
    """The JSON object of a message, all fields written. Raises `BadRequest`."""
    try:
        value = to_json(message)
        check(message.schema, value)
    except Violation as violation:
        raise BadRequest(violation.pointer, violation.rule, message.schema) from None
    return value


def to_json(message: Message) -> dict[str, Any]:
    """`encode` without the check, for messages that have passed one already."""
    return {name: _to_json(getattr(message, name)) for name in _hints(type(message))}


def decode(cls: type[M], value: object) -> M:
    """The message of class `cls` that a JSON value holds. Raises `BadMessage`."""
    try:
        check(cls.schema, value)
        return typing.cast(M, _from_json(cls, value, ""))
    except Violation as violation:
        raise BadMessage(violation.pointer, violation.rule, cls.schema) from None
    except RecursionError:
        raise BadMessage("", "depth", cls.schema) from None


def dump(message: Message) -> bytes:
    """A message as canonical JSON bytes. Raises `BadRequest`."""
    return canonical(encode(message))


def load(cls: type[M], body: bytes, *, limit: int = MAX_BODY) -> M:
    """The message of class `cls` in at most `limit` bytes of JSON. Raises `BadMessage`."""
    return decode(cls, parse(body, limit=limit))


def canonical(value: object) -> bytes:
    """JSON bytes with one spelling: sorted keys, no spaces, UTF-8, no NaN."""
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8")


def parse(body: bytes, *, limit: int = MAX_BODY) -> object:
    """Strict JSON: bounded, UTF-8, no fractions, no NaN, no repeated keys. Raises `BadMessage`."""
    if len(body) > limit:
        raise BadMessage("", "size", "JSON")
    try:
        return json.loads(
            body.decode("utf-8"),
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
            object_pairs_hook=_object,
        )
    except Violation as violation:
        raise BadMessage(violation.pointer, violation.rule, "JSON") from None
    except RecursionError:
        raise BadMessage("", "depth", "JSON") from None
    except ValueError:
        raise BadMessage("", "syntax", "JSON") from None


def _refuse_number(_text: str) -> Never:
    raise Violation("", "whole numbers only")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Violation("", "unique keys")
    return value


def _to_json(value: object) -> object:
    match value:
        case Message():
            return to_json(value)
        case tuple():
            return [_to_json(item) for item in value]
        case bytes():
            return value.hex()
        case dt.datetime():
            if value.tzinfo is None:
                raise Violation("", "instant with a time zone")
            return value.astimezone(_CHINA).isoformat()
        case dt.date():
            return value.isoformat()
        case _:
            return value


def _from_json(hint: object, value: object, pointer: str) -> object:
    """A JSON value that has passed its schema, as the type that `hint` names."""
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):  # the latter of a Literal
        inner = next(option for option in typing.get_args(hint) if option is not types.NoneType)
        return None if value is None else _from_json(inner, value, pointer)
    if origin is Literal:
        return value
    if isinstance(value, list):
        item = typing.get_args(hint)[0]
        return tuple(_from_json(item, each, f"{pointer}/{i}") for i, each in enumerate(value))
    if isinstance(value, dict):
        cls = typing.cast(Any, hint)
        hints = _hints(cls)
        return cls(**{k: _from_json(hints[k], v, f"{pointer}/{k}") for k, v in value.items()})
    return _scalar(typing.cast(type, hint), value, pointer)


def _scalar(hint: type, value: object, pointer: str) -> object:
    if isinstance(value, str) and hint in _FROM_TEXT:
        try:
            return _FROM_TEXT[hint](value)
        except ValueError:
            raise Violation(pointer, hint.__name__) from None
    if type(value) is not hint:  # JSON Schema takes 1.0 for an integer
        raise Violation(pointer, hint.__name__)
    return value


def _hints(cls: type[Message]) -> Mapping[str, Any]:
    """Field name -> type, in the order of the class."""
    if cls not in _known_hints:
        hints = typing.get_type_hints(cls)
        names = [field.name for field in dataclasses.fields(typing.cast(Any, cls))]
        _known_hints[cls] = {name: hints[name] for name in names}
    return _known_hints[cls]


_known_hints: dict[type[Message], Mapping[str, Any]] = {}
