"""A back office that is away, dies, garbles, doubts or cheats, and its blacklist."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from backend_client.errors import BadMessage, Unreachable
from backend_client.messages import AccountOverview, BillList, Settlement, Trial, dump, load
from backend_client.transport import Reply
from simulator.card.profile import load_profile
from simulator.city import card_ref
from simulator.network import Fault
from simulator.scene import Audience, Scene
from simulator.story import OWN_PIN
from terminal.outcome import Done, Failed, Refused, Unknown, closing
from terminal.reasons import Reason
from terminal.receipt import Receipt
from terminal.screens import AskPin, Choose, Confirm, Screen
from terminal.store.journal import State

from .functions_bench import (
    ACTIVATE,
    ACTIVATION,
    ADULT,
    BILL_FEN,
    BILLS,
    CONFIRM,
    FRESH,
    LOOK_UP,
    QUERY,
    READ,
    REVERSE,
    SETTLEMENT,
    TRIAL,
    Job,
    assert_in_order,
    chip_of,
    has_pin,
    is_active,
    money,
    open_bills,
    operations,
    serve,
)

BLACKLIST = "/v1/blacklist"


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
    assert any(line.value.zh == "¥ 250.20" for line in outcome.receipt.lines)
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
