"""The terminal test matrix of facts appendix C, as a table.

A row is a function of a `Bench` that asserts what the matrix expects; `ROWS` holds them all with
the card versions and the modules that they are for. Whoever offers the functions in another way
runs the same rows through its own face (see `driver_bench`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest
from _pytest.mark import ParameterSet

from apdu.crypto import Algorithm
from apdu.ssc.driver import PinCancelled, PinPrompt, PinTimeout
from apdu.ssc.keys import KeyName
from apdu.status import CardRemoved
from simulator.card.card import SimulatedCard
from simulator.card.description import Condition
from simulator.card.profile import CardProfile, load_profile
from simulator.psam import PsamProfile
from tests.conformance.driver_bench import (
    HSM,
    MODULES,
    PIN,
    PSAM,
    TERMINAL,
    VERSIONS,
    Bench,
    Face,
    Result,
    bench,
    issued,
    require_closed,
    without,
)

Check = Callable[[Bench], None]
NEWER = ("2.0", "3.0")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the matrix."""

    name: str
    check: Check
    versions: tuple[str, ...]
    modules: tuple[str, ...]


ROWS: list[Row] = []


def row(
    *, versions: tuple[str, ...] = VERSIONS, modules: tuple[str, ...] = MODULES
) -> Callable[[Check], Check]:
    """Put a check into the table."""

    def enter(check: Check) -> Check:
        ROWS.append(Row(check.__name__, check, versions, modules))
        return check

    return enter


def cases() -> list[ParameterSet]:
    """Every row for every version and module that it is for, as parameters of a test."""
    return [
        pytest.param(one, version, module, id=f"{one.name}-{version}-{module}")
        for one in ROWS
        for version in one.versions
        for module in one.modules
    ]


def run(one: Row, version: str, module: str, face: Face) -> None:
    """Run one case behind `face`; afterwards nobody holds a slot, and a next call works."""
    with bench(face, version, module) as at:
        one.check(at)
        require_closed(at)
        profile = issued(version)
        at.contact.remove()
        at.field.remove()
        if module == PSAM:
            at.insert_psam(PsamProfile(terminal_number=TERMINAL))
        at.insert(profile)
        assert at.basic() == (0, LINES[version])


# What the sample cards hold

LINES = {
    "1.0": "990100|990100195708034562|C99009036|990100D15600000500000003FFFFFFFF|王五|"
    "0087544C928699110620000003|1.00|20110620|20310620|990100000001||",
    "2.0": "990100|990100198506122349|B99010021|990100D15600000500000002FFFFFFFF|李四|"
    "0085544C928699990100000002|2.00|20230510|20330510|990100000001||",
    "3.0": "990100|990100199001011234|A99010016|990100D156000005C0000001FFFFFFFF|张三|"
    "0081544C928699990100000001|3.00|20240315|20340315|990100000001||",
}
CONTACTLESS = (
    "990100|990100199202207890|G99010079|990100D156000005C00000079A010007|"
    "阿卜杜拉·买买提·样本·司马义·示例|0081544C928699990100A0F0C7|3.00|20250108|20350108|"
    "990100000001||"
)

FILES: dict[str, Any] = {
    "DF01EF07": {"29": "1"},
    "DF04EF06": {"90": "1", "92": "00012345", "93": "02"},
    "DF02EF07": [
        ["1010101", "20200101", "20221231", "示例科技有限公司"],
        ["2020202", "20150701", "20191231", "样本工厂"],
    ],
}
NEW_FILES: dict[str, Any] = {
    **FILES,
    "DF01EF0A": {"37": "CHN", "38": "13", "39": "20100701"},
    "DF01EF15": {
        "2A": "21",
        "40": [
            {"57": "401", "58": "080900", "59": "示例大学"},
            {"57": "301", "58": "080901", "59": "样本学院"},
        ],
    },
    "DF01EF16": {"hex": "0102030405"},
}
OLD_FILES: dict[str, Any] = {
    **FILES,
    "DF01EF0A": {"37": "00850000", "38": "10200000", "39": "20110701"},
    "DF02EF05": {
        "40": {"57": "401", "58": "080900", "59": "示例大学"},
        "43": {"5A": "1010101", "5B": "3", "5C": "990100001", "5D": "20050601"},
    },
    "DF04EF06": {"90": "00000001", "92": "00012345", "93": "00000002"},
}
RESERVED = "0102030405" + "FF" * 291
ROW_1 = "1010101^20200101^20221231^示例科技有限公司^|"
ROW_2 = "2020202^20150701^20191231^样本工厂^|"
NEW_ROW = "3030303^20230101^20231231^示例医院^|"
PAYMENT = "123.45|100.00|20260102030405|"
LATER = "7.00|0.50|20260103040506|"


