"""Without the centre: debits on the card, torn and proved; provisional visits; limits; upload."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from apdu.pin import Pin
from apdu.sam import SoftwareSam
from apdu.ssc.account import MedicalAccount
from apdu.ssc.account_errors import InsufficientBalance
from apdu.ssc.transactions import PurchaseOrder
from backend_client.errors import Refused as RefusedByCentre
from simulator.backoffice.seed import DEVELOPMENT_CODE
from simulator.card.card import SimulatedCard
from simulator.card.description import CardProfile
from simulator.card.profile import load_profile
from simulator.city import card_ref
from simulator.clock import SimulatedClock
from simulator.embedded import embedded_scene
from simulator.network import Fault
from simulator.scene import Audience, Scene, _Holder
from simulator.story import BEGINS
from terminal.drivers.scripted import Scripted
from terminal.errors import OfflineLimit, RecordsUnsent
from terminal.flow import run
from terminal.functions import debit
from terminal.outcome import Cancelled, Done, Failed, Outcome, Refused, Stopped, Unknown
from terminal.policy import Function
from terminal.screens import AskAmount, Screen
from terminal.store.journal import Evidence, Kind, State
from terminal.store.reset import remove_store
from terminal.store.store import DATABASE

PIN = "246810"
_DEBIT = bytes.fromhex("B02C")


def with_permission(flag: str = "1", **offline: int) -> CardProfile:
    profile = load_profile("adult-3.0")
    content = {"90": flag, "92": offline.get("total", 0), "93": offline.get("times", 0)}
    return replace(profile, files={**profile.files, "DF04EF06": content})


ADULT = with_permission()
CARD = card_ref(ADULT)
BALANCE = 30_000


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    chance = random.Random(5).randbytes
    with embedded_scene(tmp_path, clock=SimulatedClock(BEGINS), random=chance) as ready:
        ready.terminal.enrol(DEVELOPMENT_CODE.code)
        assert ready.terminal.sync().error is None
        ready.network.connected = False
        yield ready


class Chip:
    """A card under somebody's hand: `meddle` sees every command and may answer in its stead."""

    def __init__(self, profile: CardProfile = ADULT) -> None:
        self.inner = SimulatedCard(profile, random=random.Random(9).randbytes)
        self.meddle: Callable[[bytes], bytes | None] = lambda _command: None

    def power_on(self) -> bytes:
        return self.inner.power_on()

    def power_off(self) -> None:
        self.inner.power_off()

    def transmit(self, command: bytes) -> bytes:
        answer = self.meddle(command)
        return self.inner.transmit(command) if answer is None else answer


def tear_debit(scene: Scene, chip: Chip, *, done: bool) -> None:
    """Pull the card at DEBIT, after (`done`) or before it takes effect."""

    def meddle(command: bytes) -> bytes | None:
        if command[:2] != _DEBIT:
            return None
        answer = chip.inner.transmit(command) if done else b"\x6f\x00"
        scene.reader.remove()  # type: ignore[attr-defined]
        chip.meddle = lambda _command: None
        return answer

    chip.meddle = meddle


def pay(scene: Scene, chip: Chip, fen: int = 1_250, *answers: Scripted) -> Outcome:
    with scene.card_in(chip) as session:
        flow = debit.flow(scene.terminal.visit(session, "test"), fen)
        return run(flow, _Holder(Audience(), answers or (PIN, True)))


def pay_elsewhere(scene: Scene, chip: Chip, fen: int) -> None:
    """The card pays at a terminal that this one knows nothing of."""
    sam = SoftwareSam.development(random.Random(7).randbytes, terminal_number="990100000099")
    with scene.card_in(chip) as session, Pin(PIN) as pin:
        session.card.verify_pin(pin)
        order = PurchaseOrder(fen, scene.clock.now())
        MedicalAccount(session.card).purchase(order, sam, keep=lambda _: None)


def balance(scene: Scene, chip: Chip) -> int:
    with scene.card_in(chip) as session, Pin(PIN) as pin:
        session.card.verify_pin(pin)
        return MedicalAccount(session.card).balance()


def operations(scene: Scene) -> list[tuple[Kind, State, Evidence | None]]:
    return [(one.kind, one.state, one.evidence) for one in scene.terminal.journal.every()]


# Debits


