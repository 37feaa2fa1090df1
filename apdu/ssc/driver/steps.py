"""The HSM forms: functions in two or three calls, between which the card keeps its power.

Such a function is a generator. It yields what an HSM is to be asked, and is sent what the next call
brings; what it returns is the last call's output.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias

from apdu.ssc.driver.result import DriverRefusal, DriverResult, ResultCode, failure
from apdu.status import CardError

Exchange: TypeAlias = Generator[str, tuple[str, ...], str]
"""The strings of the second and later calls come as a tuple."""


@dataclass(slots=True)
class _Open:
    """An exchange that waits for its next step."""

    function: str
    step: int
    exchange: Exchange


class Steps:
    """At most one open exchange; whatever is called in its place ends it."""

    def __init__(self) -> None:
        self._open: _Open | None = None

    def begin(self, function: str, exchange: Exchange) -> DriverResult:
        """The first step of `function`."""
        self.end()
        opened = _Open(function, 1, exchange)
        try:
            out = next(exchange)
        except CardError as error:
            return failure(error)
        opened.step += 1
        self._open = opened
        return DriverResult(ResultCode.SUCCESS, out)

    def resume(self, function: str, step: int, *inputs: str) -> DriverResult:
        """A later step. Anything but the step that is waited for is -12, and ends the exchange."""
        opened, self._open = self._open, None
        if opened is None or (opened.function, opened.step) != (function, step):
            if opened is not None:
                opened.exchange.close()
            error = DriverRefusal(ResultCode.NOT_CONNECTED, f"{function}, step {step}")
            return failure(error)
        try:
            out = opened.exchange.send(inputs)
        except StopIteration as done:
            return DriverResult(ResultCode.SUCCESS, done.value)
        except CardError as error:
            return failure(error)
        opened.step += 1
        self._open = opened
        return DriverResult(ResultCode.SUCCESS, out)

    def end(self) -> None:
        """Give up what is open, and power its card off."""
        opened, self._open = self._open, None
        if opened is not None:
            opened.exchange.close()
