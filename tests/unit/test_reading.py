"""Reading files and jobs from the simulated card, whole and sloppy (facts 3.1, 3.5, 3.9, 4.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apdu.channel import CardChannel
from apdu.layers import Layer, stack
from apdu.link import Exchange, Measured
from apdu.pin import Pin
from apdu.readers.inprocess import InProcessReader
from apdu.readers.t0 import for_t0
from apdu.sam import SoftwareSam
from apdu.ssc.card import KeyRefused, SocialSecurityCard
from apdu.ssc.entitlement import PinNeeded
from apdu.ssc.file_content import FileContent, Unreadable
from apdu.ssc.file_reader import FileReader, read_file
from apdu.ssc.files import file_map
from apdu.ssc.filespec import Structure
from apdu.ssc.jobs import FINGERPRINTS, Findings, Job, read_job
from apdu.ssc.keys import KeyName
from apdu.ssc.least import least
from apdu.ssc.reading import Reading
from apdu.ssc.rows import RowReader
from apdu.ssc.values import SHANGHAI
from apdu.status import (
    CardError,
    CardRemoved,
    KeyNotAvailable,
    MalformedData,
    NotAuthentic,
    PinWrong,
    StatusError,
)
from simulator.card.card import Protocol, SimulatedCard
from simulator.card.profile import CardProfile, load_profile

VERSIONS = ("adult-1.0", "adult-2.0", "adult-3.0")
PROTOCOLS: tuple[Protocol, ...] = ("T0", "T1", "TCL")
OUT_OF_REACH = {("DF06", 0xEF05), ("DF06", 0xEF06)} | {
    ("DF07", fid) for fid in (0xEF05, 0xEF06, 0xEF07)
}
TRANSACTION = [7, "2", "990100000001", "20260102030405", 12345, 600, 70000]


class T0Framed(Layer):
    def transmit(self, command: bytes) -> bytes:
        return self._transmit(for_t0(command))


class Altered(Layer):
    """A card some of whose answers are another's."""

    def __init__(self, below: Any, alter: Callable[[bytes, bytes], bytes]) -> None:  # noqa: ANN401
        super().__init__(below)
        self._alter = alter

    def transmit(self, command: bytes) -> bytes:
        return self._alter(command, self._transmit(command))


@dataclass
class Bench:
    """A card in a reader, and what went over the line."""

    card: SocialSecurityCard
    line: Measured
    sam: SoftwareSam
    pin: Pin

    def job(self, job: Job, *, pin: bool = True) -> Findings:
        return read_job(self.card, job, self.sam, self.pin if pin else None)

    def read(self, df: str, fid: int, *, pin: bool = True) -> FileContent:
        file = file_map(self.card.version)[df, fid]
        return read_file(self.card, file, self.sam, self.pin if pin else None)


def bench(
    profile: CardProfile | str,
    protocol: Protocol = "T0",
    *,
    alter: Callable[[bytes, bytes], bytes] = lambda _, answer: answer,
    reading: Reading = Reading.WHOLE_BY_SFI,
) -> Bench:
    profile = load_profile(profile) if isinstance(profile, str) else profile
    random = Random(3).randbytes
    chip = SimulatedCard(profile, random=random, protocol=protocol)
    line = Measured(Altered(InProcessReader("test", chip).connect(), alter))
    channel = CardChannel(stack(T0Framed(line) if protocol == "T0" else line))
    card = SocialSecurityCard.select(channel, reading=reading)
    pin = Pin(profile.pin.value if profile.pin else "000000")
    return Bench(card, line, SoftwareSam.development(random), pin)


def with_files(name: str, **files: Any) -> CardProfile:  # noqa: ANN401  # as profiles have them
    profile = load_profile(name)
    return replace(profile, files={**profile.files, **files})


def commands(line: Measured) -> int:
    return len(line.exchanges)


# Jobs


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", VERSIONS)
def test_everything_readable_is_read_and_the_rest_is_told(name: str, protocol: Protocol) -> None:
    found = bench(name, protocol).job(Job.EVERYTHING)
    known = file_map(load_profile(name).card.version)
    out_of_reach = OUT_OF_REACH & set(known)
    assert set(found.unreadable) == out_of_reach
    assert set(found.files) == set(known) - out_of_reach - {FINGERPRINTS}
    for unreadable in found.unreadable.values():
        assert isinstance(unreadable.error, KeyNotAvailable)
        assert unreadable.sw is None  # the card was not asked
    assert found.warnings == ()


