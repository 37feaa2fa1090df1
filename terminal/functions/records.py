"""Records (Articles 4, 5): what was settled, and what was debited from the account on the card."""

from __future__ import annotations

from backend_client.money_messages import DebitRecord, SettlementRecord
from terminal.clock import local
from terminal.flow import Flow, tell, working
from terminal.functions.earlier import earlier
from terminal.functions.entry import admitted, holder_verified
from terminal.outcome import Done, Refused
from terminal.policy import Function
from terminal.receipt import money, yuan
from terminal.screens import Details, Row, Section
from terminal.text import Text, same
from terminal.visit import Visit

_TITLE = Text("结算和扣款记录", "Settlements and debits")
_NONE = Text("没有结算和扣款记录。", "Nothing was settled or debited.")
_DONE = Text("查询结束。", "That is all.")
_CANCELLED = Text("已撤销", "taken back")


def flow(visit: Visit) -> Flow:
    """Show both, newest first."""
    decision = admitted(visit, Function.RECORDS)
    if isinstance(decision, Refused):
        return decision
    refused = yield from holder_verified(visit, decision)
    if refused is not None:
        return refused
    yield from earlier(visit)
    yield from working("正在查询", "Looking it up")
    found = visit.client.money.records(visit.card_ref)
    sections = [_settlement(each) for each in found.settlements]
    if found.debits:
        title = Text("卡内账户扣款", "Debits of the account on the card")
        sections.append(Section(title, tuple(_debit(each) for each in found.debits)))
    if not sections:
        return Done(_NONE)
    yield from tell(Details(_TITLE, tuple(sections)))
    return Done(_DONE)


def _settlement(record: SettlementRecord) -> Section:
    at = f"{local(record.settled_at):%Y-%m-%d %H:%M}"
    parts = f"{yuan(record.fund_fen)} / {yuan(record.account_fen)} / {yuan(record.cash_fen)}"
    rows = [
        Row(Text("结算编号", "Settlement"), same(record.settlement_id)),
        Row(Text("费用总额", "Total"), money(record.total_fen)),
        Row(Text("基金 / 账户 / 现金", "Fund / account / own money"), same(parts)),
    ]
    if record.provisional_number is not None:
        registration = Text("脱网登记流水号", "Registered offline as")
        rows.append(Row(registration, same(record.provisional_number)))
    if record.cancelled_at is not None:
        when = f"{local(record.cancelled_at):%Y-%m-%d %H:%M}"
        rows.append(Row(_CANCELLED, same(when)))
    return Section(same(f"{at} {record.institution_name}"), tuple(rows))


def _debit(record: DebitRecord) -> Row:
    at = f"{local(record.debited_at):%Y-%m-%d %H:%M}"
    return Row(same(f"{at} {record.institution_name}"), money(record.account_fen))
