"""Listed cards that were presented here (Article 26), kept until the back office has the report.

A holder who tries one thing after the other makes one report, not many.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update

from backend_client.codec import decode, encode
from backend_client.list_messages import MisuseReport
from backend_client.messages import CardRef
from terminal.store.schema import misuse
from terminal.store.store import Store

log = logging.getLogger(__name__)

ONE_PRESENTATION = timedelta(minutes=10)
"""The same card, refused for the same reason at the same face, counts once in this time."""

MOST_UNSENT = 10_000
"""A terminal that is cut off keeps no more reports than this."""

_ID_BYTES = 12

# Made once, as in store.py.
_UNSENT = (
    select(misuse.c.report_id, misuse.c.report)
    .where(misuse.c.is_sent.is_(False))
    .order_by(misuse.c.presented_at)
)


class MisuseStore:
    """The reports in the terminal's store. Safe to share between threads."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(
        self,
        card: CardRef,
        at: datetime,
        *,
        function: str,
        face: str,
        reason: str,
        list_version: int | None,
    ) -> None:
        """Keep a report, unless the card was just reported. Durable on return."""
        index = self._store.index(card.card_id)
        report = MisuseReport(
            self._store.random(_ID_BYTES).hex(), card, at, function, face, reason, list_version
        )
        sealed = self._store.seal(encode(report), _place(report.report_id))
        row = {
            "report_id": report.report_id,
            "card_index": index,
            "face": face,
            "reason": reason,
            "presented_at": at,
            "is_sent": False,
            "report": sealed,
        }
        same = (misuse.c.card_index == index, misuse.c.face == face, misuse.c.reason == reason)
        with self._store.writing() as connection:
            last = connection.execute(select(func.max(misuse.c.presented_at)).where(*same)).scalar()
            if last is not None and abs(at - last) < ONE_PRESENTATION:
                return
            waiting = select(func.count()).where(misuse.c.is_sent.is_(False))
            if (connection.execute(waiting).scalar() or 0) >= MOST_UNSENT:
                log.warning("a misuse report is dropped: %d wait already", MOST_UNSENT)
                return
            connection.execute(
                delete(misuse).where(
                    misuse.c.is_sent, misuse.c.presented_at < at - ONE_PRESENTATION
                )
            )
            connection.execute(misuse.insert().values(row))

    def unsent(self) -> Iterator[MisuseReport]:
        """What the back office does not have yet, oldest first."""
        with self._store.reading() as connection:
            rows = connection.execute(_UNSENT).all()
        for row in rows:
            yield decode(MisuseReport, self._store.unseal(row.report, _place(row.report_id)))

    def count(self) -> int:
        """How many reports wait."""
        waiting = select(func.count()).where(misuse.c.is_sent.is_(False))
        with self._store.reading() as connection:
            return connection.execute(waiting).scalar() or 0

    def sent(self, report: MisuseReport) -> None:
        """The back office has it."""
        done = update(misuse).where(misuse.c.report_id == report.report_id)
        with self._store.writing() as connection:
            connection.execute(done.values(is_sent=True))


def _place(report_id: str) -> str:
    return f"misuse/report/{report_id}"