@pytest.mark.parametrize("name", VERSIONS)
def test_every_protocol_gives_the_same(name: str) -> None:
    t0, t1, air = (bench(name, protocol).job(Job.EVERYTHING).files for protocol in PROTOCOLS)
    assert t0 == t1 == air


@pytest.mark.parametrize("name", VERSIONS)
def test_every_way_of_reading_gives_the_same(name: str) -> None:
    profile = with_files(name, DF04EF08=[TRANSACTION] * 10)
    readings = [bench(profile, reading=way).job(Job.EVERYTHING) for way in Reading]
    assert readings[0].files == readings[1].files == readings[2].files


def test_the_jobs_and_their_files() -> None:
    assert [f.address for f in Job.BASIC.files("3.00")] == ["SSSEEF05", "SSSEEF06"]
    assert [f.address for f in Job.MEDICAL.files("2.0\0")] == [
        "DF04EF05",
        "DF04EF06",
        "DF04EF08",
        "DF04EF15",
    ]
    assert "DF04EF15" not in {f.address for f in Job.MEDICAL.files("1.00")}
    everything = Job.EVERYTHING.files("3.00", fingerprints=True)
    assert {(f.df, f.fid) for f in everything} == set(file_map("3.00"))


@pytest.mark.parametrize("rows", [0, 1, 8, 9, 10, 30])
@pytest.mark.parametrize("pin", [True, False])
@pytest.mark.parametrize("job", Job)
@pytest.mark.parametrize("protocol", ["T0", "TCL"])
@pytest.mark.parametrize("name", VERSIONS)
def test_within_a_tenth_of_the_least_possible(
    name: str, protocol: Protocol, job: Job, pin: bool, rows: int
) -> None:
    profile = with_files(name, DF04EF08=[TRANSACTION] * rows)
    table = bench(profile, protocol)
    found = table.job(job, pin=pin)
    held = {
        content.file.address: len(content.raw)
        for content in found.files.values()
        if content.file.structure is Structure.CYCLIC
    }
    fewest = least(
        job,
        table.card.version,
        contactless=protocol == "TCL",
        pin=pin,
        rows=held,
        fci_names_algorithm=profile.card.fci_names_algorithm,
    )
    assert len(fewest) <= commands(table.line) <= 1.1 * len(fewest)
    size = sum(exchange.size for exchange in table.line.exchanges)
    assert sum(exchange.size for exchange in fewest) <= size
    assert size <= 1.1 * sum(exchange.size for exchange in fewest)


def test_the_least_of_a_basic_read_by_hand() -> None:
    fewest = least(Job.BASIC, "3.00", contactless=False, pin=False, rows={})
    assert fewest == [
        Exchange(15, 0, has_le=False),  # SELECT by name
        Exchange(0, 30, has_le=True),  # its FCI
        Exchange(0, 64, has_le=True),  # EF05
        Exchange(16, 0, has_le=False),  # INTERNAL AUTHENTICATE
        Exchange(0, 8, has_le=True),
        Exchange(0, 8, has_le=True),  # GET CHALLENGE
        Exchange(16, 0, has_le=False),  # EXTERNAL AUTHENTICATE
        Exchange(0, 91, has_le=True),  # EF06
    ]
    assert len(least(Job.BASIC, "2.00", contactless=True, pin=False, rows={})) == 4


def test_a_card_that_is_not_genuine_is_not_read() -> None:
    table = bench("forged")
    with pytest.raises(NotAuthentic):
        table.job(Job.BASIC)


def test_a_wrong_pin_ends_the_job_before_anything_is_read() -> None:
    table = bench("adult-2.0")
    table.card.authenticate(table.sam)
    before = commands(table.line)
    with pytest.raises(PinWrong):
        read_job(table.card, Job.MEDICAL, table.sam, Pin("999999"))
    assert commands(table.line) == before + 1


def test_a_card_that_is_pulled_ends_the_job() -> None:
    def pulled(command: bytes, answer: bytes) -> bytes:
        if command[:4] == bytes.fromhex("00B20135"):
            raise CardRemoved("pulled")
        return answer

    with pytest.raises(CardRemoved):
        bench("adult-2.0", alter=pulled).job(Job.EVERYTHING)


