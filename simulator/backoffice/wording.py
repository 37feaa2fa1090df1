"""What each refusal says: HTTP status, article, a sentence for the holder, one for the operator.

The holder's sentences say what is the matter and what to do next; nobody is accused.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from simulator.backoffice.refusals import Refusal
from simulator.backoffice.sentences import Wording
from simulator.backoffice.wording_life import APPLICATIONS, IDENTITY

_TERMINAL = "Update the terminal: its request breaks the interface."


_FORBIDDEN = HTTPStatus.FORBIDDEN
_UNAUTHORIZED = HTTPStatus.UNAUTHORIZED
_NOT_FOUND = HTTPStatus.NOT_FOUND
_CONFLICT = HTTPStatus.CONFLICT
_BAD = HTTPStatus.BAD_REQUEST
_ZH_STAFF = "请联系工作人员。"
_EN_STAFF = "Please ask the staff."
_ZH_AGAIN = "没有扣款，请重新结算。"
_EN_AGAIN = "Nothing was charged. Please start again."

_CARD = {
    Refusal.CARD_VOID: Wording(
        _CONFLICT,
        "这张卡已经失效，不能恢复使用，请使用新卡。",
        "This card is void and never returns. Please use the new card.",
        23,
    ),
    Refusal.CARD_STOPPED: Wording(
        _CONFLICT,
        "这张旧卡已停止使用，请重新申领，不收工本费。",
        "This old card has been stopped. Please apply for a new one; it costs nothing.",
        30,
    ),
    Refusal.CARD_TEMPORARILY_LOST: Wording(
        _CONFLICT,
        "这张卡已临时挂失，到期自动恢复；找到卡后可以解除挂失，找不到请办理正式挂失。",
        "This card was reported lost for five days and then works again by itself. Release the "
        "loss if you have found it; otherwise report it formally.",
        18,
    ),
    Refusal.CARD_FORMALLY_LOST: Wording(
        _CONFLICT,
        "这张卡已正式挂失，停止使用；找到卡后可以解除挂失，找不到可以补领。",
        "This card was formally reported lost and is stopped. Release the loss if you have found "
        "it; otherwise apply for a replacement.",
        18,
    ),
    Refusal.CARD_FROZEN: Wording(
        _CONFLICT,
        "这张卡已被冻结，请携带身份证件到社区受理网点咨询。",
        "This card is frozen. Please ask at a community service point with your identity document.",
    ),
    Refusal.NOT_ACTIVATED: Wording(
        _CONFLICT,
        "这张卡的社会保障功能还没有开通，请先开通。",
        "The social security function of this card is not active yet. Please activate it first.",
        12,
    ),
    Refusal.ALREADY_ACTIVE: Wording(
        _CONFLICT,
        "这张卡的社会保障功能已经开通，可以直接使用。",
        "The social security function of this card is active already. You can use the card.",
        12,
    ),
    Refusal.NOT_LOST: Wording(
        _CONFLICT, "这张卡没有挂失。", "This card was not reported lost.", 19
    ),
    Refusal.NOT_FORMALLY_LOST: Wording(
        _CONFLICT,
        "补领之前需要先办理正式挂失。",
        "Before a replacement the loss has to be reported formally.",
        19,
    ),
    Refusal.NOT_FROZEN: Wording(_CONFLICT, "这张卡没有被冻结。", "This card is not frozen."),
    Refusal.CHANNEL_NOT_ALLOWED: Wording(
        _FORBIDDEN,
        "这项业务不能通过这种方式办理，请到受理网点或网上服务平台办理。",
        "This cannot be done this way. Please go to a service point or the online platform.",
    ),
    Refusal.BANK_FUNCTION_CLOSED: Wording(
        _CONFLICT,
        "这张卡的金融服务功能没有开通。",
        "The financial function of this card is not active.",
        14,
    ),
    Refusal.BANK_FUNCTION_OPEN: Wording(
        _CONFLICT,
        "这张卡的金融服务功能已经开通。",
        "The financial function of this card is active already.",
        14,
    ),
    Refusal.BANK_FUNCTION_LOST: Wording(
        _CONFLICT,
        "这张卡的金融服务功能已在银行挂失，请咨询服务银行。",
        "The financial function of this card was reported lost at the bank. Please ask the bank.",
        20,
    ),
    Refusal.PIN_NOT_CHANGED: Wording(
        _CONFLICT,
        "开通之前请先修改初始密码。",
        "Please change the initial PIN before activation.",
        12,
    ),
    Refusal.CARD_UNKNOWN: Wording(
        _NOT_FOUND,
        "查不到这张卡，请到社区受理网点咨询。",
        "This card is not in the register. Please ask at a community service point.",
        remedy="Register the card, or check that terminal and card belong to this back office.",
    ),
    Refusal.CARD_EXISTS: Wording(
        _CONFLICT,
        "这张卡已经登记。",
        "This card is in the register already.",
        remedy="Card id and card number have to be new.",
    ),
    Refusal.HOLDER_HAS_CARD: Wording(
        _CONFLICT,
        "持卡人已有一张社会保障卡，请办理补领、换领或重新申领。",
        "The holder has a card already. Please apply for a replacement, an exchange or a new card.",
        23,
    ),
    Refusal.INSTITUTION_UNKNOWN: Wording(
        _NOT_FOUND,
        "查不到这个机构。",
        "This institution is not in the register.",
        remedy="Add the institution first.",
    ),
}

_SETTLEMENT = {
    Refusal.BILL_UNKNOWN: Wording(
        _NOT_FOUND, "查不到这张账单。", "This bill was not found for this card."
    ),
    Refusal.BILL_SETTLED: Wording(
        _CONFLICT, "这张账单已经结算，不用再付。", "This bill is settled already. Do not pay again."
    ),
    Refusal.BILL_CHANGED: Wording(
        _CONFLICT,
        f"账单金额有变化。{_ZH_AGAIN}",
        f"The bill's total has changed. {_EN_AGAIN}",
    ),
    Refusal.INSURANCE_NOT_IN_FORCE: Wording(
        _CONFLICT,
        "医疗保险目前没有正常参保缴费，不能医保结算，请咨询12393或自费结算。",
        "Medical insurance is not in force, so the insurer pays nothing now. Please call 12393, "
        "or pay yourself.",
    ),
    Refusal.NO_TARIFF: Wording(
        _CONFLICT,
        f"暂时不能医保结算。{_ZH_STAFF}",
        f"The insurer cannot work out this bill. {_EN_STAFF}",
        remedy="Add a parameter file for this date and group of insured.",
    ),
    Refusal.PROVISIONAL_UNKNOWN: Wording(
        _NOT_FOUND,
        f"查不到这次脱网登记。{_ZH_STAFF}",
        f"This visit was not registered. {_EN_STAFF}",
        remedy="Let the terminal that registered it upload its records.",
    ),
    Refusal.PROVISIONAL_SETTLED: Wording(
        _CONFLICT,
        "这次脱网登记的就诊已经结算，不用再付。",
        "The visit that was registered is settled already. Do not pay again.",
    ),
    Refusal.PROVISIONAL_DIFFERS: Wording(
        _CONFLICT,
        "这张账单不是这次脱网登记的就诊的。",
        "This bill is not that of the visit that was registered.",
    ),
    Refusal.TRIAL_UNKNOWN: Wording(
        _CONFLICT,
        f"没有对应的试算。{_ZH_AGAIN}",
        f"There was no trial under this number. {_EN_AGAIN}",
    ),
    Refusal.TRIAL_EXPIRED: Wording(
        _CONFLICT,
        f"金额已过有效时间。{_ZH_AGAIN}",
        f"The amounts are no longer valid. {_EN_AGAIN}",
    ),
    Refusal.SPLIT_DIFFERS: Wording(
        _CONFLICT,
        f"金额与试算不一致。{_ZH_AGAIN}",
        f"The amounts are not those of the trial. {_EN_AGAIN}",
    ),
    Refusal.ACCOUNT_CHANGED: Wording(
        _CONFLICT,
        f"试算之后账户有变化。{_ZH_AGAIN}",
        f"The account has changed since the trial. {_EN_AGAIN}",
    ),
    Refusal.NUMBER_REUSED: Wording(
        _CONFLICT,
        f"业务流水号重复。{_ZH_STAFF}",
        f"This operation's number was used before. {_EN_STAFF}",
        remedy="The terminal used one number for two different operations: check its journal.",
    ),
    Refusal.NUMBER_REVERSED: Wording(
        _CONFLICT,
        "这笔业务已撤销，没有扣款，请重新办理。",
        "This operation was reversed and nothing was charged. Please start again.",
    ),
    Refusal.NUMBER_FOREIGN: Wording(
        _FORBIDDEN,
        f"业务流水号不属于本机构。{_ZH_STAFF}",
        f"This operation's number belongs to another institution. {_EN_STAFF}",
        remedy="Numbers begin with the code of the institution that the terminal is enrolled for.",
    ),
    Refusal.REFUSED_BEFORE: Wording(
        _CONFLICT,
        "这笔业务此前已被拒绝，请重新办理。",
        "This operation was refused before. Please start again.",
        remedy="The detail names the reason, which this version does not know.",
    ),
    Refusal.ACTIVATION_STANDS: Wording(
        _CONFLICT,
        "社会保障功能已经开通，不能撤销。",
        "The social security function is active; an activation is not undone.",
        12,
        "Query the number: the activation is confirmed.",
    ),
}

_INTERFACE = {
    Refusal.ENROLMENT_CODE_INVALID: Wording(
        _FORBIDDEN,
        f"登记码无效。{_ZH_STAFF}",
        f"This enrolment code is not valid. {_EN_STAFF}",
        remedy="The code is unknown, used, too old, or for another profile: make a new one.",
    ),
    Refusal.PREVIOUS_TOKEN_UNKNOWN: Wording(
        _FORBIDDEN,
        f"本终端原有登记无法识别。{_ZH_STAFF}",
        f"This terminal's earlier enrolment is not known. {_EN_STAFF}",
        remedy="No terminal has that previous token. The code is still good: enrol without it, "
        "once no operation of this terminal is open.",
    ),
    Refusal.NOT_ENROLLED: Wording(
        _UNAUTHORIZED,
        f"本终端尚未登记。{_ZH_STAFF}",
        f"This terminal is not enrolled. {_EN_STAFF}",
        remedy="Make an enrolment code and run `ssct enrol` at the terminal.",
    ),
    Refusal.CERTIFICATE_REQUIRED: Wording(
        _UNAUTHORIZED,
        f"本终端没有出示证书。{_ZH_STAFF}",
        f"This terminal shows no certificate. {_EN_STAFF}",
        remedy="Its certificate has ended, or it was enrolled without: make an enrolment code and "
        "run `ssct enrol` at the terminal.",
    ),
    Refusal.CERTIFICATE_NOT_ACCEPTED: Wording(
        _UNAUTHORIZED,
        f"本终端的证书无效。{_ZH_STAFF}",
        f"This terminal's certificate is not accepted. {_EN_STAFF}",
        remedy="The certificate is not one of the terminal that the token belongs to. Find out "
        "who uses it, then enrol the terminal again.",
    ),
    Refusal.CERTIFICATE_REQUEST_INVALID: Wording(
        _BAD,
        f"证书申请无效。{_ZH_STAFF}",
        f"The request for a certificate is not valid. {_EN_STAFF}",
        remedy=_TERMINAL,
    ),
    Refusal.CERTIFICATES_NOT_ISSUED: Wording(
        _CONFLICT,
        "后台不签发证书。",
        "This back office issues no certificates.",
        remedy="It runs without TLS; `ssct sim backoffice --tls` issues them.",
    ),
    Refusal.TERMINAL_UNKNOWN: Wording(_NOT_FOUND, "没有这台终端。", "There is no such terminal."),
    Refusal.ROLE_NOT_ALLOWED: Wording(
        _FORBIDDEN,
        "本终端不能办理这项业务。",
        "This terminal may not do this.",
        remedy="Enrol the terminal with a code for a role that may.",
    ),
    Refusal.ADMIN_TOKEN_WRONG: Wording(
        _UNAUTHORIZED, "没有权限。", "Not allowed.", remedy="Send the administrator's token."
    ),
    Refusal.CLOCK_IS_REAL: Wording(
        _CONFLICT, "时钟不能调整。", "The clock is real and cannot be moved."
    ),
    Refusal.HSM_KEY_NOT_AVAILABLE: Wording(
        _FORBIDDEN,
        f"密钥服务不支持这项业务。{_ZH_STAFF}",
        f"The key service does not offer this. {_EN_STAFF}",
        remedy="The HSM holds no key at this address, or one that is not for this.",
    ),
    Refusal.HSM_ALGORITHM_NOT_SUPPORTED: Wording(
        _CONFLICT,
        f"密钥服务不支持这张卡的算法。{_ZH_STAFF}",
        f"The key service does not offer this card's algorithm. {_EN_STAFF}",
        remedy="The HSM computes with the algorithms that /v1/hsm names.",
    ),
    Refusal.LIST_WITHDRAWN: Wording(
        _NOT_FOUND,
        "这一版黑名单已有更新版本。",
        "There is a newer snapshot of the blacklist than this one.",
        remedy="The terminal asks what is new and fetches that.",
    ),
    Refusal.RANGE_NOT_SATISFIABLE: Wording(
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        f"请求的数据范围不对。{_ZH_STAFF}",
        f"There are no such bytes. {_EN_STAFF}",
        remedy=_TERMINAL,
    ),
    Refusal.NOT_FOUND: Wording(
        _NOT_FOUND, f"没有这项服务。{_ZH_STAFF}", f"There is no such service. {_EN_STAFF}"
    ),
    Refusal.METHOD_NOT_ALLOWED: Wording(
        HTTPStatus.METHOD_NOT_ALLOWED,
        f"请求方式不对。{_ZH_STAFF}",
        f"Wrong method. {_EN_STAFF}",
        remedy=_TERMINAL,
    ),
    Refusal.BODY_TOO_LARGE: Wording(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"请求过大。{_ZH_STAFF}",
        f"The request is too large. {_EN_STAFF}",
        remedy=_TERMINAL,
    ),
    Refusal.MEDIA_TYPE_NOT_SUPPORTED: Wording(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        f"请求格式不对。{_ZH_STAFF}",
        f"The request is not JSON. {_EN_STAFF}",
        remedy=_TERMINAL,
    ),
    Refusal.BAD_REQUEST: Wording(
        _BAD,
        f"请求内容有误。{_ZH_STAFF}",
        f"The request breaks the interface. {_EN_STAFF}",
        remedy=_TERMINAL,
    ),
    Refusal.IDEMPOTENCY_KEY_DIFFERS: Wording(
        _BAD,
        f"请求内容有误。{_ZH_STAFF}",
        f"The request breaks the interface. {_EN_STAFF}",
        remedy="The Idempotency-Key has to be the operation's number.",
    ),
    Refusal.REQUEST_TIMEOUT: Wording(
        HTTPStatus.REQUEST_TIMEOUT,
        f"请求超时。{_ZH_STAFF}",
        f"The request did not arrive in time. {_EN_STAFF}",
        remedy="Check the network between terminal and back office.",
    ),
    Refusal.BUSY: Wording(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "服务中心繁忙，请稍后再试。",
        "The service centre is busy. Please try again a little later.",
        remedy="The database was locked for too long: look for a stuck process.",
    ),
    Refusal.INTERNAL: Wording(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "服务中心出错，结果待核实。",
        "Something went wrong at the service centre; the result is being checked.",
        remedy="See the back office's log.",
    ),
}

_MONEY = {
    Refusal.SETTLEMENT_UNKNOWN: Wording(
        _NOT_FOUND,
        f"查不到这笔结算。{_ZH_STAFF}",
        f"This settlement was not found. {_EN_STAFF}",
        remedy="A settlement is cancelled by the terminal, and with the card, that made it.",
    ),
    Refusal.SETTLEMENT_CANCELLED: Wording(
        _CONFLICT,
        "这笔结算此前已经撤销，款项已退回。",
        "This settlement was taken back before; the money has been given back.",
    ),
    Refusal.CANCELLATION_STANDS: Wording(
        _CONFLICT,
        "结算已经撤销，不能恢复，请重新结算。",
        "The settlement was taken back and stays so. Please settle the bill again.",
        remedy="Query the cancellation: it was done. The bill is open and can be settled again.",
    ),
    Refusal.PERSON_UNKNOWN: Wording(
        _NOT_FOUND, "查不到参保人员。", "This person is not known to the insurance."
    ),
    Refusal.VISIT_UNKNOWN: Wording(
        _NOT_FOUND,
        f"查不到这次就诊登记。{_ZH_AGAIN}",
        f"This visit is not registered. {_EN_AGAIN}",
    ),
    Refusal.VISIT_HAS_SETTLEMENT: Wording(
        _CONFLICT,
        "本次就诊已有结算，不能撤销登记或费用明细。",
        "This visit has a settlement, so it and its fee lines stay.",
        remedy="Cancel the settlement first (2208).",
    ),
    Refusal.FEE_LINES_MISSING: Wording(
        _CONFLICT,
        f"费用明细没有上传。{_ZH_AGAIN}",
        f"The fee lines were not uploaded. {_EN_AGAIN}",
    ),
    Refusal.FEE_LINES_DIFFER: Wording(
        _CONFLICT,
        f"费用明细与账单不一致。{_ZH_AGAIN}",
        f"The fee lines are not those of the bill. {_EN_AGAIN}",
    ),
    Refusal.FILE_UNKNOWN: Wording(
        _NOT_FOUND,
        "对账文件不存在或已过期。",
        "There is no such file, or it can no longer be fetched.",
        remedy="Send the file again (9101) and ask anew (3202).",
    ),
    Refusal.CENTRE_CLOCK_DIFFERS: Wording(
        _CONFLICT,
        f"本机时间与医保中心不一致。{_ZH_STAFF}",
        f"This terminal's clock differs from the centre's. {_EN_STAFF}",
        remedy="Let the terminal's clock follow a time server.",
    ),
    Refusal.CENTRE_NOT_SIGNED_IN: Wording(
        _CONFLICT,
        f"本机今天尚未签到。{_ZH_STAFF}",
        f"This terminal has not signed in today. {_EN_STAFF}",
        remedy="The terminal signs in by itself with its next transaction.",
    ),
    Refusal.CENTRE_SIGNED_OUT_TODAY: Wording(
        _CONFLICT,
        "本机今天已签退，请明天再来或到窗口办理。",
        "This terminal has ended its day. Please come tomorrow, or ask at the desk.",
        remedy="After 9002 there is no further sign-in on that day.",
    ),
    Refusal.CONTRIBUTION_UNKNOWN: Wording(
        _NOT_FOUND, "查不到这笔应缴费用。", "This contribution was not found for this card."
    ),
    Refusal.CONTRIBUTION_PAID: Wording(
        _CONFLICT,
        "这笔费用已经缴纳，不用再付。",
        "This contribution is paid already. Do not pay again.",
    ),
    Refusal.CONTRIBUTION_CHANGED: Wording(
        _CONFLICT,
        "应缴金额有变化，没有扣款，请重新办理。",
        "The amount due has changed. Nothing was charged. Please start again.",
    ),
    Refusal.BENEFIT_UNKNOWN: Wording(
        _NOT_FOUND, "查不到这笔待遇。", "This benefit was not found for this card."
    ),
    Refusal.BENEFIT_CONFIRMED: Wording(
        _CONFLICT, "这笔待遇已确认领取。", "The receipt of this benefit is confirmed already."
    ),
    Refusal.BENEFIT_CHANGED: Wording(
        _CONFLICT,
        "待遇金额有变化，请重新核对。",
        "The amount of this benefit has changed. Please check it again.",
    ),
    Refusal.OPERATION_STANDS: Wording(
        _CONFLICT,
        "这笔业务已经办成，不能撤销。",
        "This was done and stays so.",
        remedy="Query the operation: it was done. Only a settlement is undone by its number.",
    ),
    Refusal.UPLOAD_DIFFERS: Wording(
        _CONFLICT,
        f"上传记录与此前不一致。{_ZH_STAFF}",
        f"This record is not the one that was uploaded before. {_EN_STAFF}",
        remedy="Two records have one number: check the terminal's journal.",
    ),
    Refusal.DEBIT_UPLOADED_BEFORE: Wording(
        _CONFLICT,
        f"这笔卡内交易已由另一记录上传。{_ZH_STAFF}",
        f"This transaction of the card came in under another number. {_EN_STAFF}",
        remedy="One counter of a card stands for one transaction: look for a cloned terminal.",
    ),
}

WORDING: Mapping[Refusal, Wording] = {
    **_CARD,
    **APPLICATIONS,
    **IDENTITY,
    **_SETTLEMENT,
    **_MONEY,
    **_INTERFACE,
}
