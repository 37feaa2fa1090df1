"""Everything that can go wrong in a function: each has its own end, and nothing is lost or doubled.

Card, terminal, network and back office are the real parts, in this process.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from apdu.pin import Pin
from apdu.readers.inprocess import InProcessReader
from apdu.status import CardError, CardRemoved, PinBlocked
from backend_client.errors import BadMessage, NotEnrolled, Unreachable
from backend_client.messages import (
    AccountOverview,
    BillList,
    Problem,
    Settlement,
    Trial,
    dump,
    load,
)
from backend_client.transport import Reply
from simulator.backoffice.seed import DEVELOPMENT_CODE
from simulator.card.card import SimulatedCard
from simulator.card.description import CardProfile
from simulator.card.profile import load_profile
from simulator.city import card_ref
from simulator.clock import SimulatedClock
from simulator.embedded import embedded_scene
from simulator.network import Fault
from simulator.scene import Audience, Scene
from simulator.story import BEGINS, INITIAL_PIN, OWN_PIN
from terminal.drivers.scripted import Scripted
from terminal.errors import StoreFull, StoreUnavailable
from terminal.outcome import (
    Cancelled,
    Done,
    Failed,
    Outcome,
    Refused,
    Stopped,
    TimedOut,
    Unknown,
    closing,
)
from terminal.policy import Function
from terminal.reasons import Reason
from terminal.receipt import Receipt
from terminal.screens import AskPin, Choose, Confirm, Message, ReceiptScreen, Screen, Tone
from terminal.store.journal import Evidence, Journal, Operation, State

ADULT, FRESH, OLD, FORGED = (
    load_profile(name) for name in ("adult-3.0", "not-active", "adult-1.0", "forged")
)
PIN = "246810"
BILL = "B2026031000001"
BILL_FEN = 25020
CONFIRM, QUERY, REVERSE = "/v1/settlements", "/v1/operations/query", "/v1/operations/reverse"
TRIAL, BILLS, ACTIVATE = "/v1/settlements/trial", "/v1/bills/search", "/v1/activations"
BLACKLIST = "/v1/blacklist"
UNAUTHORISED = Problem("about:blank", "no", 401, "UNAUTHORIZED")


@dataclass(frozen=True)
class Job:
    """One function as a holder uses it, and what is asked when it is used again."""

    function: Function
    profile: CardProfile
    answers: tuple[Scripted, ...]


READ = Job(Function.READ, ADULT, ())
LOOK_UP = Job(Function.QUERY, ADULT, (PIN,))
CHANGE_PIN = Job(Function.PIN_CHANGE, ADULT, (PIN, OWN_PIN, OWN_PIN))
ACTIVATION = Job(Function.ACTIVATION, FRESH, (True, INITIAL_PIN, OWN_PIN, OWN_PIN))
SETTLEMENT = Job(Function.SETTLEMENT, ADULT, (PIN, BILL, True))
JOBS = (READ, LOOK_UP, CHANGE_PIN, ACTIVATION, SETTLEMENT)
EVERY_JOB = pytest.mark.parametrize("job", JOBS, ids=lambda job: job.function.value)


def chip_of(profile: CardProfile) -> SimulatedCard:
    return SimulatedCard(profile, random=random.Random(9).randbytes)


class Chip:
    """A card under somebody's hand: `meddle` sees every command and may answer in its stead."""

    def __init__(self, inner: SimulatedCard) -> None:
        self.inner = inner
        self.count = 0
        self.meddle: Callable[[int, bytes], bytes | None] = lambda _count, _command: None

    def power_on(self) -> bytes:
        return self.inner.power_on()

    def power_off(self) -> None:
        self.inner.power_off()

    def transmit(self, command: bytes) -> bytes:
        self.count += 1
        answer = self.meddle(self.count, command)
        return self.inner.transmit(command) if answer is None else answer


def pull_at(chip: Chip, reader: InProcessReader, at: int, *, done: bool) -> None:
    """Pull the card at its command number `at`, after (`done`) or before it takes effect."""

    def meddle(count: int, command: bytes) -> bytes | None:
        if count != at:
            return None
        answer = chip.inner.transmit(command) if done else b"\x6f\x00"
        reader.remove()
        return answer

    chip.meddle = meddle


def serve(scene: Scene, chip: Chip | SimulatedCard, job: Job, *answers: Scripted) -> Outcome:
    """One use of a function; a card that fails before it is a failure of it."""
    try:
        return scene.serve(chip, job.function, *(answers or job.answers))
    except CardError as error:
        return Failed(error)


def money(scene: Scene) -> int:
    """What is in the adult's accounts."""
    account = scene.terminal.client.account(card_ref(ADULT))
    return account.current_account_fen + account.past_accounts_fen


def open_bills(scene: Scene, profile: CardProfile = ADULT) -> int:
    return len(scene.terminal.client.bills(card_ref(profile)).bills)


