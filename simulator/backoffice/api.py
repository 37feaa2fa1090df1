"""The back office's HTTP interface, without a web framework: a request in, a reply out.

Routes are data. Bodies are bounded, parsed strictly and checked against the contract's schemas in
both directions; every refusal is problem details with a stable code; nothing unexpected gets out.
The log names route, status and terminal, never what was asked.
"""

from __future__ import annotations

import hmac
import logging
import traceback
from collections.abc import Mapping
from dataclasses import replace

from backend_client.certificate_messages import CertificateRequest, TerminalCertificate
from backend_client.messages import (
    AccountOverview,
    ActivationRequest,
    ActivationResult,
    BillList,
    CardRef,
    CardStatus,
    ConfirmRequest,
    Enrolment,
    EnrolmentRequest,
    OperationQuery,
    OperationState,
    Reversal,
    ReversalRequest,
    ServerTime,
    Settlement,
    Trial,
    TrialRequest,
)
from backend_client.transport import Reply, Request
from simulator.backoffice.admin import Admin, Advance
from simulator.backoffice.admin_life import LifeAdmin
from simulator.backoffice.backoffice import BackOffice
from simulator.backoffice.bill_admin import BillAdmin
from simulator.backoffice.description import description_routes
from simulator.backoffice.desk import TerminalDesk
from simulator.backoffice.errors import Refused
from simulator.backoffice.hsm_routes import hsm_routes
from simulator.backoffice.incoming import MAX_REQUEST, Incoming
from simulator.backoffice.life_routes import life_routes
from simulator.backoffice.list_admin import ListAdmin
from simulator.backoffice.list_desk import NOTHING_NEW
from simulator.backoffice.list_routes import asked, list_routes, patience
from simulator.backoffice.money_routes import money_routes, national_routes
from simulator.backoffice.problems import json_reply, refusal_reply, reply_with
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.routes import (
    LIFE,
    NUMBERED,
    UNUSABLE,
    Route,
    Who,
    by_terminal,
)
from simulator.backoffice.terminals import Caller, Task
from simulator.backoffice.transit_routes import transit_routes

log = logging.getLogger(__name__)

_MAX_TOKEN = 600


class Api:
    """All routes over one back office. Safe to share between threads."""

    def __init__(
        self,
        backoffice: BackOffice,
        *,
        admin_token: str | None = None,
        advance: Advance | None = None,
        strict: bool = False,
    ) -> None:
        """Without `admin_token` nobody is staff. `advance` moves the clock if it is simulated.

        `strict`, for tests: a refusal that its route does not declare is an `AssertionError`.
        """
        self._desk = backoffice.desk
        self._admin_token = admin_token
        self._strict = strict
        self.routes: Mapping[str, Route] = {
            **_terminal_routes(backoffice.desk),
            **hsm_routes(backoffice.hsm),
            **life_routes(backoffice.life),
            **list_routes(backoffice.lists),
            **money_routes(backoffice.money),
            **national_routes(backoffice),
            **transit_routes(backoffice.transit),
            **Admin(backoffice, advance).routes(),
            **description_routes(lambda: self.routes, mutual_tls=backoffice.mutual_tls),
            **LifeAdmin(backoffice.clerks).routes(),
            **ListAdmin(backoffice.lists).routes(),
            **BillAdmin(
                backoffice.database,
                now=backoffice.now,
                register=backoffice.register,
                bills=backoffice.bills,
            ).routes(),
        }
        self.bell = backoffice.lists.bell
        self._lists = backoffice.lists

    def dispatch(self, request: Request, certificate: bytes | None = None) -> Reply:
        """Answer one request over a connection with that certificate (DER). Never raises."""
        path, _, query = request.path.partition("?")
        incoming = Incoming(request, query, certificate=certificate)
        route = None
        try:
            route = self._route(request.method, path)
            incoming = self._identified(incoming, route)
            reply = route.answer(incoming)
        except Refused as refused:
            self._is_declared(refused, route, path)
            reply = self._refused(refused, path)
        except Exception as error:
            # Only code lines and the error's type: its message may hold what was asked.
            frames = "".join(traceback.format_tb(error.__traceback__))
            log.error("%s in\n%s", type(error).__name__, frames)  # noqa: TRY400
            reply = refusal_reply(Refused(Refusal.INTERNAL))
        self._log(path, incoming.caller, reply)
        return reply

    def largest(self, path: str) -> int:
        """How many bytes a request to this path may have."""
        route = self.routes.get(path)
        return MAX_REQUEST if route is None else route.largest

    def waits(self, request: Request, reply: Reply) -> int:
        """For how many seconds to hold an answer back, because it has no news and was to wait."""
        return patience(request) if reply.body == NOTHING_NEW else 0

    def answer_again(self, request: Request) -> Reply:
        """Answer a request that waited. Never raises."""
        _, _, query = request.path.partition("?")
        try:
            reply = json_reply(self._lists.news(asked(query)))
        except Refused as refused:
            reply = refusal_reply(refused)
        except Exception as error:
            log.error("%s while somebody waited", type(error).__name__)  # noqa: TRY400
            reply = refusal_reply(Refused(Refusal.INTERNAL))
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
        caller = self._desk.recognise(shown, incoming.certificate)
        if route.task is not None:
            caller.may(route.task)
        return replace(incoming, caller=caller)

    def _is_declared(self, refused: Refused, route: Route | None, path: str) -> None:
        """Report a refusal that the description of the interface does not know of."""
        if route is None or refused.refusal in route.refusals:
            return
        if self._strict:
            raise AssertionError(f"{path} does not declare that it may refuse {refused.code}")
        log.error("%s does not declare %s", path, refused.code)

    def _refused(self, refused: Refused, path: str) -> Reply:
        if refused.refusal is Refusal.METHOD_NOT_ALLOWED:
            return refusal_reply(refused, {"allow": self.routes[path].method})
        return refusal_reply(refused)

    def _log(self, path: str, caller: Caller | None, reply: Reply) -> None:
        known = path if path in self.routes else "unknown path"
        log.info("%s %d %s", known, reply.status, caller.terminal_id if caller else "-")


