"""Admission, row by row: what speaks against a card, in which order, and what the holder is told.

Each row changes one thing about a card that is admitted to everything but activation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import pytest

from backend_client.list_messages import Terms
from backend_client.messages import CardRef, CardState, CardStatus, ListingReason
from terminal.admission import (
    AdmissionContext,
    Admitted,
    CardFacts,
    CardRules,
    Decision,
    Listing,
    Refused,
    decide,
    in_force,
)
from terminal.clock import SHANGHAI
from terminal.policy import DEVELOPER, KIOSK, Function, Policies
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

NOW = datetime(2026, 3, 4, 10, 0, tzinfo=SHANGHAI)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
CARD_ID = "990100d15600000500000001ffffffff"
NUMBER = "A12345678"
MONEY = (Function.ACTIVATION, Function.SETTLEMENT)
ALL = tuple(Function)
NOT_FOR_LOST = tuple(function for function in ALL if not KIOSK[function].accepts_lost)


@dataclass(frozen=True)
class Case:
    """A card and everything around it; `but` changes any part of either by name."""

    card: CardFacts
    context: AdmissionContext
    now: datetime = NOW

    def but(self, *, now: datetime | None = None, **changes: object) -> Case:
        of_card = {k: changes.pop(k) for k in [*changes] if k in CardFacts.__dataclass_fields__}
        return Case(
            replace(self.card, **of_card),  # type: ignore[arg-type]  # named by each test
            replace(self.context, **changes),  # type: ignore[arg-type]  # named by each test
            now or self.now,
        )

    def decide(self, function: Function, policies: Policies = KIOSK) -> Decision:
        context = replace(self.context, policy=policies[function])
        return decide(self.card, function, self.now, context)


def status_of(state: CardState = "active", **changes: object) -> CardStatus:
    plain = CardStatus(CardRef(CARD_ID, NUMBER), state, None, True, False, False, NOW)
    return replace(plain, **changes)  # type: ignore[arg-type]  # named by each test


def entry(reason: ListingReason = "formal_loss", **changes: object) -> Terms:
    plain = Terms(reason, ("social_security",), "refuse", NOW - DAY, None)
    return replace(plain, **changes)  # type: ignore[arg-type]  # named by each test


def listing(*entries: Terms, issued_at: datetime = NOW - timedelta(hours=1)) -> Listing:
    return Listing(7, issued_at, NOW + 7 * DAY, entries)


GOOD = Case(
    card=CardFacts(
        True,
        CARD_ID,
        NUMBER,
        "3.00",
        "915600000299010099010001",
        "990100",
        date(2020, 1, 1),
        date(2030, 1, 1),
    ),
    context=AdmissionContext(
        policy=KIOSK[Function.QUERY], listing=listing(), status=status_of(), online=True
    ),
)
INACTIVE = GOOD.but(status=status_of("not_activated", social_active=False))


def reason(decision: Decision) -> Reason | None:
    return decision.reason if isinstance(decision, Refused) else None


def test_a_good_card_is_admitted_and_the_list_version_is_told() -> None:
    for function in (Function.READ, Function.QUERY, Function.SETTLEMENT, Function.PIN_CHANGE):
        decision = GOOD.decide(function)
        assert isinstance(decision, Admitted), decision
        assert (decision.function, decision.list_version) == (function, 7)
        assert decision.requires_pin is KIOSK[function].requires_pin
        assert decision.remarks == ()


@pytest.mark.article(12)
def test_a_card_that_is_not_active_is_admitted_to_activation_and_reading_only() -> None:
    assert reason(INACTIVE.decide(Function.ACTIVATION)) is None
    assert reason(INACTIVE.decide(Function.READ)) is None
    for function in (Function.QUERY, Function.SETTLEMENT, Function.PIN_CHANGE):
        decision = INACTIVE.decide(function)
        assert reason(decision) is Reason.NOT_ACTIVATED
        assert isinstance(decision, Refused)
        assert decision.article == 12


@pytest.mark.article(12)
def test_an_active_card_is_not_activated_again() -> None:
    assert reason(GOOD.decide(Function.ACTIVATION)) is Reason.ALREADY_ACTIVATED


@pytest.mark.article(26)
def test_a_card_that_cannot_prove_itself_is_refused_for_everything() -> None:
    for function in ALL:
        decision = GOOD.but(authentic=False).decide(function)
        assert isinstance(decision, Refused)
        assert (decision.reason, decision.article) == (Reason.NOT_AUTHENTIC, 26)


LISTED = [
    pytest.param("formal_loss", Reason.LISTED_FORMAL_LOSS, 18, marks=pytest.mark.article(18)),
    pytest.param("void", Reason.LISTED_VOID, 23, marks=pytest.mark.article(23)),
    pytest.param("freeze", Reason.FROZEN, None),
    pytest.param("fraud", Reason.FROZEN, None),
]


@pytest.mark.parametrize(("why", "expected", "article"), LISTED)
def test_a_listed_card_is_refused_for_everything(
    why: ListingReason, expected: Reason, article: int | None
) -> None:
    for function in ALL if why != "formal_loss" else NOT_FOR_LOST:
        if KIOSK[function].scope != "social_security":
            continue  # the entry stops the social security function only
        decision = GOOD.but(listing=listing(entry(why))).decide(function)
        assert isinstance(decision, Refused)
        assert (decision.reason, decision.article) == (expected, article)
        assert decision.list_version == 7
        assert not decision.call_staff


@pytest.mark.article(19)
@pytest.mark.parametrize("why", ["temporary_loss", "formal_loss"])
def test_a_lost_card_that_was_found_is_served_for_its_release(why: ListingReason) -> None:
    state: CardState = "temporarily_lost" if why == "temporary_loss" else "formally_lost"
    status = status_of(state, state_until=NOW + DAY if why == "temporary_loss" else None)
    lost = GOOD.but(listing=listing(entry(why)), status=status)
    assert set(ALL) - set(NOT_FOR_LOST) == {
        Function.STANDING,
        Function.RELEASE,
        Function.CATALOGUE,
    }
    for function in set(ALL) - set(NOT_FOR_LOST):
        assert isinstance(lost.decide(function), Admitted)
    for function in NOT_FOR_LOST:
        assert isinstance(lost.decide(function), Refused)


@pytest.mark.article(19)
def test_a_card_that_is_not_lost_has_no_loss_to_release() -> None:
    decision = GOOD.decide(Function.RELEASE)
    assert isinstance(decision, Refused)
    assert (decision.reason, decision.article) == (Reason.NOT_LOST, 19)
    over = status_of("temporarily_lost", state_until=NOW)
    assert reason(GOOD.but(status=over).decide(Function.RELEASE)) is Reason.NOT_LOST


@pytest.mark.article(23)
@pytest.mark.parametrize("why", ["void", "freeze", "fraud"])
def test_only_a_loss_is_passed_over_for_a_release(why: ListingReason) -> None:
    status = status_of("formally_lost")
    listed = listing(entry("formal_loss"), entry(why))
    refused = GOOD.but(listing=listed, status=status).decide(Function.RELEASE)
    assert isinstance(refused, Refused)


def temporary(end: datetime) -> Listing:
    """A temporary loss on a list that has not been renewed since it was reported."""
    return listing(entry("temporary_loss", valid_until=end), issued_at=NOW - DAY / 2)


END_OF_DAY_FIVE = datetime(2026, 3, 7, 0, 0, tzinfo=SHANGHAI)


@pytest.mark.article(18)
def test_a_temporary_loss_freezes_and_tells_its_end() -> None:
    decision = GOOD.but(listing=temporary(END_OF_DAY_FIVE)).decide(Function.QUERY)
    assert isinstance(decision, Refused)
    assert (decision.reason, decision.article) == (Reason.LISTED_TEMPORARY_LOSS, 18)
    assert "2026年3月6日24时" in decision.text.zh
    assert "24:00 on 6 March 2026" in decision.text.en


@pytest.mark.article(18)
@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (END_OF_DAY_FIVE - SECOND, Reason.LISTED_TEMPORARY_LOSS),
        (END_OF_DAY_FIVE, None),
        (END_OF_DAY_FIVE + SECOND, None),
    ],
)
def test_a_temporary_loss_lifts_by_itself_offline(now: datetime, expected: Reason | None) -> None:
    """To the second, on a terminal that has heard nothing since."""
    offline = GOOD.but(listing=temporary(END_OF_DAY_FIVE), online=False, now=now)
    assert reason(offline.decide(Function.QUERY)) is expected
    assert reason(offline.decide(Function.READ)) is expected


@pytest.mark.article(18)
def test_a_loss_holds_from_its_beginning() -> None:
    later = listing(entry(valid_from=NOW + SECOND))
    assert reason(GOOD.but(listing=later).decide(Function.QUERY)) is None
    now = listing(entry(valid_from=NOW))
    assert reason(GOOD.but(listing=now).decide(Function.QUERY)) is Reason.LISTED_FORMAL_LOSS


@pytest.mark.article(18)
def test_a_loss_that_the_list_already_names_holds_by_a_slow_clock_too() -> None:
    """Five minutes are within what a clock is believed with; the freeze is at once all the same."""
    reported = NOW + timedelta(minutes=3)  # by the centre's clock, which the list was issued by
    listed = listing(entry(valid_from=reported), issued_at=reported)

    assert reason(GOOD.but(listing=listed).decide(Function.READ)) is Reason.LISTED_FORMAL_LOSS


@pytest.mark.article(20)
def test_a_loss_at_the_bank_leaves_the_social_function_as_it_is() -> None:
    case = GOOD.but(listing=listing(entry(scope=("financial",))))
    assert reason(case.decide(Function.SETTLEMENT)) is None
    banking = {Function.SETTLEMENT: replace(KIOSK[Function.SETTLEMENT], scope="financial")}
    assert reason(case.decide(Function.SETTLEMENT, banking)) is Reason.LISTED_FORMAL_LOSS


def test_of_several_entries_the_most_lasting_is_told() -> None:
    both = listing(entry("temporary_loss", valid_until=NOW + DAY), entry("void"))
    assert reason(GOOD.but(listing=both).decide(Function.READ)) is Reason.LISTED_VOID


def test_an_entry_may_call_for_staff() -> None:
    listed = listing(entry("fraud", action="refuse_and_call_staff"))
    decision = GOOD.but(listing=listed).decide(Function.READ)
    assert isinstance(decision, Refused)
    assert decision.call_staff


@pytest.mark.article(18)
def test_a_loss_without_an_end_is_told_as_one_that_stays() -> None:
    listed = listing(entry("temporary_loss", valid_until=None))
    assert reason(GOOD.but(listing=listed).decide(Function.READ)) is Reason.LISTED_FORMAL_LOSS


STANDING = [
    pytest.param("formally_lost", Reason.LISTED_FORMAL_LOSS, marks=pytest.mark.article(18)),
    pytest.param("void", Reason.LISTED_VOID, marks=pytest.mark.article(23)),
    pytest.param("stopped", Reason.STOPPED_OLD_CARD, marks=pytest.mark.article(30)),
    pytest.param("temporarily_lost", Reason.LISTED_FORMAL_LOSS, marks=pytest.mark.article(18)),
]


@pytest.mark.parametrize(("state", "expected"), STANDING)
def test_what_the_centre_says_of_the_card_counts_like_the_list(
    state: CardState, expected: Reason
) -> None:
    """Also before the list that names it has arrived."""
    assert reason(GOOD.but(status=status_of(state)).decide(Function.QUERY)) is expected


@pytest.mark.article(18)
def test_a_temporary_loss_told_by_the_centre_lapses_too() -> None:
    lost = status_of("temporarily_lost", state_until=END_OF_DAY_FIVE)
    at = GOOD.but(status=lost, online=False)
    decision = at.but(now=END_OF_DAY_FIVE - SECOND).decide(Function.QUERY)
    assert isinstance(decision, Refused)
    assert decision.reason is Reason.LISTED_TEMPORARY_LOSS
    assert "3月6日24时" in decision.text.zh
    assert reason(at.but(now=END_OF_DAY_FIVE).decide(Function.QUERY)) is None
    assert in_force(lost, END_OF_DAY_FIVE) == "active"
    inactive = replace(lost, social_active=False)
    assert in_force(inactive, END_OF_DAY_FIVE) == "not_activated"


@pytest.mark.article(19)
def test_a_released_loss_is_forgotten_with_the_next_list() -> None:
    """A list issued after the status, which no longer names the card, says that it was released."""
    lost = status_of("formally_lost", as_of=NOW - DAY)
    older = GOOD.but(status=lost, listing=listing(issued_at=NOW - DAY - SECOND), online=False)
    assert reason(older.decide(Function.QUERY)) is Reason.LISTED_FORMAL_LOSS
    newer = GOOD.but(status=lost, listing=listing(issued_at=NOW - DAY + SECOND), online=False)
    assert reason(newer.decide(Function.QUERY)) is None


@pytest.mark.article(23)
def test_a_void_card_stays_void_whatever_a_later_list_says() -> None:
    void = GOOD.but(status=status_of("void", as_of=NOW - 20 * DAY), online=False)
    assert reason(void.decide(Function.READ)) is Reason.LISTED_VOID


def test_issuer_and_region() -> None:
    shanghai = CardRules(regions=("31",))
    assert reason(GOOD.but(rules=shanghai).decide(Function.READ)) is Reason.WRONG_ISSUER
    assert reason(GOOD.but(rules=shanghai, region="310115").decide(Function.READ)) is None
    body = CardRules(initialisers=("91560000023101",))
    assert reason(GOOD.but(rules=body).decide(Function.READ)) is Reason.WRONG_ISSUER
    known = GOOD.but(rules=body, initialiser="915600000231010031010001")
    assert reason(known.decide(Function.READ)) is None


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("3.00", None),
        ("2.0", None),
        ("2.00", None),
        ("1.00", Reason.STOPPED_OLD_CARD),
        ("1.01", Reason.STOPPED_OLD_CARD),
        ("", Reason.STOPPED_OLD_CARD),
        ("4.00", Reason.UNSUPPORTED_VERSION),
        ("abc", Reason.UNSUPPORTED_VERSION),
    ],
)
def test_versions_count_by_their_first_three_characters(
    version: str, expected: Reason | None
) -> None:
    assert reason(GOOD.but(version=version).decide(Function.QUERY)) is expected


@pytest.mark.article(30)
def test_old_cards_stopped_with_the_year_2020_and_can_only_be_read() -> None:
    old = GOOD.but(version="1.00", online=False, listing=None, status=None)
    new_year = datetime(2021, 1, 1, tzinfo=SHANGHAI)
    query = {Function.QUERY: replace(KIOSK[Function.QUERY], needs_list=False)}
    before = old.but(now=new_year - SECOND).decide(Function.QUERY, query)
    assert reason(before) is None
    after = old.but(now=new_year).decide(Function.QUERY, query)
    assert isinstance(after, Refused)
    assert (after.reason, after.article) == (Reason.STOPPED_OLD_CARD, 30)
    read = GOOD.but(version="1.00").decide(Function.READ)
    assert isinstance(read, Admitted)
    assert REMARK_OLD_CARD in read.remarks


@pytest.mark.article(30)
@pytest.mark.parametrize("version", ["1.00", "2.00"])
def test_a_card_listed_as_stopped_is_read_and_replaced_and_nothing_else(version: str) -> None:
    listed = listing(entry("stopped"))
    stopped = GOOD.but(version=version, listing=listed, status=status_of("stopped"))
    served = {function for function in ALL if KIOSK[function].accepts_old_card}
    assert served == {
        Function.READ,
        Function.STANDING,
        Function.REPLACEMENT,
        Function.CATALOGUE,
    }
    for function in set(ALL) - served:
        decision = stopped.decide(function)
        assert isinstance(decision, Refused)
        assert (decision.reason, decision.article) == (Reason.STOPPED_OLD_CARD, 30)
    read = stopped.decide(Function.READ)
    assert isinstance(read, Admitted)
    assert read.remarks == (REMARK_OLD_CARD,)


@pytest.mark.article(23)
def test_a_stopped_card_that_is_void_as_well_is_not_even_read() -> None:
    void = GOOD.but(listing=listing(entry("stopped"), entry("void")))
    assert reason(void.decide(Function.READ)) is Reason.LISTED_VOID


@pytest.mark.parametrize(
    ("issued", "expires", "expected"),
    [
        (None, None, None),
        (date(2026, 3, 4), date(2026, 3, 4), None),
        (date(2026, 3, 5), None, Reason.NOT_YET_VALID),
        (None, date(2026, 3, 3), Reason.EXPIRED),
    ],
)
def test_first_and_last_day_are_included(
    issued: date | None, expires: date | None, expected: Reason | None
) -> None:
    case = GOOD.but(issued=issued, expires=expires)
    assert reason(case.decide(Function.QUERY)) is expected
    read = case.decide(Function.READ)
    assert isinstance(read, Admitted)
    assert (REMARK_OUT_OF_DATE in read.remarks) is (expected is not None)


def test_the_last_day_ends_at_midnight_in_shanghai() -> None:
    case = GOOD.but(expires=date(2026, 3, 4))
    midnight = datetime(2026, 3, 5, tzinfo=SHANGHAI)
    fresh = case.but(listing=listing(issued_at=midnight), status=status_of(as_of=midnight))
    assert reason(fresh.but(now=midnight - SECOND).decide(Function.SETTLEMENT)) is None
    expired = fresh.but(now=midnight).decide(Function.SETTLEMENT)
    assert isinstance(expired, Refused)
    assert "2026年3月4日" in expired.text.zh


def test_with_an_untrusted_clock_value_stops_and_reading_goes_on() -> None:
    case = GOOD.but(clock_trusted=False, expires=date(2020, 1, 1))
    for function in (*MONEY, Function.PROVISIONAL):  # whose bill is found by the visit's day
        assert reason(case.decide(function)) is Reason.CLOCK_UNTRUSTED
    for function in (Function.READ, Function.QUERY):
        decision = case.decide(function)
        assert isinstance(decision, Admitted)
        assert REMARK_CLOCK_UNTRUSTED in decision.remarks


@pytest.mark.article(18)
@pytest.mark.parametrize("doubt", ["clock_trusted", "clock_confirmed"])
def test_with_a_doubtful_clock_a_temporary_loss_does_not_lift(doubt: str) -> None:
    """Setting the clock forward must not bring a lost card back, however the loss is known."""
    lost = status_of("temporarily_lost", state_until=NOW - SECOND)
    for case in (GOOD.but(listing=temporary(NOW - DAY)), GOOD.but(status=lost, online=False)):
        assert reason(case.decide(Function.READ)) is None
        context = replace(case.context, **{doubt: False})  # type: ignore[arg-type]  # see above
        doubtful = replace(case, context=context)
        assert reason(doubtful.decide(Function.READ)) is Reason.LISTED_TEMPORARY_LOSS


def test_a_clock_that_is_only_not_confirmed_stops_nothing_else() -> None:
    begins_later = GOOD.but(listing=listing(entry(valid_from=NOW + SECOND)), clock_confirmed=False)
    for function in (Function.READ, Function.QUERY, Function.SETTLEMENT):
        decision = begins_later.decide(function)
        assert isinstance(decision, Admitted)
        assert decision.remarks == ()


def test_an_unfinished_operation_blocks_money_only() -> None:
    case = INACTIVE.but(operation_open=True)
    assert reason(case.decide(Function.ACTIVATION)) is Reason.OPERATION_OPEN
    case = GOOD.but(operation_open=True)
    assert reason(case.decide(Function.SETTLEMENT)) is Reason.OPERATION_OPEN
    assert reason(case.decide(Function.QUERY)) is None


def test_a_terminal_with_too_much_unfinished_begins_nothing_new() -> None:
    case = GOOD.but(limit_reached=True)
    assert reason(case.decide(Function.SETTLEMENT)) is Reason.TOO_MANY_OPEN
    assert reason(case.decide(Function.QUERY)) is None


def test_without_the_centre_money_stops_and_the_rest_goes_on() -> None:
    case = GOOD.but(online=False)
    for function in MONEY:
        assert reason(case.decide(function)) is Reason.OFFLINE
    for function in (Function.READ, Function.QUERY, Function.PIN_CHANGE):
        assert reason(case.decide(function)) is None


def test_without_a_known_status_money_stops_and_the_rest_says_so() -> None:
    old = status_of(as_of=NOW - timedelta(minutes=15) - SECOND)
    for case in (GOOD.but(status=None), GOOD.but(status=old)):
        for function in MONEY:
            assert reason(case.decide(function)) is Reason.STATUS_UNKNOWN
    query = GOOD.but(status=None, online=False).decide(Function.QUERY)
    assert isinstance(query, Admitted)
    assert query.remarks == (REMARK_STATUS_UNKNOWN,)
    assert reason(GOOD.but(status=None).decide(Function.READ)) is None


def test_without_a_list_only_a_developer_reads() -> None:
    case = GOOD.but(listing=None)
    for function in set(ALL) - {Function.ACTIVATION, Function.RELEASE, Function.CATALOGUE}:
        assert reason(case.decide(function)) is Reason.LIST_MISSING
    assert isinstance(case.decide(Function.CATALOGUE), Admitted)  # nothing in it is anybody's
    decision = case.decide(Function.READ, DEVELOPER)
    assert isinstance(decision, Admitted)
    assert decision.list_version is None
    assert decision.remarks == (REMARK_LIST_MISSING,)
    assert reason(case.decide(Function.QUERY, DEVELOPER)) is Reason.LIST_MISSING


@pytest.mark.parametrize(
    ("age", "money", "rest"),
    [
        (DAY, None, None),
        (DAY + SECOND, Reason.LIST_STALE, None),
        (30 * DAY, Reason.LIST_STALE, None),
        (30 * DAY + SECOND, Reason.LIST_STALE, Reason.LIST_STALE),
    ],
)
def test_a_stale_list_stops_money_after_a_day_and_the_rest_after_a_month(
    age: timedelta, money: Reason | None, rest: Reason | None
) -> None:
    case = GOOD.but(listing=listing(issued_at=NOW - age))
    assert reason(case.decide(Function.SETTLEMENT)) is money
    assert reason(case.decide(Function.QUERY)) is rest
    assert reason(case.decide(Function.READ)) is rest


def test_past_its_own_expiry_a_list_is_no_good_for_money() -> None:
    expired = replace(listing(), expires_at=NOW)
    assert reason(GOOD.but(listing=expired).decide(Function.SETTLEMENT)) is Reason.LIST_STALE
    assert reason(GOOD.but(listing=expired).decide(Function.QUERY)) is None
    current = replace(listing(), expires_at=NOW + SECOND)
    assert reason(GOOD.but(listing=current).decide(Function.SETTLEMENT)) is None


def everything_wrong() -> tuple[Case, list[tuple[Reason, Callable[[Case], Case]]]]:
    """A case with everything against it, and how each thing is put right, in order."""
    worst = Case(
        card=replace(
            GOOD.card,
            authentic=False,
            region="110000",
            version="1.00",
            expires=date(2020, 1, 1),
        ),
        context=AdmissionContext(
            listing=Listing(7, NOW - 40 * DAY, NOW - 30 * DAY, (entry(),)),
            policy=KIOSK[Function.SETTLEMENT],
            rules=CardRules(regions=("99",)),
            operation_open=True,
            limit_reached=True,
        ),
    )
    old = listing(issued_at=NOW - 40 * DAY)
    inactive = status_of("not_activated", social_active=False)
    return worst, [
        (Reason.NOT_AUTHENTIC, lambda c: c.but(authentic=True)),
        (Reason.LISTED_FORMAL_LOSS, lambda c: c.but(listing=old)),
        (Reason.WRONG_ISSUER, lambda c: c.but(region="990100")),
        (Reason.STOPPED_OLD_CARD, lambda c: c.but(version="2.00")),
        (Reason.EXPIRED, lambda c: c.but(expires=None)),
        (Reason.OPERATION_OPEN, lambda c: c.but(operation_open=False)),
        (Reason.TOO_MANY_OPEN, lambda c: c.but(limit_reached=False)),
        (Reason.OFFLINE, lambda c: c.but(online=True)),
        (Reason.STATUS_UNKNOWN, lambda c: c.but(status=inactive)),
        (Reason.NOT_ACTIVATED, lambda c: c.but(status=status_of())),
        (Reason.LIST_STALE, lambda c: c.but(listing=listing())),
    ]


@pytest.mark.parametrize(
    ("regions", "covered"),
    [
        ((), True),
        (("990100",), True),
        (("990000",), True),
        (("310000", "990100"), True),
        (("310000",), False),
        (("990200",), False),
        (("990101",), False),
    ],
)
def test_only_the_centre_can_tell_of_a_card_that_the_list_does_not_speak_about(
    regions: tuple[str, ...], covered: bool
) -> None:
    """Not being listed says nothing then (facts 6.4: "not covered")."""
    case = GOOD.but(listing=replace(listing(), regions=regions))
    alone = case.but(status=None, online=False)
    for function in (Function.DEBIT, Function.QUERY):
        expected = None if covered else Reason.LIST_NOT_COVERING
        assert reason(alone.decide(function)) is expected
        assert reason(case.decide(function)) is None
    read = alone.decide(Function.READ, DEVELOPER)
    assert isinstance(read, Admitted)
    assert (REMARK_LIST_NOT_COVERING in read.remarks) is not covered


@pytest.mark.parametrize(
    ("issued", "expected"),
    [
        (date(2026, 3, 3), None),
        (date(2026, 3, 4), Reason.LIST_NOT_COVERING),
        (None, None),
    ],
)
def test_a_card_issued_after_what_the_list_knows_is_not_covered(
    issued: date | None, expected: Reason | None
) -> None:
    until = datetime(2026, 3, 3, 23, 59, tzinfo=SHANGHAI)
    known = replace(listing(), covered_until=until)
    case = GOOD.but(listing=known, issued=issued, status=None, online=False)
    assert reason(case.decide(Function.DEBIT)) is expected


def test_the_first_thing_against_the_card_is_the_one_told() -> None:
    """The order of facts 7.2: put right one after the other, until the card is admitted."""
    case, repairs = everything_wrong()
    for expected, repair in repairs:
        assert reason(case.decide(Function.SETTLEMENT)) is expected
        case = repair(case)
    assert reason(case.decide(Function.SETTLEMENT)) is None


def test_the_same_question_has_the_same_answer() -> None:
    case = GOOD.but(status=None, online=False)
    assert case.decide(Function.QUERY) == case.decide(Function.QUERY)


@pytest.mark.article(27)
@pytest.mark.parametrize("told", list(Reason))
def test_every_refusal_says_why_and_what_to_do(told: Reason) -> None:
    """In both languages, in sentences of bearable length, without blaming anybody."""
    wording = WORDING[told]
    for text in (wording.text, wording.advice):
        assert text.zh.endswith("。")
        assert text.en.endswith(".")
        assert len(text.zh) <= 60
        assert len(text.en.split()) <= 45
        assert not text.en.isascii() or "error" not in text.en.lower()
    assert wording.article is None or 1 <= wording.article <= 32


@pytest.mark.article(25)
def test_facts_do_not_show_the_card() -> None:
    assert CARD_ID not in repr(GOOD.card)
    assert NUMBER not in repr(GOOD.card)