def is_active(scene: Scene, profile: CardProfile) -> bool:
    return scene.terminal.client.card_status(card_ref(profile)).social_active


def operations(scene: Scene) -> dict[State, int]:
    counts = scene.terminal.journal.counts()
    return {state: count for state, count in counts.items() if count}


def assert_in_order(scene: Scene) -> None:
    """Nothing is left open, the journal holds together, and the next card is served."""
    journal = scene.terminal.journal
    assert journal.open_operations() == ()
    assert journal.verify_chain().ok
    assert isinstance(serve(scene, chip_of(load_profile("adult-2.0")), READ), Done)


class Meanwhile(Audience):
    """Does something once, when the first screen of a kind is shown."""

    def __init__(self, kind: type[Screen], happens: Callable[[], object]) -> None:
        self._kind = kind
        self._happens: Callable[[], object] | None = happens

    def saw(self, screen: Screen) -> None:
        if isinstance(screen, self._kind) and self._happens is not None:
            happens, self._happens = self._happens, None
            happens()


@contextmanager
def fresh_scene(directory: Path) -> Iterator[Scene]:
    chance = random.Random(5).randbytes
    with embedded_scene(directory, clock=SimulatedClock(BEGINS), random=chance) as scene:
        scene.terminal.enrol(DEVELOPMENT_CODE.code)
        assert scene.terminal.sync().error is None
        yield scene


# A card that is pulled


def commands_of(scene: Scene, job: Job) -> int:
    chip = Chip(chip_of(job.profile))
    assert isinstance(serve(scene, chip, job), Done)
    return chip.count


def has_pin(chip: SimulatedCard, pin: str) -> bool:
    """Whether this is the card's PIN now."""
    reader = InProcessReader("bench", chip)
    connection = reader.connect()
    select = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF00")
    connection.transmit(select)
    with Pin(pin) as entered:
        packed = entered.packed()
    answer = connection.transmit(bytes((0, 0x20, 0, 0, len(packed))) + packed)
    connection.close()
    return answer == b"\x90\x00"


def assert_torn(outcome: Outcome) -> None:
    assert isinstance(outcome, Failed), outcome
    assert isinstance(outcome.error, CardRemoved)


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("job", [READ, LOOK_UP], ids=lambda job: job.function.value)
def test_a_card_pulled_while_it_is_read_changes_nothing(scene: Scene, job: Job, done: bool) -> None:
    chip = chip_of(job.profile)
    assert isinstance(scene.reader, InProcessReader)
    for at in range(1, commands_of(scene, job) + 1):
        held = Chip(chip)
        pull_at(held, scene.reader, at, done=done)
        assert_torn(serve(scene, held, job))
        assert_in_order(scene)
    assert isinstance(serve(scene, chip, job), Done)


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_card_pulled_while_its_pin_changes_has_one_of_the_two(scene: Scene, done: bool) -> None:
    seen: set[str] = set()
    assert isinstance(scene.reader, InProcessReader)
    for at in range(1, commands_of(scene, CHANGE_PIN) + 1):
        chip = chip_of(ADULT)
        held = Chip(chip)
        pull_at(held, scene.reader, at, done=done)
        outcome = serve(scene, held, CHANGE_PIN)
        assert_torn(outcome)
        assert_in_order(scene)
        changed = has_pin(chip, OWN_PIN)
        assert changed or has_pin(chip, PIN)
        if changed:
            assert isinstance(outcome, Failed)
            assert outcome.changed is not None, "the holder is told that it may have changed"
        seen.add("new" if changed else "old")
        old, new = (OWN_PIN, "135791") if changed else (PIN, OWN_PIN)
        assert isinstance(serve(scene, chip, CHANGE_PIN, old, new, new), Done)
    assert seen == ({"old", "new"} if done else {"old"})


@pytest.mark.article(12)
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_an_activation_torn_anywhere_is_completed_by_the_next(tmp_path: Path, done: bool) -> None:
    (tmp_path / "good").mkdir()
    with fresh_scene(tmp_path / "good") as scene:
        commands = commands_of(scene, ACTIVATION)
    with fresh_scene(tmp_path) as scene:
        assert isinstance(scene.reader, InProcessReader)
        for at in range(1, commands + 1):
            chip = chip_of(FRESH)
            held = Chip(chip)
            pull_at(held, scene.reader, at, done=done)
            assert_torn(serve(scene, held, ACTIVATION))
            assert_in_order(scene)
            assert not is_active(scene, FRESH)
            assert has_pin(chip, OWN_PIN if done and at == commands else INITIAL_PIN)
        # The last one was torn at the change of its PIN, before or after it took effect.
        again = (True, OWN_PIN) if done else ACTIVATION.answers
        assert isinstance(serve(scene, chip, ACTIVATION, *again), Done)
        assert is_active(scene, FRESH)
        assert has_pin(chip, OWN_PIN)
        assert operations(scene) == {State.CONFIRMED: 1}


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_settlement_torn_anywhere_charges_nothing_and_works_again(
    tmp_path: Path, done: bool
) -> None:
    (tmp_path / "good").mkdir()
    with fresh_scene(tmp_path / "good") as scene:
        before = money(scene)
        commands = commands_of(scene, SETTLEMENT)
        assert money(scene) == before - BILL_FEN
    with fresh_scene(tmp_path) as scene:
        chip = chip_of(ADULT)
        assert isinstance(scene.reader, InProcessReader)
        for at in range(1, commands + 1):
            held = Chip(chip)
            pull_at(held, scene.reader, at, done=done)
            assert_torn(serve(scene, held, SETTLEMENT))
            assert_in_order(scene)
            assert money(scene) == before
            assert open_bills(scene) == 1
        assert isinstance(serve(scene, chip, SETTLEMENT), Done)
        assert money(scene) == before - BILL_FEN
        assert operations(scene)[State.CONFIRMED] == 1