def _terminal_routes(desk: TerminalDesk) -> Mapping[str, Route]:
    return {
        "/v1/time": Route(
            "GET",
            Who.ANYBODY,
            lambda _: reply_with(desk.server_time()),
            "The back office's clock",
            gives=ServerTime.schema,
        ),
        "/v1/terminals": Route(
            "POST",
            Who.ANYBODY,
            lambda incoming: reply_with(desk.enrol(incoming.message(EnrolmentRequest))),
            "终端登记 Turn a one-time code into a terminal's identity",
            takes=EnrolmentRequest.schema,
            gives=Enrolment.schema,
            refuses={
                Refusal.ENROLMENT_CODE_INVALID,
                Refusal.PREVIOUS_TOKEN_UNKNOWN,
                Refusal.CERTIFICATE_REQUEST_INVALID,
            },
        ),
        "/v1/certificates": by_terminal(
            CertificateRequest,
            TerminalCertificate,
            desk.renew_certificate,
            task=None,
            summary="证书更新 The terminal's next certificate",
            refuses={Refusal.CERTIFICATES_NOT_ISSUED, Refusal.CERTIFICATE_REQUEST_INVALID},
        ),
        "/v1/cards/status": by_terminal(
            CardRef,
            CardStatus,
            lambda _, ref: desk.card_status(ref),
            task=Task.STATUS,
            summary="Where a card stands",
            refuses={Refusal.CARD_UNKNOWN},
        ),
        "/v1/cards/account": by_terminal(
            CardRef,
            AccountOverview,
            desk.account,
            task=Task.ACCOUNT,
            summary="查询 Insurances, balances and contributions of the holder (Article 25)",
            refuses=UNUSABLE,
        ),
        "/v1/bills/search": by_terminal(
            CardRef,
            BillList,
            desk.bills,
            task=Task.BILLS,
            summary="The holder's open bills",
            refuses=UNUSABLE,
        ),
        "/v1/activations": by_terminal(
            ActivationRequest,
            ActivationResult,
            desk.activate,
            task=Task.ACTIVATION,
            summary="开通 Activate the social security function (Article 12)",
            refuses=NUMBERED | LIFE | {Refusal.CARD_FROZEN, Refusal.PIN_NOT_CHANGED},
        ),
        "/v1/settlements/trial": by_terminal(
            TrialRequest,
            Trial,
            desk.trial,
            task=Task.SETTLEMENT,
            summary="预结算 Who would pay what; books nothing",
            refuses=NUMBERED | UNUSABLE | _BILL | {Refusal.BILL_CHANGED},
        ),
        "/v1/settlements": by_terminal(
            ConfirmRequest,
            Settlement,
            desk.confirm,
            task=Task.SETTLEMENT,
            summary="结算 Book what the trial said",
            refuses=NUMBERED | UNUSABLE | _BILL | _CONFIRM,
        ),
        "/v1/operations/query": by_terminal(
            OperationQuery,
            OperationState,
            lambda caller, asked: desk.query(caller, asked.number),
            task=None,
            summary="What became of one of the terminal's own numbers",
            refuses={Refusal.NUMBER_FOREIGN},
        ),
        "/v1/operations/reverse": by_terminal(
            ReversalRequest,
            Reversal,
            lambda caller, asked: desk.reverse(caller, asked.number),
            task=None,
            summary="冲正 Undo a number, and let nothing be booked under it again",
            refuses={
                Refusal.NUMBER_FOREIGN,
                Refusal.ACTIVATION_STANDS,
                Refusal.CANCELLATION_STANDS,
                Refusal.OPERATION_STANDS,
            },
        ),
    }


_BILL = frozenset(
    {
        Refusal.BILL_UNKNOWN,
        Refusal.BILL_SETTLED,
        Refusal.INSURANCE_NOT_IN_FORCE,
        Refusal.NO_TARIFF,
        Refusal.PROVISIONAL_UNKNOWN,
        Refusal.PROVISIONAL_SETTLED,
        Refusal.PROVISIONAL_DIFFERS,
    }
)
"""Why a bill cannot be settled, alone or as that of a provisional visit."""

_CONFIRM = frozenset(
    {
        Refusal.TRIAL_UNKNOWN,
        Refusal.TRIAL_EXPIRED,
        Refusal.SPLIT_DIFFERS,
        Refusal.ACCOUNT_CHANGED,
    }
)
"""Why a trial cannot be booked."""


def _is_same(shown: str, wanted: str | None) -> bool:
    return wanted is not None and hmac.compare_digest(shown.encode(), wanted.encode())
