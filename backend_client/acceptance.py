"""Schemas as plain functions that know quickly when a value is sound.

Most messages break no rule, and walking a schema to learn that takes longer than all else that is
done with them. `acceptor` makes one function of a schema: True means that the value keeps every
rule, False that it may not, which jsonschema then has to say. What is not understood here is False.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Accepts = Callable[[object], bool]

_ANNOTATIONS = frozenset({"title", "description", "examples", "default", "$comment"})
_TYPES: Mapping[str, type] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}


def acceptor(schema: Any, compiled: Callable[[str], re.Pattern[str]]) -> Accepts:  # noqa: ANN401
    """What accepts the values of a schema without references; `compiled` makes its patterns."""
    if schema is True:
        return lambda _value: True
    if not isinstance(schema, dict):
        return _never
    rules: list[Accepts] = []
    for keyword, argument in schema.items():
        if keyword in _ANNOTATIONS or keyword in _WITH_PROPERTIES:
            continue
        make = _RULES.get(keyword)
        if make is None:
            return _never
        rules.append(make(argument, compiled))
    if not _WITH_PROPERTIES.isdisjoint(schema):
        rules.append(_object(schema, compiled))
    return _all(rules)


_WITH_PROPERTIES = frozenset({"properties", "additionalProperties"})


def _never(_value: object) -> bool:
    return False


def _all(rules: list[Accepts]) -> Accepts:
    if len(rules) == 1:
        return rules[0]
    return lambda value: all(rule(value) for rule in rules)


def _object(schema: Mapping[str, Any], compiled: Callable[[str], re.Pattern[str]]) -> Accepts:
    known = {name: acceptor(each, compiled) for name, each in schema.get("properties", {}).items()}
    other = acceptor(schema.get("additionalProperties", True), compiled)

    def accepts(value: object) -> bool:
        if not isinstance(value, dict):
            return True
        return all(known.get(name, other)(each) for name, each in value.items())

    return accepts


def _type(argument: Any, _compiled: object) -> Accepts:  # noqa: ANN401
    names = [argument] if isinstance(argument, str) else argument
    types = frozenset(_TYPES[name] for name in names if name in _TYPES)
    return lambda value: type(value) in types


def _enum(argument: Any, _compiled: object) -> Accepts:  # noqa: ANN401
    words = frozenset(each for each in argument if isinstance(each, str))
    return lambda value: isinstance(value, str) and value in words


def _required(argument: Any, _compiled: object) -> Accepts:  # noqa: ANN401
    names = frozenset(argument)
    return lambda value: not isinstance(value, dict) or names <= value.keys()


def _items(argument: Any, compiled: Callable[[str], re.Pattern[str]]) -> Accepts:  # noqa: ANN401
    each = acceptor(argument, compiled)
    return lambda value: not isinstance(value, list) or all(map(each, value))


def _pattern(argument: Any, compiled: Callable[[str], re.Pattern[str]]) -> Accepts:  # noqa: ANN401
    search = compiled(argument).search
    return lambda value: not isinstance(value, str) or search(value) is not None


def _any_of(argument: Any, compiled: Callable[[str], re.Pattern[str]]) -> Accepts:  # noqa: ANN401
    ways = [acceptor(each, compiled) for each in argument]
    return lambda value: any(way(value) for way in ways)


def _all_of(argument: Any, compiled: Callable[[str], re.Pattern[str]]) -> Accepts:  # noqa: ANN401
    return _all([acceptor(each, compiled) for each in argument])


def _bounds(kind: type, size: Callable[[Any], int], *, is_lower: bool) -> Callable[..., Accepts]:
    """A rule on the size of values of one kind: length, number of items, the number itself."""

    def make(bound: int, _compiled: object) -> Accepts:
        if is_lower:
            return lambda value: not isinstance(value, kind) or size(value) >= bound
        return lambda value: not isinstance(value, kind) or size(value) <= bound

    return make


def _itself(number: int) -> int:
    return number


_RULES: Mapping[str, Callable[..., Accepts]] = {
    "type": _type,
    "enum": _enum,
    "required": _required,
    "items": _items,
    "pattern": _pattern,
    "anyOf": _any_of,
    "allOf": _all_of,
    "minLength": _bounds(str, len, is_lower=True),
    "maxLength": _bounds(str, len, is_lower=False),
    "minItems": _bounds(list, len, is_lower=True),
    "maxItems": _bounds(list, len, is_lower=False),
    "minimum": _bounds(int, _itself, is_lower=True),
    "maximum": _bounds(int, _itself, is_lower=False),
}