def test_a_card_pulled_once_money_moves_is_settled_all_the_same(scene: Scene) -> None:
    """From the confirm on the card is not needed; who pulls it then still gets the receipt."""
    before = money(scene)
    reader = scene.reader
    assert isinstance(reader, InProcessReader)

    def pull(reply: Reply) -> Reply:
        reader.remove()
        return reply

    scene.network.garble(CONFIRM, pull)
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(outcome, Done)
    assert isinstance(outcome.receipt, Receipt)
    assert money(scene) == before - BILL_FEN


# The holder leaves


@pytest.mark.parametrize("leaves", [Cancelled(), TimedOut()], ids=["cancel", "time-out"])
@EVERY_JOB
def test_leaving_at_any_question_changes_nothing(scene: Scene, job: Job, leaves: Exception) -> None:
    chip = chip_of(job.profile)
    before = money(scene)
    for number in range(len(job.answers)):
        outcome = serve(scene, chip, job, *job.answers[:number], leaves)
        assert isinstance(outcome, Stopped)
        assert_in_order(scene)
    assert money(scene) == before
    assert is_active(scene, job.profile) == (job.profile is ADULT)
    assert isinstance(serve(scene, chip, job), Done)


def test_saying_no_to_the_amounts_settles_nothing(scene: Scene) -> None:
    before = money(scene)
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT, PIN, BILL, False)
    assert isinstance(outcome, Stopped)
    assert CONFIRM not in scene.network.paths
    assert money(scene) == before
    assert operations(scene) == {State.REVERSED: 1}


# PIN, forged card, old card, garbage


def test_a_blocked_pin_settles_nothing(scene: Scene) -> None:
    chip = chip_of(ADULT)
    outcome = serve(scene, chip, SETTLEMENT, "111111", "222222", "333333")
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, PinBlocked)
    again = serve(scene, chip, SETTLEMENT)
    assert isinstance(again, Failed)
    assert isinstance(again.error, PinBlocked)
    assert operations(scene) == {}
    assert_in_order(scene)


@pytest.mark.article(26)
@EVERY_JOB
def test_a_forged_card_is_refused_everything(scene: Scene, job: Job) -> None:
    outcome = serve(scene, chip_of(FORGED), job)
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.article) == (Reason.NOT_AUTHENTIC, 26)
    assert "/v1/cards/status" not in scene.network.paths, "nobody is asked about a forged card"
    assert scene.terminal.audit.latest(1)[0].outcome == "refused"
    assert_in_order(scene)


@pytest.mark.article(30)
def test_an_old_card_is_read_and_nothing_else(scene: Scene) -> None:
    assert isinstance(serve(scene, chip_of(OLD), READ), Done)
    for job in (LOOK_UP, CHANGE_PIN, ACTIVATION, SETTLEMENT):
        outcome = serve(scene, chip_of(OLD), job)
        assert isinstance(outcome, Refused)
        assert (outcome.code, outcome.article) == (Reason.STOPPED_OLD_CARD, 30)


GARBAGE = {
    "nothing": b"",
    "half a status word": b"\x90",
    "an unknown status word": b"\x12\x34",
    "an endless answer": b"\xff" * 5 + b"\x61\x10",
    "a wrong length": b"\x6c\x05",
    "zeros": bytes(64) + b"\x90\x00",
    "nested lengths": b"\x6f\xff\x84\xff" * 8 + b"\x90\x00",
}


def answering_from(at: int, garbage: bytes) -> Callable[[int, bytes], bytes | None]:
    return lambda count, _command: garbage if count >= at else None


