"""The terminal put together: admission with the world around it, recovery, synchronisation.

The back office is a small stand-in below the real client, so every message is a real one.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from threading import Thread

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from apdu.readers.inprocess import InProcessReader
from apdu.sam import SoftwareSam
from backend_client.blacklist import Blacklist
from backend_client.codec import Message, dump, encode, load
from backend_client.entry_set import EntrySet
from backend_client.errors import BackendError, NoAnswer, NoReply, NotEnrolled, Unreachable
from backend_client.errors import Refused as RefusedByCentre
from backend_client.list_issue import sign_delta, sign_snapshot
from backend_client.list_messages import (
    IDENTITY,
    BlacklistEntry,
    BlacklistUpdate,
    Coverage,
    MisuseReceipt,
    MisuseReport,
    SnapshotOffer,
)
from backend_client.messages import (
    ActivationResult,
    CardRef,
    CardState,
    CardStatus,
    ConfirmRequest,
    Enrolment,
    EnrolmentRequest,
    ListingReason,
    OperationOutcome,
    OperationQuery,
    OperationState,
    Problem,
    PublicKey,
    Reversal,
    ServerTime,
    Settlement,
    Split,
)
from backend_client.transport import Reply, Request
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.clock import SimulatedClock
from terminal.admission import Admitted, CardFacts, Refused
from terminal.app import Terminal
from terminal.clock import SHANGHAI
from terminal.errors import ConfigurationError, OperationsOpen, StoreDamaged, StoreLocked
from terminal.policy import Function
from terminal.reasons import Reason
from terminal.resolution import resolve
from terminal.session import CardSession
from terminal.settings import load_settings
from terminal.store.journal import Evidence, Kind, Operation, State

NOW = datetime(2026, 3, 4, 10, tzinfo=SHANGHAI)
DAY = timedelta(days=1)
ISSUER = "urn:example:centre"
TOKEN = "a-token-that-is-long-enough"
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TRUSTED = PublicKey("key-1", SIGNER.public_key().public_bytes_raw())
CARD = CardRef("990100d15600000500000001ffffffff", "A12345678")
OTHER = CardRef("990100d15600000500000002ffffffff", "B12345678")
FACTS = CardFacts(
    True, CARD.card_id, CARD.card_number, "3.00", "91560000", "990100", None, date(2036, 1, 1)
)
SPLIT = Split(1000, 1000, 0, 0, 0, 0, 0, ())


class Centre:
    """A back office in a few lines. `fail` makes the next answers fail, one each."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock = clock
        self.clock_error = timedelta()
        self.requests: list[str] = []
        self.away: type[BackendError] | None = None
        self.states: dict[str, CardStatus] = {}
        self.operations: dict[str, OperationState] = {}
        self.reversed: list[str] = []
        self.deltas: tuple[bytes, ...] = ()
        self.offer = SnapshotOffer(0, 1)
        self.whole: bytes | None = None
        self.misuse: list[MisuseReport] = []
        self.keys: tuple[PublicKey, ...] = (TRUSTED,)
        self.enrolments: list[EnrolmentRequest] = []
        self.meddle: Callable[[Request], Reply | None] = lambda _: None

    def send(self, request: Request) -> Reply:
        self.requests.append(request.path)
        if self.away is not None:
            raise self.away("away")
        meddled = self.meddle(request)
        if meddled is not None:
            return meddled
        if request.path.startswith("/v1/blacklist/snapshot"):
            return self.piece(request)
        answer = self.answer(request)
        status = answer.status if isinstance(answer, Problem) else 200
        return Reply(status, dump(answer))

    def piece(self, request: Request) -> Reply:
        assert self.whole is not None
        start, end = map(int, request.headers["range"].removeprefix("bytes=").split("-"))
        piece = self.whole[start : end + 1]
        said = f"bytes {start}-{start + len(piece) - 1}/{len(self.whole)}"
        return Reply(206, piece, {"content-range": said})

    def answer(self, request: Request) -> Message:
        match request.path.split("?")[0]:
            case "/v1/time":
                return ServerTime(self.clock.now() + self.clock_error)
            case "/v1/terminals":
                self.enrolments.append(load(EnrolmentRequest, request.body))
                return Enrolment(
                    f"t-{len(self.enrolments)}", f"{TOKEN}-{len(self.enrolments)}",
                    "990100000009", "示例医院", ISSUER, self.keys, NOW,
                )  # fmt: skip
            case "/v1/cards/status":
                card = load(CardRef, request.body)
                return self.states.get(card.card_id) or problem("CARD_UNKNOWN")
            case "/v1/operations/query":
                number = load(OperationQuery, request.body).number
                return self.operations.get(number, OperationState(number, "unknown"))
            case "/v1/operations/reverse":
                number = load(OperationQuery, request.body).number
                self.reversed.append(number)
                return Reversal(number, found=False, reversed_at=NOW)
            case "/v1/blacklist":
                documents = tuple(base64.b64encode(each).decode() for each in self.deltas)
                if self.whole is None or (self.deltas and "whole=0" in request.path):
                    return BlacklistUpdate(documents=documents)
                return BlacklistUpdate(snapshot=self.offer)
            case "/v1/misuse":
                self.misuse.append(load(MisuseReport, request.body))
                return MisuseReceipt(self.misuse[-1].report_id)
        raise AssertionError(request.path)