@pytest.mark.article(5)
def test_a_debit_works_without_the_centre_and_its_tac_is_uploaded(scene: Scene) -> None:
    chip = Chip()
    outcome = pay(scene, chip)
    assert isinstance(outcome, Done)
    assert outcome.receipt is not None
    assert balance(scene, chip) == BALANCE - 1_250
    assert operations(scene) == [(Kind.DEBIT, State.CONFIRMED, Evidence.CARD)]
    waiting = scene.terminal.outbox.waiting()
    assert (waiting.count, waiting.total_fen, waiting.oldest) == (1, 1_250, BEGINS)
    assert scene.terminal.upload().waiting == 1
    scene.network.connected = True
    scene.terminal.resolve_unknown()
    assert scene.terminal.outbox.waiting().count == 0
    (record,) = scene.terminal.client.money.records(CARD).debits
    assert (record.account_fen, record.number) == (1_250, outcome.receipt.number)


def test_the_centre_checks_the_cards_proof(scene: Scene) -> None:
    pay(scene, Chip())
    scene.network.connected = True
    from terminal.upload import _debit

    (operation,) = scene.terminal.journal.every()
    upload = _debit(operation)
    money = scene.terminal.client.money
    wrong = replace(upload, account_fen=1_251)
    assert money.upload_debit(wrong).verdict == "proof_wrong"
    with pytest.raises(RefusedByCentre) as caught:
        money.upload_debit(upload)
    assert caught.value.problem.code == "UPLOAD_DIFFERS"
    other = replace(upload, number=scene.terminal.journal.reserve(1)[0])
    with pytest.raises(RefusedByCentre) as caught:
        money.upload_debit(other)
    assert caught.value.problem.code == "DEBIT_UPLOADED_BEFORE"


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name)
def test_whatever_is_lost_an_upload_is_taken_once(scene: Scene, fault: Fault) -> None:
    pay(scene, Chip())
    scene.network.connected = True
    scene.network.fail("/v1/debits", *[fault] * 3)
    scene.terminal.upload()
    scene.network.heal()
    done = scene.terminal.upload()
    assert done.waiting == 0
    assert len(scene.terminal.client.money.records(CARD).debits) == 1


@pytest.mark.parametrize("done", [True, False], ids=["booked", "not booked"])
def test_a_torn_debit_is_ended_by_the_same_cards_proof(scene: Scene, *, done: bool) -> None:
    chip = Chip()
    tear_debit(scene, chip, done=done)
    outcome = pay(scene, chip)
    assert isinstance(outcome, Unknown)
    scene.terminal.resolve_unknown()
    assert operations(scene) == [(Kind.DEBIT, State.UNKNOWN, None)]
    again = pay(scene, chip, 100)
    assert isinstance(again, Done)
    first, second = operations(scene)
    ended = State.CONFIRMED if done else State.REVERSED
    assert first == (Kind.DEBIT, ended, Evidence.PROOF)
    assert second == (Kind.DEBIT, State.CONFIRMED, Evidence.CARD)
    assert balance(scene, chip) == BALANCE - 100 - (1_250 if done else 0)
    assert scene.terminal.outbox.waiting().count == (2 if done else 1)
    scene.network.connected = True
    assert scene.terminal.upload().waiting == 0
    assert scene.terminal.journal.verify_chain().ok


@pytest.mark.parametrize("done", [True, False], ids=["booked", "not booked"])
def test_a_torn_debit_ends_rightly_when_its_card_has_paid_elsewhere_since(
    scene: Scene, *, done: bool
) -> None:
    """A seeded world found this: booked, and closed as undone, for want of the PIN."""
    chip = Chip()
    tear_debit(scene, chip, done=done)
    pay(scene, chip)
    pay_elsewhere(scene, chip, 300)
    assert isinstance(pay(scene, chip, 100), Done)
    first, second = operations(scene)
    ended = State.CONFIRMED if done else State.REVERSED
    assert first == (Kind.DEBIT, ended, Evidence.PROOF)
    assert second == (Kind.DEBIT, State.CONFIRMED, Evidence.CARD)
    assert balance(scene, chip) == BALANCE - 300 - 100 - (1_250 if done else 0)


def test_who_does_not_give_the_pin_leaves_a_torn_debit_open(scene: Scene) -> None:
    chip = Chip()
    tear_debit(scene, chip, done=True)
    pay(scene, chip)
    outcome = pay(scene, chip, 100, Cancelled())
    assert isinstance(outcome, Stopped)
    assert operations(scene) == [(Kind.DEBIT, State.UNKNOWN, None)]


def test_the_centre_is_not_asked_about_a_torn_debit(scene: Scene) -> None:
    chip = Chip()
    tear_debit(scene, chip, done=True)
    pay(scene, chip)
    scene.network.connected = True
    scene.network.paths.clear()
    recovery = scene.terminal.resolve_unknown()
    assert [one.state for one in recovery.still_open] == [State.UNKNOWN]
    assert scene.network.paths == []


