"""The kiosk: the states of a machine that serves one card after another (facts 4.4).

Out of service, or attract; a card comes and is checked; refused with the reason, or shown the menu
of what it may do now; a function and its receipt; take your card; wiped. One thread does all of
it, and it alone uses the reader.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Mapping
from contextlib import suppress
from threading import Thread

from apdu.connection import Reader
from apdu.status import CardError, CardRemoved
from backend_client.errors import BackendError
from terminal.admission import Admitted, Decision
from terminal.app import Terminal
from terminal.clock import local
from terminal.errors import TerminalError
from terminal.flow import drive, seen
from terminal.functions import ERRANDS, FUNCTIONS
from terminal.functions.entry import refusal
from terminal.kiosk.driver import KioskDriver
from terminal.kiosk.inbox import (
    CardCame,
    CardLeft,
    Ended,
    Happening,
    Inbox,
    Pressed,
    ReaderTrouble,
)
from terminal.kiosk.menu import BACK, MORE, WHY, menu, ordered
from terminal.kiosk.service import Standing, standing
from terminal.kiosk.stage import Stage
from terminal.kiosk.timing import Timing
from terminal.kiosk.unprinted import Unprinted
from terminal.kiosk.views import Attract, Checking, OutOfService, TakeCard
from terminal.outcome import Cancelled, Done, Failed, Interruption, Outcome, Stopped
from terminal.policy import Function
from terminal.refusal_slip import refusal_slip
from terminal.screens import Choose, Details, Option, Row, Section
from terminal.session import CardSession
from terminal.text import Text
from terminal.visit import Visit

log = logging.getLogger(__name__)

FACE = "kiosk"
WITHOUT_CARD = "without-card"
"""The answer of the attract screen's button for those who have no card to insert."""

LOOK_AGAIN = 30.0
"""Seconds after which a kiosk that nobody uses looks whether it can still serve."""

_WITHOUT_CARD_TITLE = Text("没有带卡，可以办理", "Without a card you can")
_THE_CARD = Text("使用这张卡", "To use this card")
_NO_HEADING = Text("", "")
_WHY_TITLE = Text("现在不能办理的业务", "What cannot be done now")


