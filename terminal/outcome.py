"""How a flow ends, and the screen that tells the holder so.

A flow ends in exactly one of these. Money is settled only in `Done`; in `Unknown` it may have
moved, the journal keeps the operation open, and the holder is told not to pay again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from terminal.errors import explain
from terminal.receipt import Receipt
from terminal.screens import Message, ReceiptScreen, Screen, Tone
from terminal.text import Text


class Interruption(Exception):
    """The holder or the clock ended the visit; drivers throw it in at a flow's `yield`."""

    text = Text("操作已结束。", "The visit has ended.")


class Cancelled(Interruption):
    """The holder pressed cancel."""

    text = Text("操作已取消，未作任何更改。", "Cancelled. Nothing was changed.")


class TimedOut(Interruption):
    """The holder did not answer in time."""

    text = Text("操作超时，未作任何更改。", "No answer in time. Nothing was changed.")


@dataclass(frozen=True, slots=True)
class Done:
    """The function did what was asked; `receipt` where there is something to take away.

    `shown` is called once the holder has seen it (`flow.seen`); a face that does not call it
    has the holder told again at the next visit.
    """

    text: Text
    receipt: Receipt | None = None
    shown: Callable[[], None] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """The terminal or the back office said no, before anything changed.

    `article` is the article of the regulation that the refusal rests on, where there is one.
    """

    code: str
    text: Text
    advice: Text | None = None
    article: int | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """A typed error ended the flow; `error` is a CardError, BackendError or TerminalError.

    `changed` says what had been done already, where the holder must know it.
    """

    error: Exception
    changed: Text | None = None


@dataclass(frozen=True, slots=True)
class Stopped:
    """Cancel or time-out ended the flow before anything was committed."""

    why: Interruption


@dataclass(frozen=True, slots=True)
class Unknown:
    """The answer to a committed operation was lost. `slip` tells its number and what to do."""

    number: str
    slip: Receipt


Outcome = Done | Refused | Failed | Stopped | Unknown


def closing(outcome: Outcome) -> Screen:
    """The last screen of a function."""
    match outcome:
        case Done(receipt=Receipt() as receipt) | Unknown(slip=receipt):
            return ReceiptScreen(receipt)
        case Done(text=text):
            return Message(text, tone=Tone.SUCCESS)
        case Refused():
            return _refusal(outcome)
        case Failed():
            return _failure(outcome)
        case Stopped(why=why):
            return Message(why.text, tone=Tone.INFO)


def _refusal(refused: Refused) -> Message:
    body = []
    if refused.article is not None:
        body.append(
            Text(
                f"依据《上海市社会保障卡管理办法》第{refused.article}条。",
                f"Regulation on the Shanghai social security card, Article {refused.article}.",
            )
        )
    if refused.advice is not None:
        body.append(refused.advice)
    return Message(refused.text, tuple(body), Tone.ERROR, refused.code)


def _failure(failed: Failed) -> Message:
    told = explain(failed.error)
    body = () if failed.changed is None else (failed.changed,)
    return Message(told.text, body, Tone.ERROR, told.code)
