"""The in-process reader: presence, exclusive use, and removal from another thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event, Semaphore

import pytest

from apdu.connection import Connection, Reader
from apdu.readers.inprocess import InProcessReader
from apdu.status import CardRemoved, CardReset, NoAnswer, NoCard, ReaderBusy, ReaderError

ATR = bytes.fromhex("3B6D00000081544C92868499010000007B")
COMMAND = bytes.fromhex("0084000008")
PATIENCE = 30  # seconds until a wait that must end is called a hang


class Counter:
    """A chip that counts its commands since power-up and answers with the count."""

    def __init__(self) -> None:
        self.powered = False
        self.count = 0
        self.busy = False
        self.during: Callable[[], None] = lambda: None

    def power_on(self) -> bytes:
        self.powered = True
        self.count = 0
        return ATR

    def power_off(self) -> None:
        assert not self.busy or self.powered
        self.powered = False

    def transmit(self, command: bytes) -> bytes:
        assert self.powered
        assert not self.busy, "two threads in the chip"
        self.busy = True
        try:
            self.during()
        finally:
            self.busy = False
        self.count += 1
        return bytes((self.count & 0xFF,)) + b"\x90\x00"


def test_is_a_reader() -> None:
    reader: Reader = InProcessReader("panel", Counter())
    connection: Connection = reader.connect()
    assert reader.name == "panel"
    assert connection.atr == ATR
    assert connection.transmit(COMMAND) == b"\x01\x90\x00"
    assert connection.transmit(COMMAND) == b"\x02\x90\x00"


def test_no_card() -> None:
    with pytest.raises(NoCard):
        InProcessReader("panel").connect()


def test_one_card_at_a_time() -> None:
    reader = InProcessReader("panel")
    reader.insert(Counter())
    with pytest.raises(ReaderError):
        reader.insert(Counter())


def test_reset_starts_the_card_anew() -> None:
    connection = InProcessReader("panel", Counter()).connect()
    connection.transmit(COMMAND)
    assert connection.reset() == ATR
    assert connection.transmit(COMMAND) == b"\x01\x90\x00"


def test_close_powers_off_and_frees_the_reader() -> None:
    chip = Counter()
    reader = InProcessReader("panel", chip)
    connection = reader.connect()
    connection.close()
    connection.close()
    assert not chip.powered
    with pytest.raises(ReaderError):
        connection.transmit(COMMAND)
    assert reader.connect().transmit(COMMAND) == b"\x01\x90\x00"


# Exclusive and shared use


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
def test_exclusive_use(first: bool, second: bool) -> None:
    reader = InProcessReader("panel", Counter())
    reader.connect(exclusive=first)
    with pytest.raises(ReaderBusy):
        reader.connect(exclusive=second)


def test_shared_use() -> None:
    chip = Counter()
    reader = InProcessReader("panel", chip)
    one, two = reader.connect(exclusive=False), reader.connect(exclusive=False)
    one.transmit(COMMAND)
    assert two.transmit(COMMAND) == b"\x02\x90\x00"
    one.close()
    assert chip.powered
    two.close()
    assert not chip.powered


def test_a_reset_by_another_is_told() -> None:
    reader = InProcessReader("panel", Counter())
    one, two = reader.connect(exclusive=False), reader.connect(exclusive=False)
    one.reset()
    with pytest.raises(CardReset):
        two.transmit(COMMAND)
    two.reset()
    assert two.transmit(COMMAND) == b"\x01\x90\x00"


def test_a_mute_card_leaves_the_reader_free() -> None:
    class Mute(Counter):
        def power_on(self) -> bytes:
            raise NoAnswer

    reader = InProcessReader("panel", Mute())
    for _ in range(2):
        with pytest.raises(NoAnswer):
            reader.connect()


# Removal


def test_removal_powers_off_and_gives_the_card_back() -> None:
    chip = Counter()
    reader = InProcessReader("panel", chip)
    connection = reader.connect()
    assert reader.remove() is chip
    assert not chip.powered
    assert reader.remove() is None
    with pytest.raises(CardRemoved):
        connection.transmit(COMMAND)
    with pytest.raises(CardRemoved):
        connection.reset()
    connection.close()


def test_a_connection_left_open_does_not_hold_the_next_card() -> None:
    chip = Counter()
    reader = InProcessReader("panel", chip)
    old = reader.connect()
    reader.remove()
    reader.insert(chip)
    new = reader.connect()
    with pytest.raises(CardRemoved):
        old.transmit(COMMAND)
    old.close()
    assert new.transmit(COMMAND) == b"\x01\x90\x00"


def test_pulled_while_a_command_runs() -> None:
    """The command finishes in the chip, its answer is lost, and only then the power goes."""
    chip = Counter()
    reader = InProcessReader("panel", chip)
    connection = reader.connect()
    inside, pulled = Event(), Event()

    def wait_inside() -> None:
        inside.set()
        assert pulled.wait(PATIENCE)

    chip.during = wait_inside
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(connection.transmit, COMMAND)
        assert inside.wait(PATIENCE)
        removal = threads.submit(reader.remove)
        assert reader.wait_for_removal(PATIENCE)  # seen at once, though the chip still works
        pulled.set()
        with pytest.raises(CardRemoved):
            answer.result(PATIENCE)
        assert removal.result(PATIENCE) is chip
    assert chip.count == 1
    assert not chip.powered


def test_a_chip_may_pull_itself() -> None:
    chip = Counter()
    reader = InProcessReader("panel", chip)
    connection = reader.connect()

    def pull() -> None:
        reader.remove()

    chip.during = pull
    with pytest.raises(CardRemoved):
        connection.transmit(COMMAND)


def test_pulled_and_put_back_while_a_session_transmits() -> None:
    chip = Counter()
    reader = InProcessReader("panel", chip)
    rounds = 100
    in_session = Semaphore(0)

    def panel() -> None:
        for _ in range(rounds):
            assert in_session.acquire(timeout=PATIENCE)
            assert reader.remove() is chip
            reader.insert(chip)
        reader.remove()

    def session() -> None:
        for _ in range(rounds):
            assert reader.wait_for_card(PATIENCE)
            connection = reader.connect()
            in_session.release()
            with suppress(CardRemoved):
                while True:
                    connection.transmit(COMMAND)

    with ThreadPoolExecutor() as threads:
        ends = [threads.submit(session), threads.submit(panel)]
        for end in ends:
            end.result(PATIENCE)
    assert not chip.powered


# Waiting


def test_waiting_ends_at_once_when_there_is_nothing_to_wait_for() -> None:
    reader = InProcessReader("panel")
    assert reader.wait_for_removal()
    assert not reader.wait_for_card(0)
    reader.insert(Counter())
    assert reader.wait_for_card()
    assert not reader.wait_for_removal(0)


@pytest.mark.parametrize("timeout", [None, PATIENCE])
def test_waiting_is_woken(timeout: float | None) -> None:
    reader = InProcessReader("panel")
    with ThreadPoolExecutor() as threads:
        there = threads.submit(reader.wait_for_card, timeout)
        reader.insert(Counter())
        assert there.result(PATIENCE)
        gone = threads.submit(reader.wait_for_removal, timeout)
        reader.remove()
        assert gone.result(PATIENCE)