@pytest.mark.parametrize("garbage", list(GARBAGE.values()), ids=list(GARBAGE))
@pytest.mark.parametrize("job", [LOOK_UP, SETTLEMENT], ids=lambda job: job.function.value)
def test_garbage_from_the_card_ends_in_a_typed_error(
    scene: Scene, job: Job, garbage: bytes
) -> None:
    before = money(scene)
    for at in range(1, 13):
        chip = Chip(chip_of(job.profile))
        chip.meddle = answering_from(at, garbage)
        outcome = serve(scene, chip, job)
        assert isinstance(outcome, Failed | Refused | Stopped | Done), outcome
        if isinstance(outcome, Failed):
            assert isinstance(outcome.error, CardError)
        if isinstance(outcome, Refused):
            assert outcome.code in (Reason.NOT_AUTHENTIC, "PIN_NOT_SET")
        if isinstance(outcome, Done):
            # It was through before the garbage began, or the garbage said 9000 to VERIFY, which is
            # all that any card says to it.
            assert chip.count < at or (job is LOOK_UP and garbage.endswith(b"\x90\x00"))
        assert_in_order(scene)
        if job is SETTLEMENT and isinstance(outcome, Done):
            break
        assert money(scene) == before


# The back office


def test_without_the_back_office_nothing_of_value_begins(scene: Scene) -> None:
    scene.network.connected = False
    for job in (ACTIVATION, SETTLEMENT):
        outcome = serve(scene, chip_of(job.profile), job)
        assert isinstance(outcome, Refused)
        assert outcome.code == Reason.OFFLINE
    assert operations(scene) == {}
    assert isinstance(serve(scene, chip_of(ADULT), LOOK_UP), Done), "reading goes on"
    assert_in_order(scene)


@pytest.mark.parametrize("path", [BILLS, TRIAL])
def test_a_back_office_that_dies_before_the_confirm_charges_nothing(
    scene: Scene, path: str
) -> None:
    before = money(scene)
    scene.network.fail(path, *[Fault.REFUSED_CONNECTION] * 3)
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, Unreachable)
    assert_in_order(scene)
    assert money(scene) == before
    assert isinstance(serve(scene, chip_of(ADULT), SETTLEMENT), Done)


@pytest.mark.parametrize("job", [ACTIVATION, SETTLEMENT], ids=lambda job: job.function.value)
def test_a_commit_that_cannot_leave_is_closed_as_never_sent(scene: Scene, job: Job) -> None:
    path = ACTIVATE if job is ACTIVATION else CONFIRM
    before = money(scene)
    scene.network.fail(path, Fault.REFUSED_CONNECTION)
    chip = chip_of(job.profile)
    outcome = serve(scene, chip, job)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, Unreachable)
    assert operations(scene) == {State.REFUSED: 1}
    assert money(scene) == before
    assert scene.network.paths.count(path) == 1, "it is not sent again by itself"
    assert_in_order(scene)


@pytest.mark.parametrize("job", [ACTIVATION, SETTLEMENT], ids=lambda job: job.function.value)
@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.SENT_TWICE], ids=lambda f: f.value)
def test_what_was_done_counts_once_although_its_answer_was_lost(
    scene: Scene, job: Job, fault: Fault
) -> None:
    before = money(scene)
    scene.network.fail(ACTIVATE if job is ACTIVATION else CONFIRM, fault)
    outcome = serve(scene, chip_of(job.profile), job)
    assert isinstance(outcome, Done)
    assert operations(scene) == {State.CONFIRMED: 1}
    assert is_active(scene, job.profile)
    paid = BILL_FEN if job is SETTLEMENT else 0
    assert money(scene) == before - paid
    if job is SETTLEMENT:
        assert isinstance(outcome.receipt, Receipt)
        assert open_bills(scene) == 0
    assert_in_order(scene)


@pytest.mark.parametrize("job", [ACTIVATION, SETTLEMENT], ids=lambda job: job.function.value)
def test_what_never_arrived_is_reversed_and_may_begin_again(scene: Scene, job: Job) -> None:
    before = money(scene)
    scene.network.fail(ACTIVATE if job is ACTIVATION else CONFIRM, Fault.REQUEST_LOST)
    chip = chip_of(job.profile)
    outcome = serve(scene, chip, job)
    assert isinstance(outcome, Refused)
    assert outcome.code == "OPERATION_REVERSED"
    assert REVERSE in scene.network.paths
    assert operations(scene) == {State.REVERSED: 1}
    assert money(scene) == before
    assert_in_order(scene)
    again = (True, OWN_PIN) if job is ACTIVATION else job.answers
    assert isinstance(serve(scene, chip, job, *again), Done)
    assert is_active(scene, job.profile)


@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.REQUEST_LOST], ids=lambda f: f.value)
def test_an_outcome_that_nobody_knows_gives_a_slip_and_waits(scene: Scene, fault: Fault) -> None:
    before = money(scene)
    scene.network.fail(CONFIRM, fault)
    scene.network.fail(QUERY, *[Fault.REQUEST_LOST] * 6)
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(outcome, Unknown)
    assert outcome.number == outcome.slip.number
    assert "勿重复付款" in outcome.slip.notes[0].zh
    assert operations(scene) == {State.UNKNOWN: 1}
    blocked = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(blocked, Refused)
    assert blocked.code == Reason.OPERATION_OPEN
    assert isinstance(serve(scene, chip_of(ADULT), LOOK_UP), Done), "reading goes on"
    assert isinstance(serve(scene, chip_of(load_profile("child")), READ), Done)
    recovery = scene.terminal.resolve_unknown()
    assert recovery.still_open == ()
    settled = fault is Fault.ANSWER_LOST
    assert money(scene) == before - (BILL_FEN if settled else 0)
    assert open_bills(scene) == (0 if settled else 1)
    assert operations(scene) == {State.CONFIRMED if settled else State.REVERSED: 1}
    assert_in_order(scene)


