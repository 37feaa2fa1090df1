"""A debit that has left the terminal and whose answer has not come, kept sealed until it has.

With it, and the same card, it is found out whether the card was charged (facts 7.5): also after
the caller, the agent or the machine went down in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apdu.crypto import Purchase
from apdu.ssc.identity import OneCard
from apdu.ssc.transactions import PendingDebit
from terminal.errors import StoreDamaged
from terminal.store.store import Store

_PREFIX, _INDEX_DIGITS = "debit:", 32


class PendingDebits:
    """One for each card, in the terminal's store. Every method raises `StoreError`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, pending: PendingDebit) -> None:
        """Durable on return."""
        made = pending.purchase
        self._store.put(
            self._name(pending.card.card_id),
            {
                "card_number": pending.card.card_number,
                "account": made.account,
                "self_pay": made.self_pay,
                "fund": made.fund,
                "terminal": made.terminal.hex(),
                "time": made.time.hex(),
                "kind": made.kind.hex(),
                "balance_before": pending.balance_before_fen,
                "sequence": pending.sequence.hex(),
                "psam_sequence": pending.psam_sequence.hex(),
                "mac1": pending.mac1.hex(),
            },
        )

    def of(self, card_id: bytes) -> PendingDebit | None:
        """What was interrupted on this card. Raises `StoreDamaged` for what makes no sense."""
        kept = self._store.get(self._name(card_id))
        if not kept:
            return None
        try:
            return _debit(card_id, kept)
        except (KeyError, TypeError, ValueError):
            raise StoreDamaged("a pending debit is not what was kept") from None

    def forget(self, card_id: bytes) -> None:
        """It has an end."""
        self._store.put(self._name(card_id), {})

    @staticmethod
    def is_that_of(pending: PendingDebit, body: Mapping[str, int]) -> bool:
        """Whether a call asks for the same amounts again."""
        made = pending.purchase
        asked = (body["account_fen"], body.get("self_pay_fen", 0), body.get("fund_fen", 0))
        return (made.account, made.self_pay, made.fund) == asked

    def _name(self, card_id: bytes) -> str:
        return _PREFIX + self._store.index(card_id.hex()).hex()[:_INDEX_DIGITS]


def _debit(card_id: bytes, kept: Mapping[str, Any]) -> PendingDebit:
    purchase = Purchase(
        kept["account"],
        kept["self_pay"],
        kept["fund"],
        bytes.fromhex(kept["terminal"]),
        bytes.fromhex(kept["time"]),
        bytes.fromhex(kept["kind"]),
    )
    return PendingDebit(
        OneCard(card_id, kept["card_number"]),
        purchase,
        kept["balance_before"],
        bytes.fromhex(kept["sequence"]),
        bytes.fromhex(kept["psam_sequence"]),
        bytes.fromhex(kept["mac1"]),
    )
