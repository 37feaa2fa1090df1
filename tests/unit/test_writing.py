"""Writing files of the card: forms, rules, read-back, and cards that are pulled in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from random import Random
from typing import Any

import pytest

from apdu.channel import CardChannel
from apdu.crypto import Algorithm
from apdu.layers import Layer, stack
from apdu.pin import Pin
from apdu.readers.inprocess import InProcessReader
from apdu.sam import DEVELOPMENT_KEYS, SoftwareSam
from apdu.secure import MacRefused
from apdu.ssc.card import KeyRefused, SocialSecurityCard
from apdu.ssc.entitlement import PinNeeded
from apdu.ssc.file_reader import read_file
from apdu.ssc.files import file_map
from apdu.ssc.filespec import EfSpec
from apdu.ssc.identity import AnotherCard
from apdu.ssc.intention import Intention, WriteState
from apdu.ssc.keys import KeyName
from apdu.ssc.values import IllegalValue, ValueTooLong
from apdu.ssc.writing import (
    CardWriter,
    FileFull,
    NotWritable,
    WriteNotConfirmed,
    WriteUncertain,
    resume_write,
)
from apdu.status import (
    CardRemoved,
    KeyNotAvailable,
    MalformedApdu,
    MalformedData,
    NotAuthentic,
    StatusError,
)
from simulator.card.card import Protocol, SimulatedCard
from simulator.card.description import CardProfile
from simulator.card.profile import load_profile, replacement

PROTOCOLS: tuple[Protocol, ...] = ("T0", "T1", "TCL")


def _with(profile: CardProfile, **changes: Any) -> CardProfile:  # noqa: ANN401  # any field
    return replace(profile, card=replace(profile.card, **changes))


CARDS: dict[str, Callable[[], CardProfile]] = {
    "1.0 DES": lambda: load_profile("adult-1.0"),
    "2.0 DES": lambda: load_profile("adult-2.0"),
    "3.0 DES": lambda: _with(load_profile("adult-3.0"), algorithm=Algorithm.DES),
    "3.0 SM4": lambda: load_profile("adult-3.0"),
}


@dataclass
class Bench:
    """A card in a reader, the development keys, and the holder's PIN."""

    profile: CardProfile
    chip: SimulatedCard
    sam: SoftwareSam
    secured: bool

    def present(self) -> CardWriter:
        """Put the card in, again."""
        connection = InProcessReader("reader", self.chip).connect()
        return self.writer(SocialSecurityCard.select(CardChannel(stack(connection))))

    def writer(self, card: SocialSecurityCard, sam: SoftwareSam | None = None) -> CardWriter:
        assert self.profile.pin is not None
        sam = sam or self.sam
        self.card = card
        return CardWriter(
            card,
            sam,
            pin=Pin(self.profile.pin.value),
            secured=sam if self.secured else None,
        )

    def file(self, df: str, fid: int) -> EfSpec:
        return file_map(self.profile.card.version)[df, fid]


def bench(profile: CardProfile, protocol: Protocol = "T0", *, secured: bool = False) -> Bench:
    chip = SimulatedCard(profile, random=Random(7).randbytes, protocol=protocol)
    return Bench(profile, chip, SoftwareSam.development(Random(8).randbytes), secured)


@pytest.fixture(params=CARDS)
def profile(request: pytest.FixtureRequest) -> CardProfile:
    return CARDS[request.param]()


@pytest.fixture(params=["plain", "secured"])
def secured(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "secured")


@pytest.fixture(params=PROTOCOLS)
def user(request: pytest.FixtureRequest, profile: CardProfile, secured: bool) -> Bench:
    return bench(profile, request.param, secured=secured)


@pytest.fixture
def one() -> Bench:
    return bench(load_profile("adult-2.0"))


Make = Callable[[Bench, CardWriter], Intention]


def by_tag(user: Bench, writer: CardWriter) -> Intention:
    return writer.record(user.file("DF01", 0xEF08), 0x2B, "9")