@pytest.mark.parametrize(
    "change",
    [
        lambda reply: Reply(200, b"not json", reply.headers),
        lambda reply: Reply(200, b"{}", reply.headers),
        lambda reply: Reply(500, b"<html>", {}),
        lambda reply: Reply(reply.status, reply.body[:-5], reply.headers),
    ],
    ids=["not json", "empty", "a proxy's page", "cut off"],
)
def test_a_garbled_answer_to_a_confirm_is_asked_for_again(
    scene: Scene, change: Callable[[Reply], Reply]
) -> None:
    before = money(scene)
    scene.network.garble(CONFIRM, change)
    assert isinstance(serve(scene, chip_of(ADULT), SETTLEMENT), Done)
    assert scene.network.paths.count(CONFIRM) == 1
    assert money(scene) == before - BILL_FEN
    assert_in_order(scene)


def test_a_confirm_of_other_amounts_is_not_believed(scene: Scene) -> None:
    def other(reply: Reply) -> Reply:
        settlement = load(Settlement, reply.body)
        split = replace(settlement.split, total_fen=1)
        return Reply(reply.status, dump(replace(settlement, split=split)), reply.headers)

    scene.network.garble(CONFIRM, other)
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(outcome, Done)
    assert outcome.receipt is not None
    assert any(line.value == "¥ 250.20" for line in outcome.receipt.lines)
    assert_in_order(scene)


def test_a_split_that_does_not_add_up_is_refused(scene: Scene) -> None:
    before = money(scene)

    def unbalanced(reply: Reply) -> Reply:
        trial = load(Trial, reply.body)
        split = replace(trial.split, cash_fen=trial.split.cash_fen + 1)
        return Reply(reply.status, dump(replace(trial, split=split)), reply.headers)

    scene.network.garble(TRIAL, unbalanced)
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(outcome, Refused)
    assert outcome.code == "SPLIT_DOES_NOT_ADD_UP"
    assert CONFIRM not in scene.network.paths
    assert money(scene) == before
    assert_in_order(scene)


def test_a_bill_that_does_not_add_up_is_refused(scene: Scene) -> None:
    def unbalanced(reply: Reply) -> Reply:
        found = load(BillList, reply.body)
        bills = tuple(replace(bill, total_fen=bill.total_fen - 1) for bill in found.bills)
        return Reply(reply.status, dump(replace(found, bills=bills)), reply.headers)

    scene.network.garble(BILLS, unbalanced)
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(outcome, Refused)
    assert outcome.code == "BILL_DOES_NOT_ADD_UP"
    assert operations(scene) == {}
    assert_in_order(scene)


@pytest.mark.article(25)
def test_another_holders_account_is_never_shown(scene: Scene) -> None:
    def mixed_up(reply: Reply) -> Reply:
        account = load(AccountOverview, reply.body)
        return Reply(200, dump(replace(account, card=card_ref(FRESH))), reply.headers)

    seen: list[Screen] = []

    class Witness(Audience):
        def saw(self, screen: Screen) -> None:
            seen.append(screen)

    scene.audience = Witness()
    scene.network.garble("/v1/cards/account", mixed_up)
    assert isinstance(serve(scene, chip_of(ADULT), LOOK_UP), Done)
    shown = str(seen)
    assert BadMessage.code in shown
    assert "1,260.00" not in shown


@pytest.mark.parametrize(
    "faults",
    [
        {ACTIVATE: [Fault.REFUSED_CONNECTION]},
        {ACTIVATE: [Fault.REQUEST_LOST]},
        {ACTIVATE: [Fault.REQUEST_LOST], QUERY: [Fault.REQUEST_LOST] * 3},
    ],
    ids=["refused connection", "reversed", "unknown"],
)
def test_a_holder_whose_pin_is_new_is_told_so_when_the_activation_fails(
    scene: Scene, faults: dict[str, list[Fault]]
) -> None:
    for path, several in faults.items():
        scene.network.fail(path, *several)
    chip = chip_of(FRESH)
    told = str(closing(serve(scene, chip, ACTIVATION)))
    assert "下次请用新密码" in told
    assert has_pin(chip, OWN_PIN)


# What changes while the holder thinks


