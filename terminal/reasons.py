"""Why a card is refused: stable codes, the article behind each, and what the holder is told.

Each reason has one sentence that says what is the matter and one that says what to do next, in
words that a child and a very old person understand. Nobody is accused: who holds a lost card may
have found it. Articles are those of the Shanghai regulation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from terminal.text import Text


class Reason(StrEnum):
    """The stable code of a refusal."""

    NOT_AUTHENTIC = "NOT_AUTHENTIC"
    LISTED_TEMPORARY_LOSS = "LISTED_TEMPORARY_LOSS"
    LISTED_FORMAL_LOSS = "LISTED_FORMAL_LOSS"
    LISTED_VOID = "LISTED_VOID"
    FROZEN = "FROZEN"
    WRONG_ISSUER = "WRONG_ISSUER"
    UNSUPPORTED_VERSION = "UNSUPPORTED_VERSION"
    STOPPED_OLD_CARD = "STOPPED_OLD_CARD"
    NOT_YET_VALID = "NOT_YET_VALID"
    EXPIRED = "EXPIRED"
    CLOCK_UNTRUSTED = "CLOCK_UNTRUSTED"
    OPERATION_OPEN = "OPERATION_OPEN"
    TOO_MANY_OPEN = "TOO_MANY_OPEN"
    OFFLINE = "OFFLINE"
    STATUS_UNKNOWN = "STATUS_UNKNOWN"
    NOT_ACTIVATED = "NOT_ACTIVATED"
    ALREADY_ACTIVATED = "ALREADY_ACTIVATED"
    NOT_LOST = "NOT_LOST"
    LIST_MISSING = "LIST_MISSING"
    LIST_STALE = "LIST_STALE"
    LIST_NOT_COVERING = "LIST_NOT_COVERING"


@dataclass(frozen=True, slots=True)
class Wording:
    """What a reason says. `text` may have places to fill, such as `{until}`."""

    text: Text
    advice: Text
    article: int | None = None


_COMMUNITY = Text(
    "请携带身份证件到社区受理网点咨询，也可以拨打12345。",
    "Please take your identity document to a community service point, or call 12345.",
)
_LATER = Text(
    "请取回卡片，过一会儿再试，或者请工作人员帮忙。",
    "Please take your card, try again a little later, or ask the staff for help.",
)
_EXCHANGE = Text(
    "请携带身份证件到社区受理网点或银行受理网点办理换领，不收工本费。",
    "Please take your identity document to a community or bank service point and have the card "
    "exchanged. It costs nothing.",
)
_NEW_CARD = Text(
    "请携带身份证件到社区受理网点或银行受理网点重新申领，不收工本费。",
    "Please take your identity document to a community or bank service point and apply for a new "
    "card. It costs nothing.",
)

WORDING: Mapping[Reason, Wording] = {
    Reason.NOT_AUTHENTIC: Wording(
        Text("这张卡没有通过真伪校验，不能使用。", "This card did not prove that it is genuine."),
        _COMMUNITY,
        26,
    ),
    Reason.LISTED_TEMPORARY_LOSS: Wording(
        Text(
            "这张卡已临时挂失，{until}之前不能使用，到时会自动恢复。",
            "This card was reported lost. It cannot be used until {until}; then it works again by "
            "itself.",
        ),
        Text(
            "如果卡已经找到，可以在网上服务平台或者携带身份证件到社区受理网点解除挂失，马上恢复使用。",
            "If you have found your card, release the loss online or with your identity document "
            "at a community service point; then it works again at once.",
        ),
        18,
    ),
    Reason.LISTED_FORMAL_LOSS: Wording(
        Text(
            "这张卡已正式挂失，停止使用。",
            "This card was formally reported lost and is stopped.",
        ),
        Text(
            "如果卡已经找到，请携带身份证件到社区受理网点解除挂失；找不到的，可以补领新卡。",
            "If you have found your card, take your identity document to a community service "
            "point and release the loss. If it stays lost, you can have a replacement.",
        ),
        18,
    ),
    Reason.LISTED_VOID: Wording(
        Text(
            "这张卡已经作废，不能再使用。",
            "This card is void and can never be used again.",
        ),
        Text(
            "请使用补领或换领的新卡；还没有新卡的，请携带身份证件到社区受理网点办理。",
            "Please use the new card that replaced it. If you have none, take your identity "
            "document to a community service point.",
        ),
        23,
    ),
    Reason.FROZEN: Wording(
        Text("这张卡已被冻结，暂时不能使用。", "This card is frozen and cannot be used now."),
        _COMMUNITY,
    ),
    Reason.WRONG_ISSUER: Wording(
        Text(
            "本机不受理这个地区发的社会保障卡。",
            "This terminal does not take cards that were issued in this region.",
        ),
        Text(
            "请咨询工作人员，或拨打发卡地的12333。",
            "Please ask the staff, or call 12333 where your card was issued.",
        ),
    ),
    Reason.UNSUPPORTED_VERSION: Wording(
        Text("本机不能识别这张卡的版本。", "This terminal does not know this version of the card."),
        _EXCHANGE,
        21,
    ),
    Reason.STOPPED_OLD_CARD: Wording(
        Text(
            "这是旧版社会保障卡，从2020年12月31日起已停止使用。",
            "This is an old card. Cards of this kind stopped on 31 December 2020.",
        ),
        _NEW_CARD,
        30,
    ),
    Reason.NOT_YET_VALID: Wording(
        Text("这张卡从{start}起才能使用。", "This card can be used from {start} on."), _COMMUNITY
    ),
    Reason.EXPIRED: Wording(
        Text("这张卡已于{end}到期。", "This card expired on {end}."),
        _EXCHANGE,
    ),
    Reason.CLOCK_UNTRUSTED: Wording(
        Text(
            "本机的时间不准，暂时不能办理这项业务。",
            "This terminal is not sure of the time, so it cannot do this now.",
        ),
        _LATER,
    ),
    Reason.OPERATION_OPEN: Wording(
        Text(
            "这张卡上一笔业务的结果还在确认，请不要重复付款。",
            "We are still finding out how this card's last operation ended. Please do not pay "
            "again.",
        ),
        Text(
            "请保留凭条，过一会儿再试，或者请工作人员帮忙查询。",
            "Please keep your slip and try again a little later, or ask the staff to look it up.",
        ),
    ),
    Reason.TOO_MANY_OPEN: Wording(
        Text(
            "本机有太多业务的结果还没有确认，暂时不能办理新业务。",
            "Too many operations on this terminal are still unfinished, so it begins nothing new.",
        ),
        Text(
            "请换一台机器或窗口办理，或者请工作人员帮忙。",
            "Please use another terminal or the counter, or ask the staff for help.",
        ),
    ),
    Reason.OFFLINE: Wording(
        Text(
            "现在连不上服务中心，暂时不能办理这项业务。",
            "The service centre cannot be reached, so this cannot be done now.",
        ),
        _LATER,
    ),
    Reason.STATUS_UNKNOWN: Wording(
        Text(
            "现在查不到这张卡的状态，暂时不能办理这项业务。",
            "We cannot find out the state of this card now, so this cannot be done.",
        ),
        _LATER,
    ),
    Reason.NOT_ACTIVATED: Wording(
        Text(
            "这张卡的社会保障功能还没有开通。",
            "The social security function of this card is not active yet.",
        ),
        Text(
            "可以在本机选择“开通”，也可以到社区受理网点、银行受理网点、网上服务平台或拨打服务电话开通。",
            "Choose “Activate” on this terminal, or activate it at a community or bank service "
            "point, online or by phone.",
        ),
        12,
    ),
    Reason.ALREADY_ACTIVATED: Wording(
        Text(
            "这张卡的社会保障功能已经开通，不用再办。",
            "The social security function of this card is active already.",
        ),
        Text("您可以直接使用这张卡。", "You can use your card right away."),
        12,
    ),
    Reason.NOT_LOST: Wording(
        Text("这张卡没有挂失，不用解除。", "This card was not reported lost."),
        Text("您可以直接使用这张卡。", "You can use your card right away."),
        19,
    ),
    Reason.LIST_MISSING: Wording(
        Text(
            "本机还没有收到挂失名单，暂时不能受理卡片。",
            "This terminal has no list of lost cards yet, so it cannot take cards now.",
        ),
        _LATER,
    ),
    Reason.LIST_STALE: Wording(
        Text(
            "本机的挂失名单太久没有更新，暂时不能办理这项业务。",
            "This terminal's list of lost cards is too old, so this cannot be done now.",
        ),
        _LATER,
    ),
    Reason.LIST_NOT_COVERING: Wording(
        Text(
            "本机的挂失名单不包括这张卡所属的地区或发卡时间，现在又不能联网核实，暂时不能办理。",
            "This terminal's list of lost cards does not speak about cards like this one, and the "
            "centre cannot be asked now.",
        ),
        _LATER,
    ),
}

# What could not be checked, or is not as it should be, about a card that is admitted.

REMARK_STATUS_UNKNOWN = Text(
    "卡片状态未能向服务中心核实。", "The card's standing was not confirmed with the centre."
)
REMARK_CLOCK_UNTRUSTED = Text("本机时间未经确认。", "This terminal's clock has not been confirmed.")
REMARK_LIST_MISSING = Text("本机没有挂失名单。", "This terminal has no list of lost cards.")
REMARK_LIST_NOT_COVERING = Text(
    "本机的挂失名单不包括这类卡。", "This terminal's list of lost cards does not cover this card."
)
REMARK_OUT_OF_DATE = Text("这张卡不在有效期内。", "The card is outside its period of validity.")
REMARK_OLD_CARD = Text(
    "这是已停止使用的旧版卡。", "This is an old card, of a kind that has been stopped."
)
