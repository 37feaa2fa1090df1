"""Admission: whether this card may be used for this function, here and now.

One pure decision, `decide`; no other place decides. It looks, in the order of facts 7.2, at: is
the card authentic; is it listed; who initialised it; its version; its dates; is an operation
unfinished; its standing at the centre; how fresh the blacklist is, and whether it covers the card.
The first thing that speaks against the card refuses it, with a stable reason, the article of the
regulation, a sentence for the holder and what to do next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from terminal.circumstances import AdmissionContext, CardFacts, CardRules, Listing
from terminal.clock import local
from terminal.policy import Function, FunctionPolicy
from terminal.reasons import (
    REMARK_CLOCK_UNTRUSTED,
    REMARK_LIST_MISSING,
    REMARK_LIST_NOT_COVERING,
    REMARK_OLD_CARD,
    REMARK_OUT_OF_DATE,
    REMARK_STATUS_UNKNOWN,
    WORDING,
    Reason,
)
from terminal.text import Text, day, until

if TYPE_CHECKING:
    from backend_client.list_messages import Terms
    from backend_client.messages import CardStatus

__all__ = [
    "AdmissionContext",
    "Admitted",
    "CardFacts",
    "CardRules",
    "Decision",
    "Listing",
    "Refused",
    "decide",
    "in_force",
]


@dataclass(frozen=True, slots=True)
class Admitted:
    """The card may be used. `remarks` say what could not be checked, for staff and audit."""

    function: Function
    list_version: int | None
    requires_pin: bool
    remarks: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The card may not be used, why, and what the holder can do.

    `article` is the article of the Shanghai regulation; `call_staff` asks for a person.
    """

    function: Function
    reason: Reason
    article: int | None
    text: Text
    advice: Text
    list_version: int | None
    call_staff: bool = False


Decision = Admitted | Refused


@dataclass(frozen=True, slots=True)
class _Stop:
    """What one check found against the card."""

    reason: Reason
    fill: tuple[tuple[str, Text], ...] = ()
    call_staff: bool = False


@dataclass(frozen=True, slots=True)
class _Case:
    """The matter before the checks."""

    card: CardFacts
    function: Function
    now: datetime
    context: AdmissionContext
    remarks: list[Text] = field(default_factory=list)

    @property
    def policy(self) -> FunctionPolicy:
        return self.context.policy


def decide(
    card: CardFacts, function: Function, now: datetime, context: AdmissionContext
) -> Decision:
    """Whether `card` may be used for `function` at `now`. Pure: same question, same answer."""
    case = _Case(card, function, now, context)
    version = context.listing.version if context.listing else None
    for check in _CHECKS:
        stop = check(case)
        if stop is not None:
            wording = WORDING[stop.reason]
            text = wording.text.fill(**dict(stop.fill))
            return Refused(
                function,
                stop.reason,
                wording.article,
                text,
                wording.advice,
                version,
                stop.call_staff,
            )
    return Admitted(function, version, context.policy.requires_pin, tuple(case.remarks))


def in_force(status: CardStatus, now: datetime) -> str:
    """The state that `status` means at `now`: a temporary loss lapses by itself (Article 18)."""
    if status.state != "temporarily_lost":
        return status.state
    if status.state_until is None or now < status.state_until:
        return status.state
    return "active" if status.social_active else "not_activated"


def _authentic(case: _Case) -> _Stop | None:
    """Internal authentication (facts 7.2, Article 26)."""
    return None if case.card.authentic else _Stop(Reason.NOT_AUTHENTIC)


def _listed(case: _Case) -> _Stop | None:
    """The blacklist, then what the centre said of the card itself (facts 7.3; Art. 18, 23, 30)."""
    listing = case.context.listing
    stops = [_entry_stop(entry) for entry in _entries(case)]
    status = case.context.status
    if status is not None and _outlives(status, listing):
        stops.extend(_status_stop(status, _state(case, status)))
    if case.policy.accepts_old_card:
        stops = [stop for stop in stops if not _is_old_card(case, stop)]
    if case.policy.accepts_lost:
        stops = [stop for stop in stops if stop.reason not in _LOST]
    return min(stops, key=lambda stop: _SEVERITY.index(stop.reason), default=None)


def _is_old_card(case: _Case, stop: _Stop) -> bool:
    """Whether this is the end of 2020 again, which the policy passes over with a remark."""
    if stop.reason is not Reason.STOPPED_OLD_CARD:
        return False
    _remark(case, REMARK_OLD_CARD)
    return True


