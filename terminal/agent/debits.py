"""The debits of LD/T 33 through the journal: one that ended without an answer is settled there.

The functions know no operation: who asks for the same amounts again means the same payment. What
was booked and told to nobody is therefore the answer to it.
"""

from __future__ import annotations

from collections.abc import Callable

from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.driver import FinishedDebit, ResultCode
from apdu.ssc.driver.payment import Payment
from apdu.ssc.driver.result import DriverRefusal
from apdu.ssc.transactions import Done, PendingDebit
from terminal.functions.booking import book, prepare
from terminal.functions.proof import (
    CardHere,
    done_of,
    pending_of,
    prove,
    torn_debits,
    untold_debits,
)
from terminal.store.journal import Journal


class JournalDebits:
    """`Debits` kept in the journal, so that they outlive the page, the agent and the machine."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._let_in: set[bytes] = set()

    def let_in(self, card_id: bytes) -> None:
        """Admission waits for the proof of this card's torn debit: nothing else may be debited."""
        self._let_in.add(card_id)

    def settle(self, card: SocialSecurityCard, payment: Payment) -> FinishedDebit | None:
        """See `Debits`. The PIN has been verified, so the card's log can be read."""
        at = CardHere(self._journal, card)
        for operation in torn_debits(at):
            prove(at, operation)
        mine = [one for one in untold_debits(at) if payment.is_that_of(pending_of(one))]
        waited = card.card_id in self._let_in
        self._let_in.discard(card.card_id)
        if mine:
            done = done_of(mine[-1])
            if done is None:
                raise DriverRefusal(
                    ResultCode.PROOF_NOT_AVAILABLE, "the debit is in the card's log"
                )
            return FinishedDebit(done, mine[-1].payload.get("question", ""))
        if waited:
            raise DriverRefusal(ResultCode.NOT_ALLOWED, "the earlier debit has its end: ask again")
        return None

    def debit(
        self,
        card: SocialSecurityCard,
        payment: Payment,
        run: Callable[[Callable[[PendingDebit], None]], Done],
        question: str,
    ) -> Done:
        """See `Debits`. Raises `StoreError` before the card is touched."""
        at = CardHere(self._journal, card)
        prepared = prepare(at, payment.order.account_fen)
        operation, done = book(at, prepared, run, question=question)
        self._journal.told(operation)
        return done
