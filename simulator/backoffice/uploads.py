"""Records that a terminal made offline: debits of a card, and provisional visits.

Each number is taken once, and the same record again gets the same receipt, for good: longer than
any terminal stays offline. A debit is also taken once by the card's own counter, so that a cloned
or restored terminal cannot send it again under another number (facts 5.4, rule 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from apdu.crypto import Algorithm, Purchase
from apdu.sam import CardIdentity
from apdu.status import CardError
from apdu.tac import TacModule, verify_tac
from backend_client.codec import encode
from backend_client.money_messages import (
    DebitRecord,
    DebitUpload,
    ProvisionalUpload,
    UploadReceipt,
)
from simulator.backoffice.days import local
from simulator.backoffice.errors import Refused
from simulator.backoffice.money_schema import UploadRow
from simulator.backoffice.operations import request_hash
from simulator.backoffice.provisional import PROVISIONAL
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.schema import Card, Institution
from simulator.backoffice.terminals import Caller
from simulator.backoffice.vault import Vault

DEBIT = "debit"
MAX_SHOWN = 200
Verdict = Literal["accepted", "proof_wrong", "not_checked"]


class Uploads:
    """Takes uploads. `module` computes the cards' cryptograms; None: proofs are kept unchecked."""

    def __init__(self, vault: Vault, module: TacModule | None) -> None:
        self._vault = vault
        self._module = module

    def debit(
        self, session: Session, caller: Caller, card: Card, upload: DebitUpload, now: datetime
    ) -> UploadReceipt:
        """Take a debit. Raises `Refused` UPLOAD_DIFFERS or DEBIT_UPLOADED_BEFORE."""
        known = self._known(session, caller, upload)
        if known is None:
            twin = select(UploadRow).where(
                UploadRow.card == card.id, UploadRow.sequence == upload.sequence
            )
            if session.scalar(twin) is not None:
                raise Refused(Refusal.DEBIT_UPLOADED_BEFORE)
            known = self._add(
                session,
                caller,
                card,
                upload,
                kind=DEBIT,
                at=upload.paid_at,
                verdict=self._verdict(upload),
                now=now,
            )
            known.sequence, known.account_fen = upload.sequence, upload.account_fen
        return _receipt(known)

    def provisional(
        self, session: Session, caller: Caller, card: Card, upload: ProvisionalUpload, now: datetime
    ) -> UploadReceipt:
        """Take a provisional visit. Raises `Refused` UPLOAD_DIFFERS."""
        known = self._known(session, caller, upload)
        if known is None:
            known = self._add(
                session,
                caller,
                card,
                upload,
                kind=PROVISIONAL,
                at=upload.visited_at,
                verdict="accepted",
                now=now,
            )
            known.paid_fen = upload.paid_fen
        return _receipt(known)

    def debits_of(self, session: Session, holder: int) -> Sequence[DebitRecord]:
        """The debits of a holder, newest first."""
        query = (
            select(UploadRow, Institution.name)
            .join(Institution, UploadRow.institution == Institution.code)
            .where(UploadRow.holder == holder, UploadRow.kind == DEBIT)
            .order_by(UploadRow.happened_at.desc(), UploadRow.id.desc())
            .limit(MAX_SHOWN)
        )
        return [
            DebitRecord(row.number, row.happened_at, name, row.account_fen)
            for row, name in session.execute(query)
        ]

    def _known(
        self, session: Session, caller: Caller, upload: DebitUpload | ProvisionalUpload
    ) -> UploadRow | None:
        if not upload.number.startswith(caller.institution):
            raise Refused(Refusal.NUMBER_FOREIGN)
        mine = (UploadRow.owner == caller.owner) & (UploadRow.number == upload.number)
        row = session.scalar(select(UploadRow).where(mine))
        if row is not None and row.request_hash != request_hash(upload):
            raise Refused(Refusal.UPLOAD_DIFFERS)
        return row

    def _add(
        self,
        session: Session,
        caller: Caller,
        card: Card,
        upload: DebitUpload | ProvisionalUpload,
        *,
        kind: str,
        at: datetime,
        verdict: Verdict,
        now: datetime,
    ) -> UploadRow:
        row = UploadRow(
            owner=caller.owner,
            number=upload.number,
            kind=kind,
            card=card.id,
            holder=card.holder,
            institution=caller.institution,
            account_fen=0,
            happened_at=at,
            verdict=verdict,
            request_hash=request_hash(upload),
            sealed=self._vault.seal(encode(upload), "uploads", f"{caller.owner}/{upload.number}"),
            received_at=now,
        )
        session.add(row)
        session.flush()
        return row

    def _verdict(self, upload: DebitUpload) -> Verdict:
        """Whether the card's key made the TAC over just these data (facts 5.1)."""
        if self._module is None or upload.tac is None:
            return "not_checked"
        try:
            card = CardIdentity(
                Algorithm[upload.algorithm],
                bytes.fromhex(upload.card.card_id),
                bytes.fromhex(upload.historical),
            )
            time = bytes.fromhex(f"{local(upload.paid_at):%Y%m%d%H%M%S}")
            terminal = bytes.fromhex(upload.terminal_number)
            purchase = Purchase(
                upload.account_fen, upload.self_pay_fen, upload.fund_fen, terminal, time
            )
            data = purchase.tac_fields(bytes.fromhex(upload.psam_sequence))
            verify_tac(self._module, card, data, bytes.fromhex(upload.tac))
        except (CardError, KeyError, ValueError):
            return "proof_wrong"
        return "accepted"


def _receipt(row: UploadRow) -> UploadReceipt:
    verdict: Verdict = row.verdict  # type: ignore[assignment]  # written by this module
    return UploadReceipt(row.number, verdict, row.received_at)
