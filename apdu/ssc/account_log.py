"""The log of the medical account (DF04 EF08): one row a transaction, newest first (facts 3.6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.file_reader import FileReader
from apdu.ssc.files import file_map
from apdu.ssc.values import SHANGHAI
from apdu.status import MalformedData

_LOG = ("DF04", 0xEF08)
_LENGTHS = (28, 20)
"""A row; a row of a card that keeps the account part alone (SPEC-7)."""


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """One row of the log. Amounts are fen; a load has its amount in `account_fen`.

    `kind` is "1" for a load, "2" for a settlement. `at` is None where the card holds no time.
    """

    sequence: int
    kind: str
    terminal: str
    at: datetime | None
    account_fen: int = field(repr=False)
    self_pay_fen: int = field(repr=False)
    fund_fen: int = field(repr=False)
    raw: bytes = field(repr=False)

    @classmethod
    def parse(cls, row: bytes) -> AccountRecord:
        """The record that a row of 28 bytes, or of 20, is. Raises `MalformedData`."""
        if len(row) not in _LENGTHS:
            raise MalformedData(f"a row of the account's log with {len(row)} bytes")
        account, self_pay, fund = (int.from_bytes(row[at : at + 4], "big") for at in (16, 20, 24))
        return cls(
            sequence=int.from_bytes(row[:2], "big"),
            kind=row[2:3].decode("ascii", "replace"),
            terminal=row[3:9].hex(),
            at=_time(row[9:16].hex()),
            account_fen=account,
            self_pay_fen=self_pay,
            fund_fen=fund,
            raw=row,
        )


def log_rows(card: SocialSecurityCard) -> tuple[bytes, ...]:
    """The rows as the card gives them. The PIN must have been verified.

    Raises `StatusError` (6982 when it has not), `MalformedData` or `MalformedApdu`.
    """
    file = file_map(card.version)[_LOG]
    return FileReader(card, pin_verified=True).read(file).raw


def _time(digits: str) -> datetime | None:
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=SHANGHAI)
    except ValueError:
        return None
