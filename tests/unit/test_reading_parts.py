"""The parts below the file reader: long files, damaged files, selections without an FCI."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from random import Random

import pytest

from apdu.atr import is_contactless
from apdu.channel import CardChannel
from apdu.crypto import Algorithm
from apdu.layers import GetResponse, Layer
from apdu.pin import Pin
from apdu.readers.inprocess import InProcessReader
from apdu.sam import SoftwareSam
from apdu.ssc.binary import BinaryReader
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.entitlement import Entitlement, NotReadable
from apdu.ssc.file_content import cyclic_content
from apdu.ssc.file_reader import FileReader
from apdu.ssc.files import DIRECTORIES, file_map
from apdu.ssc.filespec import NEVER, PIN
from apdu.ssc.jobs import Job, read_job
from apdu.ssc.reading import RecordReader
from apdu.ssc.rows import RowReader
from apdu.status import AlgorithmNotSupported, CardRemoved, MalformedData, PinWrong, StatusError
from apdu.tlv import RecordTlv, leading_records
from simulator.card.card import SimulatedCard
from simulator.card.profile import CardProfile, ProfileError, load_profile, parse_profile

FILES = file_map("3.00")
RESERVED = FILES["DF01", 0xEF16]
HOLDER = FILES["SSSE", 0xEF06]
LOG = FILES["DF04", 0xEF08]
Answer = Callable[[bytes], str]


class Scripted:
    """A card whose answers a function makes; contact, unless its ATR is given."""

    def __init__(self, answer: Answer, atr: str = "3B6D0000") -> None:
        self.atr = bytes.fromhex(atr)
        self.sent: list[str] = []
        self._answer = answer

    def transmit(self, command: bytes) -> bytes:
        self.sent.append(command.hex().upper())
        return bytes.fromhex(self._answer(command))

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass


# Long files


def test_a_long_file_by_its_short_identifier_and_then_by_offset() -> None:
    content = bytes(range(148)) * 2
    card = Scripted(lambda c: _slice(c, content))
    assert BinaryReader(CardChannel(card)).read(RESERVED) == content
    assert card.sent == ["00B09600FF", "00B000FF29"]


def test_a_card_that_knows_no_short_identifiers_is_asked_once() -> None:
    content = bytes(296)

    def answer(command: bytes) -> str:
        if command[1] == 0xA4:
            return "9000"
        return "6A86" if command[2] & 0x80 else _slice(command, content)

    card = Scripted(answer)
    reader = BinaryReader(CardChannel(card))
    assert reader.read(RESERVED) == content
    assert card.sent == ["00B09600FF", "00A4020002EF16", "00B00000FF", "00B000FF29"]
    reader.read(RESERVED)
    assert card.sent[4:] == ["00B00000FF", "00B000FF29"]


@pytest.mark.parametrize("end", ["6B00", "9000"])
def test_a_file_that_is_shorter_than_it_should_be(end: str) -> None:
    card = Scripted(lambda c: "AB" * 255 + "9000" if c[3] == 0 else end)
    assert BinaryReader(CardChannel(card)).read(RESERVED) == b"\xab" * 255


def test_a_file_that_is_longer_is_read_on_only_when_wanted() -> None:
    content = bytes(700)
    card = Scripted(lambda c: _slice(c, content))
    assert len(BinaryReader(CardChannel(card)).read(RESERVED)) == 296
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> bool:
        told.append((done, total))
        return True

    long = BinaryReader(CardChannel(card)).read(RESERVED, beyond=True, progress=progress)
    assert long == content
    assert all(done <= total for done, total in told)


@pytest.mark.parametrize("sw", ["6982", "6F00"])
def test_a_refusal_in_the_middle_is_an_error(sw: str) -> None:
    card = Scripted(lambda c: "00" * 255 + "9000" if c[3] == 0 else sw)
    with pytest.raises(StatusError):
        BinaryReader(CardChannel(card)).read(RESERVED)
    with pytest.raises(StatusError):
        BinaryReader(CardChannel(Scripted(lambda _: sw))).read(RESERVED)


def _slice(command: bytes, content: bytes) -> str:
    by_sfi = command[2] & 0x80
    offset = command[3] if by_sfi else command[2] << 8 | command[3]
    return (content[offset : offset + command[4]]).hex() + "9000"


# Record files


def test_what_is_whole_in_a_damaged_file() -> None:
    def answer(command: bytes) -> str:
        if command[1] == 0xA4:
            return "9000"
        if command[3] & 7 == 5:
            return "08023132" + "09FF41" + "9000"
        return {0x0A: "0A01319000", 0x0B: "FF9000"}.get(command[2], "6A83")

    records = RecordReader(CardChannel(Scripted(answer))).salvage(HOLDER)
    assert records == (RecordTlv(0x08, b"12"), RecordTlv(0x0A, b"1"))


def test_nothing_is_whole() -> None:
    with pytest.raises(MalformedData):
        RecordReader(CardChannel(Scripted(lambda _: "9000"))).salvage(HOLDER)


def test_filler_ends_a_file() -> None:
    whole = "0801310A0131" + "FF" * 85 + "9000"
    card = Scripted(lambda _: whole)
    assert [r.tag for r in RecordReader(CardChannel(card)).read_all(HOLDER)] == [0x08, 0x0A]
    assert len(card.sent) == 1


def test_garbage_that_never_ends_is_an_error() -> None:
    card = Scripted(
        lambda c: "9000" if c[1] == 0xA4 else ("42FF" * 128)[: 2 * (c[4] or 256)] + "9000"
    )
    reader = RecordReader(CardChannel(card))
    with pytest.raises(MalformedData):
        reader.read_all(FILES["DF02", 0xEF05])
    assert len(card.sent) < 40


def test_a_file_that_is_not_there_is_asked_for_twice_only() -> None:
    card = Scripted(lambda _: "6A82")
    with pytest.raises(StatusError):
        RecordReader(CardChannel(card)).read_all(HOLDER)
    assert card.sent == ["00B201355B", "00A4020002EF06"]


def test_rows_one_by_one_on_a_card_that_reads_no_other_way() -> None:
    def answer(command: bytes) -> str:
        if command[1] == 0xA4:
            return "9000"
        if command[3] & 7 == 5:
            return "6A81"
        return f"{command[2]:02X}" * 28 + "9000" if command[2] < 4 else "6A83"

    card = Scripted(answer)
    reader = RowReader(CardChannel(card))
    assert [row[0] for row in reader.read(LOG)] == [1, 2, 3]
    sent = len(card.sent)
    assert [row[0] for row in reader.read(LOG)] == [1, 2, 3]
    assert len(card.sent) == sent + 4  # the way is remembered


def test_a_log_that_never_ends_is_cut() -> None:
    card = Scripted(lambda c: "31" * c[4] + "9000")
    rows = RowReader(CardChannel(card)).read(LOG)
    assert len(rows) <= 263
    assert len(card.sent) <= 30


def test_faults_in_rows_are_told_with_their_place() -> None:
    row = bytes.fromhex("0001" + "32" + "990100000001" + "20261302030405") + bytes(12)
    assert cyclic_content(LOG, (row,)).warnings == ("row 1 field 4: not a time",)


@pytest.mark.parametrize(
    ("data", "tags", "rest"),
    [
        ("", [], ""),
        ("010141020242", [1], "020242"),
        ("0101410200", [1, 2], ""),
        ("010141FFFF", [1], "FFFF"),
        ("0000", [], "0000"),
        ("01", [], "01"),
    ],
)
def test_leading_records(data: str, tags: list[int], rest: str) -> None:
    records, left = leading_records(bytes.fromhex(data))
    assert [record.tag for record in records] == tags
    assert left.hex().upper() == rest


# Selections without an FCI


def test_an_answer_that_nobody_needs_stays_on_the_card() -> None:
    card = Scripted(lambda _: "6110")
    layer = GetResponse(card)
    assert layer.transmit_alone(b"\x00\xa4\x04\x00\x00") == b"\x90\x00"
    assert len(card.sent) == 1
    refusing = GetResponse(Scripted(lambda _: "6A82"))
    assert refusing.transmit_alone(b"\x00\xa4\x04\x00\x00") == b"\x6a\x82"
    # A layer on top that does not know better fetches it, as always.
    endless = Layer(GetResponse(Scripted(lambda c: "AA9000" if c[1] == 0xC0 else "6101")))
    assert endless.transmit_alone(b"\x00\xa4\x04\x00\x00") == b"\xaa\x90\x00"


def test_the_fci_is_fetched_when_it_is_wanted_later() -> None:
    card = Scripted(lambda c: "6F009000" if c[1] == 0xC0 else "6102")
    channel = CardChannel(GetResponse(card))
    name = DIRECTORIES["DF04"].aid
    assert channel.select_name(name, fci=False) == b""
    assert channel.select_name(name, fci=False) == b""
    assert len(card.sent) == 1
    assert channel.select_name(name) == b"\x6f\x00"
    assert channel.select_name(name) == b"\x6f\x00"
    assert len(card.sent) == 3


@pytest.mark.parametrize(
    ("atr", "contactless"),
    [
        ("3B8D80010081544C9686845101C0666779E9", True),
        ("3B6D00000081544C928699990100000001", False),
        ("3B6D8001", False),
        ("3B8D80", False),
        ("", False),
    ],
)
def test_which_interface_an_atr_speaks_of(atr: str, contactless: bool) -> None:
    assert is_contactless(bytes.fromhex(atr)) is contactless


# Entitlement


def opened(profile: CardProfile) -> SocialSecurityCard:
    chip = SimulatedCard(profile, random=Random(2).randbytes, protocol="T1")
    return SocialSecurityCard.select(CardChannel(InProcessReader("test", chip).connect()))


def sam() -> SoftwareSam:
    return SoftwareSam.development(Random(3).randbytes)


def test_a_file_that_nobody_reads() -> None:
    with pytest.raises(NotReadable):
        Entitlement(opened(load_profile("adult-3.0")), sam(), None).meet(NEVER)


def test_a_wrong_pin_is_presented_once_whatever_is_read() -> None:
    card = opened(load_profile("adult-2.0"))
    entitlement = Entitlement(card, None, Pin("999999"))
    for _ in range(3):
        with pytest.raises(PinWrong):
            entitlement.meet(PIN)
    assert card.pin_tries_left() == 2
    assert not entitlement.has_pin


def test_an_algorithm_that_the_module_lacks_leaves_what_is_free() -> None:
    profile = load_profile("adult-2.0")
    profile = replace(profile, card=replace(profile.card, algorithm=Algorithm.SSF33))
    found = read_job(opened(profile), Job.EVERYTHING, sam())
    assert ("SSSE", 0xEF06) in found.files
    assert isinstance(found.unreadable["DF01", 0xEF05].error, AlgorithmNotSupported)


def test_a_card_that_is_pulled_at_a_key_is_not_taken_for_a_refusal() -> None:
    class Pulled(SoftwareSam):
        def card_authentication(self, *_: object, **__: object) -> bytes:
            raise CardRemoved("pulled")

    reader = FileReader(opened(load_profile("adult-3.0")), Pulled({}, Random(1).randbytes))
    with pytest.raises(CardRemoved):
        list(reader.read_each([HOLDER]))


def test_a_card_pulled_between_applications(monkeypatch: pytest.MonkeyPatch) -> None:
    card = opened(load_profile("adult-3.0"))

    def pulled(_df: str) -> None:
        raise CardRemoved("pulled")

    monkeypatch.setattr(card, "enter", pulled)
    with pytest.raises(CardRemoved):
        list(FileReader(card).read_each([FILES["DF05", 0xEF05]]))


# Profiles with closed and absent files


def test_closed_and_absent_files_are_named_by_their_address() -> None:
    profile = load_profile("adult-3.0")
    with pytest.raises(ProfileError):
        opened(replace(profile, closed=frozenset({"DF09EF05"})))
    with pytest.raises(ProfileError):
        opened(replace(profile, absent=frozenset({"DF01EF77"})))


def test_a_profile_names_them_in_json() -> None:
    text = resources.files("simulator.profiles").joinpath("adult-3.0.json").read_text("utf-8")
    document = {**json.loads(text), "closed": ["DF05EF05"], "absent": ["SSSEEF08"]}
    found = read_job(opened(parse_profile(document)), Job.EVERYTHING, sam())
    assert found.unreadable["DF05", 0xEF05].sw == 0x6982
    assert found.unreadable["SSSE", 0xEF08].sw == 0x6A82
    with pytest.raises(ProfileError, match="closed"):
        parse_profile({**document, "closed": ["nonsense"]})