# Access


def test_without_the_pin_keys_open_what_they_open() -> None:
    found = bench("adult-2.0").job(Job.MEDICAL, pin=False)
    assert set(found.files) == {("DF04", 0xEF05), ("DF04", 0xEF15)}
    assert {fid for _, fid in found.unreadable} == {0xEF06, 0xEF08}
    assert all(isinstance(u.error, PinNeeded) for u in found.unreadable.values())


def test_without_a_security_module_the_pin_opens_what_it_opens() -> None:
    table = bench("adult-2.0")
    found = read_job(table.card, Job.MEDICAL, None, table.pin)
    assert set(found.files) == {("DF04", 0xEF05), ("DF04", 0xEF08), ("DF04", 0xEF15)}
    assert isinstance(found.unreadable["DF04", 0xEF06].error, KeyNotAvailable)


def test_without_either_only_what_is_free() -> None:
    found = read_job(bench("adult-3.0").card, Job.EVERYTHING)
    assert {c.file.address for c in found.files.values()} == {
        "SSSEEF05",
        "DF05EF05",
        *(f"DF01EF{fid:02X}" for fid in range(0x16, 0x1B)),
    }


def test_both_pin_and_key_where_both_are_asked_for() -> None:
    assert bench("adult-2.0").read("DF04", 0xEF06).value(0x90) is not None
    with pytest.raises(PinNeeded):
        bench("adult-2.0").read("DF04", 0xEF06, pin=False)


def test_a_pin_that_the_card_has_seen_is_not_presented_again() -> None:
    table = bench("adult-2.0")
    table.card.verify_pin(table.pin)
    sent = commands(table.line)
    file = file_map("2.00")["DF04", 0xEF08]
    read_file(table.card, file, pin_verified=True)
    assert commands(table.line) == sent + 2  # SELECT DF04, READ RECORD


def test_a_key_that_the_card_refuses_is_tried_once() -> None:
    wrong = replace(load_profile("adult-2.0"), keys={KeyName.RK1DF01.name: bytes(16)})
    table = bench(wrong)
    found = table.job(Job.EVERYTHING, pin=False)
    refused = [u for u in found.unreadable.values() if u.file.df == "DF01"]
    assert len(refused) == 7
    assert all(isinstance(u.error, KeyRefused) and u.error.tries_left == 2 for u in refused)
    assert ("DF02", 0xEF05) in found.files  # other keys work


def test_a_card_that_wants_the_key_after_the_pin() -> None:
    """Facts 3.5 and V2.0 do not agree whether the PIN opens EF07 of DF03."""
    seen: list[bytes] = []

    def key_only(command: bytes, answer: bytes) -> bytes:
        seen.append(command)
        if command[1] == 0xB2 and command[3] >> 3 == 0x07 and all(c[1] != 0x82 for c in seen):
            return b"\x69\x82"
        return answer

    table = bench("adult-3.0", alter=key_only)
    assert table.read("DF03", 0xEF07).value(0x70) is not None
    assert sum(c[1] == 0x82 for c in seen) == 1


def test_an_application_that_the_card_lacks_is_asked_for_by_name_and_number_once() -> None:
    known = file_map("2.00")
    lacking = frozenset(f.address for f in known.values() if f.df in ("DF05", "DF02"))
    profile = load_profile("adult-2.0")
    files = {name: file for name, file in profile.files.items() if name not in lacking}
    seen: list[bytes] = []

    def watch(command: bytes, answer: bytes) -> bytes:
        seen.append(command)
        return answer

    table = bench(replace(profile, files=files, absent=lacking), alter=watch)
    found = table.job(Job.EVERYTHING)
    gone = [u for u in found.unreadable.values() if u.sw == 0x6A82]
    assert {u.file.address for u in gone} == lacking
    assert ("DF04", 0xEF08) in found.files
    assert sum(command[5:7] == b"\xdf\x02" for command in seen) == 1
    assert sum(command[:5] == bytes.fromhex("00A4040006") for command in seen) == 4


def test_a_file_that_the_card_lacks_does_not_stop_the_others() -> None:
    profile = load_profile("adult-3.0")
    table = bench(replace(profile, absent=frozenset({"SSSEEF08", "DF04EF15"})))
    found = table.job(Job.EVERYTHING)
    assert found.unreadable["SSSE", 0xEF08].sw == 0x6A82
    assert found.unreadable["DF04", 0xEF15].sw == 0x6A82
    assert ("DF01", 0xEF05) in found.files


