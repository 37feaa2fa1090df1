"""PcscReader, PcscConnection and CardMonitor against the real pcscd."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apdu.command import Command
from apdu.readers.pcsc import PcscReader, find_reader, list_readers, reader_states
from apdu.readers.pcsc_events import CardEvent, CardEventKind, CardMonitor
from apdu.status import (
    CardRemoved,
    CardReset,
    NoAnswer,
    NoCard,
    ReaderBusy,
    ReaderError,
    ReaderNotFound,
    ServiceUnavailable,
)
from simulator.null_card import CONTACTLESS_ATR, T0_ATR, NullCard
from simulator.pcscd import READER_NAME, PrivatePcscd
from simulator.virtual_reader import VirtualReader
from tests.integration.conftest import VirtualSlot

pytestmark = pytest.mark.integration

GET_CHALLENGE = bytes(Command(0x00, 0x84, 0x00, 0x00, le=8))
PATIENCE = 10.0  # seconds until a wait that must succeed counts as failed


def insert(slot: VirtualSlot, card: NullCard) -> NullCard:
    slot.panel.insert(card)
    assert slot.reader.wait_for_card(PATIENCE)
    return card


def test_readers_are_listed_and_found(real_pcscd: PrivatePcscd) -> None:
    assert list_readers() == real_pcscd.readers
    assert [state.name for state in reader_states()] == real_pcscd.readers
    assert find_reader("SSCT*").name == real_pcscd.readers[0]
    assert find_reader(slot=1).name == real_pcscd.readers[1]
    with pytest.raises(ReaderNotFound, match=READER_NAME):
        find_reader("Omnikey")


def test_the_state_of_a_slot_follows_the_card(virtual_slot: VirtualSlot) -> None:
    assert not reader_states()[0].present
    insert(virtual_slot, NullCard())
    state = reader_states()[0]
    assert state.present
    assert state.atr == T0_ATR
    assert not state.in_use
    connection = virtual_slot.reader.connect()
    assert reader_states()[0].in_use
    connection.close()


def test_an_empty_slot_and_an_unknown_reader_are_told_apart(virtual_slot: VirtualSlot) -> None:
    with pytest.raises(NoCard):
        virtual_slot.reader.connect()
    assert virtual_slot.reader.wait_for_card(timeout=0) is False
    with pytest.raises(ReaderNotFound):
        PcscReader("No such reader 00 00").connect()
    with pytest.raises(ReaderNotFound):
        PcscReader("No such reader 00 00").wait_for_card(timeout=0)


def test_exclusive_use_keeps_others_out_until_closed(virtual_slot: VirtualSlot) -> None:
    insert(virtual_slot, NullCard())
    first = virtual_slot.reader.connect()
    for exclusive in (True, False):
        with pytest.raises(ReaderBusy, match=virtual_slot.reader.name):
            virtual_slot.reader.connect(exclusive=exclusive)
    first.close()
    first.close()
    with pytest.raises(ReaderError, match="closed"):
        first.transmit(GET_CHALLENGE)
    virtual_slot.reader.connect().close()


def test_closing_leaves_no_powered_card_behind(virtual_slot: VirtualSlot) -> None:
    went_off = threading.Event()

    class SwitchedCard(NullCard):
        def power_off(self) -> None:
            super().power_off()
            went_off.set()

    card = insert(virtual_slot, SwitchedCard())
    connection = virtual_slot.reader.connect()
    connection.transmit(GET_CHALLENGE)
    assert card.powered
    went_off.clear()
    connection.close()
    assert went_off.wait(PATIENCE)


def test_a_reset_by_another_program_is_told_and_ends_only_by_a_reset(
    virtual_slot: VirtualSlot,
) -> None:
    insert(virtual_slot, NullCard())
    ours = virtual_slot.reader.connect(exclusive=False)
    theirs = virtual_slot.reader.connect(exclusive=False)
    assert ours.transmit(GET_CHALLENGE) == b"\x90\x00"
    theirs.reset()
    for _ in range(2):
        with pytest.raises(CardReset):
            ours.transmit(GET_CHALLENGE)
    with pytest.raises(CardReset), ours.transaction():
        pass
    assert ours.reset() == T0_ATR
    assert ours.transmit(GET_CHALLENGE) == b"\x90\x00"
    theirs.close()
    ours.close()


def test_a_transaction_lets_the_other_program_wait(virtual_slot: VirtualSlot) -> None:
    card = insert(virtual_slot, NullCard())
    ours = virtual_slot.reader.connect(exclusive=False)
    theirs = virtual_slot.reader.connect(exclusive=False)
    with ThreadPoolExecutor(1) as other:
        with ours.transaction():
            waiting = other.submit(theirs.transmit, b"\x00\xb0\x00\x00\x01")
            ours.transmit(GET_CHALLENGE)
            ours.transmit(GET_CHALLENGE)
        assert waiting.result(PATIENCE) == b"\x90\x00"
    assert card.commands == [GET_CHALLENGE, GET_CHALLENGE, b"\x00\xb0\x00\x00\x01"]
    theirs.close()
    ours.close()


def test_t0_carries_no_le_beside_data(virtual_slot: VirtualSlot) -> None:
    card = insert(virtual_slot, NullCard())
    connection = virtual_slot.reader.connect()
    assert connection.atr == T0_ATR
    assert connection.protocol == 0
    for command in (
        Command(0, 0x20, 0, 0),
        Command(0, 0xB2, 1, 0, le=256),
        Command(0, 0xA4, 2, 0, b"\xef\x05"),
        Command(0, 0x88, 0, 0, bytes(16), le=8),
    ):
        connection.transmit(bytes(command))
    assert [command.hex() for command in card.commands] == [
        "0020000000",
        "00b2010000",
        "00a4020002ef05",
        "0088000010" + "00" * 16,
    ]
    connection.close()


def test_a_contactless_card_gets_its_apdus_unchanged(virtual_slot: VirtualSlot) -> None:
    card = insert(virtual_slot, NullCard(CONTACTLESS_ATR))
    connection = virtual_slot.reader.connect()
    assert connection.atr == CONTACTLESS_ATR
    assert connection.protocol == 1
    commands = [bytes(Command(0, 0x20, 0, 0)), bytes(Command(0, 0x88, 0, 0, bytes(16), le=8))]
    for command in commands:
        connection.transmit(command)
    assert card.commands == commands
    connection.close()


def test_answers_of_every_length_arrive_whole(virtual_slot: VirtualSlot) -> None:
    def count_up(command: bytes) -> bytes:
        size = int.from_bytes(command[-2:], "big")
        return bytes(index % 251 for index in range(size)) + b"\x90\x00"

    insert(virtual_slot, NullCard(CONTACTLESS_ATR, count_up))
    connection = virtual_slot.reader.connect()
    for size in (0, 1, 255, 256, 4000):
        command = b"\x00\xb0\x00\x00\x00" + size.to_bytes(2, "big")
        assert connection.transmit(command) == count_up(command)
    connection.close()


def test_a_card_pulled_in_mid_command_is_removed_and_the_next_one_served(
    virtual_slot: VirtualSlot,
) -> None:
    def pull(command: bytes) -> bytes:
        virtual_slot.panel.remove()
        return command

    pulled = insert(virtual_slot, NullCard(answer=pull))
    connection = virtual_slot.reader.connect()
    for _ in range(2):
        with pytest.raises(CardRemoved):
            connection.transmit(GET_CHALLENGE)
    connection.close()
    assert not pulled.powered
    insert(virtual_slot, NullCard())
    connection = virtual_slot.reader.connect()
    assert connection.transmit(GET_CHALLENGE) == b"\x90\x00"
    connection.close()


def test_a_swapped_card_is_never_taken_for_the_one_before(virtual_slot: VirtualSlot) -> None:
    insert(virtual_slot, NullCard())
    connection = virtual_slot.reader.connect()
    with ThreadPoolExecutor(1) as watcher:
        left = watcher.submit(virtual_slot.reader.wait_for_removal, PATIENCE)
        virtual_slot.panel.remove()
        second = NullCard(CONTACTLESS_ATR)
        virtual_slot.panel.insert(second)
        assert left.result(PATIENCE)
    with pytest.raises(CardRemoved):
        connection.transmit(GET_CHALLENGE)
    connection.close()
    assert virtual_slot.reader.wait_for_card(PATIENCE)
    connection = virtual_slot.reader.connect()
    assert connection.atr == CONTACTLESS_ATR
    connection.close()


def test_a_card_that_stays_but_answers_garbage_is_no_removal(virtual_slot: VirtualSlot) -> None:
    insert(virtual_slot, NullCard(answer=lambda _: b"\x90"))
    connection = virtual_slot.reader.connect()
    with pytest.raises(NoAnswer):
        connection.transmit(GET_CHALLENGE)
    connection.close()


def test_a_wait_ends_when_another_thread_cancels_it(virtual_slot: VirtualSlot) -> None:
    with ThreadPoolExecutor(1) as session:
        waiting = session.submit(virtual_slot.reader.wait_for_card)
        virtual_slot.reader.cancel()
        assert waiting.result(PATIENCE) is False
    insert(virtual_slot, NullCard())


def test_ctrl_c_ends_a_wait(virtual_slot: VirtualSlot) -> None:
    ctrl_c = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT))

    def wait_while_ctrl_c_comes() -> None:
        ctrl_c.start()
        virtual_slot.reader.wait_for_card(PATIENCE)

    with pytest.raises(KeyboardInterrupt):
        wait_while_ctrl_c_comes()
    ctrl_c.join()


def test_many_sessions_and_waits_leave_no_threads_or_handles(virtual_slot: VirtualSlot) -> None:
    def held() -> tuple[int, int]:
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    reader = virtual_slot.reader
    insert(virtual_slot, NullCard())
    with ThreadPoolExecutor(1) as session:
        session.submit(held).result()
        before = held()
        for _ in range(30):
            reader.connect().close()
            with pytest.raises(ReaderNotFound):
                PcscReader("No such reader").connect()
            waiting = session.submit(reader.wait_for_removal)
            reader.cancel()
            assert waiting.result(PATIENCE) is False
        assert held() == before


class WatchedMonitor:
    """A monitor running in a thread, and the events it gave so far."""

    def __init__(self) -> None:
        self.monitor = CardMonitor(first_pause=0.01)
        self._events = iter(self.monitor)
        self._executor = ThreadPoolExecutor(1)

    def next(self, count: int) -> list[CardEvent]:
        def take() -> list[CardEvent]:
            return [next(self._events) for _ in range(count)]

        return self._executor.submit(take).result(PATIENCE)

    def close(self) -> None:
        waiting = self._executor.submit(lambda: list(self._events))
        self.monitor.close()
        assert waiting.result(PATIENCE) == []
        self._executor.shutdown()


@pytest.fixture
def watched(virtual_slot: VirtualSlot) -> Iterator[WatchedMonitor]:
    del virtual_slot
    watched = WatchedMonitor()
    yield watched
    watched.close()


def kinds(events: list[CardEvent]) -> list[CardEventKind]:
    return [event.kind for event in events]


def test_the_monitor_tells_of_cards_in_every_slot(
    real_pcscd: PrivatePcscd, virtual_slot: VirtualSlot, watched: WatchedMonitor
) -> None:
    first, second = real_pcscd.readers
    assert watched.next(2) == [
        CardEvent(CardEventKind.READER_ADDED, first),
        CardEvent(CardEventKind.READER_ADDED, second),
    ]
    virtual_slot.panel.insert(NullCard())
    assert watched.next(1) == [CardEvent(CardEventKind.INSERTED, first, T0_ATR)]
    with VirtualReader(real_pcscd.ports[1]) as other:
        other.insert(NullCard(CONTACTLESS_ATR))
        assert watched.next(1) == [CardEvent(CardEventKind.INSERTED, second, CONTACTLESS_ATR)]
        virtual_slot.reader.connect().close()  # use is no event
        other.remove()
        assert watched.next(1) == [CardEvent(CardEventKind.REMOVED, second)]
    virtual_slot.panel.remove()
    assert watched.next(1) == [CardEvent(CardEventKind.REMOVED, first)]


def test_everything_works_again_after_pcscd_was_killed_and_restarted(
    real_pcscd: PrivatePcscd, virtual_slot: VirtualSlot, watched: WatchedMonitor
) -> None:
    insert(virtual_slot, NullCard())
    assert CardEventKind.INSERTED in kinds(watched.next(3))
    connection = virtual_slot.reader.connect()
    real_pcscd.kill()
    try:
        with pytest.raises(ServiceUnavailable):
            connection.transmit(GET_CHALLENGE)
        connection.close()
        for use in (virtual_slot.reader.connect, virtual_slot.reader.wait_for_card, list_readers):
            with pytest.raises(ServiceUnavailable):
                use()
        assert kinds(watched.next(1)) == [CardEventKind.SERVICE_LOST]
    finally:
        real_pcscd.start()
    assert kinds(watched.next(4)) == [
        CardEventKind.SERVICE_BACK,
        CardEventKind.READER_ADDED,
        CardEventKind.READER_ADDED,
        CardEventKind.INSERTED,
    ]
    connection = virtual_slot.reader.connect()
    assert connection.transmit(GET_CHALLENGE) == b"\x90\x00"
    connection.close()


def test_the_service_going_away_ends_a_wait(
    real_pcscd: PrivatePcscd, virtual_slot: VirtualSlot
) -> None:
    with ThreadPoolExecutor(1) as session:
        waiting = session.submit(virtual_slot.reader.wait_for_card)
        real_pcscd.kill()
        try:
            with pytest.raises(ServiceUnavailable):
                waiting.result(PATIENCE)
        finally:
            real_pcscd.start()
