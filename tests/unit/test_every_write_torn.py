"""Every operation that writes, torn at every byte it writes (facts 7.5, SPEC-7 14).

An operation is a series of commits. In an untorn run the memory is kept as it stands after each.
Then the power is cut after every single byte: the card must come back with its memory exactly as it
stood after one of the commits, or before the first. Where the operation is one commit, that is the
old state or the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from random import Random

import pytest

from apdu.crypto import (
    Load,
    Purchase,
    auth_data,
    load_session_key,
    purchase_session_key,
    secured_command,
    session_key,
)
from apdu.psam import PsamCard
from apdu.purchase import PurchaseRequest
from apdu.readers.inprocess import InProcessReader
from apdu.sam import CardIdentity
from apdu.ssc.keys import KeyName
from apdu.status import CardError, CardRemoved
from simulator.card.memory import Change, Memory, PowerLost
from simulator.card.profile import load_profile
from simulator.psam import PsamProfile, SimulatedPsam
from tests.unit.test_sim_card_security import RIGHT_PIN, WRONG_PIN, Desk

K = KeyName
TERMINAL, TIME = bytes.fromhex("990100000001"), bytes.fromhex("20260310093000")
DF04 = "00A4000002DF04"
Step = Callable[[Desk], object]


@dataclass(frozen=True)
class Operation:
    """What is torn, after what came before; `commits` is how many it makes."""

    prepare: Step
    run: Step
    commits: int = 1
    card: str = "adult-3.0"


def steps(*all_of: Step | str) -> Step:
    def run(desk: Desk) -> None:
        for step in all_of:
            assert desk.send(step) if isinstance(step, str) else step(desk)

    return run


def nothing(_: Desk) -> None:
    """Needs no preparation."""


def by(key: KeyName, *, spoil: bool = False) -> Step:
    return lambda desk: desk.authenticate(key, spoil=spoil)


def signed(key: KeyName, header: str, data: bytes = b"") -> Step:
    return lambda desk: desk.secured(key, header, data)


def sealed(key: KeyName, header: str, data: bytes) -> Step:
    """An UPDATE with a MAC over data that stay readable."""

    def send(desk: Desk) -> object:
        algorithm = desk.profile.card.algorithm
        session = session_key(algorithm, desk.key(key), desk.challenge())
        command = secured_command(algorithm, session, bytes.fromhex(header), data)
        return desk.card.transmit(bytes(command))

    return send


def begin_purchase(desk: Desk) -> bytes:
    amounts = Purchase(100, 50, 20, TERMINAL, TIME).amounts
    return bytes.fromhex(desk.send("B02801011301" + amounts.hex() + TERMINAL.hex()))


def debit(desk: Desk) -> object:
    begun, algorithm = begin_purchase(desk), desk.profile.card.algorithm
    psam = bytes.fromhex("00000123")
    session = purchase_session_key(algorithm, desk.key(K.DPK), begun[18:22], begun[14:16], psam)
    mac1 = Purchase(100, 50, 20, TERMINAL, TIME).mac1(algorithm, session)
    return desk.send("B02C01000F" + (psam + TIME + mac1).hex())


def credit(desk: Desk) -> object:
    begun = bytes.fromhex(desk.send("B02800010B01000000FA" + TERMINAL.hex()))
    algorithm = desk.profile.card.algorithm
    session = load_session_key(algorithm, desk.key(K.DLK), begun[8:12], begun[4:6])
    mac2 = Load(int.from_bytes(begun[:4], "big"), 250, TERMINAL, TIME).mac2(algorithm, session)
    return desk.send("B02A00000B" + (TIME + mac2).hex())


def start_key(desk: Desk) -> object:
    """DSK, under the number that this card's issuer has given it."""
    challenge, algorithm = desk.challenge(), desk.profile.card.algorithm
    session = session_key(algorithm, desk.key(K.DSK), challenge)
    return desk.send("0082008E10" + (auth_data(algorithm, session, bytes(8)) + bytes(8)).hex())


ADDRESS = "21501234" + "31" * 78
OPERATIONS = {
    "VERIFY, wrong": Operation(nothing, steps(WRONG_PIN)),
    "VERIFY, right": Operation(nothing, steps(RIGHT_PIN), commits=2),
    "CHANGE PIN": Operation(nothing, steps("805E010007246810FF135790"), commits=2),
    "CHANGE PIN, none afterwards": Operation(nothing, steps("805E010004246810FF"), commits=2),
    "CHANGE PIN, wrong": Operation(nothing, steps("805E010007999999FF135790")),
    "PIN UNBLOCK": Operation(steps(WRONG_PIN, by(K.PUK)), signed(K.STK, "84240000")),
    "PIN RELOAD": Operation(
        steps(WRONG_PIN, by(K.PUK)), signed(K.STK, "84240001", bytes.fromhex("97531086"))
    ),
    "EXTERNAL AUTHENTICATE, right": Operation(nothing, by(K.UKSSSE), commits=2),
    "EXTERNAL AUTHENTICATE, wrong": Operation(nothing, by(K.UKSSSE, spoil=True)),
    "UPDATE RECORD, by tag": Operation(by(K.UKSSSE), steps("00DC052806050420240102")),
    "UPDATE RECORD, by number": Operation(by(K.UKSSSE), steps("00DC052C06050420240102")),
    "UPDATE RECORD, longer": Operation(
        steps("00A4000002DF01", by(K.UK1DF01)), steps("00DC212852" + ADDRESS)
    ),
    "UPDATE RECORD, shorter": Operation(by(K.UKSSSE), steps("00DC0228020200")),
    "UPDATE RECORD, appended": Operation(
        steps(by(K.UKSSSE), "00DC07280707054139393031"), steps("00DC192803190132")
    ),
    "UPDATE RECORD, a row": Operation(steps(DF04, by(K.UK2DF04)), steps("00DC00AB03000131")),
    "UPDATE RECORD, with a MAC": Operation(
        by(K.UKSSSE), sealed(K.STK, "04DC0528", bytes.fromhex("050420240102"))
    ),
    "UPDATE BINARY": Operation(by(K.UKSSSE), steps("00D6880028" + "A5" * 40)),
    "UPDATE BINARY, with a MAC": Operation(by(K.UKSSSE), sealed(K.STK, "04D68810", b"\x5a" * 24)),
    "APPLICATION BLOCK": Operation(by(K.BK), signed(K.STK, "841E0001")),
    "APPLICATION BLOCK, DF04": Operation(steps(DF04, by(K.LKDF04)), signed(K.STKDF04, "841E0001")),
    "CARD BLOCK": Operation(by(K.BK), signed(K.STK, "84160000")),
    "DEBIT FOR PURCHASE": Operation(steps(RIGHT_PIN, DF04), debit),
    "CREDIT FOR LOAD": Operation(steps(RIGHT_PIN, DF04), credit),
    "UPDATE STARTING DAY": Operation(steps("00A4000002DF04", start_key), steps("B0560000020229")),
    "DEBIT, an old card": Operation(steps("0020000003975310", DF04), debit, card="adult-1.0"),
}