def sample(version: str) -> CardProfile:
    """The card that the rows about files read."""
    return issued(version, **(OLD_FILES if version == "1.0" else NEW_FILES))


def with_sample(at: Bench) -> Bench:
    at.insert(sample(at.version))
    return at


class Answers(SimulatedCard):
    """A card that answers one command with a status word of its own."""

    to = b""
    sw = b""

    def transmit(self, command: bytes) -> bytes:
        return self.sw if command.startswith(self.to) else super().transmit(command)


# iReadCardBas


@row()
def basic_read_of_every_version(at: Bench) -> None:
    with_sample(at)
    for interface in (1, 3, 4):
        assert at.basic(interface) == (0, LINES[at.version])


@row(versions=("3.0",))
def basic_read_by_every_interface(at: Bench) -> None:
    at.insert(load_profile("contactless-3.0"))
    for interface in (2, 3, 4):
        assert at.basic(interface) == (0, CONTACTLESS)
    assert at.basic(1).code == -2


@row(versions=("3.0",))
def a_preferred_interface_comes_first(at: Bench) -> None:
    at.insert(load_profile("contactless-3.0"))
    at.insert(issued("3.0"))
    assert at.basic(3) == at.basic(1) == (0, LINES["3.0"])
    assert at.basic(4) == at.basic(2) == (0, CONTACTLESS)


@row()
def a_contact_card_is_not_in_the_field(at: Bench) -> None:
    with_sample(at)
    assert at.basic(2).code == -2


@row()
def an_interface_that_does_not_exist(at: Bench) -> None:
    with_sample(at)
    for interface in (0, 5, -1):
        assert at.basic(interface).code == -14
        assert at.call("iVerifyPIN", {"iType": interface}).code == -14


@row()
def no_card(at: Bench) -> None:
    for interface in (1, 2, 3, 4):
        assert at.basic(interface) == (-2, "无卡")


@row(modules=(PSAM,))
def no_psam(at: Bench) -> None:
    with_sample(at)
    at.psam.remove()
    assert at.basic().code == -2201


@row(versions=("3.0",), modules=(PSAM,))
def a_psam_without_the_algorithm(at: Bench) -> None:
    with_sample(at)
    at.insert_psam(PsamProfile(algorithms=frozenset({Algorithm.DES})))
    assert at.basic().code == -2202


@row(versions=("3.0",), modules=(PSAM,))
def a_psam_without_rksse_is_told_before_a_forged_card(at: Bench) -> None:
    at.insert_psam(without(KeyName.RKSSSE))
    for profile in (sample("3.0"), load_profile("forged")):
        at.insert(profile)
        assert at.basic().code == -2203


@row(versions=("1.0", "2.0"), modules=(PSAM,))
def rksse_is_not_needed_before_3_0(at: Bench) -> None:
    with_sample(at)
    at.insert_psam(replace(without(KeyName.RKSSSE), terminal_number=TERMINAL))
    assert at.basic() == (0, LINES[at.version])


@row(versions=("3.0",))
def a_forged_card(at: Bench) -> None:
    at.insert(load_profile("forged"))
    assert at.basic().code == -21


@row(modules=(PSAM,))
def keys_of_no_level_that_fits(at: Bench) -> None:
    with_sample(at)
    at.insert_psam(PsamProfile(levels=4))
    assert at.basic().code == -24


@row(modules=(PSAM,))
def a_psam_without_irk(at: Bench) -> None:
    with_sample(at)
    at.insert_psam(without(KeyName.IRK))
    assert at.basic().code == -27272


@row()
def a_chip_that_is_no_social_security_card(at: Bench) -> None:
    """A card whose environment is found by neither name nor number."""
    profile = sample(at.version)
    card = Answers(profile, random=Random(1).randbytes)
    card.to, card.sw = bytes.fromhex("00A4"), bytes.fromhex("6A82")
    at.insert(profile, chip=card)
    assert at.basic().code == -1


@row()
def a_card_that_was_blocked(at: Bench) -> None:
    for condition in (Condition.CARD_BLOCKED, Condition.APPLICATION_BLOCKED):
        at.insert(replace(sample(at.version), condition=condition))
        assert at.basic().code == -37635
        assert at.verify(PIN).code == -37635


