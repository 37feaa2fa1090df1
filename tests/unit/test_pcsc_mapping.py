"""Choosing readers, PC/SC result codes, and the waits, against a scripted binding."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.command import Command
from apdu.readers.pcsc import PcscReader, choose, list_readers
from apdu.readers.pcsc_binding import MEANINGS, PyscardMissing, failure
from apdu.readers.pcsc_events import CardEvent, CardEventKind, CardMonitor
from apdu.readers.t0 import for_t0
from apdu.status import (
    CardError,
    CardRemoved,
    NoAnswer,
    NoCard,
    ReaderAmbiguous,
    ReaderError,
    ReaderNotFound,
    ServiceUnavailable,
)

TWIN = "Gemalto PC Twin Reader 00 00"
ACS = "ACS ACR1281 Dual Reader [ACR1281 ICC] 01 00"
ACS_CONTACTLESS = "ACS ACR1281 Dual Reader [ACR1281 ICC] 01 01"
SECOND_TWIN = "Gemalto PC Twin Reader 02 00"
ALL = [TWIN, ACS_CONTACTLESS, ACS, SECOND_TWIN]

EMPTY, PRESENT, GONE = 0x10, 0x20, 0x0C


class ScriptedScard:
    """The binding's constants, and functions that answer what a test lined up."""

    SCARD_S_SUCCESS = 0
    SCARD_SCOPE_USER = 0
    SCARD_SHARE_EXCLUSIVE, SCARD_SHARE_SHARED = 1, 2
    SCARD_PROTOCOL_T0, SCARD_PROTOCOL_T1 = 1, 2
    SCARD_LEAVE_CARD, SCARD_RESET_CARD, SCARD_UNPOWER_CARD = 0, 1, 2
    SCARD_STATE_UNAWARE, SCARD_STATE_CHANGED = 0, 2
    SCARD_STATE_UNKNOWN, SCARD_STATE_UNAVAILABLE = 4, 8
    SCARD_STATE_PRESENT, SCARD_STATE_EXCLUSIVE, SCARD_STATE_INUSE = 0x20, 0x80, 0x100

    def __init__(self, **answers: list[Any]) -> None:
        self.calls: list[str] = []
        self.answers = {name: deque(answer) for name, answer in answers.items()}
        self.defaults: dict[str, Any] = {
            "SCardEstablishContext": (0, 7),
            "SCardReleaseContext": 0,
            "SCardDisconnect": 0,
            "SCardCancel": 0,
            "SCardConnect": (0, 9, 1),
            "SCardStatus": (0, TWIN, 0, 1, [0x3B, 0x00]),
            "SCardListReaders": (0, [TWIN]),
            "SCardGetErrorMessage": "something odd",
        }
        for number, name in enumerate(sorted(MEANINGS)):
            setattr(self, name, 0x80100001 + number - (1 << 32))  # as pyscard signs them

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:  # noqa: ANN401  whatever the binding answers
            self.calls.append(name)
            queue = self.answers.get(name)
            answer = queue.popleft() if queue else self.defaults[name]
            return answer(*arguments) if callable(answer) else answer

        return call


def scripted(**answers: list[Any]) -> Any:  # noqa: ANN401  it stands in for an untyped module
    return ScriptedScard(**answers)


def states(*entries: tuple[str, int]) -> tuple[int, list[tuple[str, int, list[int]]]]:
    return 0, [(name, flags, [0x3B] if flags & PRESENT else []) for name, flags in entries]


@pytest.mark.parametrize(
    ("pattern", "slot", "chosen"),
    [
        ("twin reader 00", None, TWIN),
        (TWIN, None, TWIN),
        (TWIN.upper(), None, TWIN),
        ("ACR1281", None, ACS),
        ("ACR1281", 0, ACS),
        ("ACR1281", 1, ACS_CONTACTLESS),
        ("acs*", 1, ACS_CONTACTLESS),
        ("*dual*01 01", None, ACS_CONTACTLESS),
        ("[ACR1281 ICC]", None, ACS),
        ("*02 0?", None, SECOND_TWIN),
        (None, 1, ACS_CONTACTLESS),
    ],
)
def test_a_reader_is_chosen_by_pattern_and_slot(
    pattern: str | None, slot: int | None, chosen: str
) -> None:
    assert choose(ALL, pattern, slot) == chosen


def test_a_full_name_wins_over_a_longer_one() -> None:
    assert choose(["Reader", "Reader two"], "reader", None) == "Reader"


def test_the_only_reader_needs_no_pattern() -> None:
    assert choose([ACS_CONTACTLESS, ACS], None, None) == ACS


