"""What gates hand in: each tap booked once, however often it arrives, if its TAC is the card's.

A tap without a TAC stays open: the card took the debit, or it did not, and its next use will tell.
When the gate meets the card again it hands the same tap in with the TAC, and it is booked then.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from apdu.crypto import Algorithm
from apdu.purse import PurseKind, PursePurchase, purse_key
from apdu.transit_records import bcd_time
from apdu.transit_sam import PurseIdentity
from backend_client.codec import dump, encode
from backend_client.transit_messages import Tap, TapBatch, TapOutcome, TapReceipt, TapVerdict
from simulator.backoffice.database import Database
from simulator.backoffice.schema_transit import TapRow
from simulator.backoffice.terminals import Caller
from simulator.backoffice.vault import Vault


class TransitDesk:
    """The gates' side of the back office. Safe to share between threads."""

    def __init__(
        self, database: Database, vault: Vault, now: Callable[[], datetime], tac_key: bytes
    ) -> None:
        """`tac_key` is the root DTK of the purses, 16 bytes."""
        self._database = database
        self._vault = vault
        self._now = now
        self._tac_key = tac_key

    def upload(self, caller: Caller, batch: TapBatch) -> TapReceipt:
        """Book a batch, all of it in one transaction, and say what became of each tap."""
        with self._database.transaction() as session:
            now = self._now()
            verdicts = tuple(
                TapVerdict(tap.terminal, tap.sequence, self._book(session, caller, tap, now))
                for tap in batch.taps
            )
        return TapReceipt(verdicts)

    def totals(self) -> dict[str, tuple[int, int]]:
        """By outcome: how many taps, and how many fen they make."""
        found: dict[str, tuple[int, int]] = {}
        with self._database.transaction() as session:
            for row in session.query(TapRow):
                count, fen = found.get(row.outcome, (0, 0))
                found[row.outcome] = (count + 1, fen + row.fen)
        return found

    def _book(self, session: Session, caller: Caller, tap: Tap, now: datetime) -> TapOutcome:
        content = hashlib.sha256(dump(replace(tap, tac=None))).digest()
        row = session.get(TapRow, (tap.terminal, tap.sequence), with_for_update=True)
        if row is None:
            row = TapRow(
                terminal=tap.terminal,
                sequence=tap.sequence,
                owner=caller.owner,
                at=tap.at,
                fen=tap.fen,
                content=content,
                outcome="open",
                sealed=b"",
                received_at=now,
            )
            session.add(row)
        elif row.owner != caller.owner or row.content != content:
            return "conflict"
        if row.outcome == "open":
            row.outcome = self._outcome(tap)
            row.sealed = self._vault.seal(encode(tap), "taps", f"{tap.terminal}/{tap.sequence}")
            session.flush()
        outcome: TapOutcome = row.outcome  # type: ignore[assignment]  # what `_outcome` gave
        return outcome

    def _outcome(self, tap: Tap) -> TapOutcome:
        if tap.tac is None:
            return "open"
        return "booked" if hmac.compare_digest(self._tac(tap), tap.tac) else "disputed"

    def _tac(self, tap: Tap) -> bytes:
        """The TAC that the card makes of this tap."""
        algorithm = Algorithm[tap.algorithm]
        purse = PurseIdentity.of(tap.issuer, tap.purse_number)
        key = purse_key(algorithm, self._tac_key, purse.issuer, purse.serial)
        terminal = bytes.fromhex(tap.terminal)
        purchase = PursePurchase(tap.fen, PurseKind.COMPOSITE, terminal, bcd_time(tap.at))
        return purchase.tac(algorithm, key, tap.sequence.to_bytes(4, "big"))