def test_a_file_closed_against_the_map() -> None:
    profile = replace(load_profile("adult-3.0"), closed=frozenset({"SSSEEF06", "DF05EF05"}))
    found = bench(profile).job(Job.EVERYTHING)
    assert found.unreadable["SSSE", 0xEF06].sw == 0x6982
    assert found.unreadable["DF05", 0xEF05].sw == 0x6982


# Values


def test_typed_values_with_the_raw_bytes_beside_them() -> None:
    files: dict[str, Any] = {
        "DF04EF08": [TRANSACTION, [6, "1", "990100000001", "20260101000000", 50000, 0, 0]],
        "DF04EF06": {"90": "1", "92": 123456, "93": 2},
    }
    table = bench(with_files("adult-3.0", **files))
    found = table.job(Job.EVERYTHING).files

    log = found["DF04", 0xEF08]
    newest, oldest = ([item.value.value for item in row] for row in log.rows)
    assert newest == [
        7,
        "2",
        "990100000001",
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=SHANGHAI),
        12345,
        600,
        70000,
    ]
    assert oldest[0] == 6
    assert log.raw[0].hex() == "000732990100000001" + "20260102030405" + (
        "00003039" + "00000258" + "00011170"
    )

    offline = found["DF04", 0xEF06]
    total = offline.value(0x92)
    assert total is not None
    assert (total.value, total.raw) == (123456, bytes.fromhex("00123456"))
    assert offline.raw[0] == bytes.fromhex("900131")

    issuer = found["SSSE", 0xEF05]
    issued = issuer.value(0x05)
    assert issued is not None
    assert issued.value == date(2024, 3, 15)
    assert issuer.raw[0][:2] == b"\x01\x10"


def test_records_that_share_a_tag_are_told_apart_by_number() -> None:
    school = [{"57": "401", "59": "示例大学"}, {"57": "402", "59": "样本学院"}]
    content = bench(with_files("adult-3.0", DF01EF15={"40": school})).read("DF01", 0xEF15)
    for number, name in ((1, "示例大学"), (2, "样本学院")):
        value = content.value(0x40, number)
        assert value is not None
        assert isinstance(value.value, tuple)
        assert value.value[2].value.value == name
    assert content.value(0x40, 3) is not None
    assert content.value(0x40, 4) is content.value(0x40, 0) is None


def test_a_file_of_more_than_256_bytes_comes_in_two_pieces() -> None:
    table = bench("adult-2.0")
    table.card.verify_pin(table.pin)
    table.card.enter("DF02")
    before = commands(table.line)
    content = read_file(table.card, file_map("2.00")["DF02", 0xEF05], pin_verified=True)
    assert commands(table.line) == before + 2
    assert len(content.raw) == 6
    assert sum(map(len, content.raw)) == 436


@pytest.mark.parametrize("rows", [0, 1, 9, 18, 30, 40])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_all_rows_of_a_log_newest_first(protocol: Protocol, rows: int) -> None:
    log = [[number, *TRANSACTION[1:]] for number in range(rows, 0, -1)]
    content = bench(with_files("adult-2.0", DF04EF08=log), protocol).read("DF04", 0xEF08)
    assert [row[0].value.value for row in content.rows] == list(range(rows, 0, -1))


# Sloppy cards

SLOPPY: Mapping[str, tuple[dict[str, Any], str, int, Any, str]] = {
    "an ASCII year": ({"SSSEEF05": {"05": {"hex": "32303132"}}}, "SSSE", 0x05, 2012, "05: the"),
    "2.0 and a zero": ({"SSSEEF05": {"03": {"hex": "322E3000"}}}, "SSSE", 0x03, "2.0", ""),
    "a wrong check character": (
        {"SSSEEF05": {"07": "A99010017"}},
        "SSSE",
        0x07,
        "A99010017",
        "07: wrong check character",
    ),
}


@pytest.mark.parametrize("case", SLOPPY)
def test_sloppy_issuer_data(case: str) -> None:
    files, df, tag, value, warning = SLOPPY[case]
    content = bench(with_files("adult-2.0", **files)).read(df, 0xEF05)
    read = content.value(tag)
    assert read is not None
    assert read.value == value
    assert any(w.startswith(warning) for w in content.warnings) or not warning


