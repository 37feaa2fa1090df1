"""Activation of the social security function (Article 12), with the change of the initial PIN.

Safe to tear anywhere: the card tells by its PIN how far it is. A PIN that is still an initial one
is changed first; with one's own PIN only the centre's part is left. Running it again completes it.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack

from backend_client.codec import decode
from backend_client.errors import BackendError
from backend_client.messages import ActivationRequest, ActivationResult
from terminal.errors import TerminalError
from terminal.flow import Flow, agreement, committing
from terminal.functions.commit import commit, unfinished
from terminal.functions.earlier import earlier
from terminal.functions.entry import admitted, is_initial, let_in, new_pin, verified_pin
from terminal.functions.pin import change
from terminal.outcome import Cancelled, Done, Failed, Outcome, Refused, Stopped
from terminal.policy import Function
from terminal.screens import Confirm, Row, Section
from terminal.store.journal import Kind, Operation
from terminal.text import Text
from terminal.visit import Visit

log = logging.getLogger(__name__)

_TITLE = Text("开通社会保障功能", "Activate the social security function")
_WHAT = Section(
    Text("开通后", "Once it is active"),
    (
        Row(Text("可以办理", "you can"), Text("就医结算、查询等业务", "settle, query and more")),
        Row(Text("初始密码", "The initial PIN"), Text("需要先修改", "has to be changed first")),
        Row(Text("费用", "It costs"), Text("免费", "nothing")),
    ),
)
_YES = Text("开通", "Activate")
_NO = Text("不开通", "Not now")
_PIN_TITLE = Text("请输入密码（新卡为初始密码）", "Your PIN (new card: the initial one)")
_PIN_HINT = Text(
    "如果上次已设置新密码，请输入新密码。", "If you set a new PIN last time, please enter that one."
)
_NEW_PIN_HOLDS = Text(
    "密码已改为新密码，下次请用新密码。", "Your new PIN is in force: please use it from now on."
)
_ACTIVE = Text(
    "社会保障功能已开通，可以使用了。",
    "The social security function is active. You can use it now.",
)


def flow(visit: Visit) -> Flow:
    """Agree, prove oneself with the PIN, change an initial PIN, activate at the centre."""
    decision = yield from let_in(visit, Function.ACTIVATION)
    if isinstance(decision, Refused):
        return decision
    if not (yield from agreement(Confirm(_TITLE, (_WHAT,), _YES, _NO))):
        return Stopped(Cancelled())
    with ExitStack() as wiped:
        entered = yield from verified_pin(visit, _PIN_TITLE, _PIN_HINT)
        if isinstance(entered, Refused):
            return entered
        wiped.enter_context(entered)
        yield from earlier(visit)
        new = None
        if is_initial(visit.pin_rules, entered):
            new = wiped.enter_context((yield from new_pin(visit.pin_rules, entered)))
        again = admitted(visit, Function.ACTIVATION)
        if isinstance(again, Refused):
            return again
        yield from committing("正在开通，请勿取卡", "Activating: leave the card in")
        failed = change(visit, entered, new) if new is not None else None
    return failed or _activate(visit, _NEW_PIN_HOLDS if new is not None else None)


def _activate(visit: Visit, changed: Text | None) -> Outcome:
    """The centre's part; the PIN is the holder's own by now. `changed` says if it is new."""
    try:
        prepared = visit.journal.prepare(Kind.ACTIVATION, visit.card_ref, {})
        request = ActivationRequest(prepared.number, visit.card_ref, pin_changed=True)
        operation = commit(visit, prepared, request, visit.client.activate)
    except (BackendError, TerminalError) as error:
        return Failed(error, changed)
    failed = unfinished(visit, operation, changed)
    if failed is not None:
        return failed
    _remember(visit, operation)
    return Done(_ACTIVE)


def _remember(visit: Visit, operation: Operation) -> None:
    """Keep the new status for later. Never raises: the function is active all the same."""
    try:
        visit.remember(decode(ActivationResult, operation.result).status)
    except Exception:
        log.exception("the status after operation %s is not remembered", operation.number)
