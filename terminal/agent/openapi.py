"""The OpenAPI 3.1 description, made from the table of operations."""

from __future__ import annotations

import re
from typing import Any

from terminal.agent.forms import FORMS
from terminal.agent.operations import OPERATIONS, Endpoint

Json = dict[str, Any]

_PARAMETER = re.compile(r"\{(\w+)\}")
_PROBLEM: Json = {
    "type": "object",
    "required": ["type", "status", "code", "title", "text", "remedy"],
    "properties": {
        "type": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "stable, for programs"},
        "title": {"type": "string"},
        "detail": {"type": "string"},
        "remedy": {"type": "string", "description": "what to do next, for the operator"},
        "text": {
            "type": "object",
            "required": ["zh", "en"],
            "properties": {"zh": {"type": "string"}, "en": {"type": "string"}},
            "description": "a sentence for the holder",
        },
        "reason": {"type": "string", "description": "why admission refused"},
        "article": {"type": "integer", "description": "of the Shanghai regulation"},
        "tries_left": {"type": "integer"},
    },
}
_EVENTS: Json = {
    "get": {
        "operationId": "events",
        "summary": "Readers and cards that come and go, as server-sent events",
        "description": "Scope: readers. The first events tell what is there already.",
        "responses": {
            "200": {
                "description": "a stream",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            },
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }
}


def document(version: str) -> Json:
    """The whole description; `version` is the program's."""
    paths: Json = {"/v1/events": _EVENTS}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ssct agent",
            "version": version,
            "summary": "The social security card for programs on the same machine",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:8793"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": {**FORMS, "problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {
                "Problem": {
                    "description": "not done; the code says why",
                    "content": {
                        "application/problem+json": {
                            "schema": {"$ref": "#/components/schemas/problem"}
                        }
                    },
                }
            },
        },
    }


def _described(operation: Endpoint) -> Json:
    needed = operation.scope.value if operation.scope else "that of the function"
    told: Json = {
        "operationId": _name(operation),
        "summary": operation.summary,
        "description": f"Scope: {needed}.",
        "responses": {
            str(operation.status): _answer(operation),
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }
    names = _PARAMETER.findall(operation.path)
    if names:
        told["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ]
    if operation.form:
        schema = {"$ref": f"#/components/schemas/{operation.form}"}
        told["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return told


def _answer(operation: Endpoint) -> Json:
    if operation.status == 204:
        return {"description": "done"}
    schema = {"type": "object"} if operation.media_type == "application/json" else {}
    return {"description": "done", "content": {operation.media_type: {"schema": schema}}}


def _name(operation: Endpoint) -> str:
    words = [word for word in operation.path.split("/")[2:] if not word.startswith("{")]
    return "-".join((operation.method.lower(), *words))
