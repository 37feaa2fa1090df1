"""A setting is declared once: its type, what it may be, what it is unless said otherwise.

A section is a frozen dataclass whose fields are made by `setting`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields
from typing import TYPE_CHECKING, Any, TypeVar

from terminal.settings.values import Read

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")


def setting(read: Read, default: T, *, secret: bool = False) -> T:
    """A field of a section: how it is read, and its default. A `secret` is never printed."""
    return field(default=default, metadata={"read": read}, repr=not secret)


def readers(section: type[DataclassInstance]) -> Mapping[str, Read]:
    """How each setting of a section is read."""
    return {one.name: one.metadata["read"] for one in fields(section)}


def defaults(section: type[DataclassInstance]) -> Mapping[str, Any]:
    """What each setting of a section is unless file, environment or profile say otherwise."""
    return {one.name: one.default for one in fields(section)}
