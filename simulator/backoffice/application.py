"""The life of an application for a card, as the regulation has it.

Pure, like `lifecycle.py`: an application and a step give the next application, or a refusal. What
somebody applies for is a `Cause`; `CAUSES` says which article stands behind it, through which
channels it may come in, whether the three departments verify it, and what it does to the card that
the holder has. `RULES` says which steps lead from which stage to which. `duties` says what the
offices owe and until when; a duty that is not met by then is overdue, and somebody has to be told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from simulator.backoffice.days import WorkingCalendar, deadline, has_turned, local, working_deadline
from simulator.backoffice.errors import LifecycleError
from simulator.backoffice.lifecycle import Channel, Event, Life, State, transition
from simulator.backoffice.refusals import Refusal

VERIFICATION_WORKING_DAYS = 3
MAKING_DAYS = 30
RENEWAL_DAYS = 15
FEE_FEN = 0
"""What an applicant pays for a card, whatever it is applied for (Article 24)."""

PHOTO_AGE = 7
"""From this age on a card carries its holder's photo (Article 22)."""


class Kind(StrEnum):
    """申领, 补领, 换领, 重新申领."""

    FIRST = "first"
    REPLACEMENT = "replacement"
    EXCHANGE = "exchange"
    REAPPLICATION = "reapplication"


class Cause(StrEnum):
    """Why somebody applies."""

    NO_CARD = "no_card"
    LOST = "lost"
    DAMAGED = "damaged"
    UNUSABLE = "unusable"
    PHOTO_AT_SEVEN = "photo_at_seven"
    NAME = "name"
    SSN = "ssn"
    PHOTO = "photo"
    BANK = "bank"
    STOPPED = "stopped"


class Department(StrEnum):
    """Who verifies (Article 10): 公安, 人力资源社会保障, 医疗保障."""

    PUBLIC_SECURITY = "public_security"
    HUMAN_RESOURCES = "human_resources"
    MEDICAL_INSURANCE = "medical_insurance"


class Stage(StrEnum):
    """How far an application is. READY: the card is made and waits for its holder."""

    VERIFYING = "verifying"
    MAKING = "making"
    READY = "ready"
    ISSUED = "issued"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"

    @property
    def is_open(self) -> bool:
        """Whether the application still has a way to go."""
        return self in (Stage.VERIFYING, Stage.MAKING, Stage.READY)


class Step(StrEnum):
    """What may happen to an application."""

    PASS = "pass"  # noqa: S105  # not a password
    REJECT = "reject"
    MAKE = "make"
    ISSUE = "issue"
    WITHDRAW = "withdraw"


class DutyKind(StrEnum):
    """What the offices owe an applicant."""

    VERIFY = "verify"
    MAKE = "make"


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a cause means.

    `event` is what happens to the holder's present card when the new one is handed out; None where
    there is none. `is_verified`: the three departments verify first (Article 10).
    """

    kind: Kind
    article: int
    event: Event | None
    channels: frozenset[Channel]
    is_verified: bool


_POINTS = frozenset({Channel.COMMUNITY_POINT, Channel.BANK_POINT})
_APPLY = _POINTS | {Channel.ONLINE}
_CENTRE = frozenset({Channel.CENTRE})

CAUSES: Mapping[Cause, Purpose] = {
    Cause.NO_CARD: Purpose(Kind.FIRST, 9, None, _APPLY, is_verified=True),
    Cause.LOST: Purpose(Kind.REPLACEMENT, 19, Event.REPLACE, _APPLY, is_verified=False),
    Cause.DAMAGED: Purpose(Kind.EXCHANGE, 21, Event.EXCHANGE, _APPLY, is_verified=False),
    Cause.UNUSABLE: Purpose(Kind.EXCHANGE, 21, Event.EXCHANGE, _APPLY, is_verified=False),
    Cause.PHOTO_AT_SEVEN: Purpose(Kind.EXCHANGE, 22, Event.EXCHANGE, _APPLY, is_verified=False),
    Cause.NAME: Purpose(Kind.REAPPLICATION, 22, Event.REAPPLY, _APPLY, is_verified=True),
    Cause.SSN: Purpose(Kind.REAPPLICATION, 22, Event.REAPPLY, _APPLY, is_verified=True),
    Cause.PHOTO: Purpose(Kind.REAPPLICATION, 22, Event.REAPPLY, _APPLY, is_verified=True),
    Cause.BANK: Purpose(Kind.REAPPLICATION, 22, Event.REAPPLY, _APPLY, is_verified=True),
    Cause.STOPPED: Purpose(Kind.REAPPLICATION, 30, Event.REAPPLY, _APPLY, is_verified=True),
}
"""Every cause there is. Articles 9, 19, 21 and 22 name the same three ways in."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one department found. `reason` says why not; nothing where it passed."""

    passed: bool
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Application:
    """Where an application stands. `verified_at`, `made_at` and `closed_at` are None until then."""

    cause: Cause
    channel: Channel
    received_at: datetime
    stage: Stage
    verdicts: Mapping[Department, Verdict] = field(default_factory=dict)
    verified_at: datetime | None = None
    made_at: datetime | None = None
    closed_at: datetime | None = None

    @property
    def purpose(self) -> Purpose:
        """What its cause means."""
        return CAUSES[self.cause]

    @property
    def reasons(self) -> tuple[tuple[Department, str], ...]:
        """Why it was rejected, department by department (Article 10)."""
        found = ((each, self.verdicts.get(each)) for each in Department)
        return tuple((each, v.reason) for each, v in found if v is not None and not v.passed)