class Bench:
    """One card on which an operation is made again and again, from the same beginning.

    Its challenges are always the same, for what is written may depend on them.
    """

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        account = load_profile(operation.card).medical_account
        self.desk = Desk(operation.card, medical_account=replace(account, starting_day_key="8E"))
        self.memory = self.desk.card.memory
        self.desk.card._system.random = lambda length: b"\x5a" * length
        self._fresh = self.memory.content

    def prepare(self) -> None:
        """The card as it was issued, powered, with what must come before the operation."""
        self.memory.replace_content(self._fresh)
        self.desk.restart()
        self._operation.prepare(self.desk)

    def run(self) -> int:
        """The operation, untorn; how many bytes it wrote."""
        before = self.memory.byte_writes
        self._operation.run(self.desk)
        return self.memory.byte_writes - before

    def tear(self, fuse: int) -> None:
        """The operation, the power cut after so many bytes."""
        self.memory.tear_after(fuse)
        with pytest.raises(CardRemoved):
            self._operation.run(self.desk)
        self.desk.card.power_off()


def states_of(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> tuple[list[bytes], int]:
    """How the memory stands before the operation and after each of its commits; bytes written."""
    states = [bench.memory.content]
    commit = Memory.commit

    def watched(memory: Memory, changes: Iterable[Change]) -> None:
        commit(memory, changes)
        states.append(memory.content)

    with monkeypatch.context() as patch:
        patch.setattr(Memory, "commit", watched)
        total = bench.run()
    return states, total


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_card_comes_back_as_it_stood_between_two_commits(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(OPERATIONS[name])
    bench.prepare()
    states, total = states_of(bench, monkeypatch)
    assert len(states) == 1 + OPERATIONS[name].commits
    seen = set()
    for fuse in range(total + 1):
        bench.prepare()
        assert bench.memory.content == states[0]
        bench.tear(fuse)
        bench.desk.card.power_on()
        assert bench.memory.content in states, f"torn after {fuse} bytes"
        seen.add(bench.memory.content)
    assert seen == set(states)


@pytest.mark.parametrize("name", ["UPDATE RECORD, longer", "DEBIT FOR PURCHASE", "PIN RELOAD"])
def test_torn_again_at_every_byte_while_it_restores_itself(name: str) -> None:
    bench = Bench(OPERATIONS[name])
    bench.prepare()
    old = bench.memory.content
    total = bench.run()
    bench.prepare()
    bench.tear(total - 2)
    assert bench.memory.content != old  # half written
    before = bench.memory.byte_writes
    bench.desk.card.power_on()
    restoring = bench.memory.byte_writes - before
    assert restoring
    assert bench.memory.content == old
    for fuse in range(restoring):
        bench.prepare()
        bench.tear(total - 2)
        bench.memory.tear_after(fuse)
        with pytest.raises(CardRemoved):
            bench.desk.card.power_on()
        bench.desk.card.power_on()
        assert bench.memory.content == old


def test_the_counter_of_a_psam_is_old_or_new() -> None:
    card = load_profile("adult-3.0").card
    identity = CardIdentity(card.algorithm, card.card_id, card.historical)
    request = PurchaseRequest(
        Purchase(0, 1, 0, TERMINAL, TIME), bytes.fromhex("C0FFEE01"), b"\x00\x07"
    )

    def permit(chip: SimulatedPsam) -> None:
        PsamCard.open(InProcessReader("slot", chip)).permit_purchase(identity, request)

    chip = SimulatedPsam(PsamProfile(), random=Random(3).randbytes)
    old = chip.memory.content
    permit(chip)
    total, new = chip.memory.byte_writes, chip.memory.content
    assert total
    assert old != new
    outcomes = set()
    for fuse in range(total + 1):
        chip = SimulatedPsam(PsamProfile(), random=Random(3).randbytes)
        chip.memory.tear_after(fuse)
        with pytest.raises((CardError, PowerLost)):
            permit(chip)
        chip.power_on()
        outcomes.add(chip.memory.content)
    assert outcomes == {old, new}
