"""The financial function of a card: a life of its own beside the social security function.

A service bank opens it (Article 14). Its loss, release and replacement follow the bank's own rules
(Article 20) and leave the social security function as it is; the register only notes what the bank
reports. With a void card it is gone for good (Article 23).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from simulator.backoffice.errors import LifecycleError
from simulator.backoffice.refusals import Refusal


class BankFunction(StrEnum):
    """Where the financial function of a card stands."""

    CLOSED = "closed"
    OPEN = "open"
    LOST = "lost"


class BankEvent(StrEnum):
    """What a service bank reports of a card, with the article behind it."""

    OPEN = "open"
    REPORT_LOSS = "report_loss"
    RELEASE = "release"

    @property
    def article(self) -> int:
        """The article of the regulation."""
        return 14 if self is BankEvent.OPEN else 20


RULES: Mapping[tuple[BankFunction, BankEvent], BankFunction] = {
    (BankFunction.CLOSED, BankEvent.OPEN): BankFunction.OPEN,
    (BankFunction.OPEN, BankEvent.REPORT_LOSS): BankFunction.LOST,
    (BankFunction.LOST, BankEvent.RELEASE): BankFunction.OPEN,
}

_WHY_NOT = {
    BankFunction.CLOSED: Refusal.BANK_FUNCTION_CLOSED,
    BankFunction.OPEN: Refusal.BANK_FUNCTION_OPEN,
    BankFunction.LOST: Refusal.BANK_FUNCTION_LOST,
}


def bank_transition(function: BankFunction, event: BankEvent) -> BankFunction:
    """Where the financial function stands after `event`. Raises `LifecycleError`."""
    after = RULES.get((function, event))
    if after is None:
        raise LifecycleError(_WHY_NOT[function], article=event.article)
    return after
