"""The file map against the published tables, written down a second time in another form.

Facts 3.2, 3.5, 3.6, 3.7, 4.2 and appendix A.
"""

from __future__ import annotations

import re

import pytest

from apdu.crypto import Algorithm
from apdu.ssc.codes import NAMES
from apdu.ssc.files import (
    DIRECTORIES,
    EfSpec,
    FileClass,
    Generation,
    ItemType,
    Meaning,
    RecordSpec,
    Rule,
    Structure,
    file_map,
)
from apdu.ssc.keys import KeyName
from apdu.status import UnsupportedCard

# Facts 3.2 and 3.6: tag, type, length (hex), in record order; "*n(...)" a B-TLV n times; "--" a
# field of a cyclic file; behind ";" the published total of bytes, where there is one.
V2 = """
SSSEEF05 01cn10 02an01 03an04 04cn0C 05cn04 06cn04 07an09; 64
SSSEEF06 08an12 09an1E 4Ean14 0Aan01 0Bcn01 0Ccn03 0Dcn04; 91
SSSEEF07 --b300; 768
SSSEEF08 --b1000; 4096
DF01EF05 20an02 21an50 0Ecn03; 91
DF01EF06 23an50 24cn03 28an0F 2Can32 2Dan0F; 173
DF01EF07 29an01; 3
DF01EF08 2Ban01; 3
DF01EF09 2Ean46 30an09 32an02; 87
DF01EF0A 37an03 38an02 39cn04; 15
DF01EF15 2Acn01 40b-tlv34*3(57an03 58cn03 59an28); 165
DF01EF16 --b128; 296
DF01EF17 --b128; 296
DF01EF18 --b128; 296
DF01EF19 --b128; 296
DF01EF1A --b128; 296
DF02EF05 42an03 41an03 43b-tlv6C*2(5Aan07 5Ban01 5Can46 5Dcn04 5Ean10) \
 44b-tlv65*2(33an03 34an46 35cn04 36an10); 436
DF02EF06 4Ccn04 4Ban05 4Dcn03 60cn04 4Fan06 50cn03 3Aan07; 46
DF02EF07 --an07 --cn04 --cn04 --an46; 340
DF02EF09 55an10 56an46 96cn04 97cn03; 101
DF02EF15 99b-tlv10*4(10an03 11cn04 12cn03) 0Fcn04 1Fcn03; 83
DF02EF16 --an03 --cn04 --cn04 --cn04 --cn03; 72
DF03EF05 61cn03 60cn04 98cn04 62cn04 63an03 64an03 65an03 66an03; 43
DF03EF06 45an14 46an02 47an02 48an01 49an01 67cn04 6Ban3C \
 4Ab-tlv61*3(13an02 14an01 15an14 16cn04 17an3C); 401
DF03EF07 70an03 71cn03 6Ecn04 6Ccn04 6Fcn04 73cn04; 34
DF03EF15 7Acn03 7Bcn04 7Ccn04; 17
DF03EF16 51cn03 5Fan01; 8
DF03EF17 3Ban14 3Can46 3Dan01 3Ecn04 3Fan3C; 165
DF03EF18 74an03 75cn03 76cn01 77cn04 78cn04; 25
DF03EF19 79b-tlv27*4(18an03 19cn03 1Acn04 1Bcn04 1Ccn04 1Dan03 1Ecn04); 164
DF04EF05 81an08 84cn03 87an11 8Ccn01 80cn04 8Ban1D 8Aan0F 83an09 86an09 89an09 7Dan09 7Ean09 \
 7Fan09 8Dan09 8Ean09 8Fan01; 182
DF04EF06 90an01 92cn04 93an02; 13
DF04EF08 --b02 --an01 --cn06 --cn07 --b04 --b04 --b04; 840
DF04EF15 --b02 --an01; 24
DF05EF05 A0an01 A1an01 B9an01 A2an04 A9cn01 A3b-tlv18*5(A5an10 A6an04) A4b-tlv17*5(A7an10 A8an03) \
 BAan14 BBan64 AAan14 ABcn04 ACan01 ADan01 AEan01 AFan01 B0an01 B1an01 B2an01 B3an01 B4an01 \
 B5an01 B6an01 B7an01 BCan01 B8an28;
DF06EF05 C0an46 C2an09 C3b-tlv1A*1(E3cn01 E4cn04 E5cn04 E6cn04 E7cn03) \
 C4b-tlv1A*1(E3cn01 E4cn04 E5cn04 E6cn04 E7cn03) C5b-tlv1A*1(E3cn01 E4cn04 E5cn04 E6cn04 E7cn03);
DF06EF06 C6an46 C8an09 C9cn01 CAcn04 CBcn04 CCcn04 CDcn02 CEcn01 CFcn04 D0cn04 D1cn04 D2cn03 \
 D3cn01 D4cn04 D5cn04 D6cn04 D7cn03 D8cn01 D9cn04 DAcn04 DBcn04 DCcn04 DDcn04 DEcn04 DFcn03 \
 E0cn03 E1cn02 E2cn02;
DF07EF05 F0an02 F1an01 F2cn04 F3an03 F4cn04; 24
DF07EF06 F5an03 F6cn04 F7an46; 83
DF07EF07 F8cn04 F9an01; 9
"""

