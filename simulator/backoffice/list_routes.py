"""The routes of the blacklist: news, which may be waited for, snapshots in pieces, misuse."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl

from backend_client.list_messages import BlacklistUpdate, MisuseReceipt, MisuseReport
from backend_client.transport import Reply, Request
from simulator.backoffice.errors import Refused
from simulator.backoffice.incoming import Incoming, bad_request
from simulator.backoffice.list_desk import Asked, ListDesk
from simulator.backoffice.problems import json_reply
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.routes import Parameter, Route, Who, by_terminal
from simulator.backoffice.terminals import Task

NEWS = "/v1/blacklist"
SNAPSHOT = "/v1/blacklist/snapshot"
MAX_WAIT = 300
"""Nobody waits longer than this many seconds."""

_VERSION = {"type": "integer", "minimum": 0, "maximum": 9_999_999_999_999_999}
_ASKED = (
    Parameter(
        "since", _VERSION, "The version that the terminal has; 0, or left out, asks for a snapshot."
    ),
    Parameter(
        "statement",
        {"type": "integer", "minimum": 0, "maximum": 1_000_000},
        "The number of the key statement that the terminal has; 0 is none.",
    ),
    Parameter(
        "whole",
        {"type": "integer", "minimum": 0, "maximum": 1},
        "1 asks for a snapshot not older than `since`, where deltas are of no use.",
    ),
    Parameter(
        "wait",
        {"type": "integer", "minimum": 0, "maximum": MAX_WAIT},
        "Answer as soon as there is something new, at the latest after so many seconds.",
    ),
)
_WHICH = (Parameter("version", _VERSION, "The version of the snapshot on offer."),)
_RANGE = re.compile(r"bytes=([0-9]{1,9})-([0-9]{1,9})", re.ASCII)
_BYTES = "application/octet-stream"


def list_routes(desk: ListDesk) -> Mapping[str, Route]:
    """Path -> what answers there."""
    return {
        NEWS: Route(
            "GET",
            Who.TERMINAL,
            lambda incoming: json_reply(desk.update(incoming.terminal, asked(incoming.query))),
            "黑名单 What is new since a version of the blacklist",
            gives=BlacklistUpdate.schema,
            task=Task.BLACKLIST,
            query=_ASKED,
        ),
        SNAPSHOT: Route(
            "GET",
            Who.TERMINAL,
            lambda incoming: _piece(desk, incoming),
            "黑名单 A snapshot on offer, whole or the bytes that the Range header names",
            task=Task.BLACKLIST,
            refuses={Refusal.LIST_WITHDRAWN, Refusal.RANGE_NOT_SATISFIABLE},
            query=_WHICH,
            media=_BYTES,
        ),
        "/v1/misuse": by_terminal(
            MisuseReport,
            MisuseReceipt,
            desk.report_misuse,
            task=Task.BLACKLIST,
            summary="冒用 A listed card was presented (Article 26)",
        ),
    }


def asked(query: str) -> Asked:
    """What a query asks for. Raises `Refused` BAD_REQUEST."""
    given = _numbers(query, _ASKED)
    return Asked(
        given.get("since", 0),
        given.get("statement", 0),
        bool(given.get("whole", 0)),
        given.get("wait", 0),
    )


def patience(request: Request) -> int:
    """How many seconds a request would wait for news; 0 for any that does not."""
    path, _, query = request.path.partition("?")
    if path != NEWS or request.method != "GET":
        return 0
    try:
        return asked(query).wait
    except Refused:
        return 0


def _numbers(query: str, known: tuple[Parameter, ...]) -> dict[str, int]:
    """The parameters of a query, each at most once and within its bounds."""
    given: dict[str, int] = {}
    bounds = {parameter.name: parameter.schema["maximum"] for parameter in known}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=10)
    except ValueError:
        raise bad_request(f"/{known[0].name}", "not so many parameters") from None
    for name, value in pairs:
        if name not in bounds or name in given:
            raise bad_request(f"/{known[0].name}", "known parameters, each once")
        if not re.fullmatch(r"[0-9]{1,16}", value, re.ASCII) or int(value) > bounds[name]:
            raise bad_request(f"/{name}", "pattern")
        given[name] = int(value)
    return given


def _piece(desk: ListDesk, incoming: Incoming) -> Reply:
    """A snapshot, or a part of it (RFC 9110, 14): one range with both ends."""
    version = _numbers(incoming.query, _WHICH).get("version", 0)
    document = desk.snapshot(version)
    headers = {
        "cache-control": "no-store",
        "content-type": _BYTES,
        "accept-ranges": "bytes",
        "etag": f'"{version}"',
    }
    wanted = incoming.request.headers.get("range")
    if wanted is None:
        return Reply(HTTPStatus.OK, document, headers)
    match = _RANGE.fullmatch(wanted)
    start, end = (int(match[1]), int(match[2])) if match else (1, 0)
    if start > end or start >= len(document):
        raise Refused(Refusal.RANGE_NOT_SATISFIABLE)
    piece = document[start : end + 1]
    last = start + len(piece) - 1
    headers["content-range"] = f"bytes {start}-{last}/{len(document)}"
    return Reply(HTTPStatus.PARTIAL_CONTENT, piece, headers)