@row()
def a_malformed_card_id(at: Bench) -> None:
    wrong = "990100D15600000600000001FFFFFFFF"
    at.insert(issued(at.version, SSSEEF05={"01": {"hex": wrong}}))
    assert at.basic() == (-20, "卡识别码格式错误")


@row(versions=("3.0",))
def a_blank_card_gives_empty_fields(at: Bench) -> None:
    empty = {"hex": "00" * 9}
    profile = issued(
        "3.0",
        SSSEEF05={"07": empty, "05": {"hex": "FF" * 4}, "06": {"hex": "00" * 4}},
        SSSEEF06={"08": "", "09": "", "4E": "", "0D": ""},
    )
    at.insert(profile)
    fields = LINES["3.0"].split("|")
    for blank in (1, 2, 4, 7, 8):
        fields[blank] = ""
    assert at.basic() == (0, "|".join(fields))


@row(versions=("2.0",))
def sloppy_data_are_read_as_far_as_they_go(at: Bench) -> None:
    """Facts 3.1 and 3.4: a year in ASCII, a version closed by 00, a number that is too long."""
    profile = issued(
        "2.0",
        SSSEEF05={
            "03": {"hex": "322E3000"},
            "05": {"hex": "32303132"},
            "07": {"hex": b"B990100219".hex()},
        },
    )
    at.insert(profile)
    fields = LINES["2.0"].split("|")
    fields[6], fields[7] = "2.0", "2012"
    assert at.basic() == (0, "|".join(fields))


class PulledAfter(SimulatedCard):
    """A card that leaves after so many commands."""

    left = 0

    def transmit(self, command: bytes) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise CardRemoved("pulled")
        return super().transmit(command)


@row()
def a_card_pulled_after_every_command(at: Bench) -> None:
    profile = sample(at.version)
    for commands in range(40):
        card = PulledAfter(profile, random=Random(1).randbytes)
        card.left = commands
        at.insert(profile, chip=card)
        result = at.basic()
        require_closed(at)
        if result.code == 0:
            assert commands > 4
            return
        assert result.code == -2
    raise AssertionError("it was never read")


# iReadCard


@row(versions=NEWER)
def a_free_file(at: Bench) -> None:
    with_sample(at)
    at.type()
    assert at.read("SSSEEF05|07|02|$") == (0, f"SSSEEF05|{LINES[at.version].split('|')[2]}|3|$")
    assert at.read("MFEF05|03|$") == (0, f"MFEF05|{at.version}0|$")
    assert at.pad.prompts == []


@row(versions=NEWER)
def a_file_that_pin_or_key_opens(at: Bench) -> None:
    with_sample(at)
    expected = "DF01EF0A|CHN|13|20100701|$"
    at.type(PIN)
    assert at.read("DF01EF0A|37|38|39|$", auth=1) == (0, expected)
    assert at.pad.prompts == [PinPrompt.PIN]
    at.type()
    assert at.read("DF01EF0A|37|38|39|$", auth=2) == (0, expected)


@row(versions=("1.0",))
def old_files_with_their_old_meaning(at: Bench) -> None:
    with_sample(at)
    at.type()
    expected = "DF01EF0A|00850000|10200000|20110701|$"
    assert at.read("DF01EF0A|37|38|39|$", auth=2) == (0, expected)
    expected = "DF02EF05|401^080900^示例大学|1010101^3^990100001^20050601|$"
    assert at.read("DF02EF05|40|43|$", auth=2) == (0, expected)


@row()
def a_file_that_the_pin_alone_opens(at: Bench) -> None:
    with_sample(at)
    at.type(PIN)
    assert at.read("DF04EF08$", auth=2) == (0, "DF04EF08|$")
    assert at.pad.prompts == [PinPrompt.PIN]


@row()
def a_file_that_pin_and_key_open(at: Bench) -> None:
    with_sample(at)
    at.type(PIN)
    expected = "1|00012345|02" if at.version != "1.0" else "00000001|00012345|00000002"
    assert at.read("DF04EF06|90|92|93|$", auth=1) == (0, f"DF04EF06|{expected}|$")
    assert at.pad.prompts == [PinPrompt.PIN]