def test_a_name_extension_padded_with_ff_and_a_character_across_both() -> None:
    name = "一二三四五六七八九十百千万亿A兆".encode("gbk")  # byte 30 is the first half of 兆
    files = {
        "SSSEEF06": {
            "09": {"hex": name[:30].hex().upper()},
            "4E": {"hex": name[30:].ljust(20, b"\xff").hex().upper()},
        }
    }
    content = bench(with_files("adult-2.0", **files)).read("SSSE", 0xEF06)
    texts = [value.value for tag in (0x09, 0x4E) if (value := content.value(tag))]
    assert texts == ["一二三四五六七八九十百千万亿A", "兆"]
    assert content.warnings == ()


def test_nibble_e_means_the_new_definition_on_an_old_card() -> None:
    files = {"DF04EF05": {"81": {"hex": b"31000000".ljust(0x3E, b"\xee").hex().upper()}}}
    content = bench(with_files("adult-1.0", **files)).read("DF04", 0xEF05)
    item = content.item(0x81)
    assert item is not None
    assert (item.spec.length, item.value.value) == (8, "31000000")


def test_a_value_longer_than_its_item() -> None:
    long = b"9901001990010112345678".hex()
    profile = with_files("adult-2.0", SSSEEF06={"08": {"hex": long}})
    for protocol in PROTOCOLS:
        content = bench(profile, protocol).read("SSSE", 0xEF06)
        value = content.value(0x08)
        assert value is not None
        assert value.value == "9901001990010112345678"
        assert content.value(0x0D) is not None  # the end of the file was not lost
        assert "08: 22 bytes where 18 are defined" in content.warnings


def test_a_record_that_the_file_map_does_not_know() -> None:
    profile = with_files("adult-2.0", DF01EF07={"29": "1", "2A": {"hex": "21"}})
    table = bench(profile)
    file = file_map("2.00")["DF01", 0xEF07]
    beyond = FileReader(table.card, table.sam, table.pin, beyond=True).read(file)
    assert beyond.raw == (b"\x29\x011", b"\x2a\x01\x21")
    assert beyond.warnings == ("2A: not defined in this file",)
    assert len(read_file(table.card, file, pin_verified=True).raw) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_rows_of_20_bytes(protocol: Protocol) -> None:
    """The account-only mode of SPEC-7, which the file map does not have (facts 3.6)."""
    rows = [bytes.fromhex(f"{n:04X}32990100000001202601020304050000{n:04X}") for n in (3, 2, 1)]

    def short(command: bytes, answer: bytes) -> bytes:
        if command[1] != 0xB2 or command[3] >> 3 not in (0, 8) or answer[-2:] != b"\x6a\x83":
            return answer
        number, mode, le = command[2], command[3] & 7, command[4] or 256
        data = b"".join(rows[number - 1 :]) if mode == 5 else b"".join(rows[number - 1 : number])
        if not data:
            return b"\x6a\x83"
        if le > len(data) and (protocol != "TCL" or le < 256):
            return bytes((0x6C, len(data)))
        return data[:le] + b"\x90\x00"

    content = bench("adult-2.0", protocol, alter=short).read("DF04", 0xEF08)
    assert content.raw == tuple(rows)
    assert [row[4].value.value for row in content.rows] == [3, 2, 1]


def test_a_truncated_file_gives_what_is_whole() -> None:
    def cut(command: bytes, answer: bytes) -> bytes:
        if command[1] != 0xB2 or command[3] >> 3 == 0x05:
            return answer
        return answer[:40] + b"\x90\x00" if command[3] & 7 == 5 else b"\x6f\x00"

    content = bench("adult-2.0", "T1", alter=cut).read("SSSE", 0xEF06)
    assert len(content.raw) == 1
    assert content.value(0x08) is not None
    assert content.warnings[0] == "not all of it is records"


def test_a_truncated_inner_item_gives_those_before_it() -> None:
    files = {"DF01EF15": {"40": {"hex": "5703343031" + "5803080900" + "5928414243"}}}
    content = bench(with_files("adult-3.0", **files)).read("DF01", 0xEF15)
    value = content.value(0x40)
    assert value is not None
    assert isinstance(value.value, tuple)
    assert [item.spec.tag for item in value.value] == [0x57, 0x58]
    assert "40: items that are not tag, length, value" in content.warnings


