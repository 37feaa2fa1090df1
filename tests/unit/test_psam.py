"""The PSAM in the second slot: environments, public files, level probing, and what goes wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.crypto import Algorithm, Purchase, auth_data, card_key, mac, session_key
from apdu.layers import Layer
from apdu.psam import PsamCard, PsamInfo
from apdu.psam_keys import KeyLevel, KeyValidity, key_level
from apdu.purchase import PurchasePermit, PurchaseRequest
from apdu.readers.inprocess import InProcessConnection, InProcessReader
from apdu.sam import DEVELOPMENT_KEYS, CardIdentity, MessageModule, PurchaseModule
from apdu.ssc.keys import KeyName
from apdu.status import (
    AlgorithmNotSupported,
    CardError,
    CardRemoved,
    CardReset,
    KeyNotAvailable,
    MalformedData,
    NoAnswer,
    PurchaseNotProved,
    ReaderBusy,
    SamAbsent,
    SamBadAnswer,
    SamKeyLevel,
    SamNoAnswer,
    SamRemoved,
    SamStatus,
    SecurityModuleError,
)
from simulator.psam import PsamProfile, SimulatedPsam

DES, SSF33, SM4 = Algorithm.DES, Algorithm.SSF33, Algorithm.SM4
CARD_ID = bytes.fromhex("990100D15600000500000001FFFFFFFF")
HISTORICAL = bytes.fromhex("0081544C92868499010000007B")
FACTOR = bytes.fromhex("1122334455667788")
ORIGINAL = bytes.fromhex("A1A2A3A4A5A6A7A8")
TIME = bytes.fromhex("20260102030405")
PROFILE = PsamProfile()


class Heard(Layer):
    """Remembers the commands that went to the PSAM, in hexadecimal."""

    def __init__(self, chip: SimulatedPsam) -> None:
        super().__init__(InProcessReader("slot 2", chip).connect())
        self.commands: list[str] = []

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command.hex().upper())
        return super().transmit(command)

    def new(self) -> list[str]:
        """What was heard since the last call."""
        commands, self.commands = self.commands, []
        return commands


def chip(profile: PsamProfile = PROFILE) -> SimulatedPsam:
    return SimulatedPsam(profile, random=Random(3).randbytes)


def heard(profile: PsamProfile = PROFILE) -> tuple[PsamCard, Heard]:
    line = Heard(chip(profile))
    return PsamCard(line), line


def card(algorithm: Algorithm = DES) -> CardIdentity:
    return CardIdentity(algorithm, CARD_ID, HISTORICAL)


def expected(algorithm: Algorithm, key: KeyName) -> bytes:
    root = DEVELOPMENT_KEYS[key][: key.length(algorithm)]
    value = card_key(algorithm, root, "990100", HISTORICAL)
    return auth_data(algorithm, session_key(algorithm, value, FACTOR), ORIGINAL)


def request(terminal: str, version: int = 1) -> PurchaseRequest:
    purchase = Purchase(0, 100, 0, bytes.fromhex(terminal), TIME)
    return PurchaseRequest(purchase, bytes.fromhex("C0FFEE01"), b"\x00\x07", version)


# Opening, files, environments


def test_it_is_a_module_of_every_kind() -> None:
    psam, _ = heard()
    messages: MessageModule = psam
    purchases: PurchaseModule = psam
    assert messages.terminal_number == purchases.terminal_number


def test_public_files() -> None:
    psam, _ = heard(replace(PROFILE, terminal_number="990100000042", counter=7))
    assert psam.terminal_number == "990100000042"
    assert psam.info() == PsamInfo(0x43, "99010020260101000001", 0x22, 0x44)
    assert psam.transaction_counter(DES) == 7
    assert psam.transaction_counter(SM4) == 7


def test_what_it_says_about_its_keys() -> None:
    psam, line = heard(replace(PROFILE, key_version=2))
    expected_validity = KeyValidity(1, 2, date(2020, 1, 1), date(2040, 12, 31))
    assert psam.key_validity(DES, KeyLevel.CITY) == expected_validity
    line.new()
    assert psam.key_validity(DES, KeyLevel.CITY) == expected_validity
    assert line.new() == []


def test_a_psam_that_says_nothing_holds_the_first_version() -> None:
    psam, _ = heard(replace(PROFILE, key_version=None))
    with pytest.raises(SamStatus, match="6A82"):
        psam.key_validity(DES, KeyLevel.NATIONAL)
    assert psam.card_authentication(card(), FACTOR, ORIGINAL, 1) == expected(DES, KeyName.IRK)
    with pytest.raises(KeyNotAvailable):
        psam.card_authentication(card(), FACTOR, ORIGINAL, 2)


def test_a_psam_whose_files_cannot_be_read_names_no_version() -> None:
    psam = PsamCard(Scripted({"00B0": bytes.fromhex("6982")}))
    with pytest.raises(SamStatus, match="6982"):
        psam.card_authentication(card(), FACTOR, ORIGINAL, 1)


@pytest.mark.parametrize("term", ["2020010120401331", "20200101FFFFFFFF", "2020010120000000"])
def test_terms_that_are_none(term: str) -> None:
    psam = PsamCard(Scripted({"00B0": bytes.fromhex("0101" + term + "9000")}))
    with pytest.raises(SamBadAnswer):
        psam.key_validity(DES, KeyLevel.NATIONAL)


@pytest.mark.parametrize(
    ("numbers", "level"),
    [
        ([*range(0x08, 0x10), *range(0x20, 0x40), *range(0xB0, 0xB5)], KeyLevel.NATIONAL),
        ([*range(0x10, 0x18), *range(0x40, 0x80)], KeyLevel.PROVINCIAL),
        ([*range(0x18, 0x20), *range(0x80, 0xB0), *range(0xB5, 0xC0)], KeyLevel.CITY),
    ],
)
def test_key_numbers_tell_who_issued_the_key(numbers: list[int], level: KeyLevel) -> None:
    """Facts 4.5. The national table has B0 to B4, which would be a city's."""
    assert {key_level(number) for number in numbers} == {level}