# Facts 3.7. Where it puts a question mark, or names no type, V2.0's type stands.
V1 = """
SSSEEF05 01cn10 02an01 03an04 04cn0C 05cn04 06cn04 07an09; 64
SSSEEF06 08an12 09an1E 0Aan01 0Bcn01 0Ccn03 0Dcn04; 69
SSSEEF07 --b300; 768
DF01EF05 20an01 21an3E 22an12;
DF01EF06 25an3E 26an12 27cn03 28an0F;
DF01EF07 29an01;
DF01EF08 2Ban01;
DF01EF09 2Ean3E 2Fan08 30an09 31an01 32an03;
DF01EF0A 37cn04 38cn04 39cn04;
DF02EF05 40b-tlv34*1(57an03 58cn03 59an28) 41b-tlv34*1(57an03 58cn03 59an28) 42cn03 \
 43b-tlv1D*1(5Aan07 5Ban01 5Can09 5Dcn04) 44b-tlv1D*1(5Aan07 5Ban01 5Can09 5Dcn04);
DF02EF06 4Bcn04 4Ccn04 60cn04 4Dcn04 4Fcn04 50cn04 3Aan07;
DF02EF07 --an07 --cn04 --cn04 --an46;
DF02EF08 52cn0A 53an3E 94an08 54cn04;
DF02EF09 55cn0A 56an3E 95an08 96cn04 97cn04;
DF03EF05 60cn04 98cn04 61cn04 62cn04 63an03 64an03 65an03 66an03;
DF03EF06 67cn04 68an3E 69an3E 6Aan10 6Ban3C;
DF03EF07 6Ccn04 6Dcn04 6Ecn04 6Fcn04 70an03 71cn04 72cn04 73cn04;
DF04EF05 80cn04 81an3E 82an08 83an09 84an3E 85an08 86an09 87an3E 88an08 89an09 8Aan0F 8Ban0A \
 8Can01 8Fan01;
DF04EF06 90cn04 92cn04 93cn04;
DF04EF08 --b02 --an01 --cn06 --cn07 --b04 --b04 --b04; 280
"""

