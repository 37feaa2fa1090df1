"""What somebody takes along who was refused: what, why, and what to do; for counter or home."""

from __future__ import annotations

from datetime import datetime

from terminal.receipt import Receipt, ReceiptLine
from terminal.screens import Message
from terminal.text import Text, same

_TITLE = Text("未能办理说明", "Why it was not possible")
_WHAT = Text("办理事项：{what}", "What you wanted: {what}")
_ASK = Text("咨询电话：12333", "Questions: call 12333")
_CODE = Text("代码（供工作人员使用）", "Code, for the staff")


def refusal_slip(what: Text, told: Message, at: datetime, place: str) -> Receipt:
    """The slip about the refusal `told` of `what`.

    It has no number, since nothing was done, and no personal data: a refusal never has any.
    """
    lines = () if told.code is None else (ReceiptLine(_CODE, same(told.code)),)
    notes = (_WHAT.fill(what=what), told.title, *told.body, _ASK)
    return Receipt(_TITLE, "", at, place, lines, notes)
