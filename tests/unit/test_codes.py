"""Code lists: complete labels, and the items that join several codes (facts 3.8)."""

from __future__ import annotations

import re

import pytest

from apdu.ssc.codes import CODES, Label, label
from apdu.ssc.files import file_map

# Facts 3.8: the codes it lists.
PUBLISHED = {
    "household": "10 11 12 20 21 22 30 31 32 33 34 40 41 42 50 51 52",
    "employment": "1 2 3 4 5 6 7 8",
    "marriage": "1 2 3 4 9",
    "occupational_status": "11 12 13 17 21 24 27 31 37 51 54 70 80 90",
    "politics": "01 02 03 04 05 06 07 08 09 10 11 12 13",
    "education": "11 14 21 31 41 44 47 61 71 81 90",
    "insurance": "110 120 150 160 170 210 310 380 390 391 410 510",
    "medical_insurance": "310 340 360 380 390 391",
    "medical_person": "11 21 22 31 32 33 34 91",
    "ethnicity": " ".join([*(f"{code:02}" for code in range(1, 57)), "99"]),
    "card_class": "1 2 3 4",
    "sex": "1 2 9",
    "card_use": "1 2",
    "transaction": "1 2",
    "special_settlement": "1 2 3 9",
}


@pytest.mark.parametrize(("name", "codes"), PUBLISHED.items())
def test_lists_are_complete(name: str, codes: str) -> None:
    assert list(CODES[name]) == codes.split()


@pytest.mark.parametrize("name", CODES)
def test_every_code_has_both_labels(name: str) -> None:
    for code, (zh, en) in CODES[name].items():
        assert code.isalnum()
        assert re.search(r"[一-鿿]", zh)
        assert en.isascii()
    labels = [pair for code, pair in CODES[name].items() if not (name == "kinship" and code < "1")]
    assert len(set(labels)) == len(labels)


def test_codes_fit_their_items() -> None:
    for version in ("1.0", "2.0"):
        for file in file_map(version).values():
            for record in file.records:
                for code in CODES.get(record.codes, {}):
                    width = record.length * (2 if record.type.value == "cn" else 1)
                    assert len(code) <= width, (file.address, record.tag, code)


def test_labels() -> None:
    assert label("ethnicity", "10") == Label("朝鲜族", "Korean")
    assert label("sex", "3") is None
    assert label("no such list", "1") is None
    assert label("sex", "") is None


def test_the_medical_item_joins_six_codes() -> None:
    joined = label("medical", "31001010")
    assert joined is not None
    assert joined.zh == (
        "职工基本医疗保险，异地就诊：否，门诊统筹：是，门诊大病：否，医疗救助：是，优抚补助：否"
    )
    assert "outpatient pooling: Yes" in joined.en
    assert label("medical", "99901010") is None
    assert label("medical", "310") is None


def test_parts_that_do_not_apply_are_left_out() -> None:
    registered = label("unemployment_registration", "102000")
    assert registered is not None
    assert registered.zh == "失业登记，与企业解除或终止劳动关系"
    ended = label("unemployment_registration", "200060")
    assert ended is not None
    assert ended.en == "Registration ended, Has a steady income"
    employed = label("employment_registration", "10022")
    assert employed == Label("实现就业，灵活就业", "Employment begun, Flexible")
