"""Benefits (Article 5): what was paid to the holder, and confirming that it was received."""

from __future__ import annotations

from collections.abc import Generator

from backend_client.money_messages import Benefit, BenefitConfirmation
from terminal.clock import local
from terminal.flow import Flow, choice, tell, working
from terminal.functions.commit import agreed_upon, commit, unfinished
from terminal.functions.earlier import earlier, told
from terminal.functions.entry import let_in_with_pin
from terminal.functions.receipts import receipt_of
from terminal.outcome import Done, Refused
from terminal.policy import Function
from terminal.receipt import money
from terminal.screens import Answer, Choose, Confirm, Details, Option, Row, Screen, Section
from terminal.store.journal import Kind
from terminal.text import Text, same
from terminal.visit import Visit

_TITLE = Text("我的待遇", "My benefits")
_CHOOSE = Text("请选择要确认领取的待遇", "Which benefit did you receive?")
_CONFIRM = Text("请确认已经收到这笔待遇", "Please confirm that you received it")
_YES = Text("确认领取", "Received")
_NO = Text("暂不确认", "Not yet")
_CONFIRMING = Text("正在确认，请稍候", "Confirming, please wait")
_NONE = Text("没有待遇发放记录。", "No benefit was paid to you.")
_SEEN = Text("没有待确认的待遇。", "There is no benefit left to confirm.")
_DONE = Text("已确认领取。", "The receipt is confirmed.")
_AMOUNT = Text("金额", "Amount")
_OPEN = Text("待确认", "to be confirmed")


def flow(visit: Visit) -> Flow:
    """Show the benefits; confirm one that is not confirmed yet."""
    decision = yield from let_in_with_pin(visit, Function.BENEFITS)
    if isinstance(decision, Refused):
        return decision
    yield from earlier(visit)
    yield from working("正在查询待遇", "Looking for benefits")
    benefits = visit.client.money.benefits(visit.card_ref).benefits
    if not benefits:
        return Done(_NONE)
    yield from tell(Details(_TITLE, tuple(_section(each) for each in benefits)))
    waiting = tuple(each for each in benefits if each.confirmed_at is None)
    if not waiting:
        return Done(_SEEN)
    chosen = yield from _chosen(waiting)
    return (yield from _confirmed(visit, chosen))


def _name(benefit: Benefit) -> Text:
    return Text(f"{benefit.period} {benefit.name_zh}", f"{benefit.period} {benefit.name_en}")


def _section(benefit: Benefit) -> Section:
    at = benefit.confirmed_at
    return Section(
        _name(benefit),
        (
            Row(_AMOUNT, money(benefit.amount_fen)),
            Row(Text("发放日期", "Paid on"), same(benefit.paid_on.isoformat())),
            Row(
                Text("领取确认", "Receipt"),
                _OPEN if at is None else same(f"{local(at):%Y-%m-%d %H:%M}"),
            ),
        ),
    )


def _chosen(waiting: tuple[Benefit, ...]) -> Generator[Screen, Answer, Benefit]:
    options = tuple(
        Option(each.benefit_id, _name(each), money(each.amount_fen)) for each in waiting
    )
    key = yield from choice(Choose(_CHOOSE, options))
    return next(each for each in waiting if each.benefit_id == key)


def _confirmed(visit: Visit, benefit: Benefit) -> Flow:
    what = {"benefit_id": benefit.benefit_id, "amount_fen": benefit.amount_fen}
    prepared = visit.journal.prepare(Kind.BENEFIT, visit.card_ref, what)
    got = (Row(_AMOUNT, money(benefit.amount_fen)),)
    screen = Confirm(_CONFIRM, (_section(benefit),), _YES, _NO, amounts=got)
    refused = yield from agreed_upon(visit, Function.BENEFITS, prepared, screen, _CONFIRMING)
    if refused is not None:
        return refused
    request = BenefitConfirmation(
        prepared.number, visit.card_ref, benefit.benefit_id, benefit.amount_fen
    )
    operation = commit(visit, prepared, request, visit.client.money.confirm_benefit)
    failed = unfinished(visit, operation, receipt_follows=True)
    if failed is not None:
        return failed
    return Done(_DONE, receipt_of(visit.place, operation), lambda: told(visit, operation))
