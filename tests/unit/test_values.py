"""Values of items: encodings, faults that real cards have, and the way back (facts 3.1 to 3.4)."""

from __future__ import annotations

import unicodedata
from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.ssc import filespec as f
from apdu.ssc.files import Generation, RecordSpec, file_map
from apdu.ssc.values import (
    SHANGHAI,
    CardIdFormat,
    IllegalValue,
    Item,
    ValueTooLong,
    check_card_id,
    check_character,
    decode,
    encode,
    is_card_number,
    read_digits,
    read_text,
)
from apdu.status import CardError

TEXT = f.an(0x09, 30, "姓名", "Name")
DATE = f.date(0x05, "日期", "Date")
MONTH = f.month(0xE7, "月", "Month")
YEAR = f.year(0xCD, "年", "Year")
TIME = f.time(0, "时间", "Time")
FEN = f.fen(0x1C, "金额", "Amount")
FEN_B = f.fen_b(0, "金额", "Amount")
COUNT = f.count(0x63, 3, "月数", "Months")
REGION = f.region(0x0C, "地区", "Region")
DIGITS = f.cn(0x52, 10, "编号", "Number")
OPAQUE = f.opaque(0x04, 12, "机构", "Institution")
DEGREE = f.btlv(
    0x40, 0x34, 3, "学位信息", "Degree",
    f.code(0x57, 3, "学位代码", "Degree"),
    f.code_cn(0x58, 3, "所学专业类别", "Field of study"),
    f.an(0x59, 0x28, "毕业学校名称", "School"),
)  # fmt: skip

ALL_RECORDS = [
    record
    for generation in Generation
    for file in file_map(generation).values()
    for record in file.records
]


# Text


def test_text_in_gbk_with_its_padding() -> None:
    value = decode("张三".encode("gbk").ljust(30, b"\x00"), TEXT)
    assert (value.value, value.warnings) == ("张三", ())


def test_text_padded_with_ff_or_spaces() -> None:
    assert decode("张三".encode("gbk").ljust(30, b"\xff"), TEXT).value == "张三"
    assert decode("张三".encode("gbk").ljust(30), TEXT).value == "张三"


def test_names_beyond_gbk() -> None:
    """GB 18030 has characters of four bytes, which some names need."""
    name = "李\U00020b9f"
    assert decode(name.encode("gb18030").ljust(30, b"\x00"), TEXT).value == name


def test_an_empty_text() -> None:
    for blank in (bytes(30), b"\xff" * 30):
        assert decode(blank, TEXT) == decode(blank, TEXT)
        assert decode(blank, TEXT).value == ""
        assert decode(blank, TEXT).warnings == ()


def test_bytes_that_are_no_text_become_marks_and_a_warning() -> None:
    value = decode(b"\xd5\xc5\x81".ljust(30, b"\x00"), TEXT)
    assert isinstance(value.value, str)
    assert value.value.startswith("张")
    assert "�" in value.value
    assert value.warnings == ("bytes that are not text",)


def test_characters_that_would_steer_a_screen_are_not_passed_on() -> None:
    for hostile in ("\x1b[2J", "\u202e", "a\nb", "\x9b"):
        value = decode(hostile.encode("gb18030").ljust(30, b"\x00"), TEXT)
        assert isinstance(value.value, str)
        assert value.value.isprintable()
        assert value.warnings == ("characters that cannot be shown",)


def test_what_follows_the_end_of_a_text_is_left_out() -> None:
    value = decode(b"ABC\x00DEF".ljust(30, b"\x00"), TEXT)
    assert (value.value, value.warnings) == ("ABC", ("bytes after the end of the text",))


def test_a_value_of_another_length_is_read_with_a_warning() -> None:
    value = decode(b"A" * 31, TEXT)
    assert (value.value, value.warnings) == ("A" * 31, ("31 bytes where 30 are defined",))


@given(st.binary(max_size=40))
def test_no_bytes_give_characters_that_steer_a_screen(raw: bytes) -> None:
    categories = {unicodedata.category(character) for character in read_text(raw)}
    assert not categories & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_characters_of_private_use_stay() -> None:
    """GBK maps rare characters of names there; fonts of the field have them."""
    assert decode(b"\xa1\x40".ljust(30, b"\x00"), TEXT).value == "\ue4c6"


# Digits, dates, numbers


def test_digits_end_at_their_fill() -> None:
    assert decode(bytes.fromhex("310115"), REGION).value == "310115"
    assert read_digits(bytes.fromhex("123FFF")) == "123"
    assert decode(b"\xff" * 3, REGION).value == ""


def test_hexadecimal_digits_are_kept_with_a_warning() -> None:
    value = decode(bytes.fromhex("3A0115"), REGION)
    assert (value.value, value.warnings) == ("3A0115", ("digits that are not decimal",))


