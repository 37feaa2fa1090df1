"""Settlement of a hospital bill (Articles 5, 13): trial, the holder's agreement, confirm, receipt.

The terminal computes nothing that the centre decides. It checks that the parts add up, shows them,
and books exactly those. Before the holder has agreed nothing is booked anywhere.
"""

from __future__ import annotations

from collections.abc import Generator

from backend_client.channels.channel import Tried
from backend_client.messages import Bill, ConfirmRequest, ProvisionalVisit, Trial, TrialRequest
from terminal.centre import CHANNEL, REFERENCE
from terminal.flow import Flow, agreement, choice, committing, working
from terminal.functions.commit import abandon, commit, give_up, unfinished
from terminal.functions.earlier import earlier, told
from terminal.functions.entry import admitted, let_in_with_pin
from terminal.functions.provisional_visits import (
    PAID_FEN,
    chosen_visit,
    hand_in,
    visit_amounts,
    visit_sections,
)
from terminal.functions.receipts import settlement_receipt
from terminal.outcome import Cancelled, Done, Outcome, Refused, Stopped
from terminal.policy import Function
from terminal.receipt import money
from terminal.screens import Answer, Choose, Confirm, Option, Screen
from terminal.sections import bill_section, split_amounts, split_sections
from terminal.store.journal import Kind, Operation
from terminal.text import Text
from terminal.visit import Visit

_CHOOSE = Text("请选择要结算的账单", "Which bill do you want to settle?")
_CONFIRM = Text("请核对金额，确认结算", "Please check the amounts and confirm")
_YES = Text("确认结算", "Settle")
_NO = Text("不结算", "Do not settle")
_NO_BILLS = Text("没有待结算的账单。", "There is no bill to settle.")
_NO_BILL_YET = Text(
    "脱网登记的就诊还没有账单，请向收费窗口询问。",
    "There is no bill yet of the visit that was registered. Please ask at the cash desk.",
)
_SETTLED = Text("结算完成。", "The bill is settled.")
_WRONG_BILL = Refused(
    "BILL_DOES_NOT_ADD_UP",
    Text("这张账单的明细与合计不符，不能结算。", "The items of this bill do not make its total."),
    Text("没有扣款。请到收费窗口核对账单。", "Nothing was charged. Please ask at the cash desk."),
)
_WRONG_SPLIT = Refused(
    "SPLIT_DOES_NOT_ADD_UP",
    Text(
        "服务中心返回的金额不平，不能结算。",
        "The amounts that the service centre gave do not add up, so nothing can be settled.",
    ),
    Text("没有扣款。请到收费窗口结算。", "Nothing was charged. Please settle at the cash desk."),
)
_TOO_LATE = Refused(
    "TRIAL_EXPIRED",
    Text("金额已过有效时间，请重新结算。", "The amounts are no longer valid. Please start again."),
    Text("没有扣款。", "Nothing was charged."),
)


def flow(visit: Visit) -> Flow:
    """Choose a bill, see who pays what, agree, settle."""
    decision = yield from let_in_with_pin(visit, Function.SETTLEMENT)
    if isinstance(decision, Refused):
        return decision
    yield from earlier(visit)
    yield from working("正在查询账单", "Looking for bills")
    hand_in(visit)
    found = visit.client.bills(visit.card_ref)
    if not found.bills:
        return Done(_NO_BILL_YET if found.provisional else _NO_BILLS)
    bill = yield from _chosen(found.bills)
    if not bill.adds_up():
        return _WRONG_BILL
    registered = yield from chosen_visit(bill, found.provisional)
    return (yield from _settled(visit, bill, registered))


def _chosen(bills: tuple[Bill, ...]) -> Generator[Screen, Answer, Bill]:
    options = tuple(
        Option(
            bill.bill_id,
            Text(
                f"{bill.date:%Y-%m-%d} {bill.department}", f"{bill.date:%Y-%m-%d} {bill.department}"
            ),
            money(bill.total_fen),
        )
        for bill in bills
    )
    key = yield from choice(Choose(_CHOOSE, options))
    return next(bill for bill in bills if bill.bill_id == key)


def _settled(visit: Visit, bill: Bill, registered: ProvisionalVisit | None) -> Flow:
    """Everything that happens under one operation number."""
    number = None if registered is None else registered.number
    what = {
        "bill_id": bill.bill_id,
        "total_fen": bill.total_fen,
        "provisional_number": number,
    }
    prepared = visit.journal.prepare(Kind.SETTLEMENT, visit.card_ref, what)
    tried: Tried | None = None
    try:
        yield from working("正在试算", "Working out who pays what")
        request = TrialRequest(
            prepared.number, visit.card_ref, bill.bill_id, bill.total_fen, number
        )
        tried = visit.channel.try_out(request, bill)
        refused = yield from _disagreed(visit, bill, tried.trial)
    except BaseException:
        # Cancel, removal, an error, the end of the program: nothing has been settled.
        abandon(visit, prepared)
        if tried is not None:
            give_up(visit.channel, tried.reference)
        raise
    if refused is not None:
        abandon(visit, prepared)
        give_up(visit.channel, tried.reference)
        return refused
    return _committed(visit, bill, prepared, tried)


def _committed(visit: Visit, bill: Bill, prepared: Operation, tried: Tried) -> Outcome:
    """Settle exactly what was agreed to."""
    channel, reference, trial = visit.channel, tried.reference, tried.trial
    of = trial.provisional
    registered, paid = (None, {}) if of is None else (of.number, {PAID_FEN: of.paid_fen})
    request = ConfirmRequest(prepared.number, visit.card_ref, bill.bill_id, trial.split, registered)
    operation = commit(
        visit,
        prepared,
        request,
        lambda confirm: channel.confirm(confirm, reference),
        {CHANNEL: channel.name, REFERENCE: dict(reference), **paid},
    )
    failed = unfinished(visit, operation, receipt_follows=True)
    if failed is not None:
        return failed
    receipt = settlement_receipt(visit.place, operation, bill.department)
    return Done(_SETTLED, receipt, lambda: told(visit, operation))


def _disagreed(visit: Visit, bill: Bill, trial: Trial) -> Generator[Screen, Answer, Outcome | None]:
    """Why nothing is settled; None when the holder agreed and admission, asked again, does too."""
    if not trial.split.adds_up():
        return _WRONG_SPLIT
    shown = (bill_section(bill), *visit_sections(trial), *split_sections(trial.split))
    amounts = visit_amounts(trial) or split_amounts(trial.split)
    if not (yield from agreement(Confirm(_CONFIRM, shown, _YES, _NO, amounts=amounts))):
        return Stopped(Cancelled())
    decision = admitted(visit, Function.SETTLEMENT)
    if isinstance(decision, Refused):
        return decision
    if visit.clock.now() >= trial.valid_until:
        return _TOO_LATE
    visit.still_here()
    yield from committing("正在结算，请稍候", "Settling, please wait")
    return None
