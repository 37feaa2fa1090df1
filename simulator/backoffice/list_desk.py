"""What terminals may ask about the blacklist, and what the staff do with it.

Every method is one transaction. Who waits for news is known by then, so that a new version costs
one look into the database, however many wait for it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend_client.codec import decode, dump, encode
from backend_client.list_messages import (
    BlacklistUpdate,
    MisuseReceipt,
    MisuseReport,
    SnapshotOffer,
)
from backend_client.messages import CardRef
from simulator.backoffice.bell import Bell
from simulator.backoffice.database import Database
from simulator.backoffice.publisher import Publisher, Standing
from simulator.backoffice.schema import MisuseRow
from simulator.backoffice.terminals import Caller, Terminals
from simulator.backoffice.vault import Vault

NOTHING_NEW = dump(BlacklistUpdate())
"""The body of an answer without news."""

_CACHED = 64
_MAX_LINES = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """What a terminal says that it has, and what it wants; `wait` in seconds."""

    since: int = 0
    statement: int = 0
    whole: bool = False
    wait: int = 0


@dataclass(frozen=True, slots=True)
class MisuseLine:
    """One report of a listed card, as the staff see it."""

    terminal: str
    institution: str
    received_at: datetime
    report: MisuseReport


class ListDesk:
    """The blacklist's side of the back office. Safe to share between threads."""

    def __init__(
        self,
        database: Database,
        *,
        now: Callable[[], datetime],
        publisher: Publisher,
        terminals: Terminals,
        vault: Vault,
        bell: Bell,
    ) -> None:
        self.bell = bell
        self._database = database
        self._now = now
        self._publisher = publisher
        self._terminals = terminals
        self._vault = vault
        self._lock = Lock()
        self._cached: dict[Asked, bytes] = {}
        self._cached_at = -1

    def update(self, caller: Caller, asked: Asked) -> bytes:
        """What is new, as the body of an answer; notes which version the terminal has."""
        with self._database.transaction() as session:
            self._terminals.report_list(session, caller, asked.since)
            return self._body(session, asked)

    def news(self, asked: Asked) -> bytes:
        """What is new for a terminal that asked before and was known then."""
        with self._lock:
            rung = self.bell.rung
            if rung != self._cached_at or len(self._cached) >= _CACHED:
                self._cached, self._cached_at = {}, rung
            if asked not in self._cached:
                with self._database.transaction() as session:
                    self._cached[asked] = self._body(session, asked)
            return self._cached[asked]

    def snapshot(self, version: int) -> bytes:
        """A snapshot on offer. Raises `Refused` LIST_WITHDRAWN."""
        with self._database.transaction() as session:
            return self._publisher.snapshot(session, version)

    def bundle(self) -> bytes:
        """The list and its keys as one file, for terminals without a network."""
        with self._database.transaction() as session:
            return self._publisher.bundle(session, self._now())

    def newest(self) -> int:
        """The number of the newest version, for a feed; 0 before the first."""
        with self._database.transaction() as session:
            return self._publisher.newest(session)

    def deltas(self, since: int) -> tuple[bytes, ...]:
        """The deltas that followed on a version, for a feed; none when there were too many."""
        with self._database.transaction() as session:
            return self._publisher.deltas(session, since, self._now())

    def standing(self) -> Standing:
        """The list for a broker to retain."""
        with self._database.transaction() as session:
            return self._publisher.standing(session, self._now())

    def rotate_keys(self, *, at_once: bool) -> int:
        """Sign with a new key from now on; the number of the statement that says so."""
        with self._database.transaction() as session:
            return self._publisher.rotate_keys(session, self._now(), at_once=at_once)

    def report_misuse(self, caller: Caller, report: MisuseReport) -> MisuseReceipt:
        """Keep the report of a listed card (Article 26); one that came before is kept once."""
        with self._database.transaction() as session:
            known = select(MisuseRow.id).where(
                MisuseRow.terminal == caller.terminal_id, MisuseRow.report_id == report.report_id
            )
            if session.scalar(known) is None:
                session.add(
                    MisuseRow(
                        terminal=caller.terminal_id,
                        institution=caller.institution,
                        report_id=report.report_id,
                        card_index=self._vault.index("card_id", report.card.card_id),
                        received_at=self._now(),
                        sealed=self._vault.seal(encode(report), "misuse", report.report_id),
                    )
                )
        return MisuseReceipt(report.report_id)

    def misuse(self, card: CardRef | None = None) -> tuple[MisuseLine, ...]:
        """The reports kept last, newest first; of one card, or of all."""
        rows = select(MisuseRow).order_by(MisuseRow.id.desc()).limit(_MAX_LINES)
        if card is not None:
            index = self._vault.index("card_id", card.card_id)
            rows = rows.where(MisuseRow.card_index == index)
        with self._database.transaction() as session:
            return tuple(self._line(row) for row in session.scalars(rows))

    def _line(self, row: MisuseRow) -> MisuseLine:
        report = decode(MisuseReport, self._vault.open(row.sealed, "misuse", row.report_id))
        return MisuseLine(row.terminal, row.institution, row.received_at, report)

    def _body(self, session: Session, asked: Asked) -> bytes:
        found = self._publisher.update(
            session, asked.since, asked.statement, self._now(), whole=asked.whole
        )
        offer = found.snapshot
        return dump(
            BlacklistUpdate(
                snapshot=None if offer is None else SnapshotOffer(*offer),
                documents=tuple(base64.b64encode(each).decode() for each in found.documents),
            )
        )
