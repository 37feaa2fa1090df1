"""Paying a contribution (Article 5): the holder sees what is due, agrees, and it is collected."""

from __future__ import annotations

from collections.abc import Generator

from backend_client.money_messages import ContributionBill, ContributionRequest
from terminal.flow import Flow, choice, working
from terminal.functions.commit import agreed_upon, commit, unfinished
from terminal.functions.earlier import earlier, told
from terminal.functions.entry import let_in_with_pin
from terminal.functions.receipts import receipt_of
from terminal.outcome import Done, Refused
from terminal.policy import Function
from terminal.receipt import money
from terminal.screens import Answer, Choose, Confirm, Option, Row, Screen, Section
from terminal.sections import KINDS
from terminal.store.journal import Kind
from terminal.text import Text, same
from terminal.visit import Visit

_CHOOSE = Text("请选择要缴纳的费用", "Which contribution do you want to pay?")
_CONFIRM = Text("请核对金额，确认缴费", "Please check the amount and confirm")
_YES = Text("确认缴费", "Pay")
_NO = Text("不缴费", "Do not pay")
_PAYING = Text("正在缴费，请稍候", "Paying, please wait")
_NONE = Text("没有待缴费用。", "There is no contribution to pay.")
_PAID = Text("缴费完成。", "The contribution is paid.")
_FROM = Text("从社保卡银行账户扣款", "from the bank account of your card")


def flow(visit: Visit) -> Flow:
    """Choose a contribution, check it, agree, pay."""
    decision = yield from let_in_with_pin(visit, Function.CONTRIBUTION)
    if isinstance(decision, Refused):
        return decision
    yield from earlier(visit)
    yield from working("正在查询待缴费用", "Looking for contributions")
    bills = visit.client.money.contribution_bills(visit.card_ref).bills
    if not bills:
        return Done(_NONE)
    bill = yield from _chosen(bills)
    return (yield from _paid(visit, bill))


def _chosen(bills: tuple[ContributionBill, ...]) -> Generator[Screen, Answer, ContributionBill]:
    options = tuple(Option(bill.bill_id, _name(bill), money(bill.amount_fen)) for bill in bills)
    key = yield from choice(Choose(_CHOOSE, options))
    return next(bill for bill in bills if bill.bill_id == key)


def _name(bill: ContributionBill) -> Text:
    kind = KINDS[bill.kind]
    return Text(f"{bill.month} {kind.zh}", f"{bill.month} {kind.en}")


def _paid(visit: Visit, bill: ContributionBill) -> Flow:
    what = {"bill_id": bill.bill_id, "amount_fen": bill.amount_fen}
    prepared = visit.journal.prepare(Kind.CONTRIBUTION, visit.card_ref, what)
    refused = yield from agreed_upon(visit, Function.CONTRIBUTION, prepared, _check(bill), _PAYING)
    if refused is not None:
        return refused
    request = ContributionRequest(prepared.number, visit.card_ref, bill.bill_id, bill.amount_fen)
    operation = commit(visit, prepared, request, visit.client.money.pay_contribution)
    failed = unfinished(visit, operation, receipt_follows=True)
    if failed is not None:
        return failed
    return Done(_PAID, receipt_of(visit.place, operation), lambda: told(visit, operation))


def _check(bill: ContributionBill) -> Confirm:
    rows = (
        Row(Text("缴费期限", "Due by"), same(bill.due.isoformat())),
        Row(Text("扣款方式", "Paid"), _FROM),
    )
    due = (Row(Text("应缴金额", "Amount due"), money(bill.amount_fen)),)
    return Confirm(_CONFIRM, (Section(_name(bill), rows),), _YES, _NO, amounts=due)
