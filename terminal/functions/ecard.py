"""The electronic card (Article 31): applying for it with the card and its PIN, and its QR code.

The code says nothing of its holder, is good once and for a few minutes. Whoever shows it at a
terminal and gives the electronic card's own PIN has signed in there.
"""

from __future__ import annotations

from collections.abc import Generator

from apdu.pin import Pin
from backend_client.errors import Refused as RefusedByCentre
from backend_client.life_messages import EcardCode, EcardCodeRequest, EcardRequest
from terminal.flow import Flow, agreement, choice, committing, tell, working
from terminal.functions.entry import admitted, holder_verified
from terminal.functions.signing_in import digits, ecard_pin
from terminal.outcome import Cancelled, Done, Refused, Stopped
from terminal.policy import Function
from terminal.screens import Answer, Choose, Confirm, Option, Row, Screen, Section, ShowQr
from terminal.text import Text
from terminal.visit import Visit

_CHOOSE = Choose(
    Text("电子社保卡", "Electronic card"),
    (
        Option("show", Text("显示二维码", "Show the QR code")),
        Option(
            "issue",
            Text("申领，或重设密码", "Apply for it, or set its PIN anew"),
            Text("也用于解锁", "also when it is locked"),
        ),
    ),
)
_TITLE = Text("申领电子社保卡", "Apply for an electronic card")
_WHAT = Section(
    Text("电子社保卡", "Electronic card"),
    (
        Row(
            Text("用途", "It is for"), Text("没带卡时证明是本人", "proving who you are without it")
        ),
        Row(Text("密码", "PIN"), Text("6位，与卡片密码分开", "six digits, not the card's own")),
        Row(Text("费用", "It costs"), Text("免费", "nothing")),
    ),
)
_YES, _NO = Text("申领", "Apply"), Text("不申领", "Not now")
_NEW = Text("请设置电子社保卡密码", "Choose a PIN for the electronic card")
_AGAIN = Text("请再次输入", "The same PIN again")
_DIFFERENT = Text("两次输入不一致，请重新设置。", "The two PINs differ. Please start again.")
_ISSUED = Text("电子社保卡已申领。", "Your electronic card is there.")
_QR = Text("电子社保卡二维码", "Code of your electronic card")
_ONCE = Text("只能使用一次，请勿让他人拍摄。", "It is good once. Let nobody take a picture of it.")
_SHOWN = Text("二维码已显示。", "The code was shown.")


def flow(visit: Visit) -> Flow:
    """Apply for an electronic card, or show the code of the one there is."""
    decision = admitted(visit, Function.ECARD)
    if isinstance(decision, Refused):
        return decision
    refused = yield from holder_verified(visit, decision)
    if refused is not None:
        return refused
    if (yield from choice(_CHOOSE)) == "show":
        return (yield from _show(visit))
    return (yield from _issue(visit))


def _show(visit: Visit) -> Flow:
    yield from working("正在生成二维码", "Making the code")
    code: EcardCode = visit.client.life.ecard_code(EcardCodeRequest(visit.card_ref))
    yield from tell(ShowQr(_QR, code.code, (_ONCE,), code.valid_until))
    return Done(_SHOWN)


def _issue(visit: Visit) -> Flow:
    if not (yield from agreement(Confirm(_TITLE, (_WHAT,), _YES, _NO))):
        return Stopped(Cancelled())
    note: Text | None = None
    while True:
        with (yield from _new_pin(note)) as chosen:
            request = EcardRequest(visit.new_id(), visit.card_ref, digits(chosen))
        visit.still_here()
        yield from committing("正在申领", "Applying")
        try:
            visit.client.life.issue_ecard(request)
        except RefusedByCentre as refused:
            if refused.problem.code != "ECARD_PIN_UNSUITABLE":
                raise
            note = Text(refused.zh, refused.en)
        else:
            return Done(_ISSUED)


def _new_pin(note: Text | None) -> Generator[Screen, Answer, Pin]:
    """Ask for a PIN twice until both are the same. The caller wipes it."""
    while True:
        first = yield from ecard_pin(_NEW, note)
        try:
            with (yield from ecard_pin(_AGAIN)) as second:
                same = second.matches(first)
        except BaseException:
            first.wipe()
            raise
        if same:
            return first
        first.wipe()
        note = _DIFFERENT
