"""Logging for the command line. Nothing is logged unless it was asked for, but a server's warnings.

Logs never hold a PIN, a name, a social security number or a full card number. TRAFFIC, below
DEBUG, is the exception for names and numbers: it holds every byte of the card, PINs left out.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from apdu.trace import Event, Trace

TRAFFIC = 5
log = logging.getLogger(__name__)


class TrafficTrace(Trace):
    """A trace that goes to the log as it happens and is not kept."""

    def add(self, event: Event) -> None:
        """Log `event`."""
        log.log(TRAFFIC, "%s", str(Trace([event])).rstrip())


class KeptTrace(Trace):
    """A trace with times, kept; with `log_too` it goes to the log as it happens, too."""

    def __init__(self, clock: Callable[[], float], *, log_too: bool) -> None:
        super().__init__(clock=clock)
        self._live = TrafficTrace() if log_too else None

    def add(self, event: Event) -> None:
        """Keep `event`."""
        super().add(event)
        if self._live is not None:
            self._live.add(event)


def set_up(*, verbose: bool, traffic: bool, serves: bool = False) -> None:
    """Log to standard error at DEBUG or TRAFFIC; else warnings of what `serves`, or nothing."""
    root = logging.getLogger()
    if not (verbose or traffic or serves):
        root.addHandler(logging.NullHandler())
        return
    logging.addLevelName(TRAFFIC, "TRAFFIC")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    root.addHandler(handler)
    asked = TRAFFIC if traffic else logging.DEBUG
    level = asked if verbose or traffic else logging.WARNING
    root.setLevel(level)
    handler.setLevel(level)  # a library may have set a level of its own
    if traffic:
        log.warning("TRAFFIC is on: names and numbers from the card are in this log")