def test_another_card_cannot_stand_in_for_a_torn_one(scene: Scene) -> None:
    chip = Chip()
    tear_debit(scene, chip, done=True)
    pay(scene, chip)
    other = load_profile("adult-2.0")
    content = {**other.files, "DF04EF06": {"90": "1", "92": 0, "93": 0}}
    assert other.pin is not None
    paid = pay(scene, Chip(replace(other, files=content)), 100, other.pin.value, True)
    assert isinstance(paid, Done)
    torn = scene.terminal.journal.open_operations(CARD.card_id)
    assert [one.state for one in torn] == [State.UNKNOWN]


def test_a_card_without_the_permission_pays_nothing(scene: Scene) -> None:
    chip = Chip(with_permission("0"))
    outcome = pay(scene, chip, 100, PIN)
    assert isinstance(outcome, Refused)
    assert outcome.code == "OFFLINE_NOT_PERMITTED"
    assert operations(scene) == []


def test_a_built_in_card_pays_without_the_centre(scene: Scene) -> None:
    """For whoever tries `ssct debit` with a card of ours (docs/settlement.md)."""
    assert isinstance(pay(scene, Chip(load_profile("adult-2.0")), 1_250, "135790", True), Done)


def test_the_card_counts_what_it_has_settled_offline(scene: Scene) -> None:
    chip = Chip(with_permission(total=100, times=2))
    assert isinstance(pay(scene, chip, 1_250), Done)
    with scene.card_in(chip) as session, Pin(PIN) as pin:
        session.card.verify_pin(pin)
        visit = scene.terminal.visit(session, "test")
        found = debit._permission(visit)
    assert (found.permitted, found.total_fen, found.times) == (True, 1_350, 3)


def test_nobody_is_asked_to_agree_to_more_than_the_card_holds(scene: Scene) -> None:
    settings = scene.terminal.settings
    wide = replace(settings.offline, operation_fen=10**6, card_day_fen=10**6, card_total_fen=10**6)
    scene.terminal.settings = replace(settings, offline=wide)
    chip = Chip()
    outcome = pay(scene, chip, BALANCE + 1, PIN)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, InsufficientBalance)
    assert operations(scene) == []
    assert balance(scene, chip) == BALANCE


def test_who_does_not_agree_pays_nothing(scene: Scene) -> None:
    chip = Chip()
    assert isinstance(pay(scene, chip, 100, PIN, False), Stopped)
    assert balance(scene, chip) == BALANCE


# The amount, entered by the holder


def enter(scene: Scene, *typed: str) -> tuple[Outcome, list[AskAmount]]:
    """Pay what is typed; how it ended, and the questions for the amount."""
    asked: list[AskAmount] = []

    class Seen(Audience):
        def saw(self, screen: Screen) -> None:
            if isinstance(screen, AskAmount):
                asked.append(screen)

    scene.audience = Seen()
    return scene.serve(Chip(), Function.DEBIT, PIN, *typed, True), asked


def test_the_holder_enters_the_amount_and_pays_exactly_that(scene: Scene) -> None:
    outcome, (question,) = enter(scene, "12.5")
    assert isinstance(outcome, Done)
    (operation,) = scene.terminal.journal.every()
    assert operation.payload["account_fen"] == 1_250
    limits = {row.label.en: row.value.zh for row in question.sections[0].rows}
    assert limits["Balance on the card"] == "¥ 300.00"
    assert (
        limits["At most each time"]
        == f"¥ {scene.terminal.settings.offline.operation_fen / 100:,.2f}"
    )


def test_what_is_no_amount_or_passes_a_limit_is_asked_for_again(scene: Scene) -> None:
    settings = scene.terminal.settings
    limited_to = replace(settings.offline, operation_fen=2_000)
    scene.terminal.settings = replace(settings, offline=limited_to)
    outcome, questions = enter(scene, "x", "0", "20.01", "20.00")
    assert isinstance(outcome, Done)
    notes = [question.note for question in questions]
    assert [note is None for note in notes] == [True, False, False, False]
    assert notes[-1] is not None
    assert "0.01" in notes[-1].en
    assert "20.00" in notes[-1].en


def test_nobody_is_asked_for_an_amount_of_a_card_that_holds_none(scene: Scene) -> None:
    asked = []
    pay(scene, chip := Chip(), BALANCE // 2)
    pay(scene, chip, BALANCE // 2)
    assert balance(scene, chip) == 0

    class Seen(Audience):
        def saw(self, screen: Screen) -> None:
            asked.append(isinstance(screen, AskAmount))

    scene.audience = Seen()
    outcome = scene.serve(chip, Function.DEBIT, PIN)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, InsufficientBalance)
    assert True not in asked


def test_nobody_is_asked_for_an_amount_that_no_limit_allows(scene: Scene) -> None:
    settings = scene.terminal.settings
    full = replace(settings.offline, stored_records=0)
    scene.terminal.settings = replace(settings, offline=full)
    outcome, questions = enter(scene)
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, OfflineLimit)
    assert questions == []


