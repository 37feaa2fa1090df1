"""Medical account and certificate exchanges from outside: T9, appendix B, published purse vectors.

Both sides are held to the same bytes: the terminal's account against a card that only knows the
script, the simulated card against commands that only the script knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from apdu.channel import CardChannel
from apdu.crypto import (
    Algorithm,
    diversify,
    load_session_key,
    mac,
    purchase_session_key,
    tac,
)
from apdu.layers import stack
from apdu.sam import SoftwareSam
from apdu.ssc.account import MedicalAccount
from apdu.ssc.account_errors import CardCryptogramWrong
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.keys import KeyName
from apdu.ssc.transactions import (
    Done,
    Pending,
    PendingCredit,
    PurchaseOrder,
    TransactionUncertain,
)
from apdu.status import PurchaseNotProved
from simulator.card.card import SimulatedCard
from simulator.card.certificates import CertificateData
from simulator.card.description import CardProfile
from simulator.card.description import MedicalAccount as AccountData
from simulator.card.profile import load_profile

ROOT = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
HISTORICAL = bytes.fromhex("0081544C92868499010000007B")
CARD_ID = "990100D156000005" + "00000001" + "FFFFFFFF"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=ZoneInfo("Asia/Shanghai"))
TERMINAL = "990100000001"

# Appendix B: what the card answers to INITIALIZE, what the terminal sends, what comes back.
PURCHASE_BEGUN = "000003E8" + "00000000" * 2 + "2025" + "0007" + "0101" + "C0FFEE01"
PURCHASE_MACS = "E6501057", "8035FEB9"
PURCHASE_TAC = "2DC66525"
LOAD_BEGUN = "000003E8" + "0003" + "0101" + "C0FFEE01" + "ED10A2E9"
LOAD_MAC2 = "F143306A"


class Script:
    """A card that knows one exchange: each command, the answer to it, in this order."""

    atr = b"\x3b\x6d\x00\x00" + HISTORICAL

    def __init__(self, *exchanges: tuple[str, str]) -> None:
        self._left: Iterator[tuple[str, str]] = iter(exchanges)

    def transmit(self, command: bytes) -> bytes:
        expected, answer = next(self._left)
        assert command.hex().upper() == expected.replace(" ", "")
        return bytes.fromhex(answer)

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        """Nothing to close."""


EF05 = (
    f"0110{CARD_ID}" + "020133" + "0304322E3030" + "040C915600000299010099010001"
    "050420200101" + "060420300101" + "07094E3939303130303130"
)
OPENING = (
    (
        "00A404000F7378312E73682EC9E7BBE1B1A3D5CF00",
        "6F1C840F7378312E73682EC9E7BBE1B1A3D5CFA50988011E9F0C038601019000",
    ),
    ("00B2012D40", EF05 + "9000"),
    ("00A4040006D15600000503", "9000"),
)


def module(last_purchase: int = 0x122) -> SoftwareSam:
    keys = {KeyName.DPK: ROOT, KeyName.DLK: ROOT}
    sam = SoftwareSam(keys, lambda n: bytes(n), terminal_number=TERMINAL)
    sam._purchases = last_purchase
    return sam


def account(*exchanges: tuple[str, str]) -> MedicalAccount:
    channel = CardChannel(stack(Script(*OPENING, *exchanges)))
    return MedicalAccount(SocialSecurityCard.select(channel))


ORDER = PurchaseOrder(0, AT, self_pay_fen=0x3039, fund_fen=0x2710)
BEGIN = ("B028010113 01 00000000 00003039 00002710 990100000001 16", PURCHASE_BEGUN + "9000")
DEBIT = "B02C01000F 00000123 20260102030405 E6501057 08"


def test_a_purchase_as_the_field_sends_it() -> None:
    """T9 (program order) with the values of appendix B."""
    kept: list[Pending] = []
    answer = PURCHASE_TAC + PURCHASE_MACS[1] + "9000"
    done = account(BEGIN, (DEBIT, answer)).purchase(ORDER, module(), keep=kept.append)
    assert (done.tac.hex().upper(), done.mac.hex().upper()) == (PURCHASE_TAC, PURCHASE_MACS[1])
    assert kept == [done.transaction]
    # Appendix B takes the root itself for the DTK.
    assert tac(Algorithm.DES, ROOT, done.transaction.tac_fields).hex().upper() == PURCHASE_TAC


def test_a_proof_answers_in_the_other_order() -> None:
    """Facts 5.1: DEBIT answers TAC and MAC2, the proof MAC2 and TAC."""
    kept: list[Pending] = []
    sam = module()
    begun = account(BEGIN, (DEBIT, "6F00"))
    with pytest.raises(TransactionUncertain, match="PURCHASE of counter 0007") as caught:
        begun.purchase(ORDER, sam, keep=kept.append)
    assert kept == [caught.value.pending]
    proof = ("B02E0002 02 0007 08", PURCHASE_MACS[1] + PURCHASE_TAC + "9000")
    done = account(proof).resolve(kept[0], sam)
    assert isinstance(done, Done)
    assert (done.tac.hex().upper(), done.mac.hex().upper()) == (PURCHASE_TAC, PURCHASE_MACS[1])
    with pytest.raises(PurchaseNotProved):
        sam.complete_purchase(done.mac)  # the module counts a proof once


def test_a_load_as_the_field_sends_it() -> None:
    """W-LOAD in T9, with the values of appendix B."""
    kept: list[PendingCredit] = []
    begin = ("B02800010B 01 00002710 990100000001 10", LOAD_BEGUN + "9000")
    credit = (f"B02A00000B 20260102030405 {LOAD_MAC2} 04", "112233449000")
    done = account(begin, credit).load(0x2710, AT, module(), keep=kept.append)
    assert done.tac.hex() == "11223344"
    assert kept[0].load.balance == 0x3E8
    assert done.balance_after_fen == 0x3E8 + 0x2710


def test_a_card_whose_first_mac_is_wrong_is_not_loaded() -> None:
    begin = ("B02800010B 01 00002710 990100000001 10", LOAD_BEGUN[:-2] + "009000")
    with pytest.raises(CardCryptogramWrong):
        account(begin).load(0x2710, AT, module(), keep=lambda _pending: None)


def test_balances_and_starting_day_as_the_field_asks_for_them() -> None:
    asked = account(
        ("B026000104", "000003E89000"),
        ("B026000206", "0000303920259000"),
        ("B026000306", "0000271020259000"),
        ("B056010002", "07019000"),
    )
    assert asked.balance() == 1000
    assert asked.year_self_pay().fen == 12345
    assert (asked.year_fund().year, asked.starting_day()) == ("2025", (7, 1))


# The simulated card against the same bytes


def card_of_appendix_b(offline: int = 0, online: int = 0) -> SimulatedCard:
    old = load_profile("adult-2.0")
    card = replace(
        old.card,
        historical=HISTORICAL,
        algorithm=Algorithm.DES,
        issued=date(2020, 1, 1),
        expires=date(2030, 1, 1),
    )
    profile: CardProfile = replace(
        old, card=card, keys={"DPK": ROOT, "DLK": ROOT}, medical_account=AccountData(1000)
    )
    chip = SimulatedCard(
        profile, random=lambda length: bytes.fromhex("C0FFEE01")[:length], protocol="T0"
    )
    ledger = chip._system.ledger
    ledger.book(ledger.balance._replace(offline=offline, online=online), ledger.proof, bytes(28))
    chip.power_on()
    say(chip, "00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
    assert say(chip, "0020000003135790") == "9000"
    assert say(chip, "00A4040006D15600000503").startswith("61")
    return chip


def say(chip: SimulatedCard, command: str) -> str:
    return chip.transmit(bytes.fromhex(command.replace(" ", ""))).hex().upper()


def test_the_simulated_card_debits_by_the_vectors() -> None:
    chip = card_of_appendix_b(offline=7)
    begin = "B028010113 01 00000000 00003039 00002710 990100000001"
    assert say(chip, begin) == "6116"
    begun = say(chip, "00C0000016")
    assert (begun[:8], begun[28:32], begun[36:44]) == ("000003E8", "0007", "C0FFEE01")
    assert say(chip, DEBIT[:-3]) == "6108"
    answer = say(chip, "00C0000008")
    assert answer[8:] == PURCHASE_MACS[1] + "9000"
    assert say(chip, "B02E0002020007") == "6108"
    assert say(chip, "00C0000008") == answer[8:16] + answer[:8] + "9000"
    assert say(chip, "B02E0032020007") == "6108"  # the kind in ASCII


def test_the_simulated_card_refuses_the_vectors_with_one_bit_changed() -> None:
    chip = card_of_appendix_b(offline=7)
    say(chip, "B028010113 01 00000000 00003039 00002710 990100000001")
    assert say(chip, DEBIT[:-3].replace("E6501057", "E6501056")) == "9302"
    assert say(chip, DEBIT[:-3]) == "6901"


def test_the_simulated_card_is_loaded_by_the_vectors() -> None:
    chip = card_of_appendix_b(online=3)
    assert say(chip, "B02800010B 01 00002710 990100000001") == "6110"
    assert say(chip, "00C0000010") == LOAD_BEGUN + "9000"
    assert say(chip, f"B02A00000B 20260102030405 {LOAD_MAC2}") == "6104"
    assert say(chip, "B026000104") == "00002AF89000"


def test_the_blogs_load_script_runs_on_the_simulated_card() -> None:
    """W-LOAD, T9: environment, PIN, application by its identifier, 6110, GET RESPONSE."""
    chip = card_of_appendix_b()
    assert say(chip, "B02800010B 01 00100000 130000000001") == "6110"
    assert len(say(chip, "00C0000010")) == 2 * 18


# Published purse vectors (purses A1): the same arithmetic under other names

PURSE_KEY = bytes.fromhex("11223344556677888877665544332211")
PURSE = bytes.fromhex("00001000" + "06" + "001122334455" + "20120229135100")


def test_published_purchase_vectors() -> None:
    session = purchase_session_key(
        Algorithm.DES, PURSE_KEY, bytes.fromhex("11223344"), b"\x00\x00", b"\x00\x00\x00\x01"
    )
    assert session.hex().upper() == "003238ABC57659DD"
    assert mac(Algorithm.DES, session, PURSE).hex().upper() == "F15CAB75"
    assert mac(Algorithm.DES, session, PURSE[:4]).hex().upper() == "56988A13"
    fields = PURSE[:11] + b"\x00\x00\x00\x01" + PURSE[11:]
    assert tac(Algorithm.DES, PURSE_KEY, fields).hex().upper() == "F5B221C9"


def test_published_load_vectors() -> None:
    session = load_session_key(Algorithm.DES, PURSE_KEY, bytes.fromhex("11223344"), b"\x00\x00")
    assert session.hex().upper() == "9B1D924E05595603"
    mac1 = bytes.fromhex("00000000" + "00001000" + "01" + "001122334455")
    assert mac(Algorithm.DES, session, mac1).hex().upper() == "2988AE5A"
    mac2 = bytes.fromhex("00001000" + "01" + "001122334455" + "20111221214822")
    assert mac(Algorithm.DES, session, mac2).hex().upper() == "3A845BF0"


def test_a_published_diversification() -> None:
    child = diversify(Algorithm.DES, PURSE_KEY, bytes.fromhex("0000000012345678"))
    assert child.hex().upper() == "5CF67455E06E58CA9F4183DA7064A2D2"


# The certificate application's script (T9)


def test_the_certificate_script_runs_on_the_simulated_card() -> None:
    profile = replace(load_profile("adult-3.0"), certificates=CertificateData())
    challenge = bytes.fromhex("178CEDCF32C5D7990216632170C7CD37")
    chip = SimulatedCard(profile, random=lambda length: challenge[:length], protocol="T1")
    chip.power_on()
    hashed = "3DE741F445DD357BEA4E6C3FE6437036F62B5E3EC0F00D62796EDB4305ED627F"
    script = (
        ("00A404000C 504B492EC9E7BBE1B1A3D5CF", None),
        ("00A404000C 53532E434552542E41444631", None),
        ("80C4010305 C103 123456 00", hashed + "9000"),
        ("0084000010", challenge.hex().upper() + "9000"),
        ("0020018110 358B51056B9B9EB2C96B20E7DB7A6B8F", "9000"),
        ("00A40000020012", "9000"),
        ("00B0000042", "0040" + "FF" * 64 + "9000"),
        ("00A40000020018", "9000"),
        ("00A40000020019", "9000"),
    )
    for command, answer in script:
        said = say(chip, command)
        assert said.endswith("9000")
        assert answer in (None, said)
    by_fid = ("00A404000C 504B492EC9E7BBE1B1A3D5CF", "00A4000002DF01", "00A40000020012")
    assert [say(chip, command)[-4:] for command in by_fid] == ["9000"] * 3
