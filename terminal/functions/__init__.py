"""The functions of the terminal, one file each; the registry names them.

Adding a function is one file with a `flow(visit)` and one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from terminal.flow import Flow
from terminal.functions import (
    activation,
    benefits,
    cancellation,
    card,
    contribution,
    pin,
    query,
    records,
    settlement,
)
from terminal.policy import Function
from terminal.text import Text
from terminal.visit import Visit


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
        Function.PIN_CHANGE: Entry(Text("修改密码", "Change the PIN"), pin.flow),
    }
)