# Limits


def offline_limits(scene: Scene, **limits: Any) -> None:  # noqa: ANN401
    settings = scene.terminal.settings
    scene.terminal.settings = replace(settings, offline=replace(settings.offline, **limits))


def limited(scene: Scene, profile: CardProfile = ADULT, **limits: Any) -> str:  # noqa: ANN401
    """Pay 1 000 fen under these limits; what the refusal names."""
    settings = scene.terminal.settings
    offline_limits(scene, **limits)
    outcome = pay(scene, Chip(profile), 1_000, PIN, True)
    scene.terminal.settings = settings
    assert isinstance(outcome, Failed), outcome
    assert isinstance(outcome.error, OfflineLimit)
    return str(outcome.error)


def test_each_limit_stops_the_next_payment_and_no_earlier_one(scene: Scene) -> None:
    assert "operation_fen" in limited(scene, operation_fen=999)
    assert "card_total_fen" in limited(scene, with_permission(total=9_001), card_total_fen=10_000)
    assert "card_times" in limited(scene, with_permission(times=3), card_times=3)
    assert isinstance(pay(scene, Chip(), 1_000), Done)
    assert "card_day_fen" in limited(scene, card_day_fen=1_999)
    assert "stored_fen" in limited(scene, stored_fen=1_999)
    assert "stored_records" in limited(scene, stored_records=1)
    scene.clock.advance(timedelta(hours=2))
    assert "oldest" in limited(scene, oldest=timedelta(hours=1))
    exact = replace(
        scene.terminal.settings.offline,
        operation_fen=1_000,
        card_day_fen=2_000,
        stored_fen=2_000,
        stored_records=2,
        oldest=timedelta(hours=2),
    )
    scene.terminal.settings = replace(scene.terminal.settings, offline=exact)
    assert isinstance(pay(scene, Chip(), 1_000), Done)


def test_registered_visits_count_among_the_records_that_wait(scene: Scene) -> None:
    """A seeded world found this: a visit more could always be registered."""
    offline_limits(scene, stored_records=2)
    for _ in range(2):
        assert isinstance(scene.serve(Chip(), Function.PROVISIONAL, PIN, "0", True), Done)
    outcome = scene.serve(Chip(), Function.PROVISIONAL, PIN, "0", True)
    assert isinstance(outcome, Failed)
    assert "stored_records" in str(outcome.error)
    assert scene.terminal.outbox.waiting().count == 2


def test_a_torn_debit_counts_among_what_waits_until_its_card_is_back(scene: Scene) -> None:
    offline_limits(scene, stored_fen=2_000)
    chip = Chip()
    tear_debit(scene, chip, done=True)
    pay(scene, chip)
    other = load_profile("adult-2.0")
    content = {**other.files, "DF04EF06": {"90": "1", "92": 0, "93": 0}}
    assert other.pin is not None
    another = Chip(replace(other, files=content))
    refused = pay(scene, another, 751, other.pin.value, True)
    assert isinstance(refused, Failed)
    assert "stored_fen" in str(refused.error)
    assert isinstance(pay(scene, another, 750, other.pin.value, True), Done)


def test_a_days_limit_ends_with_the_day(scene: Scene) -> None:
    assert isinstance(pay(scene, Chip(), 1_000), Done)
    assert scene.terminal.outbox.spent_today(CARD.card_id) == 1_000
    scene.clock.advance(timedelta(days=1))
    assert scene.terminal.outbox.spent_today(CARD.card_id) == 0


# Provisional visits


@pytest.mark.article(13)
def test_a_visit_is_registered_offline_and_uploaded(scene: Scene) -> None:
    outcome = scene.serve(Chip(), Function.PROVISIONAL, PIN, "0", True)
    assert isinstance(outcome, Done)
    assert outcome.receipt is not None
    assert operations(scene) == [(Kind.PROVISIONAL, State.CONFIRMED, Evidence.CARD)]
    scene.network.connected = True
    assert scene.terminal.upload().waiting == 0
    assert scene.terminal.upload().taken == 0


def test_with_the_centre_there_a_visit_is_settled_instead(scene: Scene) -> None:
    scene.network.connected = True
    outcome = scene.serve(Chip(), Function.PROVISIONAL, PIN)
    assert isinstance(outcome, Refused)
    assert outcome.code == "CENTRE_REACHABLE"


