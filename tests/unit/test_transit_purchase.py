"""The purse's money, between card and PSAM: purchases, proofs, loads, records, torn writes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from random import Random

import pytest

from apdu.channel import CardChannel
from apdu.crypto import Algorithm
from apdu.layers import stack
from apdu.purse import (
    PurseKind,
    PurseLoad,
    PursePurchase,
    load_seed,
    purse_key,
    purse_session_key,
)
from apdu.readers.inprocess import InProcessReader
from apdu.status import (
    CardError,
    CardRemoved,
    KeyNotAvailable,
    MalformedData,
    PurchaseNotProved,
    SamAbsent,
    StatusError,
    StatusWord,
)
from apdu.transit import TransitPurse
from apdu.transit_purchase import PurseCommands, PurseReceipt, PurseTooLow, Sfi
from apdu.transit_records import (
    Industry,
    Journey,
    JourneyKind,
    RailRecord,
    bcd_time,
    empty_rail,
    instant,
)
from apdu.transit_sam import (
    DEVELOPMENT_LOAD_KEY,
    DEVELOPMENT_TAC_KEY,
    PurseIdentity,
    PursePermit,
    PurseRequest,
    SoftwareTransitSam,
    TransitPsam,
    TransitSam,
)
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.card.transit_purse import TransitData
from simulator.transit_psam import SimulatedTransitPsam, TransitPsamProfile

NOON = datetime(2026, 3, 16, 4, 0, tzinfo=UTC)
TIME = bcd_time(NOON)
DATA = TransitData("3102990100000000077", date(2025, 1, 8), date(2035, 1, 8), balance_fen=5600)
ALGORITHMS = (Algorithm.DES, Algorithm.SM4)


def card(algorithm: Algorithm = Algorithm.DES, **changes: object) -> SimulatedCard:
    data = replace(DATA, algorithm=algorithm, **changes)  # type: ignore[arg-type]  # any field
    profile = replace(load_profile("adult-2.0"), transit=data)
    return SimulatedCard(profile, random=Random(1).randbytes, protocol="TCL")


def commands(chip: SimulatedCard) -> PurseCommands:
    channel = CardChannel(stack(InProcessReader("gate", chip).connect()))
    TransitPurse.select(channel)
    return PurseCommands(channel)


def psam(**changes: object) -> TransitPsam:
    profile = replace(TransitPsamProfile(), **changes)  # type: ignore[arg-type]  # any field
    chip = SimulatedTransitPsam(profile, random=Random(2).randbytes)
    return TransitPsam.open(InProcessReader("psam", chip))


def permitted(
    purse: PurseCommands, sam: TransitSam, fen: int, *, composite: bool = True
) -> PursePermit:
    offer = purse.begin(fen, terminal=sam.terminal, key_index=sam.key_index, composite=composite)
    kind = PurseKind.COMPOSITE if composite else PurseKind.PURCHASE
    return sam.permit(
        PurseRequest(
            DATA.identity,
            PursePurchase(fen, kind, sam.terminal, TIME),
            offer.random,
            offer.sequence.to_bytes(2, "big"),
            offer.key_version,
            offer.algorithm,
        )
    )


def paid(purse: PurseCommands, sam: TransitSam, fen: int) -> PurseReceipt:
    receipt = purse.debit(permitted(purse, sam, fen), TIME)
    assert receipt.mac2 is not None
    sam.check(receipt.mac2)
    return receipt


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("module", ["psam", "software"])
def test_a_purchase_takes_the_money_and_is_logged(algorithm: Algorithm, module: str) -> None:
    purse = commands(card(algorithm))
    sam: TransitSam = psam() if module == "psam" else SoftwareTransitSam()
    receipt = paid(purse, sam, 300)
    offer = purse.begin(0, terminal=sam.terminal, key_index=1, composite=True)
    assert (offer.balance_fen, offer.sequence) == (5300, 1)
    (row,) = purse.log()
    assert (row.sequence, row.fen, row.kind) == (1, 300, PurseKind.COMPOSITE)
    assert (row.terminal, row.at) == (sam.terminal, NOON)
    key = purse_key(algorithm, DEVELOPMENT_TAC_KEY, DATA.identity.issuer, DATA.identity.serial)
    purchase = PursePurchase(300, PurseKind.COMPOSITE, sam.terminal, TIME)
    assert receipt.tac == purchase.tac(algorithm, key, (1).to_bytes(4, "big"))


def test_a_plain_purchase_writes_no_records() -> None:
    purse, sam = commands(card()), SoftwareTransitSam()
    permit = permitted(purse, sam, 300, composite=False)
    with pytest.raises(StatusError) as caught:
        purse.hand_over(Sfi.RAIL, bytes(empty_rail()))
    assert caught.value.sw == StatusWord.WRONG_STATE
    purse.debit(permit, TIME)
    assert purse.log()[0].kind == PurseKind.PURCHASE


def test_a_fare_above_the_balance_is_refused_before_anything_happens() -> None:
    purse = commands(card())
    with pytest.raises(PurseTooLow):
        purse.begin(5601, terminal=bytes(6), key_index=1, composite=True)
    assert purse.begin(5600, terminal=bytes(6), key_index=1, composite=True).sequence == 0


def test_what_may_be_overdrawn_is_spent_after_the_own_money() -> None:
    chip = card(balance_fen=200, overdraft_limit_fen=500)
    paid(commands(chip), SoftwareTransitSam(), 600)
    channel = CardChannel(stack(InProcessReader("gate", chip).connect()))
    money = TransitPurse.select(channel).money()
    assert (money.purse_fen, money.overdraft_fen, money.real_fen) == (0, 400, -400)


def test_a_wrong_mac1_changes_nothing_and_ends_the_purchase() -> None:
    purse, sam = commands(card()), SoftwareTransitSam()
    permit = permitted(purse, sam, 300)
    wrong = PursePermit(permit.sequence, bytes(byte ^ 1 for byte in permit.mac1))
    with pytest.raises(StatusError) as caught:
        purse.debit(wrong, TIME)
    assert caught.value.sw == StatusWord.MAC_INVALID
    with pytest.raises(StatusError) as again:
        purse.debit(permit, TIME)
    assert again.value.sw == StatusWord.WRONG_STATE
    assert purse.log() == ()


@pytest.mark.parametrize("module", ["psam", "software"])
def test_a_forged_purse_is_not_debited(module: str) -> None:
    forged = SimulatedCard(
        replace(load_profile("adult-2.0"), transit=DATA, keys="wrong"),
        random=Random(1).randbytes,
        protocol="TCL",
    )
    sam: TransitSam = psam() if module == "psam" else SoftwareTransitSam()
    with pytest.raises(StatusError):
        paid(commands(forged), sam, 300)


@pytest.mark.parametrize("module", ["psam", "software"])
def test_a_wrong_mac2_is_found_and_cannot_be_tried_twice(module: str) -> None:
    sam: TransitSam = psam() if module == "psam" else SoftwareTransitSam()
    purse = commands(card())
    good = purse.debit(permitted(purse, sam, 300), TIME)
    with pytest.raises(PurchaseNotProved):
        sam.check(b"\x00" * 4)
    assert good.mac2 is not None
    with pytest.raises(CardError):
        sam.check(good.mac2)


def test_transaction_numbers_are_never_given_twice_also_over_a_torn_write() -> None:
    chip = SimulatedTransitPsam(random=Random(2).randbytes)
    seen: list[bytes] = []
    for torn in range(12):
        sam = TransitPsam.open(InProcessReader("psam", chip))
        purse = commands(card())
        chip.memory.tear_after(torn * 3)
        try:
            seen.append(permitted(purse, sam, 100).sequence)
        except CardError:
            sam = TransitPsam.open(InProcessReader("psam", chip))
            seen.append(permitted(commands(card()), sam, 100).sequence)
    assert len(set(seen)) == len(seen)


def test_a_software_module_tells_its_next_number_before_it_uses_one() -> None:
    kept: list[int] = []
    sam = SoftwareTransitSam(first=7, keep=kept.append)
    assert permitted(commands(card()), sam, 100).sequence == (7).to_bytes(4, "big")
    assert kept == [8]


def test_keys_and_versions_that_a_module_has_not_got() -> None:
    sam = SoftwareTransitSam()
    purchase = PursePurchase(1, PurseKind.COMPOSITE, sam.terminal, TIME)
    request = PurseRequest(DATA.identity, purchase, bytes(4), bytes(2), 2, Algorithm.DES)
    with pytest.raises(KeyNotAvailable):
        sam.permit(request)
    with pytest.raises(CardError):
        psam().permit(request)
    with pytest.raises(MalformedData):
        PurseIdentity(bytes(7), bytes(8))
    with pytest.raises(SamAbsent):
        TransitPsam.open(InProcessReader("empty"))


def test_a_proof_is_of_the_last_transaction_only() -> None:
    purse, sam = commands(card()), SoftwareTransitSam()
    assert purse.proof(PurseKind.COMPOSITE, 0) is None
    first = paid(purse, sam, 100)
    assert purse.proof(PurseKind.COMPOSITE, 1) == first
    assert purse.proof(PurseKind.PURCHASE, 1) is None
    assert purse.proof(PurseKind.COMPOSITE, 0) is None
    second = paid(purse, sam, 200)
    assert purse.proof(PurseKind.COMPOSITE, 1) is None
    assert purse.proof(PurseKind.COMPOSITE, 2) == second


def entered(balance: int) -> RailRecord:
    return empty_rail().entered(
        station=b"STATION1", device=b"DEVICE01", line=2, city=b"\x29\x00", at=NOON
    )


def journey(kind: JourneyKind, fen: int, balance: int) -> Journey:
    return Journey(
        kind,
        b"DEVICE01",
        Industry.METRO,
        b"\x00\x02",
        b"\x01\x02",
        b"\x12\x00",
        fen,
        balance,
        NOON,
        b"\x29\x00",
        bytes.fromhex("12002900FFFFFFFF"),
    )


def test_records_are_written_with_the_debit_and_not_before() -> None:
    purse, sam = commands(card()), SoftwareTransitSam()
    permit = permitted(purse, sam, 0)
    purse.hand_over(Sfi.RAIL, bytes(entered(5600)))
    purse.hand_over(Sfi.JOURNEYS, bytes(journey(JourneyKind.ENTRY, 0, 5600)), number=0)
    assert not purse.rail_record().inside
    purse.debit(permit, TIME)
    rail = purse.rail_record()
    assert (rail.inside, rail.entry_station, rail.entered_at) == (True, b"STATION1", NOON)
    assert purse.journeys() == (journey(JourneyKind.ENTRY, 0, 5600),)


@pytest.mark.parametrize(
    ("sfi", "number", "record", "sw"),
    [
        (0x1D, 1, bytes(128), StatusWord.FILE_NOT_FOUND),
        (Sfi.LOG, 0, bytes(23), StatusWord.FILE_NOT_FOUND),
        (Sfi.RAIL, 2, bytes(128), StatusWord.RECORD_NOT_FOUND),
        (Sfi.RAIL, 1, bytes(127), StatusWord.NO_SPACE),
    ],
)
def test_records_that_the_card_does_not_take(
    sfi: int, number: int, record: bytes, sw: StatusWord
) -> None:
    purse = commands(card())
    permitted(purse, SoftwareTransitSam(), 0)
    with pytest.raises(StatusError) as caught:
        purse.hand_over(sfi, record, number=number)  # type: ignore[arg-type]  # also wrong ones
    assert caught.value.sw == sw


def test_a_debit_torn_anywhere_leaves_all_or_nothing_and_the_proof_tells_which() -> None:
    outcomes = set()
    byte = 0
    chip = card()
    fresh = chip.memory.content
    while True:
        chip.memory.replace_content(fresh)
        sam = SoftwareTransitSam()
        purse = commands(chip)
        permit = permitted(purse, sam, 300)
        purse.hand_over(Sfi.RAIL, bytes(entered(5300)))
        purse.hand_over(Sfi.JOURNEYS, bytes(journey(JourneyKind.ENTRY, 300, 5300)), number=0)
        chip.memory.tear_after(byte)
        try:
            purse.debit(permit, TIME)
        except CardRemoved:
            pass
        else:
            break
        purse = commands(chip)
        offer = purse.begin(0, terminal=sam.terminal, key_index=1, composite=True)
        done = purse.proof(PurseKind.COMPOSITE, 1) is not None
        state = (
            offer.balance_fen,
            offer.sequence,
            len(purse.log()),
            purse.rail_record().inside,
            len(purse.journeys()),
        )
        assert state == ((5300, 1, 1, True, 1) if done else (5600, 0, 0, False, 0))
        outcomes.add(done)
        byte += 1
    assert outcomes == {True, False}
    assert byte > 200


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_load_is_proved_by_both_sides(algorithm: Algorithm) -> None:
    purse = commands(
        card(algorithm, balance_fen=0, overdraft_limit_fen=500, overdraft_used_fen=300)
    )
    terminal = bytes.fromhex("990100000009")
    offer = purse.begin_load(1000, terminal=terminal, key_index=1)
    load = PurseLoad(offer.balance_fen, 1000, terminal, TIME)
    identity = DATA.identity
    key = purse_key(algorithm, DEVELOPMENT_LOAD_KEY, identity.issuer, identity.serial)
    sequence = offer.sequence.to_bytes(2, "big")
    session = purse_session_key(algorithm, key, load_seed(offer.random, sequence))
    assert offer.mac1 == load.mac1(algorithm, session)
    tac = purse.credit(TIME, load.mac2(algorithm, session))
    dtk = purse_key(algorithm, DEVELOPMENT_TAC_KEY, identity.issuer, identity.serial)
    assert tac == load.tac(algorithm, dtk, sequence)
    assert purse.begin(0, terminal=terminal, key_index=1, composite=True).balance_fen == 700
    proof = purse.proof(PurseKind.LOAD, offer.sequence)
    assert proof is not None
    assert proof.tac == tac


def test_a_load_without_the_hosts_word_is_refused() -> None:
    purse = commands(card())
    purse.begin_load(1000, terminal=bytes(6), key_index=1)
    with pytest.raises(StatusError) as caught:
        purse.credit(TIME, bytes(4))
    assert caught.value.sw == StatusWord.MAC_INVALID
    assert purse.begin(0, terminal=bytes(6), key_index=1, composite=True).balance_fen == 5600


def test_a_rail_record_with_a_wrong_checksum_counts_as_empty() -> None:
    good = bytes(entered(5600))
    assert RailRecord.parse(good).inside
    torn = bytearray(good)
    torn[90] ^= 1
    assert not RailRecord.parse(bytes(torn)).inside
    with pytest.raises(MalformedData):
        RailRecord.parse(good[:-1])


def test_the_months_sums_begin_anew_with_the_month() -> None:
    def ride(record: RailRecord, at: datetime, fen: int) -> RailRecord:
        return record.left(
            station=b"S" * 8, device=b"D" * 8, line=1, city=b"\x29\x00", at=at, fen=fen
        )

    march = ride(ride(empty_rail(), NOON, 300), NOON, 400)
    assert (march.month, march.accumulated_fen, march.rides) == ("202603", 700, 2)
    # 16:00 in UTC is the next day, and here the next month, in Shanghai.
    april = ride(march, datetime(2026, 3, 31, 16, 0, tzinfo=UTC), 500)
    assert (april.month, april.accumulated_fen, april.rides) == ("202604", 500, 1)


@pytest.mark.parametrize("raw", [bytes(7), b"\xff" * 7, bytes.fromhex("20260230000000")])
def test_a_time_that_is_none(raw: bytes) -> None:
    assert instant(raw) is None


def test_rows_of_a_wrong_length_are_refused() -> None:
    with pytest.raises(MalformedData):
        Journey.parse(bytes(47))
