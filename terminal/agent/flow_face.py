"""The agent as a face of flows: a question ends one call, its answer begins the next.

Screens that only want to be seen are collected and told together with the question, or with the
outcome, that follows them.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from terminal.agent.errors import AnswerUnfit
from terminal.outcome import Cancelled, Outcome, TimedOut
from terminal.screens import Answer, Question, Screen


@dataclass(frozen=True, slots=True)
class Asked:
    """A function waits for an answer to `question`; `shown` came before."""

    shown: tuple[Screen, ...]
    question: Question


@dataclass(frozen=True, slots=True)
class Ended:
    """A function has ended."""

    shown: tuple[Screen, ...]
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer as a caller gives it; `cancel` ends the function instead."""

    value: Answer = field(default=None, repr=False)
    cancel: bool = False


@dataclass(frozen=True, slots=True)
class Called:
    """An answer, and where to tell what came of it."""

    given: Answered
    outcome: Future[Asked | Ended]


class AgentFace:
    """A `terminal.flow.Driver` that answers from calls.

    `next_item` blocks for the next call, None when the session is to end; what is no answer goes
    to `refuse`.
    """

    def __init__(
        self,
        next_item: Callable[[], Any],
        answer: Future[Asked | Ended],
        refuse: Callable[[Any], None],
    ) -> None:
        self._next_item = next_item
        self._answer = answer
        self._refuse = refuse
        self._shown: list[Screen] = []

    def show(self, screen: Screen) -> Answer:
        """Tell the question and wait for its answer. Raises `Cancelled` or `TimedOut`."""
        if not isinstance(screen, Question):
            self._shown.append(screen)
            return None
        self._tell(Asked(tuple(self._shown), screen))
        while True:
            item = self._next_item()
            if item is None:
                raise TimedOut
            if not isinstance(item, Called):
                self._refuse(item)
                continue
            if item.given.cancel:
                self._answer = item.outcome
                raise Cancelled
            if not screen.accepts(item.given.value):
                kind = type(screen).__name__
                item.outcome.set_exception(AnswerUnfit(f"the question is a {kind}"))
                continue
            self._answer = item.outcome
            return item.given.value

    def end(self, outcome: Outcome) -> None:
        """Tell how the function ended."""
        if not self._answer.done():
            self._tell(Ended(tuple(self._shown), outcome))

    def fail(self, error: Exception) -> None:
        """Tell of a fault of the program."""
        if not self._answer.done():
            self._answer.set_exception(error)

    def _tell(self, what: Asked | Ended) -> None:
        self._shown.clear()
        self._answer.set_result(what)