@row(modules=(PSAM,))
def the_pin_is_not_asked_for_where_the_key_is_lacking(at: Bench) -> None:
    """Facts 6.3: external authentication first, then the PIN."""
    with_sample(at)
    at.insert_psam(without(KeyName.RK1DF04))
    assert at.read("DF04EF06|90|$", auth=1).code == -27272
    assert at.pad.prompts == []


@row()
def a_cyclic_file(at: Bench) -> None:
    with_sample(at)
    for name in ("DF02EF07$", "DF02EF07|$", "df02ef07"):
        assert at.read(name, auth=2) == (0, f"DF02EF07|{ROW_1}{ROW_2}$")
    assert at.read("DF02EF07|2|$", auth=2) == (0, f"DF02EF07|{ROW_2}$")
    assert at.read("DF02EF07:01$", auth=2) == (0, f"DF02EF07:01|{ROW_1}$")
    assert at.read("DF02EF07|3|$", auth=2).code == -27267


@row(versions=NEWER)
def a_transparent_file(at: Bench) -> None:
    with_sample(at)
    assert at.read("DF01EF16$") == (0, f"DF01EF16|{RESERVED}|$")


@row(versions=NEWER)
def one_of_several_records_with_items_inside(at: Bench) -> None:
    with_sample(at)
    expected = "DF01EF15|21|301^080901^样本学院|$"
    assert at.read("DF01EF15|2A|40:2|$", auth=2) == (0, expected)
    assert at.read("DF01EF15|40|$", auth=2) == (0, "DF01EF15|401^080900^示例大学|$")
    assert at.read("DF01EF15|40:4|$", auth=2).code == -27267


@row(versions=NEWER)
def several_files_at_once(at: Bench) -> None:
    with_sample(at)
    at.type(PIN)
    expected = "DF01EF0A|CHN|$DF01EF15|21|301^080901^样本学院|$SSSEEF05|3|$"
    address = "DF01EF0A|37|$DF01EF15|2A|40:2|$SSSEEF05|02|$"
    assert at.read(address, auth=1) == (0, expected)
    assert at.pad.prompts == [PinPrompt.PIN]  # asked for once


@row(versions=("3.0",))
def the_holder_of_a_3_0_card_is_opened_by_its_key(at: Bench) -> None:
    with_sample(at)
    assert at.read("SSSEEF06|08|09|0A|$") == (0, "SSSEEF06|990100199001011234|张三|1|$")


@row()
def another_card_than_the_caller_means(at: Bench) -> None:
    with_sample(at)
    number, card_id = at.info.split("|")[1::-1]
    for info in (f"{card_id[:-1]}0|{number}|", f"{card_id}|Z99999999|"):
        assert at.read("SSSEEF05|01|$", info=info).code == -22
        assert at.write("DF01EF07|29|$", "DF01EF07|1|$", info=info).code == -22
        assert at.reload(PIN, PIN, info=info).code == -22
    for info in ("", "|", f"{card_id}|{number}", f"{card_id}|{number}||", "X" * 200):
        assert at.read("SSSEEF05|01|$", info=info).code == -23


@row()
def addresses_that_are_none(at: Bench) -> None:
    with_sample(at)
    for address in (
        "",
        "$",
        "SSSEEF05",
        "SSSEEF05|$",
        "SSSEEF05|1|$",
        "SSSEEF05|GG|$",
        "SSSEEF05|01|$$",
        "EF05|01|$",
        "SSSEEF05|01|$|$",
        "DF02EF07|0|$",
        "DF02EF07|1|2|$",
        "SSSEEF05|01|$" * 100,
    ):
        assert at.read(address, auth=2).code == -14, address
    assert at.read("SSSEEF05|01|$", auth=3).code == -14


@row()
def files_and_items_that_are_not_there(at: Bench) -> None:
    with_sample(at)
    assert at.read("DF01EF0B|01|$", auth=2).code == -27266
    assert at.read("DF0AEF05|01|$", auth=2).code == -27266
    assert at.read("SSSEEF05|08|$", auth=2).code == -27267
    assert at.read("SSSEEF05|01:2|$", auth=2).code == -27267


# iWriteCard


@row()
def what_was_written_is_read(at: Bench) -> None:
    with_sample(at)
    assert at.write("DF01EF07|29|$", "DF01EF07|3|$") == (0, "")
    assert at.read("DF01EF07|29|$", auth=2) == (0, "DF01EF07|3|$")