def by_number(user: Bench, writer: CardWriter) -> Intention:
    return writer.record(user.file("SSSE", 0xEF05), 0x06, date(2031, 5, 6), by_number=True)


def with_key_and_pin(user: Bench, writer: CardWriter) -> Intention:
    # The other permission than the card has: a write of the same could not be seen to be torn.
    permitted = user.profile.files["DF04EF06"]["90"] == "1"
    return writer.record(user.file("DF04", 0xEF06), 0x90, "0" if permitted else "1")


def row(user: Bench, writer: CardWriter) -> Intention:
    return writer.row(user.file("DF04", 0xEF15), (5, "1"))


def content(_user: Bench, writer: CardWriter) -> Intention:
    return writer.content(file_map("2.0")["SSSE", 0xEF08], b"\xff\xd8\xff" + bytes(range(200)), 3)


WRITES: dict[str, Make] = {
    "by tag": by_tag,
    "by number": by_number,
    "PIN and key": with_key_and_pin,
    "row": row,
    "bytes": content,
}


def holds(user: Bench, intention: Intention) -> bool:
    return user.present().resume(intention) is WriteState.WRITTEN


def kinds(user: Bench) -> dict[str, Make]:
    """The writes that a card of this version knows: 1.0 has neither photograph nor log of these."""
    if user.profile.card.version == "1.00":
        return {name: WRITES[name] for name in ("by tag", "by number")}
    return WRITES


