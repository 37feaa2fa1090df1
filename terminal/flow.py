"""Flows: a function of the terminal, written as a generator that yields screens.

A flow yields a screen and gets the answer back; it returns an outcome. It knows no face. A driver
(console, script, kiosk) shows each screen; `drive` connects the two. What may happen while a screen
is up (the card is pulled, the holder cancels, nobody answers) is an exception that the driver
raises and that `drive` throws in at the flow's `yield`.

While money moves the flow yields screens with `cancellable=False`. What happens then waits: the
section is finished first, or its operation is left unknown in the journal; only then, at the next
cancellable screen, does the flow hear of it.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from apdu.pin import Pin
from apdu.status import CardError, CardRemoved
from backend_client.errors import BackendError
from backend_client.errors import Refused as RefusedByCentre
from terminal.amounts import fen_of
from terminal.errors import TerminalError
from terminal.outcome import Done, Failed, Interruption, Outcome, Refused, Stopped, closing
from terminal.receipt import yuan
from terminal.screens import (
    Answer,
    AskAmount,
    AskIdentity,
    AskPin,
    AskScan,
    Choose,
    Confirm,
    Details,
    Identity,
    Message,
    Progress,
    Screen,
    ShowQr,
)
from terminal.text import Text

log = logging.getLogger(__name__)

_NO_AMOUNT = Text("请输入金额，例如 12.50。", "Please enter an amount in yuan, for example 12.50.")
_OUT_OF_BOUNDS = Text(
    "金额应在 ¥ {smallest} 至 ¥ {largest} 之间。",
    "The amount must be between ¥ {smallest} and ¥ {largest}.",
)

Flow = Generator[Screen, Answer, Outcome]
"""Yields screens, receives answers, returns how it ended."""


class Driver(Protocol):
    """A face: shows screens and brings answers back."""

    def show(self, screen: Screen) -> Answer:
        """Show `screen` and return an answer that it accepts.

        Raises `Cancelled`, `TimedOut` or `CardRemoved` when that happens first.
        """
        ...


class WrongAnswer(Exception):
    """A driver brought an answer that its screen does not accept: a fault of the driver."""


def run(flow: Flow, driver: Driver) -> Outcome:
    """Drive `flow` to its end and show the closing screen. Returns the outcome."""
    outcome = drive(flow, driver)
    with suppress(Interruption, CardRemoved):
        driver.show(closing(outcome))
    seen(outcome)
    return outcome


def seen(outcome: Outcome) -> None:
    """Note that the holder knows how it ended; a face that shows the end itself calls this."""
    if isinstance(outcome, Done) and outcome.shown is not None:
        outcome.shown()


def drive(flow: Flow, driver: Driver) -> Outcome:
    """Drive `flow` to its end without a closing screen.

    The typed errors of card, back office and terminal become `Failed`, a no of the back office
    `Refused`; anything else is a fault of the program and is raised.
    """
    try:
        return _steps(flow, driver)
    except Interruption as stop:
        return Stopped(stop)
    except (CardError, BackendError, TerminalError) as error:
        if isinstance(error, RefusedByCentre) and error.said_no:
            log.info("flow refused by the back office with %s", error.problem.code)
            return Refused(error.problem.code, Text(error.zh, error.en))
        log.info("flow ended with %s", error.code)
        return Failed(error)
    finally:
        flow.close()


def _steps(flow: Flow, driver: Driver) -> Outcome:
    waiting: Interruption | CardRemoved | None = None
    try:
        screen = next(flow)
        while True:
            answer: Answer = None
            try:
                answer = driver.show(screen)
            except (Interruption, CardRemoved) as happened:
                waiting = waiting or happened
            if waiting is not None and screen.cancellable:
                thrown, waiting = waiting, None
                screen = flow.throw(thrown)
            elif not screen.accepts(answer):
                raise WrongAnswer(f"{type(screen).__name__} does not take {type(answer).__name__}")
            else:
                screen = flow.send(answer)
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome


# Steps of a flow, for `yield from`: each returns an answer of one type.

Step = Generator[Screen, Answer, None]


def tell(screen: Message | Details | ShowQr) -> Step:
    """Show something to be read."""
    yield screen


def working(zh: str, en: str) -> Step:
    """Say what is going on before doing it."""
    yield Progress(Text(zh, en))


def committing(zh: str, en: str) -> Step:
    """Say what is being committed: from here to the next other screen nothing interrupts."""
    yield Progress(Text(zh, en), cancellable=False)


def choice(screen: Choose) -> Generator[Screen, Answer, str]:
    """Ask for one option and return its key."""
    answer = yield screen
    if not isinstance(answer, str):
        raise WrongAnswer("a choice is the key of an option")
    return answer


def pin(screen: AskPin) -> Generator[Screen, Answer, Pin]:
    """Ask for a PIN. The caller wipes it."""
    answer = yield screen
    if not isinstance(answer, Pin):
        raise WrongAnswer("a PIN is a Pin")
    return answer


def identity(screen: AskIdentity) -> Generator[Screen, Answer, Identity]:
    """Ask who somebody is."""
    answer = yield screen
    if not isinstance(answer, Identity):
        raise WrongAnswer("an identity is an Identity")
    return answer


def scan(screen: AskScan) -> Generator[Screen, Answer, str]:
    """Ask for a code to be shown."""
    answer = yield screen
    if not isinstance(answer, str):
        raise WrongAnswer("a code is a text")
    return answer


def amount(screen: AskAmount, smallest: int, largest: int) -> Generator[Screen, Answer, int]:
    """Ask for an amount until it is one within these bounds (fen), and return its fen."""
    while True:
        typed = yield screen
        if not isinstance(typed, str):
            raise WrongAnswer("an amount is what was typed")
        fen = fen_of(typed)
        if fen is None:
            note = _NO_AMOUNT
        elif smallest <= fen <= largest:
            return fen
        else:
            note = _OUT_OF_BOUNDS.fill(smallest=yuan(smallest), largest=yuan(largest))
        screen = replace(screen, note=note)


def agreement(screen: Confirm) -> Generator[Screen, Answer, bool]:
    """Ask for yes or no."""
    answer = yield screen
    return answer is True
