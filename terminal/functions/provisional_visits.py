"""Settling a visit that was registered while the centre was away, with the card present again.

Which of the registered visits a bill is for is the holder's to say; the centre settles each once.
What was paid then is shown beside what is due now; the difference is between holder and cash desk.
Taken back, the visit is open again, and what was paid then is still paid for it.
"""

from __future__ import annotations

from collections.abc import Generator

from backend_client.messages import Bill, ProvisionalVisit, Trial
from terminal.clock import local
from terminal.flow import choice
from terminal.receipt import ReceiptLine, money
from terminal.screens import Answer, Choose, Option, Row, Screen, Section
from terminal.sections import split_amounts
from terminal.text import Text, same
from terminal.upload import upload_all
from terminal.visit import Visit

PAID_FEN = "provisional_paid_fen"
"""Where the journal keeps with a settlement what was paid at its visit, in fen."""

Amounts = tuple[tuple[Text, int], ...]

_WHICH = Text(
    "这张账单是哪次脱网登记的就诊？",
    "Is this the bill of a visit that was registered while the network was away?",
)
_NONE = Text("都不是", "None of these")
_NO_VISIT = "none"
_TITLE = Text("脱网登记的就诊", "Visit registered offline")
_NUMBER = Text("登记流水号", "Registration")
_WHEN = Text("就诊时间", "When")
PAID_THEN = Text("当时已付", "Paid then")
_DUE = Text("现在应付", "To be paid now")
_BACK = Text("应退还", "To be given back")
_STAYS = Text("当时已付，仍计入该次就诊", "Paid then, and still paid for that visit")
_RETURNED = Text("现在退给您", "To be given back now")
_HANDED_BACK = Text("请您交还", "To be handed back by you")
_DETAIL = Text("已付 {paid}", "paid {paid}")


def hand_in(visit: Visit) -> None:
    """Let the centre know what this card has left here. Raises `StoreError`.

    What cannot be sent now waits on: the centre then knows no such visit to settle.
    """
    upload_all(visit.outbox, visit.journal, visit.client, visit.card_ref.card_id)


def chosen_visit(
    bill: Bill, visits: tuple[ProvisionalVisit, ...]
) -> Generator[Screen, Answer, ProvisionalVisit | None]:
    """The registered visit that the bill is for; asked only where one may be it."""
    fitting = {each.number: each for each in visits if _fits(each, bill)}
    if not fitting:
        return None
    options = tuple(_option(each) for each in fitting.values())
    key = yield from choice(Choose(_WHICH, (*options, Option(_NO_VISIT, _NONE))))
    return fitting.get(key)


def visit_sections(trial: Trial) -> tuple[Section, ...]:
    """The registered visit that a trial is for."""
    visit = trial.provisional
    if visit is None:
        return ()
    rows = (Row(_NUMBER, same(visit.number)), Row(_WHEN, same(_at(visit))))
    return (Section(_TITLE, rows),)


def visit_amounts(trial: Trial) -> tuple[Row, ...]:
    """What it costs, what was paid then, and what is left to pay; nothing without such a visit."""
    visit, split = trial.provisional, trial.split
    if visit is None:
        return ()
    now = due_now(split.cash_fen, visit.paid_fen)
    return (split_amounts(split)[0], *(Row(label, money(fen)) for label, fen in now))


def due_now(cash_fen: int, paid_fen: int) -> Amounts:
    """What was paid at the visit, and what is left of the holder's own part: to pay or to get."""
    left = cash_fen - paid_fen
    return (PAID_THEN, paid_fen), (_DUE if left >= 0 else _BACK, abs(left))


def returned_now(cash_fen: int, paid_fen: int) -> Amounts:
    """The same when it is taken back: only what was paid, or given back, at the settlement."""
    left = cash_fen - paid_fen
    return (_STAYS, paid_fen), (_RETURNED if left >= 0 else _HANDED_BACK, abs(left))


def visit_line(number: str | None) -> tuple[ReceiptLine, ...]:
    """The registration that a settlement belongs to, for its receipt."""
    return () if number is None else (ReceiptLine(_NUMBER, same(number)),)


def _fits(visit: ProvisionalVisit, bill: Bill) -> bool:
    """Whether the bill may be the visit's: the same place, and no bill of an earlier day."""
    return visit.institution == bill.institution and local(visit.visited_at).date() <= bill.date


def _option(visit: ProvisionalVisit) -> Option:
    paid = _DETAIL.fill(paid=money(visit.paid_fen).zh)
    return Option(visit.number, same(_at(visit)), paid if visit.paid_fen else None)


def _at(visit: ProvisionalVisit) -> str:
    return f"{local(visit.visited_at):%Y-%m-%d %H:%M}"