def test_the_terminal_number_is_read_once() -> None:
    psam, line = heard()
    _ = psam.terminal_number
    assert line.new() == ["00A40000023F00", "00B0960006"]
    _ = psam.terminal_number
    assert line.new() == []


@pytest.mark.parametrize("offered", [{DES}, {SM4}, {DES, SM4}, {DES, SSF33, SM4}])
def test_each_algorithm_has_its_own_environment(offered: set[Algorithm]) -> None:
    psam, line = heard(replace(PROFILE, algorithms=frozenset(offered)))
    assert {algorithm for algorithm in Algorithm if psam.supports(algorithm)} == offered
    line.new()
    for algorithm in Algorithm:
        psam.supports(algorithm)
    assert line.new() == []


def test_the_application_of_another_algorithm_is_not_taken_for_des() -> None:
    """All environments name their application alike, so its name alone would find SM4's."""
    psam, _ = heard(replace(PROFILE, algorithms=frozenset({SM4})))
    assert not psam.supports(DES)
    with pytest.raises(AlgorithmNotSupported):
        psam.card_authentication(card(DES), FACTOR, ORIGINAL)


def test_an_old_psam_knows_the_application_by_its_name_alone() -> None:
    psam, line = heard(replace(PROFILE, algorithms=frozenset({DES}), environments=False))
    assert psam.supports(DES)
    assert not psam.supports(SM4)
    line.new()
    assert psam.card_authentication(card(), FACTOR, ORIGINAL) == expected(DES, KeyName.IRK)
    assert line.new()[0] == "00A4040006D15600000590"


def test_environments_are_switched_and_not_selected_again() -> None:
    psam, line = heard()
    for algorithm in (DES, SM4, DES):
        answer = psam.card_authentication(card(algorithm), FACTOR, ORIGINAL)
        assert answer == expected(algorithm, KeyName.IRK)
    line.new()
    psam.card_authentication(card(DES), FACTOR, ORIGINAL)
    assert not [command for command in line.new() if command.startswith("00A4")]


def test_challenges_come_from_the_psam() -> None:
    psam, line = heard()
    assert psam.challenge(8) == Random(3).randbytes(8)
    assert line.new() == ["0084000008"]


# Key levels


@pytest.mark.parametrize(
    ("levels", "tried"), [(3, ["67"]), (2, ["67", "47"]), (1, ["67", "47", "27"])]
)
def test_the_level_is_found_by_trying_and_remembered(levels: int, tried: list[str]) -> None:
    psam, line = heard(replace(PROFILE, levels=levels))
    _ = psam.supports(DES)
    line.new()
    factors = "868499010000007B" + "3939303130307378" + "3939303030307368"
    for uses in (tried, tried[-1:]):
        psam.card_authentication(card(), FACTOR, ORIGINAL)
        sent = [command for command in line.new() if command.startswith("BFDE")]
        wanted = [(use, int(use, 16) >> 5) for use in uses]
        assert sent == [
            f"BFDE{use}08{8 * n + 8:02X}{factors[: 16 * n]}{FACTOR.hex()}" for use, n in wanted
        ]