def problem(code: str, status: int = 404) -> Problem:
    return Problem("about:blank", "no", status, code)


def refusing(path: str, *problems: Problem) -> Callable[[Request], Reply | None]:
    """Refuses the next requests to `path`, one problem each."""
    left = list(problems)

    def meddle(request: Request) -> Reply | None:
        if request.path != path or not left:
            return None
        return Reply(left[0].status, dump(left.pop(0)))

    return meddle


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW)


@pytest.fixture
def centre(clock: SimulatedClock) -> Centre:
    return Centre(clock)


Open = Callable[[], Terminal]


@pytest.fixture
def opened(tmp_path: Path, clock: SimulatedClock, centre: Centre) -> Iterator[Open]:
    terminals: list[Terminal] = []

    def open_terminal() -> Terminal:
        for terminal in terminals:
            terminal.close()
        terminal = Terminal.open(
            load_settings(None, {"SSCT_TERMINAL_DATA_DIR": str(tmp_path / "data")}),
            clock=clock,
            random=Random(len(terminals)).randbytes,
            sam=SoftwareSam.development(Random(1).randbytes),
            transport=centre,
        )
        terminals.append(terminal)
        return terminal

    yield open_terminal
    for terminal in terminals:
        terminal.close()


@pytest.fixture
def terminal(opened: Open, centre: Centre) -> Terminal:
    """Enrolled, with a first blacklist, and a card that is active at the centre."""
    terminal = opened()
    terminal.enrol("one-time-code")
    publish(centre, 1)
    terminal.sync()
    centre.states[CARD.card_id] = status_of("active")
    centre.requests.clear()
    return terminal


def status_of(state: CardState, *, at: datetime = NOW) -> CardStatus:
    return CardStatus(CARD, state, None, state == "active", False, False, at)


def listed(version: int, *entries: BlacklistEntry, at: datetime = NOW) -> Blacklist:
    these = EntrySet.of(entries)
    return Blacklist(
        ISSUER, version, these.hash, at, at + 7 * DAY, Coverage(("990100",), at), these
    )


def publish(centre: Centre, version: int, *entries: BlacklistEntry, at: datetime = NOW) -> None:
    """Have the centre offer this list, whole."""
    offer_whole(centre, version, sign_snapshot(listed(version, *entries, at=at), "key-1", SIGNER))


def offer_whole(centre: Centre, version: int, document: bytes) -> None:
    centre.deltas, centre.whole = (), document
    centre.offer = SnapshotOffer(version, len(document))


def loss(until: datetime | None) -> BlacklistEntry:
    why: ListingReason = "formal_loss" if until is None else "temporary_loss"
    card = CARD.card_id[:IDENTITY]
    return BlacklistEntry(card, None, None, why, ("social_security",), "refuse", None, until)


def reason(terminal: Terminal, function: Function, facts: CardFacts = FACTS) -> Reason | None:
    decision = terminal.admit(facts, function, "console")
    return decision.reason if isinstance(decision, Refused) else None


# Enrolment and composition.


def test_enrolment_is_kept_and_used(opened: Open, centre: Centre) -> None:
    terminal = opened()
    assert terminal.status().terminal_id is None
    identity = terminal.enrol("one-time-code")
    assert identity.terminal_id == "t-1"
    operation = terminal.journal.prepare(Kind.SETTLEMENT, CARD, {})
    assert operation.number.startswith("990100000009")
    again = opened()
    assert again.identity == identity
    assert again.institution_name == "示例医院"
    assert again.status().institution == "990100000009"
    centre.states[CARD.card_id] = status_of("active")
    assert again.client.card_status(CARD).state == "active"


def test_before_enrolment_money_is_refused_and_sync_says_why(opened: Open) -> None:
    terminal = opened()
    assert reason(terminal, Function.READ) is None
    assert reason(terminal, Function.SETTLEMENT) is Reason.OFFLINE
    report = terminal.sync()
    assert report.error is not None
    assert report.error.code == NotEnrolled.code
    assert report.clock_trusted


def test_software_keys_are_refused_in_production(tmp_path: Path, clock: SimulatedClock) -> None:
    environ = {
        "SSCT_TERMINAL_PROFILE": "kiosk",
        "SSCT_TERMINAL_DATA_DIR": str(tmp_path / "data"),
    }
    with pytest.raises(ConfigurationError, match="software keys"):
        Terminal.open(
            load_settings(None, environ),
            clock=clock,
            random=Random(1).randbytes,
            sam=SoftwareSam.development(Random(1).randbytes),
            transport=None,
        )
    assert not (tmp_path / "data").exists()


