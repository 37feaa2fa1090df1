"""The back office's HTTP interface, without a web framework: a request in, a reply out.

Routes are data. Bodies are bounded, parsed strictly and checked against the contract's schemas in
both directions; every refusal is problem details with a stable code; nothing unexpected gets out.
The log names route, status and terminal, never what was asked.
"""

from __future__ import annotations

import hmac
import logging
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeVar

from backend_client.codec import Message
from backend_client.messages import (
    ActivationRequest,
    CardRef,
    ConfirmRequest,
    EnrolmentRequest,
    OperationQuery,
    ReversalRequest,
    TrialRequest,
)
from backend_client.transport import Reply, Request
from simulator.backoffice.admin import Admin, Advance
from simulator.backoffice.backoffice import BackOffice
from simulator.backoffice.desk import TerminalDesk
from simulator.backoffice.errors import Refused
from simulator.backoffice.incoming import Incoming, bad_request
from simulator.backoffice.problems import refusal_reply, reply_with
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.terminals import Caller

log = logging.getLogger(__name__)

M = TypeVar("M", bound=Message)
_SINCE = re.compile(r"(?:since=([0-9]{1,16}))?")
_MAX_TOKEN = 600


class Who(Enum):
    """Who may use a route."""

    ANYBODY = "anybody"
    TERMINAL = "terminal"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Route:
    """What answers a method and a path, and whom."""

    method: str
    who: Who
    answer: Callable[[Incoming], Reply]


class Api:
    """All routes over one back office. Safe to share between threads."""

    def __init__(
        self,
        backoffice: BackOffice,
        *,
        admin_token: str | None = None,
        advance: Advance | None = None,
    ) -> None:
        """Without `admin_token` nobody is staff. `advance` moves the clock if it is simulated."""
        self._desk = backoffice.desk
        self._admin_token = admin_token
        staff = Admin(backoffice, advance).routes()
        self.routes: Mapping[str, Route] = {
            **_terminal_routes(backoffice.desk),
            **{path: Route("POST", Who.STAFF, answer) for path, answer in staff.items()},
        }

    def dispatch(self, request: Request) -> Reply:
        """Answer one request. Never raises."""
        path, _, query = request.path.partition("?")
        incoming = Incoming(request, query)
        try:
            route = self._route(request.method, path)
            incoming = self._identified(incoming, route)
            reply = route.answer(incoming)
        except Refused as refused:
            reply = self._refused(refused, path)
        except Exception as error:
            # Only code lines and the error's type: its message may hold what was asked.
            frames = "".join(traceback.format_tb(error.__traceback__))
            log.error("%s in\n%s", type(error).__name__, frames)  # noqa: TRY400
            reply = refusal_reply(Refused(Refusal.INTERNAL))
        self._log(path, incoming.caller, reply)
        return reply

    def _route(self, method: str, path: str) -> Route:
        route = self.routes.get(path)
        if route is None:
            raise Refused(Refusal.NOT_FOUND)
        if method != route.method:
            raise Refused(Refusal.METHOD_NOT_ALLOWED)
        return route

    def _identified(self, incoming: Incoming, route: Route) -> Incoming:
        """The request with who sent it. Raises `Refused` where that may not."""
        if route.who is Who.ANYBODY:
            return incoming
        kind, _, token = incoming.request.headers.get("authorization", "").partition(" ")
        shown = token if kind.lower() == "bearer" and len(token) <= _MAX_TOKEN else ""
        if route.who is Who.STAFF:
            if not _is_same(shown, self._admin_token):
                raise Refused(Refusal.ADMIN_TOKEN_WRONG)
            return incoming
        if not shown:
            raise Refused(Refusal.NOT_ENROLLED)
        return replace(incoming, caller=self._desk.recognise(shown))

    def _refused(self, refused: Refused, path: str) -> Reply:
        if refused.refusal is Refusal.METHOD_NOT_ALLOWED:
            return refusal_reply(refused, {"allow": self.routes[path].method})
        return refusal_reply(refused)

    def _log(self, path: str, caller: Caller | None, reply: Reply) -> None:
        known = path if path in self.routes else "unknown path"
        log.info("%s %d %s", known, reply.status, caller.terminal_id if caller else "-")


def _terminal_routes(desk: TerminalDesk) -> Mapping[str, Route]:
    def post(cls: type[M], answer: Callable[[Caller, M], Message]) -> Route:
        def answered(incoming: Incoming) -> Reply:
            return reply_with(answer(incoming.terminal, incoming.message(cls)))

        return Route("POST", Who.TERMINAL, answered)

    return {
        "/v1/time": Route("GET", Who.ANYBODY, lambda _: reply_with(desk.server_time())),
        "/v1/terminals": Route(
            "POST",
            Who.ANYBODY,
            lambda incoming: reply_with(desk.enrol(incoming.message(EnrolmentRequest))),
        ),
        "/v1/cards/status": post(CardRef, desk.card_status),
        "/v1/cards/account": post(CardRef, desk.account),
        "/v1/bills/search": post(CardRef, desk.bills),
        "/v1/activations": post(ActivationRequest, desk.activate),
        "/v1/settlements/trial": post(TrialRequest, desk.trial),
        "/v1/settlements": post(ConfirmRequest, desk.confirm),
        "/v1/operations/query": post(OperationQuery, lambda who, m: desk.query(who, m.number)),
        "/v1/operations/reverse": post(ReversalRequest, lambda who, m: desk.reverse(who, m.number)),
        "/v1/blacklist": Route(
            "GET",
            Who.TERMINAL,
            lambda incoming: reply_with(
                desk.blacklist_update(incoming.terminal, _since(incoming.query))
            ),
        ),
    }


def _since(query: str) -> int:
    """The version in `since=N`; without a query 0. Raises `Refused`."""
    match = _SINCE.fullmatch(query)
    if match is None:
        raise bad_request("/since", "pattern")
    return int(match[1] or 0)


def _is_same(shown: str, wanted: str | None) -> bool:
    return wanted is not None and hmac.compare_digest(shown.encode(), wanted.encode())
