"""May this purse be used at this gate now? Admission for a purse, in one pure decision.

A purse is admitted by other facts than a social security card: it proves itself by the debit
(MAC2), it has validity dates of its own, and nobody enters a PIN. So the gate asks here, and only
here; the social security functions ask `terminal/admission.py`. What concerns the gate itself comes
first, because it is the same for every card.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from apdu.transit import TransitArea, TransitCard
from terminal.clock import local
from terminal.gate.reasons import GateReason
from terminal.store.taps import Unsent


class DenyList(Protocol):
    """What a gate needs of the blacklist in force."""

    @property
    def version(self) -> int | None:
        """Its version, None before the first."""
        ...

    @property
    def issued_at(self) -> datetime | None:
        """When it was issued."""
        ...

    def stops(self, purse_number: str, now: datetime) -> bool:
        """Whether an entry stops this purse (19 digits) for transport at `now`."""
        ...


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """What a gate may do on its own.

    `max_list_age`: how old the list may be. `needs_list`: whether it may do without one.
    `most_unsent`, `unsent_for`: how many taps may wait to be handed in, and for how long.
    `city`: where it stands (2 bytes); a purse of another city must be interoperable.
    """

    max_list_age: timedelta
    needs_list: bool
    most_unsent: int
    unsent_for: timedelta
    city: bytes


def gate_closed(
    policy: GatePolicy, deny: DenyList, unsent: Unsent, now: datetime, *, clock_trusted: bool
) -> GateReason | None:
    """Why nobody may pass this gate now, if that is so."""
    if not clock_trusted:
        return GateReason.CLOCK_UNTRUSTED
    if deny.issued_at is None:
        return GateReason.LIST_MISSING if policy.needs_list else None
    if now - deny.issued_at > policy.max_list_age:
        return GateReason.LIST_STALE
    if unsent.count >= policy.most_unsent:
        return GateReason.TOO_MANY_UNSENT
    if unsent.oldest is not None and now - unsent.oldest > policy.unsent_for:
        return GateReason.UNSENT_TOO_LONG
    return None


def entitled(card: TransitCard, deny: DenyList, now: datetime) -> GateReason | None:
    """Why this purse may not be used anywhere now, if that is so."""
    if not (card.personalised and card.enabled):
        return GateReason.NOT_ENABLED
    if deny.stops(card.number.reveal(), now):
        return GateReason.LISTED
    today = local(now).date()
    if card.is_valid_on(today):
        return None
    begun = card.valid_from is None or card.valid_from <= today
    return GateReason.EXPIRED if begun else GateReason.NOT_YET_VALID


def at_home(area: TransitArea, city: bytes) -> GateReason | None:
    """Why a purse of that area may not be used in this city, if that is so."""
    if bytes.fromhex(area.city) == city or area.interoperable:
        return None
    return GateReason.NOT_INTEROPERABLE


class EmptyDenyList:
    """The list of a gate that has none yet."""

    version: int | None = None
    issued_at: datetime | None = None

    def stops(self, purse_number: str, now: datetime) -> bool:  # noqa: ARG002  # the protocol's
        """Nobody is listed."""
        return False