def test_without_a_back_office_it_works_offline(tmp_path: Path, clock: SimulatedClock) -> None:
    with Terminal.open(
        load_settings(None, {"SSCT_TERMINAL_DATA_DIR": str(tmp_path)}),
        clock=clock,
        random=Random(1).randbytes,
        sam=SoftwareSam.development(Random(1).randbytes),
        transport=None,
    ) as terminal:
        report = terminal.sync()
        assert report.error is not None
        assert report.error.code == Unreachable.code
        assert reason(terminal, Function.READ) is None


def test_a_terminal_with_unfinished_operations_stays_who_it_is(
    terminal: Terminal, centre: Centre
) -> None:
    """Facts 5.4, rule 6: only who sent it can ask what became of it."""
    identity = terminal.identity
    sent_settlement(terminal)
    centre.away = NoReply
    with pytest.raises(OperationsOpen):
        terminal.enrol("one-time-code")
    assert terminal.identity == identity
    centre.away = None
    in_hand = prepared_settlement(terminal, in_hand=True)
    with pytest.raises(OperationsOpen):
        terminal.enrol("one-time-code")
    terminal.journal.let_go(in_hand)
    assert len(centre.enrolments) == 1
    assert terminal.enrol("one-time-code").terminal_id == "t-2"
    assert terminal.journal.open_operations() == ()


def test_a_new_enrolment_names_the_one_before(terminal: Terminal, centre: Centre) -> None:
    terminal.enrol("one-time-code")
    assert [one.previous_token for one in centre.enrolments] == [None, f"{TOKEN}-1"]


def test_a_back_office_that_was_built_anew_knows_no_enrolment_before(
    terminal: Terminal, centre: Centre
) -> None:
    centre.meddle = refusing("/v1/terminals", problem("PREVIOUS_TOKEN_UNKNOWN", 403))
    assert terminal.enrol("one-time-code").terminal_id == "t-2"
    assert [one.previous_token for one in centre.enrolments] == [None, None]
    centre.meddle = refusing("/v1/terminals", problem("ENROLMENT_CODE_INVALID", 403))
    with pytest.raises(RefusedByCentre):
        terminal.enrol("one-time-code")


def test_a_second_terminal_in_the_same_place_is_refused(
    terminal: Terminal, clock: SimulatedClock
) -> None:
    with pytest.raises(StoreLocked):
        Terminal.open(
            terminal.settings,
            clock=clock,
            random=Random(1).randbytes,
            sam=terminal.sam,
            transport=None,
        )


# Admission in the world.


def test_a_decision_is_written_into_the_trail(terminal: Terminal) -> None:
    assert isinstance(terminal.admit(FACTS, Function.QUERY, "console"), Admitted)
    assert isinstance(terminal.admit(FACTS, Function.ACTIVATION, "kiosk"), Refused)
    refused, admitted = terminal.audit.latest(card_id=CARD.card_id)
    assert (admitted.face, admitted.function, admitted.outcome) == ("console", "query", "admitted")
    assert (refused.face, refused.reason, refused.article) == ("kiosk", "ALREADY_ACTIVATED", 12)
    assert admitted.list_version == refused.list_version == 1


@pytest.mark.article(26)
def test_a_forged_card_is_audited_and_never_asked_about(terminal: Terminal, centre: Centre) -> None:
    assert reason(terminal, Function.SETTLEMENT, replace(FACTS, authentic=False)) is (
        Reason.NOT_AUTHENTIC
    )
    assert terminal.audit.latest(1)[0].reason == "NOT_AUTHENTIC"
    assert centre.requests == []


def test_reading_asks_nobody(terminal: Terminal, centre: Centre) -> None:
    assert reason(terminal, Function.READ) is None
    assert centre.requests == []


def test_the_centre_is_asked_each_time_and_its_word_is_remembered(
    terminal: Terminal, centre: Centre
) -> None:
    assert reason(terminal, Function.QUERY) is None
    centre.states[CARD.card_id] = status_of("not_activated")
    assert reason(terminal, Function.QUERY) is Reason.NOT_ACTIVATED
    assert reason(terminal, Function.ACTIVATION) is None
    centre.away = Unreachable
    assert reason(terminal, Function.QUERY) is Reason.NOT_ACTIVATED
    assert reason(terminal, Function.SETTLEMENT) is Reason.OFFLINE


def test_a_centre_that_is_away_is_not_asked_again_at_once(
    terminal: Terminal, centre: Centre, clock: SimulatedClock
) -> None:
    centre.away = Unreachable
    reason(terminal, Function.QUERY)
    asked = len(centre.requests)
    reason(terminal, Function.QUERY)
    assert len(centre.requests) == asked
    reason(terminal, Function.SETTLEMENT)  # which cannot do without
    assert len(centre.requests) > asked
    asked = len(centre.requests)
    clock.advance(timedelta(seconds=31))
    reason(terminal, Function.QUERY)
    assert len(centre.requests) > asked


