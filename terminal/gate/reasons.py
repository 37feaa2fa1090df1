"""Why a gate stays shut: stable codes, and what the passenger and the staff are told."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from terminal.text import Text


class GateReason(StrEnum):
    """The stable code of a tap that opened nothing."""

    NO_PURSE = "GATE_NO_PURSE"
    NOT_ENABLED = "GATE_NOT_ENABLED"
    NOT_YET_VALID = "GATE_NOT_YET_VALID"
    EXPIRED = "GATE_EXPIRED"
    NOT_INTEROPERABLE = "GATE_NOT_INTEROPERABLE"
    LISTED = "GATE_LISTED"
    LIST_MISSING = "GATE_LIST_MISSING"
    LIST_STALE = "GATE_LIST_STALE"
    CLOCK_UNTRUSTED = "GATE_CLOCK_UNTRUSTED"
    TOO_MANY_UNSENT = "GATE_TOO_MANY_UNSENT"
    UNSENT_TOO_LONG = "GATE_UNSENT_TOO_LONG"
    ALREADY_INSIDE = "GATE_ALREADY_INSIDE"
    NOT_INSIDE = "GATE_NOT_INSIDE"
    PASSED_BACK = "GATE_PASSED_BACK"
    NO_FARE = "GATE_NO_FARE"
    TOO_LITTLE = "GATE_TOO_LITTLE"
    TAP_AGAIN = "GATE_TAP_AGAIN"
    SEVERAL_CARDS = "GATE_SEVERAL_CARDS"
    CARD_FAULT = "GATE_CARD_FAULT"
    OUT_OF_SERVICE = "GATE_OUT_OF_SERVICE"

    @property
    def closes_the_gate(self) -> bool:
        """Whether it is the gate's state and not the card's: nobody can pass now."""
        return self in _CLOSING


_CLOSING = frozenset(
    {
        GateReason.LIST_MISSING,
        GateReason.LIST_STALE,
        GateReason.CLOCK_UNTRUSTED,
        GateReason.TOO_MANY_UNSENT,
        GateReason.UNSENT_TOO_LONG,
        GateReason.OUT_OF_SERVICE,
    }
)

_CLOSED = Text("本闸机暂停服务，请走其他通道。", "This gate is closed. Please use another one.")

WORDING: Mapping[GateReason, Text] = {
    GateReason.NO_PURSE: Text("卡内没有交通功能。", "This card has no transport function."),
    GateReason.NOT_ENABLED: Text(
        "交通功能未启用，请到服务窗口。", "The transport function is off. Please ask at the desk."
    ),
    GateReason.NOT_YET_VALID: Text("卡片尚未生效。", "This card is not valid yet."),
    GateReason.EXPIRED: Text("卡片已过有效期。", "This card has expired."),
    GateReason.NOT_INTEROPERABLE: Text(
        "外地卡未开通互通。", "This card from another city cannot be used here."
    ),
    GateReason.LISTED: Text(
        "此卡已停用，请到服务窗口。", "This card has been stopped. Please ask at the desk."
    ),
    GateReason.LIST_MISSING: _CLOSED,
    GateReason.LIST_STALE: _CLOSED,
    GateReason.CLOCK_UNTRUSTED: _CLOSED,
    GateReason.TOO_MANY_UNSENT: _CLOSED,
    GateReason.UNSENT_TOO_LONG: _CLOSED,
    GateReason.OUT_OF_SERVICE: _CLOSED,
    GateReason.ALREADY_INSIDE: Text(
        "此卡已进站，请到服务窗口。", "This card is inside already. Please ask at the desk."
    ),
    GateReason.NOT_INSIDE: Text(
        "此卡无进站记录，请到服务窗口。", "This card has not gone in. Please ask at the desk."
    ),
    GateReason.PASSED_BACK: Text("此卡刚刷过。", "This card was used a moment ago."),
    GateReason.NO_FARE: Text("没有可用的票价，请到服务窗口。", "There is no fare for this ride."),
    GateReason.TOO_LITTLE: Text("余额不足，请充值。", "Not enough money. Please top up."),
    GateReason.TAP_AGAIN: Text("请重新刷卡。", "Please tap again."),
    GateReason.SEVERAL_CARDS: Text("请只刷一张卡。", "One card only, please."),
    GateReason.CARD_FAULT: Text(
        "读卡失败，请到服务窗口。", "The card cannot be read. Please ask at the desk."
    ),
}