@row(versions=NEWER)
def every_kind_of_item_is_written(at: Bench) -> None:
    with_sample(at)
    assert at.write("DF01EF15|2A|40:2|$", "DF01EF15|31|303^080902^新学院|$").code == 0
    expected = "DF01EF15|31|401^080900^示例大学|303^080902^新学院|$"
    assert at.read("DF01EF15|2A|40:1|40:2|$", auth=2) == (0, expected)
    assert at.write("DF01EF0A|37|39|$", "DF01EF0A|||$").code == 0
    assert at.read("DF01EF0A|37|38|39|$", auth=2) == (0, "DF01EF0A||13||$")


@row(versions=NEWER, modules=(PSAM,))
def several_files_are_written_at_once(at: Bench) -> None:
    with_sample(at)
    data = "DF01EF07|3|$DF01EF0A|USA|$"
    assert at.write("DF01EF07|29|$DF01EF0A|37|$", data).code == 0
    expected = "DF01EF07|3|$DF01EF0A|USA|13|$"
    assert at.read("DF01EF07|29|$DF01EF0A|37|38|$", auth=2) == (0, expected)


@row(modules=(PSAM,))
def nothing_is_written_unless_all_of_it_can_be(at: Bench) -> None:
    with_sample(at)
    data = "DF01EF07|3|$DF01EF08|22|$"
    assert at.write("DF01EF07|29|$DF01EF08|2B|$", data).code == -42
    assert at.read("DF01EF07|29|$", auth=2) == (0, "DF01EF07|1|$")


@row()
def a_record_is_added_to_a_cyclic_file(at: Bench) -> None:
    with_sample(at)
    assert at.write("DF02EF07$", f"DF02EF07|{NEW_ROW}$") == (0, "")
    assert at.read("DF02EF07$", auth=2) == (0, f"DF02EF07|{NEW_ROW}{ROW_1}{ROW_2}$")


@row()
def a_file_is_written_whose_reading_wants_the_pin_too(at: Bench) -> None:
    with_sample(at)
    at.type()
    assert at.write("DF04EF06|93|$", "DF04EF06|03|$") == (0, "")
    at.type(PIN)
    expected = "03" if at.version != "1.0" else "00000003"
    assert at.read("DF04EF06|93|$").out == f"DF04EF06|{expected}|$"


@row()
def the_log_of_the_card_is_its_own(at: Bench) -> None:
    with_sample(at)
    data = "0001^2^990100000001^20260102030405^00000000^00000001^00000000^|"
    assert at.write("DF04EF08$", f"DF04EF08|{data}$").code == -27010


@row()
def values_that_do_not_fit(at: Bench) -> None:
    with_sample(at)
    assert at.write("DF01EF07|29|$", "DF01EF07|11|$").code == -42
    assert at.write("DF01EF05|21|$", f"DF01EF05|{'长' * 41}|$").code == -42
    assert at.write("DF01EF0A|39|$", "DF01EF0A|2010-07-0x|$").code == -41
    assert at.write("DF02EF07$", "DF02EF07|1010101^x^20221231^某厂^|$").code == -41


@row()
def data_that_do_not_mirror_the_address(at: Bench) -> None:
    with_sample(at)
    for data in (
        "",
        "DF01EF08|1|$",
        "DF01EF07|1|2|$",
        "DF01EF07|1|$DF01EF08|1|$",
        "DF01EF07$",
        "DF01EF07|" + "1" * 21000 + "|$",
    ):
        assert at.write("DF01EF07|29|$", data).code == -23, data[:40]
    assert at.write("DF02EF07$", f"DF02EF07|{ROW_1}{ROW_2}$").code == -23
    assert at.write("DF02EF07$", "DF02EF07|1010101^20200101^|$").code == -23


@row(versions=NEWER, modules=(PSAM,))
def a_file_whose_write_key_has_no_published_number(at: Bench) -> None:
    with_sample(at)
    assert at.write("DF01EF16$", f"DF01EF16|{RESERVED}|$").code == -27272


# PINs


@row()
def a_pin_is_verified(at: Bench) -> None:
    with_sample(at)
    assert at.verify(PIN) == (0, "")
    assert at.pad.prompts == [PinPrompt.PIN]
    assert at.verify("000000") == (-51, "2")
    assert at.verify("000001") == (-51, "1")
    assert at.verify(PIN) == (0, "")


