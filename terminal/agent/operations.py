"""Every operation of the HTTP interface: one line each, from which routes and OpenAPI are made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from apdu.pin import Pin
from terminal.agent import card_operations as card
from terminal.agent import views
from terminal.agent.card_thread import Holding
from terminal.agent.errors import BodyInvalid, NoSuchPath, OperationUnknown
from terminal.agent.flow_face import Answered
from terminal.agent.forms import NOTHING
from terminal.agent.guard import Caller
from terminal.agent.readers import Readers
from terminal.agent.scopes import Scope
from terminal.agent.sessions import Session, Sessions
from terminal.app import Terminal
from terminal.functions import FUNCTIONS
from terminal.policy import Function
from terminal.screens import Answer, Identity
from terminal.store.journal import Operation

T = TypeVar("T")

_WAIT = 30.0
_CLOSING_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Agent:
    """What operations work with."""

    terminal: Terminal
    readers: Readers
    sessions: Sessions
    lease: float


@dataclass(frozen=True, slots=True)
class Call:
    """One call: the agent, who calls, the path's parts, and the body, which has been checked."""

    agent: Agent
    caller: Caller
    request: Request
    body: Any

    @property
    def session(self) -> Session:
        """The caller's session that the path names. Raises `SessionUnknown`."""
        return self.agent.sessions.find(self.request.path_params["session"], self.caller)

    async def with_card(self, do: Callable[[Holding], T]) -> T:
        """What `do` makes of the session's card, in the card's own thread."""
        return await asyncio.wrap_future(self.session.thread.work(do))


Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation. `form` names the body's form; `scope` None: any token will do."""

    method: str
    path: str
    scope: Scope | None
    summary: str
    handler: Handler
    form: str = NOTHING
    status: int = 200
    media_type: str = "application/json"


async def _readers(call: Call) -> Response:
    states = await asyncio.to_thread(call.agent.readers.states)
    return JSONResponse({"readers": [{"name": name, "card": card} for name, card in states]})


async def _open(call: Call) -> Response:
    wait, lease = call.body.get("wait", _WAIT), call.body.get("lease", call.agent.lease)
    session = await asyncio.to_thread(
        call.agent.sessions.open,
        call.caller,
        call.body.get("reader"),
        wait=wait,
        lease=min(lease, call.agent.lease),
    )
    await asyncio.wrap_future(session.thread.opened)
    told = {"session": session.id, "reader": session.reader, "lease": session.thread.lease}
    return JSONResponse(told, 201)


async def _renew(call: Call) -> Response:
    session = call.session
    session.thread.renew()
    return JSONResponse({"session": session.id, "lease": session.thread.lease})


async def _close(call: Call) -> Response:
    thread = call.session.thread
    thread.close()
    await asyncio.to_thread(thread.join, _CLOSING_SECONDS)
    return Response(status_code=204)


async def _basic(call: Call) -> Response:
    return JSONResponse(await call.with_card(card.basic))


async def _admission(call: Call) -> Response:
    function = Function(call.body["function"])
    return JSONResponse(await call.with_card(lambda holding: card.admission(holding, function)))


async def _files(call: Call) -> Response:
    wanted = call.body["files"]
    return JSONResponse(await call.with_card(lambda holding: card.files(holding, wanted)))


async def _write(call: Call) -> Response:
    address = call.request.path_params["file"]
    return JSONResponse(
        await call.with_card(lambda holding: card.write(holding, address, call.body))
    )


async def _photo(call: Call) -> Response:
    image = await call.with_card(card.photo)
    return Response(image.data, media_type=image.format.value)


async def _pin_state(call: Call) -> Response:
    return JSONResponse(await call.with_card(card.pin_state))


async def _verify(call: Call) -> Response:
    with Pin(call.body.pop("pin")) as pin:
        return JSONResponse(await call.with_card(lambda holding: card.verify_pin(holding, pin)))


async def _change(call: Call) -> Response:
    with Pin(call.body.pop("old")) as old, Pin(call.body.pop("new")) as new:
        return JSONResponse(await call.with_card(lambda held: card.change_pin(held, old, new)))


async def _unblock(call: Call) -> Response:
    return JSONResponse(await call.with_card(card.unblock_pin))


async def _reload(call: Call) -> Response:
    with Pin(call.body.pop("new")) as new:
        return JSONResponse(await call.with_card(lambda holding: card.reload_pin(holding, new)))


async def _account(call: Call) -> Response:
    return JSONResponse(await call.with_card(card.account))


async def _debit(call: Call) -> Response:
    if not any(call.body.values()):
        raise BodyInvalid("all amounts are 0: there is nothing to debit")
    return JSONResponse(await call.with_card(lambda holding: card.debit(holding, call.body)))


async def _start(call: Call) -> Response:
    function = next(
        (one for one in FUNCTIONS if one.value == call.request.path_params["function"]), None
    )
    if function is None:
        raise NoSuchPath("no such function")
    call.caller.require(scope_of(function))
    where = await asyncio.wrap_future(call.session.thread.start_function(FUNCTIONS[function].flow))
    return JSONResponse(views.step(where))


