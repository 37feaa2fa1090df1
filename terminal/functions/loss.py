"""Reporting a loss without the card: temporary by name and number, formal by electronic card.

A temporary loss is taken from whoever gives name and social security number, as on the telephone;
a formal one needs the holder, who signs in with the electronic card (Article 18).
"""

from __future__ import annotations

from collections.abc import Generator

from backend_client.errors import Refused as RefusedByCentre
from backend_client.life_messages import IdentityClaim, LossKind, LossRequest, Proof
from terminal.errand import Errand
from terminal.flow import Flow, agreement, choice, committing, identity
from terminal.functions.signing_in import signed_in
from terminal.life_texts import outcome_text
from terminal.outcome import Cancelled, Done, Stopped
from terminal.screens import (
    Answer,
    AskIdentity,
    Choose,
    Confirm,
    Identity,
    Option,
    Row,
    Screen,
    Section,
)
from terminal.text import Text

SSN_LENGTH = 18
LONGEST_NAME = 100
_CHOOSE = Choose(
    Text("卡片遗失，请选择", "You have lost your card"),
    (
        Option(
            "temporary",
            Text("临时挂失", "Report a temporary loss"),
            Text(
                "姓名和社会保障号码；5日后自动恢复", "Name and number; 5 days, then it ends itself"
            ),
        ),
        Option(
            "formal",
            Text("正式挂失", "Report a formal loss"),
            Text(
                "出示电子社保卡；不会自动恢复", "With the electronic card; it does not end itself"
            ),
        ),
    ),
)
_WHO = Text("请输入姓名和社会保障号码", "Your name and social security number")
_FORM = Text(
    "社会保障号码是18位，请核对。", "The social security number has 18 characters. Please check it."
)
_FROZEN = Row(Text("社会保障功能", "Social security function"), Text("即时冻结", "frozen at once"))
_TEMPORARY = Section(
    Text("临时挂失后", "After a temporary loss"),
    (
        _FROZEN,
        Row(
            Text("有效期", "It lasts"), Text("5日，届满自动恢复", "5 days, then it ends by itself")
        ),
        Row(Text("金融功能", "Bank function"), Text("请向服务银行挂失", "report it to the bank")),
    ),
)
_FORMAL = Section(
    Text("正式挂失后", "After a formal loss"),
    (
        _FROZEN,
        Row(Text("有效期", "It lasts"), Text("直至解除或补领", "until released or replaced")),
        Row(Text("金融功能", "Bank function"), Text("请向服务银行挂失", "report it to the bank")),
    ),
)
_TITLE = Text("请确认挂失", "Please confirm the loss")
_YES, _NO = Text("挂失", "Report it"), Text("不挂失", "Do not")


def flow(errand: Errand) -> Flow:
    """Choose, say or prove who one is, agree, report."""
    errand.note("loss")
    if (yield from choice(_CHOOSE)) == "formal":
        proof = yield from signed_in(errand)
        if not (yield from agreement(Confirm(_TITLE, (_FORMAL,), _YES, _NO))):
            return Stopped(Cancelled())
        return (yield from _report(errand, proof, "formal"))
    return (yield from _temporary(errand))


def _temporary(errand: Errand) -> Flow:
    note: Text | None = None
    while True:
        proof = yield from _claimed(note)
        if not (yield from agreement(Confirm(_TITLE, (_TEMPORARY,), _YES, _NO))):
            return Stopped(Cancelled())
        try:
            return (yield from _report(errand, proof, "temporary"))
        except RefusedByCentre as refused:
            if refused.problem.code != "IDENTITY_UNKNOWN":
                raise
            note = Text(refused.zh, refused.en)


def _claimed(note: Text | None) -> Generator[Screen, Answer, Proof]:
    """Ask for name and number until they have their form."""
    while True:
        said = yield from identity(AskIdentity(_WHO, note))
        ssn = "".join(said.ssn.split()).upper()
        if _has_form(said, ssn):
            return Proof(identity=IdentityClaim(said.name.strip(), ssn))
        note = _FORM


def _has_form(said: Identity, ssn: str) -> bool:
    name = said.name.strip()
    is_number = len(ssn) == SSN_LENGTH and ssn.isascii() and ssn.isalnum()
    return is_number and 0 < len(name) <= LONGEST_NAME and name.isprintable()


def _report(errand: Errand, proof: Proof, kind: LossKind) -> Flow:
    yield from committing("正在挂失", "Reporting the loss")
    request = LossRequest(errand.new_id(), proof, kind)
    result = errand.client.life.report_loss(request)
    errand.refresh()
    return Done(outcome_text(result))
