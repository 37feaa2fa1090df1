"""Contents in words, for people (facts 3.6, 3.8)."""

from __future__ import annotations

from apdu.ssc.codes import Label
from apdu.ssc.decode import LabelledRow, labelled
from apdu.ssc.file_content import (
    FileContent,
    cyclic_content,
    transparent_content,
    variable_content,
)
from apdu.ssc.files import file_map
from apdu.tlv import parse_records

FILES = file_map("3.00")


def rows_of(df: str, fid: int, content: str) -> dict[str, LabelledRow]:
    records = parse_records(bytes.fromhex(content))
    return {row.place: row for row in labelled(variable_content(FILES[df, fid], records))}


def test_codes_dates_and_text_in_both_languages() -> None:
    rows = rows_of("SSSE", 0xEF06, "0904D5C5C8FD" + "0A0131" + "0B0101" + "0D0419900101")
    assert rows["09"].value == Label("张三", "张三")
    assert rows["0A"].name == Label("性别", "Sex")
    assert rows["0A"].value == Label("男（1）", "Male (1)")
    assert rows["0B"].value == Label("汉族（01）", "Han (01)")
    assert rows["0D"].value.zh == "1990-01-01"
    assert rows["0D"].raw == bytes.fromhex("19900101")


def test_money_counts_and_unknown_codes() -> None:
    rows = rows_of("DF04", 0xEF06, "900139" + "920400123456" + "93023032")
    assert rows["90"].value == Label("9", "9")
    assert rows["92"].value == Label("1,234.56 元", "CNY 1,234.56")
    assert rows["93"].value == Label("2", "2")


def test_items_inside_follow_with_their_place() -> None:
    certificate = "1803313130" + "1903990100" + "1D03303634"
    rows = rows_of("DF03", 0xEF19, 2 * (f"79{len(certificate) // 2:02X}" + certificate))
    assert list(rows)[:5] == ["79:1", "79:1.18", "79:1.19", "79:1.1D", "79:2"]
    assert rows["79:1"].value == Label("3 项", "3 items")
    assert "养老" in rows["79:2.18"].value.zh
    assert rows["79:2.19"].value.en == "990100"
    assert rows["79:2.1D"].value.en == "64"


def test_rows_of_a_log_by_number_and_field() -> None:
    row = bytes.fromhex("000732990100000001202601020304050000303900000258" + "00011170")
    rows = labelled(cyclic_content(FILES["DF04", 0xEF08], (row,)))
    assert [r.place for r in rows] == [f"1.{n}" for n in range(1, 8)]
    assert rows[3].value.en == "2026-01-02 03:04:05"
    assert rows[4].value.en == "CNY 123.45"
    assert rows[1].value.zh.endswith("（2）")


def test_bytes_short_and_long() -> None:
    (row,) = labelled(transparent_content(FILES["SSSE", 0xEF08], bytes(4096)))
    assert row.value == Label("4096 字节", "4096 bytes")
    rows = rows_of("SSSE", 0xEF05, "0110990100D15600000500000001FFFFFFFF")
    assert rows["01"].value.en == "990100D15600000500000001FFFFFFFF"


def test_an_empty_item_has_empty_texts_and_warnings_stay() -> None:
    rows = rows_of("SSSE", 0xEF05, "0504FFFFFFFF" + "060432303330" + "020100")
    assert rows["05"].value == rows["02"].value == Label("", "")
    assert rows["06"].value.en == "2030"
    assert rows["06"].warnings == ("the year alone, in ASCII",)


def test_every_item_of_every_file_can_be_put_in_words() -> None:
    for version in ("1.00", "3.00"):
        for file in file_map(version).values():
            content = FileContent(file, (), ())
            assert labelled(content) == ()
            records = b"".join(
                bytes((spec.tag, spec.length)) + b"1" * spec.length
                for _, spec in file.numbered()
                if spec.tag
            )
            made = labelled(variable_content(file, parse_records(records)))
            assert all(row.name.zh and row.name.en for row in made)


def test_nothing_personal_shows_in_a_repr() -> None:
    row = rows_of("SSSE", 0xEF06, "0904D5C5C8FD")["09"]
    assert "张三" not in repr(row)
    assert "d5c5" not in repr(row).lower()