def test_opaque_items_keep_their_bytes() -> None:
    raw = bytes.fromhex("9156000002511300511300DB")
    assert decode(raw, OPAQUE).value == raw
    assert decode(raw, OPAQUE).warnings == ()


def test_dates() -> None:
    assert decode(bytes.fromhex("20140601"), DATE).value == date(2014, 6, 1)
    for blank in ("FFFFFFFF", "00000000"):
        value = decode(bytes.fromhex(blank), DATE)
        assert (value.value, value.warnings) == (None, ())


def test_a_year_in_ascii_is_a_year_alone() -> None:
    value = decode(bytes.fromhex("32303132"), DATE)
    assert (value.value, value.warnings) == (2012, ("the year alone, in ASCII",))


def test_a_year_alone_in_bcd() -> None:
    value = decode(bytes.fromhex("2012FFFF"), DATE)
    assert (value.value, value.warnings) == (2012, ("the year alone",))


@pytest.mark.parametrize("raw", ["20141301", "20140230", "201406FF", "A0140601", "99999999"])
def test_what_is_no_date_is_none_with_a_warning(raw: str) -> None:
    value = decode(bytes.fromhex(raw), DATE)
    assert value.value is None
    assert "not a date" in value.warnings


def test_months_years_and_times() -> None:
    assert decode(bytes.fromhex("202601"), MONTH).value == "2026-01"
    assert decode(bytes.fromhex("202613"), MONTH).warnings == ("not a month",)
    assert decode(bytes.fromhex("2026"), YEAR).value == 2026
    assert decode(b"\xff\xff", YEAR).value is None
    at = decode(bytes.fromhex("20260102030405"), TIME).value
    assert at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=SHANGHAI)
    assert decode(bytes.fromhex("20260102250405"), TIME).warnings == ("not a time",)


def test_amounts_and_counts() -> None:
    assert decode(bytes.fromhex("00012345"), FEN).value == 12345
    assert decode(bytes.fromhex("12345FFF"), FEN).value == 12345
    assert decode(b"\xff" * 4, FEN).value is None
    assert decode(bytes.fromhex("00003039"), FEN_B).value == 12345
    assert decode(b"012", COUNT).value == 12
    assert decode(bytes(3), COUNT).value is None
    assert decode(b"1x2", COUNT).warnings == ("not a number",)


# Items inside items


def test_items_of_a_b_tlv() -> None:
    raw = bytes.fromhex("5703") + b"203" + bytes.fromhex("5803110101") + b"\x59\x28"
    value = decode(raw + "某大学".encode("gbk").ljust(40, b"\x00"), DEGREE)
    assert value.warnings == ()
    assert isinstance(value.value, tuple)
    assert [(item.spec.tag, item.value.value) for item in value.value] == [
        (0x57, "203"), (0x58, "110101"), (0x59, "某大学"),
    ]  # fmt: skip


def test_unknown_items_and_broken_structure_are_warned_of() -> None:
    value = decode(bytes.fromhex("5703313233 570199 AA01FF"), DEGREE)
    assert isinstance(value.value, tuple)
    assert len(value.value) == 2
    assert "item AA is not defined here" in value.warnings
    assert decode(b"\x57\x30abc".ljust(0x34), DEGREE).warnings == (
        "items that are not tag, length, value",
    )
    assert decode(b"\xff" * 0x34, DEGREE).value == ()


@given(st.binary(max_size=0x60), st.sampled_from(ALL_RECORDS))
def test_no_bytes_on_a_card_can_raise(raw: bytes, record: RecordSpec) -> None:
    decode(raw, record)


def test_nothing_of_a_value_shows_in_its_repr() -> None:
    value = decode("张三".encode("gbk").ljust(31, b"\x00"), TEXT)
    assert "张" not in repr(value) + repr(Item(TEXT, value))
    assert "d5" not in repr(value).lower().replace("defined", "")


# Encoding


def test_encoding_pads() -> None:
    assert encode("张三", TEXT) == "张三".encode("gbk").ljust(30, b"\x00")
    assert encode("12345", DIGITS).hex().upper() == "12345FFFFFFFFFFFFFFF"
    assert encode("", DIGITS) == encode(None, DIGITS) == b"\xff" * 10
    assert encode(None, TEXT) == bytes(30)


def test_encoding_dates_and_numbers() -> None:
    assert encode(date(2014, 6, 1), DATE) == bytes.fromhex("20140601")
    assert encode("20140601", DATE) == encode("2014-06-01", DATE) == bytes.fromhex("20140601")
    assert encode("2026-01", MONTH) == bytes.fromhex("202601")
    assert encode(2026, YEAR) == bytes.fromhex("2026")
    assert encode(12345, FEN) == bytes.fromhex("00012345")
    assert encode(0, FEN) == bytes(4)
    assert encode(12345, FEN_B) == encode("12345", FEN_B) == bytes.fromhex("00003039")
    assert encode(7, COUNT) == b"007"
    noon_in_utc = datetime(2026, 1, 2, 12, 0, 0, tzinfo=timezone(timedelta(0)))
    assert encode(noon_in_utc, TIME) == bytes.fromhex("20260102200000")
    assert encode(noon_in_utc.astimezone(SHANGHAI), TIME) == encode(noon_in_utc, TIME)


