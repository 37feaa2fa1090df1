"""The hand at the slot: in, out, swapped, torn; errors are told and end nothing."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from apdu.connection import Connection
from apdu.readers.inprocess import InProcessReader
from apdu.status import CardRemoved
from simulator.card.profile import load_profile
from simulator.card_panel import HELP, CardPanel, serve

SELECT = bytes.fromhex("00A404000F") + b"sx1.sh." + "社会保障".encode("gbk")


def panel(slot: InProcessReader, wanted: str = "adult-3.0") -> CardPanel:
    return CardPanel(slot, wanted, random=bytes)


def test_in_out_swapped() -> None:
    slot = InProcessReader("slot")
    hand = panel(slot)
    assert "inserted: adult-3.0" in hand.do("insert")
    assert "in the slot" in hand.do("status")
    assert "READER_ERROR" in hand.do("insert")
    adult = slot.connect().atr
    assert "removed" in hand.do("remove")
    assert "empty" in hand.do(" remove ")
    assert "out of the slot" in hand.do("status")
    assert "inserted: child" in hand.do("swap child")
    child = slot.connect()
    assert child.atr != adult
    assert "PROFILE" in hand.do("swap no-such-profile")
    child.transmit(SELECT)  # the card in the slot is still the child's
    hand.close()
    assert not slot.occupied


@pytest.mark.parametrize("line", ["nonsense", "", "swap", "tear x", "insert twice"])
def test_what_is_no_command_shows_what_is(line: str) -> None:
    assert panel(InProcessReader("slot")).do(line) == HELP


def verify(connection: Connection, digits: str) -> bytes:
    connection.transmit(SELECT)
    return connection.transmit(bytes.fromhex("0020000003" + digits))


def test_torn_in_the_middle_of_a_write_and_whole_afterwards() -> None:
    slot = InProcessReader("slot")
    hand = panel(slot)
    hand.do("insert")
    assert "4 more" in hand.do("tear 4")
    pin = load_profile("adult-3.0").pin
    assert pin is not None
    connection = slot.connect()
    with pytest.raises(CardRemoved):
        verify(connection, "111111")  # a wrong PIN is counted, which writes
    connection.close()
    assert verify(slot.connect(), pin.value) == b"\x90\x00"


def test_a_state_file_is_let_go_of(tmp_path: Path) -> None:
    wanted = f"adult-3.0@{tmp_path / 'card.state'}"
    hand = panel(InProcessReader("slot"), wanted)
    assert "inserted" in hand.do("swap child")
    panel(InProcessReader("other"), wanted).close()
    assert "CARD_STATE" not in hand.do(f"swap {wanted}")
    assert "CARD_STATE_IN_USE" in panel(InProcessReader("third")).do(f"swap {wanted}")
    hand.close()


def test_lines_and_signals_are_carried_out_until_quit() -> None:
    slot = InProcessReader("slot")
    told: list[str] = []
    hand = panel(slot)
    more = threading.Event()

    def typed() -> list[str]:
        return ["insert\n", "\n"]

    def tell(text: str) -> None:
        told.append(text)
        if len(told) == 1:
            os.kill(os.getpid(), signal.SIGUSR1)
        elif len(told) == 2:
            os.kill(os.getpid(), signal.SIGUSR2)
        else:
            more.set()
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    serve(hand, typed(), tell)
    assert more.is_set()
    assert ["inserted" in told[0], "removed" in told[1], "power" in told[2]] == [True] * 3
    assert signal.getsignal(signal.SIGTERM) is before
