"""What admission is told: about the card, the terminal's rules, the blacklist, the world."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

from terminal.clock import local
from terminal.policy import FunctionPolicy

if TYPE_CHECKING:
    from backend_client.list_messages import Terms
    from backend_client.messages import CardStatus


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What admission knows of a card: whether it proved itself, and what its EF05 says.

    `card_id` is 32 lower-case hex digits, `card_number` 9 characters, `initialiser` 24 hex digits
    (facts 3.2, tag 04), `region` the 6 digits of the issuing city (facts 3.3). `expires` None is
    an open end, `issued` None unknown.
    """

    authentic: bool
    card_id: str = field(repr=False)
    card_number: str = field(repr=False)
    version: str
    initialiser: str
    region: str
    issued: date | None
    expires: date | None

    @property
    def generation(self) -> str:
        """Card generation 1.0, 2.0 or 3.0 by the version's first three characters; empty is 1.0."""
        return self.version[:3] or "1.0"


@dataclass(frozen=True, slots=True)
class CardRules:
    """Which cards this terminal serves at all. Empty `regions` or `initialisers`: any.

    `regions` and `initialisers` are prefixes of the card's; `stopped_versions` are the generations
    that Article 30 stopped, from the first instant of `stopped_from` in Shanghai on.
    """

    regions: tuple[str, ...] = ()
    initialisers: tuple[str, ...] = ()
    versions: tuple[str, ...] = ("1.0", "2.0", "3.0")
    stopped_versions: tuple[str, ...] = ("1.0",)
    stopped_from: date = date(2021, 1, 1)


@dataclass(frozen=True, slots=True)
class Listing:
    """The blacklist in force, and what its entries that name the card say, whatever their time.

    `regions` are the administrative divisions (6 digits) whose cards it speaks about, empty for
    any; `covered_until` is up to when it knows of cards, None for any.
    """

    version: int
    issued_at: datetime
    expires_at: datetime
    entries: tuple[Terms, ...] = field(default=(), repr=False)
    regions: tuple[str, ...] = ()
    covered_until: datetime | None = None

    def covers(self, card: CardFacts) -> bool:
        """Whether not being listed says anything about this card (facts 6.4: "not covered").

        A division whose code ends in 00 stands for those below it (GB/T 2260).
        """
        until, issued = self.covered_until, card.issued
        if until is not None and issued is not None and issued > local(until).date():
            return False
        return not self.regions or card.region.startswith(tuple(map(_division, self.regions)))


def _division(region: str) -> str:
    """The digits that a division shares with all below it: 31 of 310000."""
    while region.endswith("00") and len(region) > 2:
        region = region[:-2]
    return region


@dataclass(frozen=True, slots=True)
class AdmissionContext:
    """Everything else the decision rests on.

    `status` is the last known standing of the card, None when never heard; `online` whether the
    back office answered just now; `clock_trusted` is False after the clock jumped, until the back
    office has confirmed the time; `clock_confirmed` whether it has done so since the program began;
    `operation_open` whether an operation of this card is unfinished;
    `limit_reached` whether this terminal has as many unfinished operations as it may have.
    """

    policy: FunctionPolicy
    rules: CardRules = CardRules()
    listing: Listing | None = None
    status: CardStatus | None = None
    online: bool = False
    clock_trusted: bool = True
    clock_confirmed: bool = True
    operation_open: bool = False
    limit_reached: bool = False