# Facts 3.2 and 3.5: read rule, write rule, structure. Of DF03, EF07 and EF15 to EF19, V2.0 and
# exchange T10 say PIN or key where facts 3.5 names the key only.
ACCESS = """
SSSEEF05 free | key UKSSSE | variable
SSSEEF06 free | key UKSSSE | variable
SSSEEF07 key RKSSSE | key UKSSSE | transparent
SSSEEF08 key RKSSSE | key UKSSSE | transparent
DF01EF05 PIN or key RK1DF01 | key UK1DF01 | variable
DF01EF06 PIN or key RK1DF01 | key UK4DF01 | variable
DF01EF07 PIN or key RK1DF01 | key UK2DF01 | variable
DF01EF08 PIN or key RK1DF01 | key UK3DF01 | variable
DF01EF09 PIN or key RK1DF01 | key UK2DF01 | variable
DF01EF0A PIN or key RK1DF01 | key UK5DF01 | variable
DF01EF15 PIN or key RK1DF01 | key UK6DF01 | variable
DF01EF16 free | key UK7DF01 | transparent
DF01EF17 free | key UK8DF01 | transparent
DF01EF18 free | key UK9DF01 | transparent
DF01EF19 free | key UKADF01 | transparent
DF01EF1A free | key UKBDF01 | transparent
DF02EF05 PIN or key RK1DF02 | key UK1DF02 | variable
DF02EF06 PIN or key RK1DF02 | key UK2DF02 | variable
DF02EF07 PIN or key RK1DF02 | key UK3DF02 | cyclic
DF02EF09 PIN or key RK1DF02 | key UK4DF02 | variable
DF02EF15 PIN or key RK1DF02 | key UK5DF02 | variable
DF02EF16 PIN or key RK1DF02 | key UK6DF02 | cyclic
DF03EF05 PIN or key RK2DF03 | key UK1DF03 | variable
DF03EF06 PIN or key RK1DF03 | key UK2DF03 | variable
DF03EF07 PIN or key RK1DF03 | key UK3DF03 | variable
DF03EF15 PIN or key RK1DF03 | key UK4DF03 | variable
DF03EF16 PIN or key RK1DF03 | key UK5DF03 | variable
DF03EF17 PIN or key RK1DF03 | key UK6DF03 | variable
DF03EF18 PIN or key RK1DF03 | key UK7DF03 | variable
DF03EF19 PIN or key RK1DF03 | key UK8DF03 | variable
DF04EF05 PIN or key RK1DF04 | key UK1DF04 | variable
DF04EF06 PIN and key RK1DF04 | key UK2DF04 | variable
DF04EF08 PIN | never | cyclic
DF04EF15 PIN or key RK1DF04 | key UK2DF04 | cyclic
DF05EF05 free | key UK1DF05 | variable
DF06EF05 key RK1DF06 | key UK1DF06 | variable
DF06EF06 key RK1DF06 | key UK2DF06 | variable
DF07EF05 key RK1DF07 | key UK1DF07 | variable
DF07EF06 key RK2DF07 | key UK2DF07 | variable
DF07EF07 key RK3DF07 | key UK3DF07 | variable
"""

# Appendix A: HSM address of key group 01, key id in PSAM and HSM.
HSM = """
004C 0A RKSSSE     004F 2E RK1DF01    0052 2F UK6DF01    0055 30 UK7DF01    0058 31 UK8DF01
005B 32 UK9DF01    005E 33 UKADF01    0061 34 UKBDF01    0064 35 RK1DF02    0067 36 UK6DF02
006A 37 UK4DF03    006D 38 UK5DF03    0070 39 UK6DF03    0073 3A UK7DF03    0076 3B UK8DF03
0079 3C STKDF07    007A 3D RK1DF07    007D 3E UK1DF07    0080 3F RK2DF07    0083 B0 UK2DF07
0086 B1 RK3DF07    0089 B2 UK3DF07    008C B3 STKDF05    008D B4 UK1DF05    0170 08 IRK
0173 09 STK        0174 20 STKDF01    0175 23 STKDF04    0185 21 STKDF02    0186 22 STKDF03
0176 24 UK3DF01    0179 25 UK4DF01    017C 2A UK2DF04    017F 01 DPK        0199 02 DPK2
019C 03 DPK3       0182 2D RK1DF04    0187 26 UK1DF02    018A 27 UK4DF02    018D 28 UK5DF02
0190 29 UK2DF03    0193 2B RK1DF03    0196 2C RK2DF03    0090 10 PUK        0091 11 BK
0092 40 LKDF03     0093 41 LKDF04     0094 12 UKSSSE     0097 42 UK1DF01    009A 43 UK2DF01
009D 44 UK5DF01    00A0 45 UK2DF02    00A3 46 UK3DF02    00A6 47 UK1DF03    00A9 48 UK3DF03
00AC 49 UK1DF04    00AF 4A DSK        00B2 4B DLK        00B5 4C DTK
"""

# Facts 3.5 and 4.2: P2 of EXTERNAL AUTHENTICATE.
CARD_IDS = """
00 IRK      02 STK      04 UKSSSE   05 BK       06 PUK      0A RKSSSE
82 STKDF01  82 STKDF02  82 STKDF03  82 STKDF04  83 LKDF03   83 LKDF04
88 RK1DF01  83 UK1DF01  84 UK2DF01  85 UK3DF01  86 UK4DF01  87 UK5DF01  89 UK6DF01
88 RK1DF02  83 UK1DF02  84 UK2DF02  85 UK3DF02  86 UK4DF02  87 UK5DF02  89 UK6DF02
84 RK1DF03  85 RK2DF03  86 UK1DF03  87 UK2DF03  88 UK3DF03  89 UK4DF03  8A UK5DF03  8B UK6DF03
8C UK7DF03  8D UK8DF03  84 RK1DF04  85 UK1DF04  86 UK2DF04
"""