@pytest.mark.article(18)
def test_a_loss_reported_while_the_holder_looks_at_the_amounts_stops_the_settlement(
    scene: Scene,
) -> None:
    before = money(scene)

    def report() -> None:
        scene.office.report_temporary_loss(card_ref(ADULT))
        scene.terminal.sync()

    scene.audience = Meanwhile(Confirm, report)
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(outcome, Refused)
    assert (outcome.code, outcome.article) == (Reason.LISTED_TEMPORARY_LOSS, 18)
    assert CONFIRM not in scene.network.paths
    scene.office.release_loss(card_ref(ADULT))
    assert money(scene) == before
    assert_in_order(scene)


def test_amounts_that_have_expired_are_not_settled(scene: Scene) -> None:
    before = money(scene)
    clock = scene.clock
    scene.audience = Meanwhile(Confirm, lambda: clock.advance(timedelta(minutes=16)))
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(outcome, Refused)
    assert outcome.code == "TRIAL_EXPIRED"
    assert money(scene) == before
    assert_in_order(scene)


def test_a_card_swapped_before_the_confirm_settles_nothing(scene: Scene) -> None:
    before = money(scene)
    reader = scene.reader
    assert isinstance(reader, InProcessReader)

    def swap() -> None:
        reader.remove()
        reader.insert(chip_of(FRESH))

    scene.audience = Meanwhile(Confirm, swap)
    assert_torn(serve(scene, chip_of(ADULT), SETTLEMENT))
    assert CONFIRM not in scene.network.paths
    assert money(scene) == before
    assert_in_order(scene)


# The disk


def test_a_full_disk_before_sending_sends_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Operation:
        raise StoreFull("no space left")

    monkeypatch.setattr(Journal, "mark_sent", full)
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, StoreFull)
    assert CONFIRM not in scene.network.paths
    monkeypatch.undo()
    assert operations(scene) == {State.REVERSED: 1}, "it was closed at once"
    assert_in_order(scene)
    assert isinstance(serve(scene, chip_of(ADULT), SETTLEMENT), Done)


def test_a_full_disk_that_lets_nothing_be_closed_leaves_it_to_the_running_terminal(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Operation:
        raise StoreFull("no space left")

    def broken(*_: object) -> Operation:
        raise StoreUnavailable("and then the disk is gone")

    monkeypatch.setattr(Journal, "mark_sent", full)
    monkeypatch.setattr(Journal, "reverse", broken)
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, StoreFull), "not what went wrong in closing it"
    monkeypatch.undo()
    assert operations(scene) == {State.PREPARED: 1}
    assert len(scene.terminal.resolve_unknown().closed) == 1
    assert_in_order(scene)


