"""The LD/T 33 functions: what the conformance matrix leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random

import pytest

from apdu.pin import Pin
from apdu.readers.inprocess import InProcessReader
from apdu.sam import CardIdentity, SoftwareSam
from apdu.ssc.driver import (
    FUNCTIONS,
    Devices,
    Driver,
    DriverResult,
    PinPrompt,
    ResultCode,
    always,
    call,
)
from apdu.ssc.driver.result import code_of, text_of
from apdu.ssc.transactions import PendingDebit
from apdu.status import (
    CardError,
    CardRemoved,
    KeyNotAvailable,
    NoAnswer,
    ReaderBusy,
    StatusError,
)
from simulator.card.card import Protocol, SimulatedCard
from simulator.card.profile import load_profile
from simulator.hsm import SoftwareHsm

PIN = "246810"
PAYMENT = "123.45|100.00|20260102030405|"
OTHER = "1.00|0.00|20260102030406|"
INFO = "990100D156000005C0000001FFFFFFFF|A99010016|"
DEBIT, PROOF = b"\xb0\x2c", b"\xb0\x2e"


class OnePin:
    """A pad on which the right PIN is always typed."""

    def read_pin(self, prompt: PinPrompt) -> Pin:
        return Pin(PIN)


class Torn(SimulatedCard):
    """Leaves once at a command: before it is executed, or before its answer arrives."""

    command = DEBIT
    at: str | None = None

    def transmit(self, command: bytes) -> bytes:
        where = None
        if command.startswith(self.command):
            where, self.at = self.at, None
        if where == "before":
            raise CardRemoved("before")
        answer = super().transmit(command)
        if where == "after":
            raise CardRemoved("after")
        return answer


def torn(where: str | None) -> tuple[Torn, InProcessReader]:
    card = Torn(load_profile("adult-3.0"), random=Random(1).randbytes)
    card.at = where
    return card, InProcessReader("slot", card)


def devices(reader: InProcessReader) -> Devices:
    sam = SoftwareSam.development(Random(2).randbytes)
    return Devices((reader,), Random(3).randbytes, always(sam), OnePin())


def seq_of(result: DriverResult) -> str:
    return result.out.split("|")[5]


# Debits whose answer was lost (facts 7.5)


def test_a_debit_that_was_booked_is_not_made_twice() -> None:
    _, reader = torn("after")
    kept: list[PendingDebit] = []
    driver = Driver(devices(reader), keep=kept.append)
    assert driver.do_debit(1, INFO, PAYMENT).code == ResultCode.NO_CARD
    again = driver.do_debit(1, INFO, PAYMENT)
    assert again.ok
    assert seq_of(again) == "00000001"  # the first one's receipt
    assert len(kept) == 1
    assert driver.read_debit_record(1).out.count("|") == 1


def test_a_debit_that_was_not_booked_begins_again() -> None:
    _, reader = torn("before")
    driver = Driver(devices(reader))
    assert driver.do_debit(1, INFO, PAYMENT).code == ResultCode.NO_CARD
    again = driver.do_debit(1, INFO, PAYMENT)
    assert again.ok
    assert seq_of(again) == "00000002"
    assert driver.read_debit_record(1).out.count("|") == 1


def test_who_asks_again_with_a_new_time_gets_the_first_receipt() -> None:
    _, reader = torn("after")
    driver = Driver(devices(reader))
    assert not driver.do_debit(1, INFO, PAYMENT).ok
    again = driver.do_debit(1, INFO, PAYMENT.replace("20260102030405", "20260102030630"))
    assert again.out.split("|")[6] == "20260102030405"
    assert driver.read_debit_record(1).out.count("|") == 1


def test_another_payment_is_another_payment() -> None:
    _, reader = torn("after")
    driver = Driver(devices(reader))
    assert not driver.do_debit(1, INFO, PAYMENT).ok
    assert seq_of(driver.do_debit(1, INFO, OTHER)) == "00000002"
    assert driver.read_debit_record(1).out.count("|") == 2


def test_a_booked_debit_whose_proof_is_gone_is_in_the_records() -> None:
    _, reader = torn("after")
    driver, elsewhere = Driver(devices(reader)), Driver(devices(reader))
    assert not driver.do_debit(1, INFO, PAYMENT).ok
    assert elsewhere.do_debit(1, INFO, OTHER).ok
    assert driver.do_debit(1, INFO, PAYMENT).code == ResultCode.PROOF_NOT_AVAILABLE
    assert driver.read_debit_record(1).out.count("|") == 2


def test_a_card_pulled_again_while_it_is_asked_stays_interrupted() -> None:
    card, reader = torn("after")
    driver = Driver(devices(reader))
    assert not driver.do_debit(1, INFO, PAYMENT).ok
    card.command, card.at = PROOF, "before"
    assert driver.do_debit(1, INFO, PAYMENT).code == ResultCode.NO_CARD
    assert seq_of(driver.do_debit(1, INFO, PAYMENT)) == "00000001"
    assert driver.read_debit_record(1).out.count("|") == 1


def test_an_hsm_debit_that_was_booked_gets_its_question_and_its_receipt() -> None:
    _, reader = torn("after")
    driver, hsm = Driver(devices(reader)), SoftwareHsm(time=bytes.fromhex("20260102030411"))
    identity = load_profile("adult-3.0").card
    who = CardIdentity(identity.algorithm, identity.card_id, identity.historical)
    question = driver.do_debit_hsm_step1(1, INFO, PAYMENT).out
    assert driver.do_debit_hsm_step2(hsm.debit(question, who)).code == ResultCode.NO_CARD
    assert driver.do_debit_hsm_step1(1, INFO, PAYMENT).out == question
    done = driver.do_debit_hsm_step2(hsm.debit(question, who))
    assert done.ok
    assert done.out.split("|")[6] == "00000001"
    assert driver.read_debit_record(1).out.count("|") == 1


# Calls by name


def test_every_function_of_the_standard_can_be_called_by_name() -> None:
    with_psam = {
        "iReadCardBas", "iReadCard", "iWriteCard", "iVerifyPIN", "iChangePIN", "iReloadPIN",
        "iUnblockPIN", "iDoDebit", "iReadDebitRecord",
    }  # fmt: skip
    assert {name for name in FUNCTIONS if "HSM" not in name} == with_psam
    steps = {"iReadCardBas": 2, "iReadCard": 2, "iWriteCard": 2, "iReloadPIN": 3, "iUnblockPIN": 3}
    steps["iDoDebit"] = 2
    forms = {f"{name}_HSM_Step{step}" for name, of in steps.items() for step in range(1, of + 1)}
    assert {name for name in FUNCTIONS if "HSM" in name} == forms


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_answers_without_a_card(name: str) -> None:
    driver = Driver(Devices((InProcessReader("slot"),), Random(1).randbytes))
    given: Mapping[str, object] = {
        "iType": 1, "iAuthType": 1, "pCardInfo": INFO, "pFileAddr": "SSSEEF05|01|$",
        "pWriteData": "SSSEEF05|1|$", "pPayInfo": PAYMENT, "pKey": "00",
    }  # fmt: skip
    result = call(driver, name, given)
    later = name.endswith(("_Step2", "_Step3"))
    assert result.code == (ResultCode.NOT_CONNECTED if later else ResultCode.NO_CARD)
    assert result.out == text_of(result.code)


# Devices


def test_without_a_pin_pad_what_needs_a_pin_is_not_supported() -> None:
    _, reader = torn(None)
    driver = Driver(Devices((reader,), Random(1).randbytes))
    assert driver.verify_pin(1).code == ResultCode.NOT_SUPPORTED


def test_a_reader_that_another_program_holds_is_a_reader_error() -> None:
    _, reader = torn(None)
    other = reader.connect()
    driver = Driver(devices(reader))
    assert driver.read_card_bas(1).code == ResultCode.READER_ERROR
    other.close()
    assert driver.read_card_bas(1).ok


class Mute(SimulatedCard):
    """Does not answer to reset."""

    def power_on(self) -> bytes:
        raise NoAnswer("mute")


def test_a_mute_card_is_not_powered_unless_another_slot_has_one() -> None:
    profile = load_profile("adult-3.0")
    mute = InProcessReader("mute", Mute(profile, random=Random(1).randbytes))
    assert Driver(devices(mute)).read_card_bas(3).code == ResultCode.NOT_POWERED
    _, good = torn(None)
    sam = SoftwareSam.development(Random(2).randbytes)
    both = Driver(Devices((mute, good), Random(3).randbytes, always(sam)))
    assert both.read_card_bas(3).ok


def test_device_and_terminal_number_are_the_points_own() -> None:
    _, reader = torn(None)
    point = Devices(
        (reader,), Random(3).randbytes, terminal_number="990100000077", device_number="K7"
    )
    driver = Driver(point)
    question = driver.read_card_bas_hsm_step1(1).out
    line = driver.read_card_bas_hsm_step2(SoftwareHsm().basic_read(question)).out
    assert line.endswith("|990100000077|K7|")


def test_closing_powers_the_card_of_a_half_done_form_off() -> None:
    _, reader = torn(None)
    driver = Driver(devices(reader))
    assert driver.read_card_bas_hsm_step1(1).ok
    assert driver.read_card_bas(1).ok  # and so does any other call
    assert driver.read_card_bas_hsm_step1(1).ok
    driver.close()
    reader.connect(exclusive=True).close()


# Few commands


class Counting(SimulatedCard):
    """Counts the commands it gets."""

    commands = 0

    def transmit(self, command: bytes) -> bytes:
        self.commands += 1
        return super().transmit(command)


@pytest.mark.parametrize(
    ("name", "protocol", "least"),
    [("adult-2.0", "T0", 6), ("adult-3.0", "T0", 8), ("adult-3.0", "TCL", 6)],
)
def test_a_basic_read_takes_no_command_too_many(name: str, protocol: Protocol, least: int) -> None:
    chip = Counting(load_profile(name), random=Random(1).randbytes, protocol=protocol)
    assert Driver(devices(InProcessReader("slot", chip))).read_card_bas(3).ok
    assert chip.commands == least


@pytest.mark.parametrize(
    ("address", "reads"),
    [
        ("DF03EF06|45|$", ["00B2450016"]),  # one record of a file of 401 bytes
        ("DF03EF06|45|46|$", ["00B2450016", "00B2460004"]),
        ("DF01EF0A|37|38|39|$", ["00B201550F"]),  # the whole of a small one
        ("DF01EF15|40:2|$", ["00B201ADA5"]),  # records that share a tag
        ("SSSEEF05|07|$", []),  # known since the card was selected
    ],
)
def test_no_more_is_read_than_is_asked_for(address: str, reads: list[str]) -> None:
    sent: list[str] = []

    class Listening(SimulatedCard):
        def transmit(self, command: bytes) -> bytes:
            sent.append(command.hex().upper())
            return super().transmit(command)

    chip = Listening(load_profile("adult-3.0"), random=Random(1).randbytes)
    result = Driver(devices(InProcessReader("slot", chip))).read_card(1, 2, INFO, address)
    assert result.ok
    assert [one for one in sent if one.startswith("00B2")][1:] == reads


# Codes


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StatusError(0x6A82, "SELECT"), -27266),
        (StatusError(0x6581, "UPDATE"), -25985),
        (ReaderBusy("held"), -11),
        (KeyNotAvailable("none"), -27272),
        (CardError("anything"), -99),
    ],
)
def test_codes_of_errors(error: CardError, code: int) -> None:
    assert code_of(error) == code


def test_every_code_has_a_sentence() -> None:
    for code in ResultCode:
        assert code == ResultCode.SUCCESS or text_of(code)
    assert text_of(-0x63C2) == "外部认证失败，剩余 2 次"
    assert text_of(-0x6F00) == "卡片返回状态字 6F00"
    assert text_of(-7) == "未知错误"


def test_no_result_shows_what_it_carries() -> None:
    _, reader = torn(None)
    assert "张三" not in repr(Driver(devices(reader)).read_card_bas(1))


# What a card holds never breaks the frame


def test_framing_characters_on_the_card_are_replaced() -> None:
    profile = load_profile("adult-3.0")
    profile = replace(profile, holder=replace(profile.holder, name="张|三$"))
    reader = InProcessReader("slot", SimulatedCard(profile, random=Random(1).randbytes))
    driver = Driver(devices(reader))
    line = driver.read_card_bas(1).out
    assert line.split("|")[4] == "张�三�"
    assert line.count("|") == 11
    assert driver.read_card(1, 2, INFO, "SSSEEF06|09|0A|$").out == "SSSEEF06|张�三�|1|$"
