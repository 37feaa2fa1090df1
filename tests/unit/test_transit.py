"""The transport purse: recognised, its money and validity read, nothing written."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import date
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.channel import CardChannel
from apdu.layers import stack
from apdu.readers.inprocess import InProcessReader
from apdu.sam import SoftwareSam
from apdu.ssc.card import SocialSecurityCard
from apdu.status import ApplicationLocked, CardError, MalformedApdu, MalformedData, StatusError
from apdu.transit import NoTransitPurse, TransitArea, TransitMoney, TransitPurse
from simulator.card.card import Protocol, SimulatedCard
from simulator.card.description import CardProfile
from simulator.card.profile import ProfileError, load_profile, parse_profile
from simulator.card.transit_purse import TransitData

NUMBER = "3102990100000000077"
PROTOCOLS: tuple[Protocol, ...] = ("T0", "T1", "TCL")
PUBLIC = "02002900FFFFFFFF" + "0201" + "0" + NUMBER + "2025010820350108" + "0000"
ATR = bytes.fromhex("3B8D80010081544C928699990100A0F0C7FF")
SELECT = "00A4040008A000000632010105"


class Scripted:
    """A card that answers from a table, 6D00 to everything else."""

    atr = ATR

    def __init__(self, answers: dict[str, str]) -> None:
        self.sent: list[str] = []
        self._answers = answers

    def transmit(self, command: bytes) -> bytes:
        text = command.hex().upper()
        self.sent.append(text)
        answer = next((a for c, a in self._answers.items() if text.startswith(c)), "6D00")
        return bytes.fromhex(answer)

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        """Nothing to close."""


def on(card: Scripted) -> CardChannel:
    return CardChannel(stack(card))


def insert(profile: CardProfile, protocol: Protocol = "TCL") -> CardChannel:
    chip = SimulatedCard(profile, random=Random(1).randbytes, protocol=protocol)
    return CardChannel(stack(InProcessReader("reader", chip).connect()))


def purse(**changes: object) -> CardProfile:
    data = TransitData(NUMBER, date(2025, 1, 8), date(2035, 1, 8), balance_fen=5600)
    return replace(load_profile("adult-2.0"), transit=replace(data, **changes))  # type: ignore[arg-type]  # any field


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("fci_has_file", [True, False])
def test_number_validity_and_issuer(protocol: Protocol, fci_has_file: bool) -> None:
    card = TransitPurse.select(insert(purse(fci_has_file=fci_has_file), protocol)).card
    assert card.number.reveal() == NUMBER
    assert NUMBER not in repr(card)
    assert (card.personalised, card.enabled, card.is_shanghai) == (True, True, True)
    assert (card.valid_from, card.valid_to) == (date(2025, 1, 8), date(2035, 1, 8))
    assert card.is_valid_on(date(2035, 1, 8))
    assert not card.is_valid_on(date(2025, 1, 7))
    assert not card.is_valid_on(date(2035, 1, 9))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_money_and_area(protocol: Protocol) -> None:
    selected = TransitPurse.select(insert(purse(), protocol))
    assert selected.money() == TransitMoney(5600, 0)
    assert selected.money().real_fen == 5600
    assert selected.area() == TransitArea("3100", "2900", interoperable=True)
    local = TransitPurse.select(insert(purse(interoperable=False, issuer="0100100012345678")))
    assert not local.area().interoperable
    assert not local.card.is_shanghai


def test_an_overdrawn_purse_is_below_zero() -> None:
    profile = purse(balance_fen=0, overdraft_limit_fen=1000, overdraft_used_fen=400)
    assert TransitPurse.select(insert(profile)).money().real_fen == -400


def test_the_sample_card_has_a_purse_and_goes_on_as_social_security_card() -> None:
    channel = insert(load_profile("contactless-3.0"))
    assert TransitPurse.select(channel).money().real_fen == 5600
    sam = SoftwareSam.development(Random(2).randbytes)
    assert SocialSecurityCard.select(channel).read_basic(sam).card_number == "G99010079"


def test_a_card_without_a_purse() -> None:
    for name in ("adult-2.0", "adult-3.0"):
        with pytest.raises(NoTransitPurse):
            TransitPurse.select(insert(load_profile(name)))


def test_the_purse_knows_no_command_of_social_security() -> None:
    channel = insert(purse())
    TransitPurse.select(channel)
    for command in ("B026000104", "0088000010" + "11" * 16):
        assert channel.connection.transmit(bytes.fromhex(command)).hex().upper() == "6D00"


@pytest.mark.parametrize(
    ("command", "sw"),
    [("805C000104", "6A86"), ("805C020204", "6A86"), ("805C00020200000000", "6700")],
)
def test_get_balance_refuses_what_it_does_not_know(command: str, sw: str) -> None:
    channel = insert(purse(), "T1")
    TransitPurse.select(channel)
    assert channel.connection.transmit(bytes.fromhex(command)).hex().upper() == sw


# Cards as they were published (facts A2)

FCI = "6F318408A000000632010105A5259F0801029F0C1E" + PUBLIC + "9000"


def test_the_answer_to_select_is_enough() -> None:
    card = Scripted({SELECT: FCI})
    assert TransitPurse.select(on(card)).card.number.reveal() == NUMBER
    assert len(card.sent) == 1


def test_the_file_is_read_where_the_answer_lacks_it() -> None:
    card = Scripted({SELECT: "6F0A8408A0000006320101059000", "00B095001E": PUBLIC + "9000"})
    assert TransitPurse.select(on(card)).card.valid_to == date(2035, 1, 8)


@pytest.mark.parametrize(
    ("answers", "money"),
    [
        ({"805C0302": "000015E09000"}, TransitMoney(5600, 0)),
        ({"805C0302": "6A86", "805C0002": "000015E09000"}, TransitMoney(5600, 0)),
        (
            {"805C0302": "6A86", "805C0002": "000000009000", "805C0102": "000001909000"},
            TransitMoney(0, 400),
        ),
        ({"805C0302": "000000009000", "805C0102": "6A86"}, TransitMoney(0, 0)),
    ],
)
def test_forms_of_get_balance(answers: dict[str, str], money: TransitMoney) -> None:
    assert TransitPurse.select(on(Scripted({SELECT: FCI, **answers}))).money() == money


@pytest.mark.parametrize("sw", ["6A81", "9303", "6283"])
def test_a_locked_purse_is_told_as_such(sw: str) -> None:
    with pytest.raises(ApplicationLocked):
        TransitPurse.select(on(Scripted({SELECT: sw})))


def test_answers_that_make_no_sense() -> None:
    for balance, error in (
        ("00009000", MalformedApdu),
        ("FFFFFFFF9000", MalformedData),
        ("6A86", StatusError),
        ("6581", StatusError),
    ):
        card = Scripted({SELECT: FCI, "805C": balance, "00B09700": "00009000"})
        selected = TransitPurse.select(on(card))
        with pytest.raises(error):
            selected.money()
        with pytest.raises(MalformedData):
            selected.area()
    for public in (PUBLIC[:-2], PUBLIC.replace(NUMBER, "F" * 19)):
        with pytest.raises(MalformedData):
            TransitPurse.select(on(Scripted({SELECT: "9000", "00B09500": public + "9000"})))
    undated = PUBLIC.replace("2025010820350108", "FFFFFFFF20351399")
    card = Scripted({SELECT: "9000", "00B09500": undated + "9000"})
    read = TransitPurse.select(on(card)).card
    assert (read.valid_from, read.valid_to) == (None, None)
    assert read.is_valid_on(date(2099, 1, 1))


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=6))
def test_hostile_answers_end_in_a_typed_error(answers: list[bytes]) -> None:
    class Hostile(Scripted):
        def transmit(self, command: bytes) -> bytes:
            self.sent.append(command.hex())
            assert len(self.sent) < 20
            return answers[len(self.sent) % len(answers)] + b"\x90\x00"

    with suppress(CardError):
        selected = TransitPurse.select(on(Hostile({})))
        selected.area()
        selected.money()


def test_a_purse_that_expires_before_it_is_valid_is_no_profile() -> None:
    import json

    from simulator.card.profile import _resource

    document = json.loads(_resource("adult-3.0.json"))
    transit = {"number": NUMBER, "valid_from": "2025-01-08", "valid_to": "2024-01-08"}
    with pytest.raises(ProfileError, match="valid_to"):
        parse_profile({**document, "transit": transit})
    with pytest.raises(ProfileError, match="number"):
        parse_profile({**document, "transit": {**transit, "number": "99"}})
