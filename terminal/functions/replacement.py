"""Another card: replacement, exchange, re-application (Articles 19, 21, 22, 24).

What has changed is not typed here: public security knows a new name, number or photo, and verifies
it (Article 10). The holder says why, which bank if that is to change, and where to fetch the card.
"""

from __future__ import annotations

from collections.abc import Generator

from backend_client.life_messages import (
    ApplicationProgress,
    CardApplication,
    Catalogue,
    Cause,
    Proof,
    ServicePoint,
)
from terminal.clock import local
from terminal.errand import Desk, Errand
from terminal.flow import Flow, agreement, choice, committing
from terminal.functions.entry import admitted, holder_verified
from terminal.functions.signing_in import signed_in
from terminal.life_texts import (
    BY_MAIL,
    CAUSES,
    HANDED_OVER,
    STAGES,
    bank_text,
    fee,
    place_of,
)
from terminal.outcome import Cancelled, Done, Refused, Stopped
from terminal.policy import Function
from terminal.receipt import Receipt, ReceiptLine
from terminal.screens import Answer, Choose, Confirm, Option, Row, Screen, Section
from terminal.text import Text, same, until
from terminal.visit import Visit

WITH_CARD: tuple[Cause, ...] = (
    "damaged",
    "unusable",
    "photo_at_seven",
    "name",
    "ssn",
    "photo",
    "bank",
    "stopped",
)
"""Why somebody with the card in hand wants another one."""

WITHOUT_CARD: tuple[Cause, ...] = ("lost", *WITH_CARD)
_MAIL = "mail"
_WHY = Text("请选择办理原因", "Why do you need another card?")
_WHICH_BANK = Text("请选择新的服务银行", "Which bank do you choose?")
_WHERE = Text("新卡怎么领取？", "How do you want to get it?")
_ON_THE_SPOT = Text("急需的，可以当场制卡", "makes cards on the spot, if you are in a hurry")
_TITLE = Text("请确认申请", "Please confirm your application")
_YES, _NO = Text("提交申请", "Apply"), Text("不申请", "Do not")
_VERIFIED = Text(
    "3个工作日内核验，通过后30日内完成", "verified in 3 working days, then made within 30 days"
)
_RENEWED = Text("15日内完成", "within 15 days")
_OLD = Text("领到新卡后原卡失效，不能恢复", "void for ever once you have the new one")
_ACCEPTED = Text("申请已受理。", "Your application was accepted.")
_SLIP = Text("制卡申请受理单", "Application for a card")
_KEEP = Text(
    "可以在本机“功能状态和办理进度”查询进度。",
    "“Functions and progress” on this terminal tells how far it is.",
)
_NO_BANKS = Refused(
    "CATALOGUE_MISSING",
    Text("现在查不到服务银行名单，请稍后再试。", "The list of service banks is not known now."),
    Text("也可以到受理网点办理。", "You may also go to a service point."),
)


def flow(visit: Visit) -> Flow:
    """With the card in the reader."""
    decision = admitted(visit, Function.REPLACEMENT)
    if isinstance(decision, Refused):
        return decision
    refused = yield from holder_verified(visit, decision)
    if refused is not None:
        return refused
    return (yield from _apply(visit, Proof(card=visit.card_ref), WITH_CARD))


def errand(errand: Errand) -> Flow:
    """Without the card."""
    errand.note("replacement")
    proof = yield from signed_in(errand)
    return (yield from _apply(errand, proof, WITHOUT_CARD))


