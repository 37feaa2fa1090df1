"""The trace format: what is written is read again, PINs are left out, errors name the line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu import trace as trace_module
from apdu.status import CardError, CardRemoved, NoAnswer, ServiceUnavailable
from apdu.trace import (
    PIN_INSTRUCTIONS,
    Atr,
    Event,
    Exchange,
    Note,
    Pattern,
    Reset,
    Trace,
    TraceError,
    parse_trace,
)
from terminal.commands.opening import load_trace
from terminal.errors import ConfigurationError

SESSION = """\
# a session
ATR 3B00
0.000000 > 00A40000 02EF05
0.012345 < 9000
> 00200000 03......
< 63C2
> 00B20105 40
! CARD_REMOVED
reset
ATR 3B01
#
> 00840000 02
< AABB 9000
"""

times = st.none() | st.integers(0, 10**9).map(lambda micros: micros / 10**6)
commands = st.binary(min_size=4, max_size=40).map(Pattern.of)
exchanges = st.builds(Exchange, commands, st.binary(max_size=40), st.just(""), times, times)
failures = st.builds(
    Exchange, commands, st.none(), st.sampled_from(["CARD_REMOVED", "CARD_RESET"]), times, times
)
notes = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"])).map(Note)
events = st.lists(exchanges | failures | notes | st.just(Reset()) | st.builds(Atr, st.binary()))


def test_reads_what_it_describes() -> None:
    trace = parse_trace(SESSION)
    assert str(trace) == SESSION
    assert trace.events[0] == Note("a session")
    assert trace.events[1] == Atr(b"\x3b\x00")
    select = trace.events[2]
    assert isinstance(select, Exchange)
    assert (select.sent, select.received) == (0.0, 0.012345)
    assert select.result() == b"\x90\x00"
    pulled = trace.events[4]
    assert isinstance(pulled, Exchange)
    with pytest.raises(CardRemoved):
        pulled.result()


@given(events)
def test_what_is_written_is_read_again(tail: list[Event]) -> None:
    trace = Trace([Atr(b"\x3b"), *tail])
    assert parse_trace(str(trace)).events == trace.events


def test_spaces_and_case_are_free() -> None:
    free = "ATR 3b 00\n\n   >00 a4 04 00\n # between\n<  90 00  \n"
    assert str(parse_trace(free)) == "ATR 3B00\n# between\n> 00A40400\n< 9000\n"


@pytest.mark.parametrize("ins", sorted(PIN_INSTRUCTIONS))
@pytest.mark.parametrize("cla", [0x00, 0x04, 0x80, 0x84])
def test_pins_are_left_out(cla: int, ins: int) -> None:
    command = bytes((cla, ins, 0, 0, 3)) + bytes.fromhex("123456")
    trace = Trace([Atr(b"\x3b")])
    trace.add_answer(command, None, b"\x90\x00")
    trace.add_failure(command, None, CardRemoved())
    assert "123456" not in str(trace)
    assert str(trace).count("03......") == 2
    assert b"\x12\x34\x56" not in Pattern.of(command).value


def test_the_question_for_tries_left_is_kept() -> None:
    assert str(Pattern.of(bytes.fromhex("0020000000"))) == "00200000 00"


def test_what_was_left_out_matches_anything_of_its_size() -> None:
    pattern = Pattern.of(bytes.fromhex("0020000003123456"))
    assert pattern.matches(bytes.fromhex("0020000003654321"))
    assert not pattern.matches(bytes.fromhex("002000000212345600"))
    assert not pattern.matches(bytes.fromhex("0020000003123456") + b"\0")
    assert not pattern.matches(bytes.fromhex("0020000103123456"))


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_a_pattern_matches_its_own_command_and_no_other(one: bytes, other: bytes) -> None:
    assert Pattern.of(one).matches(one)
    exact = Pattern(one, b"\xff" * len(one))
    assert exact.matches(other) == (one == other)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("> 00840000\n< 9000\n", 1),  # no ATR
        ("reset\n", 1),
        ("ATR 3B\n< 9000\n", 2),  # no command
        ("ATR 3B\n> 00840000\n", 2),  # no answer
        ("ATR 3B\n> 00840000\n# note\n> 00840000\n< 9000\n", 4),
        ("ATR 3B\n> 00840000\nreset\n", 3),
        ("ATR 3B\n> 0084000\n", 2),  # half a byte
        ("ATR 3B\n> 00.8.000\n", 2),
        ("ATR 3B\n> 0084xx00\n", 2),
        ("ATR 3B\n> 00840000\n< ..\n", 3),  # answers are whole
        ("ATR 3B\n> 00840000\n! NOBODY_KNOWS\n", 3),
        ("ATR ..\n", 1),
        ("ATR 3B\nhello\n", 2),
        ("ATR 3B\n-1.0 > 00840000\n< 9000\n", 2),
        ("ATR 3B\nreset now\n", 2),
    ],
)
def test_errors_name_the_line(text: str, line: int) -> None:
    with pytest.raises(TraceError, match=rf"^line {line}: ") as caught:
        parse_trace(text)
    assert caught.value.line == line


@given(st.text(max_size=300) | st.text("ATR <>!#.0123456789reset\n", max_size=300))
def test_any_text_is_a_trace_or_a_trace_error(text: str) -> None:
    try:
        trace = parse_trace(text)
    except TraceError:
        return
    assert str(parse_trace(str(trace))) == str(trace)


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_module, "MAX_LINE", 20)
    with pytest.raises(TraceError, match="line 2"):
        parse_trace("ATR 3B\n# " + "x" * 20)
    monkeypatch.setattr(trace_module, "MAX_CHARACTERS", 20)
    with pytest.raises(TraceError, match="line 1"):
        parse_trace("#\n" * 11)


def test_notes_of_several_lines() -> None:
    trace = Trace()
    trace.note("one\ntwo")
    assert str(trace) == "# one\n# two\n"


def test_unknown_failures_keep_their_family() -> None:
    trace = Trace([Atr(b"\x3b")])
    trace.add_failure(bytes(4), None, ServiceUnavailable())
    trace.add_failure(bytes(4), None, NoAnswer())
    assert str(trace).splitlines()[2::2] == ["! CARD_ERROR", "! CARD_NO_ANSWER"]
    pulled = parse_trace(str(trace)).events[1]
    assert isinstance(pulled, Exchange)
    with pytest.raises(CardError):
        pulled.result()


def test_repr_shows_no_data() -> None:
    update = bytes.fromhex("00DC093006091ED5C5C8FD")
    assert "D5C5" not in repr(Exchange(Pattern.of(update), update)).upper()


def test_an_answer_that_gives_a_pin_away_is_left_out() -> None:
    """Facts 4.7: 80 C4 hashes a PIN; four to six digits are guessed from the hash at once."""
    trace = Trace([Atr(b"\x3b")])
    hash_pin, fetch = bytes.fromhex("80C4010305C103123456"), bytes.fromhex("00C0000020")
    secret = bytes(range(1, 33))
    trace.add_answer(hash_pin + b"\x00", None, secret + b"\x90\x00")
    trace.add_answer(hash_pin + b"\x00", None, b"\x61\x20")
    trace.add_answer(fetch, None, secret + b"\x90\x00")
    trace.add_answer(bytes.fromhex("0084000008"), None, secret[:8] + b"\x90\x00")
    trace.add_answer(bytes.fromhex("00C0000008"), None, secret[:8] + b"\x90\x00")
    text = str(trace)
    assert secret.hex().upper() not in text
    assert text.count("." * 64 + " 9000") == 2
    assert text.count(secret[:8].hex().upper()) == 2
    read = parse_trace(text)
    assert read.events == trace.events
    exchange = read.events[1]
    assert isinstance(exchange, Exchange)
    assert exchange.result() == bytes(32) + b"\x90\x00"


@pytest.mark.parametrize("answer", ["....", "..AA 9000", "... 9000 00", ".... ..00"])
def test_only_whole_data_are_left_out_of_an_answer(answer: str) -> None:
    with pytest.raises(TraceError, match="line 3"):
        parse_trace(f"ATR 3B\n> 80C40103\n< {answer}\n")


def test_a_file_without_an_end_is_no_trace() -> None:
    with pytest.raises(ConfigurationError):
        load_trace(Path("/dev/zero"))
