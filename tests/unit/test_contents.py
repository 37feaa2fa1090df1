"""Whole records: which definition they follow, and cyclic rows (facts 3.1, 3.7)."""

from __future__ import annotations

from datetime import date, datetime

from hypothesis import given
from hypothesis import strategies as st

from apdu.ssc.contents import decode_records, decode_row
from apdu.ssc.files import file_map
from apdu.ssc.values import SHANGHAI, Decoded
from apdu.tlv import RecordTlv, parse_records

V1 = file_map("1.00")
V2 = file_map("2.00")


def _values(version_1_file: tuple[str, int], records: str) -> dict[int, tuple[str, Decoded]]:
    file = V1[version_1_file]
    items = decode_records(file, parse_records(bytes.fromhex(records)))
    return {item.spec.tag: (item.spec.name_en, item.value.value) for item in items}


def test_an_old_card_with_old_values() -> None:
    values = _values(("DF01", 0xEF0A), "3704 00350000 3804 04200000 3904 20090101")
    assert values == {
        0x37: ("Contribution base", 350000),
        0x38: ("Wages of the year before", 4200000),
        0x39: ("Updated on", date(2009, 1, 1)),
    }


def test_an_old_card_with_new_values() -> None:
    """V2.0, annex C: fill of nibble E marks the new meaning, and 39 follows 38."""
    values = _values(("DF01", 0xEF0A), "3704 444555EE 3804 3133EEEE 3904 20090101")
    assert values == {
        0x37: ("Nationality (ISO 3166-1)", "DEU"),
        0x38: ("Political affiliation", "13"),
        0x39: ("Date of joining the party", date(2009, 1, 1)),
    }


def test_new_meanings_of_several_records_follow_one_of_them() -> None:
    values = _values(("DF03", 0xEF07), "7104 310115EE 7003 313130 6F04 20200101")
    assert values == {
        0x71: ("Region of insurance", "310115"),
        0x70: ("Kind", "110"),
        0x6F: ("Benefit from", date(2020, 1, 1)),
    }
    values = _values(("DF03", 0xEF07), "7104 00000100 7003 303132 6F04 20200101")
    assert values[0x70] == ("Months contributed", 12)
    assert values[0x6F][0] == "Account changed on"


def test_the_offline_mark_decides_its_own_file() -> None:
    values = _values(("DF04", 0xEF06), "9004 31EEEEEE 9204 00012345 9304 3033EEEE")
    assert values == {
        0x90: ("Offline settlement allowed", "1"),
        0x92: ("Settled offline, total", 12345),
        0x93: ("Settled offline, times", 3),
    }


def test_fill_in_a_new_card_means_nothing() -> None:
    file = V2["DF01", 0xEF0A]
    (item,) = decode_records(file, [RecordTlv(0x37, b"DEU")])
    assert item.value.value == "DEU"


def test_records_that_the_map_does_not_know_are_left_out() -> None:
    file = V2["SSSE", 0xEF05]
    records = [RecordTlv(0x7A, b"x"), RecordTlv(0x02, b"3")]
    (item,) = decode_records(file, records)
    assert item.spec.tag == 0x02


def test_repeats_stay() -> None:
    file = V2["DF01", 0xEF15]
    degree = bytes.fromhex("5703323033")
    items = decode_records(file, [RecordTlv(0x40, degree), RecordTlv(0x40, degree)])
    assert len(items) == 2


def test_a_medical_transaction() -> None:
    file = V2["DF04", 0xEF08]
    row = bytes.fromhex("0007 32 990100000001 20260102030405 00000000 00003039 00002710")
    assert [item.value.value for item in decode_row(file, row)] == [
        7, "2", "990100000001", datetime(2026, 1, 2, 3, 4, 5, tzinfo=SHANGHAI), 0, 12345, 10000,
    ]  # fmt: skip


def test_the_short_form_of_a_transaction() -> None:
    """20 bytes in account-only mode (facts 3.6): the last two amounts are missing."""
    file = V2["DF04", 0xEF08]
    row = bytes.fromhex("0007 31 990100000001 20260102030405 00002710")
    items = decode_row(file, row)
    assert items[4].value.value == 10000
    assert items[5].value.value is None
    assert items[5].value.warnings


@given(st.binary(max_size=60), st.sampled_from(sorted(V1) + sorted(V2)))
def test_no_row_can_raise(row: bytes, key: tuple[str, int]) -> None:
    for files in (V1, V2):
        if key in files:
            assert len(decode_row(files[key], row)) == len(files[key].records)