def _apply(desk: Desk, proof: Proof, causes: tuple[Cause, ...]) -> Flow:
    cause = yield from _cause(causes)
    catalogue = desk.catalogue()
    bank = None
    if cause == "bank":
        if catalogue is None or not catalogue.banks:
            return _NO_BANKS
        bank = yield from choice(Choose(_WHICH_BANK, _banks(catalogue)))
    pick_up = yield from _pick_up(catalogue)
    request = CardApplication(desk.new_id(), proof, cause, bank, pick_up)
    sections = (_what(request, catalogue),)
    if not (yield from agreement(Confirm(_TITLE, sections, _YES, _NO))):
        return Stopped(Cancelled())
    yield from committing("正在提交申请", "Sending your application")
    progress = desk.client.life.apply(request).progress
    return Done(_ACCEPTED, _slip(desk, progress, catalogue))


def _cause(causes: tuple[Cause, ...]) -> Generator[Screen, Answer, Cause]:
    options = tuple(Option(cause, CAUSES[cause]) for cause in causes)
    chosen = yield from choice(Choose(_WHY, options))
    return next(cause for cause in causes if cause == chosen)


def _pick_up(catalogue: Catalogue | None) -> Generator[Screen, Answer, str | None]:
    """The id of the service point where the card is to be, None for by mail."""
    options = [Option(_MAIL, BY_MAIL)]
    for point in catalogue.points if catalogue else ():
        detail = same(point.address)
        if point.makes_cards:
            detail = Text(f"{detail.zh}；{_ON_THE_SPOT.zh}", f"{detail.en}; {_ON_THE_SPOT.en}")
        options.append(Option(point.point_id, _name(point), detail))
    chosen = yield from choice(Choose(_WHERE, tuple(options)))
    return None if chosen == _MAIL else chosen


def _name(point: ServicePoint) -> Text:
    return Text(point.name_zh, point.name_en)


def _banks(catalogue: Catalogue) -> tuple[Option, ...]:
    return tuple(
        Option(bank.code, Text(bank.name_zh, bank.name_en), same(bank.phone))
        for bank in catalogue.banks
    )


def _what(request: CardApplication, catalogue: Catalogue | None) -> Section:
    """What is applied for, as the holder agrees to it."""
    renewed = request.cause in ("lost", "damaged", "unusable", "photo_at_seven")
    rows = [Row(Text("办理时限", "It takes"), _RENEWED if renewed else _VERIFIED)]
    if request.bank is not None:
        rows.append(Row(Text("服务银行", "Service bank"), bank_text(catalogue, request.bank)))
    rows += [
        Row(HANDED_OVER, _point_text(catalogue, request.pick_up)),
        Row(Text("原卡", "The old card"), _OLD),
        Row(Text("工本费", "Fee"), fee(0)),
    ]
    return Section(CAUSES[request.cause], tuple(rows))


def _point_text(catalogue: Catalogue | None, point_id: str | None) -> Text:
    for point in catalogue.points if catalogue else ():
        if point.point_id == point_id:
            return _name(point)
    return BY_MAIL


def _handed_over(
    progress: ApplicationProgress, catalogue: Catalogue | None
) -> tuple[ReceiptLine, ...]:
    """Where the card will be: as the office names it, and as the catalogue knows that point."""
    for point in catalogue.points if catalogue else ():
        if point.name_zh == progress.pick_up:
            address = ReceiptLine(Text("地址", "Address"), same(point.address))
            return ReceiptLine(HANDED_OVER, _name(point)), address
    return (ReceiptLine(HANDED_OVER, place_of(progress)),)


def _slip(desk: Desk, progress: ApplicationProgress, catalogue: Catalogue | None) -> Receipt:
    lines = [
        ReceiptLine(Text("事项", "For"), CAUSES[progress.cause]),
        ReceiptLine(Text("进度", "Progress"), STAGES[progress.stage]),
    ]
    if progress.due_at is not None:
        lines.append(ReceiptLine(Text("应当完成于", "Due by"), until(progress.due_at)))
    lines += _handed_over(progress, catalogue)
    lines.append(ReceiptLine(Text("工本费", "Fee"), fee(progress.fee_fen)))
    at = local(progress.received_at)
    return Receipt(_SLIP, progress.application_id, at, desk.place, tuple(lines), (_KEEP,))
