"""What became of an operation of this card that nobody knew the end of when its holder left.

It was resolved meanwhile, at a start or by a later admission. Whoever comes back with the card and
the slip gets the receipt, or is told that nothing happened, before anything else.
"""

from __future__ import annotations

import logging
from collections.abc import Generator

from terminal.functions.receipts import receipt_of
from terminal.screens import Answer, Message, ReceiptScreen, Screen, Tone
from terminal.store.journal import Evidence, Kind, Operation, State
from terminal.text import Text
from terminal.visit import Visit

log = logging.getLogger(__name__)

_SETTLED = Text(
    "上一笔结算已完成，这是结算单。", "Your last bill was settled. Here is the receipt."
)
_ACTIVE = Text("上一次开通已完成。", "The activation you asked for last time is done.")
_DONE = Text(
    "上一次业务已办成，这是凭条。", "What you asked for last time is done. Here is the receipt."
)
_UNDONE = Text("上一笔业务没有办成。", "What you asked for last time was not done.")
_NOT_CHARGED = Text("没有扣款，可以重新办理。", "Nothing was charged. You may start again.")
_NOT_GIVEN_BACK = Text(
    "没有退款，原结算仍然有效，可以重新办理。",
    "Nothing was given back and the settlement stands. You may start again.",
)
_VOIDED = Text(
    "您的一笔结算经对账在服务中心没有记录，已作废。",
    "A settlement that you have a receipt of is not booked at the service centre. It is void.",
)
_SETTLE_AGAIN = Text(
    "请重新结算；如已付现金，请持结算单到收费窗口。",
    "Please settle the bill again. If you paid cash, take the receipt to the cash desk.",
)
_NOT_TAKEN_BACK = Text(
    "您的一笔撤销经对账在服务中心没有记录，原结算仍然有效。",
    "A settlement that you took back still stands: the service centre has not booked the refund.",
)
_TAKE_BACK_AGAIN = Text(
    "如需撤销，请重新办理；如已退现金，请持凭条到收费窗口。",
    "Take it back again if you wish. If you were given cash, take the slip to the cash desk.",
)
_NUMBER = Text("流水号：{number}", "Number: {number}")


def earlier(visit: Visit) -> Generator[Screen, Answer, None]:
    """Tell it; call this when the holder has proved to be the holder, as far as is asked for.

    What was not shown to the end, because the card was pulled, is shown again next time.
    """
    for operation in visit.journal.untold(visit.card_ref.card_id):
        yield from _screens(visit, operation)
        told(visit, operation)


def start_again(undone: Operation) -> Text:
    """What an operation that did not happen leaves the holder with."""
    return _NOT_GIVEN_BACK if undone.kind is Kind.CANCELLATION else _NOT_CHARGED


def told(visit: Visit, operation: Operation) -> None:
    """Note that the holder knows. Never raises: at worst it is told again."""
    try:
        visit.journal.told(operation)
    except Exception:
        log.exception("operation %s will be told again", operation.number)


def _screens(visit: Visit, operation: Operation) -> tuple[Screen, ...]:
    number = _NUMBER.fill(number=operation.number)
    if operation.evidence is Evidence.RECONCILED:
        return (Message(*_voided(operation, number), Tone.WARNING, "OPERATION_VOIDED"),)
    if operation.state is not State.CONFIRMED:
        body = (start_again(operation), number)
        return (Message(_UNDONE, body, Tone.WARNING, "OPERATION_REVERSED"),)
    if operation.kind is Kind.ACTIVATION:
        return (Message(_ACTIVE, (number,), Tone.SUCCESS),)
    receipt = ReceiptScreen(receipt_of(visit.place, operation))
    said = _SETTLED if operation.kind is Kind.SETTLEMENT else _DONE
    return Message(said, (number,), Tone.SUCCESS), receipt


def _voided(operation: Operation, number: Text) -> tuple[Text, tuple[Text, ...]]:
    """What a reconciliation has voided, of which the holder has a receipt."""
    if operation.kind is Kind.CANCELLATION:
        return _NOT_TAKEN_BACK, (_TAKE_BACK_AGAIN, number)
    return _VOIDED, (_SETTLE_AGAIN, number)
