"""VirtualReader against a scripted driver, frame by frame, then against the real one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from random import Random

import pytest

from apdu.channel import CardChannel
from apdu.connection import Connection
from apdu.layers import stack
from apdu.pin import Pin
from apdu.readers.inprocess import InProcessReader
from apdu.readers.pcsc import PcscReader
from apdu.sam import SoftwareSam
from apdu.ssc.basic import BasicData
from apdu.ssc.card import SocialSecurityCard
from apdu.status import PinWrong, ReaderError
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.null_card import CONTACTLESS_ATR, T0_ATR, NullCard
from simulator.pcscd import PcscdUnavailable, PrivatePcscd
from simulator.virtual_reader import VirtualReader, VpcdUnavailable
from tests.integration.conftest import VirtualSlot

pytestmark = pytest.mark.integration

PATIENCE = 10.0
OFF, ON, RESET, GET_ATR = b"\x00", b"\x01", b"\x02", b"\x04"


class Driver:
    """The driver's side of the protocol, in the order a test dictates."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(PATIENCE)
        self.port: int = self._server.getsockname()[1]
        self._link: socket.socket | None = None

    def accept(self) -> None:
        self.hang_up()
        self._link, _ = self._server.accept()
        self._link.settimeout(PATIENCE)

    def send(self, payload: bytes) -> None:
        assert self._link is not None
        self._link.sendall(len(payload).to_bytes(2, "big"))
        self._link.sendall(payload)

    def receive(self) -> bytes | None:
        """The next payload; None when the card's side hangs up."""
        assert self._link is not None
        size = self._link.recv(2, socket.MSG_WAITALL)
        return self._link.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL) if size else None

    def ask(self, payload: bytes) -> bytes | None:
        try:
            self.send(payload)
            return self.receive()
        except ConnectionError:
            return None

    def hang_up(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def close(self) -> None:
        self.hang_up()
        self._server.close()


def powered(card: NullCard) -> bool:
    return card.powered


@pytest.fixture
def driver() -> Iterator[Driver]:
    driver = Driver()
    yield driver
    driver.close()


@pytest.fixture
def panel(driver: Driver) -> Iterator[VirtualReader]:
    with VirtualReader(driver.port) as panel:
        yield panel


def test_signals_and_commands_reach_the_chip(driver: Driver, panel: VirtualReader) -> None:
    card = NullCard(answer=lambda command: command + b"\x90\x00")
    panel.insert(card)
    driver.accept()
    assert driver.ask(GET_ATR) == T0_ATR
    assert not powered(card)
    driver.send(ON)
    assert driver.ask(GET_ATR) == T0_ATR
    assert powered(card)
    assert driver.ask(b"\x00\x84\x00\x00\x08") == b"\x00\x84\x00\x00\x08\x90\x00"
    ups = card.power_ups
    driver.send(RESET)
    assert driver.ask(GET_ATR) == T0_ATR
    assert card.power_ups == ups + 1
    driver.send(OFF)
    assert driver.ask(GET_ATR) == T0_ATR
    assert not powered(card)


def test_the_atr_is_the_one_of_the_last_power_up(driver: Driver, panel: VirtualReader) -> None:
    card = NullCard()
    panel.insert(card)
    driver.accept()
    card.atr = CONTACTLESS_ATR
    assert driver.ask(GET_ATR) == T0_ATR
    driver.send(ON)
    assert driver.ask(GET_ATR) == CONTACTLESS_ATR


def test_an_idle_removal_shows_at_the_next_question(driver: Driver, panel: VirtualReader) -> None:
    card = NullCard()
    panel.insert(card)
    driver.accept()
    driver.send(ON)
    assert driver.ask(GET_ATR) == T0_ATR
    assert panel.remove() is card
    assert not powered(card)
    assert panel.remove() is None
    assert driver.ask(GET_ATR) is None
    panel.insert(NullCard(CONTACTLESS_ATR))
    driver.accept()
    assert driver.ask(GET_ATR) == CONTACTLESS_ATR


@pytest.mark.parametrize("breaking", [b"\x00\x84\x00\x00\x08", ON, OFF, RESET])
def test_after_a_break_the_next_card_waits_until_the_empty_slot_was_seen(
    driver: Driver, panel: VirtualReader, breaking: bytes
) -> None:
    panel.insert(NullCard())
    driver.accept()
    driver.send(ON)
    assert driver.ask(GET_ATR) == T0_ATR
    panel.remove()
    assert driver.ask(breaking) is None
    driver.accept()
    assert driver.ask(b"\x00\xb0\x00\x00\x00") is None
    driver.accept()
    assert driver.ask(GET_ATR) is None  # pcscd has polled: the slot is empty
    panel.insert(NullCard(CONTACTLESS_ATR))
    driver.accept()
    assert driver.ask(GET_ATR) == CONTACTLESS_ATR


def test_the_atr_of_a_power_up_is_no_poll(driver: Driver, panel: VirtualReader) -> None:
    panel.insert(NullCard())
    driver.accept()
    driver.send(ON)
    assert driver.ask(GET_ATR) == T0_ATR
    driver.send(RESET)
    driver.send(b"\x00\x84\x00\x00\x08")
    assert driver.receive() == b"\x90\x00"
    driver.send(RESET)
    # Whether the card leaves before or after the reset was executed, the slot must be shown empty.
    panel.remove()
    assert driver.ask(GET_ATR) is None
    driver.accept()
    assert driver.ask(GET_ATR) is None


def test_a_card_that_was_never_powered_answers_no_command(
    driver: Driver, panel: VirtualReader
) -> None:
    card = NullCard()
    panel.insert(card)
    driver.accept()
    assert driver.ask(b"\x00\x84\x00\x00\x08") is None
    assert card.commands == []
    driver.accept()
    assert driver.ask(GET_ATR) is None
    driver.accept()
    assert driver.ask(GET_ATR) == T0_ATR


def test_a_chip_may_pull_itself_in_mid_command(driver: Driver, panel: VirtualReader) -> None:
    def pull(command: bytes) -> bytes:
        panel.remove()
        return command

    card = NullCard(answer=pull)
    panel.insert(card)
    driver.accept()
    driver.send(ON)
    assert driver.ask(GET_ATR) == T0_ATR
    assert driver.ask(b"\x00\x84\x00\x00\x08") is None
    assert not powered(card)


def test_a_failing_chip_is_a_removed_card(driver: Driver, panel: VirtualReader) -> None:
    def fail(command: bytes) -> bytes:
        raise ZeroDivisionError(command)

    panel.insert(NullCard(answer=fail))
    driver.accept()
    driver.send(ON)
    assert driver.ask(GET_ATR) == T0_ATR
    assert driver.ask(b"\x00\x84\x00\x00\x08") is None
    driver.accept()
    assert driver.ask(GET_ATR) is None
    panel.insert(NullCard())


def test_the_card_is_presented_again_when_the_driver_returns(
    driver: Driver, panel: VirtualReader
) -> None:
    card = NullCard()
    panel.insert(card)
    driver.accept()
    driver.send(ON)
    assert driver.ask(GET_ATR) == T0_ATR
    driver.accept()  # hangs up first
    assert driver.ask(GET_ATR) == T0_ATR
    assert not powered(card)


def test_one_card_at_a_time(driver: Driver, panel: VirtualReader) -> None:
    panel.insert(NullCard())
    with pytest.raises(ReaderError, match="already"):
        panel.insert(NullCard())


def test_without_a_driver_the_error_says_what_to_do(driver: Driver) -> None:
    driver.close()
    with VirtualReader(driver.port) as panel:
        for _ in range(2):
            with pytest.raises(VpcdUnavailable, match=str(driver.port)) as caught:
                panel.insert(NullCard())
        assert "vsmartcard-vpcd" in caught.value.remedy
        assert panel.remove() is None


def test_a_stopped_reader_can_be_used_again(driver: Driver, panel: VirtualReader) -> None:
    panel.insert(NullCard())
    driver.accept()
    panel.stop()
    panel.stop()
    panel.insert(NullCard(CONTACTLESS_ATR))
    driver.accept()
    assert driver.ask(GET_ATR) == CONTACTLESS_ATR


def test_cards_follow_each_other_in_the_real_service(virtual_slot: VirtualSlot) -> None:
    for atr in (T0_ATR, CONTACTLESS_ATR, T0_ATR):
        virtual_slot.panel.insert(NullCard(atr))
        assert virtual_slot.reader.wait_for_card(PATIENCE)
        connection = virtual_slot.reader.connect()
        assert connection.atr == atr
        connection.close()
        virtual_slot.panel.remove()
        assert virtual_slot.reader.wait_for_removal(PATIENCE)


@pytest.mark.parametrize("profile", ["adult-1.0", "adult-2.0", "adult-3.0", "contactless-3.0"])
def test_a_simulated_card_reads_the_same_as_in_process(
    virtual_slot: VirtualSlot, profile: str
) -> None:
    def read(connection: Connection) -> tuple[BasicData, int | None]:
        card = SocialSecurityCard.select(CardChannel(stack(connection)))
        sam = SoftwareSam.development(Random(1).randbytes)
        card.authenticate(sam)
        basic = card.read_basic(sam)
        with Pin("000000") as wrong, pytest.raises(PinWrong):
            card.verify_pin(wrong)
        tries = card.pin_tries_left()
        connection.close()
        return basic, tries

    def chip() -> SimulatedCard:
        return SimulatedCard(load_profile(profile), random=Random(2).randbytes)

    in_process = read(InProcessReader("in-process", chip()).connect())
    virtual_slot.panel.insert(chip())
    assert virtual_slot.reader.wait_for_card(PATIENCE)
    assert read(virtual_slot.reader.connect()) == in_process


def test_a_second_private_service_of_one_process_is_refused_with_the_reason(
    real_pcscd: PrivatePcscd,
) -> None:
    before = list(real_pcscd.readers)
    second = PrivatePcscd()
    with pytest.raises(PcscdUnavailable, match="already"):
        second.start()
    assert PcscReader(before[0]).wait_for_card(timeout=0) is False
