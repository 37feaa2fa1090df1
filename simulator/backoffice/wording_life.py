"""What each refusal of an application says, and each about who somebody is (see wording.py)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from simulator.backoffice.refusals import Refusal
from simulator.backoffice.sentences import Wording

_CONFLICT = HTTPStatus.CONFLICT
_FORBIDDEN = HTTPStatus.FORBIDDEN
_NOT_FOUND = HTTPStatus.NOT_FOUND

APPLICATIONS: Mapping[Refusal, Wording] = {
    Refusal.NOT_ELIGIBLE: Wording(
        _CONFLICT,
        "社会保障卡由本市户籍人员和依法参加本市社会保险的人员申领。",
        "The card is for residents of the city and for those insured in it.",
        8,
    ),
    Refusal.DOCUMENT_NOT_VALID: Wording(
        _CONFLICT,
        "请出示符合要求的有效身份证件。",
        "Please show a valid identity document of the kind that is asked for.",
        9,
    ),
    Refusal.IDENTITY_NOT_CHECKED: Wording(
        _CONFLICT,
        "申领信息需要现场核对后才能上传。",
        "What the application says has to be checked with the applicant on the spot first.",
        9,
        "Send it again once the applicant's data were checked at the counter.",
    ),
    Refusal.HOLDER_HAS_NO_CARD: Wording(
        _CONFLICT,
        "您名下没有社会保障卡，请先申领。",
        "You have no card yet. Please apply for one first.",
    ),
    Refusal.NOT_SEVEN_YET: Wording(
        _CONFLICT,
        "儿童年满七周岁后换领印有相片的社会保障卡。",
        "A child exchanges the card for one with a photo from the seventh birthday on.",
        22,
    ),
    Refusal.NOT_STOPPED: Wording(
        _CONFLICT,
        "这张卡没有停止使用，不需要为此重新申领。",
        "This card has not been stopped, so it needs no new application for that.",
        30,
    ),
    Refusal.APPLICATION_OPEN: Wording(
        _CONFLICT,
        "您已有一项正在办理的制卡申请，请查询进度。",
        "An application of yours is under way already. Please ask for its progress.",
    ),
    Refusal.APPLICATION_UNKNOWN: Wording(
        _NOT_FOUND,
        "查不到这项申请。",
        "There is no such application.",
    ),
    Refusal.APPLICATION_CLOSED: Wording(
        _CONFLICT,
        "这项申请已经办结。",
        "This application has come to its end.",
    ),
    Refusal.NOT_VERIFYING: Wording(
        _CONFLICT,
        "这项申请不在核验中。",
        "This application is not being verified.",
        10,
    ),
    Refusal.NOT_VERIFIED_YET: Wording(
        _CONFLICT,
        "这项申请还在核验，核验通过后才能制卡。",
        "This application is still being verified; a card is made once that is done.",
        10,
    ),
    Refusal.VERDICT_GIVEN: Wording(
        _CONFLICT,
        "该部门已经给出核验结果。",
        "This department has given its verdict already.",
        10,
    ),
    Refusal.REASON_MISSING: Wording(
        _CONFLICT,
        "核验不通过的，应当说明理由。",
        "A verification that fails has to say why.",
        10,
        "Send the reason with the verdict.",
    ),
    Refusal.CARD_NOT_MADE_YET: Wording(
        _CONFLICT,
        "新卡还在制作，制作完成后即可领取。",
        "The new card is still being made. You can fetch it once it is done.",
        11,
    ),
    Refusal.CARD_MADE_ALREADY: Wording(
        _CONFLICT,
        "新卡已经制作完成，请领取。",
        "The new card is made already. Please fetch it.",
        11,
    ),
    Refusal.POINT_UNKNOWN: Wording(
        _NOT_FOUND,
        "查不到这个受理网点。",
        "This service point is not known.",
        remedy="Add the service point first.",
    ),
    Refusal.POINT_MAKES_NO_CARDS: Wording(
        _CONFLICT,
        "这个网点不能当场制卡，请到具备条件的网点办理，或等待15日内制卡。",
        "This service point cannot make a card on the spot. Please go to one that can, or wait: "
        "the card is there within 15 days.",
        23,
    ),
    Refusal.BANK_UNKNOWN: Wording(
        _NOT_FOUND,
        "这家银行不是社会保障卡的服务银行，请另选。",
        "This is not one of the card's service banks. Please choose another.",
        14,
    ),
    Refusal.OTHER_BANK: Wording(
        _CONFLICT,
        "这张卡已选择其他服务银行，更换服务银行需要重新申领。",
        "This card has another service bank. Changing it takes a new application.",
        22,
    ),
}

IDENTITY: Mapping[Refusal, Wording] = {
    Refusal.IDENTITY_NOT_PROVED: Wording(
        _FORBIDDEN,
        "办理这项业务需要证明是本人：请插卡并输入密码，或出示电子社保卡二维码；"
        "也可以携带有效身份证件到社区受理网点办理。",
        "This needs proof that you are the holder: insert the card and enter its PIN, or show the "
        "code of your electronic card. A community service point does it with a valid identity "
        "document.",
    ),
    Refusal.IDENTITY_UNKNOWN: Wording(
        _NOT_FOUND,
        "姓名和社会保障号码不符，或名下没有社会保障卡，请核对后再试。",
        "Name and social security number do not belong together, or there is no card. Please check "
        "them.",
    ),
    Refusal.TOO_MANY_TRIES: Wording(
        HTTPStatus.TOO_MANY_REQUESTS,
        "尝试次数过多，请过一会儿再试，或拨打社会保障卡服务电话。",
        "Too many tries. Please try again later, or call the card's service telephone.",
    ),
    Refusal.SIGN_IN_EXPIRED: Wording(
        _FORBIDDEN,
        "登录已过有效时间，请重新出示电子社保卡二维码。",
        "You have been signed out. Please show the code of your electronic card again.",
        31,
    ),
    Refusal.ECARD_NONE: Wording(
        _NOT_FOUND,
        "您还没有电子社保卡，请插卡申领。",
        "You have no electronic card yet. Please insert your card and apply for one.",
        31,
    ),
    Refusal.ECARD_CODE_INVALID: Wording(
        _CONFLICT,
        "二维码无效或已过期，请刷新后重新出示。",
        "This code is not valid or too old. Please renew it and show it again.",
        31,
    ),
    Refusal.ECARD_PIN_WRONG: Wording(
        _FORBIDDEN,
        "电子社保卡密码不正确，请核对后再试。",
        "The PIN of the electronic card is wrong. Please check it and try again.",
        31,
    ),
    Refusal.ECARD_PIN_UNSUITABLE: Wording(
        _CONFLICT,
        "电子社保卡密码应为6位数字，不能是连续或相同的数字。",
        "The electronic card's PIN has six digits, not all alike and not in a row.",
        31,
    ),
    Refusal.ECARD_LOCKED: Wording(
        _FORBIDDEN,
        "电子社保卡密码错误次数过多，已锁定；请插卡重新申领。",
        "The electronic card is locked after too many wrong PINs. Insert your card to apply anew.",
        31,
    ),
}