@row()
def a_pin_is_locked_after_its_last_try(at: Bench) -> None:
    with_sample(at)
    assert [at.verify("000000") for _ in range(2)] == [(-51, "2"), (-51, "1")]
    assert at.verify("000000") == (-52, "0")
    assert at.verify(PIN) == (-52, "0")


@row()
def a_pin_is_not_entered(at: Bench) -> None:
    with_sample(at)
    assert at.verify(PinCancelled("cancel")).code == -31
    assert at.verify(PinTimeout("time")).code == -32
    assert at.verify("123").code == -33
    assert at.verify("1" * 17).code == -33
    assert at.verify(PIN).code == 0  # none of these cost a try


@row()
def a_pin_is_changed(at: Bench) -> None:
    with_sample(at)
    assert at.change(PIN, "13579", "13579") == (0, "")
    assert at.pad.prompts == [PinPrompt.OLD, PinPrompt.NEW, PinPrompt.AGAIN]
    assert at.verify(PIN) == (-51, "2")
    assert at.verify("13579") == (0, "")


@row()
def a_pin_is_not_changed(at: Bench) -> None:
    with_sample(at)
    assert at.change(PIN, "111111", "222222").code == -34
    assert at.change("000000", "111111", "111111") == (-51, "2")
    assert at.change(PIN, PinCancelled("cancel")).code == -31
    assert at.verify(PIN) == (0, "")


def locked(at: Bench) -> Bench:
    with_sample(at)
    for _ in range(3):
        at.verify("000000")
    assert at.verify(PIN) == (-52, "0")
    at.pad.prompts.clear()
    return at


@row()
def a_locked_pin_is_reloaded(at: Bench) -> None:
    locked(at)
    assert at.reload("975310", "975310") == (0, "")
    assert at.pad.prompts == [PinPrompt.NEW, PinPrompt.AGAIN]
    assert at.verify("975310") == (0, "")
    assert at.verify(PIN) == (-51, "2")


@row()
def a_locked_pin_is_unblocked(at: Bench) -> None:
    locked(at)
    assert at.unblock() == (0, "")
    assert at.pad.prompts == []
    assert at.verify(PIN) == (0, "")


@row()
def a_pin_is_not_reloaded(at: Bench) -> None:
    locked(at)
    assert at.reload("111111", "222222").code == -34
    assert at.reload(PinTimeout("time")).code == -32
    assert at.verify(PIN) == (-52, "0")


@row(modules=(PSAM,))
def maintenance_needs_the_psam(at: Bench) -> None:
    locked(at)
    at.psam.remove()
    assert at.reload("111111", "111111").code == -2201
    assert at.unblock().code == -2201
    assert at.pad.prompts == []
    at.insert_psam(without(KeyName.PUK))
    assert at.unblock().code == -27272


# iDoDebit and iReadDebitRecord


def algorithm(at: Bench) -> str:
    return "03" if at.version == "3.0" else "01"


def receipt(at: Bench, result: Result, sequence: int, mac2: int = 0) -> list[str]:
    """The fields of a debit's answer, from the algorithm on; the sequence is the module's."""
    assert result.code == 0, result
    fields = result.out.split("|")
    if at.module == HSM:
        assert len(bytes.fromhex(fields.pop(0))) == 4
    assert fields[0] == algorithm(at)
    assert fields[5] == f"{sequence:08X}"
    return fields


@row()
def a_debit(at: Bench) -> None:
    with_sample(at)
    fields = receipt(at, at.debit(PAYMENT, PIN), 1)
    assert at.pad.prompts == [PinPrompt.PIN]
    head = ["00B5", "0000303900002710", "32", TERMINAL, "00000001", "20260102030405"]
    assert fields[1:7] == head
    assert len(bytes.fromhex(fields[7])) == 4
    assert fields[8:] == [""]


@row()
def a_debit_without_the_pin(at: Bench) -> None:
    with_sample(at)
    assert at.debit(PAYMENT, "000000") == (-51, "2")
    assert at.debit(PAYMENT, PinCancelled("cancel")).code == -31
    assert at.records(PIN) == (0, "")


@row()
def what_the_card_refuses_has_its_status_word(at: Bench) -> None:
    profile = sample(at.version)
    for ins, sw in (("B02801", "9401"), ("B02801", "9402"), ("B02801", "9403"), ("B02C", "9302")):
        card = Answers(profile, random=Random(1).randbytes)
        card.to, card.sw = bytes.fromhex(ins), bytes.fromhex(sw)
        at.insert(profile, chip=card)
        assert at.debit(PAYMENT, PIN).code == -int(sw, 16)


