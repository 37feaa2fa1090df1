"""The operator's page: how the kiosk stands, journal, audit trail, log, and a printer test.

Its own port on this machine, its own cookie; nothing without logging in but /health and /metrics,
which hold no personal data. No script at all: plain pages and forms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qs

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from backend_client.errors import BackendError
from terminal.clock import day_of, local
from terminal.devices.protocols import Printer
from terminal.errors import ConfigurationError, TerminalError, explain
from terminal.kiosk.guard import Guard
from terminal.kiosk.kiosk import Kiosk
from terminal.kiosk.metrics import CONTENT_TYPE, health, metrics
from terminal.kiosk.operator_login import LoginRefused, Logins
from terminal.kiosk.operator_receipts import OperatorPrinting
from terminal.kiosk.recent_log import RecentLog
from terminal.kiosk.web import STATIC, read_body
from terminal.receipt import yuan
from terminal.reconciliation import SCHEME_NAMES, Report, reconcile
from terminal.reconciliation_report import notes
from terminal.store.journal_view import latest_steps

COOKIE = "ssct_operator"
POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'"
_SHOWN = 200
_PAGES = ("overview", "journal", "open", "reconciliation", "audit", "log")


@dataclass(frozen=True, slots=True)
class OperatorParts:
    """What the page looks at."""

    kiosk: Kiosk
    logins: Logins
    printer: Printer | None
    recent: RecentLog
    devices: Mapping[str, str]


class OperatorWeb:
    """The application. `app` is what a server serves."""

    def __init__(self, parts: OperatorParts) -> None:
        self._parts = parts
        kiosk = parts.kiosk
        self._printing = OperatorPrinting(kiosk.terminal, parts.printer, kiosk.unprinted)
        self._templates = Environment(
            loader=PackageLoader("terminal.kiosk", "operator"),
            autoescape=True,
            undefined=StrictUndefined,
        )
        self._templates.filters["when"] = _when
        self._templates.filters["yuan"] = yuan
        self._templates.globals["schemes"] = SCHEME_NAMES
        self.app = Starlette(
            routes=[
                Route("/health", self._health),
                Route("/metrics", self._metrics),
                Route("/operator.css", self._style),
                Route("/login", self._login_page),
                Route("/login", self._login, methods=["POST"]),
                Route("/logout", self._logout, methods=["POST"]),
                Route("/sync", self._sync, methods=["POST"]),
                Route("/print", self._print, methods=["POST"]),
                Route("/receipt", self._receipt, methods=["POST"]),
                Route("/reconciliation", self._reconciliation),
                Route("/", self._page),
                Route("/{page}", self._page),
            ],
            middleware=[Middleware(Guard, policy=POLICY)],
        )

    async def _health(self, _: Request) -> Response:
        well, document = await run_in_threadpool(health, self._parts.kiosk)
        return JSONResponse(document, 200 if well else 503)

    async def _metrics(self, _: Request) -> Response:
        return Response(
            await run_in_threadpool(metrics, self._parts.kiosk), media_type=CONTENT_TYPE
        )

    async def _style(self, _: Request) -> Response:
        return FileResponse(STATIC / "operator.css", media_type="text/css")

    async def _login_page(self, _: Request) -> Response:
        return self._show("login", said="")

    async def _login(self, request: Request) -> Response:
        password = (await _form(request)).get("password", "")
        try:
            key = await run_in_threadpool(self._parts.logins.enter, password)
        except LoginRefused as refused:
            if refused.wait:
                said = f"请等待 {refused.wait:.0f} 秒后再试。 Wait {refused.wait:.0f} s."
                return self._show("login", 429, said=said)
            return self._show("login", 403, said="密码不对。 Wrong password.")
        except ConfigurationError as error:
            return self._show("login", 503, said=str(error))
        answer = RedirectResponse("/", 303)
        answer.set_cookie(COOKIE, key, httponly=True, samesite="strict", path="/")
        return answer

    async def _logout(self, request: Request) -> Response:
        self._parts.logins.leave(request.cookies.get(COOKIE, ""))
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE)
        return answer

    async def _page(self, request: Request) -> Response:
        name = request.path_params.get("page", "overview")
        if name not in _PAGES:
            raise HTTPException(404)
        if not self._known(request):
            return RedirectResponse("/login", 303)
        return self._show(name, **await run_in_threadpool(self._facts, name))

    async def _reconciliation(self, request: Request) -> Response:
        """One day against the centre's ledger; without a day only the question which."""
        if not self._known(request):
            return RedirectResponse("/login", 303)
        asked = request.query_params.get("day", "")
        if not asked:
            return self._show("reconciliation", day="", report=None, said="")
        try:
            day = day_of(asked)
            report = await run_in_threadpool(self._reconciled, day)
        except ValueError:
            said = "日期不对。 Not a day: YYYY-MM-DD."
            return self._show("reconciliation", 400, day="", report=None, said=said)
        except (BackendError, TerminalError) as error:
            told = explain(error)
            said = f"[{told.code}] {told.text} {told.remedy}"
            return self._show("reconciliation", 503, day=asked, report=None, said=said)
        said = " ".join(map(str, notes(report)))
        return self._show("reconciliation", day=asked, report=report, said=said)

    def _reconciled(self, day: date) -> Report:
        terminal = self._parts.kiosk.terminal
        return reconcile(terminal.journal, terminal.centre.channel, terminal.day_statement(day))

    async def _sync(self, request: Request) -> Response:
        if not self._known(request):
            return RedirectResponse("/login", 303)
        done = await run_in_threadpool(self._parts.kiosk.terminal.sync)
        said = "同步完成。 Synchronised." if done.error is None else str(done.error.text)
        return await self._overview(said)

    async def _print(self, request: Request) -> Response:
        if not self._known(request):
            return RedirectResponse("/login", 303)
        return await self._overview(await run_in_threadpool(self._printing.test))

    async def _receipt(self, request: Request) -> Response:
        """Print a receipt again, by its number."""
        if not self._known(request):
            return RedirectResponse("/login", 303)
        form = await _form(request)
        language = "en" if form.get("language") == "en" else "zh"
        number = form.get("number", "").strip()
        return await self._overview(await run_in_threadpool(self._printing.again, number, language))

    async def _overview(self, said: str) -> Response:
        facts = await run_in_threadpool(self._facts, "overview")
        return self._show("overview", **{**facts, "said": said})

    def _known(self, request: Request) -> bool:
        return self._parts.logins.holds(request.cookies.get(COOKIE, ""))

    def _show(self, name: str, http_status: int = 200, **facts: object) -> Response:
        possible = self._parts.logins.possible
        html = self._templates.get_template(f"{name}.html").render(
            name=name, pages=_PAGES, possible=possible, **facts
        )
        return Response(html, http_status, media_type="text/html; charset=utf-8")

    def _facts(self, name: str) -> dict[str, Any]:
        terminal = self._parts.kiosk.terminal
        gather: Mapping[str, Callable[[], dict[str, Any]]] = {
            "overview": self._standing,
            "journal": lambda: {"steps": latest_steps(terminal.store, _SHOWN)},
            "open": lambda: {"operations": terminal.journal.open_operations()},
            "audit": lambda: {"entries": terminal.audit.latest(_SHOWN)},
            "log": lambda: {"lines": self._parts.recent.lines()},
        }
        return gather[name]()

    def _standing(self) -> dict[str, Any]:
        kiosk = self._parts.kiosk
        return {
            "said": "",
            "standing": kiosk.standing,
            "status": kiosk.terminal.status(),
            "kiosk": kiosk,
            "unprinted": list(self._printing.unprinted()),
            "devices": {**self._parts.devices, "printer": self._printing.state()},
            "chain": kiosk.terminal.journal.verify_chain(1000),
        }


async def _form(request: Request) -> dict[str, str]:
    """The first value of each field of a small form."""
    body = (await read_body(request)).decode("utf-8", "replace")
    return {name: values[0] for name, values in parse_qs(body).items()}


def _when(instant: datetime) -> str:
    return local(instant).strftime("%Y-%m-%d %H:%M:%S")
