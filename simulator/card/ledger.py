"""Where the medical account lies: balance, counters, sums, last proof and log (facts 3.5, 5.1)."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from apdu.crypto import Algorithm, Purchase
from simulator.card.files import CyclicFile
from simulator.card.memory import Memory

_BALANCE = Struct(">HHIII2s2s")
_PROOF = Struct(">cH4s4s")
_NO_PROOF = _PROOF.pack(b"\x00", 0, bytes(4), bytes(4))


class Balance(NamedTuple):
    """医疗保险金额: both counters, the balance, the payment year's sums, the year and its start.

    `year` is 支付年度 (cn 2), `start` the day on which a payment year begins (mmdd, cn 2).
    """

    online: int
    offline: int
    balance: int
    self_pay: int
    fund: int
    year: bytes
    start: bytes

    def after(self, purchase: Purchase) -> Balance:
        """The balance after a purchase, with the roll-over of the payment year (SPEC-7)."""
        day = int(purchase.time[:4].hex())
        start = int(self.start.hex())
        booked = self._replace(offline=self.offline + 1, balance=self.balance - purchase.account)
        if day - (int(self.year.hex()) * 10000 + start) < 10000:
            return booked._replace(
                self_pay=self.self_pay + purchase.self_pay, fund=self.fund + purchase.fund
            )
        year = day // 10000 - (day % 10000 < start)
        return booked._replace(
            self_pay=purchase.self_pay, fund=purchase.fund, year=bytes.fromhex(f"{year:04d}")
        )


class Proof(NamedTuple):
    """The cryptograms of the last transaction, kept until the next (facts 7.5)."""

    kind: bytes
    sequence: int
    mac: bytes
    tac: bytes


class Ledger:
    """The account in the card's memory, and the log of its transactions (DF04 EF08)."""

    __slots__ = ("_memory", "_offset", "algorithm", "log")

    def __init__(
        self, memory: Memory, balance: Balance, log: CyclicFile, algorithm: Algorithm
    ) -> None:
        self._memory = memory
        self._offset = memory.allocate(_BALANCE.pack(*balance) + _NO_PROOF)
        self.log = log
        self.algorithm = algorithm

    @property
    def balance(self) -> Balance:
        """What the account holds now."""
        return Balance(*_BALANCE.unpack(self._memory.read(self._offset, _BALANCE.size)))

    @property
    def proof(self) -> Proof:
        """The proof of the last transaction."""
        at = self._offset + _BALANCE.size
        return Proof(*_PROOF.unpack(self._memory.read(at, _PROOF.size)))

    def set_starting_day(self, start: bytes) -> None:
        """Write the day on which payment years begin, mmdd."""
        content = _BALANCE.pack(*self.balance._replace(start=start))
        self._memory.commit([(self._offset, content)])

    def book(self, balance: Balance, proof: Proof, row: bytes) -> None:
        """Write balance, proof and log row: all of them or none."""
        content = _BALANCE.pack(*balance) + _PROOF.pack(*proof)
        self._memory.commit([(self._offset, content), *self.log.appended(row)])