def _remark(case: _Case, text: Text) -> None:
    """Two checks may find the same thing; it is told once."""
    if text not in case.remarks:
        case.remarks.append(text)


def _entries(case: _Case) -> Iterable[Terms]:
    """The entries that stop this card in this function's scope at this time.

    With a clock that cannot be trusted it counts, whatever its begin and its end. What had begun
    when the list was issued has begun, also by a clock that is a little slow (Article 18: at once).
    """
    listing = case.context.listing
    if listing is None:
        return
    latest = max(case.now, listing.issued_at)
    for entry in listing.entries:
        if case.policy.scope not in entry.scope:
            continue
        begun = _begun(entry, latest) or not case.context.clock_trusted
        if begun and not _over(case, entry):
            yield entry


def _begun(entry: Terms, now: datetime) -> bool:
    return entry.valid_from is None or now >= entry.valid_from


def _over(case: _Case, entry: Terms) -> bool:
    ends = entry.valid_until
    return ends is not None and case.now >= ends and _clock_ends_losses(case)


def _clock_ends_losses(case: _Case) -> bool:
    """Whether a loss may lift by this terminal's clock alone (Article 18).

    It may not when the clock is not trusted. It may not either from a start of the program until
    the back office has confirmed the time: how long the terminal was off, nobody can tell, and a
    clock that was set forward meanwhile would bring lost cards back.
    """
    return case.context.clock_trusted and case.context.clock_confirmed


_LISTED = {
    "temporary_loss": Reason.LISTED_TEMPORARY_LOSS,
    "formal_loss": Reason.LISTED_FORMAL_LOSS,
    "void": Reason.LISTED_VOID,
    "stopped": Reason.STOPPED_OLD_CARD,
}
_SEVERITY = (
    Reason.LISTED_VOID,
    Reason.STOPPED_OLD_CARD,
    Reason.LISTED_FORMAL_LOSS,
    Reason.FROZEN,
    Reason.LISTED_TEMPORARY_LOSS,
)
"""Of several findings the most lasting one is told."""


def _entry_stop(entry: Terms) -> _Stop:
    reason = _LISTED.get(entry.reason, Reason.FROZEN)
    if reason is Reason.LISTED_TEMPORARY_LOSS and entry.valid_until is None:
        reason = Reason.LISTED_FORMAL_LOSS
    fill = _until(entry.valid_until) if reason is Reason.LISTED_TEMPORARY_LOSS else ()
    return _Stop(reason, fill, call_staff=entry.action == "refuse_and_call_staff")


def _outlives(status: CardStatus, listing: Listing | None) -> bool:
    """Whether `status` still counts against the card.

    Void and stopped cards never return (Article 23, 30). A loss may have been released since: a
    list issued later that does not name the card says so.
    """
    if status.state in ("void", "stopped"):
        return True
    return listing is None or status.as_of >= listing.issued_at


_LOST = frozenset({Reason.LISTED_TEMPORARY_LOSS, Reason.LISTED_FORMAL_LOSS})
_STATES = {
    "temporarily_lost": Reason.LISTED_TEMPORARY_LOSS,
    "formally_lost": Reason.LISTED_FORMAL_LOSS,
    "void": Reason.LISTED_VOID,
    "stopped": Reason.STOPPED_OLD_CARD,
}


def _state(case: _Case, status: CardStatus) -> str:
    """What the card's status means now; with a clock that says nothing, what was said of it."""
    return in_force(status, case.now) if _clock_ends_losses(case) else status.state


def _status_stop(status: CardStatus, state: str) -> Iterable[_Stop]:
    reason = _STATES.get(state)
    if reason is Reason.LISTED_TEMPORARY_LOSS and status.state_until is None:
        reason = Reason.LISTED_FORMAL_LOSS
    if reason is not None:
        fill = _until(status.state_until) if reason is Reason.LISTED_TEMPORARY_LOSS else ()
        yield _Stop(reason, fill)


def _until(end: datetime | None) -> tuple[tuple[str, Text], ...]:
    return () if end is None else (("until", until(end)),)


def _issuer(case: _Case) -> _Stop | None:
    """The initialising body and the issuing region (facts 3.2, 3.3)."""
    rules = case.context.rules
    served = _starts(case.card.region, rules.regions) and _starts(
        case.card.initialiser, rules.initialisers
    )
    return None if served else _Stop(Reason.WRONG_ISSUER)


def _starts(value: str, prefixes: tuple[str, ...]) -> bool:
    return not prefixes or value.startswith(prefixes)


