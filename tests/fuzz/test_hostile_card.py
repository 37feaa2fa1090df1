"""Hostile answers into the reader side: bounded work, and nothing but errors of the card family.

Two kinds of hostile chip. One answers from arbitrary bytes alone. The other is a real card in the
simulator whose answers are twisted on the way, so that the reader gets far before it is fooled: cut
off, too long, other tags and lengths, nested TLV, foreign status words, 61xx without end, 6Cxx
again and again. SSCT_FUZZ_EXAMPLES sets how many chips each test meets.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from random import Random

import pytest
from hypothesis import given, settings, target
from hypothesis import strategies as st

from apdu.channel import CardChannel
from apdu.layers import MAX_ROUNDS, stack
from apdu.pin import Pin
from apdu.readers.inprocess import Chip, InProcessReader
from apdu.sam import KeyName, SoftwareSam
from apdu.secure import SecureMessaging
from apdu.ssc.account import MedicalAccount
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.dump import dump
from apdu.ssc.jobs import Job, read_job
from apdu.ssc.photo import read_photo
from apdu.ssc.transactions import Pending, PurchaseOrder
from apdu.ssc.values import SHANGHAI
from apdu.status import CardError
from simulator.card.card import Protocol, SimulatedCard
from simulator.card.profile import load_profile

EXAMPLES = int(os.environ.get("SSCT_FUZZ_EXAMPLES", "150"))
MOST_COMMANDS = 21 * MAX_ROUNDS
"""For a whole visit of some dozen steps, each of which ends at the first answer without end."""

AT = datetime(2026, 3, 10, 9, 0, tzinfo=SHANGHAI)
OK = b"\x90\x00"
SAM = SoftwareSam.development(Random(1).randbytes)

Twist = Callable[[bytes], bytes]


# What is done to an answer. Each is a value, so that a failing example prints as what it is.


@dataclass(frozen=True)
class Honest:
    """As the card said it."""

    def __call__(self, answer: bytes) -> bytes:
        return answer


@dataclass(frozen=True)
class Cut:
    """The first bytes only."""

    keep: int

    def __call__(self, answer: bytes) -> bytes:
        return answer[: self.keep]


@dataclass(frozen=True)
class CutData:
    """Fewer data, the status word kept."""

    keep: int

    def __call__(self, answer: bytes) -> bytes:
        return answer[:-2][: self.keep] + answer[-2:]


@dataclass(frozen=True)
class Longer:
    """More data than there are."""

    more: bytes
    times: int

    def __call__(self, answer: bytes) -> bytes:
        return answer[:-2] + self.more * self.times + answer[-2:]


@dataclass(frozen=True)
class Changed:
    """One byte is another: a tag, a length, a value or the status word."""

    place: int
    value: int

    def __call__(self, answer: bytes) -> bytes:
        if not answer:
            return answer
        changed = bytearray(answer)
        changed[self.place % len(changed)] = self.value
        return bytes(changed)


@dataclass(frozen=True)
class Word:
    """Another status word, with the data or without."""

    sw: bytes
    with_data: bool

    def __call__(self, answer: bytes) -> bytes:
        return (answer[:-2] if self.with_data else b"") + self.sw


@dataclass(frozen=True)
class Instead:
    """Something else altogether."""

    data: bytes

    def __call__(self, answer: bytes) -> bytes:
        return self.data


def nested(tag: bytes, depth: int) -> bytes:
    """TLV in TLV in TLV."""
    data = b""
    for _ in range(depth):
        size = len(data)
        length = bytes((size,)) if size < 0x80 else b"\x82" + size.to_bytes(2, "big")
        data = tag + length + data
    return data + OK


BYTE = st.integers(0, 255)
WORDS = st.one_of(
    st.sampled_from([bytes.fromhex(word) for word in ("9000", "61FF", "6100", "6101", "6CFF")]),
    st.sampled_from([bytes.fromhex(word) for word in ("6C00", "6982", "6A82", "6A83", "9303")]),
    st.binary(min_size=2, max_size=2),
)
TWISTS: st.SearchStrategy[Twist] = st.one_of(
    st.just(Honest()),
    st.builds(Cut, st.integers(0, 12)),
    st.builds(CutData, st.integers(0, 300)),
    st.builds(Longer, st.binary(min_size=1, max_size=4), st.integers(1, 200)),
    st.builds(Changed, st.integers(0, 300), BYTE),
    st.builds(Word, WORDS, st.booleans()),
    st.builds(Instead, st.binary(max_size=300)),
    st.builds(Instead, st.builds(lambda data: data + OK, st.binary(max_size=300))),
    st.builds(
        Instead,
        st.builds(nested, st.sampled_from([b"\x6f", b"\xa5", b"\x9f\x0c"]), st.integers(1, 90)),
    ),
)


class Hostile:
    """A chip whose answers to reset and to commands are twisted, in turn and for ever."""

    def __init__(self, card: Chip, honest: int, twists: list[Twist], atr: Twist) -> None:
        self._card = card
        self._honest = honest
        self._twists = twists
        self._atr = atr
        self.commands = 0

    def power_on(self) -> bytes:
        return self._atr(self._card.power_on())

    def power_off(self) -> None:
        self._card.power_off()

    def transmit(self, command: bytes) -> bytes:
        answer = self._card.transmit(command)
        self.commands += 1
        turn = self.commands - self._honest
        return answer if turn <= 0 else self._twists[turn % len(self._twists)](answer)


class FromBytes:
    """A chip that knows nothing: it answers with what it was given, in turn and for ever."""

    def __init__(self, atr: bytes, answers: list[bytes]) -> None:
        self._atr = atr
        self._answers = answers
        self.commands = 0

    def power_on(self) -> bytes:
        return self._atr

    def power_off(self) -> None:
        pass

    def transmit(self, command: bytes) -> bytes:
        self.commands += 1
        return self._answers[self.commands % len(self._answers)]


def visit(chip: Hostile | FromBytes) -> None:
    """Everything a terminal does with a card; each step may fail in the known way only."""
    connection = stack(InProcessReader("slot", chip).connect())
    try:
        card = SocialSecurityCard.select(CardChannel(connection))
    except CardError:
        return
    secure = SecureMessaging(card.channel, card.identity, SAM, KeyName.STK)
    account = MedicalAccount(card)
    kept: list[Pending] = []
    steps: list[Callable[[], object]] = [
        lambda: card.authenticate(SAM),
        lambda: card.read_basic(SAM),
        card.read_holder,
        card.pin_tries_left,
        lambda: card.verify_pin(Pin("246810")),
        lambda: card.change_pin(Pin("246810"), Pin("135791")),
        lambda: read_job(card, Job.MEDICAL, SAM, Pin("246810")),
        lambda: read_job(card, Job.EVERYTHING, SAM, Pin("246810"), fingerprints=True),
        lambda: read_photo(card, SAM),
        lambda: dump(card, SAM, Pin("246810")),
        account.balance,
        account.records,
        account.starting_day,
        lambda: account.purchase(PurchaseOrder(100, AT), SAM, keep=kept.append),
        lambda: account.load(100, AT, SAM, keep=kept.append),
        lambda: [account.resolve(pending, SAM) for pending in kept],
        lambda: card.authorise(SAM, KeyName.UKSSSE),
        lambda: secure.update_record_by_tag(0x0A, b"\x0a\x011", sfi=0x06),
        card.channel.reset,
    ]
    for step in steps:
        with suppress(CardError):
            step()


def check_work(commands: int) -> None:
    target(float(commands), label="commands of a visit")
    assert commands <= MOST_COMMANDS


@pytest.mark.parametrize("protocol", ["T0", "TCL"])
@pytest.mark.parametrize("name", ["adult-1.0", "adult-2.0", "adult-3.0"])
@given(
    honest=st.integers(0, 60),
    twists=st.lists(TWISTS, min_size=1, max_size=8),
    atr=st.one_of(st.just(Honest()), TWISTS),
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_card_whose_answers_are_twisted(
    name: str, protocol: Protocol, honest: int, twists: list[Twist], atr: Twist
) -> None:
    card = SimulatedCard(load_profile(name), random=Random(2).randbytes, protocol=protocol)
    chip = Hostile(card, honest, twists, atr)
    visit(chip)
    check_work(chip.commands)


@given(
    atr=st.one_of(
        st.binary(max_size=40), st.just(bytes.fromhex("3B6D00000081544C928699990100000001"))
    ),
    answers=st.lists(st.one_of(st.binary(max_size=300), WORDS), min_size=1, max_size=8),
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_chip_that_answers_anything(atr: bytes, answers: list[bytes]) -> None:
    chip = FromBytes(atr, answers)
    visit(chip)
    check_work(chip.commands)


@pytest.mark.parametrize(
    "endless", ["61FF", "6100", "6101", "6CFF", "6C00", "6C08", "00" * 60 + "6110"]
)
@pytest.mark.parametrize("honest", range(0, 24, 3))
def test_answers_without_end(endless: str, honest: int) -> None:
    """61xx and 6Cxx to everything, from some command on."""
    card = SimulatedCard(load_profile("adult-3.0"), random=Random(2).randbytes)
    chip = Hostile(card, honest, [Instead(bytes.fromhex(endless))], Honest())
    visit(chip)
    assert chip.commands <= MOST_COMMANDS
