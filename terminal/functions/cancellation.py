"""Taking back a settlement made at this terminal (Article 5): whole, with the holder's agreement.

What can be taken back is what the journal has as settled here with this card. The centre gives back
to each payer exactly what it took; the bill is open again afterwards.
"""

from __future__ import annotations

from collections.abc import Generator

from backend_client.codec import decode
from backend_client.messages import Settlement
from backend_client.money_messages import CancelRequest
from terminal.centre import CHANNEL, REFERENCE, reference_of
from terminal.clock import local
from terminal.flow import Flow, choice
from terminal.functions.commit import agreed_upon, commit, give_up, unfinished
from terminal.functions.earlier import earlier, told
from terminal.functions.entry import let_in_with_pin
from terminal.functions.provisional_visits import PAID_FEN, returned_now
from terminal.functions.receipts import receipt_of
from terminal.outcome import Done, Outcome, Refused
from terminal.policy import Function
from terminal.receipt import money
from terminal.screens import Answer, Choose, Confirm, Option, Row, Screen
from terminal.sections import given_back_section
from terminal.store.journal import Kind, Operation
from terminal.text import Text
from terminal.visit import Visit

_CHOOSE = Text("请选择要撤销的结算", "Which settlement do you want to take back?")
_CONFIRM = Text("撤销后款项按原渠道退回，请确认", "Every payer gets its part back. Please confirm.")
_YES = Text("撤销结算", "Take it back")
_NO = Text("不撤销", "Leave it")
_BACK = Text("退给您的现金", "Money back to you")
_IN_ALL = Text("撤销总额", "Taken back in all")
_TAKING_BACK = Text("正在撤销，请稍候", "Taking it back, please wait")
_NONE = Text("本机没有可以撤销的结算。", "This terminal has no settlement of this card.")
_DONE = Text("结算已撤销，款项已退回。", "The settlement was taken back and the money given back.")


def flow(visit: Visit) -> Flow:
    """Choose a settlement, see what is given back, agree, take it back."""
    decision = yield from let_in_with_pin(visit, Function.CANCELLATION)
    if isinstance(decision, Refused):
        return decision
    yield from earlier(visit)
    settled = visit.journal.settled(visit.card_ref.card_id)
    if not settled:
        return Done(_NONE)
    chosen, settlement = yield from _chosen(settled)
    return (yield from _taken_back(visit, chosen, settlement))


def _chosen(
    settled: tuple[Operation, ...],
) -> Generator[Screen, Answer, tuple[Operation, Settlement]]:
    found = {one.number: (one, decode(Settlement, one.result)) for one in settled}
    options = tuple(
        Option(number, _when(settlement), money(settlement.split.total_fen))
        for number, (_, settlement) in found.items()
    )
    return found[(yield from choice(Choose(_CHOOSE, options)))]


def _when(settlement: Settlement) -> Text:
    at = f"{local(settlement.settled_at):%Y-%m-%d %H:%M}"
    return Text(f"{at} {settlement.bill_id}", f"{at} {settlement.bill_id}")


def _taken_back(visit: Visit, chosen: Operation, settlement: Settlement) -> Flow:
    what = {"settlement_number": chosen.number, "settlement_id": settlement.settlement_id}
    paid = _paid_at_visit(chosen)
    prepared = visit.journal.prepare(Kind.CANCELLATION, visit.card_ref, what)
    split = settlement.split
    back = returned_now(split.cash_fen, paid[PAID_FEN]) if paid else ((_BACK, split.cash_fen),)
    amounts = tuple(Row(label, money(fen)) for label, fen in (*back, (_IN_ALL, split.total_fen)))
    screen = Confirm(_CONFIRM, (given_back_section(split),), _YES, _NO, amounts=amounts)
    refused = yield from agreed_upon(visit, Function.CANCELLATION, prepared, screen, _TAKING_BACK)
    return refused or _committed(visit, chosen, settlement, prepared)


def _committed(
    visit: Visit, chosen: Operation, settlement: Settlement, prepared: Operation
) -> Outcome:
    channel, reference = visit.channel_of(chosen), reference_of(chosen)
    request = CancelRequest(
        prepared.number, visit.card_ref, chosen.number, settlement.settlement_id
    )
    operation = commit(
        visit,
        prepared,
        request,
        lambda cancel: channel.cancel(cancel, reference),
        {CHANNEL: channel.name, REFERENCE: dict(reference), **_paid_at_visit(chosen)},
    )
    failed = unfinished(visit, operation, receipt_follows=True)
    if failed is not None:
        return failed
    give_up(channel, reference)
    return Done(_DONE, receipt_of(visit.place, operation), lambda: told(visit, operation))


def _paid_at_visit(settled: Operation) -> dict[str, int]:
    """What its holder had paid at the visit that was registered offline, if it is of one."""
    return {PAID_FEN: settled.payload[PAID_FEN]} if PAID_FEN in settled.payload else {}
