"""The gate: rides and fares, refusals, torn taps, what is durable, and what comes first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest

from apdu.channel import CardChannel
from apdu.crypto import Algorithm
from apdu.layers import stack
from apdu.purse import PurseKind, PursePurchase, purse_key, purse_tac
from apdu.readers.inprocess import InProcessReader
from apdu.status import CardRemoved, SamNoAnswer
from apdu.transit import TransitPurse
from apdu.transit_purchase import PurseCommands
from apdu.transit_records import JourneyKind, bcd_time
from apdu.transit_sam import (
    DEVELOPMENT_TAC_KEY,
    PurseIdentity,
    PursePermit,
    PurseRequest,
    SoftwareTransitSam,
    TransitPsam,
)
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.card.transit_purse import TransitData
from simulator.gate_stage import POLICY, Stage, place, purse_card, sample_fares, stage
from simulator.transit_psam import SimulatedTransitPsam
from terminal.gate.place import Mode
from terminal.gate.reasons import GateReason
from terminal.gate.signals import Light, TapResult
from terminal.store.taps import TapState


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Stage]:
    with stage(tmp_path) as opened:
        yield opened


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Stage]:
    with stage(tmp_path / "bus", Mode.SINGLE) as opened:
        yield opened


def purse(card: SimulatedCard) -> PurseCommands:
    channel = CardChannel(stack(InProcessReader("look", card).connect()))
    TransitPurse.select(channel)
    return PurseCommands(channel)


def balance(card: SimulatedCard) -> int:
    return purse(card).begin(0, terminal=bytes(6), key_index=1, composite=True).balance_fen


def commands_of(stage: Stage, card: SimulatedCard) -> tuple[TapResult, int]:
    """The result of a tap and how many commands it sent to the card."""
    count = 0
    transmit = card.transmit

    def counted(command: bytes) -> bytes:
        nonlocal count
        count += 1
        return transmit(command)

    card.transmit = counted  # type: ignore[method-assign]
    try:
        return stage.tap(card), count
    finally:
        card.transmit = transmit  # type: ignore[method-assign]


# Rides


def test_in_and_out_costs_the_distance_and_is_written_on_the_card(gate: Stage) -> None:
    card = purse_card()
    entered = gate.tap(card)
    assert (entered.light, entered.fen, entered.balance_fen) == (Light.GO, 0, 5600)
    assert purse(card).rail_record().inside
    gate.clock.advance(timedelta(minutes=25))
    gate.moved(place(Mode.EXIT, "0103"))
    left = gate.tap(card)
    assert (left.light, left.fen, left.balance_fen) == (Light.GO, 400, 5200)
    rail = purse(card).rail_record()
    assert (rail.inside, rail.last_fen, rail.accumulated_fen, rail.rides) == (False, 400, 400, 1)
    exit_, entry = purse(card).journeys()
    assert (entry.kind, exit_.kind) == (JourneyKind.ENTRY, JourneyKind.EXIT)
    assert (exit_.fen, exit_.balance_fen, exit_.station) == (400, 5200, bytes.fromhex("0103"))


def test_a_tap_sends_the_least_commands(gate: Stage, bus: Stage) -> None:
    # SELECT, which tells number and validity; rail record, INITIALIZE, two records, DEBIT
    assert commands_of(gate, purse_card(1))[1] == 6
    assert commands_of(bus, purse_card(2))[1] == 6


def test_a_bus_takes_its_flat_fare_once_in_a_while(bus: Stage) -> None:
    card = purse_card()
    assert bus.tap(card).fen == 200
    assert bus.tap(card).reason is GateReason.PASSED_BACK
    bus.clock.advance(timedelta(seconds=31))
    again = bus.tap(card)
    assert (again.opens, again.fen) == (True, 100)  # changed within two hours


def test_the_change_is_not_cheaper_after_its_time(bus: Stage) -> None:
    card = purse_card()
    bus.tap(card)
    bus.clock.advance(timedelta(minutes=121))
    assert bus.tap(card).fen == 200


def test_who_paid_much_this_month_pays_less(tmp_path: Path) -> None:
    table = sample_fares(
        "bus",
        monthly=[{"from_fen": 300, "percent": 50}],
        transfer={"within_minutes": 1, "discount_fen": 0},
    )
    with stage(tmp_path, Mode.SINGLE, table) as bus:
        card = purse_card()
        paid = []
        for _ in range(3):
            paid.append(bus.tap(card).fen)
            bus.clock.advance(timedelta(hours=1))
        assert paid == [200, 200, 100]
        bus.clock.advance(timedelta(days=31))
        bus.deny.issued_at = bus.clock.now()
        bus.book.sent(bus.book.to_send(bus.clock.now(), 10))
        assert bus.tap(card).fen == 200


# Passing back, going in twice, coming out without having gone in


def test_a_card_that_is_inside_does_not_go_in_again(gate: Stage) -> None:
    card = purse_card()
    gate.tap(card)
    assert gate.tap(card).reason is GateReason.ALREADY_INSIDE


def test_a_card_that_is_not_inside_does_not_come_out(gate: Stage) -> None:
    gate.moved(place(Mode.EXIT, "0102"))
    assert gate.tap(purse_card()).reason is GateReason.NOT_INSIDE


def test_a_table_may_charge_the_maximum_instead(gate: Stage) -> None:
    table = sample_fares("metro", inside_again="charge_maximum", not_inside="charge_maximum")
    card = purse_card()
    gate.moved(place(Mode.EXIT, "0102"), table)
    assert gate.tap(card).fen == 1500
    gate.moved(place(Mode.ENTRY))
    assert gate.tap(card).fen == 0
    assert gate.tap(card).fen == 1500


def test_a_ride_that_took_too_long_costs_the_maximum(gate: Stage) -> None:
    card = purse_card()
    gate.tap(card)
    gate.clock.advance(timedelta(minutes=241))
    gate.moved(place(Mode.EXIT, "0102"))
    assert gate.tap(card).fen == 1500


# Refusals


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"enabled": False}, GateReason.NOT_ENABLED),
        ({"valid_to": date(2026, 3, 15)}, GateReason.EXPIRED),
        ({"valid_from": date(2026, 3, 17)}, GateReason.NOT_YET_VALID),
        (
            {"issuer": "05000000FFFFFFFF", "city": "1000", "interoperable": False},
            GateReason.NOT_INTEROPERABLE,
        ),
    ],
)
def test_a_purse_that_may_not_be_used(
    gate: Stage, changes: dict[str, object], reason: GateReason
) -> None:
    card = purse_card(**changes)  # type: ignore[arg-type]  # any field
    assert gate.tap(card).reason is reason
    assert gate.book.unsent().count == 0


def test_a_purse_of_another_city_that_is_interoperable_passes(gate: Stage) -> None:
    assert gate.tap(purse_card(issuer="05000000FFFFFFFF", city="1000")).opens


def test_the_last_day_of_a_purse_is_a_day_of_shanghai(gate: Stage) -> None:
    card = purse_card(valid_to=date(2026, 3, 16))
    gate.clock.advance(timedelta(hours=15, minutes=29, seconds=59))  # 23:59:59
    assert gate.tap(card).opens
    gate.clock.advance(timedelta(seconds=1))
    gate.moved(place(Mode.EXIT, "0102"))
    assert gate.tap(card).reason is GateReason.EXPIRED


@pytest.mark.article(18)
def test_a_listed_purse_is_stopped(gate: Stage) -> None:
    card = purse_card(3)
    gate.deny.numbers.add("3102990100000000003")
    assert gate.tap(card).reason is GateReason.LISTED
    assert balance(card) == 5600


def test_of_two_cards_in_the_field_none_is_debited(bus: Stage) -> None:
    mine, another = purse_card(1), purse_card(2)
    field = InProcessReader("gate", mine)
    field.lay_beside(another)
    both = bus.gate.serve(field)
    assert (both.light, both.reason) == (Light.AGAIN, GateReason.SEVERAL_CARDS)
    assert "One card only" in both.text.en
    assert (balance(mine), balance(another)) == (5600, 5600)
    assert bus.book.unsent().count == 0
    assert field.take_away() is another
    assert bus.gate.serve(field).opens
    assert (balance(mine), balance(another)) == (5400, 5600)


def test_too_little_money(bus: Stage) -> None:
    card = purse_card(balance_fen=199)
    assert bus.tap(card).reason is GateReason.TOO_LITTLE
    assert (balance(card), bus.book.unsent().count) == (199, 0)


def test_a_card_without_a_purse(gate: Stage) -> None:
    card = SimulatedCard(load_profile("adult-2.0"), random=Random(1).randbytes, protocol="TCL")
    assert gate.tap(card).reason is GateReason.NO_PURSE


def test_a_forged_purse_is_not_let_through(gate: Stage) -> None:
    data = TransitData("3102990100000000009", date(2025, 1, 8), date(2035, 1, 8), balance_fen=900)
    profile = replace(load_profile("adult-2.0"), transit=data, keys="wrong")
    card = SimulatedCard(profile, random=Random(1).randbytes, protocol="TCL")
    assert gate.tap(card).reason is GateReason.CARD_FAULT
    assert gate.book.counts()[TapState.VOID] == 1


# The gate itself


def test_without_a_list_or_with_an_old_one_nobody_passes(gate: Stage) -> None:
    gate.deny.issued_at = None
    assert gate.tap(purse_card()).reason is GateReason.LIST_MISSING
    gate.deny.issued_at = gate.clock.now() - timedelta(days=7, seconds=1)
    assert gate.tap(purse_card()).reason is GateReason.LIST_STALE
    gate.deny.issued_at = gate.clock.now() - timedelta(days=7)
    assert gate.tap(purse_card()).opens


def test_a_doubtful_clock_closes_the_gate(gate: Stage) -> None:
    gate.gate.clock_trusted = False
    assert gate.tap(purse_card()).reason is GateReason.CLOCK_UNTRUSTED


def test_what_waits_to_be_handed_in_has_bounds(bus: Stage) -> None:
    bus.policy = replace(POLICY, most_unsent=2)
    bus.again()
    assert bus.tap(purse_card(1)).opens
    assert bus.tap(purse_card(2)).opens
    assert bus.tap(purse_card(3)).reason is GateReason.TOO_MANY_UNSENT
    bus.book.sent(bus.book.to_send(bus.clock.now(), 10))
    assert bus.tap(purse_card(3)).opens
    bus.clock.advance(timedelta(days=5, seconds=1))
    assert bus.tap(purse_card(4)).reason is GateReason.UNSENT_TOO_LONG


# Torn taps


def torn_at(card: SimulatedCard, ins: int, *, after: bool) -> None:
    """Pull the card at the command with this instruction, before or after it took effect."""
    transmit = card.transmit

    def tearing(command: bytes) -> bytes:
        if command[1] != ins:
            return transmit(command)
        if after:
            transmit(command)
        card.transmit = transmit  # type: ignore[method-assign]
        card.power_off()
        raise CardRemoved("pulled")

    card.transmit = tearing  # type: ignore[method-assign]


DEBIT = 0x54


def test_a_debit_whose_answer_was_lost_is_proved_and_not_repeated(bus: Stage) -> None:
    card = purse_card()
    torn_at(card, DEBIT, after=True)
    assert bus.tap(card).light is Light.AGAIN
    assert (balance(card), bus.book.counts()[TapState.GREY]) == (5400, 1)
    back = bus.tap(card)
    assert (back.opens, back.resumed, back.fen, back.balance_fen) == (True, True, 200, 5400)
    assert balance(card) == 5400
    assert bus.book.counts() == {
        TapState.GREY: 0,
        TapState.DONE: 1,
        TapState.VOID: 0,
        TapState.SENT: 0,
    }


def test_a_debit_that_never_reached_the_card_is_void_and_the_ride_starts_anew(bus: Stage) -> None:
    card = purse_card()
    torn_at(card, DEBIT, after=False)
    assert bus.tap(card).light is Light.AGAIN
    back = bus.tap(card)
    assert (back.opens, back.resumed, balance(card)) == (True, False, 5400)
    counts = bus.book.counts()
    assert (counts[TapState.VOID], counts[TapState.DONE]) == (1, 1)


@pytest.mark.parametrize("ins", [0xA4, 0xB2, 0x50, 0xDC])
@pytest.mark.parametrize("after", [True, False])
def test_a_card_pulled_before_the_debit_costs_nothing(bus: Stage, ins: int, after: bool) -> None:
    card = purse_card()
    torn_at(card, ins, after=after)
    assert bus.tap(card).light is Light.AGAIN
    assert bus.book.counts()[TapState.GREY] == 0
    assert bus.tap(card).opens
    assert balance(card) == 5400


def test_other_cards_pass_while_a_torn_one_is_away_and_cannot_stand_in(bus: Stage) -> None:
    torn, other = purse_card(1), purse_card(2)
    torn_at(torn, DEBIT, after=True)
    bus.tap(torn)
    assert bus.tap(other).resumed is False
    assert balance(other) == 5400
    assert bus.book.counts()[TapState.GREY] == 1
    assert bus.tap(torn).resumed
    assert balance(torn) == 5400


def test_a_grey_tap_outlives_the_program(bus: Stage) -> None:
    card = purse_card()
    torn_at(card, DEBIT, after=True)
    bus.tap(card)
    bus.again()
    assert bus.tap(card).resumed
    assert balance(card) == 5400


def test_a_torn_tap_is_settled_later_but_opens_only_for_a_while(bus: Stage) -> None:
    card = purse_card()
    torn_at(card, DEBIT, after=True)
    bus.tap(card)
    bus.clock.advance(timedelta(minutes=10))
    later = bus.tap(card)
    assert (later.opens, later.resumed) == (True, False)
    assert balance(card) == 5300  # two rides, the second after a change
    assert bus.book.counts()[TapState.DONE] == 2


def test_a_card_used_elsewhere_since_leaves_its_row_to_the_clearing(bus: Stage) -> None:
    card = purse_card()
    torn_at(card, DEBIT, after=True)
    bus.tap(card)
    used_elsewhere(bus, card)
    bus.clock.advance(timedelta(minutes=1))
    assert bus.tap(card).opens
    assert bus.book.counts()[TapState.GREY] == 1
    rows = bus.book.to_send(bus.clock.now() + timedelta(seconds=1), 10)
    assert [row.tap.tac is None for row in rows] == [True, False]


def used_elsewhere(bus: Stage, card: SimulatedCard) -> None:
    """Another operator debits the card."""
    sam = SoftwareTransitSam(first=900)
    channel = CardChannel(stack(InProcessReader("elsewhere", card).connect()))
    selected = TransitPurse.select(channel)
    commands = PurseCommands(channel)
    offer = commands.begin(100, terminal=sam.terminal, key_index=1, composite=True)
    time = bcd_time(bus.clock.now())
    serial = bytes.fromhex("0" + selected.card.number.reveal())[-8:]
    request = PurseRequest(
        PurseIdentity(selected.card.issuer, serial),
        PursePurchase(100, PurseKind.COMPOSITE, sam.terminal, time),
        offer.random,
        offer.sequence.to_bytes(2, "big"),
        offer.key_version,
        offer.algorithm,
    )
    commands.debit(sam.permit(request), time)


# The security module, the record


class Broken:
    """A security module that fails at one of its two duties."""

    key_index = 1

    def __init__(self, whole: Stage, *, at: str) -> None:
        self._sam = whole.sam
        self.terminal = whole.sam.terminal
        self._at = at

    def permit(self, request: PurseRequest) -> PursePermit:
        if self._at == "permit":
            raise SamNoAnswer("gone")
        return self._sam.permit(request)

    def check(self, mac2: bytes) -> None:
        raise SamNoAnswer("gone")


def test_without_its_security_module_the_gate_is_out_of_service(bus: Stage) -> None:
    bus.sam = Broken(bus, at="permit")
    bus.again()
    card = purse_card()
    result = bus.tap(card)
    assert (result.reason, result.detail) == (GateReason.OUT_OF_SERVICE, "SAM_NO_ANSWER")
    assert balance(card) == 5600


def test_who_has_paid_passes_even_if_the_module_dies_just_then(bus: Stage) -> None:
    bus.sam = Broken(bus, at="check")
    bus.again()
    assert bus.tap(purse_card()).opens
    assert bus.book.counts()[TapState.DONE] == 1


def test_a_real_psam_and_the_record_that_the_centre_can_check(bus: Stage) -> None:
    psam = SimulatedTransitPsam(random=Random(2).randbytes)
    bus.sam = TransitPsam.open(InProcessReader("psam", psam))
    bus.again()
    assert bus.tap(purse_card(4)).opens
    (row,) = bus.book.to_send(bus.clock.now(), 10)
    tap = row.tap
    assert (tap.purse_number, tap.sequence, tap.card_sequence) == ("3102990100000000004", 1, 1)
    serial = bytes.fromhex("0" + tap.purse_number)[-8:]
    key = purse_key(Algorithm.DES, DEVELOPMENT_TAC_KEY, tap.issuer, serial)
    fields = tap.fen.to_bytes(4, "big") + b"\x09" + bytes.fromhex(tap.terminal)
    fields += tap.sequence.to_bytes(4, "big") + bcd_time(tap.at)
    assert tap.tac == purse_tac(Algorithm.DES, key, fields)


@pytest.mark.article(25)
def test_no_purse_number_is_readable_on_the_disk(bus: Stage, tmp_path: Path) -> None:
    bus.tap(purse_card(77))
    content = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"3102990100000000077" not in content
    assert b"purse_number" not in content


def test_a_proof_of_another_gates_debit_is_not_taken_for_ours(bus: Stage) -> None:
    """Ours never reached the card; another gate's debit took the same place in its count."""
    card = purse_card()
    torn_at(card, DEBIT, after=False)
    bus.tap(card)
    used_elsewhere(bus, card)
    bus.clock.advance(timedelta(minutes=1))
    result = bus.tap(card)
    assert (result.opens, result.resumed) == (True, False)
    assert bus.book.counts()[TapState.VOID] == 1
