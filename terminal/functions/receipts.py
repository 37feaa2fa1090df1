"""Receipts of what was done, from what the journal keeps: at once, or when the holder is back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from backend_client.codec import decode
from backend_client.messages import Settlement
from backend_client.money_messages import BenefitReceipt, Cancellation, ContributionPayment
from terminal.clock import local
from terminal.functions.provisional_visits import (
    PAID_FEN,
    PAID_THEN,
    Amounts,
    due_now,
    returned_now,
    visit_line,
)
from terminal.receipt import Receipt, ReceiptLine
from terminal.sections import KINDS, given_back_lines, split_lines
from terminal.store.journal import Kind, Operation, State
from terminal.text import Text, same

log = logging.getLogger(__name__)

_RECEIPT = Text("医疗费用结算单", "Settlement receipt")
_SLIP_TITLE = Text("业务未完成凭条", "Slip: not finished")
_DO_NOT_REPEAT = Text(
    "结果正在核实，请勿重复付款或重复办理。请保留本凭条，稍后再来，或请工作人员按流水号查询。",
    "The result is being checked. Please do not pay or apply again. Keep this slip; come back "
    "later, or ask the staff to look up the number.",
)
_COPY = Text("{title}（补打）", "{title} (copy)")
_KEEP = Text("请妥善保管本凭证。", "Please keep this receipt.")
_SETTLE_LATER = Text(
    "联网后请持本卡和本凭条补办结算。",
    "When the network is back, settle it with this card and this slip.",
)
_NO_DETAILS = Text(
    "业务已办成，明细暂时无法打印，请到收费窗口凭流水号补打。",
    "It is done. The details cannot be printed now: the cash desk prints them for this number.",
)


def settlement_receipt(place: str, operation: Operation, department: str | None = None) -> Receipt:
    """The receipt of a confirmed settlement; `department` where the bill is at hand.

    Never raises: the money has moved, so there is a receipt, if need be with the number alone.
    """
    try:
        return _receipt(place, operation, department)
    except Exception:
        log.exception("operation %s is settled, its receipt cannot be made", operation.number)
        at = local(operation.changed_at)
        return Receipt(_RECEIPT, operation.number, at, place, (), (_NO_DETAILS,))


def receipt_of(place: str, operation: Operation) -> Receipt:
    """The receipt of a confirmed operation of any kind that has one, given out at `place`.

    Never raises, like `settlement_receipt`.
    """
    if operation.kind is Kind.SETTLEMENT:
        return settlement_receipt(place, operation)
    title, lines_of = _OTHERS[operation.kind]
    at = local(operation.changed_at)
    try:
        lines = lines_of(operation)
    except Exception:
        log.exception("operation %s is done, its receipt cannot be made", operation.number)
        return Receipt(title, operation.number, at, place, (), (_NO_DETAILS,))
    notes = (_SETTLE_LATER, _KEEP) if operation.kind is Kind.PROVISIONAL else (_KEEP,)
    return Receipt(title, operation.number, at, place, lines, notes)


def unfinished_slip(
    place: str, now: datetime, operation: Operation, changed: Text | None = None
) -> Receipt:
    """What the holder takes away when nobody knows yet: the number, and not to pay again.

    `changed` says what has changed all the same.
    """
    notes = (_DO_NOT_REPEAT,) if changed is None else (_DO_NOT_REPEAT, changed)
    return Receipt(_SLIP_TITLE, operation.number, local(now), place, (), notes)


def receipt_again(place: str, now: datetime, operation: Operation) -> Receipt | None:
    """What its holder should have had on paper, as the journal has it now, marked as a copy.

    None where there is none: nothing was done, or what was done gives no receipt.
    """
    match operation.state:
        case State.CONFIRMED if operation.kind in (Kind.SETTLEMENT, *_OTHERS):
            receipt = receipt_of(place, operation)
        case State.SENT | State.UNKNOWN:
            receipt = unfinished_slip(place, now, operation)
        case _:
            return None
    return replace(receipt, title=_COPY.fill(title=receipt.title))


def _cancellation_lines(operation: Operation) -> tuple[ReceiptLine, ...]:
    made = decode(Cancellation, operation.result)
    accounts = made.current_account_after_fen + made.past_accounts_after_fen
    return (
        ReceiptLine(Text("原结算编号", "Settlement"), same(made.settlement_id)),
        ReceiptLine(Text("撤销编号", "Cancellation"), same(made.cancellation_id)),
        *given_back_lines(made.split),
        *_at_visit(operation, made.split.cash_fen, returned_now),
        ReceiptLine.amount(Text("账户余额", "Account balance after"), accounts),
    )


def _payment_lines(operation: Operation) -> tuple[ReceiptLine, ...]:
    made = decode(ContributionPayment, operation.result)
    months = same(str(made.months_paid))
    return (
        ReceiptLine(Text("险种", "Insurance"), KINDS[made.kind]),
        ReceiptLine(Text("缴费月份", "Month"), same(made.month)),
        ReceiptLine(Text("缴费编号", "Payment"), same(made.payment_id)),
        ReceiptLine.amount(Text("缴费金额", "Paid"), made.amount_fen, strong=True),
        ReceiptLine(Text("累计缴费月数", "Months paid in all"), months),
    )


def _benefit_lines(operation: Operation) -> tuple[ReceiptLine, ...]:
    made = decode(BenefitReceipt, operation.result)
    return (
        ReceiptLine(Text("待遇编号", "Benefit"), same(made.benefit_id)),
        ReceiptLine.amount(Text("金额", "Amount"), made.amount_fen, strong=True),
    )


def _debit_lines(operation: Operation) -> tuple[ReceiptLine, ...]:
    payload = operation.payload
    after = payload["balance_before_fen"] - payload["account_fen"]
    return (
        ReceiptLine.amount(Text("付款金额", "Paid"), payload["account_fen"], strong=True),
        ReceiptLine.amount(Text("卡内余额", "Balance on the card"), after),
    )


def _provisional_lines(operation: Operation) -> tuple[ReceiptLine, ...]:
    return (ReceiptLine.amount(PAID_THEN, operation.payload.get("paid_fen", 0)),)


_OTHERS: Mapping[Kind, tuple[Text, Callable[[Operation], tuple[ReceiptLine, ...]]]] = {
    Kind.CANCELLATION: (Text("结算撤销凭条", "Cancellation receipt"), _cancellation_lines),
    Kind.CONTRIBUTION: (Text("社会保险缴费凭条", "Contribution receipt"), _payment_lines),
    Kind.DEBIT: (Text("卡内账户付款凭条", "Debit receipt"), _debit_lines),
    Kind.PROVISIONAL: (Text("脱网就诊登记凭条", "Slip: visit registered"), _provisional_lines),
    Kind.BENEFIT: (Text("待遇领取确认凭条", "Benefit receipt"), _benefit_lines),
}


def _receipt(place: str, operation: Operation, department: str | None) -> Receipt:
    settlement = decode(Settlement, operation.result)
    accounts = settlement.current_account_after_fen + settlement.past_accounts_after_fen
    what = (
        ReceiptLine(Text("账单编号", "Bill"), same(settlement.bill_id))
        if department is None
        else ReceiptLine(Text("科室", "Department"), same(department))
    )
    lines = (
        what,
        ReceiptLine(Text("结算编号", "Settlement"), same(settlement.settlement_id)),
        *visit_line(settlement.provisional_number),
        *split_lines(settlement.split),
        *_at_visit(operation, settlement.split.cash_fen, due_now),
        ReceiptLine.amount(Text("账户余额", "Account balance after"), accounts),
    )
    settled_at = local(settlement.settled_at)
    return Receipt(_RECEIPT, settlement.number, settled_at, place, lines, (_KEEP,))


def _at_visit(
    operation: Operation, cash_fen: int, parts: Callable[[int, int], Amounts]
) -> tuple[ReceiptLine, ...]:
    """What was paid at the visit registered offline, and what is left; nothing without one."""
    if PAID_FEN not in operation.payload:
        return ()
    before, now = parts(cash_fen, operation.payload[PAID_FEN])
    return ReceiptLine.amount(*before), ReceiptLine.amount(*now, strong=True)
