"""The interface as OpenAPI 3.1, made from the table of routes and the JSON Schemas of the contract.

Nothing is written down twice: a route that is in the table is in the description, with every status
and every problem code that it may answer.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from backend_client.messages import Problem
from backend_client.validation import URN
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.routes import Route, Who
from simulator.backoffice.shapes import all_schemas, shape
from simulator.backoffice.terminals import ROLES
from simulator.backoffice.wording import WORDING

VERSION = "3.1.1"
_NAMING = frozenset({"$schema", "$id"})
_NUMBER = {"$ref": f"{URN}values:1#/$defs/number"}
_SCHEMES: Mapping[str, Mapping[str, str]] = {
    "terminalToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token that the terminal got at its enrolment.",
    },
    "terminalCertificate": {
        "type": "mutualTLS",
        "description": "The certificate that the terminal got at its enrolment, with its token.",
    },
    "staffToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of the back office's staff.",
    },
}
_TAGS: Mapping[Who, tuple[str, str]] = {
    Who.ANYBODY: ("anybody", "Needs no token."),
    Who.TERMINAL: ("terminal", "For enrolled terminals, as far as their role allows."),
    Who.STAFF: ("staff", "For the staff, and for the city's other systems."),
}


def describe(routes: Mapping[str, Route], *, mutual_tls: bool = False) -> dict[str, Any]:
    """The OpenAPI document of these routes by path. `mutual_tls`: terminals show certificates."""
    return {
        "openapi": VERSION,
        "info": {
            "title": "Back office of the social security card",
            "summary": "社会保障卡后台接口",
            "description": (
                "What terminals and staff may ask. Every refusal is problem details (RFC 9457) "
                "with a stable code, a sentence for the holder in Chinese and English, and a "
                "remedy for the operator. Money is whole fen; instants carry their time zone."
            ),
            "version": "1",
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "tags": [{"name": name, "description": text} for name, text in _TAGS.values()],
        "paths": {
            path: {route.method.lower(): _operation(path, route, mutual_tls=mutual_tls)}
            for path, route in sorted(routes.items())
        },
        "components": {
            "schemas": {
                component(urn): _converted(schema, urn)
                for urn, schema in sorted(all_schemas().items())
            },
            "securitySchemes": {
                name: dict(scheme)
                for name, scheme in _SCHEMES.items()
                if mutual_tls or name != "terminalCertificate"
            },
        },
    }


def component(urn: str) -> str:
    """The name of a schema among the components: "card-ref" for "urn:ssct:schema:card-ref:1"."""
    return urn.removeprefix(URN).partition(":")[0]


def by_status(refusals: Iterable[Refusal]) -> Mapping[int, list[Refusal]]:
    """Refusals by the HTTP status that they are answered with, both in order."""
    found: defaultdict[int, list[Refusal]] = defaultdict(list)
    for refusal in sorted(refusals):
        found[int(WORDING[refusal].status)].append(refusal)
    return dict(sorted(found.items()))


def _operation(path: str, route: Route, *, mutual_tls: bool) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": re.sub(r"[^a-z0-9]+", "-", path.strip("/")),
        "summary": route.summary,
        "tags": [_TAGS[route.who][0]],
        "security": _security(route.who, mutual_tls=mutual_tls),
        "parameters": _parameters(route),
        "responses": {
            "200": _answer(route),
            **{str(status): _problem(found) for status, found in by_status(route.refusals).items()},
        },
    }
    if route.takes is not None:
        body = {"application/json": {"schema": _reference(route.takes)}}
        operation["requestBody"] = {"required": True, "content": body}
    if route.task is not None:
        operation["x-roles"] = [name for name, role in ROLES.items() if route.task in role.tasks]
    return operation


def _security(who: Who, *, mutual_tls: bool) -> list[dict[str, list[str]]]:
    match who:
        case Who.ANYBODY:
            return []
        case Who.STAFF:
            return [{"staffToken": []}]
        case Who.TERMINAL:
            certificate: dict[str, list[str]] = {"terminalCertificate": []} if mutual_tls else {}
            return [{"terminalToken": [], **certificate}]


def _parameters(route: Route) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {
            "name": parameter.name,
            "in": "query",
            "description": parameter.description,
            "schema": dict(parameter.schema),
        }
        for parameter in route.query
    ]
    if Refusal.IDEMPOTENCY_KEY_DIFFERS in route.refusals:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "The operation's number once more, if it is sent at all.",
                "schema": _converted(_NUMBER, ""),
            }
        )
    return found


def _answer(route: Route) -> dict[str, Any]:
    schema = {} if route.gives is None else _reference(route.gives)
    text = "Done." if route.gives is None else str(shape(route.gives).get("description", "Done."))
    return {"description": text, "content": {route.media: {"schema": schema}}}


def _problem(refusals: list[Refusal]) -> dict[str, Any]:
    """The answer of one status: problem details with one of these codes."""
    status = WORDING[refusals[0]].status
    codes = {"code": {"enum": list(map(str, refusals))}, "status": {"const": int(status)}}
    schema = {"allOf": [_reference(Problem.schema), {"properties": codes}]}
    response: dict[str, Any] = {
        "description": f"{status.phrase}: {', '.join(refusals)}",
        "content": {"application/problem+json": {"schema": schema}},
    }
    if status is HTTPStatus.UNAUTHORIZED:
        response["headers"] = {
            "WWW-Authenticate": {"required": True, "schema": {"const": "Bearer"}}
        }
    return response


def _reference(name: str) -> dict[str, str]:
    urn, _, path = name.partition("#")
    return {"$ref": f"#/components/schemas/{component(URN + urn)}{path}"}


def _converted(node: Any, urn: str) -> Any:  # noqa: ANN401  # any JSON
    """A schema as a component: what it refers to is found among the components."""
    if isinstance(node, list):
        return [_converted(item, urn) for item in node]
    if not isinstance(node, Mapping):
        return node
    found = {key: _converted(value, urn) for key, value in node.items() if key not in _NAMING}
    if isinstance(node.get("$ref"), str):
        name, _, path = node["$ref"].partition("#")
        found["$ref"] = f"#/components/schemas/{component(name or urn)}{path}"
    return found
