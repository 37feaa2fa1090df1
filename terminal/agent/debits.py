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
    take_untold_debits,
    torn_debits,
)
from terminal.store.journal import Journal


class JournalDebits:
    """`Debits` kept in the journal, so that they outlive the page, the agent and the machine."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._let_in: dict[bytes, Callable[[], str | None]] = {}

    def let_in(self, card_id: bytes, again: Callable[[], str | None]) -> None:
        """Admission waits for the proof of this card's torn debit.

        Before anything else is debited it is asked `again` what it has against that.
        """
        self._let_in[card_id] = again

    def admitted(self, card_id: bytes) -> None:
        """Admission has nothing against a debit of this card, whatever it waited for before."""
        self._let_in.pop(card_id, None)

    def settle(self, card: SocialSecurityCard, payment: Payment) -> FinishedDebit | None:
        """See `Debits`. The PIN has been verified, so the card's log can be read."""
        at = CardHere(self._journal, card)
        for operation in torn_debits(at):
            prove(at, operation)
        mine = [one for one in take_untold_debits(at) if payment.is_that_of(pending_of(one))]
        again = self._let_in.pop(card.card_id, None)
        if mine:
            done = done_of(mine[-1])
            if done is None:
                raise DriverRefusal(
                    ResultCode.PROOF_NOT_AVAILABLE, "the debit is in the card's log"
                )
            return FinishedDebit(done, mine[-1].payload.get("question", ""))
        against = again() if again is not None else None
        if against is not None:
            raise DriverRefusal(ResultCode.NOT_ALLOWED, against)
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