class Kiosk:
    """The machine around one reader. `start` it, and `close` it.

    `alarms` counts forgotten cards for which the staff were called, `visits` the cards served.
    """

    def __init__(
        self,
        terminal: Terminal,
        reader: Reader,
        *,
        stage: Stage,
        inbox: Inbox,
        driver: KioskDriver,
        timing: Timing,
    ) -> None:
        self.terminal = terminal
        self.stage = stage
        self.inbox = inbox
        self.visits = 0
        self.alarms = 0
        self._reader = reader
        self._driver = driver
        self._timing = timing
        self._present = False
        self._trouble: Exception | None = None
        self._ending = False
        self._thread = Thread(target=self._run, name="kiosk-session")

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """End; a section that moves money is finished first."""
        self.inbox.put(Ended())
        self._thread.join()

    @property
    def unprinted(self) -> Unprinted:
        """The receipts that could not be printed."""
        return self._driver.unprinted

    @property
    def standing(self) -> Standing:
        """Whether the kiosk can serve, and what it cannot do."""
        return standing(self.terminal, self._trouble)

    def _run(self) -> None:
        while not self._ending:
            try:
                self._idle()
                if self._present and not self._ending:
                    self._serve()
            except Exception:
                log.exception("a visit ended by a fault of the program")
            self._wipe()

    def _idle(self) -> None:
        """Wait for a card that can be served; nothing of the visit before is left."""
        while not self._ending:
            now = self.standing
            if now.serves and self._present:
                return
            view = OutOfService(now.reason, now.code) if now.reason else self._attract(now)
            if self.stage.page.view != view:
                self.stage.wipe(view)
            again = self.terminal.clock.monotonic() + LOOK_AGAIN
            happened = self.inbox.wait(again)
            if isinstance(happened, Pressed) and self._asks_without_card(happened):
                self._errand()
                self._wipe()
            elif happened is not None:
                self._note(happened)

    def _asks_without_card(self, pressed: Pressed) -> bool:
        """Whether the button for those without a card was pressed, on the screen that has it."""
        page = self.stage.page
        on_it = isinstance(page.view, Attract) and pressed.revision == page.revision
        return on_it and pressed.answer == WITHOUT_CARD

    def _errand(self) -> None:
        """Serve somebody who has no card to insert: it is lost, or there is none yet."""
        self.visits += 1
        self._driver.begin_without_card()
        try:
            options = tuple(Option(name, errand.title) for name, errand in ERRANDS.items())
            chosen = self._driver.show(Choose(_WITHOUT_CARD_TITLE, options))
            flow = ERRANDS[str(chosen)].flow(self.terminal.errand(FACE))
            outcome = drive(flow, self._driver)
            if not isinstance(outcome, Stopped):
                self._end(outcome, ERRANDS[str(chosen)].title)
        except (Interruption, CardRemoved):
            pass
        except Exception as error:
            log.exception("an errand ended by a fault of the program")
            self._tell(error)
        self._present = not self._driver.card_gone
        self._ending = self._ending or self._driver.ending

    def _attract(self, now: Standing) -> Attract:
        return Attract(self.terminal.institution_name, now.limits)

    def _note(self, happened: Happening) -> None:
        match happened:
            case CardCame():
                self._present = True
            case CardLeft():
                self._present = False
            case ReaderTrouble(error=error):
                self._trouble = error
            case Ended():
                self._ending = True
            case _:
                pass

    def _serve(self) -> None:
        """One card, from checking it to giving it back."""
        self.visits += 1
        self._driver.begin()
        self.stage.show(Checking())
        try:
            self._with_card()
        except Interruption:
            pass
        except (CardError, BackendError, TerminalError) as error:
            log.info("the visit ended with %s", error.code)
            self._tell(error)
        except Exception as error:
            log.exception("the visit ended by a fault of the program")
            self._tell(error)
        self._present = not self._driver.card_gone
        self._ending = self._ending or self._driver.ending
        self._return_card()

    def _with_card(self) -> None:
        exclusive = self.terminal.settings.reader.exclusive
        with CardSession.open(self._reader, self.terminal.sam, exclusive=exclusive) as session:
            visit = self.terminal.visit(session, FACE)
            is_told = False
            while not (self._driver.card_gone or self._driver.ending):
                decisions = self.terminal.outlook(session.facts, FACE)
                admitted = _admitted(decisions)
                if not admitted:
                    self._refuse(decisions)
                    return
                if not is_told:
                    is_told = True
                    if self._tells_first(decisions):
                        continue
                self._use(visit, self._choose(admitted, decisions))

    def _choose(
        self, admitted: tuple[Function, ...], decisions: Mapping[Function, Decision]
    ) -> Function:
        """The function that the holder wants. Raises what `KioskDriver.choose` raises."""
        number = 1
        while True:
            chosen = self._driver.choose(menu(admitted, len(FUNCTIONS) - len(admitted), number))
            if chosen in (MORE, BACK):
                number += 1 if chosen == MORE else -1
            elif chosen == WHY:
                with suppress(Cancelled):
                    self._driver.show(_withheld(decisions))
            elif chosen in admitted:
                return Function(chosen)

    def _use(self, visit: Visit, function: Function) -> None:
        """One function to its end. Raises `TimedOut` when the holder is no longer there."""
        outcome = drive(FUNCTIONS[function].flow(visit), self._driver)
        if isinstance(outcome, Stopped):
            if not isinstance(outcome.why, Cancelled):
                raise outcome.why
        else:
            self._end(outcome, FUNCTIONS[function].title)

    def _end(self, outcome: Outcome, what: Text) -> None:
        """Show how `what` ended, unless that is clear. Raises `TimedOut` when nobody reads it."""
        if not self._left_quietly(outcome):
            self._close(outcome, what)
        seen(outcome)

    def _close(self, outcome: Outcome, what: Text) -> None:
        """Show how `what` ended. Raises `TimedOut` when nobody reads it."""
        now, place = local(self.terminal.clock.now()), self.terminal.institution_name
        self._driver.close(outcome, lambda told: refusal_slip(what, told, now, place))

    def _left_quietly(self, outcome: Outcome) -> bool:
        """Whether the end needs no words: the holder has read something, and that was all."""
        if isinstance(outcome, Done):
            return outcome.receipt is None and self._driver.left_reading
        return (
            self._driver.left_reading
            and isinstance(outcome, Failed)
            and isinstance(outcome.error, CardRemoved)
            and outcome.changed is None
        )

    def _tells_first(self, decisions: Mapping[Function, Decision]) -> bool:
        """Say first why a card is not even read, where something else is open to it all the same.

        A card that was reported lost can still have its loss released (Article 19).
        """
        reading = decisions[Function.READ]
        if isinstance(reading, Admitted):
            return False
        self._close(refusal(reading), _THE_CARD)
        return True

    def _refuse(self, decisions: Mapping[Function, Decision]) -> None:
        """Say why nothing is open to this card."""
        first = decisions[Function.READ]
        if not isinstance(first, Admitted):
            self._close(refusal(first), _THE_CARD)

    def _tell(self, error: Exception) -> None:
        """Say what went wrong. A card that was simply taken needs no words."""
        if isinstance(error, CardRemoved) and self._driver.card_gone:
            return
        with suppress(Interruption):
            self._close(Failed(error), _THE_CARD)

    def _return_card(self) -> None:
        """Ask for the card to be taken; sound, then call the staff."""
        started = self.terminal.clock.monotonic()
        steps = [started + self._timing.alarm, started + self._timing.call]
        alarm = 0
        while self._present and not self._ending:
            self.stage.show(TakeCard(alarm))
            if alarm == 2:
                self.alarms += 1
                log.warning("a card was left in the reader")
            while self._present and not self._ending:
                happened = self.inbox.wait(steps[alarm] if alarm < len(steps) else None)
                if happened is None:
                    alarm += 1
                    break
                self._note(happened)

    def _wipe(self) -> None:
        """Nothing of the visit stays: the screen, the presses, the objects of the flow."""
        self.inbox.forget_presses()
        self.stage.wipe(Checking() if self._present else Attract(self.terminal.institution_name))
        gc.collect()


def _withheld(decisions: Mapping[Function, Decision]) -> Details:
    """What is not open to this card now, and why."""
    rows = tuple(
        Row(FUNCTIONS[function].title, decision.text)
        for function, decision in decisions.items()
        if function in FUNCTIONS and not isinstance(decision, Admitted)
    )
    return Details(_WHY_TITLE, (Section(_NO_HEADING, rows),))


def _admitted(decisions: Mapping[Function, Decision]) -> tuple[Function, ...]:
    return ordered([one for one in FUNCTIONS if isinstance(decisions.get(one), Admitted)])