def test_a_card_that_the_centre_does_not_know_settles_nothing(
    terminal: Terminal, centre: Centre
) -> None:
    centre.states.clear()
    assert reason(terminal, Function.SETTLEMENT) is Reason.STATUS_UNKNOWN


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Reply(403, b"<html>please log in"), Reason.OFFLINE),
        (Reply(200, b"<html>please log in"), Reason.OFFLINE),
        (Reply(502, b"bad gateway"), Reason.OFFLINE),
        (Reply(503, dump(problem("BUSY", 503))), Reason.OFFLINE),
        (Reply(404, dump(problem("CARD_UNKNOWN"))), Reason.STATUS_UNKNOWN),
        (Reply(429, dump(problem("TOO_MANY", 429))), Reason.STATUS_UNKNOWN),
    ],
    ids=["portal", "portal 200", "proxy", "busy", "unknown card", "too many"],
)
def test_only_the_centres_own_word_lets_money_move(
    terminal: Terminal, centre: Centre, answer: Reply, expected: Reason
) -> None:
    """What was heard a moment ago does not stand in for it."""
    assert reason(terminal, Function.SETTLEMENT) is None
    centre.meddle = lambda request: answer if request.path == "/v1/cards/status" else None
    assert reason(terminal, Function.SETTLEMENT) is expected
    assert reason(terminal, Function.QUERY) is None, "reading goes on"


@pytest.mark.article(18)
def test_after_a_start_no_loss_lifts_by_a_clock_that_nobody_confirmed(
    opened: Open, terminal: Terminal, centre: Centre, clock: SimulatedClock
) -> None:
    """While it was off somebody set the clock forward, past the end of the loss."""
    end = datetime(2026, 3, 10, tzinfo=SHANGHAI)
    publish(centre, 2, loss(end))
    terminal.sync()
    centre.away = Unreachable
    clock.advance(6 * DAY)
    assert reason(terminal, Function.QUERY) is None, "it ran all the time"
    again = opened()
    assert again.clock_guard.trusted()
    assert reason(again, Function.QUERY) is Reason.LISTED_TEMPORARY_LOSS
    other = replace(FACTS, card_id=OTHER.card_id, card_number=OTHER.card_number)
    assert reason(again, Function.QUERY, other) is None, "nothing else is stopped"
    centre.away = None
    again.sync()
    assert reason(again, Function.QUERY) is None


@pytest.mark.article(17)
@pytest.mark.article(18)
def test_a_reported_loss_arrives_lifts_and_stops_for_good(
    terminal: Terminal, centre: Centre, clock: SimulatedClock
) -> None:
    """The story: a temporary loss, its end while the terminal is offline, then a formal loss."""
    end = datetime(2026, 3, 10, tzinfo=SHANGHAI)
    publish(centre, 2, loss(end))
    assert terminal.sync().after == 2
    assert reason(terminal, Function.QUERY) is Reason.LISTED_TEMPORARY_LOSS
    centre.away = Unreachable
    clock.advance(end - clock.now() - timedelta(seconds=1))
    assert reason(terminal, Function.QUERY) is Reason.LISTED_TEMPORARY_LOSS
    clock.advance(timedelta(seconds=1))
    assert reason(terminal, Function.QUERY) is None
    centre.away = None
    publish(centre, 3, loss(None), at=clock.now())
    terminal.sync()
    assert reason(terminal, Function.QUERY) is Reason.LISTED_FORMAL_LOSS


def test_a_visit_hands_out_the_parts(terminal: Terminal) -> None:
    chip = SimulatedCard(load_profile("adult-3.0"), random=Random(2).randbytes)
    with CardSession.open(InProcessReader("test", chip), terminal.sam) as session:
        visit = terminal.visit(session, "console")
        assert visit.place == "示例医院"
        assert visit.card_ref.card_id == session.facts.card_id
        assert isinstance(visit.admit(Function.READ), Admitted)
        visit.still_here()
        visit.remember(status_of("void"))
        assert terminal.statuses.last(CARD.card_id) == status_of("void")
        sent = sent_settlement(terminal)
        assert visit.resolve(sent).state is State.REVERSED


# Synchronisation.


def test_sync_takes_a_snapshot_then_deltas(terminal: Terminal, centre: Centre) -> None:
    first, second = listed(1), listed(2, loss(None), at=NOW + timedelta(hours=1))
    centre.clock.advance(timedelta(hours=1))
    centre.deltas = (sign_delta(first, second, "key-1", SIGNER),)
    report = terminal.sync()
    assert (report.before, report.after, report.entries, report.error) == (1, 2, 1, None)
    assert centre.requests[-1] == asked(1)
    assert terminal.blacklist.load() == second
    centre.deltas, centre.whole = (), None
    assert terminal.sync().error is None
    assert terminal.blacklist.load() == second


def asked(since: int, *, whole: bool = False) -> str:
    return f"/v1/blacklist?since={since}&statement=0&whole={whole:d}&wait=0"


def whole_asked(since: int) -> list[str]:
    """What is asked for when deltas of no use are passed over."""
    return [asked(since), asked(since, whole=True)]


