"""Every record and every field of every file, on both sides (facts 3.2, 3.6, 3.7, 6.3).

The published tables stand in `test_files`, written down a second time. Each item gets a value of
its type and full length; the bytes that it must make are put together here, from type and length
alone, without the project's own encoder. The simulated card must hold exactly these bytes, and the
terminal must read and write them back as the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeAlias

import pytest

from apdu.channel import CardChannel
from apdu.layers import stack
from apdu.pin import Pin
from apdu.readers.inprocess import InProcessReader
from apdu.sam import SoftwareSam
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.driver import Devices, Driver, PinPrompt, always
from apdu.ssc.files import file_map
from apdu.ssc.filespec import Rule
from simulator.card.card import SimulatedCard
from simulator.card.contents import records, rows
from simulator.card.profile import CardProfile, load_profile
from tests.unit.test_files import V1, V2, _lines

Sample: TypeAlias = Any
"""A value as a profile writes it: text, digits, raw bytes as {"hex": ...}, or these by tag."""

CARDS = {"1.0": V1, "2.0": V2, "3.0": V2}
PIN = "246810"

_RECORD = re.compile(r"(--|[0-9A-F]{2})(an|cn|b-tlv|b)([0-9A-F]+?)(?:\*(\d)\(([^)]*)\))?(?= |$)")
_DIGITS = {1: "21", 2: "2021", 3: "202103", 4: "20210315", 6: "990100000042", 7: "20210315040506"}
_OTHER_DIGITS = {1: "31", 2: "2022", 3: "202204", 4: "20220416", 6: "990100000043"}


@dataclass(frozen=True)
class Published:
    """One record of the published table: `tag` is empty for a field of a cyclic file."""

    tag: str
    kind: str
    length: int
    times: int
    inside: tuple[Published, ...]

    def value(self, other: bool) -> Sample:
        """A value of full length, as a profile and the address language write it."""
        if self.kind == "b-tlv":
            return {item.tag: item.value(other) for item in self.inside}
        if self.kind == "cn":
            digits = _OTHER_DIGITS if other else _DIGITS
            return digits.get(self.length) or ("7" if other else "8") * (2 * self.length)
        if self.kind == "an":
            return ("987654321" if other else "123456789") * self.length
        return {"hex": ("5A" if other else "A5") * self.length}

    def cut(self, value: Sample) -> Sample:
        """The value as long as the item is."""
        if self.kind == "b-tlv":
            return {item.tag: item.cut(value[item.tag]) for item in self.inside}
        return value[: self.length] if self.kind == "an" else value

    def sample(self, *, other: bool = False) -> Sample:
        return self.cut(self.value(other))

    def encoded(self, value: Sample) -> bytes:
        """The bytes, put together from type and length."""
        if self.kind == "b-tlv":
            content = b"".join(item.encoded(value[item.tag]) for item in self.inside)
        elif self.kind == "an":
            content = value.encode("ascii")
        else:
            content = bytes.fromhex(value["hex"] if self.kind == "b" else value)
        assert len(content) == self.length
        return bytes.fromhex(self.tag) + bytes((self.length,)) + content if self.tag else content

    def text(self, value: Sample) -> str:
        """The value in the strings of LD/T 33."""
        if self.kind == "b-tlv":
            return "^".join(item.text(value[item.tag]) for item in self.inside)
        return str(value["hex"] if self.kind == "b" else value)


def parse(layout: str) -> tuple[Published, ...]:
    """The records of a file, from its line in the published table."""
    made = []
    for tag, kind, length, times, inside in _RECORD.findall(layout):
        sub = parse(inside) if inside else ()
        name = "" if tag == "--" else tag
        made.append(Published(name, kind, int(length, 16), int(times or 1), sub))
    assert " ".join(layout.split()).count("*") == sum(bool(one.inside) for one in made)
    return tuple(made)


def published(version: str) -> Iterator[tuple[str, tuple[Published, ...]]]:
    for address, row in _lines(CARDS[version]).items():
        yield address, parse(row.partition(";")[0].strip())


APART = {
    *("SSSEEF05", "SSSEEF07", "SSSEEF08", "DF04EF08"),
    *(f"DF01EF{number}" for number in ("16", "17", "18", "19", "1A")),
}
FILES = [
    pytest.param(version, address, items, id=f"{version}-{address}")
    for version in CARDS
    for address, items in published(version)
    if address not in APART
]
"""Without EF05, which makes the card what it is, the transparent files, and the card's own log."""


class OnePin:
    def read_pin(self, prompt: PinPrompt) -> Pin:
        return Pin(PIN)


