"""What the functions about the life of a card say in common: causes, stages, functions' states.

Pure: values in, texts and sections out.
"""

from __future__ import annotations

from collections.abc import Mapping

from backend_client.life_messages import (
    ApplicationProgress,
    ApplicationStage,
    BankFunctionState,
    Catalogue,
    Cause,
    Department,
    LifeResult,
    Standing,
)
from terminal.clock import local
from terminal.receipt import money
from terminal.screens import Row, Section
from terminal.sections import STATES
from terminal.text import Text, day, same, until

CAUSES: Mapping[Cause, Text] = {
    "no_card": Text("首次申领", "First card"),
    "lost": Text("补领：卡片遗失", "Replacement: the card is lost"),
    "damaged": Text("换领：卡面污损、残缺", "Exchange: the card is damaged"),
    "unusable": Text("换领：不能正常使用", "Exchange: the card does not work"),
    "photo_at_seven": Text("换领：年满七周岁换有相片的卡", "Exchange: a photo from the age of 7"),
    "name": Text("重新申领：姓名变更", "New card: the name has changed"),
    "ssn": Text("重新申领：社会保障号码变更", "New card: the number has changed"),
    "photo": Text("重新申领：更换相片", "New card: another photo"),
    "bank": Text("重新申领：更换服务银行", "New card: another service bank"),
    "stopped": Text("重新申领：旧卡已停用", "New card: the old one was stopped"),
}
STAGES: Mapping[ApplicationStage, Text] = {
    "verifying": Text("核验中", "being verified"),
    "making": Text("制卡中", "being made"),
    "ready": Text("待领取", "ready for you"),
    "issued": Text("已发放", "handed out"),
    "rejected": Text("核验不通过", "not verified"),
    "withdrawn": Text("已撤回", "withdrawn"),
}
DEPARTMENTS: Mapping[Department, Text] = {
    "public_security": Text("公安部门", "Public security"),
    "human_resources": Text("人力资源社会保障部门", "Human resources and social security"),
    "medical_insurance": Text("医疗保障部门", "Medical insurance"),
}
BANK_STATES: Mapping[BankFunctionState, Text] = {
    "closed": Text("未开通", "not open"),
    "open": Text("已开通", "open"),
    "lost": Text("已在银行挂失", "reported lost at the bank"),
}
HANDED_OVER = Text("领取方式", "You get it")
BY_MAIL = Text("邮寄", "by mail")
_NONE = Text("未选择", "none chosen")
_YES, _NO = Text("已申领", "yes"), Text("未申领", "no")


def standing_sections(standing: Standing) -> tuple[Section, ...]:
    """The functions of a card, each with its own state, then what is under way."""
    rows = [Row(Text("社会保障功能", "Social security function"), STATES[standing.state])]
    if standing.state_until is not None:
        rows.append(Row(Text("挂失有效期至", "Loss lasts until"), until(standing.state_until)))
    rows.append(Row(Text("金融功能", "Bank function"), BANK_STATES[standing.bank_function]))
    bank = same(standing.bank) if standing.bank else _NONE
    rows.append(Row(Text("服务银行", "Service bank"), bank))
    rows.append(Row(Text("电子社保卡", "Electronic card"), _YES if standing.has_ecard else _NO))
    if standing.photo_due is not None:
        label = Text("换领有相片的卡，自", "Exchange for one with a photo, from")
        rows.append(Row(label, day(standing.photo_due)))
    as_of = f"{local(standing.as_of):%Y-%m-%d %H:%M}"
    rows.append(Row(Text("状态时间", "As of"), same(as_of)))
    functions = Section(Text("各项功能", "The card's functions"), tuple(rows))
    return (functions, *(progress_section(each) for each in standing.applications))


def progress_section(progress: ApplicationProgress) -> Section:
    """How far an application is, and until when the offices owe the next step (Art. 10, 11, 23)."""
    rows = [
        Row(Text("申请编号", "Application"), same(progress.application_id)),
        Row(Text("申请日期", "Applied for on"), day(local(progress.received_at).date())),
        Row(Text("进度", "Progress"), STAGES[progress.stage]),
    ]
    if progress.due_at is not None:
        rows.append(Row(Text("应当完成于", "Due by"), until(progress.due_at)))
    rows += [Row(DEPARTMENTS[reason.department], same(reason.text)) for reason in progress.reasons]
    if progress.stage in ("verifying", "making", "ready"):
        rows.append(Row(HANDED_OVER, place_of(progress)))
        rows.append(Row(Text("工本费", "Fee"), fee(progress.fee_fen)))
    return Section(CAUSES[progress.cause], tuple(rows))


def place_of(progress: ApplicationProgress) -> Text:
    """Where the holder gets the card, as the office names it."""
    return same(progress.pick_up) if progress.pick_up else BY_MAIL


def fee(fen: int) -> Text:
    """What it costs (Article 24)."""
    return Text("免费", "nothing") if fen == 0 else money(fen)


def outcome_text(result: LifeResult) -> Text:
    """Where the card stands after a loss or a release."""
    if result.state == "temporarily_lost" and result.state_until is not None:
        return _TEMPORARY.fill(until=until(result.state_until))
    if result.state == "formally_lost":
        return _FORMAL
    return _RELEASED.fill(state=STATES[result.state])


_TEMPORARY = Text(
    "已临时挂失，社会保障功能即时冻结。有效期至{until}，届满自动恢复；找不到卡请在此之前办理正式挂失。",
    "The loss is reported and the social security function is frozen. It lasts until {until}, then "
    "the card works again by itself; if it stays lost, make the loss formal before.",
)
_FORMAL = Text(
    "已正式挂失，社会保障功能停止使用。找回卡后可以解除挂失，找不到可以补领，免收工本费。",
    "The loss is formal and the social security function is stopped. Release it if you find the "
    "card; otherwise apply for a replacement, which costs nothing.",
)
_RELEASED = Text(
    "挂失已解除，卡片恢复为：{state}。",
    "The loss is released. The card is as it was before: {state}.",
)


def bank_text(catalogue: Catalogue | None, code: str | None) -> Text:
    """The name of a service bank."""
    for bank in catalogue.banks if catalogue else ():
        if bank.code == code:
            return Text(bank.name_zh, bank.name_en)
    return same(code or "")
