"""The bank's application: found, its number read and masked, nothing begun unless asked."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.bank import BankNumberClosed, NoBankApplication, read_bank_card
from apdu.card_number import CardNumber
from apdu.channel import CardChannel
from apdu.layers import stack
from apdu.readers.inprocess import InProcessReader
from apdu.sam import SoftwareSam
from apdu.ssc.card import SocialSecurityCard
from apdu.status import ApplicationLocked, CardError, MalformedData
from simulator.card.bank import BankData
from simulator.card.card import Protocol, SimulatedCard
from simulator.card.description import CardProfile
from simulator.card.profile import ProfileError, load_profile, parse_profile

NUMBER = "6299990100000000074"
PROTOCOLS: tuple[Protocol, ...] = ("T0", "T1", "TCL")
CONTACT_ATR = bytes.fromhex("3B6D000000814A444686605199000001AC")
CONTACTLESS_ATR = bytes.fromhex("3B8D80010081544C928699990100A0F0C7FF")


class Logged:
    """A card that answers commands from a table, 6A82 to the others, and keeps what it was sent."""

    def __init__(
        self, answers: dict[str, str], atr: bytes = CONTACT_ATR, otherwise: str = "6A82"
    ) -> None:
        self.atr = atr
        self.sent: list[str] = []
        self._answers = answers
        self._otherwise = otherwise

    def transmit(self, command: bytes) -> bytes:
        text = command.hex().upper()
        self.sent.append(text)
        match = next((a for c, a in self._answers.items() if text.startswith(c)), self._otherwise)
        return bytes.fromhex(match)

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        """Nothing to close."""


def on(card: Logged) -> CardChannel:
    return CardChannel(stack(card))


def insert(profile: CardProfile, protocol: Protocol) -> tuple[CardChannel, SimulatedCard]:
    chip = SimulatedCard(profile, random=Random(1).randbytes, protocol=protocol)
    return CardChannel(stack(InProcessReader("reader", chip).connect())), chip


def with_bank(**options: object) -> CardProfile:
    profile = load_profile("contactless-3.0")
    return replace(profile, bank=BankData.from_json({"number": NUMBER, **options}))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", ["debit", "credit", "secured_credit"])
@pytest.mark.parametrize("record", [2, 3])
@pytest.mark.parametrize("directories", [True, False])
def test_the_number_is_found_on_every_kind_of_card(
    protocol: Protocol, kind: str, record: int, directories: bool
) -> None:
    profile = with_bank(kind=kind, record=record, directories=directories)
    channel, chip = insert(profile, protocol)
    before = chip.memory.content
    card = read_bank_card(channel)
    assert card.number.reveal() == NUMBER
    assert card.label == "UnionPay"
    assert card.aid[-1] == {"debit": 1, "credit": 2, "secured_credit": 3}[kind]
    assert chip.memory.content == before  # no transaction was counted


def test_the_older_profiles_card_is_found_without_lists() -> None:
    channel, _ = insert(load_profile("adult-3.0"), "T0")
    assert read_bank_card(channel).number.masked == "629999*********0017"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_number_that_only_a_transaction_tells_needs_leave(protocol: Protocol) -> None:
    channel, chip = insert(with_bank(record=0), protocol)
    before = chip.memory.content
    with pytest.raises(BankNumberClosed):
        read_bank_card(channel)
    assert chip.memory.content == before
    assert read_bank_card(channel, begin_transaction=True).number.reveal() == NUMBER
    assert chip.memory.content != before  # the bank's counter has gone up


def test_the_counter_of_transactions_is_old_or_new_when_torn() -> None:
    profile = with_bank(record=0)
    channel, chip = insert(profile, "TCL")
    old, start = chip.memory.content, chip.memory.byte_writes
    read_bank_card(channel, begin_transaction=True)
    new, writes = chip.memory.content, chip.memory.byte_writes - start
    seen = set()
    for fuse in range(writes + 1):
        channel, chip = insert(profile, "TCL")
        chip.memory.tear_after(fuse)
        with pytest.raises(CardError):
            read_bank_card(channel, begin_transaction=True)
        chip.power_on()
        seen.add(chip.memory.content)
    assert seen == {old, new}


@pytest.mark.parametrize("profile", ["adult-1.0", "adult-2.0"])
def test_a_card_without_a_bank(profile: str) -> None:
    channel, _ = insert(load_profile(profile), "T0")
    with pytest.raises(NoBankApplication):
        read_bank_card(channel)


def test_the_social_security_card_goes_on_afterwards() -> None:
    channel, _ = insert(with_bank(), "TCL")
    sam = SoftwareSam.development(Random(2).randbytes)
    card = SocialSecurityCard.select(channel)
    card.read_basic(sam)
    read_bank_card(channel)
    assert card.read_basic(sam).card_number == "G99010079"


def test_contact_cards_are_asked_for_the_contact_list_first_and_contactless_the_other() -> None:
    for atr, first in ((CONTACT_ATR, "1"), (CONTACTLESS_ATR, "2")):
        card = Logged({}, atr)
        with pytest.raises(NoBankApplication):
            read_bank_card(on(card))
        assert bytes.fromhex(card.sent[0])[5:].startswith(first.encode() + b"PAY.SYS.DDF01")


PDOL = "9F38189F66049F02069F03069F1A0295055F2A029A039C019F3704"
AID = "A000000333010101"
FCI = f"6F278408{AID}A51B{PDOL}9000"


def obj(tag: str, *values: str) -> str:
    """A BER-TLV object in hex."""
    value = "".join(values)
    return f"{tag}{len(value) // 2:02X}{value}"


@pytest.mark.parametrize(
    ("command", "item"),
    [
        ("00B20114", obj("5A", "6299990100000074")),
        ("00B2011C", obj("57", "6299990100000074D4912220000F")),
        ("00B2010C", obj("5F24", "491231") + obj("5A", "6299990100000074")),
        ("00B20114", obj("5A", "1234") + obj("57", "6299990100000074D4912220000F")),
    ],
)
def test_published_forms_of_the_number(command: str, item: str) -> None:
    """Facts 2, A3: 5A, or 57 up to its separator; record 1 of file 2, or of another."""
    card = Logged({f"00A4040008{AID}": FCI, command: obj("70", item) + "9000"})
    assert read_bank_card(on(card)).number.reveal() == "6299990100000074"
    assert not any(sent.startswith("80A8") for sent in card.sent)


def test_processing_options_are_asked_as_the_card_wants_them() -> None:
    """Facts A3: the PDOL's 33 bytes in 83; nothing is spent, in yuan, in China."""
    files = obj("94", "10010200", "18030300")
    answers = {
        f"00A4040008{AID}": FCI,
        "80A8": obj("77", obj("82", "7C00"), files, obj("9F36", "0001")) + "9000",
        "00B20214": obj("70", obj("5A", "6299990100000074")) + "9000",
    }
    card = Logged(answers)
    assert read_bank_card(on(card), begin_transaction=True).number.masked == "629999******0074"
    gpo = next(sent for sent in card.sent if sent.startswith("80A8"))
    values = "26000000" + "00" * 12 + "0156" + "00" * 5 + "0156" + "00" * 8
    assert gpo == "80A80000238321" + values + "00"