def test_a_row_marked_as_sent_although_that_failed_is_closed_as_never_sent(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = Journal.mark_sent

    def late(self: Journal, prepared: Operation, payload: Mapping[str, Any]) -> Operation:
        mark(self, prepared, payload)
        raise StoreFull("after all")

    monkeypatch.setattr(Journal, "mark_sent", late)
    assert isinstance(serve(scene, chip_of(ADULT), SETTLEMENT), Failed)
    assert CONFIRM not in scene.network.paths
    assert operations(scene) == {State.REFUSED: 1}
    assert_in_order(scene)


def test_a_full_disk_after_sending_leaves_it_to_recovery(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = money(scene)

    def full(*_: object) -> Operation:
        raise StoreFull("no space left")

    monkeypatch.setattr(Journal, "confirm", full)
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(outcome, Unknown), "money has moved, so nobody says that nothing happened"
    monkeypatch.undo()
    recovery = scene.terminal.resolve_unknown()
    assert [operation.state for operation in recovery.closed] == [State.CONFIRMED]
    assert recovery.closed[0].evidence is Evidence.QUERY
    assert money(scene) == before - BILL_FEN
    assert_in_order(scene)


@pytest.mark.parametrize("job", [ACTIVATION, SETTLEMENT], ids=lambda job: job.function.value)
def test_nothing_after_the_confirmation_is_told_as_a_failure(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, job: Job
) -> None:
    """Neither the status that cannot be kept, nor the receipt that cannot be made."""

    def broken(*_: object) -> None:
        raise StoreFull("no space left")

    monkeypatch.setattr(Journal, "told", broken)
    monkeypatch.setattr("terminal.functions.activation.decode", broken)
    monkeypatch.setattr("terminal.functions.receipts.decode", broken)
    outcome = serve(scene, chip_of(job.profile), job)
    assert isinstance(outcome, Done)
    assert operations(scene) == {State.CONFIRMED: 1}
    if job is SETTLEMENT:
        assert outcome.receipt is not None
        assert scene.terminal.journal.find(outcome.receipt.number) is not None
        assert "补打" in outcome.receipt.notes[0].zh


# Two who ask at once, and faults of the program


@pytest.mark.parametrize("job", [ACTIVATION, SETTLEMENT], ids=lambda job: job.function.value)
def test_what_the_background_has_resolved_is_told_as_it_ended(scene: Scene, job: Job) -> None:
    def overtake(reply: Reply) -> Reply:
        scene.terminal.resolve_unknown()
        return reply

    scene.network.fail(ACTIVATE if job is ACTIVATION else CONFIRM, Fault.ANSWER_LOST)
    scene.network.garble(QUERY, overtake)
    outcome = serve(scene, chip_of(job.profile), job)
    assert isinstance(outcome, Done)
    assert (outcome.receipt is not None) is (job is SETTLEMENT)
    assert operations(scene) == {State.CONFIRMED: 1}
    assert_in_order(scene)


def breaks_down(_: Reply) -> Reply:
    raise ValueError("a fault of the program")


def test_a_fault_of_the_program_while_sending_is_a_lost_answer(scene: Scene) -> None:
    before = money(scene)
    scene.network.garble(CONFIRM, breaks_down)
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(outcome, Done)
    assert outcome.receipt is not None
    assert money(scene) == before - BILL_FEN
    assert_in_order(scene)


def test_a_fault_of_the_program_while_asking_gives_a_slip(scene: Scene) -> None:
    scene.network.garble(CONFIRM, breaks_down)
    scene.network.garble(QUERY, breaks_down)
    assert isinstance(serve(scene, chip_of(ADULT), SETTLEMENT), Unknown)
    assert operations(scene) == {State.UNKNOWN: 1}
    assert [o.state for o in scene.terminal.resolve_unknown().closed] == [State.CONFIRMED]
    assert_in_order(scene)


def test_a_token_that_the_centre_refuses_is_an_answer(scene: Scene) -> None:
    scene.network.garble(CONFIRM, lambda _: Reply(401, dump(UNAUTHORISED), {}))
    outcome = serve(scene, chip_of(ADULT), SETTLEMENT)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NotEnrolled)
    assert operations(scene) == {State.REFUSED: 1}
    with scene.terminal.store.reading() as connection:
        closed_by = connection.exec_driver_sql("SELECT evidence FROM operation").scalars().all()
    assert closed_by == [Evidence.ANSWER.value]


# What became of it, told to who comes back


def shown(scene: Scene, chip: SimulatedCard, job: Job, *answers: Scripted) -> list[Screen]:
    """The screens of one use of a function."""
    seen: list[Screen] = []

    class Witness(Audience):
        def saw(self, screen: Screen) -> None:
            seen.append(screen)

    scene.audience = Witness()
    serve(scene, chip, job, *answers)
    return seen


def numbers_told(screens: list[Screen]) -> list[str]:
    return [screen.receipt.number for screen in screens if isinstance(screen, ReceiptScreen)]


def left_unknown(scene: Scene, job: Job, fault: Fault, chip: SimulatedCard) -> str:
    """Serve `job` so that its holder leaves with a slip; the number on it."""
    scene.network.fail(ACTIVATE if job is ACTIVATION else CONFIRM, fault)
    scene.network.fail(QUERY, *[Fault.REQUEST_LOST] * 3)
    outcome = serve(scene, chip, job)
    assert isinstance(outcome, Unknown)
    return outcome.number


@pytest.mark.parametrize("by", ["admission", "recovery"])
def test_a_settlement_confirmed_later_gives_its_receipt_once(scene: Scene, by: str) -> None:
    chip = chip_of(ADULT)
    number = left_unknown(scene, SETTLEMENT, Fault.ANSWER_LOST, chip)
    if by == "recovery":
        assert len(scene.terminal.recover().closed) == 1
    other = load_profile("adult-2.0")
    assert other.pin is not None
    assert numbers_told(shown(scene, chip_of(other), LOOK_UP, other.pin.value)) == []
    assert numbers_told(shown(scene, chip, READ)) == [], "not before the PIN"
    screens = shown(scene, chip, SETTLEMENT, PIN)
    assert numbers_told(screens) == [number]
    (receipt,) = [s.receipt for s in screens if isinstance(s, ReceiptScreen)]
    assert any(line.value == "¥ 250.20" for line in receipt.lines)
    last = screens[-1]
    assert isinstance(last, Message)
    assert last.title.en == "There is no bill to settle."
    assert numbers_told(shown(scene, chip, SETTLEMENT, PIN)) == []


@pytest.mark.parametrize("job", [LOOK_UP, CHANGE_PIN], ids=lambda job: job.function.value)
def test_every_function_behind_the_pin_tells_it(scene: Scene, job: Job) -> None:
    chip = chip_of(ADULT)
    number = left_unknown(scene, SETTLEMENT, Fault.ANSWER_LOST, chip)
    scene.terminal.recover()
    assert numbers_told(shown(scene, chip, job)) == [number]


def test_a_receipt_that_was_not_seen_is_shown_again(scene: Scene) -> None:
    chip = chip_of(ADULT)
    number = left_unknown(scene, SETTLEMENT, Fault.ANSWER_LOST, chip)
    scene.terminal.recover()

    class Leaves(Audience):
        def saw(self, screen: Screen) -> None:
            if isinstance(screen, ReceiptScreen):
                raise Cancelled

    scene.audience = Leaves()
    assert isinstance(serve(scene, chip, SETTLEMENT), Stopped)
    assert numbers_told(shown(scene, chip, SETTLEMENT, PIN)) == [number]


def test_a_settlement_reversed_later_is_told_as_not_done(scene: Scene) -> None:
    chip = chip_of(ADULT)
    number = left_unknown(scene, SETTLEMENT, Fault.REQUEST_LOST, chip)
    screens = shown(scene, chip, SETTLEMENT)
    (message,) = [s for s in screens if isinstance(s, Message) and number in str(s.body)]
    assert message.code == "OPERATION_REVERSED"
    assert len(numbers_told(screens)) == 1, "and then the bill is settled"
    assert number not in numbers_told(screens)
    again = shown(scene, chip, LOOK_UP)
    assert not [s for s in again if isinstance(s, Message) and number in str(s.body)]


@pytest.mark.article(12)
def test_an_activation_that_came_through_later_is_told(scene: Scene) -> None:
    chip = chip_of(FRESH)
    number = left_unknown(scene, ACTIVATION, Fault.ANSWER_LOST, chip)
    scene.terminal.recover()
    screens = shown(scene, chip, LOOK_UP, OWN_PIN)
    assert [s.tone for s in screens if isinstance(s, Message) and number in str(s.body)] == [
        Tone.SUCCESS
    ]


@pytest.mark.article(12)
def test_an_activation_that_was_undone_is_told_before_the_next(scene: Scene) -> None:
    chip = chip_of(FRESH)
    number = left_unknown(scene, ACTIVATION, Fault.REQUEST_LOST, chip)
    screens = shown(scene, chip, ACTIVATION, True, OWN_PIN)
    assert [s.code for s in screens if isinstance(s, Message) and number in str(s.body)] == [
        "OPERATION_REVERSED"
    ]
    assert is_active(scene, FRESH)


def test_what_was_told_at_once_is_not_told_again(scene: Scene) -> None:
    chip = chip_of(ADULT)
    scene.network.fail(CONFIRM, Fault.ANSWER_LOST)
    assert isinstance(serve(scene, chip, SETTLEMENT), Done)
    assert numbers_told(shown(scene, chip, LOOK_UP)) == []


# The blacklist


def flipped(reply: Reply) -> Reply:
    """The same answer with one bit changed in the body of the first document."""
    update = json.loads(reply.body)
    document = bytearray(base64.b64decode(update["documents"][0]))
    document[-1] ^= 1
    update["documents"][0] = base64.b64encode(document).decode()
    return Reply(reply.status, json.dumps(update).encode(), reply.headers)


def test_a_tampered_blacklist_is_refused_and_the_last_good_one_stays(scene: Scene) -> None:
    held = scene.terminal.blacklist.head()
    scene.office.report_temporary_loss(card_ref(ADULT))
    scene.network.garble(BLACKLIST, flipped)
    report = scene.terminal.sync()
    assert report.error is not None
    assert report.error.code == "BACKEND_BAD_SIGNATURE"
    assert scene.terminal.blacklist.head() == held
    refusal = scene.terminal.status().blacklist_refusal
    assert refusal is not None
    assert refusal.code == "BACKEND_BAD_SIGNATURE"
    assert isinstance(serve(scene, chip_of(load_profile("adult-2.0")), READ), Done)
    assert scene.terminal.sync().error is None
    assert scene.terminal.status().blacklist_refusal is None


def test_a_rolled_back_blacklist_is_refused(scene: Scene) -> None:
    kept: list[Reply] = []

    def keep(reply: Reply) -> Reply:
        kept.append(reply)
        return reply

    scene.office.report_temporary_loss(card_ref(ADULT))
    scene.network.garble(BLACKLIST, keep)
    assert scene.terminal.sync().error is None
    scene.office.report_formal_loss(card_ref(ADULT))
    assert scene.terminal.sync().error is None
    held = scene.terminal.blacklist.head()
    scene.network.garble(BLACKLIST, lambda _: kept[0])
    scene.network.garble(BLACKLIST, lambda _: kept[0])
    report = scene.terminal.sync()
    assert report.error is not None
    assert report.error.code in ("BACKEND_LIST_ROLLED_BACK", "BACKEND_LIST_FORKED")
    assert scene.terminal.blacklist.head() == held
    outcome = serve(scene, chip_of(ADULT), LOOK_UP)
    assert isinstance(outcome, Refused)
    assert outcome.code == Reason.LISTED_FORMAL_LOSS


def test_questions_are_asked_of_the_holder_only_as_far_as_needed(scene: Scene) -> None:
    """One PIN, one bill, one agreement: what the holder is asked for a settlement."""
    kinds: list[type[Screen]] = []

    class Witness(Audience):
        def saw(self, screen: Screen) -> None:
            if isinstance(screen, AskPin | Choose | Confirm):
                kinds.append(type(screen))

    scene.audience = Witness()
    assert isinstance(serve(scene, chip_of(ADULT), SETTLEMENT), Done)
    assert kinds == [AskPin, Choose, Confirm]