def test_after_a_gap_the_whole_list_is_fetched(terminal: Terminal, centre: Centre) -> None:
    offer(centre, delta=sign_delta(listed(4), listed(5, loss(None)), "key-1", SIGNER), version=5)
    assert terminal.sync().after == 5
    assert [path for path in centre.requests if path.startswith("/v1/blacklist?")][:2] == (
        whole_asked(1)
    )


def offer(centre: Centre, *, delta: bytes, version: int) -> None:
    """Have the centre offer this delta, and a version to who asks for all of it."""
    publish(centre, version, loss(None))
    centre.deltas = (delta,)


def broken(previous: int) -> dict[str, bytes]:
    """Deltas after a version that cannot be applied to it."""
    gone = EntrySet.of([loss(None)])
    elsewhere = replace(listed(previous), set_hash=bytes(32))
    lying = replace(listed(previous), entries=gone)
    return {
        "a fork": sign_delta(elsewhere, listed(3), "key-1", SIGNER),
        "a removal of what is not there": sign_delta(lying, listed(3), "key-1", SIGNER),
    }


@pytest.mark.parametrize("delta", broken(1).values(), ids=broken(1))
def test_changes_that_do_not_apply_are_passed_over_by_the_whole_list(
    terminal: Terminal, centre: Centre, delta: bytes
) -> None:
    offer(centre, delta=delta, version=4)
    centre.meddle = forgetting_the_delta(centre)
    report = terminal.sync()
    assert (report.after, report.error) == (4, None)
    assert centre.requests[1:3] == whole_asked(1)
    assert terminal.status().blacklist_refusal is None


def forgetting_the_delta(centre: Centre) -> Callable[[Request], Reply | None]:
    """A centre that has nothing more to say once the whole list was fetched."""

    def meddle(request: Request) -> Reply | None:
        if "whole=0" in request.path and asked(1) not in request.path:
            centre.deltas, centre.whole = (), None
        return None

    return meddle


@pytest.mark.parametrize("delta", broken(2).values(), ids=broken(2))
@pytest.mark.parametrize(
    ("version", "code"), [(1, "BACKEND_LIST_ROLLED_BACK"), (2, "BACKEND_LIST_FORKED")]
)
def test_the_whole_list_does_not_get_around_rollback_and_fork(
    terminal: Terminal, centre: Centre, delta: bytes, version: int, code: str
) -> None:
    publish(centre, 2)
    terminal.sync()
    held = terminal.blacklist.load()
    offer(centre, delta=delta, version=version)
    centre.requests.clear()
    report = terminal.sync()
    assert report.error is not None
    assert report.error.code == code
    assert centre.requests[1:3] == whole_asked(2)
    assert terminal.blacklist.load() == held


def rebuilt(centre: Centre) -> None:
    """The back office has lost everything; its new key has the old one's name."""
    signer = Ed25519PrivateKey.from_private_bytes(bytes(32))
    centre.keys = (PublicKey("key-1", signer.public_key().public_bytes_raw()),)
    offer_whole(centre, 1, sign_snapshot(listed(1), "key-1", signer))


def test_the_list_of_a_back_office_that_was_built_anew_is_taken(
    terminal: Terminal, centre: Centre
) -> None:
    publish(centre, 7, loss(None))
    terminal.sync()
    rebuilt(centre)
    assert terminal.sync().after == 7, "its keys are not known before the terminal is enrolled"
    terminal.enrol("one-time-code")
    assert reason(terminal, Function.QUERY) is Reason.LISTED_FORMAL_LOSS, "until a new one is there"
    report = terminal.sync()
    assert (report.after, report.error) == (1, None)
    assert asked(0) in centre.requests
    assert terminal.blacklist.keys() == centre.keys


def test_a_new_enrolment_alone_lets_no_list_roll_back(terminal: Terminal, centre: Centre) -> None:
    publish(centre, 7)
    terminal.sync()
    centre.keys = (*centre.keys, PublicKey("key-2", bytes(32)))
    terminal.enrol("one-time-code")
    publish(centre, 6)
    report = terminal.sync()
    assert report.error is not None
    assert report.error.code == "BACKEND_LIST_ROLLED_BACK"
    assert report.after == 7


def spoiled(centre: Centre) -> None:
    """A list with a bit changed under its signature."""
    publish(centre, 2, loss(None))
    assert centre.whole is not None
    centre.whole = centre.whole[:-1] + bytes([centre.whole[-1] ^ 1])


def rolled_back(centre: Centre) -> None:
    publish(centre, 0 + 1, loss(None))


@pytest.mark.parametrize(
    ("attack", "code"),
    [(spoiled, "BACKEND_BAD_SIGNATURE"), (rolled_back, "BACKEND_LIST_FORKED")],
)
def test_a_bad_list_is_refused_the_good_one_stays_and_status_tells(
    terminal: Terminal, centre: Centre, attack: Callable[[Centre], None], code: str
) -> None:
    good = terminal.blacklist.load()
    attack(centre)
    report = terminal.sync()
    assert report.error is not None
    assert report.error.code == code
    assert (report.before, report.after) == (1, 1)
    assert terminal.blacklist.load() == good
    refusal = terminal.status().blacklist_refusal
    assert refusal is not None
    assert (refusal.code, refusal.at) == (code, NOW)
    assert reason(terminal, Function.SETTLEMENT) is None
    publish(centre, 3)
    terminal.sync()
    assert terminal.status().blacklist_refusal is None


