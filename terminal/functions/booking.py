"""Booking a debit on a card, whoever asks for it: a flow, a caller of the agent, LD/T 33.

The operation is durable before the card is touched, SENT before DEBIT leaves, and closed by what
the card answers; where no answer comes it is left unknown, and proof.py asks the same card.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from apdu.ssc.account_errors import AccountError
from apdu.ssc.transactions import DebitNotProved, Done, PendingDebit, TransactionUncertain
from terminal.functions.commit import never_sent
from terminal.functions.proof import AtCard, as_payload, cryptograms
from terminal.store.journal import Evidence, Kind, Operation

log = logging.getLogger(__name__)

Keep = Callable[[PendingDebit], None]
"""Makes a debit durable; DEBIT leaves after it has returned."""


def prepare(at: AtCard, account_fen: int) -> Operation:
    """A debit of so much, durable before the card hears of it. Raises `StoreError`."""
    return at.journal.prepare(Kind.DEBIT, at.card_ref, {"account_fen": account_fen})


def book(
    at: AtCard,
    prepared: Operation,
    run: Callable[[Keep], Done],
    **kept: Any,  # noqa: ANN401 - JSON values
) -> tuple[Operation, Done]:
    """Run a debit that was prepared, and end it as the card answers.

    `kept` is what the journal keeps beside the debit. Raises what `run` raises, of which
    `TransactionUncertain` leaves the operation unknown, and `DebitNotProved` confirmed.
    """
    journal, card = at.journal, at.card
    sent: list[Operation] = []

    def keep(pending: PendingDebit) -> None:
        payload = as_payload(pending, card.identity.algorithm.name, card.identity.historical)
        sent.append(journal.mark_sent(prepared, {**payload, **kept}))

    try:
        done = run(keep)
    except TransactionUncertain:
        log.info("operation %s waits for its card's proof", prepared.number)
        journal.unknown(sent[0], "torn")
        raise
    except DebitNotProved as error:
        journal.confirm(sent[0], Evidence.CARD, cryptograms(error.done))
        raise
    except BaseException as error:
        if not sent:
            never_sent(journal, prepared)
        elif isinstance(error, AccountError):
            journal.refuse(sent[0], Evidence.CARD)
        raise
    else:
        return journal.confirm(sent[0], Evidence.CARD, cryptograms(done)), done
    finally:
        journal.let_go(prepared)