def test_each_key_and_algorithm_has_its_own_level() -> None:
    """As published, the IRK is national (67) and the PUK provincial (48)."""
    psam, line = heard()
    for algorithm in (DES, SM4):
        for key in (KeyName.IRK, KeyName.PUK, KeyName.RKSSSE):
            proof = psam.terminal_authentication(card(algorithm), key, FACTOR, ORIGINAL)
            assert proof == expected(algorithm, key) + ORIGINAL
    line.new()
    psam.terminal_authentication(card(DES), KeyName.PUK, FACTOR, ORIGINAL)
    assert line.new()[-3][:8] == "BFDE4810"


def test_a_psam_of_another_city_answers_wrong() -> None:
    """Its keys are of the right level, but of another branch: the card finds that out."""
    psam, _ = heard(replace(PROFILE, levels=1, region="110100"))
    assert psam.card_authentication(card(), FACTOR, ORIGINAL) != expected(DES, KeyName.IRK)


def test_region_33_uses_four_digits_for_its_city() -> None:
    zhejiang = CardIdentity(DES, bytes.fromhex("330400") + CARD_ID[3:], HISTORICAL)
    psam, line = heard()
    psam.card_authentication(zhejiang, FACTOR, ORIGINAL)
    assert any(b"330400sx".hex().upper() in command for command in line.commands)
    zhejiang = CardIdentity(DES, bytes.fromhex("330411") + CARD_ID[3:], HISTORICAL)
    line.new()
    psam.card_authentication(zhejiang, FACTOR, ORIGINAL)
    assert any(b"330400sx".hex().upper() in command for command in line.commands)


def test_wrong_level_is_an_error_of_its_own() -> None:
    """Facts 6.4: -24. A key that sits on a level of its own making."""
    psam, _ = heard(replace(PROFILE, levels=4))
    with pytest.raises(SamKeyLevel):
        psam.card_authentication(card(), FACTOR, ORIGINAL)
    with pytest.raises(SamKeyLevel):
        psam.permit_purchase(card(), request(psam.terminal_number))


def test_a_missing_key_is_an_error_of_its_own() -> None:
    roots = {KeyName.IRK: DEVELOPMENT_KEYS[KeyName.IRK]}
    psam, _ = heard(replace(PROFILE, roots=roots))
    assert psam.card_authentication(card(), FACTOR, ORIGINAL) == expected(DES, KeyName.IRK)
    with pytest.raises(KeyNotAvailable):
        psam.terminal_authentication(card(), KeyName.RKSSSE, FACTOR, ORIGINAL)
    with pytest.raises(KeyNotAvailable):
        psam.permit_purchase(card(), request(psam.terminal_number))


def test_keys_and_versions_that_no_psam_addresses() -> None:
    psam, _ = heard()
    with pytest.raises(KeyNotAvailable):
        psam.terminal_authentication(card(), KeyName.RK1DF06, FACTOR, ORIGINAL)
    with pytest.raises(KeyNotAvailable):
        psam.terminal_authentication(card(), KeyName.RKSSSE, FACTOR, ORIGINAL, 2)


@pytest.mark.parametrize("algorithm", [DES, SM4])
@pytest.mark.parametrize("key", [name for name in KeyName if name.spec.psam_id is not None])
def test_every_key_of_the_table_is_found(algorithm: Algorithm, key: KeyName) -> None:
    """Facts 3.5 and 4.2. Keys for purchases sign nothing else."""
    psam, _ = heard()
    if key in (KeyName.DPK, KeyName.DPK2, KeyName.DPK3):
        with pytest.raises(SamStatus, match="6985"):
            psam.terminal_authentication(card(algorithm), key, FACTOR, ORIGINAL)
    else:
        proof = psam.terminal_authentication(card(algorithm), key, FACTOR, ORIGINAL)
        assert proof[:8] == expected(algorithm, key)


# INITIALIZE ENVIRONMENT


def test_a_psam_that_wants_the_province_is_told_it() -> None:
    psam, line = heard(replace(PROFILE, wants_province=True))
    for key in (KeyName.IRK, KeyName.PUK):
        proof = psam.terminal_authentication(card(), key, FACTOR, ORIGINAL)
        assert proof[:8] == expected(DES, key)
    assert line.new().count("BFEC00000199") == 1
    other = CardIdentity(DES, bytes.fromhex("110100") + CARD_ID[3:], HISTORICAL)
    psam.card_authentication(other, FACTOR, ORIGINAL)
    assert line.new().count("BFEC00000111") == 1
    psam.card_authentication(card(SM4), FACTOR, ORIGINAL)
    assert line.new().count("BFEC00000199") == 1  # selecting has made it forget