@row()
def payments_that_are_none(at: Bench) -> None:
    with_sample(at)
    for payment in (
        "",
        "123.45|100.00|20260102030405",
        "123.4|100.00|20260102030405|",
        "123|100.00|20260102030405|",
        "-1.00|0.00|20260102030405|",
        "0.00|0.00|20260102030405|",
        "42949672.95|0.00|20260102030405|",
        "1.00|42949672.95|20260102030405|",
        "123.45|100.00|20260230030405|",
        "１.00|0.00|20260102030405|",
    ):
        assert at.debit(payment, PIN).code == -23, payment
    assert at.debit("42949672.94|0.00|20260102030405|", PIN).code == 0


@row()
def records_are_told_newest_first(at: Bench) -> None:
    with_sample(at)
    assert at.records(PIN) == (0, "")
    assert at.debit(PAYMENT, PIN).code == 0
    assert at.debit(LATER, PIN).code == 0
    assert at.records(PIN) == (
        0,
        f"0001^{TERMINAL}^20260103040506^7.00^0.50^|0000^{TERMINAL}^20260102030405^123.45^100.00^|",
    )
    assert at.records("000000") == (-51, "2")


# HSM forms


FORMS = ("iReadCardBas", "iReadCard", "iWriteCard", "iReloadPIN", "iUnblockPIN", "iDoDebit")


@row(modules=(HSM,))
def a_second_step_without_the_first(at: Bench) -> None:
    with_sample(at)
    for name in FORMS:
        arguments = {"pKey": "00", "pWriteData": "DF01EF07|1|$"}
        assert at.call(f"{name}_HSM_Step2", arguments).code == -12
    assert at.call("iUnblockPIN_HSM_Step3", {"pKey": "00"}).code == -12


@row(modules=(HSM,))
def another_function_ends_an_hsm_form(at: Bench) -> None:
    with_sample(at)
    question = at.call("iReadCardBas_HSM_Step1", {"iType": 3}).out
    assert at.verify(PIN).code == 0
    answer = at.hsm.basic_read(question)
    assert at.call("iReadCardBas_HSM_Step2", {"pKey": answer}).code == -12
    question = at.call("iReadCardBas_HSM_Step1", {"iType": 3}).out
    assert at.call("iDoDebit_HSM_Step2", {"pKey": "00"}).code == -12
    answer = at.hsm.basic_read(question)
    assert at.call("iReadCardBas_HSM_Step2", {"pKey": answer}).code == -12


@row(modules=(HSM,))
def the_question_of_a_basic_read(at: Bench) -> None:
    with_sample(at)
    code, question = at.call("iReadCardBas_HSM_Step1", {"iType": 3})
    fields = question.split("|")
    line = LINES[at.version].split("|")
    assert code == 0
    assert fields[:4] == ["990100", line[5], algorithm(at), line[3]]
    assert [len(field) for field in fields[4:]] == [
        16,
        16,
        *([16, 16] if at.version == "3.0" else [0, 0]),
        0,
    ]
    key = at.hsm.basic_read(question)
    assert at.call("iReadCardBas_HSM_Step2", {"pKey": key}) == (0, LINES[at.version])


@row(modules=(HSM,))
def an_hsm_that_does_not_know_the_card(at: Bench) -> None:
    with_sample(at)
    question = at.call("iReadCardBas_HSM_Step1", {"iType": 3}).out.split("|")
    external = "00" * 8 + question[7] if question[7] else ""
    key = "00" * 8 + question[5] + "|" + external + "|"
    assert at.call("iReadCardBas_HSM_Step2", {"pKey": key}).code == -21


@row(modules=(HSM,))
def answers_that_are_none(at: Bench) -> None:
    with_sample(at)
    for key in ("", "|", "00|", "zz" * 16 + "||", "00" * 16 + "||", "0" * 2000):
        assert at.call("iReadCardBas_HSM_Step1", {"iType": 3}).code == 0
        assert at.call("iReadCardBas_HSM_Step2", {"pKey": key}).code == -23, key[:40]
        arguments = {"iType": 3, "pCardInfo": at.info, "pFileAddr": "DF01EF07|29|$"}
        assert at.call("iReadCard_HSM_Step1", arguments).code == 0
        assert at.call("iReadCard_HSM_Step2", {"pKey": key}).code == -23, key[:40]


