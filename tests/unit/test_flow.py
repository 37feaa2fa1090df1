"""Driving flows: answers, interruptions, sections that cannot be cancelled, errors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from apdu.pin import Pin
from apdu.status import CardError, CardRemoved, NotACard, PinBlocked
from backend_client.errors import BackendError, Unexplained, Unreachable
from backend_client.errors import Refused as RefusedByCentre
from backend_client.messages import Problem
from terminal.drivers.scripted import ScriptedDriver, ScriptExhausted
from terminal.errors import ConfigurationError, TerminalError
from terminal.flow import (
    Flow,
    WrongAnswer,
    agreement,
    choice,
    committing,
    drive,
    pin,
    run,
    tell,
    working,
)
from terminal.outcome import (
    Cancelled,
    Done,
    Failed,
    Interruption,
    Outcome,
    Refused,
    Stopped,
    TimedOut,
    Unknown,
    closing,
)
from terminal.receipt import Receipt
from terminal.screens import (
    AskPin,
    Choose,
    Confirm,
    Message,
    Option,
    Progress,
    ReceiptScreen,
    Screen,
    Tone,
)
from terminal.text import Text

TITLE = Text("标题", "Title")
DONE = Done(TITLE)
ASK = Confirm(TITLE, (), TITLE, TITLE)
CHOOSE = Choose(TITLE, (Option("a", TITLE), Option("b", TITLE)))


class Raising:
    """A driver that raises at the screens for which it has an exception."""

    def __init__(self, at: dict[int, Exception]) -> None:
        self.at = at
        self.shown: list[Screen] = []

    def show(self, screen: Screen) -> None:
        self.shown.append(screen)
        error = self.at.get(len(self.shown) - 1)
        if error is not None:
            raise error


def test_answers_come_back_to_the_yield_in_order() -> None:
    seen: list[object] = []

    def flow() -> Flow:
        seen.append((yield from choice(CHOOSE)))
        seen.append((yield from agreement(ASK)))
        with (yield from pin(AskPin(TITLE))) as entered:
            seen.append(entered.matches(Pin("1357")))
        yield from tell(Message(TITLE))
        yield from working("忙", "busy")
        return DONE

    driver = ScriptedDriver(["b", True, "1357"])
    assert drive(flow(), driver) == DONE
    assert seen == ["b", True, True]
    assert [type(screen) for screen in driver.screens] == [
        Choose,
        Confirm,
        AskPin,
        Message,
        Progress,
    ]


def test_a_flow_may_end_without_a_screen() -> None:
    def flow() -> Flow:
        yield from ()
        return DONE

    assert drive(flow(), ScriptedDriver()) == DONE


@pytest.mark.parametrize("why", [Cancelled(), TimedOut()])
def test_an_interruption_ends_the_flow_where_it_stands(why: Interruption) -> None:
    cleaned: list[str] = []

    def flow() -> Flow:
        try:
            yield from agreement(ASK)
        finally:
            cleaned.append("yes")
        return DONE

    assert drive(flow(), ScriptedDriver([why])) == Stopped(why)
    assert cleaned == ["yes"]


def test_a_removed_card_is_thrown_in_at_the_yield() -> None:
    caught: list[str] = []

    def flow() -> Flow:
        try:
            yield from agreement(ASK)
        except CardRemoved:
            caught.append("here")
            raise
        return DONE

    outcome = drive(flow(), ScriptedDriver([CardRemoved("pulled")]))
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, CardRemoved)
    assert caught == ["here"]


def test_a_flow_may_survive_what_is_thrown_in() -> None:
    def flow() -> Flow:
        try:
            yield from agreement(ASK)
        except TimedOut:
            yield from tell(Message(TITLE))
        return DONE

    driver = ScriptedDriver([TimedOut()])
    assert drive(flow(), driver) == DONE
    assert len(driver.screens) == 2


@pytest.mark.parametrize("happens", [Cancelled(), TimedOut(), CardRemoved("pulled")])
def test_nothing_interrupts_a_section_that_commits(happens: Exception) -> None:
    steps: list[str] = []

    def flow() -> Flow:
        yield from committing("提交", "committing")
        steps.append("sent")
        yield from committing("提交", "committing")
        steps.append("recorded")
        return DONE

    driver = Raising({0: happens})
    assert drive(flow(), driver) == DONE
    assert steps == ["sent", "recorded"]


def test_what_waited_for_a_section_reaches_the_next_screen() -> None:
    steps: list[str] = []

    def flow() -> Flow:
        yield from committing("提交", "committing")
        steps.append("committed")
        yield from tell(Message(TITLE))
        steps.append("never")
        return DONE

    first, second = TimedOut(), Cancelled()
    driver = Raising({0: first, 1: second})
    assert drive(flow(), driver) == Stopped(first)
    assert steps == ["committed"]


@pytest.mark.parametrize(
    "error",
    [
        NotACard("x"),
        Unreachable("x"),
        Unexplained(Problem("about:blank", "?", 502, "UNEXPLAINED")),
        ConfigurationError("x"),
        PinBlocked("x"),
    ],
)
def test_typed_errors_become_outcomes(error: CardError | BackendError | TerminalError) -> None:
    def flow() -> Flow:
        yield from working("忙", "busy")
        raise error

    assert drive(flow(), ScriptedDriver()) == Failed(error)


def test_a_no_of_the_back_office_is_a_refusal_with_its_code() -> None:
    problem = Problem("about:blank", "settled", 409, "BILL_SETTLED", zh="已结算。", en="Settled.")

    def flow() -> Flow:
        yield from working("忙", "busy")
        raise RefusedByCentre(problem)

    refused = Refused("BILL_SETTLED", Text("已结算。", "Settled."))
    assert drive(flow(), ScriptedDriver()) == refused


def test_a_fault_of_the_program_is_raised() -> None:
    def flow() -> Flow:
        yield from working("忙", "busy")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        drive(flow(), ScriptedDriver())


def test_a_wrong_answer_never_reaches_the_flow() -> None:
    closed: list[str] = []

    def flow() -> Flow:
        try:
            yield from choice(CHOOSE)
        finally:
            closed.append("yes")
        return DONE

    with pytest.raises(WrongAnswer):
        drive(flow(), ScriptedDriver(["no such option"]))
    assert closed == ["yes"]


def test_a_script_without_answers_says_so() -> None:
    def flow() -> Flow:
        yield from choice(CHOOSE)
        return DONE

    with pytest.raises(ScriptExhausted):
        drive(flow(), ScriptedDriver())


def test_running_shows_the_closing_screen_and_ignores_what_happens_then() -> None:
    def flow() -> Flow:
        yield from ()
        return DONE

    driver = Raising({0: Cancelled()})
    assert run(flow(), driver) == DONE
    assert driver.shown == [closing(DONE)]


RECEIPT = Receipt(TITLE, "1" * 30, datetime(2026, 1, 1, tzinfo=UTC), "医院", ())


@pytest.mark.parametrize(
    ("outcome", "check"),
    [
        (Done(TITLE), lambda s: s.tone is Tone.SUCCESS),
        (Done(TITLE, RECEIPT), lambda s: s == ReceiptScreen(RECEIPT)),
        (Unknown("1", RECEIPT), lambda s: s == ReceiptScreen(RECEIPT)),
        (Refused("CODE", TITLE, TITLE, 18), lambda s: "第18条" in s.body[0].zh and s.code),
        (Refused("CODE", TITLE), lambda s: s.body == () and s.tone is Tone.ERROR),
        (Failed(NotACard("x")), lambda s: s.code == "CARD_NOT_SOCIAL_SECURITY"),
        (Failed(CardRemoved("x"), TITLE), lambda s: s.body == (TITLE,)),
        (Stopped(Cancelled()), lambda s: "取消" in s.title.zh),
        (Stopped(TimedOut()), lambda s: "超时" in s.title.zh),
    ],
)
def test_every_outcome_has_its_closing_screen(
    outcome: Outcome, check: Callable[[Screen], bool]
) -> None:
    assert check(closing(outcome))
