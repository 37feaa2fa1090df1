"""The bank function: which bank, where it stands, how to open it (Articles 14, 20).

Opening, losing and finding it are the bank's own affair; the social security function is not
touched by any of it.
"""

from __future__ import annotations

from backend_client.errors import BackendError
from backend_client.life_messages import Catalogue, Proof, Standing, StandingQuery
from terminal.errors import explain
from terminal.flow import Flow, tell, working
from terminal.functions.entry import admitted, holder_verified
from terminal.life_texts import BANK_STATES
from terminal.outcome import Done, Refused
from terminal.policy import Function
from terminal.screens import Details, Message, Row, Section, Tone
from terminal.text import Text, same
from terminal.visit import Visit

_TITLE = Text("金融服务功能", "Bank function")
_NONE = Text("未选择", "none chosen")
_RULES = Section(
    Text("请注意", "Please note"),
    (
        Row(
            Text("开通", "Opening it"),
            Text("自愿；不影响社会保障功能", "is up to you; nothing else changes"),
        ),
        Row(
            Text("挂失", "Losing it"),
            Text("请联系服务银行，规则由银行告知", "tell the bank, which has its own rules"),
        ),
        Row(
            Text("更换银行", "Another bank"),
            Text("需要重新申领社会保障卡", "takes an application for a new card"),
        ),
    ),
)
_OFFLINE = Text("本卡的状态暂时查不到。", "Where your card stands is not known now.")
_DONE = Text("查询结束。", "That is all.")


def flow(visit: Visit) -> Flow:
    """Show the card's bank, then every service bank and how its function is opened."""
    decision = admitted(visit, Function.BANK)
    if isinstance(decision, Refused):
        return decision
    refused = yield from holder_verified(visit, decision)
    if refused is not None:
        return refused
    yield from working("正在查询", "Looking it up")
    sections: tuple[Section, ...] = ()
    try:
        standing = visit.client.life.standing(StandingQuery(Proof(card=visit.card_ref)))
        sections = (_mine(standing),)
    except BackendError as error:
        told = explain(error)
        yield from tell(Message(told.text, (_OFFLINE,), Tone.WARNING, told.code))
    yield from tell(Details(_TITLE, (*sections, _RULES, *_banks(visit.catalogue()))))
    return Done(_DONE)


def _mine(standing: Standing) -> Section:
    bank = same(standing.bank) if standing.bank else _NONE
    return Section(
        Text("本卡", "Your card"),
        (
            Row(Text("服务银行", "Service bank"), bank),
            Row(Text("金融功能", "Bank function"), BANK_STATES[standing.bank_function]),
        ),
    )


def _banks(catalogue: Catalogue | None) -> tuple[Section, ...]:
    return tuple(
        Section(
            Text(bank.name_zh, bank.name_en),
            (
                Row(Text("怎么开通", "How to open it"), Text(bank.opening_zh, bank.opening_en)),
                Row(Text("电话", "Telephone"), same(bank.phone)),
            ),
        )
        for bank in (catalogue.banks if catalogue else ())
    )