@row(modules=(HSM,))
def a_wrong_key_costs_a_try(at: Bench) -> None:
    with_sample(at)
    for left in (2, 1, 0):
        arguments = {"iType": 3, "pCardInfo": at.info, "pFileAddr": "DF01EF07|29|$"}
        question = at.call("iReadCard_HSM_Step1", arguments).out.split("|")
        key = "00" * 8 + question[3]
        code, text = at.call("iReadCard_HSM_Step2", {"pKey": key})
        assert (code, text) == (-(0x63C0 + left), f"外部认证失败，剩余 {left} 次")
    assert at.read("DF01EF07|29|$", auth=2).code == -27011


@row(modules=(HSM,))
def a_file_that_needs_no_key(at: Bench) -> None:
    with_sample(at)
    for address in ("SSSEEF05|01|$", "DF04EF08$"):
        arguments = {"iType": 3, "pCardInfo": at.info, "pFileAddr": address}
        assert at.call("iReadCard_HSM_Step1", arguments).code == -2204


@row(modules=(HSM,))
def an_hsm_form_handles_the_first_file_alone(at: Bench) -> None:
    with_sample(at)
    arguments = {"iType": 3, "pCardInfo": at.info, "pFileAddr": "DF01EF07|29|$DF01EF08|2B|$"}
    question = at.call("iReadCard_HSM_Step1", arguments).out
    assert question.split("|")[:2] == [algorithm(at), "004F"]
    key = at.hsm.authentication(question, at.card)
    assert at.call("iReadCard_HSM_Step2", {"pKey": key}) == (0, "DF01EF07|1|$")


@row(modules=(HSM,))
def the_questions_of_a_pin_reload(at: Bench) -> None:
    locked(at)
    at.type("975310", "975310")
    question = at.call("iReloadPIN_HSM_Step1", {"iType": 3, "pCardInfo": at.info}).out
    assert question.split("|")[:2] == [algorithm(at), "0090"]
    key = at.hsm.authentication(question, at.card)
    question = at.call("iReloadPIN_HSM_Step2", {"pKey": key}).out
    fields = question.split("|")
    lc = "14" if at.version == "3.0" else "0C"
    assert fields[:2] == [algorithm(at), "0173"]
    assert fields[3:] == [f"84240001{lc}", "975310", ""]
    command = at.hsm.message(question, at.card)
    assert len(command) == (50 if at.version == "3.0" else 34)
    changed = command[:-1] + ("0" if command[-1] != "0" else "1")
    assert at.call("iReloadPIN_HSM_Step3", {"pKey": changed}).code == -27016
    assert at.verify("975310").code == -52


@row(modules=(HSM,))
def the_questions_of_a_pin_unblock(at: Bench) -> None:
    locked(at)
    question = at.call("iUnblockPIN_HSM_Step1", {"iType": 3, "pCardInfo": at.info}).out
    key = at.hsm.authentication(question, at.card)
    question = at.call("iUnblockPIN_HSM_Step2", {"pKey": key}).out
    assert question.split("|")[3:] == ["8424000004", "", ""]
    command = at.hsm.message(question, at.card)
    assert len(command) == 18
    assert at.call("iUnblockPIN_HSM_Step3", {"pKey": command}) == (0, "")


@row(modules=(HSM,))
def the_question_of_a_debit(at: Bench) -> None:
    with_sample(at)
    at.type(PIN)
    arguments = {"iType": 3, "pCardInfo": at.info, "pPayInfo": PAYMENT}
    fields = at.call("iDoDebit_HSM_Step1", arguments).out.split("|")
    assert fields[:2] == [algorithm(at), "017F"]
    assert len(fields[2]) == 8
    assert fields[3:] == ["0000", "0000303900002710", "32", TERMINAL, "20260102030405", ""]
    key = "00000001|20260102030405|00000000|"
    assert at.call("iDoDebit_HSM_Step2", {"pKey": key}).code == -37634
    assert at.records(PIN) == (0, "")


# Calls by name


@row(versions=("3.0",), modules=(PSAM,))
def calls_that_are_none(at: Bench) -> None:
    with_sample(at)
    assert at.call("iFormatCard", {}).code == -13
    assert at.call("iReadCardBas", {}).code == -14
    assert at.call("iReadCardBas", {"iType": "3"}).code == -14
    assert at.call("iReadCardBas", {"iType": True}).code == -14
    assert at.call("iReadCardBas", {"iType": 3, "pOutInfo": ""}).code == 0
