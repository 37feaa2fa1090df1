"""One card presence: opened in order, facts told, the reader always given back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from random import Random

import pytest

from apdu.readers.inprocess import InProcessReader
from apdu.sam import SoftwareSam
from apdu.status import (
    AlgorithmNotSupported,
    CardError,
    CardRemoved,
    NoCard,
    NotACard,
    NotAuthentic,
    ReaderBusy,
)
from apdu.trace import Trace
from simulator.card.card import SimulatedCard
from simulator.card.profile import BUILT_IN, load_profile
from terminal.session import CardSession

SAM = SoftwareSam.development(Random(7).randbytes)


def card(name: str) -> SimulatedCard:
    return SimulatedCard(load_profile(name), random=Random(5).randbytes)


def reader_with(chip: SimulatedCard) -> InProcessReader:
    return InProcessReader("test", chip)


@pytest.mark.article(4)
@pytest.mark.parametrize("name", [name for name in BUILT_IN if name != "forged"])
def test_a_genuine_card_tells_its_facts(name: str) -> None:
    data = load_profile(name).card
    with CardSession.open(reader_with(card(name)), SAM) as session:
        facts = session.facts
        assert facts.authentic
        assert facts.card_id == session.basic.card_id.hex()
        assert facts.card_number == data.number
        assert facts.region == "990100"
        assert facts.generation == name[-3:] if "." in name else facts.generation == "3.0"
        assert isinstance(facts.issued, date)
        assert session.basic.ssn == load_profile(name).holder.ssn
        session.still_here()


@pytest.mark.article(26)
def test_a_forged_card_is_a_fact_not_an_error() -> None:
    """Admission decides; of a card that proved nothing only what anybody may read is known."""
    reader = reader_with(card("forged"))
    with CardSession.open(reader, SAM) as session:
        assert not session.facts.authentic
        assert session.facts.card_number == "F99010063"
        assert len(session.facts.card_id) == 32
        assert session.basic.ssn == ""
        assert session.basic.name == ""
        with pytest.raises(NotAuthentic):
            session.still_here()


def test_the_reader_is_held_alone_and_given_back() -> None:
    reader = reader_with(card("adult-3.0"))
    with CardSession.open(reader, SAM), pytest.raises(ReaderBusy):
        CardSession.open(reader, SAM)
    session = CardSession.open(reader, SAM)
    session.close()
    session.close()
    CardSession.open(reader, SAM).close()


def test_no_card_and_a_card_that_is_not_one_of_ours() -> None:
    with pytest.raises(NoCard):
        CardSession.open(InProcessReader("test"), SAM)

    class Stranger:
        def power_on(self) -> bytes:
            return bytes.fromhex("3B6D00000081544C9286999901000000FF")

        def power_off(self) -> None:
            pass

        def transmit(self, _command: bytes) -> bytes:
            return bytes.fromhex("6A82")

    reader = InProcessReader("test", Stranger())
    for _ in range(2):
        with pytest.raises(NotACard):
            CardSession.open(reader, SAM)


def test_a_module_without_the_algorithm_is_an_error_not_a_verdict() -> None:
    """Not the card's fault: nobody is told that a genuine card is a forgery."""
    sam = SoftwareSam({}, Random(1).randbytes, algorithms=frozenset())
    with pytest.raises(AlgorithmNotSupported):
        CardSession.open(reader_with(card("adult-3.0")), sam)


class Pulled:
    """A card that somebody pulls right before its nth command."""

    def __init__(self, name: str, nth: int, pull: Callable[[], object]) -> None:
        self.inner = card(name)
        self.left = nth
        self.pull = pull

    def power_on(self) -> bytes:
        return self.inner.power_on()

    def power_off(self) -> None:
        self.inner.power_off()

    def transmit(self, command: bytes) -> bytes:
        if self.left == 0:
            self.pull()
        self.left -= 1
        return self.inner.transmit(command)


def commands_of_opening(name: str) -> int:
    counted = Pulled(name, 1000, lambda: None)
    CardSession.open(InProcessReader("test", counted), SAM).close()
    return 1000 - counted.left


@pytest.mark.parametrize("name", ["adult-1.0", "adult-2.0", "adult-3.0", "forged"])
def test_a_card_pulled_at_any_command_frees_the_reader_for_the_next(name: str) -> None:
    total = commands_of_opening(name)
    assert total >= 3
    for nth in range(total):
        reader = InProcessReader("test")
        reader.insert(Pulled(name, nth, reader.remove))
        with pytest.raises(CardRemoved):
            CardSession.open(reader, SAM)
        reader.insert(card("adult-3.0"))
        with CardSession.open(reader, SAM) as session:
            assert session.facts.authentic


class Garbled:
    """A card that answers random bytes from its nth command on."""

    def __init__(self, nth: int, seed: int) -> None:
        self.inner = card("adult-3.0")
        self.left = nth
        self.noise = Random(seed)

    def power_on(self) -> bytes:
        return self.inner.power_on()

    def power_off(self) -> None:
        self.inner.power_off()

    def transmit(self, command: bytes) -> bytes:
        self.left -= 1
        if self.left >= 0:
            return self.inner.transmit(command)
        return self.noise.randbytes(self.noise.randrange(0, 260))


@pytest.mark.parametrize("seed", range(20))
def test_garbage_at_any_command_is_a_card_error_or_no_proof(seed: int) -> None:
    for nth in range(commands_of_opening("adult-3.0")):
        reader = InProcessReader("test", Garbled(nth, seed))
        try:
            with CardSession.open(reader, SAM) as session:
                assert not session.facts.authentic
        except CardError:
            pass
        reader.remove()
        reader.insert(card("adult-2.0"))
        CardSession.open(reader, SAM).close()


def test_still_here_notices_that_the_card_left() -> None:
    reader = reader_with(card("adult-3.0"))
    with CardSession.open(reader, SAM) as session:
        reader.remove()
        with pytest.raises(CardRemoved):
            session.still_here()
        reader.insert(card("adult-2.0"))
        with pytest.raises(CardRemoved):
            session.still_here()


@pytest.mark.article(25)
def test_a_session_shows_nothing_personal() -> None:
    trace = Trace()
    with CardSession.open(reader_with(card("adult-3.0")), SAM, trace=trace) as session:
        holder = load_profile("adult-3.0").holder
        shown = repr(session)
        for secret in (holder.name, holder.ssn, session.facts.card_number, session.facts.card_id):
            assert secret not in shown
    assert str(trace)