def test_insurance_settles_nothing_offline(scene: Scene) -> None:
    outcome = scene.serve(Chip(), Function.SETTLEMENT)
    assert isinstance(outcome, Refused)
    assert outcome.code == "OFFLINE"


def test_what_waits_is_told_and_what_the_centre_does_not_take_is_named(scene: Scene) -> None:
    terminal = scene.terminal
    pay(scene, Chip())
    waiting = terminal.status().records
    assert (waiting.count, waiting.total_fen, waiting.oldest) == (1, 1_250, BEGINS)
    (operation,) = terminal.journal.every()
    assert terminal.outbox.refusals() == ()
    terminal.outbox.refused(operation.number, "CARD_UNKNOWN")
    assert terminal.outbox.refusals() == ((operation.number, "CARD_UNKNOWN"),)
    scene.network.connected = True
    assert terminal.upload().taken == 1
    assert terminal.outbox.refusals() == ()
    assert terminal.status().records.count == 0


# Reset


def test_a_terminal_with_unsent_records_is_not_reset_unless_they_are_exported(
    scene: Scene, tmp_path: Path
) -> None:
    terminal = scene.terminal
    terminal.require_kept()
    chip = Chip()
    pay(scene, chip)
    with pytest.raises(RecordsUnsent):
        terminal.require_kept()
    (line,) = terminal.export_records()
    assert json.loads(line)["payload"]["account_fen"] == 1_250
    terminal.exported()
    terminal.require_kept()
    pay(scene, chip, 100)
    with pytest.raises(RecordsUnsent):
        terminal.require_kept()
    scene.network.connected = True
    terminal.upload()
    terminal.require_kept()
    terminal.close()
    directory = terminal.settings.terminal.data_dir
    assert DATABASE in remove_store(directory)
    assert not (directory / DATABASE).exists()


# Enrolling anew


OTHER = "990100000102"
UPLOAD = "/v1/debits"
AWAY = [Fault.REFUSED_CONNECTION] * 20


def code_of_another_institution(scene: Scene) -> str:
    """With the network back, so that it can be enrolled with."""
    scene.network.connected = True
    return scene.office.enrolment_code(OTHER)


def test_what_waits_is_handed_in_before_the_terminal_becomes_anothers(scene: Scene) -> None:
    pay(scene, Chip())
    scene.terminal.enrol(code_of_another_institution(scene))
    assert scene.terminal.journal.institution == OTHER
    assert scene.terminal.outbox.waiting().count == 0
    assert UPLOAD in scene.network.paths


def test_what_cannot_be_handed_in_keeps_a_terminal_who_it_is_until_it_is_exported(
    scene: Scene,
) -> None:
    """Another institution's terminal would have it refused for ever (NUMBER_FOREIGN)."""
    terminal = scene.terminal
    before = terminal.identity
    pay(scene, Chip())
    code = code_of_another_institution(scene)
    scene.network.fail(UPLOAD, *AWAY)
    with pytest.raises(RecordsUnsent):
        terminal.enrol(code)
    assert terminal.identity == before
    assert terminal.outbox.waiting().count == 1
    assert len(list(terminal.export_records())) == 1
    terminal.exported()
    terminal.enrol(code)
    assert terminal.journal.institution == OTHER
    assert terminal.outbox.waiting().count == 0
    scene.network.heal()
    assert terminal.upload().taken == 0


def test_what_waits_and_was_exported_waits_on_at_the_same_institution(scene: Scene) -> None:
    terminal = scene.terminal
    pay(scene, Chip())
    terminal.exported()
    scene.network.connected = True
    scene.network.fail(UPLOAD, *AWAY)
    terminal.enrol(DEVELOPMENT_CODE.code)
    assert terminal.outbox.waiting().count == 1
    scene.network.heal()
    assert terminal.upload().taken == 1


def test_a_power_cut_while_it_becomes_anothers_leaves_nothing_waiting_for_ever(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCut(BaseException):
        pass

    def cut(_: str) -> None:
        raise PowerCut

    terminal = scene.terminal
    pay(scene, Chip())
    terminal.exported()
    code, again = code_of_another_institution(scene), code_of_another_institution(scene)
    scene.network.fail(UPLOAD, *AWAY)
    with monkeypatch.context() as power:
        power.setattr(terminal.outbox, "set_aside", cut)
        with pytest.raises(PowerCut):
            terminal.enrol(code)
    assert terminal.journal.institution == OTHER
    assert terminal.outbox.waiting().count == 1
    terminal.enrol(again)
    assert terminal.outbox.waiting().count == 0