def test_a_centre_that_is_away_is_no_refusal_of_a_list(terminal: Terminal, centre: Centre) -> None:
    centre.away = NoReply
    report = terminal.sync()
    assert report.error is not None
    assert report.error.code == NoAnswer.code
    assert terminal.status().blacklist_refusal is None


def test_a_wrong_clock_stops_money_until_the_centre_confirms_it(
    terminal: Terminal, centre: Centre
) -> None:
    centre.clock_error = timedelta(hours=2)
    assert not terminal.sync().clock_trusted
    assert reason(terminal, Function.SETTLEMENT) is Reason.CLOCK_UNTRUSTED
    assert reason(terminal, Function.QUERY) is None
    assert not terminal.status().clock_trusted
    centre.clock_error = timedelta()
    assert terminal.sync().clock_trusted
    assert reason(terminal, Function.SETTLEMENT) is None


def test_a_list_grows_stale_for_money_first(
    terminal: Terminal, centre: Centre, clock: SimulatedClock
) -> None:
    clock.advance(DAY + timedelta(seconds=1))
    centre.states[CARD.card_id] = status_of("active", at=clock.now())
    assert reason(terminal, Function.SETTLEMENT) is Reason.LIST_STALE
    assert reason(terminal, Function.QUERY) is None
    assert terminal.status().blacklist_age == DAY + timedelta(seconds=1)
    publish(centre, 2, at=clock.now())
    terminal.sync()
    assert reason(terminal, Function.SETTLEMENT) is None


def test_status_tells_how_the_terminal_stands(terminal: Terminal) -> None:
    status = terminal.status()
    assert (status.profile, status.terminal_id, status.institution_name) == (
        "developer",
        "t-1",
        "示例医院",
    )
    assert status.blacklist is not None
    assert status.blacklist.version == 1
    assert status.clock_trusted
    assert sum(status.operations.values()) == 0


# What becomes of operations whose answer was lost.


def prepared_settlement(terminal: Terminal, *, in_hand: bool = False) -> Operation:
    """Left by a visit that is over, unless it is `in_hand`."""
    operation = terminal.journal.prepare(Kind.SETTLEMENT, CARD, {"bill_id": "b-1"})
    if not in_hand:
        terminal.journal.let_go(operation)
    return operation


def sent_settlement(terminal: Terminal, *, in_hand: bool = False) -> Operation:
    operation = prepared_settlement(terminal, in_hand=in_hand)
    request = ConfirmRequest(operation.number, CARD, "b-1", SPLIT)
    return terminal.journal.mark_sent(operation, encode(request))


def sent_activation(terminal: Terminal) -> Operation:
    operation = terminal.journal.prepare(Kind.ACTIVATION, CARD, {})
    terminal.journal.let_go(operation)
    payload = {"number": operation.number, "card": encode(CARD), "pin_changed": True}
    return terminal.journal.mark_sent(operation, payload)


def unknown_settlement(terminal: Terminal) -> Operation:
    return terminal.journal.unknown(sent_settlement(terminal), "BACKEND_UNKNOWN_OUTCOME")


def booked(number: str, **changes: object) -> OperationState:
    settlement = Settlement(number, "s-1", "b-1", SPLIT, NOW, 0, 0)
    changed = replace(settlement, **changes)  # type: ignore[arg-type]  # named by each test
    return OperationState(number, "confirmed", settlement=changed)


def test_recovery_closes_what_never_left_without_asking(terminal: Terminal, centre: Centre) -> None:
    operation = prepared_settlement(terminal)
    centre.away = Unreachable
    recovery = terminal.recover()
    assert [o.number for o in recovery.closed] == [operation.number]
    assert recovery.closed[0].state is State.REVERSED
    assert recovery.closed[0].evidence is Evidence.NEVER_SENT
    assert recovery.error is None
    assert centre.requests == []


@pytest.mark.parametrize("make", [sent_settlement, unknown_settlement])
def test_recovery_confirms_what_the_centre_booked(
    opened: Open, terminal: Terminal, centre: Centre, make: Callable[[Terminal], Operation]
) -> None:
    operation = make(terminal)
    centre.operations[operation.number] = booked(operation.number)
    recovery = opened().recover()
    assert [o.state for o in recovery.closed] == [State.CONFIRMED]
    assert recovery.closed[0].result == encode(
        Settlement(operation.number, "s-1", "b-1", SPLIT, NOW, 0, 0)
    )
    assert recovery.closed[0].evidence is Evidence.QUERY
    assert centre.reversed == []


