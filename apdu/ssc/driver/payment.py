"""Paying from the medical account: the strings of iDoDebit and its records (facts 6.1).

The interface knows two amounts: the total, and the part of it that account and pooled fund pay.
They go into the card's slots for self-pay and fund, and zero into the slot for the account: the
strings carry "the last two amounts" of the command, and with them what the card signed can be
checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from apdu.crypto import Algorithm
from apdu.ssc.account_log import AccountRecord
from apdu.ssc.driver.result import DriverRefusal, ResultCode
from apdu.ssc.driver.text import BAR, CARET, barred
from apdu.ssc.keys import KeyName
from apdu.ssc.transactions import AMOUNT_MAX, Done, PendingDebit, PurchaseOrder
from apdu.ssc.values import SHANGHAI

_PAYMENT = re.compile(r"([0-9]{1,8})\.([0-9]{2})\|([0-9]{1,8})\.([0-9]{2})\|([0-9]{14})\|")
_SETTLEMENT = "2"


@dataclass(frozen=True, slots=True)
class Payment:
    """pPayInfo: fen in all, fen of these from account and fund, and when."""

    total_fen: int = field(repr=False)
    covered_fen: int = field(repr=False)
    at: datetime

    @classmethod
    def parse(cls, text: str) -> Payment:
        """`total|account and fund|YYYYMMDDHHMMSS|`, amounts with two decimals; more than nothing.

        Raises -23.
        """
        match = _PAYMENT.fullmatch(text)
        if match is None:
            raise DriverRefusal(ResultCode.ILLEGAL_DATA, "pPayInfo")
        total, covered = int(match[1] + match[2]), int(match[3] + match[4])
        if not 0 < max(total, covered) < AMOUNT_MAX:
            raise DriverRefusal(ResultCode.ILLEGAL_DATA, "pPayInfo amounts")
        try:
            at = datetime.strptime(match[5], "%Y%m%d%H%M%S").replace(tzinfo=SHANGHAI)
        except ValueError:
            raise DriverRefusal(ResultCode.ILLEGAL_DATA, "pPayInfo time") from None
        return cls(total, covered, at)

    @property
    def order(self) -> PurchaseOrder:
        """What the card is asked for."""
        return PurchaseOrder(0, self.at, self_pay_fen=self.total_fen, fund_fen=self.covered_fen)

    def is_that_of(self, debit: PendingDebit) -> bool:
        """Whether `debit` was begun for this payment: the same amounts.

        Not the time: who asks again may ask with a new one, and an HSM may have set its own.
        """
        purchase = debit.purchase
        return (purchase.self_pay, purchase.fund) == (self.total_fen, self.covered_fen)


def receipt(algorithm: Algorithm, done: Done) -> str:
    """What a debit answers: all that the TAC is checked with, and the TAC."""
    debit = done.transaction
    if not isinstance(debit, PendingDebit):
        raise TypeError("a load has no receipt of this form")
    return barred(
        f"{algorithm.value:02}",
        f"{KeyName.DTK.spec.hsm:04X}",
        _hex(debit.purchase.amounts[4:]),
        _hex(debit.purchase.kind),
        _hex(debit.purchase.terminal),
        _hex(debit.psam_sequence),
        _hex(debit.purchase.time),
        _hex(done.tac),
    )


def records_text(records: Iterable[AccountRecord]) -> str:
    """The settlements of the account's log, newest first, each ended by a bar."""
    return "".join(_record(record) for record in records if record.kind == _SETTLEMENT)


def _record(record: AccountRecord) -> str:
    fields = (
        f"{record.sequence:04X}",
        record.terminal,
        f"{record.at:%Y%m%d%H%M%S}" if record.at else "",
        _yuan(record.self_pay_fen),
        _yuan(record.fund_fen),
    )
    return "".join(f"{text}{CARET}" for text in fields) + BAR


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02}"


def _hex(data: bytes) -> str:
    return data.hex().upper()
