"""A visit while the centre is away (facts 2.6): registered with the card, settled later.

Insurance settlement is not invented. The holder pays himself, or has the visit registered: the slip
carries number and time, the record is uploaded when the network is back, and the bill is settled
then, with the card present again.
"""

from __future__ import annotations

from backend_client.errors import BackendError
from terminal.amounts import MOST_FEN
from terminal.clock import local
from terminal.flow import Flow, agreement, amount, committing
from terminal.functions.commit import abandon
from terminal.functions.earlier import told
from terminal.functions.entry import admitted, holder_verified
from terminal.functions.offline_limits import check_stored
from terminal.functions.provisional_visits import PAID_THEN
from terminal.functions.receipts import receipt_of
from terminal.outcome import Cancelled, Done, Refused, Stopped
from terminal.policy import Function
from terminal.receipt import money
from terminal.screens import AskAmount, Confirm, Row, Section
from terminal.store.journal import Evidence, Kind
from terminal.text import Text, same
from terminal.visit import Visit

_TITLE = Text("脱网就诊登记", "Register this visit offline")
_WHAT = Text(
    "网络中断，现在不能医保结算。可以自费，或登记本次就诊，联网后持卡补结算。",
    "The centre cannot be reached, so the insurance settles nothing now. You may pay yourself, or "
    "register this visit and settle it with your card when the network is back.",
)
_PAID = Text(
    "这次就诊您已自费付了多少？没有付请输入 0。",
    "How much have you paid yourself for this visit? Enter 0 for nothing.",
)
_WHY = Row(
    Text("说明", "What"),
    Text("联网补结算时会显示这笔金额。", "It is shown when the visit is settled later."),
)
_YES = Text("登记", "Register")
_NO = Text("不登记", "Do not register")
_DONE = Text("就诊已登记。", "The visit is registered.")
_REACHABLE = Refused(
    "CENTRE_REACHABLE",
    Text("网络正常，请直接结算。", "The centre can be reached: please settle the bill."),
)


def flow(visit: Visit) -> Flow:
    """Register the visit, unless the centre is there after all."""
    decision = admitted(visit, Function.PROVISIONAL)
    if isinstance(decision, Refused):
        return decision
    refused = yield from holder_verified(visit, decision)
    if refused is not None:
        return refused
    if _is_reachable(visit):
        return _REACHABLE
    check_stored(visit)
    now = visit.clock.now()
    at = f"{local(now):%Y-%m-%d %H:%M:%S}"
    paid_fen = yield from amount(AskAmount(_PAID, (Section(_TITLE, (_WHY,)),)), 0, MOST_FEN)
    rows = (
        Row(Text("时间", "When"), same(at)),
        Row(PAID_THEN, money(paid_fen)),
        Row(Text("说明", "What"), _WHAT),
    )
    if not (yield from agreement(Confirm(_TITLE, (Section(_TITLE, rows),), _YES, _NO))):
        return Stopped(Cancelled())
    visit.still_here()
    yield from committing("正在登记", "Registering")
    journal = visit.journal
    what = {"visited_at": now.isoformat(), "paid_fen": paid_fen}
    prepared = journal.prepare(Kind.PROVISIONAL, visit.card_ref, what)
    try:
        done = journal.confirm(journal.mark_sent(prepared), Evidence.CARD, {})
    except BaseException:
        abandon(visit, prepared)
        raise
    finally:
        journal.let_go(prepared)
    return Done(_DONE, receipt_of(visit.place, done), lambda: told(visit, done))


def _is_reachable(visit: Visit) -> bool:
    try:
        visit.client.server_time()
    except BackendError:
        return False
    return True