@dataclass(frozen=True, slots=True)
class StepRule:
    """What a step leads to, by which article, and through which channels."""

    target: Stage
    article: int
    channels: frozenset[Channel]


_WITHDRAW = StepRule(Stage.WITHDRAWN, 9, _APPLY | _CENTRE)
RULES: Mapping[tuple[Stage, Step], StepRule] = {
    (Stage.VERIFYING, Step.PASS): StepRule(Stage.MAKING, 10, _CENTRE),
    (Stage.VERIFYING, Step.REJECT): StepRule(Stage.REJECTED, 10, _CENTRE),
    (Stage.MAKING, Step.MAKE): StepRule(Stage.READY, 11, _CENTRE | _POINTS),
    (Stage.READY, Step.ISSUE): StepRule(Stage.ISSUED, 11, _APPLY),  # online: sent by mail
    (Stage.VERIFYING, Step.WITHDRAW): _WITHDRAW,
    (Stage.MAKING, Step.WITHDRAW): _WITHDRAW,
    (Stage.READY, Step.WITHDRAW): _WITHDRAW,
}
"""Every step there is. What is not here is refused; nothing leads out of a closed application."""


@dataclass(frozen=True, slots=True)
class Duty:
    """What the offices owe, by which article and until when; `met_at` None: not done yet."""

    kind: DutyKind
    article: int
    due_at: datetime
    met_at: datetime | None

    def is_overdue(self, now: datetime) -> bool:
        """Whether the time has passed without its being done, however late it was done since."""
        return now >= self.due_at and (self.met_at is None or self.met_at >= self.due_at)


def apply(
    cause: Cause,
    channel: Channel,
    at: datetime,
    *,
    card: Life | None,
    born: date | None = None,
) -> Application:
    """A new application of somebody whose present card is `card` (None: there is none).

    Whether the cause fits the card is asked of the card's own lifecycle. Raises `LifecycleError`.
    `born` is the holder's birth date, for `PHOTO_AT_SEVEN`.
    """
    purpose = CAUSES[cause]
    if channel not in purpose.channels:
        raise LifecycleError(Refusal.CHANNEL_NOT_ALLOWED, article=purpose.article)
    if purpose.event is None:
        if card is not None:
            raise LifecycleError(Refusal.HOLDER_HAS_CARD)
    else:
        _check_card(cause, purpose, card, channel, at)
    if cause is Cause.PHOTO_AT_SEVEN and not (born and has_turned(born, PHOTO_AGE, at)):
        raise LifecycleError(Refusal.NOT_SEVEN_YET)
    stage = Stage.VERIFYING if purpose.is_verified else Stage.MAKING
    return Application(cause, channel, local(at), stage)


def _check_card(
    cause: Cause, purpose: Purpose, card: Life | None, channel: Channel, at: datetime
) -> None:
    """Whether a card in that state may be applied for anew for that cause."""
    if card is None:
        raise LifecycleError(Refusal.HOLDER_HAS_NO_CARD, article=purpose.article)
    assert purpose.event is not None  # noqa: S101  # asked before
    before = transition(card, purpose.event, channel, at).before
    if cause is not Cause.STOPPED and before.state is State.STOPPED:
        raise LifecycleError(Refusal.CARD_STOPPED)
    if cause is Cause.STOPPED and before.state is not State.STOPPED:
        raise LifecycleError(Refusal.NOT_STOPPED)