def test_an_empty_file_is_empty() -> None:
    nothing = with_files("adult-2.0", DF01EF08={"2B": None})
    content = bench(nothing).read("DF01", 0xEF08)
    assert content.raw == ()
    assert content.warnings == ("the file is empty",)


def test_nothing_personal_shows() -> None:
    found = bench("adult-3.0").job(Job.EVERYTHING)
    shown = repr(found)
    for secret in ("张三", "990100199001011234", b"990100199001011234".hex(), "A9901"):
        assert secret not in shown


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), protocol=st.sampled_from(PROTOCOLS), name=st.sampled_from(VERSIONS))
def test_any_content_is_read_or_refused_never_a_crash(
    data: st.DataObject, protocol: Protocol, name: str
) -> None:
    profile = load_profile(name)
    spec = data.draw(st.sampled_from(list(file_map(profile.card.version).values())))
    if spec.structure is Structure.VARIABLE:
        tags = st.one_of(st.sampled_from([r.tag for r in spec.records]), st.integers(1, 254))
        made = data.draw(st.lists(st.tuples(tags, st.binary(max_size=90)), max_size=8))
        content: Any = {"hex": b"".join(bytes((t, len(v))) + v for t, v in made).hex().upper()}
    elif spec.structure is Structure.CYCLIC:
        row = st.binary(min_size=spec.record_length, max_size=spec.record_length)
        rows = data.draw(st.lists(row, max_size=12))
        content = [{"hex": one.hex().upper()} for one in rows]
    else:
        content = {"hex": data.draw(st.binary(max_size=min(spec.total, 300))).hex().upper()}
    try:
        table = bench(replace(profile, files={spec.address: content}), protocol)
    except CardError:
        return  # EF05 itself is no longer one
    try:
        found = table.job(Job.EVERYTHING)
    except CardError:
        return  # a version that is not known
    if spec.structure is Structure.CYCLIC:
        assert [one.hex() for one in found.files[spec.df, spec.fid].raw] == [
            row["hex"].lower() for row in content
        ]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), protocol=st.sampled_from(PROTOCOLS))
def test_hostile_answers_end_in_findings_or_a_typed_error(
    data: st.DataObject, protocol: Protocol
) -> None:
    seen = 0

    def hostile(command: bytes, answer: bytes) -> bytes:
        nonlocal seen
        if command[1] not in (0xB0, 0xB2) or data.draw(st.integers(0, 3)):
            return answer
        seen += 1
        assert seen < 3000, "the work is bounded"
        kind = data.draw(st.sampled_from(["cut", "long", "noise", "status", "byte"]))
        if kind == "cut":
            return answer[: data.draw(st.integers(0, len(answer)))]
        if kind == "long":
            return answer[:-2] * 3 + b"\x90\x00"
        if kind == "noise":
            return data.draw(st.binary(max_size=300)) + b"\x90\x00"
        if kind == "status":
            return data.draw(st.binary(min_size=2, max_size=2))
        at = data.draw(st.integers(0, max(len(answer) - 3, 0)))
        return answer[:at] + data.draw(st.binary(min_size=1, max_size=1)) + answer[at + 1 :]

    try:
        table = bench("adult-3.0", protocol, alter=hostile)
        found = table.job(Job.EVERYTHING)
    except CardError:
        return
    assert all(isinstance(r, FileContent | Unreadable) for r in found.results)


# Small parts


def test_rows_that_are_not_even_whole() -> None:
    def odd(command: bytes, answer: bytes) -> bytes:
        if command[1] == 0xB2 and command[3] >> 3 in (0, 0x08):
            return bytes(5) + b"\x90\x00"
        return answer

    table = bench("adult-2.0", "TCL", alter=odd)
    table.card.verify_pin(table.pin)
    table.card.enter("DF04")
    with pytest.raises(MalformedData):
        RowReader(table.card.channel).read(file_map("2.00")["DF04", 0xEF08])


def test_a_status_that_means_no_is_final() -> None:
    table = bench("adult-2.0")
    table.card.enter("DF04")
    before = commands(table.line)
    with pytest.raises(StatusError):
        RowReader(table.card.channel).read(file_map("2.00")["DF04", 0xEF08])
    assert commands(table.line) == before + 1  # 6982: no other form would help
