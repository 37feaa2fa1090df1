"""The JSON Schemas of `schemas/`, and checking values against them.

Schemas are JSON Schema 2020-12 and refer to each other by name, `urn:ssct:schema:<name>:1`.
jsonschema is imported at the first check, because a command line that sends nothing must start
fast. It carries no type stubs, hence the ignores.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, cast

from backend_client.acceptance import Accepts, acceptor

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError  # type: ignore[import-untyped]
    from jsonschema.protocols import Validator  # type: ignore[import-untyped]

URN = "urn:ssct:schema:"


class Violation(Exception):
    """A value breaks `rule` at `pointer` (RFC 6901). The value itself is not kept."""

    def __init__(self, pointer: str, rule: str) -> None:
        super().__init__(f"{pointer or '/'} breaks the rule '{rule}'")
        self.pointer = pointer
        self.rule = rule


def check(schema: str, value: object) -> None:
    """Raise `Violation` for the first rule of the schema that `value` breaks."""
    if _acceptor(schema)(value):
        return
    error = next(iter(_validator(schema).iter_errors(value)), None)
    if error is not None:
        error = _innermost(error)
        raise Violation(_pointer(error), str(error.validator))


@cache
def load_schemas() -> dict[str, dict[str, Any]]:
    """All schemas by their `$id`."""
    folder = resources.files(__package__) / "schemas"
    texts = (file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".json"))
    return {schema["$id"]: schema for schema in map(json.loads, texts)}


@cache
def _acceptor(schema: str) -> Accepts:
    return acceptor(_inlined({"$ref": URN + schema}, ""), _compiled)


@cache
def _validator(schema: str) -> Validator:
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
    from jsonschema.validators import extend  # type: ignore[import-untyped]

    strict = extend(Draft202012Validator, {"pattern": _pattern})
    validator: Validator = strict(_inlined({"$ref": URN + schema}, ""))
    return validator


def _inlined(node: object, urn: str) -> object:
    """A schema with what it refers to in place of each `$ref`; `urn` is where it stands.

    It validates twice as fast, and jsonschema would follow a `$ref` to another file with its own
    `pattern` in place of ours. No schema contains itself, so this ends.
    """
    if isinstance(node, list):
        return [_inlined(item, urn) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _inlined(value, urn) for key, value in node.items() if key not in _NAMING}
    if "$ref" not in node:
        return kept
    name, _, path = node["$ref"].partition("#")
    target: Any = load_schemas()[name or urn]
    for step in path.split("/")[1:]:
        target = target[step]
    return {**cast(dict[str, Any], _inlined(target, name or urn)), **kept}


_NAMING = frozenset({"$schema", "$id", "$defs", "$ref"})


def _pattern(_validator: object, pattern: str, value: object, _schema: object) -> Iterator[Any]:
    """`pattern` as ECMA-262 has it: `$` is the end, not also before a last line feed."""
    from jsonschema.exceptions import ValidationError

    if isinstance(value, str) and not _compiled(pattern).search(value):
        yield ValidationError("does not match the pattern")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern)


def _innermost(error: ValidationError) -> ValidationError:
    """Of a failed anyOf, the alternative that came furthest."""
    while error.context:
        error = max(error.context, key=lambda each: len(each.absolute_path))
    return error


def _pointer(error: ValidationError) -> str:
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in error.absolute_path)
    return "".join(f"/{step}" for step in steps)
