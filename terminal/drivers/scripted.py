"""The scripted driver: answers flows from a prepared list or function, and keeps every screen.

Tests, the demo and simulations use it. Screens that only want to be seen are answered by
themselves. A scripted exception (`Cancelled`, `TimedOut`, `CardRemoved`) is raised in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from apdu.pin import Pin
from terminal.screens import Answer, AskPin, Question, Screen

Scripted = Answer | Exception
"""An answer, or what happens instead. Digits are turned into a PIN where one is asked for."""


class ScriptExhausted(Exception):
    """A flow asked for more answers than were prepared."""


class ScriptedDriver:
    """Answers each question with the next of `answers`, or with what `answer` returns for it.

    `on_screen` sees every screen before it is answered; the demo draws it there, and a test may
    pull a card or cut a network.
    """

    def __init__(
        self,
        answers: Iterable[Scripted] = (),
        *,
        answer: Callable[[Screen], Scripted] | None = None,
        on_screen: Callable[[Screen], None] = lambda _: None,
    ) -> None:
        self.screens: list[Screen] = []
        self._answers: Iterator[Scripted] = iter(answers)
        self._answer = answer or self._next
        self._on_screen = on_screen

    def show(self, screen: Screen) -> Answer:
        """Record `screen` and answer it; raises the scripted exception instead, if there is one."""
        self.screens.append(screen)
        self._on_screen(screen)
        if not isinstance(screen, Question):
            return None
        answer = self._answer(screen)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(screen, AskPin) and isinstance(answer, str):
            return Pin(answer)
        return answer

    def _next(self, screen: Screen) -> Scripted:
        try:
            return next(self._answers)
        except StopIteration:
            raise ScriptExhausted(f"no answer left for {screen}") from None
