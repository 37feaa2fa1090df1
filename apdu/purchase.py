"""A purchase between card and security module: what each asks of the other (facts 4.5, 5.1).

The card's INITIALIZE FOR PURCHASE gives what goes into a `PurchaseRequest`; the module answers
with a `PurchasePermit`, which the card's DEBIT FOR PURCHASE takes; the card's MAC2 goes back to
the module.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from apdu.crypto import Purchase
from apdu.status import MalformedData


@dataclass(frozen=True, slots=True)
class PurchaseRequest:
    """What the module needs for MAC1.

    `purchase` is what is bought; its terminal number must be the module's. `random` (4 bytes),
    `sequence` (the card's offline counter, 2 bytes) and `key_version` (1 to 3) are what the card
    answered to INITIALIZE FOR PURCHASE. Raises `MalformedData` for other lengths or versions.
    """

    purchase: Purchase
    random: bytes = field(repr=False)
    sequence: bytes
    key_version: int = 1

    def __post_init__(self) -> None:
        if len(self.random) != 4 or len(self.sequence) != 2:
            raise MalformedData("a card's purchase has a random of 4 and a counter of 2 bytes")
        if not 1 <= self.key_version <= 3:
            raise MalformedData("a card has purchase keys of the versions 1 to 3")


@dataclass(frozen=True, slots=True)
class PurchasePermit:
    """The module's part of DEBIT FOR PURCHASE.

    `sequence` is the module's transaction counter (4 bytes), `time` what went into MAC1
    (YYYYMMDDhhmmss, 7 bytes BCD; an HSM may set its own), `mac1` 4 bytes.
    """

    sequence: bytes
    time: bytes
    mac1: bytes = field(repr=False)

    @property
    def command_data(self) -> bytes:
        """The data of DEBIT FOR PURCHASE: counter, time, MAC1."""
        return self.sequence + self.time + self.mac1