def record_of(percent: list[int]) -> Callable[[int, int], None]:
    return lambda done, total: percent.append(100 * done // total)


def test_every_form_writes_and_reads_back(user: Bench) -> None:
    for make in kinds(user).values():
        writer = user.present()
        intention = make(user, writer)
        progress: list[int] = []
        writer.write(intention, progress=record_of(progress))
        assert progress[-1] == 100
        assert holds(user, intention)


def test_a_record_is_what_was_given(one: Bench) -> None:
    writer = one.present()
    writer.write(by_tag(one, writer))
    content = read_file(one.card, one.file("DF01", 0xEF08), one.sam)
    assert [item.value.value for item in content.items] == ["9"]
    assert content.raw == (bytes.fromhex("2B0139"),)


def test_what_is_known_of_the_issuer_follows(one: Bench) -> None:
    writer = one.present()
    writer.write(by_number(one, writer))
    assert one.card.issuer[0x06].hex() == "20310506"


def test_rows_are_appended_newest_first_and_the_oldest_makes_room(one: Bench) -> None:
    file = one.file("DF04", 0xEF15)
    writer = one.present()
    for number in range(10):
        writer.write(writer.row(file, (number, "1")))
    rows = read_file(one.card, file, one.sam).raw
    assert [row[1] for row in rows] == [9, 8, 7, 6, 5, 4, 3, 2]


def test_a_row_equal_to_the_newest_is_still_a_new_row(one: Bench) -> None:
    file = one.file("DF04", 0xEF15)
    writer = one.present()
    writer.write(writer.row(file, (1, "1")))
    again = writer.row(file, (1, "1"))
    assert writer.resume(again) is WriteState.NOT_WRITTEN
    writer.write(again)
    assert writer.resume(again) is WriteState.WRITTEN
    assert len(read_file(one.card, file, one.sam).raw) == 2


def test_a_file_full_of_equal_rows_takes_another(one: Bench) -> None:
    file = one.file("DF04", 0xEF15)
    writer = one.present()
    for _ in range(9):
        writer.write(writer.row(file, (1, "1")))
    assert len(read_file(one.card, file, one.sam).raw) == 8


def test_rows_that_somebody_else_wrote_are_neither(one: Bench) -> None:
    file = one.file("DF04", 0xEF15)
    writer = one.present()
    intention = writer.row(file, (1, "1"))
    writer.write(writer.row(file, (2, "1")))
    assert writer.resume(intention) is WriteState.REWRITE


def test_records_that_share_a_tag_are_written_by_their_number(one: Bench) -> None:
    file = one.file("DF01", 0xEF15)
    writer = one.present()
    second = writer.record(file, 0x40, ["201", "080901", "样本大学"], instance=2)
    assert second.number == 3
    writer.write(second)
    content = read_file(one.card, file, one.sam)
    inside = content.value(0x40, 2)
    assert inside is not None
    assert isinstance(inside.value, tuple)
    assert inside.value[2].value.value == "样本大学"
    first = content.value(0x40, 1)
    assert first is not None
    assert isinstance(first.value, tuple)
    assert first.value[2].value.value != "样本大学"


def test_a_record_that_is_missing_is_appended(one: Bench) -> None:
    profile = replace(one.profile, files={**one.profile.files, "DF01EF09": {"32": None}})
    user = bench(profile)
    writer = user.present()
    file = user.file("DF01", 0xEF09)
    missing = writer.record(file, 0x32, "01")
    assert missing.before is None
    writer.write(missing)
    assert writer.resume(missing) is WriteState.WRITTEN


def test_a_new_record_goes_behind_the_last(one: Bench) -> None:
    profile = replace(one.profile, files={**one.profile.files, "DF01EF09": {"32": None}})
    user = bench(profile)
    writer = user.present()
    new = writer.new_record(user.file("DF01", 0xEF09), 0x32, "01")
    assert new.number == 3
    writer.write(new)
    assert writer.resume(new) is WriteState.WRITTEN


def test_a_full_file_takes_no_more(one: Bench) -> None:
    writer = one.present()
    file = one.file("DF01", 0xEF09)
    with pytest.raises(FileFull):
        writer.write(writer.new_record(file, 0x2E, "示例单位"))


# Values are bounded before anything is sent


@pytest.mark.parametrize(
    ("make", "error", "names"),
    [
        (lambda w, f: w.record(f("DF01", 0xEF08), 0x2B, "12"), ValueTooLong, "2B"),
        (lambda w, f: w.record(f("DF01", 0xEF08), 0x77, "1"), IllegalValue, "77"),
        (lambda w, f: w.record(f("DF01", 0xEF08), 0x2B, "1", instance=2), IllegalValue, "2B"),
        (lambda w, f: w.record(f("SSSE", 0xEF05), 0x06, "soon"), IllegalValue, "06"),
        (lambda w, f: w.record(f("DF04", 0xEF15), 0x00, "1"), IllegalValue, "DF04EF15"),
        (lambda w, f: w.row(f("DF04", 0xEF15), (1,)), IllegalValue, "2 values"),
        (lambda w, f: w.row(f("DF04", 0xEF15), (70000, "1")), IllegalValue, "Number"),
        (lambda w, f: w.row(f("DF01", 0xEF08), (1,)), IllegalValue, "DF01EF08"),
        (lambda w, f: w.content(f("SSSE", 0xEF08), b"", 0), IllegalValue, "SSSEEF08"),
        (lambda w, f: w.content(f("SSSE", 0xEF08), b"1", -1), IllegalValue, "SSSEEF08"),
        (lambda w, f: w.content(f("SSSE", 0xEF08), bytes(4097)), ValueTooLong, "SSSEEF08"),
    ],
)
def test_values_that_do_not_fit_name_their_item(
    one: Bench,
    make: Callable[[CardWriter, Callable[[str, int], EfSpec]], object],
    error: type[Exception],
    names: str,
) -> None:
    writer = one.present()
    before = one.chip.memory.byte_writes
    with pytest.raises(error, match=names):
        make(writer, one.file)
    assert one.chip.memory.byte_writes == before


# Who may write


def test_nobody_writes_the_log_of_the_account(one: Bench) -> None:
    writer = one.present()
    values = (1, "2", "990100000001", "20260101000000", 1, 2, 3)
    with pytest.raises(NotWritable):
        writer.row(one.file("DF04", 0xEF08), values)


def test_a_module_without_the_key_cannot_write(one: Bench) -> None:
    keys: dict[KeyName, bytes] = {
        key: root for key, root in DEVELOPMENT_KEYS.items() if key is not KeyName.UK3DF01
    }
    writer = one.present()
    writer = one.writer(one.card, SoftwareSam(keys, Random(1).randbytes))
    with pytest.raises(KeyNotAvailable):
        writer.write(by_tag(one, writer))


def test_a_card_that_refuses_the_key_is_not_written(one: Bench) -> None:
    wrong = {**DEVELOPMENT_KEYS, KeyName.UK3DF01: bytes(16)}
    writer = one.present()
    writer = one.writer(one.card, SoftwareSam(wrong, Random(1).randbytes))
    intention = by_tag(one, writer)
    with pytest.raises(KeyRefused):
        writer.write(intention)
    assert writer.resume(intention) is WriteState.NOT_WRITTEN


def test_a_card_that_is_not_genuine_is_not_written() -> None:
    user = bench(load_profile("forged"))
    writer = user.present()
    with pytest.raises(NotAuthentic):
        writer.write(by_tag(user, writer))


def test_what_cannot_be_read_back_is_not_written(one: Bench) -> None:
    one.present()
    writer = CardWriter(one.card, one.sam)
    with pytest.raises(PinNeeded):
        writer.record(one.file("DF04", 0xEF06), 0x90, "1")


def test_keys_whose_number_is_not_published_open_nothing(one: Bench) -> None:
    writer = one.present()
    with pytest.raises(KeyNotAvailable):
        writer.content(one.file("DF01", 0xEF16), b"\x00")


def test_secure_messaging_with_a_wrong_message_key_writes_nothing(one: Bench) -> None:
    one.present()
    wrong = SoftwareSam({**DEVELOPMENT_KEYS, KeyName.STKDF01: bytes(16)}, Random(1).randbytes)
    writer = CardWriter(one.card, one.sam, secured=wrong)
    intention = by_tag(one, writer)
    with pytest.raises(MacRefused):
        writer.write(intention)
    assert writer.resume(intention) is WriteState.NOT_WRITTEN


def test_an_application_without_a_message_key_cannot_be_secured(one: Bench) -> None:
    one.present()
    writer = CardWriter(one.card, one.sam, pin_verified=True, secured=one.sam)
    file = replace(one.file("DF01", 0xEF08), df="DF06")
    with pytest.raises(KeyNotAvailable):
        writer._updates(file)


# Cards that answer something else


class Tampering(Layer):
    """Changes the card's answers."""

    def __init__(self, below: Any, change: Callable[[bytes, bytes], bytes]) -> None:  # noqa: ANN401  # a connection
        super().__init__(below)
        self._change = change

    def transmit(self, command: bytes) -> bytes:
        return self._change(command, super().transmit(command))


def tampered(user: Bench, change: Callable[[bytes, bytes], bytes]) -> CardWriter:
    connection = stack(InProcessReader("reader", user.chip).connect())
    return user.writer(SocialSecurityCard.select(CardChannel(Tampering(connection, change))))


def test_a_write_that_does_not_read_back_is_told(one: Bench) -> None:
    def stuck(command: bytes, answer: bytes) -> bytes:
        return bytes.fromhex("2B01319000") if command[1] == 0xB2 and command[2] == 0x2B else answer

    writer = tampered(one, stuck)
    with pytest.raises(WriteNotConfirmed):
        writer.write(by_tag(one, writer))

    def blank(command: bytes, answer: bytes) -> bytes:
        return bytes(len(answer) - 2) + b"\x90\x00" if command[1] == 0xB0 else answer

    writer = tampered(one, blank)
    with pytest.raises(WriteNotConfirmed):
        writer.write(content(one, writer))


@pytest.mark.parametrize("answer", ["6581", "90"])
def test_a_failing_memory_or_line_leaves_it_open(one: Bench, answer: str) -> None:
    def failing(command: bytes, given: bytes) -> bytes:
        return bytes.fromhex(answer) if command[1] == 0xDC else given

    writer = tampered(one, failing)
    with pytest.raises(WriteUncertain) as caught:
        writer.write(by_tag(one, writer))
    assert holds(one, caught.value.intention)


def test_any_other_status_word_is_told_as_it_is(one: Bench) -> None:
    def refusing(command: bytes, given: bytes) -> bytes:
        return bytes.fromhex("6A85") if command[1] == 0xDC else given

    writer = tampered(one, refusing)
    with pytest.raises(StatusError, match="6A85"):
        writer.write(by_tag(one, writer))


def test_another_record_at_the_number_is_not_overwritten(one: Bench) -> None:
    profile = replace(one.profile, files={**one.profile.files, "DF01EF09": {"2E": None}})
    user = bench(profile)
    writer = user.present()
    with pytest.raises(MalformedData):
        writer.record(user.file("DF01", 0xEF09), 0x2E, "示例单位", by_number=True)


def test_a_card_that_reads_back_nothing_is_malformed(one: Bench) -> None:
    def silent(command: bytes, answer: bytes) -> bytes:
        return b"\x90\x00" if command[1] == 0xB0 else answer

    writer = tampered(one, silent)
    intention = content(one, writer)
    with pytest.raises(MalformedApdu):
        writer.resume(intention)


# Cards that leave


def test_another_card_is_not_taken_for_the_first(one: Bench) -> None:
    intention = by_tag(one, one.present())
    other = bench(replacement(one.profile, issued=one.profile.card.issued))
    writer = other.present()
    with pytest.raises(AnotherCard):
        writer.write(intention)
    with pytest.raises(AnotherCard):
        resume_write(other.card, intention, other.sam)


def test_a_new_card_number_does_not_make_it_another_card(one: Bench) -> None:
    writer = one.present()
    intention = writer.record(one.file("SSSE", 0xEF05), 0x07, "Z00000001")
    writer.write(intention)
    one.present()
    assert resume_write(one.card, intention, one.sam) is WriteState.WRITTEN


@pytest.mark.parametrize("name", WRITES)
def test_torn_at_any_write_the_card_holds_the_old_or_the_new(
    profile: CardProfile,
    secured: bool,
    name: str,
) -> None:
    """Facts 7.5: pull the card after every byte; the same card then tells which of the two."""
    user = bench(profile, secured=secured)
    if name not in kinds(user):
        return
    make = kinds(user)[name]
    writer = user.present()
    intention = make(user, writer)
    clean = user.chip.memory.content
    start = user.chip.memory.byte_writes
    writer.write(intention)
    writes = user.chip.memory.byte_writes - start
    assert writes > 0
    seen = set()
    for fuse in {*range(0, writes, 1 if writes < 200 else 7), writes}:
        user.chip.memory.replace_content(clean)
        writer = user.present()
        intention = make(user, writer)
        user.chip.memory.tear_after(fuse)
        with pytest.raises((WriteUncertain, CardRemoved)):
            writer.write(intention)
        writer = user.present()
        state = writer.resume(intention)
        seen.add(state)
        if state is not WriteState.WRITTEN:
            writer.write(intention)
        assert holds(user, intention)
    not_written = WriteState.REWRITE if name == "bytes" else WriteState.NOT_WRITTEN
    assert seen == {WriteState.WRITTEN, not_written}


def test_a_photograph_torn_between_its_parts_is_written_again(one: Bench) -> None:
    data = bytes(Random(5).randbytes(1000))
    file = one.file("SSSE", 0xEF08)
    writer = one.present()
    intention = writer.content(file, data)
    one.chip.memory.tear_after(1500)
    parts: list[int] = []
    with pytest.raises(WriteUncertain) as caught:
        writer.write(intention, progress=lambda done, _total: parts.append(done))
    assert parts == [255, 510]
    writer = one.present()
    assert writer.resume(caught.value.intention) is WriteState.REWRITE
    writer.write(caught.value.intention)
    assert holds(one, intention)


def test_intentions_keep_values_out_of_their_repr(one: Bench) -> None:
    writer = one.present()
    intention = writer.record(one.file("SSSE", 0xEF06), 0x09, "李四")
    assert "李四" not in repr(intention)
    assert repr("李四".encode("gbk"))[2:-1] not in repr(intention)