def step(application: Application, what: Step, channel: Channel, at: datetime) -> Application:
    """What a step makes of an application. Raises `LifecycleError` where it may not be taken."""
    rule = RULES.get((application.stage, what))
    if rule is None:
        raise LifecycleError(_WHY_NOT[application.stage], article=application.purpose.article)
    if channel not in rule.channels:
        raise LifecycleError(Refusal.CHANNEL_NOT_ALLOWED, article=rule.article)
    if what in (Step.PASS, Step.REJECT) and what is not _decision(application):
        raise LifecycleError(Refusal.NOT_VERIFIED_YET)
    done = local(at)
    match what:
        case Step.PASS:
            return replace(application, stage=rule.target, verified_at=done)
        case Step.MAKE:
            return replace(application, stage=rule.target, made_at=done)
        case _:
            return replace(application, stage=rule.target, closed_at=done)


def judge(
    application: Application, department: Department, verdict: Verdict, channel: Channel
) -> Application:
    """One department's verdict (Article 10). The last of the three decides.

    All three are heard before an application is rejected, so that its applicant is told every
    reason at once. Raises `LifecycleError`: no verification is under way, a department has spoken
    already, or a no comes without a reason.
    """
    if application.stage is not Stage.VERIFYING:
        raise LifecycleError(Refusal.NOT_VERIFYING)
    if department in application.verdicts:
        raise LifecycleError(Refusal.VERDICT_GIVEN)
    if not verdict.passed and not verdict.reason:
        raise LifecycleError(Refusal.REASON_MISSING)
    heard = replace(application, verdicts={**application.verdicts, department: verdict})
    decision = _decision(heard)
    return heard if decision is None else step(heard, decision, channel, verdict.at)


def _decision(application: Application) -> Step | None:
    """What the verdicts come to, None until all three departments have spoken."""
    if len(application.verdicts) < len(Department):
        return None
    return Step.REJECT if application.reasons else Step.PASS


def issue_event(application: Application, card: State) -> Event | None:
    """What handing out the new card does to the present one, by where that one stands then.

    A card that was lost for good since it was to be exchanged is replaced (Article 19).
    """
    event = application.purpose.event
    return Event.REPLACE if event is not None and card is State.FORMALLY_LOST else event


def duties(application: Application, calendar: WorkingCalendar) -> tuple[Duty, ...]:
    """What the offices owe the applicant by now (Articles 10, 11, 23).

    A card counts as made and issued when it is ready for its holder: when that one comes to fetch
    it is not the offices' affair. An application that was withdrawn or rejected is owed no card.
    """
    received = application.received_at
    if not application.purpose.is_verified:
        due = deadline(received, RENEWAL_DAYS, calendar)
        return _still_owed(application, (Duty(DutyKind.MAKE, 23, due, application.made_at),))
    verified = application.verified_at or (
        application.closed_at if application.stage is Stage.REJECTED else None
    )
    due = working_deadline(received, VERIFICATION_WORKING_DAYS, calendar)
    owed: tuple[Duty, ...] = (Duty(DutyKind.VERIFY, 10, due, verified),)
    if application.verified_at is not None:
        due = deadline(application.verified_at, MAKING_DAYS, calendar)
        owed += (Duty(DutyKind.MAKE, 11, due, application.made_at),)
    return _still_owed(application, owed)


def _still_owed(application: Application, owed: tuple[Duty, ...]) -> tuple[Duty, ...]:
    """Without what a withdrawal has ended before it was due."""
    ended = application.closed_at if application.stage is Stage.WITHDRAWN else None
    if ended is None:
        return owed
    return tuple(duty for duty in owed if duty.met_at is not None or duty.due_at <= ended)


_WHY_NOT = {
    Stage.VERIFYING: Refusal.NOT_VERIFIED_YET,
    Stage.MAKING: Refusal.CARD_NOT_MADE_YET,
    Stage.READY: Refusal.CARD_MADE_ALREADY,
    Stage.ISSUED: Refusal.APPLICATION_CLOSED,
    Stage.REJECTED: Refusal.APPLICATION_CLOSED,
    Stage.WITHDRAWN: Refusal.APPLICATION_CLOSED,
}
