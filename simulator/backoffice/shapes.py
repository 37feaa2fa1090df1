"""The schemas of the whole interface by name: the contract's, and those of the staff's side.

A name is what follows "urn:ssct:schema:", with a fragment for a part: "card-ref:1",
"backoffice-admin:1#/$defs/loss". A new file of staff schemas is one more entry in `STAFF_FILES`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from backend_client.validation import URN, load_schemas

if TYPE_CHECKING:
    from jsonschema.protocols import Validator  # type: ignore[import-untyped]  # has no types

STAFF_FILES = ("admin.schema.json", "admin-life.schema.json")
ADMIN = "backoffice-admin:1#/$defs/"
"""What the names of the shapes in `admin.schema.json` begin with."""

ADMIN_LIFE = "backoffice-admin-life:1#/$defs/"
"""What the names of the shapes in `admin-life.schema.json` begin with."""


@cache
def all_schemas() -> Mapping[str, Mapping[str, Any]]:
    """Every schema of the interface by its `$id`."""
    folder = resources.files(__package__)
    staff = (json.loads(folder.joinpath(file).read_text("utf-8")) for file in STAFF_FILES)
    return {**load_schemas(), **{schema["$id"]: schema for schema in staff}}


def shape(name: str) -> Mapping[str, Any]:
    """The schema of that name. Raises `KeyError`."""
    urn, _, path = name.partition("#")
    node: Any = all_schemas()[URN + urn]
    for step in path.split("/")[1:]:
        node = node[step]
    found: Mapping[str, Any] = node
    return found


@cache
def validator(name: str) -> Validator:
    """Checks values against the schema of that name."""
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no types
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    registry: Registry[Any] = Registry().with_resources(
        (urn, DRAFT202012.create_resource(dict(schema))) for urn, schema in all_schemas().items()
    )
    return Draft202012Validator({"$ref": URN + name}, registry=registry)