@pytest.mark.parametrize("pattern", ["Twin", None, "*"])
def test_ambiguity_lists_the_choices(pattern: str | None) -> None:
    with pytest.raises(ReaderAmbiguous) as caught:
        choose(ALL, pattern, None)
    assert TWIN in str(caught.value)
    assert SECOND_TWIN in str(caught.value)


@pytest.mark.parametrize(("pattern", "slot"), [("Omnikey", None), ("Twin", 1), ("Twin*x", None)])
def test_no_match_lists_what_is_connected(pattern: str, slot: int | None) -> None:
    with pytest.raises(ReaderNotFound) as caught:
        choose(ALL, pattern, slot)
    assert pattern in str(caught.value)
    assert all(name in str(caught.value) for name in ALL)


def test_without_readers_there_is_nothing_to_choose() -> None:
    with pytest.raises(ReaderNotFound, match="no reader is connected"):
        choose([], None, None)


@pytest.mark.parametrize("name", sorted(MEANINGS))
def test_every_result_code_becomes_its_error_with_a_sentence(name: str) -> None:
    scard = scripted()
    error = failure(scard, getattr(scard, name), "Reader 00 00: sending")
    assert type(error) is MEANINGS[name].error
    assert str(error) == f"Reader 00 00: sending: {MEANINGS[name].text} ({name})"


@pytest.mark.parametrize("result", [0x80109999, 0x80109999 - (1 << 32)])
def test_an_unknown_result_code_is_explained_by_the_service(result: int) -> None:
    error = failure(scripted(), result, "listing")
    assert type(error) is ReaderError
    assert str(error) == "listing: something odd (80109999)"


def test_the_table_names_codes_that_pyscard_has() -> None:
    scard = pytest.importorskip("smartcard.scard")
    assert [name for name in MEANINGS if not hasattr(scard, name)] == []


def test_without_pyscard_the_error_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smartcard", None)
    monkeypatch.delitem(sys.modules, "smartcard.scard", raising=False)
    with pytest.raises(PyscardMissing) as caught:
        list_readers()
    for package in ("ssct[pcsc]", "pcscd", "libpcsclite-dev", "swig", "python3-dev"):
        assert package in caught.value.remedy
    with pytest.raises(PyscardMissing):
        next(iter(CardMonitor()))


@given(
    data=st.binary(max_size=255),
    le=st.none() | st.integers(1, 256),
    header=st.binary(min_size=4, max_size=4),
)
def test_t0_framing_says_how_long_data_or_answer_is(
    data: bytes, le: int | None, header: bytes
) -> None:
    command = bytes(Command(header[0], header[1], header[2], header[3], data, le))
    framed = for_t0(command)
    assert framed[:4] == header
    if data:
        assert framed[4:] == bytes((len(data),)) + data
    else:
        assert framed[4:] == bytes(((le or 0) & 0xFF,))


def test_extended_commands_are_left_alone() -> None:
    for command in (Command(0, 0xB0, 0, 0, le=300), Command(0, 0xD6, 0, 0, bytes(300), le=5)):
        assert for_t0(bytes(command)) == bytes(command)


def test_a_mute_card_gets_one_more_power_up() -> None:
    scard = scripted()
    scard.answers["SCardConnect"] = deque([(scard.SCARD_W_UNRESPONSIVE_CARD, 0, 0), (0, 9, 1)])
    connection = PcscReader(TWIN, scard=scard).connect()
    assert connection.atr == b"\x3b\x00"
    connection.close()
    assert scard.calls.count("SCardReleaseContext") == 1


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("SCARD_W_UNRESPONSIVE_CARD", NoAnswer),
        ("SCARD_W_UNPOWERED_CARD", NoAnswer),
        ("SCARD_W_REMOVED_CARD", NoCard),
        ("SCARD_E_NO_SMARTCARD", NoCard),
    ],
)
def test_a_failed_connect_gives_the_context_back(name: str, error: type[CardError]) -> None:
    scard = scripted()
    result = (getattr(scard, name), 0, 0)
    scard.answers["SCardConnect"] = deque([result, result])
    with pytest.raises(error, match=TWIN):
        PcscReader(TWIN, scard=scard).connect()
    assert scard.calls[-1] == "SCardReleaseContext"


def transmit_failing(result: tuple[int, list[int]], *after: Any) -> CardError:  # noqa: ANN401
    scard = scripted(SCardTransmit=[result], SCardGetStatusChange=list(after))
    connection = PcscReader(TWIN, scard=scard).connect()
    if not after:
        scard.answers["SCardGetStatusChange"] = deque([states((TWIN, EMPTY))])
    with pytest.raises(CardError) as caught:
        connection.transmit(bytes(5))
    return caught.value


