"""The terminal's PIN pad for the LD/T 33 functions, which wait for what the holder types."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from apdu.pin import MAX_DIGITS, MIN_DIGITS, Pin
from apdu.ssc.driver import PinCancelled, PinPrompt, PinTimeout
from apdu.status import ReaderBusy, ReaderError
from terminal.devices.pin_pad import Listener
from terminal.devices.protocols import PinPad
from terminal.errors import PinPadError


class WaitingPad:
    """An `apdu.ssc.driver.PinPad` on a pad that tells a listener.

    One PIN at a time, whoever asks. `seconds`: how long the holder has, in all.
    """

    def __init__(self, make: Callable[[Listener], PinPad], *, seconds: float) -> None:
        self._typed: SimpleQueue[Pin | Exception] = SimpleQueue()
        self._pad = make(self)
        self._seconds = seconds
        self._in_use = threading.Lock()

    def read_pin(self, prompt: PinPrompt) -> Pin:
        """Have the pad ask, with its own words, and wait; the caller wipes the PIN.

        Raises `PinCancelled`, `PinTimeout`, `ReaderBusy` while another caller's holder types, or
        `ReaderError` for a pad that does not work.
        """
        if not self._in_use.acquire(blocking=False):
            raise ReaderBusy("another holder is typing a PIN")
        try:
            self._forget()
            self._pad.ask(MIN_DIGITS, MAX_DIGITS)
            typed = self._typed.get(timeout=self._seconds)
        except Empty:
            raise PinTimeout(f"nothing was typed for {prompt.name}") from None
        except PinPadError as error:
            raise ReaderError(f"the PIN pad does not work: {error}") from error
        finally:
            self._pad.stop()
            self._in_use.release()
        if isinstance(typed, Pin):
            return typed
        raise typed

    # What the pad tells

    def keys(self, count: int) -> None:
        """A digit was typed; the pad itself shows stars."""

    def pin(self, pin: Pin) -> None:
        """The PIN was typed."""
        self._typed.put(pin)

    def cancelled(self) -> None:
        """Cancel was pressed."""
        self._typed.put(PinCancelled("cancel was pressed on the pad"))

    def failed(self, error: Exception) -> None:
        """The pad does not work."""
        self._typed.put(ReaderError(f"the PIN pad does not work: {error}"))

    def _forget(self) -> None:
        """Wipe what came after somebody had stopped waiting."""
        while not self._typed.empty():
            late = self._typed.get()
            if isinstance(late, Pin):
                late.wipe()