@pytest.mark.parametrize("make", [sent_settlement, unknown_settlement, sent_activation])
def test_recovery_reverses_what_the_centre_never_saw(
    opened: Open, terminal: Terminal, centre: Centre, make: Callable[[Terminal], Operation]
) -> None:
    """Query first, then reverse, so that a request still under way can do nothing any more."""
    operation = make(terminal)
    centre.requests.clear()
    recovery = opened().recover()
    assert [o.state for o in recovery.closed] == [State.REVERSED]
    assert recovery.closed[0].evidence is Evidence.REVERSAL
    assert centre.requests == ["/v1/operations/query", "/v1/operations/reverse"]
    assert centre.reversed == [operation.number]


@pytest.mark.parametrize("state", ["refused", "reversed"])
def test_what_the_centre_refused_or_reversed_did_not_happen(
    terminal: Terminal, centre: Centre, state: OperationOutcome
) -> None:
    operation = sent_settlement(terminal)
    centre.operations[operation.number] = OperationState(operation.number, state, reason="X")
    recovery = terminal.recover()
    assert [o.state for o in recovery.closed] == [State.REVERSED]
    assert recovery.closed[0].evidence is Evidence.QUERY
    assert centre.reversed == []


def test_an_activation_is_confirmed_with_the_status_it_led_to(
    terminal: Terminal, centre: Centre
) -> None:
    operation = sent_activation(terminal)
    result = ActivationResult(operation.number, status_of("active"))
    centre.operations[operation.number] = OperationState(
        operation.number, "confirmed", activation=result
    )
    recovery = terminal.recover()
    assert [o.state for o in recovery.closed] == [State.CONFIRMED]
    assert recovery.closed[0].result == encode(result)


@pytest.mark.parametrize(
    "answer",
    [
        {"bill_id": "b-2"},
        {"split": replace(SPLIT, total_fen=999, current_account_fen=999)},
        None,
    ],
)
def test_a_booking_of_something_else_closes_nothing(
    terminal: Terminal, centre: Centre, answer: dict[str, object] | None
) -> None:
    operation = sent_settlement(terminal)
    number = operation.number
    result = ActivationResult(number, status_of("active"))
    centre.operations[number] = (
        OperationState(number, "confirmed", activation=result)
        if answer is None
        else booked(number, **answer)
    )
    recovery = terminal.recover()
    assert recovery.closed == ()
    assert [o.state for o in recovery.still_open] == [State.UNKNOWN]
    assert recovery.error is not None
    assert recovery.error.code == "BACKEND_BAD_MESSAGE"
    assert centre.reversed == []


def test_an_activation_of_another_card_closes_nothing(terminal: Terminal, centre: Centre) -> None:
    operation = sent_activation(terminal)
    result = ActivationResult(operation.number, replace(status_of("active"), card=OTHER))
    centre.operations[operation.number] = OperationState(
        operation.number, "confirmed", activation=result
    )
    assert terminal.recover().closed == ()


def test_while_the_centre_is_away_operations_stay_open_and_are_resolved_later(
    terminal: Terminal, centre: Centre
) -> None:
    first, second = sent_settlement(terminal), unknown_settlement(terminal)
    prepared = prepared_settlement(terminal)
    centre.away = Unreachable
    recovery = terminal.recover()
    assert [o.number for o in recovery.closed] == [prepared.number]
    assert {o.number for o in recovery.still_open} == {first.number, second.number}
    assert recovery.error is not None
    assert recovery.error.code == Unreachable.code
    assert len(centre.requests) <= 3, "a dead centre is not asked once for every row"
    assert terminal.try_resolve(recovery.still_open[0]).state is State.UNKNOWN
    centre.away = None
    assert terminal.recover().still_open == ()
    assert terminal.journal.verify_chain().ok


def test_a_lost_answer_to_the_reversal_is_asked_again(terminal: Terminal, centre: Centre) -> None:
    operation = unknown_settlement(terminal)
    asked: list[str] = []
    answer = centre.answer

    def lose_the_first(request: Request) -> Message:
        found = answer(request)
        asked.append(request.path)
        if request.path.endswith("reverse") and asked.count(request.path) == 1:
            raise NoReply("lost")
        return found

    centre.answer = lose_the_first  # type: ignore[method-assign]  # the fault under test
    assert terminal.recover().closed == ()
    centre.operations[operation.number] = OperationState(operation.number, "reversed")
    assert [o.state for o in terminal.recover().closed] == [State.REVERSED]


def test_resolution_leaves_what_has_ended(terminal: Terminal) -> None:
    done = terminal.journal.refuse(sent_settlement(terminal), Evidence.ANSWER, "NO")
    assert resolve(done, terminal.journal, terminal.centre) == done