GENERATIONS = list(Generation)


def _lines(text: str) -> dict[str, str]:
    rows = text.replace("\\\n", "").strip().splitlines()
    return {row[:8]: row[8:].strip() for row in rows}


def _layout(records: tuple[RecordSpec, ...]) -> str:
    return " ".join(map(_notation, records))


def _notation(record: RecordSpec) -> str:
    tag = f"{record.tag:02X}" if record.tag else "--"
    text = f"{tag}{record.type.value.lower()}{record.length:02X}"
    return f"{text}*{record.count}({_layout(record.sub)})" if record.sub else text


def _all_records(file: EfSpec) -> list[RecordSpec]:
    records = [*file.records, *(item for record in file.records for item in record.sub)]
    return records + [record.renewed for record in records if record.renewed]


@pytest.mark.parametrize(
    ("version", "published"), [("1.00", V1), ("2.00", V2), ("3.00", V2)], ids=["1.0", "2.0", "3.0"]
)
def test_every_file_record_and_item_is_as_published(version: str, published: str) -> None:
    files = {file.address: file for file in file_map(version).values()}
    rows = _lines(published)
    assert files.keys() == rows.keys()
    for address, row in rows.items():
        layout, _, total = row.partition(";")
        assert _layout(files[address].records) == re.sub(r"\s+", " ", layout).strip(), address
        if total.strip():
            assert files[address].total == int(total), address


@pytest.mark.parametrize("generation", GENERATIONS)
def test_access_rules_and_structures_are_as_published(generation: Generation) -> None:
    rows = _lines(ACCESS)
    if generation is Generation.V3:
        rows["SSSEEF06"] = "key RKSSSE | key UKSSSE | variable"
    # 1.0 has one file that V2.0 dropped; its write key is inferred.
    rows["DF02EF08"] = "PIN or key RK1DF02 | key UK4DF02 | variable"
    for file in file_map(generation).values():
        assert f"{file.read} | {file.write} | {file.structure.value}" == rows[file.address]


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_map_is_sound(generation: Generation) -> None:
    for (df, fid), file in file_map(generation).items():
        assert (file.df, file.fid) == (df, fid)
        assert df in DIRECTORIES
        assert fid >> 8 == 0xEF
        assert file.sfi == fid & 0x1F
        for access in (file.read, file.write):
            needs_key = access.rule in (Rule.KEY, Rule.PIN_OR_KEY, Rule.PIN_AND_KEY)
            assert (access.key is not None) == needs_key
            assert access.key is None or access.key.spec.df == df
        tags = [record.tag for record in file.records]
        if file.structure is Structure.VARIABLE:
            assert all(tags)
            assert len(set(tags)) == len(tags)
        else:
            assert not any(tags)
        assert (file.min_records == 1) == (file.structure is not Structure.CYCLIC)
        assert (len(file.records) == 1) or file.structure is not Structure.TRANSPARENT
        for record in _all_records(file):
            _check_record(record)


def _check_record(record: RecordSpec) -> None:
    assert record.length > 0
    assert re.search(r"[一-鿿]", record.name_zh)
    assert record.name_en
    assert record.name_en.isascii()
    assert not record.codes or record.codes in NAMES
    assert not record.codes or record.meaning is Meaning.CODE
    if record.type is ItemType.BTLV:
        assert record.length == sum(item.size for item in record.sub)
    else:
        assert not record.sub
    fixed = {Meaning.DATE: 4, Meaning.MONTH: 3, Meaning.YEAR: 2, Meaning.TIME: 7}
    assert record.length == fixed.get(record.meaning, record.length)
    if record.meaning is Meaning.FEN:
        assert record.length == 4


def test_only_version_1_has_items_with_two_meanings() -> None:
    mixed = {
        f"{file.address} {record.tag:02X}"
        for file in file_map("1.00").values()
        for record in file.records
        if record.renewed
    }
    # Facts 3.7, the list of annex C.
    assert mixed == {
        *("DF01EF09 32", "DF01EF0A 37", "DF01EF0A 38", "DF01EF0A 39"),
        *("DF02EF06 4B", "DF02EF06 4D", "DF02EF06 4F", "DF02EF06 50"),
        *("DF02EF09 55", "DF02EF09 56", "DF02EF09 96", "DF02EF09 97"),
        *("DF03EF05 61", "DF03EF07 71", "DF03EF07 70", "DF03EF07 6F"),
        *("DF04EF05 81", "DF04EF05 84", "DF04EF05 87"),
        *("DF04EF06 90", "DF04EF06 92", "DF04EF06 93"),
    }
    for generation in (Generation.V2, Generation.V3):
        files = file_map(generation).values()
        assert not any(record.renewed for file in files for record in file.records)


