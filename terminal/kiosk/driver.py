"""The kiosk's driver of flows: puts each screen on the stage and waits for its answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from apdu.status import CardRemoved
from terminal.clock import Clock
from terminal.devices.protocols import PinPad, Printer
from terminal.errors import PinPadError, TerminalError, explain
from terminal.kiosk.inbox import (
    CancelPressed,
    CardCame,
    CardLeft,
    Ended,
    Happening,
    Inbox,
    PadCancelled,
    PadFailed,
    PadKeys,
    PadPin,
    PinKey,
    Pressed,
    ReaderTrouble,
)
from terminal.kiosk.pin_entry import PinEntry
from terminal.kiosk.stage import Stage
from terminal.kiosk.timing import Patience, Timing
from terminal.kiosk.unprinted import Unprinted, UnprintedReceipt
from terminal.kiosk.views import SLIP, Menu, Task
from terminal.outcome import Cancelled, Failed, Outcome, TimedOut, closing
from terminal.receipt import Receipt
from terminal.screens import Answer, AskPin, Details, Message, Progress, ReceiptScreen, Screen, Tone
from terminal.text import Text

log = logging.getLogger(__name__)

_PRINTED = Text("凭条已打印，请取走。", "Your slip is printed. Please take it.")
_NOT_PRINTED = Text(
    "{why}办理结果不受影响，请扫描二维码保存，或请工作人员补打。",
    "{why} What you did is valid all the same: scan the code to keep a copy, or ask the staff.",
)
_NO_PRINTER = Text("请扫描二维码保存。", "Scan the code to keep a copy.")


_TO_READ = (Message, Details, ReceiptScreen)
"""What takes longer, because it is read and not answered."""


class KioskDriver:
    """Drives the flows of one visit after another.

    `card_gone` and `ending` tell what happened meanwhile: the card left, the kiosk is to end.
    `unprinted` are the receipts that could not be printed. `left_reading` says that the last screen
    held facts to be read, from which one may just leave.
    """

    def __init__(
        self,
        stage: Stage,
        inbox: Inbox,
        clock: Clock,
        timing: Timing,
        unprinted: Unprinted,
        *,
        printer: Printer | None = None,
        pin_pad: PinPad | None = None,
        screen_pin: bool = False,
    ) -> None:
        """`screen_pin`: a PIN may be typed on the screen where there is no pad."""
        self._stage = stage
        self._inbox = inbox
        self._timing = timing
        self._patience = Patience(inbox, stage, clock, timing)
        self._printer = printer
        self._pin_pad = pin_pad
        self._screen_pin = screen_pin
        self.card_gone = False
        self.left_reading = False
        self.ending = False
        self.unprinted = unprinted
        self._clock = clock

    def begin(self) -> None:
        """A new card is here."""
        self.card_gone = False
        self.left_reading = False

    def begin_without_card(self) -> None:
        """Somebody is here who has no card to insert; one that comes meanwhile is noted."""
        self.begin()
        self.card_gone = True

    def show(self, screen: Screen) -> Answer:
        """See `Driver.show`."""
        self._inbox.forget_presses()
        if isinstance(screen, AskPin):
            return self._pin(screen)
        view = self._task(screen)
        revision = self._patience.show(view)
        self.left_reading = isinstance(screen, Details | ReceiptScreen)
        if isinstance(screen, Progress):
            self._catch_up()
            return None
        return self._answer(screen, revision)

    def choose(self, menu: Menu) -> str:
        """Let the holder choose from the menu. Raises what `show` raises."""
        self._inbox.forget_presses()
        revision = self._patience.show(menu)
        for happened in self._patience.happenings(self._timing.answer):
            self._note(happened)
            match happened:
                case Pressed(revision=at, answer=str(key)) if at == revision:
                    return key
                case CancelPressed(revision=at) if at == revision:
                    raise Cancelled
        raise TimedOut

    def close(self, outcome: Outcome, slip_of: Callable[[Message], Receipt]) -> None:
        """Show how a function ended. A refusal can be taken along: `slip_of` makes its slip.

        It stands although the card has left meanwhile; who takes the card while it stands has
        read it. Raises `TimedOut` when nobody reads it and the card is still here.
        """
        screen = closing(outcome)
        had_card = not (self.card_gone or _by_removal(outcome))
        if self._is_taken_along(screen, had_card) and isinstance(screen, Message):
            self._is_taken_along(ReceiptScreen(slip_of(screen)), had_card)

    def _is_taken_along(self, screen: Screen, had_card: bool) -> bool:
        """Let the last screen be read, and say whether its slip is wanted."""
        self._inbox.forget_presses()
        task = replace(self._task(screen), slip=_is_refusal(screen))
        revision = self._patience.show(task)
        quiet = self._quiet(screen) if had_card else self._timing.closing
        try:
            for happened in self._patience.happenings(quiet):
                if isinstance(happened, CardCame):
                    self.card_gone = False
                    return False
                if isinstance(happened, CardLeft):
                    self.card_gone = True
                    if had_card:
                        return False
                elif isinstance(happened, Ended):
                    self.ending = True
                    return False
                elif _is_press_on(happened, revision):
                    wanted = isinstance(happened, Pressed) and happened.answer == SLIP
                    return wanted and task.slip
        except TimedOut:
            if not self.card_gone:
                raise
        return False

    def _answer(self, screen: Screen, revision: int) -> Answer:
        for happened in self._patience.happenings(self._quiet(screen)):
            self._note(happened)
            match happened:
                case Pressed(revision=at, answer=answer) if at == revision:
                    if screen.accepts(answer):
                        return answer
                case CancelPressed(revision=at) if at == revision:
                    raise Cancelled
        raise TimedOut

    def _pin(self, screen: AskPin) -> Answer:
        """Ask on the pad, where there is one, else on the screen."""
        pad = self._pin_pad
        self.left_reading = False
        if pad is None and not self._screen_pin:
            raise PinPadError("there is no PIN pad, and [kiosk] screen_pin is false")
        revision = self._patience.show(Task(screen, on_screen_pad=pad is None))
        if pad is not None:
            pad.ask(screen.shortest, screen.longest)
        try:
            with PinEntry(screen.longest) as entry:
                for happened in self._patience.happenings(self._timing.answer):
                    self._note(happened)
                    match happened:
                        case PinKey(revision=at, key=key) if at == revision and pad is None:
                            pin = entry.press(key)
                            if pin is not None:
                                return pin
                            self._stage.typed(entry.count)
                        case PadPin(pin=pin):
                            return pin
                        case PadKeys(count=count):
                            self._stage.typed(count)
                        case PadFailed(error=error):
                            raise error
                        case PadCancelled():
                            raise Cancelled
                        case CancelPressed(revision=at) if at == revision:
                            raise Cancelled
        finally:
            if pad is not None:
                pad.stop()
        raise TimedOut

    def _note(self, happened: Happening) -> None:
        """What ends any screen. Raises `CardRemoved` or `Cancelled`."""
        match happened:
            case CardLeft():
                self.card_gone = True
                raise CardRemoved("the card was taken")
            case ReaderTrouble(error=Exception()):
                self.card_gone = True
                raise CardRemoved("the reader went away")
            case CardCame():
                self.card_gone = False
            case Ended():
                self.ending = True
                raise Cancelled
            case _:
                pass

    def _catch_up(self) -> None:
        """Hear what has happened already, without waiting."""
        while (happened := self._inbox.wait(0.0)) is not None:
            self._note(happened)

    def _quiet(self, screen: Screen) -> float:
        return self._timing.reading if isinstance(screen, _TO_READ) else self._timing.answer

    def _task(self, screen: Screen) -> Task:
        printed = None
        if isinstance(screen, ReceiptScreen):
            self._stage.show(Task(Progress(Text("正在打印凭条", "Printing your slip"))))
            printed = self._print(screen.receipt)
        return Task(screen, printed)

    def _print(self, receipt: Receipt) -> Text:
        """Print, and say what became of it. Paper never decides about money."""
        if self._printer is None:
            return _NO_PRINTER
        language = self._stage.page.preferences.language
        try:
            self._printer.print(receipt, language)
        except TerminalError as error:
            log.warning("a receipt was not printed: %s", error.code)
            why = explain(error).text
            if not receipt.number:
                return Text(why.zh + _NO_PRINTER.zh, f"{why.en} {_NO_PRINTER.en}")
            now = self._clock.now()
            lost = UnprintedReceipt(receipt.number, receipt.title, language, now, error.code)
            self.unprinted.note(lost)
            return _NOT_PRINTED.fill(why=why)
        return _PRINTED


def _is_refusal(screen: Screen) -> bool:
    """Whether it tells why something was not possible."""
    return isinstance(screen, Message) and screen.tone is Tone.ERROR and screen.code is not None


def _by_removal(outcome: Outcome) -> bool:
    """Whether it ended because the card left, which the reader's watcher may not have told yet."""
    return isinstance(outcome, Failed) and isinstance(outcome.error, CardRemoved)


def _is_press_on(happened: Happening, revision: int) -> bool:
    return isinstance(happened, Pressed | CancelPressed) and happened.revision == revision
