"""The forms of what callers send, as JSON Schema 2020-12: one definition for checks and OpenAPI."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from terminal.agent.errors import BodyInvalid
from terminal.policy import Function

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

Form = dict[str, Any]

PIN: Form = {"type": "string", "pattern": "^[0-9]{4,16}$", "writeOnly": True}
ADDRESS: Form = {"type": "string", "pattern": "^(SSSE|DF0[1-7])EF[0-9A-F]{2}$"}
_FEN: Form = {"type": "integer", "minimum": 0, "maximum": 0xFFFFFFFF}
_PLAIN: Form = {"type": ["string", "integer", "null"], "maxLength": 512}


def _object(required: tuple[str, ...] = (), **members: Form) -> Form:
    return {
        "type": "object",
        "properties": members,
        "required": list(required),
        "additionalProperties": False,
    }


NOTHING = ""
"""The form of operations that take no body: none, or an empty object."""

FORMS: dict[str, Form] = {
    "session": _object(
        reader={"type": "string", "maxLength": 256},
        wait={"type": "number", "minimum": 0, "maximum": 60},
        lease={"type": "number", "minimum": 1, "maximum": 600},
    ),
    "admission": _object(("function",), function={"enum": [one.value for one in Function]}),
    "files": _object(
        ("files",), files={"type": "array", "items": ADDRESS, "minItems": 1, "maxItems": 64}
    ),
    "write": {
        "oneOf": [
            _object(
                ("items",),
                items={
                    "type": "object",
                    "minProperties": 1,
                    "maxProperties": 64,
                    "propertyNames": {"pattern": "^[0-9A-F]{2}(:[0-9]{1,2})?$"},
                    "additionalProperties": {
                        "anyOf": [
                            _PLAIN,
                            {
                                "type": "object",
                                "propertyNames": {"pattern": "^[0-9A-F]{2}$"},
                                "additionalProperties": _PLAIN,
                            },
                        ]
                    },
                },
            ),
            _object(("row",), row={"type": "array", "items": _PLAIN, "maxItems": 64}),
            _object(
                ("content",),
                content={"type": "string", "pattern": "^([0-9A-Fa-f]{2})+$", "maxLength": 8192},
            ),
        ]
    },
    "pin": _object(("pin",), pin=PIN),
    "pin-change": _object(("old", "new"), old=PIN, new=PIN),
    "pin-reload": _object(("new",), new=PIN),
    "debit": _object(("account_fen",), account_fen=_FEN, self_pay_fen=_FEN, fund_fen=_FEN),
    "answer": {
        "oneOf": [
            _object(("choice",), choice={"type": "string", "maxLength": 256}),
            _object(("agree",), agree={"type": "boolean"}),
            _object(("scan",), scan={"type": "string", "minLength": 1, "maxLength": 4096}),
            _object(("amount",), amount={"type": "string", "minLength": 1, "maxLength": 12}),
            _object(
                ("name", "ssn"),
                name={"type": "string", "minLength": 1, "maxLength": 128},
                ssn={"type": "string", "minLength": 1, "maxLength": 18},
            ),
            _object(("pin",), pin=PIN),
            _object(("cancel",), cancel={"const": True}),
        ]
    },
}
"""The bodies by their names."""


def check(form: str, body: object) -> None:
    """Raise `BodyInvalid`, naming the place and never the value."""
    error = next(_validator(form).iter_errors(body), None)
    if error is not None:
        place = "/".join(map(str, error.absolute_path)) or "the body"
        raise BodyInvalid(f"{place}: {error.validator} is not met")


@cache
def _validator(form: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(FORMS[form] if form != NOTHING else _object())