def profile_with(version: str, address: str, items: tuple[Published, ...]) -> CardProfile:
    """A card that holds the sample of every item of one file."""
    if items[0].tag:
        content: Sample = {
            item.tag: [item.sample() for _ in range(item.times)]
            if item.times > 1
            else item.sample()
            for item in items
        }
    else:
        content = [[item.sample() for item in items]]
    profile = load_profile(f"adult-{version}")
    assert profile.pin is not None
    pin = replace(profile.pin, value=PIN)
    return replace(profile, pin=pin, files={address: content})


def expected_bytes(items: tuple[Published, ...], *, other: bool = False) -> list[bytes]:
    made = [item.encoded(item.sample(other=other)) for item in items for _ in range(item.times)]
    return made if items[0].tag else [b"".join(made)]


def openable(version: str, address: str, *, write: bool = False) -> bool:
    """Whether the number of the key that the file wants is published."""
    file = file_map(version)[address[:4], int(address[4:], 16)]
    access = file.write if write else file.read
    if access.rule is Rule.NEVER:
        return False
    return access.key is None or access.key.card_id is not None


def point(profile: CardProfile) -> tuple[Driver, InProcessReader, str]:
    chip = SimulatedCard(profile, random=Random(1).randbytes)
    reader = InProcessReader("slot", chip)
    sam = SoftwareSam.development(Random(2).randbytes)
    driver = Driver(Devices((reader,), Random(3).randbytes, always(sam), OnePin()))
    card = profile.card
    return driver, reader, f"{card.card_id.hex()}|{card.number}|"


def addressed(
    address: str, items: tuple[Published, ...], *, other: bool = False
) -> tuple[str, str]:
    """The file address of all items, and the string with their values."""
    if not items[0].tag:
        texts = "".join(f"{item.text(item.sample(other=other))}^" for item in items)
        return f"{address}$", f"{address}|{texts}|$"
    tags, values = "", ""
    for item in items:
        for number in range(1, item.times + 1):
            tags += f"{item.tag}:{number}|" if item.times > 1 else f"{item.tag}|"
            values += f"{item.text(item.sample(other=other))}|"
    return f"{address}|{tags}$", f"{address}|{values}$"


@pytest.mark.parametrize(("version", "address", "items"), FILES)
def test_the_card_holds_the_published_bytes(
    version: str, address: str, items: tuple[Published, ...]
) -> None:
    profile = profile_with(version, address, items)
    spec = file_map(version)[address[:4], int(address[4:], 16)]
    made = records(profile, spec) if items[0].tag else rows(profile, spec)
    assert made == expected_bytes(items)


@pytest.mark.parametrize(("version", "address", "items"), FILES)
def test_the_terminal_reads_every_item(
    version: str, address: str, items: tuple[Published, ...]
) -> None:
    driver, _, info = point(profile_with(version, address, items))
    question, answer = addressed(address, items)
    result = driver.read_card(3, 1, info, question)
    if openable(version, address):
        assert (result.code, result.out) == (0, answer)
    else:
        assert result.code == -27272


@pytest.mark.parametrize(("version", "address", "items"), FILES)
def test_the_terminal_writes_every_item(
    version: str, address: str, items: tuple[Published, ...]
) -> None:
    profile = replace(profile_with(version, address, items), files={})
    driver, reader, info = point(profile)
    question, data = addressed(address, items, other=True)
    result = driver.write_card(3, info, question, data)
    if not openable(version, address, write=True):
        assert result.code == -27272
        return
    assert (result.code, result.out) == (0, "")
    assert raw_records(reader, version, address) == b"".join(expected_bytes(items, other=True))


def raw_records(reader: InProcessReader, version: str, address: str) -> bytes:
    """What the file holds, in the card's bytes."""
    connection = reader.connect()
    card = SocialSecurityCard.select(CardChannel(stack(connection)))
    file = file_map(version)[address[:4], int(address[4:], 16)]
    card.verify_pin(Pin(PIN))
    if file.read.key is not None:
        card.authorise(SoftwareSam.development(Random(4).randbytes), file.read.key)
    card.enter(file.df)
    content = b""
    number = 1
    while True:
        response = connection.transmit(bytes((0, 0xB2, number, file.sfi << 3 | 4, 0)))
        if response[-2] == 0x6C:
            command = bytes((0, 0xB2, number, file.sfi << 3 | 4, response[-1]))
            response = connection.transmit(command)
        if response[-2:] != b"\x90\x00":
            assert response == b"\x6a\x83"
            connection.close()
            return content
        content += response[:-2]
        number += 1
