"""The last lines of the log in memory, for the operator's page. By rule no log holds personal data.

What a foreign library writes is kept only from WARNING on, and exceptions only by their type.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

OURS = ("apdu", "backend_client", "terminal")
KEPT = 500


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line."""

    at: datetime
    level: str
    source: str
    message: str


class RecentLog(logging.Handler):
    """Keeps the last lines. Add it to the root logger."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._lines: deque[LogLine] = deque(maxlen=KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        ours = record.name.partition(".")[0] in OURS
        if not ours and record.levelno < logging.WARNING:
            return
        message = record.getMessage() if ours else record.msg.__class__.__name__
        if record.exc_info and record.exc_info[0] is not None:
            message = f"{message}: {record.exc_info[0].__name__}"
        at = datetime.fromtimestamp(record.created, UTC)
        self._lines.append(LogLine(at, record.levelname, record.name, message))

    def lines(self) -> tuple[LogLine, ...]:
        """Newest first."""
        return tuple(reversed(self._lines))
