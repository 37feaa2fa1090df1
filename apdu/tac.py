"""Transaction cryptograms (TAC): the card's receipt for money, for whoever holds its DTK.

A terminal keeps and uploads TACs; it does not hold the key that makes them (facts 4.2, 5.1). The
centre does, and so does a test, through a `TacModule`.
"""

from __future__ import annotations

import hmac
from typing import ClassVar, Protocol

from apdu.crypto import card_key, tac
from apdu.sam import DEVELOPMENT_KEYS, CardIdentity, KeyName
from apdu.status import SecurityModuleError


class TacWrong(SecurityModuleError):
    """A transaction cryptogram is not the one that the card's key makes of these data."""

    code: ClassVar[str] = "ACCOUNT_TAC_WRONG"
    zh: ClassVar[str] = "卡片交易凭证校验未通过，请联系工作人员核实。"
    en: ClassVar[str] = "The card's receipt for the transaction is wrong. Please ask the staff."
    remedy: ClassVar[str] = "Keep the record, do not book it, and report the card."


class TacModule(Protocol):
    """Who can compute transaction cryptograms. Raises a `SecurityModuleError`."""

    def transaction_cryptogram(self, card: CardIdentity, data: bytes) -> bytes:
        """The 4-byte TAC of `card` over `data`."""
        ...


class SoftwareTacModule:
    """Computes with a root DTK of 16 bytes in memory. For development, and for tests."""

    def __init__(self, root: bytes) -> None:
        self._root = root

    @classmethod
    def development(cls) -> SoftwareTacModule:
        """The module for simulated cards."""
        return cls(DEVELOPMENT_KEYS[KeyName.DTK])

    def transaction_cryptogram(self, card: CardIdentity, data: bytes) -> bytes:
        """See `TacModule`."""
        dtk = card_key(card.algorithm, self._root, card.region, card.historical)
        return tac(card.algorithm, dtk, data)


def verify_tac(module: TacModule, card: CardIdentity, data: bytes, cryptogram: bytes) -> None:
    """Raise `TacWrong` unless `cryptogram` is the card's TAC over `data`."""
    if not hmac.compare_digest(module.transaction_cryptogram(card, data), cryptogram):
        raise TacWrong("the TAC does not fit the transaction")
