"""What a token allows."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """One kind of thing that a caller may do."""

    READERS = "readers"  # which readers there are, and cards that come and go
    READ = "read"  # what is on the card, admission, photograph, state of the blacklist
    WRITE = "write"  # files on the card
    PIN = "pin"  # verify, change, unblock and reload the PIN
    SETTLE = "settle"  # functions that move money at the centre, and what became of them
    DEBIT = "debit"  # the medical account on the card


LDT33 = {
    "iReadCard": Scope.READ,
    "iWriteCard": Scope.WRITE,
    "iVerifyPIN": Scope.PIN,
    "iChangePIN": Scope.PIN,
    "iReloadPIN": Scope.PIN,
    "iUnblockPIN": Scope.PIN,
    "iDoDebit": Scope.DEBIT,
    "iReadDebitRecord": Scope.DEBIT,
}
"""What the functions of LD/T 33 need, by how their names begin."""


def scope_of(function: str) -> Scope | None:
    """The scope that a function of LD/T 33 needs; None for a name that is none."""
    return next((scope for name, scope in LDT33.items() if function.startswith(name)), None)
