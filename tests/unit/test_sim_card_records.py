"""READ RECORD and UPDATE RECORD of the simulated card (facts 3.1, 3.2, 3.9)."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from apdu.sam import CardIdentity, SoftwareSam
from apdu.ssc.keys import KeyName
from simulator.card.card import SimulatedCard
from simulator.card.description import Holder
from simulator.card.profile import BUILT_IN, load_profile

SELECT_SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
PIN = "0020000003135790"


def make(name: str = "adult-2.0", **changes: Any) -> SimulatedCard:  # noqa: ANN401  # any field
    profile = replace(load_profile(name), **changes)
    card = SimulatedCard(profile, random=Random(1).randbytes, protocol="T1")
    card.power_on()
    send(card, SELECT_SSSE)
    return card


def send(card: SimulatedCard, command: str) -> str:
    return card.transmit(bytes.fromhex(command)).hex().upper()


def authorise(card: SimulatedCard, key: KeyName, name: str = "adult-2.0") -> None:
    """EXTERNAL AUTHENTICATE in the current application."""
    chip = load_profile(name).card
    identity = CardIdentity(chip.algorithm, chip.card_id, chip.historical)
    challenge = card.transmit(bytes.fromhex("0084000008"))[:8]
    sam = SoftwareSam.development(Random(2).randbytes)
    data = sam.terminal_authentication(identity, key, challenge, bytes(8))
    assert send(card, f"008200{key.card_id:02X}10" + data.hex()) == "9000"


def test_records_and_sizes_of_the_basic_files() -> None:
    card = make()
    assert send(card, "00B2012D00") == (
        "0110990100D15600000500000002FFFFFFFF0201330304322E3030"
        "040C9156000002990100990100010504202305100604203305100709423939303130303231"
        "9000"
    )
    holder = send(card, "00B2013500")
    assert len(holder) == 2 * (91 + 2)
    assert holder.startswith("0812" + b"990100198506122349".hex().upper() + "091EC0EECBC4")
    assert holder.endswith("4E14" + "00" * 20 + "0A01320B01110C039901000D0419850612" + "9000")
    assert len(send(make("adult-1.0"), "00B2013500")) == 2 * (69 + 2)


def test_an_empty_card_has_ff_in_digits_and_00_in_text() -> None:
    assert send(make(holder=Holder()), "00B2013500") == (
        "0812" + "00" * 18 + "091E" + "00" * 30 + "4E14" + "00" * 20
        + "0A0100" + "0B01FF" + "0C03FFFFFF" + "0D04FFFFFFFF" + "9000"
    )  # fmt: skip


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_name_reads_back_in_gbk(name: str) -> None:
    card = make(name, keys="development")
    if load_profile(name).card.version == "3.00":
        authorise(card, KeyName.RKSSSE, name)
    stored = card.transmit(bytes.fromhex("00B2093000"))[2:-2]
    if name != "adult-1.0":
        stored += card.transmit(bytes.fromhex("00B24E3000"))[2:-2]
    assert stored.rstrip(b"\x00").decode("gbk") == load_profile(name).holder.name


@pytest.mark.parametrize(
    "command", ["00B2070000", "00B2070400", "00B2072800", "00B2072C00", "00B2072D00"]
)
def test_the_card_number_by_every_form(command: str) -> None:
    card = make()
    send(card, "00A4020002EF05")
    assert send(card, command) == "07094239393031303032319000"


def test_by_tag_or_by_number_where_they_differ() -> None:
    assert send(make(), "00B2043400") == "0A01329000"
    assert send(make(), "00B20A3000") == "0A01329000"
    assert send(make("adult-1.0"), "00B2033400") == "0A01329000"


def test_reading_by_short_file_id_makes_the_file_current() -> None:
    card = make()
    assert send(card, "00B2030400") == "6986"
    send(card, "00B2032C00")
    assert send(card, "00B2030400") == "0304322E30309000"


def test_records_that_share_a_tag_are_told_apart_by_order() -> None:
    card = make()
    send(card, PIN)
    send(card, "00A4000002DF03")
    send(card, "00A4000002EF19")
    records = [send(card, f"00B2{n:02X}0400") for n in range(1, 5)]
    assert records[0].startswith("792718033131301903990100")
    assert records[1] == records[2] == records[3] != records[0]
    assert send(card, "00B2790029") == records[0]
    assert send(card, "00B2790129") == records[3]  # last
    assert send(card, "00B2790000") == records[0]  # first
    assert send(card, "00B2790200") == records[1]  # next
    assert send(card, "00B2790200") == records[2]
    assert send(card, "00B2790300") == records[1]  # previous
    assert send(card, "00B2790300") == records[0]
    assert send(card, "00B2790300") == "6A83"
    assert send(card, "00B2000400") == records[0]  # current
    assert send(card, "00B2030500") == records[2][:-4] + records[3]
    assert send(card, "00B2030600") == records[3][:-4] + records[2]


def test_any_record_by_p1_zero() -> None:
    card = make()
    send(card, "00A4020002EF05")
    assert send(card, "00B2000400") == "6A83"  # there is no current record yet
    assert send(card, "00B2000000").startswith("0110")
    assert send(card, "00B2000200").startswith("0201")
    assert send(card, "00B2000100").startswith("0709")
    assert send(card, "00B2000200") == "6A83"
    assert send(card, "00B2000300").startswith("0604")


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("00B2082800", "6A83"),
        ("00B2082C00", "6A83"),
        ("00B2082D00", "6A83"),
        ("00B2002D00", "6A83"),
        ("00B2012F00", "6A86"),
        ("00B201FC00", "6A86"),
        ("00B201E400", "6A82"),
        ("00B2014400", "6981"),
        ("00B2010400", "6986"),
        ("00B2012C01AA00", "6700"),
    ],
)
def test_refused_reads(command: str, sw: str) -> None:
    assert send(make(), command) == sw


@pytest.mark.parametrize("command", ["00DC0528", "00DC052C", "00DC0500", "00DC0504", "00DC0501"])
def test_update_by_tag_and_by_number(command: str) -> None:
    card = make()
    send(card, "00A4020002EF05")
    command += "06050420240102"
    assert send(card, command) == "6982"
    authorise(card, KeyName.UKSSSE)
    assert send(card, command) == "9000"
    assert send(card, "00B2052C00") == "0504202401029000"
    card.power_on()
    assert send(card, "00B2052C00") == "0504202401029000"


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("00DC052806050320240102", "6A85"),  # the record's own length is wrong
        ("00DC05280105", "6A85"),
        ("00DC052806060420240102", "6A80"),  # another tag than P1
        ("00DC002806000420240102", "6A80"),  # no tag at all
        ("00DC092C06FF0420240102", "6A80"),
        ("00DC082906080420240102", "6A83"),  # last of none
        ("00DC052D06050420240102", "6A86"),
        ("00DC112806110420240102", "6A84"),  # the file is full
        ("00DC082C06110420240102", "6A84"),
        ("00DC05280705052024010200", "6A84"),
        ("00DC014406110420240102", "6981"),
        ("00DC0144", "6981"),
    ],
)
def test_refused_updates_change_nothing(command: str, sw: str) -> None:
    card = make()
    before = send(card, "00B2012D00")
    authorise(card, KeyName.UKSSSE)
    assert send(card, command) == sw
    assert send(card, "00B2012D00") == before


@pytest.mark.parametrize("command", ["00DC622806620420250101", "00DC042C06620420250101"])
def test_a_new_tag_or_a_number_beyond_the_end_appends(command: str) -> None:
    absent = dict.fromkeys(("62", "63", "64", "65", "66"))
    card = make(files={"DF03EF05": absent})
    send(card, PIN)
    send(card, "00A4000002DF03")
    assert send(card, "00B2042C00") == "6A83"
    authorise(card, KeyName.UK1DF03)
    assert send(card, command) == "9000"
    assert send(card, "00B2042C00") == "6204202501019000"


def test_a_record_may_change_its_length_within_the_files_space() -> None:
    card = make()
    authorise(card, KeyName.UKSSSE)
    assert send(card, "00DC0228020200") == "9000"
    assert send(card, "00DC072C0C070A41414141414141414141") == "9000"
    assert send(card, "00B2022C00") == "02009000"
    assert send(card, "00B2062C00") == "0604203305109000"
    assert send(card, "00B2072C00") == "070A414141414141414141419000"


def test_a_cyclic_file_numbers_the_newest_row_one_and_drops_the_oldest() -> None:
    card = make()
    send(card, PIN)
    send(card, "00A4000002DF04")
    assert send(card, "00B201AC00") == "6A83"
    authorise(card, KeyName.UK2DF04)
    for row in range(1, 11):
        assert send(card, f"00DC00AB03{row:04X}31") == "9000"
    assert send(card, "00B201AC00") == "000A319000"
    assert send(card, "00B208AC00") == "0003319000"
    assert send(card, "00B209AC00") == "6A83"
    assert send(card, "00B200A800") == "000A319000"
    assert send(card, "00B200A900") == "0003319000"
    assert send(card, "00B201AD00") == "".join(f"{n:04X}31" for n in range(10, 2, -1)) + "9000"
    assert send(card, "00B231A800") == "6A83"  # a row has no tag


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("00DC00AB020001", "6700"),
        ("00DC00AB0400013131", "6700"),
        ("00DC01AB03000131", "6A86"),
        ("00DC00AC03000131", "6A86"),
        ("00DC004303000131", "6982"),  # EF08 is written by the card alone
    ],
)
def test_refused_cyclic_updates(command: str, sw: str) -> None:
    card = make()
    send(card, PIN)
    send(card, "00A4000002DF04")
    authorise(card, KeyName.UK2DF04)
    assert send(card, command) == sw


def test_a_name_beyond_gbk_is_in_gb18030() -> None:
    card = make(holder=Holder(name="张𠀀"))
    assert send(card, "00B2093000").startswith("091ED5C5" + "95328236" + "0000")


def test_a_file_given_whole_and_records_beyond_the_file_map() -> None:
    card = make(
        files={
            "SSSEEF05": {"hex": "0304322E3000070141"},
            "SSSEEF06": {"EA": {"hex": "0102"}},
        }
    )
    assert send(card, "00B2012D00") == "0304322E3000070141" + "9000"
    assert send(card, "00B2EA3000") == "EA0201029000"


def test_rows_and_raw_values_from_the_profile() -> None:
    card = make(
        files={
            "DF04EF15": [["2", "1"], {"hex": "000132"}],
            "SSSEEF05": {"05": {"hex": "32303132"}, "07": {"hex": "414243"}},
        }
    )
    assert send(card, "00B2052C00") == "0504323031329000"
    assert send(card, "00B2072C00") == "07034142439000"
    send(card, PIN)
    send(card, "00A4000002DF04")
    assert send(card, "00B201AD00") == "0002310001329000"
