"""What each function may do, and under which conditions: the table behind admission.

Safe by default. A *value* function moves money or changes the card's standing at the centre; it
needs a current blacklist, a trusted clock and a card without an unfinished operation, and no
setting takes that away. Settings may change the rest, function by function (facts 4.4, 6.4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum


class Function(StrEnum):
    """What a holder can ask for; the value names its table `[policy.<value>]` in the settings."""

    READ = "read"
    QUERY = "query"
    ACTIVATION = "activation"
    SETTLEMENT = "settlement"
    CANCELLATION = "cancel"
    CONTRIBUTION = "contribution"
    BENEFITS = "benefits"
    RECORDS = "records"
    DEBIT = "debit"
    PROVISIONAL = "provisional"
    PIN_CHANGE = "pin"
    STANDING = "standing"
    RELEASE = "release"
    REPLACEMENT = "replacement"
    BANK = "bank"
    ECARD = "ecard"
    CATALOGUE = "catalogue"
    TRANSIT = "transit"

    @property
    def is_value(self) -> bool:
        """Whether it moves money or changes the card's standing at the centre."""
        return self in _VALUE

    @property
    def needs_clock(self) -> bool:
        """Whether nothing comes of it by a clock that is wrong: value, and a visit's time."""
        return self.is_value or self is Function.PROVISIONAL


_VALUE = frozenset(
    {
        Function.ACTIVATION,
        Function.SETTLEMENT,
        Function.CANCELLATION,
        Function.CONTRIBUTION,
        Function.BENEFITS,
        Function.DEBIT,
    }
)


@dataclass(frozen=True, slots=True)
class FunctionPolicy:
    """The conditions of one function.

    `scope`: which entries of the blacklist concern it (social_security, financial, transport).
    `needs_list`: refuse when the terminal has no blacklist at all.
    `max_list_age`: how old the list may be, counted from its issue; ignored without `needs_list`.
    `requires_online`: the back office must be within reach.
    `requires_activation`: only a card whose social security function is active (Article 12).
    `requires_pin`: the flow asks for the PIN before anything else.
    `max_status_age`: how old the known status of the card may be to count as known.
    `accepts_old_card`: serve cards that stopped at the end of 2020 (Article 30).
    `accepts_lost`: serve cards that were reported lost, so that the loss can be released.
    `accepts_out_of_date`: serve cards before their first and after their last day.
    """

    scope: str = "social_security"
    needs_list: bool = True
    max_list_age: timedelta = timedelta(hours=24)
    requires_online: bool = True
    requires_activation: bool = True
    requires_pin: bool = True
    max_status_age: timedelta = timedelta(minutes=15)
    accepts_old_card: bool = False
    accepts_lost: bool = False
    accepts_out_of_date: bool = False


Policies = Mapping[Function, FunctionPolicy]

_OFFLINE = FunctionPolicy(
    max_list_age=timedelta(days=30), requires_online=False, max_status_age=timedelta(days=30)
)

_ONLINE = replace(_OFFLINE, requires_online=True)
"""The back office decides, which knows more than any list."""

_ANY_CARD = replace(
    _ONLINE, requires_activation=False, accepts_old_card=True, accepts_out_of_date=True
)
"""For what has to do with cards that cannot be used any more, or not yet."""

KIOSK: Policies = {
    Function.READ: replace(
        _OFFLINE,
        requires_activation=False,
        requires_pin=False,
        accepts_old_card=True,
        accepts_out_of_date=True,
    ),
    Function.QUERY: _OFFLINE,
    Function.ACTIVATION: FunctionPolicy(requires_activation=False),
    Function.SETTLEMENT: FunctionPolicy(),
    Function.CANCELLATION: FunctionPolicy(),
    Function.CONTRIBUTION: FunctionPolicy(),
    Function.BENEFITS: FunctionPolicy(),
    Function.RECORDS: _ONLINE,
    Function.DEBIT: FunctionPolicy(requires_online=False, requires_activation=False),
    Function.PROVISIONAL: _OFFLINE,
    Function.PIN_CHANGE: _OFFLINE,
    Function.STANDING: replace(_ANY_CARD, accepts_lost=True),
    Function.RELEASE: replace(_ANY_CARD, accepts_old_card=False, accepts_lost=True),
    Function.REPLACEMENT: _ANY_CARD,
    Function.BANK: replace(_OFFLINE, requires_activation=False),
    Function.ECARD: _ONLINE,
    Function.CATALOGUE: replace(
        _OFFLINE,
        needs_list=False,
        requires_activation=False,
        requires_pin=False,
        accepts_old_card=True,
        accepts_lost=True,
        accepts_out_of_date=True,
    ),
    Function.TRANSIT: replace(
        _OFFLINE, scope="transport", requires_activation=False, requires_pin=False
    ),
}
"""A terminal that nobody watches: the PIN is asked for everything but reading the card's face."""

POINT_OF_USE: Policies = {
    **KIOSK,
    Function.QUERY: replace(_OFFLINE, requires_pin=False),
}
"""Staff look at the card and its holder; they query without a PIN."""

DEVELOPER: Policies = {
    **KIOSK,
    Function.READ: replace(KIOSK[Function.READ], needs_list=False),
}
"""A developer reads cards before the first blacklist has come."""
