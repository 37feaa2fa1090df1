"""Debits whose answer was lost: the same card is asked before it is charged again (facts 7.5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from apdu.ssc.account import MedicalAccount
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.driver.payment import Payment
from apdu.ssc.driver.result import DriverRefusal, ResultCode
from apdu.ssc.identity import OneCard
from apdu.ssc.transactions import Done, DoneEarlier, PendingDebit, TransactionUncertain


@dataclass(frozen=True, slots=True)
class FinishedDebit:
    """A debit that turned out to be booked, with the question that an HSM was asked for it."""

    done: Done
    question: str


class Debits(Protocol):
    """Debits that may end without an answer, and what became of them."""

    def settle(self, card: SocialSecurityCard, payment: Payment) -> FinishedDebit | None:
        """What became of this card's interrupted debit, when it was for the same payment.

        None when the card has not booked it, so that it may begin again, or when there is none.
        Raises -37894 when it was booked, but a later one has replaced its proof.
        """
        ...

    def debit(
        self,
        card: SocialSecurityCard,
        payment: Payment,
        run: Callable[[Callable[[PendingDebit], None]], Done],
        question: str,
    ) -> Done:
        """Run a debit, which is handed what keeps it, and mind one that ends uncertain.

        `question` is what an HSM was asked for it.
        """
        ...


class InterruptedDebits:
    """`Debits` remembered in this process, by card.

    `keep` is given every debit before it leaves, for whoever stores them beyond this process.
    """

    def __init__(self, keep: Callable[[PendingDebit], None]) -> None:
        self._keep = keep
        self._waiting: dict[OneCard, tuple[PendingDebit, str]] = {}

    def debit(
        self,
        card: SocialSecurityCard,  # noqa: ARG002 - the error tells the card
        payment: Payment,  # noqa: ARG002 - the error tells the amounts
        run: Callable[[Callable[[PendingDebit], None]], Done],
        question: str,
    ) -> Done:
        """See `Debits`."""
        try:
            return run(self._keep)
        except TransactionUncertain as error:
            if isinstance(error.pending, PendingDebit):
                self._waiting[error.pending.card] = error.pending, question
            raise

    def settle(self, card: SocialSecurityCard, payment: Payment) -> FinishedDebit | None:
        """See `Debits`."""
        who = OneCard.of(card)
        if who not in self._waiting:
            return None
        pending, question = self._waiting[who]
        outcome = MedicalAccount(card).resolve(pending)
        del self._waiting[who]
        if not payment.is_that_of(pending):
            return None
        if isinstance(outcome, DoneEarlier):
            raise DriverRefusal(ResultCode.PROOF_NOT_AVAILABLE, "the debit is in the card's log")
        return FinishedDebit(outcome, question) if isinstance(outcome, Done) else None
