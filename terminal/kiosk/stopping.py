"""Waiting for the end of a service."""

from __future__ import annotations

import signal
from threading import Event


def until_told_to_stop() -> None:
    """Block until SIGTERM or SIGINT. Main thread only."""
    stop = Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in _ENDING}
    try:
        stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_ENDING = (signal.SIGTERM, signal.SIGINT)
