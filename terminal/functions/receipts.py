"""Receipts of settlements, from what the journal keeps: at once, or when the holder is back."""

from __future__ import annotations

import logging

from backend_client.codec import decode
from backend_client.messages import Settlement
from terminal.clock import local
from terminal.receipt import Receipt, ReceiptLine
from terminal.sections import split_lines
from terminal.store.journal import Operation
from terminal.text import Text
from terminal.visit import Visit

log = logging.getLogger(__name__)

_RECEIPT = Text("医疗费用结算单", "Settlement receipt")
_KEEP = Text("请妥善保管本结算单。", "Please keep this receipt.")
_NO_DETAILS = Text(
    "结算已完成，明细暂时无法打印，请到收费窗口凭流水号补打。",
    "The bill is settled. The details cannot be printed now: the cash desk prints them for this "
    "number.",
)


def settlement_receipt(
    visit: Visit, operation: Operation, department: str | None = None
) -> Receipt:
    """The receipt of a confirmed settlement; `department` where the bill is at hand.

    Never raises: the money has moved, so there is a receipt, if need be with the number alone.
    """
    try:
        return _receipt(visit, operation, department)
    except Exception:
        log.exception("operation %s is settled, its receipt cannot be made", operation.number)
        at = local(operation.changed_at)
        return Receipt(_RECEIPT, operation.number, at, visit.place, (), (_NO_DETAILS,))


def _receipt(visit: Visit, operation: Operation, department: str | None) -> Receipt:
    settlement = decode(Settlement, operation.result)
    accounts = settlement.current_account_after_fen + settlement.past_accounts_after_fen
    what = (
        ReceiptLine(Text("账单编号", "Bill"), settlement.bill_id)
        if department is None
        else ReceiptLine(Text("科室", "Department"), department)
    )
    lines = (
        what,
        ReceiptLine(Text("结算编号", "Settlement"), settlement.settlement_id),
        *split_lines(settlement.split),
        ReceiptLine.amount(Text("账户余额", "Account balance after"), accounts),
    )
    settled_at = local(settlement.settled_at)
    return Receipt(_RECEIPT, settlement.number, settled_at, visit.place, lines, (_KEEP,))
