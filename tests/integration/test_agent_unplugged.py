"""Reader or service go away at every command of a visit, none of them sampled; and come back.

Each visit is played once for every command it takes and every way to go: the reader unplugged
before the card has the command, or after it has carried it out, and pcscd killed while the card
carries it out. The caller is told what may be tried again, the next caller is served, and a debit
that is asked for again is made once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulator.card.profile import load_profile
from simulator.pcscd import PrivatePcscd
from simulator.virtual_reader import VirtualReader
from terminal.agent.client import AgentProblem
from terminal.agent.readers import PcscReaders
from tests.integration.cable import Cable
from tests.integration.test_agent_resilience import GONE, PIN, Place, chip
from tests.unit.agent_bench import agent_bench, until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

ADULT = load_profile("adult-3.0")
INFO = f"{ADULT.card.card_id.hex().upper()}|{ADULT.card.number}|"
TOLD = GONE | {"AGENT_READER_TAKEN", "READER_BUSY"}
"""What a caller may be told, that of the session before it included."""

GONE_CODES = {-2, -4, -11}
"""The same of LD/T 33: no card, no answer, reader error."""

FEWEST, LONGEST = 5, 200
"""Commands that a visit takes at least; after the most it would be taken for endless."""


@dataclass
class Counter:
    """A place whose reader hangs on a cable, at a service that can be killed."""

    place: Place
    cable: Cable
    service: PrivatePcscd

    def debits(self) -> int:
        """How many the card has made."""
        counted: list[int] = []

        def read() -> bool:
            try:
                with self.place.bench.client.session(wait=2) as card:
                    card.verify_pin(PIN)
                    records = card.account()["records"]
            except AgentProblem as problem:
                if problem.code not in TOLD:
                    raise
                return False
            counted.append(max((one["sequence"] for one in records), default=-1))
            return True

        assert until(read)
        return counted[0]


@pytest.fixture
def counter(real_pcscd: PrivatePcscd, tmp_path: Path) -> Iterator[Counter]:
    cable = Cable()
    with (
        VirtualReader(real_pcscd.ports[0]) as panel,
        agent_bench(
            tmp_path, readers=PcscReaders(scard=cable.scard), calls_per_minute=100_000
        ) as bench,
    ):
        place = Place(bench, lambda profile: panel.insert(chip(profile)), panel.remove)
        place.insert("adult-3.0")
        yield Counter(place, cable, real_pcscd)


# The visits: each says whether it came to its end


def a_read(at: Counter) -> bool:
    with at.place.bench.client.session(wait=2) as card:
        return bool(card.basic()["name"] == ADULT.holder.name)


def a_read_by_a_page(at: Counter) -> bool:
    with at.place.bench.client.ldt33() as functions:
        return _ended(functions.call("iReadCardBas", iType=3).code)


def a_debit(at: Counter) -> bool:
    with at.place.bench.client.session(wait=2) as card:
        card.verify_pin(PIN)
        return bool(card.debit(1)["tac"])


def a_debit_by_a_page(at: Counter) -> bool:
    pay = "0.02|0.01|20260102030405|"
    with at.place.bench.client.ldt33() as functions:
        return _ended(
            functions.call("iDoDebit", iType=3, pCardInfo=INFO, pPayInfo=pay, pins=[PIN]).code
        )


def _ended(code: int) -> bool:
    assert code == 0 or code in GONE_CODES, code
    return code == 0


READS = (a_read, a_read_by_a_page)
DEBITS = (a_debit, a_debit_by_a_page)


# What goes away, and how it comes back


def unplugged_before(at: Counter, number: int) -> None:
    at.cable.trip(number, at.cable.pull, after=False)


def unplugged_after(at: Counter, number: int) -> None:
    at.cable.trip(number, at.cable.pull, after=True)


def service_killed(at: Counter, number: int) -> None:
    at.cable.trip(number, at.service.kill, after=True)


WAYS = (unplugged_before, unplugged_after, service_killed)


def back(at: Counter, way: Callable[[Counter, int], None]) -> None:
    if way is service_killed:
        at.service.start()
    else:
        at.cable.plug()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("visit", READS + DEBITS)
def test_at_any_command(
    visit: Callable[[Counter], bool], way: Callable[[Counter, int], None], counter: Counter
) -> None:
    debits = counter.debits()  # with it the next caller is served
    for number in range(LONGEST):
        way(counter, number)
        ended = _tried(visit, counter)
        if counter.cable.disarm():
            break
        back(counter, way)
        assert ended or until(lambda: _tried(visit, counter)), f"not served after command {number}"
        debits += visit in DEBITS
        assert counter.debits() == debits, f"not debited once at command {number}"
    assert number == counter.cable.commands, "the last round was not disturbed"
    assert number > FEWEST
    counter.place.remove()
    counter.place.insert("child")
    assert until(lambda: counter.place.served("child"))


def _tried(visit: Callable[[Counter], bool], at: Counter) -> bool:
    try:
        return visit(at)
    except AgentProblem as problem:
        if problem.code not in TOLD | {"ACCOUNT_TRANSACTION_UNCERTAIN"}:
            raise
        return False
