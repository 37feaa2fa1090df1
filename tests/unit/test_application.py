"""The life of an application: every stage and step, the channels, the deadlines."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.backoffice.applicant import (
    Applicant,
    Document,
    PersonClass,
    birth_date,
    check_applicant,
)
from simulator.backoffice.application import (
    CAUSES,
    RULES,
    Application,
    Cause,
    Department,
    Duty,
    DutyKind,
    Kind,
    Stage,
    Step,
    Verdict,
    apply,
    duties,
    issue_event,
    judge,
    step,
)
from simulator.backoffice.days import SHANGHAI
from simulator.backoffice.errors import LifecycleError, Refused
from simulator.backoffice.figures import load_figures
from simulator.backoffice.lifecycle import Channel, Event, Life, State
from simulator.backoffice.refusals import Refusal

NOW = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)
SECOND = timedelta(seconds=1)
CALENDAR = load_figures().calendar
ACTIVE = Life(State.ACTIVE)
FORMALLY_LOST = Life(State.FORMALLY_LOST, resumes=State.ACTIVE)
STOPPED = Life(State.STOPPED)
CARD_FOR: dict[Cause, Life | None] = {
    cause: {Cause.NO_CARD: None, Cause.LOST: FORMALLY_LOST, Cause.STOPPED: STOPPED}.get(
        cause, ACTIVE
    )
    for cause in Cause
}
CHILD = date(2019, 3, 16)
APPLYING = (Channel.COMMUNITY_POINT, Channel.BANK_POINT, Channel.ONLINE)


def shanghai(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def applied(cause: Cause = Cause.NO_CARD, at: datetime = NOW) -> Application:
    return apply(cause, Channel.COMMUNITY_POINT, at, card=CARD_FOR[cause], born=CHILD)


def refusal(cause: Cause, card: Life | None, channel: Channel = Channel.ONLINE) -> LifecycleError:
    with pytest.raises(LifecycleError) as caught:
        apply(cause, channel, NOW, card=card, born=CHILD)
    return caught.value


def verdicts(application: Application, *passed: bool, at: datetime = NOW) -> Application:
    for department, good in zip(Department, passed, strict=False):
        verdict = Verdict(good, "" if good else f"no says {department}", at)
        application = judge(application, department, verdict, Channel.CENTRE)
    return application


# Who may apply, through whom, for what


@pytest.mark.article(9)
@pytest.mark.article(19)
@pytest.mark.article(21)
@pytest.mark.article(22)
@pytest.mark.parametrize("cause", list(Cause))
@pytest.mark.parametrize("channel", list(Channel))
def test_an_application_comes_in_by_a_service_point_or_online_and_no_other_way(
    cause: Cause, channel: Channel
) -> None:
    if channel in APPLYING:
        made = apply(cause, channel, NOW, card=CARD_FOR[cause], born=CHILD)
        assert (made.cause, made.channel, made.received_at) == (cause, channel, NOW)
        assert made.stage is (Stage.VERIFYING if CAUSES[cause].is_verified else Stage.MAKING)
    else:
        error = refusal(cause, CARD_FOR[cause], channel)
        assert (error.refusal, error.article) == (
            Refusal.CHANNEL_NOT_ALLOWED,
            CAUSES[cause].article,
        )


@pytest.mark.article(19)
@pytest.mark.article(21)
@pytest.mark.article(22)
@pytest.mark.article(30)
@pytest.mark.parametrize(
    ("cause", "kind", "article", "verified"),
    [
        (Cause.NO_CARD, Kind.FIRST, 9, True),
        (Cause.LOST, Kind.REPLACEMENT, 19, False),
        (Cause.DAMAGED, Kind.EXCHANGE, 21, False),
        (Cause.UNUSABLE, Kind.EXCHANGE, 21, False),
        (Cause.PHOTO_AT_SEVEN, Kind.EXCHANGE, 22, False),
        (Cause.NAME, Kind.REAPPLICATION, 22, True),
        (Cause.SSN, Kind.REAPPLICATION, 22, True),
        (Cause.PHOTO, Kind.REAPPLICATION, 22, True),
        (Cause.BANK, Kind.REAPPLICATION, 22, True),
        (Cause.STOPPED, Kind.REAPPLICATION, 30, True),
    ],
)
def test_what_each_cause_means(cause: Cause, kind: Kind, article: int, verified: bool) -> None:
    purpose = CAUSES[cause]
    assert (purpose.kind, purpose.article, purpose.is_verified) == (kind, article, verified)


@pytest.mark.article(8)
def test_a_first_card_is_for_those_who_have_none_and_every_other_for_those_who_have_one() -> None:
    assert refusal(Cause.NO_CARD, ACTIVE).refusal is Refusal.HOLDER_HAS_CARD
    for cause in set(Cause) - {Cause.NO_CARD}:
        assert refusal(cause, None).refusal is Refusal.HOLDER_HAS_NO_CARD


@pytest.mark.article(19)
def test_a_replacement_needs_a_formal_loss_first() -> None:
    lost = Life(State.TEMPORARILY_LOST, NOW + timedelta(days=3), State.ACTIVE)
    for card in (ACTIVE, lost):
        error = refusal(Cause.LOST, card)
        assert (error.refusal, error.article) == (Refusal.NOT_FORMALLY_LOST, 19)


@pytest.mark.article(23)
@pytest.mark.parametrize("cause", sorted(set(Cause) - {Cause.NO_CARD}))
def test_nothing_is_applied_for_in_place_of_a_void_card(cause: Cause) -> None:
    assert refusal(cause, Life(State.VOID)).refusal is Refusal.CARD_VOID


@pytest.mark.article(30)
def test_a_stopped_card_is_applied_for_anew_as_such_and_no_other_card_is() -> None:
    assert refusal(Cause.STOPPED, ACTIVE).refusal is Refusal.NOT_STOPPED
    assert refusal(Cause.NAME, STOPPED).refusal is Refusal.CARD_STOPPED
    assert refusal(Cause.DAMAGED, STOPPED).refusal is Refusal.CARD_STOPPED


@pytest.mark.article(22)
@pytest.mark.parametrize(
    ("born", "seven"),
    [
        (date(2019, 3, 16), "2026-03-16T00:00:00"),
        (date(2020, 2, 29), "2027-02-28T00:00:00"),  # 2027 has no 29 February
        (date(2021, 2, 28), "2028-02-28T00:00:00"),
    ],
)
def test_a_child_exchanges_its_card_from_the_first_instant_of_the_seventh_birthday(
    born: date, seven: str
) -> None:
    at = shanghai(seven)
    with pytest.raises(LifecycleError) as caught:
        apply(Cause.PHOTO_AT_SEVEN, Channel.ONLINE, at - SECOND, card=ACTIVE, born=born)
    assert (caught.value.refusal, caught.value.article) == (Refusal.NOT_SEVEN_YET, 22)
    made = apply(Cause.PHOTO_AT_SEVEN, Channel.ONLINE, at, card=ACTIVE, born=born)
    assert made.stage is Stage.MAKING


def applicant(person: PersonClass, document: Document, nationality: str = "CHN") -> Applicant:
    return Applicant(
        person,
        document,
        "张三",
        "990100199001011234",
        "1",
        nationality,
        "01",
        "样本路 1 号",
        "990100",
    )


@pytest.mark.article(8)
@pytest.mark.article(9)
@pytest.mark.article(29)
@pytest.mark.parametrize(
    ("person", "document", "nationality", "code", "article"),
    [
        (PersonClass.RESIDENT, Document.RESIDENT_ID_CARD, "CHN", None, None),
        (PersonClass.RESIDENT, Document.HOUSEHOLD_REGISTER, "CHN", None, None),
        (PersonClass.INSURED_INCOMER, Document.RESIDENT_ID_CARD, "CHN", None, None),
        (PersonClass.OVERSEAS, Document.PASSPORT, "FRA", None, None),
        (PersonClass.OVERSEAS, Document.HK_MACAO_TAIWAN_RESIDENCE_PERMIT, "CHN", None, None),
        (PersonClass.OVERSEAS, Document.PERMANENT_RESIDENCE_CARD, "USA", None, None),
        (PersonClass.RESIDENT, Document.PASSPORT, "CHN", Refusal.DOCUMENT_NOT_VALID, 9),
        (
            PersonClass.INSURED_INCOMER,
            Document.HOUSEHOLD_REGISTER,
            "CHN",
            Refusal.DOCUMENT_NOT_VALID,
            9,
        ),
        (PersonClass.OVERSEAS, Document.RESIDENT_ID_CARD, "FRA", Refusal.DOCUMENT_NOT_VALID, 29),
        (PersonClass.RESIDENT, Document.RESIDENT_ID_CARD, "FRA", Refusal.NOT_ELIGIBLE, 8),
        (PersonClass.INSURED_INCOMER, Document.RESIDENT_ID_CARD, "FRA", Refusal.NOT_ELIGIBLE, 8),
    ],
)
def test_who_may_apply_with_which_document(
    person: PersonClass,
    document: Document,
    nationality: str,
    code: Refusal | None,
    article: int | None,
) -> None:
    if code is None:
        check_applicant(applicant(person, document, nationality))
        return
    with pytest.raises(Refused) as caught:
        check_applicant(applicant(person, document, nationality))
    assert (caught.value.refusal, caught.value.article) == (code, article)


@pytest.mark.article(29)
@pytest.mark.parametrize(
    ("ssn", "born"),
    [
        ("990100199001011234", date(1990, 1, 1)),
        ("99010020200229123X", date(2020, 2, 29)),
        ("990100202102291234", None),  # no such day
        ("H0123456789ABCDEFG", None),  # of a holder from outside the mainland
    ],
)
def test_a_birth_date_is_in_the_numbers_of_the_mainland_only(ssn: str, born: date | None) -> None:
    assert birth_date(ssn) == born


# Verification


@pytest.mark.article(10)
def test_three_departments_verify_and_the_last_one_decides() -> None:
    application = applied()
    assert verdicts(application, True, True).stage is Stage.VERIFYING
    done = verdicts(application, True, True, True, at=NOW + SECOND)
    assert (done.stage, done.verified_at, done.reasons) == (Stage.MAKING, NOW + SECOND, ())


@pytest.mark.article(10)
def test_who_fails_hears_the_reasons_of_all_departments() -> None:
    half = verdicts(applied(), True, False)
    assert half.stage is Stage.VERIFYING
    rejected = verdicts(applied(), True, False, False)
    assert rejected.stage is Stage.REJECTED
    assert rejected.reasons == (
        (Department.HUMAN_RESOURCES, "no says human_resources"),
        (Department.MEDICAL_INSURANCE, "no says medical_insurance"),
    )


@pytest.mark.article(10)
def test_a_no_needs_a_reason_and_a_department_speaks_once() -> None:
    application = applied()
    silent = Verdict(passed=False, reason="", at=NOW)
    with pytest.raises(LifecycleError) as caught:
        judge(application, Department.PUBLIC_SECURITY, silent, Channel.CENTRE)
    assert caught.value.refusal is Refusal.REASON_MISSING
    heard = verdicts(application, True)
    with pytest.raises(LifecycleError) as caught:
        verdicts(heard, True)
    assert caught.value.refusal is Refusal.VERDICT_GIVEN
    with pytest.raises(LifecycleError) as caught:
        verdicts(applied(Cause.LOST), True)
    assert caught.value.refusal is Refusal.NOT_VERIFYING


# Steps


@pytest.mark.article(23)
@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("what", list(Step))
@pytest.mark.parametrize("channel", list(Channel))
def test_every_stage_step_and_channel_has_one_answer(
    stage: Stage, what: Step, channel: Channel
) -> None:
    heard = Verdict(what is not Step.REJECT, "no", NOW)
    application = replace(applied(), stage=stage, verdicts=dict.fromkeys(Department, heard))
    rule = RULES.get((stage, what))
    if rule is None or channel not in rule.channels:
        with pytest.raises(LifecycleError) as caught:
            step(application, what, channel, NOW)
        assert caught.value.zh
        assert caught.value.article is not None
    else:
        assert step(application, what, channel, NOW).stage is rule.target
        assert stage.is_open


@pytest.mark.article(23)
def test_nothing_leads_out_of_a_closed_application() -> None:
    assert {stage for stage, _ in RULES} == {stage for stage in Stage if stage.is_open}


@pytest.mark.article(19)
@pytest.mark.article(23)
@pytest.mark.parametrize(
    ("cause", "state", "event"),
    [
        (Cause.NO_CARD, State.VOID, None),
        (Cause.LOST, State.FORMALLY_LOST, Event.REPLACE),
        (Cause.DAMAGED, State.ACTIVE, Event.EXCHANGE),
        (Cause.DAMAGED, State.FORMALLY_LOST, Event.REPLACE),
        (Cause.NAME, State.ACTIVE, Event.REAPPLY),
        (Cause.STOPPED, State.STOPPED, Event.REAPPLY),
    ],
)
def test_what_becomes_of_the_card_that_there_is(
    cause: Cause, state: State, event: Event | None
) -> None:
    assert issue_event(applied(cause), state) is event


# Deadlines


def due(application: Application, kind: DutyKind) -> Duty:
    return next(duty for duty in duties(application, CALENDAR) if duty.kind is kind)


@pytest.mark.article(10)
@pytest.mark.parametrize(
    ("received", "ends"),
    [
        ("2026-03-16T00:00:00", "2026-03-20"),  # a Monday: 17, 18, 19
        ("2026-03-16T23:59:59", "2026-03-20"),
        ("2026-03-20T12:00:00", "2026-03-26"),  # a Friday: 23, 24, 25
        ("2026-03-21T12:00:00", "2026-03-26"),  # a Saturday
        ("2026-02-13T12:00:00", "2026-02-26"),  # 14 worked, Spring Festival, 24, 25
        ("2026-09-30T12:00:00", "2026-10-11"),  # National Day, 8, 9, and Saturday 10 is worked
        ("2028-02-28T12:00:00", "2028-03-03"),  # 29 February is a working day
    ],
)
def test_verification_takes_three_working_days(received: str, ends: str) -> None:
    duty = due(applied(at=shanghai(received)), DutyKind.VERIFY)
    end = shanghai(f"{ends}T00:00:00")
    assert (duty.due_at, duty.article) == (end, 10)
    assert not duty.is_overdue(end - timedelta(microseconds=1))
    assert duty.is_overdue(end)


@pytest.mark.article(11)
@pytest.mark.parametrize(
    ("verified", "ends"),
    [
        ("2026-03-16T09:00:00", "2026-04-16"),  # 15 April
        ("2026-03-19T23:59:59", "2026-04-21"),  # 18 April is a Saturday: Monday, 20 April
        ("2026-09-03T09:00:00", "2026-10-09"),  # 3 October: the first working day is the 8th
        ("2028-01-30T09:00:00", "2028-03-01"),  # the 30th day is 29 February
    ],
)
def test_a_card_is_made_within_30_days_of_the_verification(verified: str, ends: str) -> None:
    at = shanghai(verified)
    application = verdicts(applied(at=at - timedelta(hours=1)), True, True, True, at=at)
    duty = due(application, DutyKind.MAKE)
    assert (duty.due_at, duty.article) == (shanghai(f"{ends}T00:00:00"), 11)


@pytest.mark.article(23)
@pytest.mark.parametrize("cause", [Cause.LOST, Cause.DAMAGED, Cause.UNUSABLE, Cause.PHOTO_AT_SEVEN])
def test_a_replacement_or_an_exchange_takes_15_days(cause: Cause) -> None:
    (duty,) = duties(applied(cause), CALENDAR)
    assert (duty.kind, duty.article) == (DutyKind.MAKE, 23)
    assert duty.due_at == shanghai("2026-04-01T00:00:00")
    late = step(applied(cause), Step.MAKE, Channel.CENTRE, duty.due_at)
    assert due(late, DutyKind.MAKE).is_overdue(duty.due_at)
    punctual = step(applied(cause), Step.MAKE, Channel.CENTRE, duty.due_at - SECOND)
    assert not due(punctual, DutyKind.MAKE).is_overdue(duty.due_at + timedelta(days=99))


@pytest.mark.article(10)
@pytest.mark.article(11)
def test_nobody_owes_a_card_to_who_was_rejected_or_has_withdrawn() -> None:
    rejected = verdicts(applied(), False, True, True)
    assert [duty.kind for duty in duties(rejected, CALENDAR)] == [DutyKind.VERIFY]
    assert not due(rejected, DutyKind.VERIFY).is_overdue(NOW + timedelta(days=99))
    withdrawn = step(applied(), Step.WITHDRAW, Channel.ONLINE, NOW)
    assert duties(withdrawn, CALENDAR) == ()
    too_late = step(applied(), Step.WITHDRAW, Channel.ONLINE, NOW + timedelta(days=30))
    assert due(too_late, DutyKind.VERIFY).is_overdue(NOW + timedelta(days=30))


STEPS = st.lists(
    st.tuples(
        st.sampled_from([*Step, *Department]),
        st.booleans(),
        st.sampled_from(Channel),
        st.timedeltas(timedelta(), timedelta(days=20)),
    ),
    max_size=25,
)


@pytest.mark.article(10)
@pytest.mark.article(11)
@given(st.sampled_from(Cause), STEPS)
def test_what_holds_for_every_course_of_an_application(
    cause: Cause, steps: list[tuple[Step | Department, bool, Channel, timedelta]]
) -> None:
    application, now = applied(cause), NOW
    for what, passed, channel, waited in steps:
        now += waited
        before = application
        try:
            if isinstance(what, Department):
                verdict = Verdict(passed, "" if passed else "no", now)
                application = judge(application, what, verdict, Channel.CENTRE)
            else:
                application = step(application, what, channel, now)
        except LifecycleError:
            assert application is before
        assert before.stage.is_open or application.stage is before.stage
        is_closed = application.closed_at is not None
        assert is_closed is not application.stage.is_open
        if application.stage in (Stage.READY, Stage.ISSUED):
            assert application.made_at is not None
            assert not application.purpose.is_verified or application.verified_at is not None
        if application.verified_at is not None:
            assert all(verdict.passed for verdict in application.verdicts.values())
            assert len(application.verdicts) == len(Department)
        assert (application.stage is Stage.REJECTED) == (
            len(application.verdicts) == len(Department) and bool(application.reasons)
        )
        for duty in duties(application, CALENDAR):
            assert duty.due_at > application.received_at