def test_preset_and_reserved_files() -> None:
    classes = {file.address: file.file_class for file in file_map("2.0").values()}
    assert classes["SSSEEF08"] is FileClass.PRESET
    assert classes["DF02EF05"] is FileClass.PRESET
    assert classes["DF01EF16"] is FileClass.RESERVED
    assert classes["DF04EF05"] is FileClass.ACTIVE


def test_directories() -> None:
    assert DIRECTORIES["SSSE"].aid.hex().upper() == "7378312E73682EC9E7BBE1B1A3D5CF"
    assert DIRECTORIES["SSSE"].fid == 0xDDF1
    assert DIRECTORIES["DF04"].aid.hex().upper() == "D15600000503"
    assert DIRECTORIES["DF07"].aid.hex().upper() == "D15600000504"
    assert all(5 <= len(df.aid) <= 16 for df in DIRECTORIES.values())


def test_numbered_records_repeat() -> None:
    file = file_map("2.0")["DF01", 0xEF15]
    assert [(number, record.tag) for number, record in file.numbered()] == [
        (1, 0x2A), (2, 0x40), (3, 0x40), (4, 0x40),
    ]  # fmt: skip
    assert file.record(0x40) is file.records[1]
    assert file.record(0x99) is None


def test_file_addresses() -> None:
    assert file_map("2.0")["DF01", 0xEF0A].address == "DF01EF0A"
    assert file_map("2.0")["SSSE", 0xEF05].address == "SSSEEF05"


@pytest.mark.parametrize(
    ("version", "generation"),
    [
        ("", Generation.V1),
        ("1.00", Generation.V1),
        ("1.0x", Generation.V1),
        ("2.00", Generation.V2),
        ("2.0", Generation.V2),
        ("2.01", Generation.V2),
        ("3.00", Generation.V3),
        ("3.0", Generation.V3),
        ("3.1", Generation.V3),
    ],
)
def test_versions(version: str, generation: Generation) -> None:
    assert Generation.of(version) is generation
    assert file_map(version) is file_map(generation)


@pytest.mark.parametrize("version", ["4.00", "0.00", "3", "x.0", "2012", "3.٣", "30."])
def test_versions_that_nobody_knows(version: str) -> None:
    with pytest.raises(UnsupportedCard):
        file_map(version)


def test_hsm_addresses_and_psam_ids() -> None:
    published = re.findall(r"([0-9A-F]{4}) ([0-9A-F]{2}) (\w+)", HSM)
    assert len(published) == len({address for address, _, _ in published})
    for address, number, name in published:
        spec = KeyName[name].spec
        assert (spec.hsm, spec.psam_id) == (int(address, 16), int(number, 16)), name
    unlisted = {key.name for key in KeyName} - {name for _, _, name in published}
    assert unlisted == {"RK1DF06", "UK1DF06", "UK2DF06"}  # published by name only


def test_card_ids() -> None:
    published = re.findall(r"([0-9A-F]{2}) (\w+)", CARD_IDS)
    for number, name in published:
        assert KeyName[name].card_id == int(number, 16), name
    known = {key.name for key in KeyName if key.card_id is not None}
    assert known == {name for _, name in published}


def test_global_keys_have_card_ids_without_the_local_bit() -> None:
    for key in KeyName:
        if key.card_id is not None:
            assert bool(key.card_id & 0x80) == (key.spec.df != "SSSE")


def test_keys_are_distinct() -> None:
    """No key is an alias of another, which an enumeration would make of two equal rows."""
    assert len(KeyName) == len(KeyName.__members__)


def test_message_keys_are_short_on_des_cards_only() -> None:
    for key in KeyName:
        short = key.name.startswith("STK")
        assert key.length(Algorithm.DES) == (8 if short else 16)
        assert key.length(Algorithm.SM4) == 16
        assert key.length(Algorithm.SSF33) == 16
