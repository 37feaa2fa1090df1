"""The life of a card as the regulation has it: one table, each line citing its article.

Pure: a life and an event give the next life, or a refusal. Nothing here knows a database, and no
job has to run for a temporary loss to lapse: `state_at` computes it from the time (Article 18).
The regulation lists channels for each event; where it says "and other ways" (等方式) a terminal is
one of them, where the list is closed it is not. Article 23: nothing leads out of `void`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from simulator.backoffice.days import Counting, local, loss_ends
from simulator.backoffice.errors import LifecycleError
from simulator.backoffice.refusals import Refusal


class State(StrEnum):
    """What the social security function of a card is; the values are those of `CardStatus`."""

    NOT_ACTIVATED = "not_activated"
    ACTIVE = "active"
    TEMPORARILY_LOST = "temporarily_lost"
    FORMALLY_LOST = "formally_lost"
    VOID = "void"
    STOPPED = "stopped"


class Event(StrEnum):
    """What may happen to a card."""

    ACTIVATE = "activate"
    REPORT_TEMPORARY_LOSS = "report_temporary_loss"
    REPORT_FORMAL_LOSS = "report_formal_loss"
    RELEASE = "release"
    LAPSE = "lapse"
    REPLACE = "replace"
    EXCHANGE = "exchange"
    REAPPLY = "reapply"
    STOP = "stop"


class Channel(StrEnum):
    """Through whom an event comes in.

    Community and bank service points (Article 28), the online service platform, the service
    telephone, a self-service terminal, the card service centre itself (Article 7), passing time.
    """

    COMMUNITY_POINT = "community_point"
    BANK_POINT = "bank_point"
    ONLINE = "online"
    PHONE = "phone"
    TERMINAL = "terminal"
    CENTRE = "centre"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Life:
    """Where a card stands. `until` ends a temporary loss; `resumes` is what a loss interrupts."""

    state: State
    until: datetime | None = None
    resumes: State | None = None

    @property
    def is_activated(self) -> bool:
        """Whether the social security function was switched on, be it interrupted by a loss."""
        return (self.resumes or self.state) is State.ACTIVE


@dataclass(frozen=True, slots=True)
class Rule:
    """What an event leads to, by which article, and through which channels.

    `target` None goes back to what the loss interrupted.
    """

    target: State | None
    article: int
    channels: frozenset[Channel]


@dataclass(frozen=True, slots=True)
class Transition:
    """One event that has happened."""

    event: Event
    channel: Channel
    at: datetime
    article: int
    before: Life
    after: Life


_ANY_WAY = frozenset(
    {
        Channel.COMMUNITY_POINT,
        Channel.BANK_POINT,
        Channel.ONLINE,
        Channel.PHONE,
        Channel.TERMINAL,
    }
)
_IDENTIFIED = frozenset({Channel.ONLINE, Channel.COMMUNITY_POINT})
_NEW_CARD = _IDENTIFIED | {Channel.BANK_POINT}
_CENTRE = frozenset({Channel.CENTRE})
_TIME = frozenset({Channel.TIME})

_TEMPORARY = Rule(State.TEMPORARILY_LOST, 18, _ANY_WAY)
_FORMAL = Rule(State.FORMALLY_LOST, 18, _IDENTIFIED)
_RELEASE = Rule(None, 19, _IDENTIFIED)
_EXCHANGE = Rule(State.VOID, 21, _NEW_CARD)
_REAPPLY = Rule(State.VOID, 22, _NEW_CARD)
_STOP = Rule(State.STOPPED, 30, _CENTRE)

RULES: Mapping[tuple[State, Event], Rule] = {
    (State.NOT_ACTIVATED, Event.ACTIVATE): Rule(State.ACTIVE, 12, _ANY_WAY),
    (State.NOT_ACTIVATED, Event.REPORT_TEMPORARY_LOSS): _TEMPORARY,
    (State.NOT_ACTIVATED, Event.REPORT_FORMAL_LOSS): _FORMAL,
    (State.NOT_ACTIVATED, Event.EXCHANGE): _EXCHANGE,
    (State.NOT_ACTIVATED, Event.REAPPLY): _REAPPLY,
    (State.NOT_ACTIVATED, Event.STOP): _STOP,
    (State.ACTIVE, Event.REPORT_TEMPORARY_LOSS): _TEMPORARY,
    (State.ACTIVE, Event.REPORT_FORMAL_LOSS): _FORMAL,
    (State.ACTIVE, Event.EXCHANGE): _EXCHANGE,
    (State.ACTIVE, Event.REAPPLY): _REAPPLY,
    (State.ACTIVE, Event.STOP): _STOP,
    (State.TEMPORARILY_LOST, Event.REPORT_FORMAL_LOSS): _FORMAL,
    (State.TEMPORARILY_LOST, Event.RELEASE): _RELEASE,
    (State.TEMPORARILY_LOST, Event.LAPSE): Rule(None, 18, _TIME),
    (State.TEMPORARILY_LOST, Event.STOP): _STOP,
    (State.FORMALLY_LOST, Event.RELEASE): _RELEASE,
    (State.FORMALLY_LOST, Event.REPLACE): Rule(State.VOID, 19, _NEW_CARD),
    (State.FORMALLY_LOST, Event.STOP): _STOP,
    (State.STOPPED, Event.REAPPLY): Rule(State.VOID, 30, _NEW_CARD),
}
"""Every transition there is. What is not here is refused."""


def state_at(life: Life, now: datetime) -> Life:
    """What a life is at `now`: a temporary loss that has ended is over (Article 18)."""
    lapsed = lapse(life, now)
    return lapsed.after if lapsed else life


def lapse(life: Life, now: datetime) -> Transition | None:
    """The lapse of a temporary loss that has ended by `now`, at the instant it happened."""
    if life.state is not State.TEMPORARILY_LOST or life.until is None or now < life.until:
        return None
    rule = RULES[life.state, Event.LAPSE]
    return Transition(Event.LAPSE, Channel.TIME, life.until, rule.article, life, _interrupted(life))


def transition(
    life: Life,
    event: Event,
    channel: Channel,
    at: datetime,
    *,
    counting: Counting = Counting.CALENDAR_DAYS,
) -> Transition:
    """What `event` makes of a life at that instant. Raises `LifecycleError` where it may not be.

    A temporary loss that has ended by then is over before the event is looked at.
    """
    before = state_at(life, local(at))
    rule = RULES.get((before.state, event))
    if rule is None:
        raise LifecycleError(_why_not(before.state, event))
    if channel not in rule.channels:
        raise LifecycleError(Refusal.CHANNEL_NOT_ALLOWED, article=rule.article)
    after = _after(before, rule, at, counting)
    return Transition(event, channel, local(at), rule.article, before, after)


def _after(before: Life, rule: Rule, at: datetime, counting: Counting) -> Life:
    match rule.target:
        case None:
            return _interrupted(before)
        case State.TEMPORARILY_LOST:
            return Life(rule.target, loss_ends(at, counting=counting), before.state)
        case State.FORMALLY_LOST:
            return Life(rule.target, resumes=before.resumes or before.state)
        case _:
            return Life(rule.target)


def _interrupted(life: Life) -> Life:
    """What the card was before it was lost."""
    assert life.resumes is not None  # noqa: S101  # only losses come here, and they keep it
    return replace(life, state=life.resumes, until=None, resumes=None)


_ALWAYS = {State.VOID: Refusal.CARD_VOID, State.STOPPED: Refusal.CARD_STOPPED}
_LOST = {
    State.TEMPORARILY_LOST: Refusal.CARD_TEMPORARILY_LOST,
    State.FORMALLY_LOST: Refusal.CARD_FORMALLY_LOST,
}


def _why_not(state: State, event: Event) -> Refusal:
    """Why an event cannot happen to a card in that state."""
    if state in _ALWAYS:
        return _ALWAYS[state]
    match event:
        case Event.RELEASE | Event.LAPSE if state not in _LOST:
            return Refusal.NOT_LOST
        case Event.REPLACE:
            return Refusal.NOT_FORMALLY_LOST
        case Event.ACTIVATE if state is State.ACTIVE:
            return Refusal.ALREADY_ACTIVE
        case _:
            return _LOST[state]
