"""One thread owns one card: opened, worked with and closed in it, whoever asks.

What callers want comes through a queue and is answered through futures. The lease ends the thread:
it is renewed by every call, and when it runs out the card is powered off and the reader is free,
whatever became of the caller. A card that left ends it, too.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from apdu.ssc.entitlement import LINE_ERRORS
from terminal.admission import Refused
from terminal.agent.errors import FunctionRunning, NotAdmitted, NothingAsked, SessionUnknown
from terminal.agent.flow_face import AgentFace, Answered, Asked, Called, Ended
from terminal.app import Terminal
from terminal.flow import Flow, drive, seen
from terminal.outcome import Failed
from terminal.policy import Function
from terminal.session import CardSession
from terminal.visit import Visit

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Holding:
    """What a call works with: the card's session, the visit, the terminal, and who asked."""

    session: CardSession
    visit: Visit
    terminal: Terminal
    face: str

    def admit(self, function: Function) -> None:
        """Ask admission, which writes the audit trail. Raises `NotAdmitted`."""
        decision = self.visit.admit(function)
        if isinstance(decision, Refused):
            text = decision.text
            raise NotAdmitted(decision.reason.value, text.zh, text.en, decision.article)


@dataclass(frozen=True, slots=True)
class _Work:
    do: Callable[[Holding], Any]
    answer: Future[Any]


@dataclass(frozen=True, slots=True)
class _Start:
    flow: Callable[[Visit], Flow]
    answer: Future[Asked | Ended]


_Item = _Work | _Start | Called | None
"""None: the session is to end."""


class CardThread:
    """A session's thread. Every method may be called from any thread and returns at once."""

    def __init__(
        self,
        terminal: Terminal,
        open_card: Callable[[], CardSession],
        *,
        face: str,
        lease: float,
        ended: Callable[[], None],
    ) -> None:
        """`open_card` runs in the thread; `ended` is called when the card is closed."""
        self._terminal = terminal
        self._open_card = open_card
        self._face = face
        self._ended = ended
        self._items: SimpleQueue[_Item] = SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self.lease = lease
        self._deadline = 0.0
        self.opened: Future[Holding] = Future()
        self._thread = threading.Thread(target=self._run, name="agent-card", daemon=True)

    def start(self) -> None:
        """Begin to open the card; `opened` tells how that ended."""
        self._thread.start()

    def close(self) -> None:
        """End: a flow that waits is cancelled, money that moves is finished first."""
        with self._lock:
            self._closed = True
        self._items.put(None)

    def join(self, timeout: float) -> None:
        """Wait until the card is closed."""
        self._thread.join(timeout)

    def renew(self) -> None:
        """Begin the lease anew."""
        self._deadline = self._terminal.clock.monotonic() + self.lease

    def work(self, do: Callable[[Holding], T]) -> Future[T]:
        """Have `do` carried out with the card."""
        answer: Future[T] = Future()
        return self._put(_Work(do, answer), answer)

    def start_function(self, flow: Callable[[Visit], Flow]) -> Future[Asked | Ended]:
        """Run a function until it asks something or ends."""
        answer: Future[Asked | Ended] = Future()
        return self._put(_Start(flow, answer), answer)

    def answer(self, given: Answered) -> Future[Asked | Ended]:
        """Answer what the function asked; it goes on until it asks again or ends."""
        called = Called(given, Future())
        return self._put(called, called.outcome)

    def _put(self, item: _Item, answer: Future[T]) -> Future[T]:
        self.renew()
        with self._lock:
            if self._closed:
                answer.set_exception(SessionUnknown("the session has ended"))
            else:
                self._items.put(item)
        return answer

    # In the thread

    def _run(self) -> None:
        try:
            with self._open_card() as session:
                visit = self._terminal.visit(session, self._face)
                holding = Holding(session, visit, self._terminal, self._face)
                holding.admit(Function.READ)
                self.renew()
                self.opened.set_result(holding)
                self._serve(holding)
        except Exception as error:
            if not self.opened.done():
                self.opened.set_exception(error)
            else:
                log.warning("a session ended with %s", type(error).__name__)
        finally:
            self._end()

    def _serve(self, holding: Holding) -> None:
        while (item := self.next_item()) is not None:
            try:
                if isinstance(item, _Work):
                    item.answer.set_result(item.do(holding))
                elif isinstance(item, _Start):
                    if not self._run_flow(holding, item):
                        return
                else:
                    item.outcome.set_exception(NothingAsked("no function has asked anything"))
            except LINE_ERRORS as error:
                _fail(item, error)
                return
            except Exception as error:
                _fail(item, error)

    def _run_flow(self, holding: Holding, start: _Start) -> bool:
        """Run a function to its end; whether the card is still there."""
        face = AgentFace(self.next_item, start.answer, self._refuse)
        try:
            outcome = drive(start.flow(holding.visit), face)
        except Exception as error:
            face.fail(error)
            return True
        face.end(outcome)
        seen(outcome)
        return not (isinstance(outcome, Failed) and isinstance(outcome.error, LINE_ERRORS))

    def next_item(self) -> _Item:
        """The next thing to do; None when the lease has run out or the session is to end."""
        while not self._closed:
            left = self._deadline - self._terminal.clock.monotonic()
            if left <= 0:
                return None
            try:
                return self._items.get(timeout=left)
            except Empty:
                continue  # unless it was renewed meanwhile, the lease is over now
        return None

    @staticmethod
    def _refuse(item: _Item) -> None:
        """A call while a function waits for its answer."""
        if item is not None:
            _fail(item, FunctionRunning("a function waits for its answer"))

    def _end(self) -> None:
        with self._lock:
            self._closed = True
        while not self._items.empty():
            item = self._items.get()
            if item is not None:
                _fail(item, SessionUnknown("the session has ended"))
        self._ended()


def _fail(item: _Work | _Start | Called, error: Exception) -> None:
    future: Future[Any] = item.outcome if isinstance(item, Called) else item.answer
    if not future.done():
        future.set_exception(error)
