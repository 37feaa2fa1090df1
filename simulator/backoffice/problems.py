"""Refusals as problem details (RFC 9457), and messages as replies."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from backend_client.codec import Message, dump
from backend_client.messages import Problem
from backend_client.transport import Reply
from simulator.backoffice.errors import Refused
from simulator.backoffice.refusals import Refusal

TYPE_PREFIX = "urn:ssct:problem:"
_COMMON = {"cache-control": "no-store"}


def problem_of(refused: Refused) -> Problem:
    """The problem details of a refusal; 503 promises that nothing was done and nothing will be."""
    return Problem(
        type=TYPE_PREFIX + refused.code.lower().replace("_", "-"),
        title=refused.code.replace("_", " ").capitalize(),
        status=refused.status,
        code=refused.code,
        detail=refused.detail or refused.remedy,
        zh=refused.zh,
        en=refused.en,
        not_processed=refused.refusal is Refusal.BUSY,
    )


def reply_with(message: Message) -> Reply:
    """200 and a message."""
    return json_reply(dump(message))


def json_reply(body: bytes) -> Reply:
    """200 and JSON bytes."""
    return Reply(HTTPStatus.OK, body, {**_COMMON, "content-type": "application/json"})


def refusal_reply(refused: Refused, headers: Mapping[str, str] | None = None) -> Reply:
    """A refusal, with its status and its problem details."""
    headers = {**_COMMON, "content-type": "application/problem+json", **(headers or {})}
    if refused.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return Reply(refused.status, dump(problem_of(refused)), headers)
