"""The transport purse: what is in it, where it is taken, and the last trips. Only read here.

Selecting the purse leaves the social security application, and a card may forget there that the PIN
was right; so it is asked for again afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping

from apdu.transit import NoTransitPurse, TransitPurse
from apdu.transit_purchase import PurseCommands
from apdu.transit_records import Journey
from terminal.clock import local
from terminal.flow import Flow, tell, working
from terminal.functions.entry import admitted, holder_verified
from terminal.outcome import Done, Refused
from terminal.policy import Function
from terminal.receipt import money
from terminal.screens import Details, Row, Section
from terminal.text import Text, same
from terminal.visit import Visit

_TITLE = Text("交通钱包", "Transport purse")
_PURSE = Text("余额和有效期", "Balance and validity")
_TRIPS = Text("最近的行程", "Recent trips")
_DONE = Text("查询结束。", "That is all.")
_USABLE = Text("可以使用", "can be used")
_NOT_USABLE = Text("未启用", "not in use")
_EVERYWHERE = Text("全国互通城市", "all cities of the network")
_HERE = Text("仅限发卡城市", "the city of issue only")
_UNKNOWN = Text("其他", "other")
_NO_END = Text("长期", "no end date")
_NONE = Text(
    "2023年6月以前发的卡没有交通应用，换领新卡后就有。",
    "Cards issued before June 2023 have none; the card that you exchange yours for has one.",
)
_SHOWN = 10
"""Trips on the screen; the card keeps thirty."""

_INDUSTRIES: Mapping[int, Text] = {
    0x01: Text("地铁", "metro"),
    0x02: Text("公交", "bus"),
    0x03: Text("水上巴士", "water bus"),
    0x04: Text("出租车", "taxi"),
    0x05: Text("租车", "rental car"),
    0x06: Text("自行车", "bicycle"),
    0x07: Text("停车", "parking"),
    0x08: Text("长途客运", "coach"),
    0x09: Text("轮渡", "ferry"),
    0x0A: Text("高铁", "high-speed rail"),
    0x0B: Text("航空", "air"),
    0x0C: Text("高速公路", "motorway"),
    0x0E: Text("市域铁路", "suburban rail"),
}
_KINDS: Mapping[int, Text] = {
    0x01: Text("进站", "entry"),
    0x02: Text("出站", "exit"),
    0x03: Text("进站", "entry"),
    0x04: Text("出站", "exit"),
    0x05: Text("单次乘车", "single ride"),
    0x06: Text("单次乘车", "single ride"),
    0x07: Text("补票", "make-up fare"),
    0x08: Text("补票", "make-up fare"),
    0x09: Text("充值", "top-up"),
    0x0A: Text("充值", "top-up"),
}
"""Facts A2, file 001E: industries, and what a row records."""


def flow(visit: Visit) -> Flow:
    """Show the purse. Works without a network; a card without a purse is told so."""
    decision = admitted(visit, Function.TRANSIT)
    if isinstance(decision, Refused):
        return decision
    refused = yield from holder_verified(visit, decision)
    if refused is not None:
        return refused
    yield from working("正在读取交通钱包", "Reading the transport purse")
    try:
        sections = _read(visit)
    except NoTransitPurse as error:
        return Refused(error.code, Text(error.zh, error.en), _NONE)
    yield from tell(Details(_TITLE, sections))
    return Done(_DONE)


def _read(visit: Visit) -> tuple[Section, ...]:
    channel = visit.card.channel
    visit.pin_verified = False
    purse = TransitPurse.select(channel)
    card, area, own = purse.card, purse.area(), purse.money()
    today = local(visit.clock.now()).date()
    usable = card.personalised and card.enabled and card.is_valid_on(today)
    ends = _NO_END if card.valid_to is None else same(card.valid_to.isoformat())
    rows = (
        Row(Text("余额", "Balance"), money(own.real_fen)),
        Row(Text("卡号", "Card number"), same(card.number.masked)),
        Row(Text("状态", "State"), _USABLE if usable else _NOT_USABLE),
        Row(Text("有效期至", "Valid until"), ends),
        Row(Text("使用范围", "Taken in"), _EVERYWHERE if area.interoperable else _HERE),
    )
    trips = tuple(trip(one) for one in PurseCommands(channel).journeys()[:_SHOWN])
    section = Section(_PURSE, rows)
    return (section, Section(_TRIPS, trips)) if trips else (section,)


def trip(journey: Journey) -> Row:
    """One trip: when, with what, and what it cost."""
    when = "" if journey.at is None else f"{local(journey.at):%Y-%m-%d %H:%M}"
    industry = _INDUSTRIES.get(journey.industry, _UNKNOWN)
    kind = _KINDS.get(journey.kind, _UNKNOWN)
    label = Text(
        f"{when} {industry.zh} {kind.zh}".strip(), f"{when} {industry.en}, {kind.en}".strip()
    )
    return Row(label, money(journey.fen))