def test_a_psam_that_does_not_is_not_told() -> None:
    psam, line = heard()
    psam.card_authentication(card(), FACTOR, ORIGINAL)
    assert not [command for command in line.new() if command.startswith("BFEC")]


def test_a_purchase_first_on_a_psam_that_wants_the_province() -> None:
    psam, _ = heard(replace(PROFILE, wants_province=True))
    assert psam.permit_purchase(card(), request(psam.terminal_number)).sequence == b"\0\0\0\1"


# MACs


@given(st.binary(max_size=300))
def test_macs_of_any_length(data: bytes) -> None:
    """One block to several CIPHER DATA: the chain is that of one MAC over all."""
    for algorithm in (DES, SM4):
        psam, _ = heard()
        root = DEVELOPMENT_KEYS[KeyName.DLK]
        session = session_key(algorithm, card_key(algorithm, root, "990100", HISTORICAL), FACTOR)
        answer = psam.message_mac(card(algorithm), KeyName.DLK, FACTOR, data)
        assert answer == mac(algorithm, session, data)


@pytest.mark.parametrize(
    ("algorithm", "answer", "mac4"),
    [
        (DES, "0102030405060708", "01020304"),
        (DES, "01020304", "01020304"),
        (SM4, "01020304010203040102030405060708", "0404040c"),
        (SM4, "01020304", "01020304"),
    ],
)
def test_a_psam_may_answer_the_whole_last_block(
    algorithm: Algorithm, answer: str, mac4: str
) -> None:
    psam = PsamCard(Scripted({"80FA": bytes.fromhex(answer + "9000")}))
    assert psam.message_mac(card(algorithm), KeyName.DLK, FACTOR, b"").hex() == mac4


# Purchases


def test_the_purchase_level_is_found_and_remembered() -> None:
    psam, line = heard(replace(PROFILE, levels=1))
    number = psam.terminal_number
    line.new()
    psam.permit_purchase(card(), request(number))
    sent = [command[:10] for command in line.new() if command.startswith("8070")]
    assert sent == ["8070010034", "807001002C", "8070010024"]
    psam.permit_purchase(card(), request(number))
    sent = [command[:10] for command in line.new() if command.startswith("8070")]
    assert sent == ["8070010024"]


def test_a_purchase_key_of_each_version() -> None:
    psam, _ = heard()
    macs = {psam.permit_purchase(card(), request("990100000001", v)).mac1 for v in (1, 2, 3)}
    assert len(macs) == 3
    with pytest.raises(MalformedData):
        request("990100000001", 4)
    with pytest.raises(MalformedData):
        PurchaseRequest(Purchase(0, 0, 0, bytes(6), TIME), bytes(8), bytes(2))


def test_a_counter_at_its_end_permits_nothing() -> None:
    psam, _ = heard(replace(PROFILE, counter=0xFFFFFFFF))
    with pytest.raises(SamStatus) as refused:
        psam.permit_purchase(card(), request(psam.terminal_number))
    assert refused.value.sw == 0x9402


def test_mac2_after_a_reset_proves_nothing() -> None:
    software = chip()
    psam = PsamCard(Heard(software))
    psam.permit_purchase(card(), request("990100000001"))
    software.power_on()
    with pytest.raises(PurchaseNotProved):
        psam.complete_purchase(bytes(4))


def test_the_permit_is_what_debit_for_purchase_takes() -> None:
    permit = PurchasePermit(bytes.fromhex("00000123"), TIME, bytes.fromhex("E6501057"))
    assert permit.command_data.hex().upper() == "0000012320260102030405E6501057"
    assert "e6501057" not in repr(permit).lower()


# What goes wrong with the PSAM is never taken for the holder's card


class Scripted:
    """A PSAM that answers every command with 9000, or as `answers` says by CLA and INS."""

    def __init__(self, answers: dict[str, bytes | CardError]) -> None:
        self.atr = b"\x3b\x00"
        self._answers = answers

    def transmit(self, command: bytes) -> bytes:
        answer = self._answers.get(command[:2].hex().upper(), b"\x90\x00")
        if isinstance(answer, CardError):
            raise answer
        return answer

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass


def everything(psam: PsamCard) -> list[Callable[[], object]]:
    return [
        lambda: psam.terminal_number,
        psam.info,
        lambda: psam.transaction_counter(SM4),
        lambda: psam.challenge(8),
        lambda: psam.card_authentication(card(), FACTOR, ORIGINAL),
        lambda: psam.terminal_authentication(card(SM4), KeyName.PUK, FACTOR, ORIGINAL),
        lambda: psam.message_mac(card(), KeyName.STK, FACTOR, b""),
        lambda: psam.secured_command(card(), KeyName.STK, FACTOR, bytes(4), b"1", encipher=True),
        lambda: psam.permit_purchase(card(), request("990100000001")),
        lambda: psam.complete_purchase(bytes(4)),
    ]