def test_a_failed_exchange_with_an_empty_slot_is_a_removal() -> None:
    scard = scripted()
    results: list[Any] = [(scard.SCARD_E_NOT_TRANSACTED, []), (0, []), (0, [0x90])]
    for result in results:
        assert type(transmit_failing(result)) is CardRemoved


def test_a_failed_exchange_with_the_card_still_there_is_no_answer() -> None:
    scard = scripted()
    still_there = states((TWIN, PRESENT))
    timeout: Any = (scard.SCARD_E_TIMEOUT, [])
    error = transmit_failing((scard.SCARD_E_NOT_TRANSACTED, []), still_there, timeout)
    assert type(error) is NoAnswer


def test_a_wait_outlasts_changes_that_are_no_insertion() -> None:
    scard = scripted(
        SCardGetStatusChange=[
            states((TWIN, EMPTY)),
            states((TWIN, EMPTY | 0x80)),
            states((TWIN, PRESENT | 1 << 16)),
        ]
    )
    assert PcscReader(TWIN, scard=scard).wait_for_card() is True


def test_a_swapped_card_counts_as_removed() -> None:
    changes = [states((TWIN, PRESENT | 1 << 16)), states((TWIN, PRESENT | 3 << 16))]
    scard = scripted(SCardGetStatusChange=changes)
    assert PcscReader(TWIN, scard=scard).wait_for_removal() is True


@pytest.mark.parametrize("wait", [PcscReader.wait_for_card, PcscReader.wait_for_removal])
def test_an_unplugged_reader_ends_a_wait(wait: Callable[[PcscReader], bool]) -> None:
    first = PRESENT if wait is PcscReader.wait_for_removal else EMPTY
    scard = scripted(SCardGetStatusChange=[states((TWIN, first)), states((TWIN, GONE))])
    with pytest.raises(ReaderNotFound, match="unplugged"):
        wait(PcscReader(TWIN, scard=scard))


def test_a_wait_has_an_end() -> None:
    ticks = iter([100.0, 100.5, 103.0])
    scard = scripted()
    timeout: Any = (scard.SCARD_E_TIMEOUT, [])
    scard.answers["SCardGetStatusChange"] = deque([states((TWIN, EMPTY)), timeout])
    reader = PcscReader(TWIN, scard=scard, monotonic=lambda: next(ticks))
    assert reader.wait_for_card(timeout=2) is False


def test_a_cancel_that_comes_first_ends_the_next_wait_only() -> None:
    scard = scripted(
        SCardGetStatusChange=[states((TWIN, EMPTY)), states((TWIN, PRESENT | 1 << 16))]
    )
    reader = PcscReader(TWIN, scard=scard)
    reader.cancel()
    assert reader.wait_for_card() is False
    assert reader.wait_for_card() is True


def test_the_monitor_sees_swaps_plugs_and_lost_services() -> None:
    scard = scripted()
    down = (scard.SCARD_E_NO_SERVICE, 0)
    scard.answers = {
        "SCardEstablishContext": deque([(0, 7), down, down, (0, 7)]),
        "SCardListReaders": deque(
            [(0, [TWIN]), (0, [TWIN]), (0, [TWIN, ACS]), (0, [ACS]), (0, [TWIN])]
        ),
        "SCardGetStatusChange": deque(
            [
                states((TWIN, PRESENT | 1 << 16)),
                states((TWIN, PRESENT | 3 << 16)),
                states((TWIN, PRESENT | 3 << 16), (ACS, EMPTY)),
                (scard.SCARD_F_COMM_ERROR, []),
            ]
        ),
    }
    monitor = CardMonitor(scard=scard, first_pause=0)
    events = iter(monitor)
    kind = CardEventKind
    assert [next(events) for _ in range(10)] == [
        CardEvent(kind.READER_ADDED, TWIN),
        CardEvent(kind.INSERTED, TWIN, b"\x3b"),
        CardEvent(kind.REMOVED, TWIN),
        CardEvent(kind.INSERTED, TWIN, b"\x3b"),
        CardEvent(kind.READER_ADDED, ACS),
        CardEvent(kind.REMOVED, TWIN),
        CardEvent(kind.READER_REMOVED, TWIN),
        CardEvent(kind.SERVICE_LOST),
        CardEvent(kind.SERVICE_BACK),
        CardEvent(kind.READER_ADDED, TWIN),
    ]


def test_no_readers_is_an_empty_list_and_no_service_an_error() -> None:
    scard = scripted()
    scard.answers["SCardListReaders"] = deque([(scard.SCARD_E_NO_READERS_AVAILABLE, [])])
    assert list_readers(scard) == []
    scard.answers["SCardEstablishContext"] = deque([(scard.SCARD_E_NO_SERVICE, 0)])
    with pytest.raises(ServiceUnavailable):
        list_readers(scard)