def _version(case: _Case) -> _Stop | None:
    """The specification version (facts 1.4); old cards stopped at the end of 2020 (Article 30)."""
    rules, generation = case.context.rules, case.card.generation
    if generation not in rules.versions:
        return _Stop(Reason.UNSUPPORTED_VERSION)
    if generation in rules.stopped_versions and local(case.now).date() >= rules.stopped_from:
        if not case.policy.accepts_old_card:
            return _Stop(Reason.STOPPED_OLD_CARD)
        _remark(case, REMARK_OLD_CARD)
    return None


def _dates(case: _Case) -> _Stop | None:
    """First and last day, both included, by the Shanghai calendar (facts 3.2, tags 05 and 06)."""
    if not case.context.clock_trusted:
        if case.function.needs_clock:
            return _Stop(Reason.CLOCK_UNTRUSTED)
        case.remarks.append(REMARK_CLOCK_UNTRUSTED)
        return None
    stop = _date_stop(case.card, local(case.now).date())
    if stop is not None and case.policy.accepts_out_of_date:
        case.remarks.append(REMARK_OUT_OF_DATE)
        return None
    return stop


def _date_stop(card: CardFacts, today: date) -> _Stop | None:
    if card.issued is not None and today < card.issued:
        return _Stop(Reason.NOT_YET_VALID, (("start", day(card.issued)),))
    if card.expires is not None and today > card.expires:
        return _Stop(Reason.EXPIRED, (("end", day(card.expires)),))
    return None


def _unfinished(case: _Case) -> _Stop | None:
    """An unknown outcome blocks the card here until it is resolved (facts 5.4, rules 4 and 5)."""
    if not case.function.is_value:
        return None
    if case.context.operation_open:
        return _Stop(Reason.OPERATION_OPEN)
    return _Stop(Reason.TOO_MANY_OPEN) if case.context.limit_reached else None


def _standing(case: _Case) -> _Stop | None:
    """Whether the centre is there, and what it says of the social security function (Art. 12)."""
    if case.policy.requires_online and not case.context.online:
        return _Stop(Reason.OFFLINE)
    status = _known(case)
    if status is None:
        if case.function.is_value and case.function is not Function.DEBIT:
            return _Stop(Reason.STATUS_UNKNOWN)  # a debit rests on what the card itself permits
        if case.policy.requires_activation:
            case.remarks.append(REMARK_STATUS_UNKNOWN)
        return None
    if case.function is Function.ACTIVATION and status.social_active:
        return _Stop(Reason.ALREADY_ACTIVATED)
    if case.function is Function.RELEASE and _STATES.get(_state(case, status)) not in _LOST:
        return _Stop(Reason.NOT_LOST)
    if case.policy.requires_activation and not status.social_active:
        return _Stop(Reason.NOT_ACTIVATED)
    return None


def _known(case: _Case) -> CardStatus | None:
    """The card's status if it is recent enough to count as known."""
    status = case.context.status
    if status is None or case.now - status.as_of > case.policy.max_status_age:
        return None
    return status


def _freshness(case: _Case) -> _Stop | None:
    """The blacklist's age (facts 6.4): value stops with a stale one, reading goes on longer."""
    listing = case.context.listing
    if listing is None:
        if case.policy.needs_list or case.function.is_value:
            return _Stop(Reason.LIST_MISSING)
        case.remarks.append(REMARK_LIST_MISSING)
        return None
    if not case.context.clock_trusted or not case.policy.needs_list:
        return None
    return _Stop(Reason.LIST_STALE) if _stale(case, listing) else None


def _stale(case: _Case, listing: Listing) -> bool:
    """Too old for the policy; for value, also past the end that its issuer gave it."""
    age: timedelta = case.now - listing.issued_at
    if age > case.policy.max_list_age:
        return True
    return case.function.is_value and case.now >= listing.expires_at


def _coverage(case: _Case) -> _Stop | None:
    """Of a card that the list does not speak about, only the centre can say that it is not lost."""
    listing = case.context.listing
    if listing is None or listing.covers(case.card) or _known(case) is not None:
        return None
    if case.policy.needs_list or case.function.is_value:
        return _Stop(Reason.LIST_NOT_COVERING)
    case.remarks.append(REMARK_LIST_NOT_COVERING)
    return None


_Check = Callable[[_Case], _Stop | None]
_CHECKS: tuple[_Check, ...] = (
    _authentic,
    _listed,
    _issuer,
    _version,
    _dates,
    _unfinished,
    _standing,
    _freshness,
    _coverage,
)