def test_encoding_opaque_items_takes_hex_or_bytes() -> None:
    raw = bytes.fromhex("9156000002511300511300DB")
    assert encode(raw, OPAQUE) == encode(raw.hex(), OPAQUE) == raw


def test_encoding_items_in_order_or_by_tag() -> None:
    in_order = encode(("203", "110101", "某大学"), DEGREE)
    by_tag = encode({0x59: "某大学", 0x57: "203", 0x58: "110101"}, DEGREE)
    assert in_order == by_tag
    assert len(in_order) == DEGREE.length
    assert encode(None, DEGREE) == bytes.fromhex("5703000000 5803FFFFFF 5928") + bytes(40)
    assert encode(["203"], DEGREE) == encode({0x57: "203"}, DEGREE) == encode("203", DEGREE)


@pytest.mark.parametrize(
    ("value", "spec"),
    [
        ("A" * 31, TEXT),
        ("123456789012345678901", DIGITS),
        ("1234567", REGION),
        (123456789, FEN),
        (b"\x00" * 31, TEXT),
    ],
)
def test_values_that_are_too_long(value: str | int | bytes, spec: RecordSpec) -> None:
    with pytest.raises(ValueTooLong):
        encode(value, spec)


@pytest.mark.parametrize(
    ("value", "spec"),
    [
        ("12A4", DIGITS),
        ("１２", DIGITS),
        ("xyz", OPAQUE),
        ("many", FEN_B),
        (-1, FEN_B),
        (1 << 32, FEN_B),
        ("\ud800", TEXT),
        (datetime(2026, 1, 2), TIME),  # noqa: DTZ001  # the missing zone is the point
    ],
)
def test_values_that_an_item_cannot_hold(value: str | int | date, spec: RecordSpec) -> None:
    with pytest.raises(IllegalValue):
        encode(value, spec)


def test_items_that_a_b_tlv_does_not_have() -> None:
    with pytest.raises(IllegalValue):
        encode(("1", "2", "3", "4"), DEGREE)
    with pytest.raises(IllegalValue):
        encode(bytes(0x34), DEGREE)
    with pytest.raises(IllegalValue):
        encode(("1", "2"), TEXT)


@given(st.text(st.characters(codec="gbk", exclude_categories=["C", "Z"]), max_size=15))
def test_text_comes_back(text: str) -> None:
    assert decode(encode(text, TEXT), TEXT).value == text


@given(st.dates(date(1900, 1, 1), date(2999, 12, 31)))
def test_dates_come_back(day: date) -> None:
    assert decode(encode(day, DATE), DATE).value == day


@given(st.integers(0, 99_999_999))
def test_amounts_come_back(fen: int) -> None:
    assert decode(encode(fen, FEN), FEN).value == fen
    assert decode(encode(fen, FEN_B), FEN_B).value == fen


@pytest.mark.parametrize("generation", Generation)
def test_every_item_has_an_empty_form_as_long_as_the_item(generation: Generation) -> None:
    for file in file_map(generation).values():
        for record in file.records:
            assert len(encode(None, record)) == record.length
            assert decode(encode(None, record), record).warnings == ()


# Card number and card id


@pytest.mark.parametrize("number", ["D2143569X", "HA1046924"])
def test_card_numbers_with_the_right_check_character(number: str) -> None:
    """The example of V2.0, annex A, and the card of exchange T1."""
    assert check_character(number[:8]) == number[8]
    assert is_card_number(number)


@pytest.mark.parametrize(
    "number", ["AI666666X", "A21472424", "", "D2143569", "D2143569X1", "d2143569X"]
)
def test_card_numbers_to_warn_of(number: str) -> None:
    assert not is_card_number(number)


def test_every_remainder_of_the_check_character() -> None:
    seen = {check_character(f"A{number:07}") for number in range(200)}
    assert seen == set("0123456789X")


def test_check_character_needs_eight() -> None:
    with pytest.raises(ValueError, match="eight"):
        check_character("D214356")


def test_card_ids() -> None:
    check_card_id(bytes.fromhex("519900D15600000510000B26FFFFFFFF"))
    for wrong in (
        "",
        "519900D15600000510000B26FFFFFF",
        "519900D15600000610000B26FFFFFFFF",
        "51990AD15600000510000B26FFFFFFFF",
        "FF" * 16,
    ):
        with pytest.raises(CardIdFormat):
            check_card_id(bytes.fromhex(wrong))
    assert issubclass(CardIdFormat, CardError)