def test_no_psam_in_the_slot() -> None:
    with pytest.raises(SamAbsent):
        PsamCard.open(InProcessReader("slot 2"))


def test_a_psam_that_another_program_holds() -> None:
    slot = InProcessReader("slot 2", chip())
    psam = PsamCard.open(slot)
    with pytest.raises(ReaderBusy):
        PsamCard.open(slot)
    psam.close()
    PsamCard.open(slot).close()


def test_a_mute_psam() -> None:
    class Mute(InProcessReader):
        def connect(self, *, exclusive: bool = True) -> InProcessConnection:
            raise NoAnswer("no answer to reset")

    with pytest.raises(SamNoAnswer):
        PsamCard.open(Mute("slot 2", chip()))


@pytest.mark.parametrize("number", range(10))
def test_a_psam_that_is_pulled_out(number: int) -> None:
    slot = InProcessReader("slot 2", chip())
    psam = PsamCard.open(slot)
    assert psam.supports(DES)
    slot.remove()
    with pytest.raises(SamRemoved) as error:
        everything(psam)[number]()
    assert not isinstance(error.value, CardRemoved)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (CardRemoved("x"), SamRemoved),
        (CardReset("x"), SamNoAnswer),
        (NoAnswer("x"), SamNoAnswer),
        (b"\x90", SamBadAnswer),
        (b"", SamBadAnswer),
        (bytes(5) + b"\x90\x00", SamBadAnswer),
        (b"\x6f\x00", SamStatus),
        (b"\x69\x83", SamStatus),
        (b"\x93\x03", SamStatus),
        (b"\x61\x05", SamStatus),
    ],
)
@pytest.mark.parametrize("number", range(10))
def test_every_fault_of_the_line_has_its_own_error(
    fault: bytes | CardError, kind: type[SecurityModuleError], number: int
) -> None:
    commands = ("00B0", "0084", "BFDE", "80FA", "8070", "8072")
    answers: dict[str, bytes | CardError] = dict.fromkeys(commands, fault)
    answers["00C0"] = b"\x6f\x00"
    with pytest.raises(kind):
        everything(PsamCard(Scripted(answers)))[number]()


@pytest.mark.parametrize("answer", [b"\x69\x82", b"\x93\x03"])
def test_a_psam_that_refuses_to_be_selected(answer: bytes) -> None:
    psam = PsamCard(Scripted({"00A4": answer}))
    with pytest.raises(SamStatus):
        psam.supports(DES)


def test_numbers_that_are_none() -> None:
    psam = PsamCard(Scripted({"00B0": bytes.fromhex("99010000000A9000")}))
    with pytest.raises(SamBadAnswer):
        _ = psam.terminal_number


def test_an_application_that_is_gone() -> None:
    answers: dict[str, bytes | CardError] = {}
    psam = PsamCard(Scripted(answers))
    assert psam.supports(DES)
    answers["80FA"] = CardReset("x")
    with pytest.raises(SamNoAnswer):
        psam.card_authentication(card(), FACTOR, ORIGINAL)
    answers["00A4"] = b"\x6a\x82"
    with pytest.raises(SamBadAnswer):
        psam.card_authentication(card(), FACTOR, ORIGINAL)


def test_after_a_reset_by_others_it_selects_again() -> None:
    software = chip()
    answers: dict[str, bytes | CardError] = {}

    class Disturbed(Heard):
        def transmit(self, command: bytes) -> bytes:
            if answers.pop("next", None):
                software.power_on()
                raise CardReset("another program")
            return super().transmit(command)

    psam = PsamCard(Disturbed(software))
    assert psam.supports(DES)
    answers["next"] = b"x"
    with pytest.raises(SamNoAnswer):
        psam.card_authentication(card(), FACTOR, ORIGINAL)
    assert psam.card_authentication(card(), FACTOR, ORIGINAL) == expected(DES, KeyName.IRK)


@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(0, 9))
def test_garbage_ends_in_an_error_of_the_module_or_in_an_answer(
    answers: list[bytes], number: int
) -> None:
    """Whatever a chip in the slot says: bounded work, a typed error."""

    class Babbling(Scripted):
        def transmit(self, command: bytes) -> bytes:
            return answers.pop() if answers else b"\x6d\x00"

    with contextlib.suppress(SecurityModuleError):
        everything(PsamCard(Babbling({})))[number]()
