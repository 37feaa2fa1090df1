"""The life of cards at the back office: who may do what at a terminal, applications, e-cards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random
from threading import Event
from time import monotonic

import pytest
from sqlalchemy import select

from backend_client.client import BackendClient
from backend_client.errors import Refused as RefusedByCentre
from backend_client.life_messages import (
    CardApplication,
    Cause,
    EcardCodeRequest,
    EcardRequest,
    IdentityClaim,
    LossKind,
    LossRequest,
    Proof,
    ReleaseRequest,
    SignInRequest,
    StandingQuery,
)
from backend_client.messages import CardRef
from simulator.backoffice import deadlines
from simulator.backoffice.applicant import Applicant, Document, PersonClass
from simulator.backoffice.application import Cause as Reason
from simulator.backoffice.application import Department
from simulator.backoffice.applications import Correction, Wanted
from simulator.backoffice.bank_function import BankEvent
from simulator.backoffice.database import open_engine
from simulator.backoffice.deadlines import DeadlineWatch
from simulator.backoffice.ecards import CODE_LIFETIME, SESSION_LIFETIME, WRONG_PINS
from simulator.backoffice.errors import Refused
from simulator.backoffice.lifecycle import Channel
from simulator.backoffice.lifecycle import Event as LifeStep
from simulator.backoffice.proofs import CLAIMS_A_DAY, CLAIMS_AN_HOUR
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.register import By
from simulator.backoffice.sample import SampleCity, sample_ref
from simulator.backoffice.schema import LifeEvent
from simulator.backoffice.schema_life import OverdueRow
from simulator.backoffice.staff import CardKey
from simulator.clock import SHANGHAI, RunningClock, SimulatedClock

BEGIN = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)
LOSS_ENDS = datetime(2026, 3, 22, tzinfo=SHANGHAI)
ECARD_PIN = "135790"
COUNTER = By(Channel.COMMUNITY_POINT, "counter 3")
BANK_COUNTER = By(Channel.BANK_POINT, "bank counter 1")
APPLICANT = Applicant(
    PersonClass.RESIDENT,
    Document.RESIDENT_ID_CARD,
    "新样本",
    "990100199505050505",
    "1",
    "CHN",
    "01",
    "示例市样本区测试路1号",
    "990100",
)


@pytest.fixture
def city(database_url: str) -> Iterator[SampleCity]:
    city = SampleCity(
        open_engine(database_url), clock=SimulatedClock(BEGIN), random=Random(1).randbytes
    )
    yield city
    city.backoffice.close()


def key(ref: CardRef) -> CardKey:
    return CardKey(card_number=ref.card_number)


class Wishes:
    """Fresh request ids, and the requests with them."""

    def __init__(self) -> None:
        self._count = 0

    def id(self) -> str:
        self._count += 1
        return f"{self._count:032x}"

    def loss(self, proof: Proof, kind: LossKind = "temporary") -> LossRequest:
        return LossRequest(self.id(), proof, kind)

    def release(self, proof: Proof) -> ReleaseRequest:
        return ReleaseRequest(self.id(), proof)

    def apply(self, proof: Proof, cause: Cause, **wanted: str) -> CardApplication:
        return CardApplication(self.id(), proof, cause, **wanted)

    def ecard(self, ref: CardRef, pin: str = ECARD_PIN) -> EcardRequest:
        return EcardRequest(self.id(), ref, pin)


@pytest.fixture
def wish() -> Wishes:
    return Wishes()


def identity(serial: int, name: str | None = None) -> Proof:
    claim = IdentityClaim(name or f"样本{serial}", f"9901001990010{serial:05d}")
    return Proof(identity=claim)


def signed_in(city: SampleCity, client: BackendClient, ref: CardRef, wish: Wishes) -> Proof:
    """The holder signs in with the electronic card, made before the card was lost."""
    code = city.backoffice.clerks.ecard_code(key(ref))[0]
    return Proof(session=client.life.sign_in(SignInRequest(code, ECARD_PIN)).session)


def code_of(error: pytest.ExceptionInfo[RefusedByCentre]) -> str:
    return error.value.problem.code


# A loss, by whom and how


@pytest.mark.article(18)
def test_whoever_gives_name_and_number_reports_a_temporary_loss(
    city: SampleCity, wish: Wishes
) -> None:
    ref, client = city.card(1), city.terminal()
    result = client.life.report_loss(wish.loss(identity(1)))
    assert (result.state, result.state_until) == ("temporarily_lost", LOSS_ENDS)
    assert client.card_status(ref).state == "temporarily_lost"
    line = city.backoffice.staff.history(key(ref))[-1]
    assert (line.channel, line.actor, line.reason) == (
        "terminal",
        "T000001",
        "at a terminal, by name and number",
    )


@pytest.mark.article(18)
def test_a_loss_by_name_is_on_the_blacklist_at_once(city: SampleCity, wish: Wishes) -> None:
    city.card(1)
    client = city.terminal()
    offer = client.lists.news(0).snapshot
    assert offer is not None
    assert client.lists.news(offer.version).documents == ()
    client.life.report_loss(wish.loss(identity(1)))
    assert len(client.lists.news(offer.version).documents) == 1


@pytest.mark.article(18)
@pytest.mark.article(19)
def test_a_formal_loss_a_release_and_an_application_need_proof(
    city: SampleCity, wish: Wishes
) -> None:
    ref, client = city.card(1), city.terminal()
    client.life.report_loss(wish.loss(identity(1)))
    for ask in (
        lambda: client.life.report_loss(wish.loss(identity(1), "formal")),
        lambda: client.life.release(wish.release(identity(1))),
        lambda: client.life.apply(wish.apply(identity(1), "lost")),
        lambda: client.life.standing(StandingQuery(identity(1))),
    ):
        with pytest.raises(RefusedByCentre) as caught:
            ask()
        assert code_of(caught) == "IDENTITY_NOT_PROVED"
    assert client.card_status(ref).state == "temporarily_lost"


@pytest.mark.article(18)
@pytest.mark.article(31)
def test_the_electronic_card_makes_a_loss_formal(city: SampleCity, wish: Wishes) -> None:
    ref, client = city.card(1), city.terminal()
    client.life.issue_ecard(wish.ecard(ref))
    proof = signed_in(city, client, ref, wish)
    result = client.life.report_loss(wish.loss(proof, "formal"))
    assert (result.state, result.state_until) == ("formally_lost", None)
    line = city.backoffice.staff.history(key(ref))[-1]
    assert (line.channel, line.article) == ("online", 18)
    assert "electronic card" in line.reason


@pytest.mark.article(19)
@pytest.mark.parametrize("kind", ["temporary", "formal"])
def test_the_card_and_its_pin_release_a_loss_at_once(
    kind: LossKind, city: SampleCity, wish: Wishes
) -> None:
    ref, client = city.card(1), city.terminal()
    client.life.issue_ecard(wish.ecard(ref))
    client.life.report_loss(wish.loss(signed_in(city, client, ref, wish), kind))
    result = client.life.release(wish.release(Proof(card=ref)))
    assert result.state == "active"
    assert client.account(ref).card == ref


def test_a_wrong_name_learns_nothing(city: SampleCity, wish: Wishes) -> None:
    ref, client = city.card(1), city.terminal()
    for wrong in (identity(1, "样本2"), identity(2)):
        with pytest.raises(RefusedByCentre) as caught:
            client.life.report_loss(wish.loss(wrong))
        assert code_of(caught) == "IDENTITY_UNKNOWN"
    assert client.card_status(ref).state == "active"


def test_guessing_names_is_stopped_for_the_number_and_for_the_terminal(
    city: SampleCity, wish: Wishes
) -> None:
    ref, client = city.card(1), city.terminal()

    def guess(serial: int, name: str) -> str:
        with pytest.raises(RefusedByCentre) as caught:
            client.life.report_loss(wish.loss(identity(serial, name)))
        return code_of(caught)

    for n in range(CLAIMS_A_DAY):
        assert guess(1, f"甲{n}") == "IDENTITY_UNKNOWN"
    assert guess(1, "样本1") == "TOO_MANY_TRIES"  # the right one, too late
    for n in range(CLAIMS_AN_HOUR - CLAIMS_A_DAY):
        assert guess(100 + n, "甲") == "IDENTITY_UNKNOWN"
    assert guess(999, "甲") == "TOO_MANY_TRIES"
    city.clock.advance(timedelta(hours=1))
    assert guess(999, "甲") == "IDENTITY_UNKNOWN"
    assert guess(1, "样本1") == "TOO_MANY_TRIES"
    city.clock.advance(timedelta(days=1))
    client.life.report_loss(wish.loss(identity(1)))
    assert client.card_status(ref).state == "temporarily_lost"


def test_a_name_is_compared_without_its_spaces_and_dots(city: SampleCity, wish: Wishes) -> None:
    city.card(1)
    result = city.terminal().life.report_loss(wish.loss(identity(1, " 样 本·1")))
    assert result.state == "temporarily_lost"


@pytest.mark.parametrize("proof", [Proof(), Proof(card=sample_ref(1), session="x")])
def test_exactly_one_proof_is_given(proof: Proof, city: SampleCity, wish: Wishes) -> None:
    city.card(1)
    with pytest.raises(RefusedByCentre) as caught:
        city.terminal().life.report_loss(wish.loss(proof))
    assert code_of(caught) == "BAD_REQUEST"


def test_a_point_of_use_does_not_touch_the_life_of_a_card(city: SampleCity, wish: Wishes) -> None:
    ref, client = city.card(1), city.terminal("point-of-use")
    with pytest.raises(RefusedByCentre) as caught:
        client.life.report_loss(wish.loss(Proof(card=ref)))
    assert code_of(caught) == "ROLE_NOT_ALLOWED"
    assert client.life.catalogue().services


def test_a_wish_is_granted_once_however_often_it_is_sent(city: SampleCity, wish: Wishes) -> None:
    ref, client = city.card(1), city.terminal()
    city.card(2)
    request = wish.loss(identity(1))
    first = client.life.report_loss(request)
    city.clock.advance(timedelta(hours=3))
    assert client.life.report_loss(request) == first
    events = [line.event for line in city.backoffice.staff.history(key(ref))]
    assert events.count("report_temporary_loss") == 1
    with pytest.raises(RefusedByCentre) as caught:
        client.life.report_loss(LossRequest(request.request_id, identity(2), "temporary"))
    assert code_of(caught) == "NUMBER_REUSED"
    other = city.terminal()  # another terminal's ids are its own
    with pytest.raises(RefusedByCentre) as caught:
        other.life.report_loss(request)
    assert code_of(caught) == "CARD_TEMPORARILY_LOST"


# The electronic card


@pytest.mark.article(31)
def test_a_code_is_good_once_and_for_a_short_time(city: SampleCity, wish: Wishes) -> None:
    ref, client = city.card(1), city.terminal()
    with pytest.raises(RefusedByCentre) as caught:
        client.life.ecard_code(EcardCodeRequest(ref))
    assert code_of(caught) == "ECARD_NONE"
    client.life.issue_ecard(wish.ecard(ref))
    shown = client.life.ecard_code(EcardCodeRequest(ref))
    assert shown.valid_until == BEGIN + CODE_LIFETIME
    session = client.life.sign_in(SignInRequest(shown.code, ECARD_PIN))
    assert session.name == "样**"
    for code in (shown.code, "SSCT1:NEVERMADE"):
        with pytest.raises(RefusedByCentre) as caught:
            client.life.sign_in(SignInRequest(code, ECARD_PIN))
        assert code_of(caught) == "ECARD_CODE_INVALID"
    late = client.life.ecard_code(EcardCodeRequest(ref))
    city.clock.advance(CODE_LIFETIME)
    with pytest.raises(RefusedByCentre) as caught:
        client.life.sign_in(SignInRequest(late.code, ECARD_PIN))
    assert code_of(caught) == "ECARD_CODE_INVALID"


@pytest.mark.article(31)
def test_wrong_pins_lock_the_electronic_card_until_the_card_is_there(
    city: SampleCity, wish: Wishes
) -> None:
    ref, client = city.card(1), city.terminal()
    client.life.issue_ecard(wish.ecard(ref))
    code = client.life.ecard_code(EcardCodeRequest(ref)).code
    for left in range(WRONG_PINS - 1, -1, -1):
        with pytest.raises(RefusedByCentre) as caught:
            client.life.sign_in(SignInRequest(code, "000001"))
        assert code_of(caught) == ("ECARD_PIN_WRONG" if left else "ECARD_LOCKED")
    with pytest.raises(RefusedByCentre) as caught:
        client.life.sign_in(SignInRequest(code, ECARD_PIN))
    assert code_of(caught) == "ECARD_LOCKED"
    client.life.issue_ecard(wish.ecard(ref, "975310"))
    code = client.life.ecard_code(EcardCodeRequest(ref)).code
    assert client.life.sign_in(SignInRequest(code, "975310")).session


@pytest.mark.article(31)
@pytest.mark.parametrize("pin", ["111111", "123456", "654321", "345678", "012345"])
def test_an_easy_pin_is_not_taken(pin: str, city: SampleCity, wish: Wishes) -> None:
    ref, client = city.card(1), city.terminal()
    with pytest.raises(RefusedByCentre) as caught:
        client.life.issue_ecard(wish.ecard(ref, pin))
    assert code_of(caught) == "ECARD_PIN_UNSUITABLE"


@pytest.mark.article(31)
def test_a_session_ends_and_belongs_to_its_terminal(city: SampleCity, wish: Wishes) -> None:
    ref, client = city.card(1), city.terminal()
    client.life.issue_ecard(wish.ecard(ref))
    proof = signed_in(city, client, ref, wish)
    assert client.life.standing(StandingQuery(proof)).state == "active"
    other = city.terminal()
    with pytest.raises(RefusedByCentre) as caught:
        other.life.standing(StandingQuery(proof))
    assert code_of(caught) == "SIGN_IN_EXPIRED"
    city.clock.advance(SESSION_LIFETIME)
    with pytest.raises(RefusedByCentre) as caught:
        client.life.standing(StandingQuery(proof))
    assert code_of(caught) == "SIGN_IN_EXPIRED"


@pytest.mark.article(31)
@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("not_activated", "NOT_ACTIVATED"),
        ("temporarily_lost", "CARD_TEMPORARILY_LOST"),
        ("formally_lost", "CARD_FORMALLY_LOST"),
        ("void", "CARD_VOID"),
        ("stopped", "CARD_STOPPED"),
    ],
)
def test_only_a_card_in_use_gets_an_electronic_one(
    state: str, code: str, city: SampleCity, wish: Wishes
) -> None:
    ref, client = city.card(1, state=state), city.terminal()
    with pytest.raises(RefusedByCentre) as caught:
        client.life.issue_ecard(wish.ecard(ref))
    assert code_of(caught) == code


# Applications


def verified(city: SampleCity, application_id: str, correction: Correction | None = None) -> None:
    for department in Department:
        city.backoffice.clerks.judge(application_id, department, passed=True, correction=correction)


@pytest.mark.article(8)
@pytest.mark.article(9)
@pytest.mark.article(10)
@pytest.mark.article(11)
@pytest.mark.article(24)
def test_a_first_card_from_the_application_to_the_holders_hand(city: SampleCity) -> None:
    clerks, new = city.backoffice.clerks, sample_ref(7)
    progress = clerks.apply_first(APPLICANT, Wanted(pick_up="POINT-2"), COUNTER)
    assert (progress.stage, progress.article, progress.fee_fen) == ("verifying", 9, 0)
    assert progress.due_at == datetime(2026, 3, 20, tzinfo=SHANGHAI)
    assert progress.pick_up == "示例市样本区第二受理网点"
    verified(city, progress.application_id)
    assert clerks.progress(progress.application_id).due_at == datetime(2026, 4, 16, tzinfo=SHANGHAI)
    assert clerks.make(progress.application_id, new).stage == "ready"
    issued = clerks.issue(progress.application_id, COUNTER)
    assert (issued.progress.stage, issued.new.state) == ("issued", "not_activated")
    assert issued.new.card == new
    status = city.backoffice.staff.activate(key(new))
    assert status.state == "active"
    assert city.terminal().account(new).current_account_fen == 0
    lines = clerks.history(progress.application_id)
    assert [line.event for line in lines] == [
        "apply",
        "verdict",
        "verdict",
        "verdict",
        "make",
        "issue",
    ]
    assert lines[0].actor == "counter 3"
    assert lines[1].reason == "public_security: passed"


@pytest.mark.article(10)
def test_a_rejected_applicant_hears_every_reason_and_may_apply_again(city: SampleCity) -> None:
    clerks = city.backoffice.clerks
    application = clerks.apply_first(APPLICANT).application_id
    clerks.judge(application, Department.PUBLIC_SECURITY, passed=True)
    clerks.judge(application, Department.HUMAN_RESOURCES, passed=False, reason="未参加本市社会保险")
    done = clerks.judge(
        application, Department.MEDICAL_INSURANCE, passed=False, reason="没有医疗保险记录"
    )
    assert done.stage == "rejected"
    assert [(r.department, r.text) for r in done.reasons] == [
        ("human_resources", "未参加本市社会保险"),
        ("medical_insurance", "没有医疗保险记录"),
    ]
    assert clerks.apply_first(APPLICANT).stage == "verifying"


@pytest.mark.article(9)
def test_a_counter_checks_the_data_on_the_spot(city: SampleCity) -> None:
    clerks = city.backoffice.clerks
    with pytest.raises(Refused) as caught:
        clerks.apply_first(APPLICANT, checked=False)
    assert caught.value.refusal is Refusal.IDENTITY_NOT_CHECKED
    online = By(Channel.ONLINE, "platform")
    assert clerks.apply_first(APPLICANT, by=online, checked=False).stage == "verifying"


@pytest.mark.article(23)
def test_nobody_applies_twice_at_once_or_for_a_second_card(city: SampleCity) -> None:
    clerks = city.backoffice.clerks
    application = clerks.apply_first(APPLICANT).application_id
    with pytest.raises(Refused) as caught:
        clerks.apply_first(APPLICANT)
    assert caught.value.refusal is Refusal.APPLICATION_OPEN
    verified(city, application)
    clerks.make(application, sample_ref(7))
    clerks.issue(application)
    with pytest.raises(Refused) as caught:
        clerks.apply_first(APPLICANT)
    assert caught.value.refusal is Refusal.HOLDER_HAS_CARD


@pytest.mark.article(19)
@pytest.mark.article(23)
@pytest.mark.article(24)
def test_a_lost_card_is_replaced_from_the_terminal_to_the_counter(
    city: SampleCity, wish: Wishes
) -> None:
    ref, client = city.card(1, current_fen=700), city.terminal()
    client.life.issue_ecard(wish.ecard(ref))
    proof = signed_in(city, client, ref, wish)
    with pytest.raises(RefusedByCentre) as caught:
        client.life.apply(wish.apply(proof, "lost"))
    assert code_of(caught) == "NOT_FORMALLY_LOST"
    client.life.report_loss(wish.loss(proof, "formal"))
    progress = client.life.apply(wish.apply(proof, "lost", pick_up="POINT-1")).progress
    assert (progress.stage, progress.fee_fen, progress.article) == ("making", 0, 19)
    assert progress.due_at == datetime(2026, 4, 1, tzinfo=SHANGHAI)
    clerks = city.backoffice.clerks
    clerks.make(progress.application_id, sample_ref(2))
    assert client.life.standing(StandingQuery(proof)).applications[0].stage == "ready"
    clerks.issue(progress.application_id, COUNTER, activated=True)
    assert client.card_status(ref).state == "void"
    assert client.account(sample_ref(2)).current_account_fen == 700
    with pytest.raises(RefusedByCentre) as caught:
        client.life.release(wish.release(Proof(card=ref)))
    assert code_of(caught) == "CARD_VOID"
    # The electronic card is the holder's, not the old card's.
    assert client.life.standing(StandingQuery(signed_in(city, client, sample_ref(2), wish))).state


@pytest.mark.article(19)
def test_a_card_that_was_found_is_not_replaced(city: SampleCity, wish: Wishes) -> None:
    ref, client = city.card(1, state="formally_lost"), city.terminal()
    clerks = city.backoffice.clerks
    application = clerks.apply_for(key(ref), Reason.LOST).application_id
    clerks.make(application, sample_ref(2))
    client.life.release(wish.release(Proof(card=ref)))
    assert clerks.progress(application).stage == "withdrawn"
    with pytest.raises(Refused) as caught:
        clerks.issue(application)
    assert caught.value.refusal is Refusal.APPLICATION_CLOSED
    assert client.card_status(ref).state == "active"


@pytest.mark.article(21)
@pytest.mark.article(23)
def test_an_exchange_outlives_the_loss_of_the_card_that_was_to_be_exchanged(
    city: SampleCity,
) -> None:
    ref, clerks = city.card(1), city.backoffice.clerks
    application = clerks.apply_for(key(ref), Reason.DAMAGED).application_id
    clerks.make(application, sample_ref(2))
    city.backoffice.staff.report_temporary_loss(key(ref))
    with pytest.raises(Refused) as caught:
        clerks.issue(application, COUNTER)
    assert caught.value.refusal is Refusal.CARD_TEMPORARILY_LOST
    assert clerks.progress(application).stage == "ready"
    city.backoffice.staff.report_formal_loss(key(ref))
    assert clerks.issue(application, COUNTER).new.card == sample_ref(2)
    line = city.backoffice.staff.history(key(ref))[-1]
    assert (line.event, line.article, line.after) == ("replace", 19, "void")


@pytest.mark.article(22)
def test_a_new_name_and_number_come_from_public_security(city: SampleCity, wish: Wishes) -> None:
    ref, client = city.card(1), city.terminal()
    application = client.life.apply(wish.apply(Proof(card=ref), "name")).progress.application_id
    clerks = city.backoffice.clerks
    verified(city, application, Correction("改名样本", "990100199001099999"))
    clerks.make(application, sample_ref(2))
    clerks.issue(application, COUNTER)
    with pytest.raises(RefusedByCentre) as caught:
        client.life.report_loss(wish.loss(identity(1)))
    assert code_of(caught) == "IDENTITY_UNKNOWN"
    claim = IdentityClaim("改名样本", "990100199001099999")
    client.life.report_loss(wish.loss(Proof(identity=claim)))
    assert client.card_status(sample_ref(2)).state == "temporarily_lost"


@pytest.mark.article(14)
@pytest.mark.article(22)
def test_another_service_bank_takes_a_new_application(city: SampleCity, wish: Wishes) -> None:
    ref, client, staff = city.card(1), city.terminal(), city.backoffice.staff
    proof = Proof(card=ref)
    assert client.life.standing(StandingQuery(proof)).bank == ""
    status = staff.bank_event(key(ref), BankEvent.OPEN, bank="SAMPLE-BANK-1")
    assert (status.financial_active, status.social_active) == (True, True)
    standing = client.life.standing(StandingQuery(proof))
    assert (standing.bank, standing.bank_function) == ("示例第一银行", "open")
    with pytest.raises(Refused) as caught:
        staff.bank_event(key(ref), BankEvent.REPORT_LOSS, bank="SAMPLE-BANK-2")
    assert caught.value.refusal is Refusal.OTHER_BANK
    with pytest.raises(RefusedByCentre) as bad:
        client.life.apply(wish.apply(proof, "bank"))
    assert code_of(bad) == "BANK_UNKNOWN"
    with pytest.raises(RefusedByCentre) as bad:
        client.life.apply(wish.apply(proof, "bank", bank="NO-BANK"))
    assert code_of(bad) == "BANK_UNKNOWN"
    progress = client.life.apply(wish.apply(proof, "bank", bank="SAMPLE-BANK-2")).progress
    verified(city, progress.application_id)
    city.backoffice.clerks.make(progress.application_id, sample_ref(2))
    city.backoffice.clerks.issue(progress.application_id, BANK_COUNTER, activated=True)
    standing = client.life.standing(StandingQuery(Proof(card=sample_ref(2))))
    assert (standing.bank, standing.bank_function) == ("示例第二银行", "closed")


@pytest.mark.article(22)
@pytest.mark.parametrize(
    ("ssn", "due"),
    [
        ("990100202002290001", date(2027, 2, 28)),
        ("990100201903160001", None),  # seven on the day of registration
        ("990100201903170001", date(2026, 3, 17)),
    ],
)
def test_a_childs_card_needs_a_photo_from_the_seventh_birthday_on(
    ssn: str, due: date | None, city: SampleCity
) -> None:
    clerks, child = city.backoffice.clerks, sample_ref(7)
    applicant = Applicant(
        PersonClass.RESIDENT,
        Document.HOUSEHOLD_REGISTER,
        "小样本",
        ssn,
        "2",
        "CHN",
        "01",
        "测试路1号",
        "990100",
        insured_as="resident",
    )
    application = clerks.apply_first(applicant).application_id
    verified(city, application)
    clerks.make(application, child)
    clerks.issue(application, activated=True)
    standing = city.terminal().life.standing(StandingQuery(Proof(card=child)))
    assert standing.photo_due == due
    if due is None:
        return
    turns = datetime(due.year, due.month, due.day, tzinfo=SHANGHAI)
    city.clock.advance(turns - timedelta(seconds=1) - city.clock.now())
    with pytest.raises(Refused) as caught:
        clerks.apply_for(key(child), Reason.PHOTO_AT_SEVEN)
    assert caught.value.refusal is Refusal.NOT_SEVEN_YET
    city.clock.advance(timedelta(seconds=1))
    progress = clerks.apply_for(key(child), Reason.PHOTO_AT_SEVEN)
    clerks.make(progress.application_id, sample_ref(8))
    clerks.issue(progress.application_id)
    after = city.terminal().life.standing(StandingQuery(Proof(card=sample_ref(8))))
    assert after.photo_due is None


@pytest.mark.article(23)
@pytest.mark.parametrize(
    ("point", "by", "works"),
    [
        ("POINT-1", COUNTER, True),
        ("POINT-3", BANK_COUNTER, True),
        ("POINT-2", COUNTER, False),  # makes no cards
        ("POINT-3", COUNTER, False),  # is no community point
    ],
)
def test_a_card_on_the_spot_needs_a_point_that_makes_cards(
    point: str, by: By, works: bool, city: SampleCity
) -> None:
    ref, clerks = city.card(1), city.backoffice.clerks
    if works:
        issued = clerks.on_the_spot(key(ref), Reason.DAMAGED, sample_ref(2), point, by)
        assert (issued.progress.stage, issued.new.card) == ("issued", sample_ref(2))
        assert city.backoffice.staff.status(key(ref)).state == "void"
        return
    with pytest.raises(Refused) as caught:
        clerks.on_the_spot(key(ref), Reason.DAMAGED, sample_ref(2), point, by)
    assert caught.value.refusal is Refusal.POINT_MAKES_NO_CARDS
    assert city.backoffice.staff.status(key(ref)).state == "active"


@pytest.mark.article(23)
def test_what_has_to_be_verified_is_not_done_on_the_spot(city: SampleCity) -> None:
    ref, clerks = city.card(1), city.backoffice.clerks
    with pytest.raises(Refused) as caught:
        clerks.on_the_spot(key(ref), Reason.NAME, sample_ref(2), "POINT-1", COUNTER)
    assert caught.value.refusal is Refusal.POINT_MAKES_NO_CARDS


@pytest.mark.article(30)
def test_a_stopped_card_is_applied_for_anew_at_a_terminal(city: SampleCity, wish: Wishes) -> None:
    ref, client = city.card(1, state="stopped"), city.terminal()
    progress = client.life.apply(wish.apply(Proof(card=ref), "stopped")).progress
    assert (progress.stage, progress.article) == ("verifying", 30)
    verified(city, progress.application_id)
    city.backoffice.clerks.make(progress.application_id, sample_ref(2))
    city.backoffice.clerks.issue(progress.application_id)
    assert client.card_status(ref).state == "void"


# Deadlines


@pytest.mark.article(10)
@pytest.mark.article(11)
@pytest.mark.article(27)
def test_a_duty_that_was_not_met_in_time_is_seen_by_staff(city: SampleCity) -> None:
    clerks = city.backoffice.clerks
    application = clerks.apply_first(APPLICANT).application_id
    due = datetime(2026, 3, 20, tzinfo=SHANGHAI)
    city.clock.advance(due - timedelta(microseconds=1) - city.clock.now())
    assert clerks.overdue() == ()
    city.clock.advance(timedelta(microseconds=1))
    (line,) = clerks.overdue()
    assert (line.application_id, line.duty, line.article) == (application, "verify", 10)
    assert (line.due_at, line.stage) == (due, "verifying")
    verified(city, application)
    city.clock.advance(timedelta(days=99))
    clerks.make(application, sample_ref(7))  # nobody looked meanwhile; it is noted all the same
    assert [(line.duty, line.article) for line in clerks.overdue()] == [
        ("verify", 10),
        ("make", 11),
    ]


@pytest.mark.article(23)
def test_what_was_done_in_time_is_never_overdue(city: SampleCity) -> None:
    ref, clerks = city.card(1), city.backoffice.clerks
    application = clerks.apply_for(key(ref), Reason.DAMAGED).application_id
    due = datetime(2026, 4, 1, tzinfo=SHANGHAI)
    city.clock.advance(due - timedelta(seconds=1) - city.clock.now())
    clerks.make(application, sample_ref(2))
    city.clock.advance(timedelta(days=99))
    assert clerks.overdue() == ()


def line_of(city: SampleCity, ref: CardRef, event: str) -> list[tuple[datetime, str, str]]:
    found = city.backoffice.staff.history(key(ref))
    return [(line.at, line.channel, line.after) for line in found if line.event == event]


@pytest.mark.article(18)
def test_a_loss_that_lapses_is_an_event_at_its_instant(city: SampleCity) -> None:
    ref, staff = city.card(1), city.backoffice.staff
    staff.report_temporary_loss(key(ref))
    city.clock.advance(LOSS_ENDS - timedelta(microseconds=1) - city.clock.now())
    assert line_of(city, ref, "lapse") == []
    city.clock.advance(timedelta(days=1))
    lapsed = [(LOSS_ENDS, "time", "active")]
    assert line_of(city, ref, "lapse") == lapsed
    staff.bank_event(key(ref), BankEvent.OPEN)
    staff.report_temporary_loss(key(ref))
    assert line_of(city, ref, "lapse") == lapsed, "once"


@pytest.fixture
def watched(city: SampleCity) -> Iterator[SampleCity]:
    with DeadlineWatch(city.backoffice.deadlines, city.clock):
        yield city


def passed(city: SampleCity, until: datetime) -> None:
    """Let time pass up to an instant, and wait for the watch to raise what falls due then."""
    bell = city.backoffice.deadlines.bell
    before = raised(city)
    city.clock.advance(until - city.clock.now())
    rung = bell.rung
    while raised(city) == before:
        assert bell.wait(rung, 30), "nothing was raised"
        rung = bell.rung


def raised(city: SampleCity) -> tuple[int, int]:
    """How many lapses and how many overdue duties are written down, without asking for more."""
    with city.backoffice.database.transaction() as session:
        lapses = select(LifeEvent.id).where(LifeEvent.event == "lapse")
        return len(session.scalars(lapses).all()), len(session.scalars(select(OverdueRow)).all())


@pytest.mark.article(18)
def test_the_watch_raises_a_lapse_when_its_time_has_come(watched: SampleCity) -> None:
    ref = watched.card(1)
    watched.backoffice.staff.report_temporary_loss(key(ref))
    passed(watched, LOSS_ENDS)
    assert raised(watched) == (1, 0)
    assert line_of(watched, ref, "lapse") == [(LOSS_ENDS, "time", "active")]


@pytest.mark.article(10)
@pytest.mark.article(11)
@pytest.mark.article(27)
def test_the_watch_raises_an_overdue_duty_once_and_into_the_audit_trail(
    watched: SampleCity,
) -> None:
    clerks = watched.backoffice.clerks
    application = clerks.apply_first(APPLICANT).application_id
    due = datetime(2026, 3, 20, tzinfo=SHANGHAI)
    passed(watched, due)
    (line,) = clerks.overdue()
    assert (line.due_at, line.raised_at, line.duty) == (due, due, "verify")
    verified(watched, application)
    passed(watched, datetime(2026, 4, 21, tzinfo=SHANGHAI))
    assert [line.duty for line in clerks.overdue()] == ["verify", "make"]
    told = [
        (line.event, line.reason, line.article, line.channel, line.before, line.after)
        for line in clerks.history(application)
        if line.event == "overdue"
    ]
    assert told == [
        ("overdue", "verify", 10, "time", "verifying", "verifying"),
        ("overdue", "make", 11, "time", "making", "making"),
    ]


@pytest.mark.article(23)
def test_the_watch_raises_each_of_two_deadlines_at_its_time(watched: SampleCity) -> None:
    ref, other = watched.card(1), watched.card(2)
    watched.backoffice.clerks.apply_for(key(ref), Reason.DAMAGED)
    watched.backoffice.staff.report_temporary_loss(key(other))
    passed(watched, LOSS_ENDS)
    assert raised(watched) == (1, 0)
    passed(watched, datetime(2026, 4, 1, tzinfo=SHANGHAI))
    assert raised(watched) == (1, 1)


def test_a_new_deadline_wakes_the_watch_and_nothing_else_does(city: SampleCity) -> None:
    staff, clerks = city.backoffice.staff, city.backoffice.clerks
    bell, ref, other = city.backoffice.deadlines.bell, city.card(1), city.card(2)

    def wakes(act: Callable[[], object]) -> bool:
        rung = bell.rung
        act()
        return bell.rung > rung

    assert wakes(lambda: staff.report_temporary_loss(key(ref)))
    assert not wakes(lambda: staff.release_loss(key(ref)))
    assert not wakes(lambda: staff.status(key(ref)))
    application = clerks.apply_first(APPLICANT).application_id
    assert wakes(lambda: clerks.apply_for(key(other), Reason.DAMAGED))
    assert not wakes(lambda: clerks.judge(application, Department.PUBLIC_SECURITY, passed=True))
    city.backoffice.deadlines.raise_passed()
    assert not wakes(city.backoffice.deadlines.raise_passed)


def test_the_watch_waits_for_a_clock_that_runs_by_itself(database_url: str) -> None:
    clock = RunningClock(BEGIN, monotonic)
    city = SampleCity(open_engine(database_url), clock=clock, random=Random(1).randbytes)
    city.backoffice.staff.report_temporary_loss(key(city.card(1)))
    clock.advance(LOSS_ENDS - timedelta(seconds=0.5) - clock.now())
    bell = city.backoffice.deadlines.bell
    rung = bell.rung
    with DeadlineWatch(city.backoffice.deadlines, clock):
        while raised(city) == (0, 0):
            assert bell.wait(rung, 30), "nothing was raised"
            rung = bell.rung
    city.backoffice.close()


def test_what_passed_while_nobody_watched_is_raised_in_one_go(
    city: SampleCity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "_AT_ONCE", 2)
    for serial in range(1, 6):
        city.backoffice.staff.report_temporary_loss(key(city.card(serial)))
    application = city.backoffice.clerks.apply_first(APPLICANT).application_id
    city.clock.advance(timedelta(days=6))
    assert city.backoffice.deadlines.raise_passed() is None
    assert raised(city) == (5, 1)
    assert city.backoffice.deadlines.raise_passed() is None
    assert raised(city) == (5, 1)
    verified(city, application)
    assert city.backoffice.deadlines.raise_passed() == datetime(2026, 4, 22, tzinfo=SHANGHAI)


def test_a_watch_that_could_not_write_tries_again(
    city: SampleCity, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ref = city.card(1)
    city.backoffice.staff.report_temporary_loss(key(ref))
    city.clock.advance(timedelta(days=6))
    failures = [RuntimeError("a secret"), Refused(Refusal.BUSY)]
    work, failed = city.backoffice.deadlines.raise_passed, Event()

    def fails_first() -> datetime | None:
        if failures:
            failure = failures.pop()
            failed.set()
            raise failure
        return work()

    monkeypatch.setattr(city.backoffice.deadlines, "raise_passed", fails_first)
    with DeadlineWatch(city.backoffice.deadlines, city.clock):
        assert failed.wait(30)
        while raised(city) == (0, 0):
            city.clock.advance(timedelta(seconds=30))
    assert "BUSY" in caplog.text
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("what", ["id", "number"])
def test_a_card_that_is_somebodys_is_not_made_for_another(what: str, city: SampleCity) -> None:
    clerks, taken, fresh = city.backoffice.clerks, city.card(2), sample_ref(9)
    ref = replace(fresh, **{f"card_{what}": getattr(taken, f"card_{what}")})
    application = clerks.apply_for(key(city.card(1)), Reason.DAMAGED).application_id
    with pytest.raises(Refused) as caught:
        clerks.make(application, ref)
    assert caught.value.refusal is Refusal.CARD_EXISTS
    assert clerks.progress(application).stage == "making"
    clerks.make(application, fresh)
    assert clerks.issue(application).new.card == fresh


def test_a_card_that_waits_for_its_holder_is_not_made_for_another(city: SampleCity) -> None:
    clerks, staff, new = city.backoffice.clerks, city.backoffice.staff, sample_ref(9)
    first, second = (
        clerks.apply_for(key(city.card(serial)), Reason.DAMAGED).application_id for serial in (1, 2)
    )
    clerks.make(first, new)
    for take in (
        lambda: clerks.make(second, new),
        lambda: staff.replace(key(city.card(3)), new, LifeStep.EXCHANGE),
    ):
        with pytest.raises(Refused) as caught:
            take()
        assert caught.value.refusal is Refusal.CARD_EXISTS
    clerks.withdraw(first)
    clerks.make(second, new)
    assert clerks.issue(second).new.card == new


@pytest.mark.article(15)
def test_the_catalogue_says_conditions_flow_and_time_of_every_service(city: SampleCity) -> None:
    catalogue = city.terminal().life.catalogue()
    assert {service.service_id for service in catalogue.services} >= {
        "application",
        "temporary-loss",
        "formal-loss",
        "release",
        "replacement",
        "exchange",
        "reapplication",
    }
    for service in catalogue.services:
        for said in (service.conditions_zh, service.flow_zh, service.time_zh, service.title_en):
            assert said
    assert catalogue.banks
    assert catalogue.points


@pytest.mark.article(20)
def test_a_banks_loss_shows_in_the_standing_and_leaves_the_rest(city: SampleCity) -> None:
    ref = city.card(1, financial_active=True)
    city.backoffice.staff.bank_event(key(ref), BankEvent.REPORT_LOSS)
    standing = city.terminal().life.standing(StandingQuery(Proof(card=ref)))
    assert (standing.state, standing.bank_function) == ("active", "lost")


@pytest.mark.article(25)
def test_whose_standing_was_looked_at_is_kept(city: SampleCity) -> None:
    ref = city.card(1)
    city.terminal().life.standing(StandingQuery(Proof(card=ref)))
    assert [line.what for line in city.backoffice.staff.accesses(key(ref))] == ["standing"]