def test_what_a_visit_has_in_hand_is_not_resolved_behind_its_back(terminal: Terminal) -> None:
    prepared = prepared_settlement(terminal, in_hand=True)
    sent = sent_settlement(terminal, in_hand=True)
    unknown = unknown_settlement(terminal)
    assert [o.number for o in terminal.resolve_unknown().closed] == [unknown.number]
    assert {o.number for o in terminal.journal.open_operations()} == {prepared.number, sent.number}
    assert terminal.recover().closed == ()
    terminal.journal.let_go(prepared)
    assert [o.number for o in terminal.resolve_unknown().closed] == [prepared.number]
    terminal.journal.let_go(sent)
    assert [o.number for o in terminal.resolve_unknown().closed] == [sent.number]


def test_one_operation_is_resolved_by_one_at_a_time(terminal: Terminal, centre: Centre) -> None:
    """Whoever asks meanwhile waits, and then finds it ended."""
    operation = unknown_settlement(terminal)
    centre.operations[operation.number] = booked(operation.number)
    free: list[bool] = []

    def look(request: Request) -> None:
        if request.path == "/v1/operations/query":
            lock = terminal.journal.resolving
            other = Thread(target=lambda: free.append(lock.acquire(blocking=False)))
            other.start()
            other.join()

    centre.meddle = look
    assert terminal.try_resolve(operation).state is State.CONFIRMED
    assert free == [False]
    assert terminal.try_resolve(operation).state is State.CONFIRMED, "an old copy of the row"
    assert centre.requests.count("/v1/operations/query") == 1


def test_a_row_that_ended_meanwhile_is_returned_as_it_ended(
    terminal: Terminal, centre: Centre
) -> None:
    operation = unknown_settlement(terminal)
    centre.operations[operation.number] = booked(operation.number)

    def overtake(request: Request) -> None:
        centre.meddle = lambda _: None
        terminal.resolve_unknown()

    centre.meddle = overtake
    recovery = terminal.resolve_unknown()
    assert [o.state for o in recovery.closed] == [State.CONFIRMED]
    assert recovery.error is None


def test_one_row_that_cannot_be_resolved_keeps_no_other_waiting(
    terminal: Terminal, centre: Centre
) -> None:
    first, second = unknown_settlement(terminal), unknown_settlement(terminal)

    def break_down(request: Request) -> None:
        if first.number.encode() in request.body:
            raise ValueError("a fault of the program")

    centre.meddle = break_down
    recovery = terminal.resolve_unknown()
    assert [o.number for o in recovery.closed] == [second.number]
    assert [(o.number, o.state) for o in recovery.still_open] == [(first.number, State.UNKNOWN)]
    assert recovery.error is not None
    assert recovery.error.code == "INTERNAL_ERROR"


def test_what_the_centre_said_to_a_reversal_is_kept(terminal: Terminal) -> None:
    operation = unknown_settlement(terminal)
    terminal.recover()
    ended = terminal.journal.find(operation.number)
    assert ended is not None
    assert ended.result == encode(Reversal(operation.number, found=False, reversed_at=NOW))


def test_a_card_with_an_unknown_operation_settles_nothing_until_it_is_resolved(
    terminal: Terminal, centre: Centre
) -> None:
    unknown_settlement(terminal)
    answer = centre.answer

    def no_queries(request: Request) -> Message:
        if "operations" in request.path:
            raise NoReply("lost")
        return answer(request)

    centre.answer = no_queries  # type: ignore[method-assign]  # the fault under test
    assert reason(terminal, Function.SETTLEMENT) is Reason.OPERATION_OPEN
    assert reason(terminal, Function.QUERY) is None
    centre.states[OTHER.card_id] = replace(status_of("active"), card=OTHER)
    other = replace(FACTS, card_id=OTHER.card_id, card_number=OTHER.card_number)
    assert reason(terminal, Function.SETTLEMENT, other) is None
    centre.answer = answer  # type: ignore[method-assign]  # the network is back
    assert reason(terminal, Function.SETTLEMENT) is None
    assert terminal.journal.open_operations() == ()


def test_what_is_only_prepared_stands_in_nobodys_way(terminal: Terminal) -> None:
    """Admission is asked again right before money is committed: its own row is no obstacle."""
    prepared = prepared_settlement(terminal)
    assert reason(terminal, Function.SETTLEMENT) is None
    assert terminal.journal.find(prepared.number) == prepared


def test_with_too_much_unfinished_nothing_new_is_begun(terminal: Terminal, centre: Centre) -> None:
    for _ in range(terminal.settings.limits.open_operations):
        operation = terminal.journal.prepare(Kind.SETTLEMENT, OTHER, {})
        terminal.journal.unknown(terminal.journal.mark_sent(operation))
    assert reason(terminal, Function.SETTLEMENT) is Reason.TOO_MANY_OPEN
    assert reason(terminal, Function.QUERY) is None
    assert terminal.resolve_unknown().still_open == ()
    assert reason(terminal, Function.SETTLEMENT) is None


def test_a_journal_that_does_not_hold_together_serves_nobody(terminal: Terminal) -> None:
    prepared_settlement(terminal)
    with terminal.store.writing() as connection:
        connection.exec_driver_sql("UPDATE operation SET kind='activation'")
    with pytest.raises(StoreDamaged, match="not as its last event left it"):
        terminal.recover()