async def _answer(call: Call) -> Response:
    given = Answered(_given(call.body), cancel="cancel" in call.body)
    return JSONResponse(views.step(await asyncio.wrap_future(call.session.thread.answer(given))))


def _given(body: dict[str, Any]) -> Answer:
    """The answer in a body; its form has been checked."""
    if "pin" in body:
        return Pin(body.pop("pin"))
    if "ssn" in body:
        return Identity(body["name"], body["ssn"])
    plain = (body[name] for name in ("choice", "scan", "amount", "agree") if name in body)
    value: Answer = next(plain, None)
    return value


async def _operation(call: Call) -> Response:
    return JSONResponse(views.operation(await asyncio.to_thread(_found, call)))


async def _resolve(call: Call) -> Response:
    def resolve() -> Operation:
        found, terminal = _found(call), call.agent.terminal
        # What a visit has in its hands is its own: it has not been answered yet.
        left = any(one.number == found.number for one in terminal.journal.left_open())
        return terminal.try_resolve(found) if left else found

    return JSONResponse(views.operation(await asyncio.to_thread(resolve)))


def _found(call: Call) -> Operation:
    found = call.agent.terminal.journal.find(call.request.path_params["number"])
    if found is None:
        raise OperationUnknown("the journal does not hold this number")
    return found


async def _blacklist(call: Call) -> Response:
    def state() -> dict[str, Any]:
        stands = call.agent.terminal.status()
        head, refusal = stands.blacklist, stands.blacklist_refusal
        return {
            "version": head.version if head else None,
            "issued_at": views.instant(head.issued_at if head else None),
            "expires_at": views.instant(head.expires_at if head else None),
            "age_seconds": stands.blacklist_age.total_seconds() if stands.blacklist_age else None,
            "refused": refusal.code if refusal else None,
        }

    return JSONResponse(await asyncio.to_thread(state))


def scope_of(function: Function) -> Scope:
    """What a caller needs for a function of the terminal."""
    return _FUNCTION_SCOPES.get(function, Scope.SETTLE)


_FUNCTION_SCOPES = {
    Function.READ: Scope.READ,
    Function.QUERY: Scope.READ,
    Function.RECORDS: Scope.READ,
    Function.PIN_CHANGE: Scope.PIN,
}
"""What is not named here may move money, or change the card's standing."""

_S = "/v1/sessions/{session}"
_NUMBER = "/v1/operations/{number}"

OPERATIONS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/v1/readers", Scope.READERS, "The readers, and which hold a card", _readers),
    Endpoint("GET", "/v1/blacklist", Scope.READ, "How the blacklist stands", _blacklist),
    Endpoint("POST", "/v1/sessions", Scope.READ, "Begin with a card", _open, "session", 201),
    Endpoint("POST", f"{_S}/lease", Scope.READ, "Renew the lease, as every call does", _renew),
    Endpoint("DELETE", _S, Scope.READ, "Give the card back", _close, status=204),
    Endpoint("GET", f"{_S}/card", Scope.READ, "The basic read", _basic),
    Endpoint(
        "POST", f"{_S}/admission", Scope.READ, "May it be used for this?", _admission, "admission"
    ),
    Endpoint("POST", f"{_S}/files", Scope.READ, "Read files by their addresses", _files, "files"),
    Endpoint("PUT", _S + "/files/{file}", Scope.WRITE, "Write into a file", _write, "write"),
    Endpoint("GET", f"{_S}/photo", Scope.READ, "The photograph", _photo, media_type="image/jpeg"),
    Endpoint("GET", f"{_S}/pin", Scope.PIN, "How many tries are left", _pin_state),
    Endpoint("POST", f"{_S}/pin/verify", Scope.PIN, "Present the PIN", _verify, "pin"),
    Endpoint("POST", f"{_S}/pin/change", Scope.PIN, "Replace the PIN", _change, "pin-change"),
    Endpoint("POST", f"{_S}/pin/unblock", Scope.PIN, "All tries back", _unblock),
    Endpoint(
        "POST", f"{_S}/pin/reload", Scope.PIN, "A new PIN without the old", _reload, "pin-reload"
    ),
    Endpoint("GET", f"{_S}/account", Scope.DEBIT, "The account on the card, its log", _account),
    Endpoint("POST", f"{_S}/debits", Scope.DEBIT, "Debit the account, once", _debit, "debit"),
    Endpoint(
        "POST",
        _S + "/functions/{function}",
        None,
        "Start a function of the terminal, such as settlement",
        _start,
    ),
    Endpoint(
        "POST", f"{_S}/answer", None, "Answer what the function asks, or cancel", _answer, "answer"
    ),
    Endpoint("GET", _NUMBER, Scope.SETTLE, "What became of an operation", _operation),
    Endpoint(
        "POST",
        f"{_NUMBER}/resolve",
        Scope.SETTLE,
        "Ask the centre about an unfinished operation, and reverse what it does not know",
        _resolve,
    ),
)
"""The table. Addresses and codes are stable: docs/agent.md."""
