"""The functions of the terminal, one file each; the registry names them.

Adding a function is one file with a `flow(visit)` and one line here. `FUNCTIONS` are for the card
in the reader; `ERRANDS` are for somebody who has none to insert.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from terminal.errand import Errand
from terminal.flow import Flow
from terminal.functions import (
    activation,
    bank,
    benefits,
    cancellation,
    card,
    catalogue,
    contribution,
    debit,
    ecard,
    loss,
    pin,
    provisional,
    query,
    records,
    release,
    replacement,
    settlement,
    standing,
    transit,
)
from terminal.policy import Function
from terminal.text import Text
from terminal.visit import Visit

_STANDING = Text("功能状态和办理进度", "Functions and progress")
_RELEASE = Text("解除挂失", "Release a loss")
_CATALOGUE = Text("服务指南", "Services")


@dataclass(frozen=True, slots=True)
class Entry:
    """One function of the menu."""

    title: Text
    flow: Callable[[Visit], Flow]


FUNCTIONS: Mapping[Function, Entry] = MappingProxyType(
    {
        Function.READ: Entry(Text("卡面信息", "My card"), card.flow),
        Function.QUERY: Entry(Text("查询", "Query"), query.flow),
        Function.ACTIVATION: Entry(Text("开通", "Activate"), activation.flow),
        Function.SETTLEMENT: Entry(Text("费用结算", "Settle a bill"), settlement.flow),
        Function.CANCELLATION: Entry(Text("撤销结算", "Take back a settlement"), cancellation.flow),
        Function.CONTRIBUTION: Entry(Text("社保缴费", "Pay a contribution"), contribution.flow),
        Function.BENEFITS: Entry(Text("待遇领取", "Benefits"), benefits.flow),
        Function.RECORDS: Entry(Text("结算和扣款记录", "Settlements and debits"), records.flow),
        Function.PROVISIONAL: Entry(
            Text("脱网就诊登记", "Register a visit offline"), provisional.flow
        ),
        Function.DEBIT: Entry(Text("卡内账户付款", "Pay from the card"), debit.flow),
        Function.PIN_CHANGE: Entry(Text("修改密码", "Change the PIN"), pin.flow),
        Function.STANDING: Entry(_STANDING, standing.flow),
        Function.RELEASE: Entry(_RELEASE, release.flow),
        Function.REPLACEMENT: Entry(Text("换领、重新申领", "Get another card"), replacement.flow),
        Function.BANK: Entry(Text("金融服务功能", "Bank function"), bank.flow),
        Function.ECARD: Entry(Text("电子社保卡", "Electronic card"), ecard.flow),
        Function.CATALOGUE: Entry(_CATALOGUE, catalogue.flow),
        Function.TRANSIT: Entry(Text("交通钱包", "Transport purse"), transit.flow),
    }
)


@dataclass(frozen=True, slots=True)
class WithoutCard:
    """One function of the menu for those who have no card to insert."""

    title: Text
    flow: Callable[[Errand], Flow]


ERRANDS: Mapping[str, WithoutCard] = MappingProxyType(
    {
        "loss": WithoutCard(Text("挂失", "Report a loss"), loss.flow),
        "release": WithoutCard(_RELEASE, release.errand),
        "replacement": WithoutCard(
            Text("补领、换领、重新申领", "Get another card"), replacement.errand
        ),
        "standing": WithoutCard(_STANDING, standing.errand),
        "catalogue": WithoutCard(_CATALOGUE, catalogue.errand),
    }
)
