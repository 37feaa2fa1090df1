"""The stage of the story: a terminal, a card slot, a back office, one clock, and who looks on.

How the card is presented (a reader in this process, or the virtual reader of a real PC/SC service)
and how the back office is reached (in this process, or over HTTP) is decided by whoever sets the
stage; what is played on it is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from apdu.connection import Reader
from apdu.pin import Pin
from apdu.readers.inprocess import Chip
from apdu.trace import Exchange, Trace
from simulator.network import Network
from simulator.office import Office
from terminal.app import Terminal
from terminal.clock import Clock
from terminal.drivers.scripted import Scripted
from terminal.flow import run
from terminal.functions import FUNCTIONS
from terminal.outcome import Outcome
from terminal.policy import Function
from terminal.screens import Answer, AskPin, Choose, Confirm, Question, Screen
from terminal.session import CardSession
from terminal.text import Text

PATIENCE = 10.0
"""Seconds that a real reader may take to notice a card."""


class Slot(Protocol):
    """Where cards go in and out."""

    def insert(self, chip: Chip) -> None:
        """Put a card in."""
        ...

    def remove(self) -> Chip | None:
        """Take the card out."""
        ...


class Audience:
    """Whoever looks on; this one is silent. The demo draws, a test keeps."""

    def told(self, text: Text) -> None:
        """Something is explained."""

    def saw(self, screen: Screen) -> None:
        """The holder is shown a screen."""

    def answered(self, text: Text) -> None:
        """The holder answers."""


class MovableClock(Clock, Protocol):
    """A clock that is told to move."""

    def advance(self, duration: timedelta) -> None:
        """Let time pass."""
        ...


@dataclass(slots=True)
class Scene:
    """One stage. `exchange` is what went between terminal and the last card."""

    clock: MovableClock
    terminal: Terminal
    office: Office
    network: Network
    slot: Slot
    reader: Reader
    audience: Audience = field(default_factory=Audience)
    exchange: Trace = field(default_factory=Trace)

    def say(self, zh: str, en: str) -> None:
        """Explain something to who looks on."""
        self.audience.told(Text(zh, en))

    def wait_until(self, instant: datetime) -> None:
        """Let time pass up to `instant`, for terminal and back office alike.

        They may share one clock, or each have their own.
        """
        self.office.wait_until(instant)
        if self.clock.now() < instant:
            self.clock.advance(instant - self.clock.now())

    @contextmanager
    def card_in(self, chip: Chip) -> Iterator[CardSession]:
        """The card is put in, read, and taken out again at the end."""
        self.slot.insert(chip)
        try:
            if not self.reader.wait_for_card(PATIENCE):
                raise StoryBroken("the reader did not notice the card")
            self.exchange = Trace()
            with CardSession.open(self.reader, self.terminal.sam, trace=self.exchange) as session:
                yield session
        finally:
            self.slot.remove()
            self.reader.wait_for_removal(PATIENCE)

    def serve(self, chip: Chip, function: Function, *answers: Scripted) -> Outcome:
        """One holder uses one function, answering the questions in this order."""
        with self.card_in(chip) as session:
            flow = FUNCTIONS[function].flow(self.terminal.visit(session, "demo"))
            return run(flow, _Holder(self.audience, answers))

    def commands(self) -> tuple[int, int]:
        """How many commands went to the last card, and how many bytes went to and fro."""
        exchanges = [event for event in self.exchange.events if isinstance(event, Exchange)]
        total = sum(len(e.command.value) + len(e.answer or b"") for e in exchanges)
        return len(exchanges), total


class StoryBroken(Exception):
    """A step did not come out as it is told."""


class _Holder:
    """The driver of the story: answers from a script, and lets the audience see all of it."""

    def __init__(self, audience: Audience, answers: tuple[Scripted, ...]) -> None:
        self._audience = audience
        self._answers = iter(answers)

    def show(self, screen: Screen) -> Answer:
        self._audience.saw(screen)
        if not isinstance(screen, Question):
            return None
        answer = next(self._answers, None)
        if answer is None:
            raise StoryBroken(f"nobody expected to be asked: {screen.title}")
        if isinstance(answer, Exception):
            raise answer
        self._audience.answered(_spoken(screen, answer))
        return Pin(answer) if isinstance(screen, AskPin) and isinstance(answer, str) else answer


def _spoken(screen: Question, answer: Answer) -> Text:
    """An answer as who looks on may see it: a PIN never."""
    if isinstance(screen, AskPin):
        return Text("●●●●●●", "●●●●●●")
    if isinstance(screen, Confirm):
        return screen.yes if answer is True else screen.no
    if isinstance(screen, Choose):
        return next(option.label for option in screen.options if option.key == answer)
    return Text("（已出示）", "(shown)")
