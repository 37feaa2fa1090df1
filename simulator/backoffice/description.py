"""The routes that describe the others: /openapi.json for programs, /docs for people.

The page needs nothing from anywhere else, and its content security policy says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from importlib import resources
from typing import Any

from backend_client.transport import Reply
from simulator.backoffice.openapi import by_status, component, describe
from simulator.backoffice.problems import json_reply
from simulator.backoffice.routes import Route, Who
from simulator.backoffice.shapes import all_schemas, shape
from simulator.backoffice.terminals import ROLES
from simulator.backoffice.wording import WORDING

_PAGE = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
}


def description_routes(
    routes: Callable[[], Mapping[str, Route]], *, mutual_tls: bool = False
) -> Mapping[str, Route]:
    """The two routes over the table that `routes` gives when it is complete."""

    @cache
    def document() -> bytes:
        return json.dumps(describe(routes(), mutual_tls=mutual_tls), ensure_ascii=False).encode()

    @cache
    def page() -> bytes:
        return _page(routes(), mutual_tls=mutual_tls)

    return {
        "/openapi.json": Route(
            "GET",
            Who.ANYBODY,
            lambda _: json_reply(document()),
            "This description, as OpenAPI 3.1",
        ),
        "/docs": Route(
            "GET",
            Who.ANYBODY,
            lambda _: Reply(HTTPStatus.OK, page(), _PAGE),
            "This description, as a page",
            media="text/html",
        ),
    }


def _page(routes: Mapping[str, Route], *, mutual_tls: bool) -> bytes:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(
        resources.files(__package__).joinpath("docs.html").read_text("utf-8")
    )
    entries = [_entry(path, route) for path, route in sorted(routes.items())]
    groups = [(who, [entry for entry in entries if entry["who"] is who]) for who in Who]
    schemas = sorted(all_schemas().items())
    return template.render(
        groups=groups,
        shapes=[
            (component(urn), schema, json.dumps(schema, ensure_ascii=False, indent=2))
            for urn, schema in schemas
        ],
        roles=ROLES,
        mutual_tls=mutual_tls,
    ).encode()


def _entry(path: str, route: Route) -> Mapping[str, Any]:
    return {
        "path": path,
        "route": route,
        "who": route.who,
        "takes": _named(route.takes),
        "gives": _named(route.gives),
        "roles": [name for name, role in ROLES.items() if route.task in role.tasks],
        "refusals": [
            (status, refusal, WORDING[refusal])
            for status, found in by_status(route.refusals).items()
            for refusal in found
        ],
    }


def _named(name: str | None) -> tuple[str, str, str] | None:
    """The component, the part of it, and the title of a shape."""
    if name is None:
        return None
    urn, _, path = name.partition("#")
    found = component(urn)
    part = path.rpartition("/")[2]
    return found, part, str(shape(name).get("title") or part or found)
