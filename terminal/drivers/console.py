"""The console driver: shows screens as text, asks on standard input.

Texts appear in Chinese with English beneath, or in one of the two. Personal values are masked
unless the face was told that the holder is the one who looks.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType

from rich.console import Console

from apdu.pin import Pin
from apdu.status import PinFormat
from terminal.drivers.painting import Painter
from terminal.outcome import Cancelled
from terminal.screens import (
    LONGEST_AMOUNT,
    LONGEST_SCAN,
    Answer,
    AskAmount,
    AskIdentity,
    AskPin,
    AskScan,
    Choose,
    Confirm,
    Identity,
    Screen,
)
from terminal.text import Text

_LEAVE = {"q", "quit", "取消"}
_YES = {"y", "yes", "是"}
_NO = {"n", "no", "否"}
_ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""What ends a program; a window that closes says so by SIGHUP, where there is one."""


class ConsoleDriver:
    """Shows screens on `console`; `read_line` and `read_pin` bring what was typed.

    `read_line` raises EOFError at the end of the input, which cancels. Ctrl-C cancels too, except
    while money moves: then it waits, saying so, until the section is over. So do the signals that
    end a program, as when its window is closed.
    """

    def __init__(
        self,
        console: Console,
        *,
        read_line: Callable[[], str],
        read_pin: Callable[[], Pin],
        lang: str | None = None,
        show_personal: bool = False,
    ) -> None:
        self._console = console
        self._painter = Painter(lang=lang, show_personal=show_personal)
        self._read_line = read_line
        self._read_pin = read_pin
        self._interrupts = _HeldInterrupts(self._say_wait)

    def show(self, screen: Screen) -> Answer:
        """Draw `screen` and ask for its answer. Raises `Cancelled`."""
        if screen.cancellable:
            interrupted = self._interrupts.release()
        else:
            self._interrupts.hold()
            interrupted = False
        try:
            self._console.print(self._painter.paint(screen))
            if interrupted:
                raise Cancelled
            return self._answer(screen)
        except (KeyboardInterrupt, EOFError):
            raise Cancelled from None

    def _answer(self, screen: Screen) -> Answer:
        match screen:
            case Choose():
                return self._option(screen)
            case Confirm():
                return self._yes_or_no()
            case AskPin():
                return self._pin()
            case AskIdentity():
                return self._identity()
            case AskScan():
                return self._within(Text("请扫描二维码：", "Scan the code: "), LONGEST_SCAN)
            case AskAmount():
                return self._within(Text("金额（元）：", "Amount in yuan: "), LONGEST_AMOUNT)
            case _:
                return None

    def _option(self, screen: Choose) -> str:
        while True:
            typed = self._ask(Text("请输入序号，q 取消：", "Number, or q to cancel: "))
            if typed.isdecimal() and 1 <= int(typed) <= len(screen.options):
                return screen.options[int(typed) - 1].key
            self._again()

    def _yes_or_no(self) -> bool:
        while True:
            typed = self._ask(Text("确认请输入 y，否则 n：", "y or n: "))
            if typed in _YES | _NO:
                return typed in _YES
            self._again()

    def _pin(self) -> Pin:
        while True:
            self._prompt(Text("密码（不显示）：", "PIN (not shown): "))
            try:
                return self._read_pin()
            except PinFormat as error:
                self._console.print(self._painter.line(Text(error.zh, error.en)), style="yellow")

    def _identity(self) -> Identity:
        name = self._typed(Text("姓名：", "Name: "))
        ssn = self._typed(Text("社会保障号码：", "Social security number: "))
        return Identity(name, ssn.upper())

    def _within(self, prompt: Text, longest: int) -> str:
        """A line of at most so many characters. A scanner types what it reads, like a keyboard."""
        while True:
            typed = self._typed(prompt)
            if len(typed) <= longest:
                return typed
            self._again()

    def _ask(self, prompt: Text) -> str:
        return self._typed(prompt).lower()

    def _typed(self, prompt: Text) -> str:
        """A line that is not empty. Raises `Cancelled`."""
        while True:
            self._prompt(prompt)
            typed = self._read_line().strip()
            if typed.lower() in _LEAVE:
                raise Cancelled
            if typed:
                return typed
            self._again()

    def _prompt(self, prompt: Text) -> None:
        self._console.print(self._painter.line(prompt), style="bold", end=" ")

    def _again(self) -> None:
        again = Text("请重新输入。", "Please try again.")
        self._console.print(self._painter.line(again), style="yellow")

    def _say_wait(self) -> None:
        wait = Text("正在完成，请稍候……", "Finishing first, please wait ...")
        self._console.print(self._painter.line(wait), style="yellow")

    def close(self) -> None:
        """Give Ctrl-C back, in case a flow ended inside a section."""
        self._interrupts.release()


_Handler = Callable[[int, FrameType | None], object] | int | None


class _HeldInterrupts:
    """Ctrl-C, and what else ends a program, is noted between `hold` and `release`, not obeyed."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._noted = False
        self._before: dict[int, _Handler] = {}

    def hold(self) -> None:
        # Only the main thread hears signals, and only it may set who hears them.
        if not self._before and threading.current_thread() is threading.main_thread():
            self._noted = False
            self._before = {each: signal.signal(each, self._note) for each in _ENDING}

    def release(self) -> bool:
        """End the holding; whether one came during it."""
        if not self._before:
            return False
        while self._before:
            signal.signal(*self._before.popitem())
        return self._noted

    def _note(self, _signal: int, _frame: FrameType | None) -> None:
        self._noted = True
        self._tell()
