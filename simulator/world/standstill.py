"""A world that stands still is found, too: one that waits for itself would wait for good.

This alone looks at the machine's clock. A world takes a fraction of a second, so that the limit
is met by those only that would never end.
"""

from __future__ import annotations

import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

LIMIT = 100.0
"""Seconds; less than a test may take."""

_AT_ONCE = 0.001


class StandsStill(BaseException):
    """The world has come no further; `place` is where it waits.

    Not an `Exception`: what catches the errors of the product must not catch this.
    """

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.place = place


@contextmanager
def moving() -> Iterator[None]:
    """Raise `StandsStill` when the body takes longer than `LIMIT`.

    It is not watched outside the main thread, or where the system has no timer signals.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(
        signal, "setitimer"
    ):
        yield
        return
    limit = LIMIT
    handler = signal.signal(signal.SIGALRM, _stop)
    before, interval = signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    finally:
        left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if before:  # somebody else's alarm, which the body has used up a part of
            signal.setitimer(signal.ITIMER_REAL, max(before - (limit - left), _AT_ONCE), interval)


def _stop(_number: int, frame: FrameType | None) -> None:
    stack = traceback.extract_stack(frame)
    raise StandsStill(f"{Path(stack[-1].filename).name}:{stack[-1].lineno}")