@pytest.mark.parametrize(
    ("answer", "reads"),
    [
        (obj("80", "7C00", "10010200", "18030300"), ["00B20114", "00B20214", "00B2031C"]),
        (obj("77", obj("94", "1001FF001801")), 16),
        ("7700", []),
        ("9000", []),
        ("77", []),
    ],
)
def test_lists_of_records_are_followed_within_bounds(answer: str, reads: list[str] | int) -> None:
    answers = {f"00A4040008{AID}": FCI, "80A8": answer + "9000"}
    card = Logged(answers, otherwise="6A83")
    with pytest.raises(BankNumberClosed):
        read_bank_card(on(card), begin_transaction=True)
    at = next(i for i, sent in enumerate(card.sent) if sent.startswith("80A8"))
    records = [sent[:8] for sent in card.sent[at + 1 :] if sent.startswith("00B2")]
    if isinstance(reads, int):
        assert len(records) == reads
    else:
        assert records == reads


@pytest.mark.parametrize("pdol", ["9F38029F66", "9F3803 9F3781".replace(" ", "")])
def test_a_list_of_wishes_that_is_none_is_malformed(pdol: str) -> None:
    body = f"8408{AID}A5{len(pdol) // 2:02X}{pdol}"
    card = Logged({f"00A4040008{AID}": f"6F{len(body) // 2:02X}{body}9000"}, otherwise="6A83")
    with pytest.raises(MalformedData):
        read_bank_card(on(card), begin_transaction=True)


def test_a_blocked_application_is_told_as_such() -> None:
    card = Logged({f"00A4040008{AID}": "6283"})
    with pytest.raises(ApplicationLocked):
        read_bank_card(on(card))


def test_other_applications_in_the_list_are_passed_over() -> None:
    transit, bank = "A000000632010105", "A000000333010102"
    entries = f"610A4F08{transit}" + f"61144F08{bank}50085175616E63617264"
    body = "840E325041592E5359532E4444463031A5" + f"{len(entries) // 2 + 3:02X}BF0C"
    fci = f"{body}{len(entries) // 2:02X}{entries}"
    card = Logged(
        {
            "00A404000E325041592E5359532E4444463031": f"6F{len(fci) // 2:02X}{fci}9000",
            f"00A4040008{bank}": FCI,
            "00B20114": "700A5A0862999901000000749000",
        },
        CONTACTLESS_ATR,
    )
    found = read_bank_card(on(card))
    assert (found.aid.hex().upper(), found.label) == (bank, "Quancard")
    assert not any(transit in sent for sent in card.sent)


@given(st.lists(st.binary(max_size=80), min_size=1, max_size=8), st.booleans())
def test_hostile_answers_end_in_a_typed_error_after_bounded_work(
    answers: list[bytes], begin: bool
) -> None:
    class Hostile(Logged):
        def transmit(self, command: bytes) -> bytes:
            self.sent.append(command.hex())
            assert len(self.sent) < 400
            return answers[len(self.sent) % len(answers)] + b"\x90\x00"

    card = Hostile({})
    with suppress(CardError):
        read_bank_card(on(card), begin_transaction=begin)


# Numbers


def test_numbers_show_themselves_masked() -> None:
    number = CardNumber(NUMBER)
    for text in (str(number), repr(number), f"{number}", repr([number])):
        assert NUMBER not in text
        assert "629999*********0074" in text
    assert number == CardNumber(NUMBER) != CardNumber("6299990100000000")
    assert len({number, CardNumber(NUMBER)}) == 1


@pytest.mark.parametrize(
    "digits", ["", "1" * 11, "1" * 20, "62999901000000D4", "６２９９９９０１００００"]
)
def test_what_is_no_number(digits: str) -> None:
    with pytest.raises(MalformedData) as caught:
        CardNumber(digits)
    assert not digits or digits not in str(caught.value)


def test_a_profile_names_one_bank_only() -> None:
    import json

    from simulator.card.profile import _resource

    document = json.loads(_resource("adult-3.0.json"))
    document["bank"] = {"number": NUMBER}
    with pytest.raises(ProfileError, match=r"\$\.bank"):
        parse_profile(document)
