"""The console driver: what it prints, how it asks, and that Ctrl-C waits while money moves."""

from __future__ import annotations

import io
import os
import pty
import signal
import termios
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import segno
from rich.console import Console

from apdu.pin import Pin
from apdu.status import PinFormat
from terminal.drivers import pin_input
from terminal.drivers.console import ConsoleDriver
from terminal.drivers.qr import QUIET, qr_lines
from terminal.flow import Flow, committing, drive
from terminal.outcome import Cancelled, Done
from terminal.receipt import Receipt, ReceiptLine
from terminal.screens import (
    LONGEST_SCAN,
    AskIdentity,
    AskPin,
    AskScan,
    Choose,
    Confirm,
    Details,
    Identity,
    Message,
    Option,
    Progress,
    ReceiptScreen,
    Row,
    Screen,
    Section,
    ShowQr,
    Tone,
)
from terminal.text import Text

TITLE = Text("我的标题", "My title")
SECRET = Row(Text("姓名", "Name"), Text("张三丰三", "张三丰三"), personal=True)
ASK = Confirm(TITLE, (Section(TITLE, (SECRET,)),), Text("是", "Yes"), Text("否", "No"))
CHOOSE = Choose(TITLE, (Option("a", Text("甲", "A")), Option("b", Text("乙", "B"), TITLE)))
RECEIPT = Receipt(
    TITLE,
    "990100000001" + "20261123101010" + "0001",
    datetime(2026, 11, 23, 10, 10, 10, tzinfo=UTC),
    "示例医院",
    (ReceiptLine.amount(Text("合计", "Total"), 12345, strong=True),),
    (Text("请保管", "Keep this"),),
)


def no_pin() -> Pin:
    raise AssertionError("no PIN was asked for")


class Face:
    """A driver with its output kept and its input prepared."""

    def __init__(
        self,
        *lines: str,
        read_pin: Callable[[], Pin] = no_pin,
        lang: str | None = None,
        show_personal: bool = False,
    ) -> None:
        self.out = io.StringIO()
        self.lines = iter(lines)
        self.driver = ConsoleDriver(
            Console(file=self.out, width=90, highlight=False),
            read_line=self.read_line,
            read_pin=read_pin,
            lang=lang,
            show_personal=show_personal,
        )

    def read_line(self) -> str:
        try:
            return next(self.lines)
        except StopIteration:
            raise EOFError from None

    @property
    def text(self) -> str:
        return self.out.getvalue()


@pytest.mark.parametrize(
    "screen",
    [
        Message(TITLE, (Text("正文", "Body"),), Tone.WARNING, "SOME_CODE"),
        Details(TITLE, (Section(TITLE, (SECRET,)),)),
        Progress(TITLE),
        ReceiptScreen(RECEIPT),
    ],
)
def test_screens_that_are_only_seen_show_both_languages(screen: Screen) -> None:
    face = Face()
    assert face.driver.show(screen) is None
    assert "我的标题" in face.text
    assert "My title" in face.text


@pytest.mark.parametrize(
    ("lang", "shown", "hidden"), [("zh", "我的标题", "My"), ("en", "My", "我")]
)
def test_one_language_alone(lang: str, shown: str, hidden: str) -> None:
    face = Face(lang=lang)
    face.driver.show(Message(TITLE))
    assert shown in face.text
    assert hidden not in face.text


def test_a_message_shows_its_code_and_a_sign_besides_the_colour() -> None:
    face = Face()
    face.driver.show(Message(TITLE, tone=Tone.ERROR, code="SOME_CODE"))
    assert "SOME_CODE" in face.text
    assert "✘" in face.text


@pytest.mark.article(25)
def test_personal_values_are_masked_unless_asked_for() -> None:
    face, open_face = Face(), Face(show_personal=True)
    screen = Details(TITLE, (Section(TITLE, (SECRET,)),))
    face.driver.show(screen)
    open_face.driver.show(screen)
    assert "张三丰三" not in face.text
    assert "张***" in face.text
    assert "张三丰三" in open_face.text


def test_a_receipt_shows_number_and_amount() -> None:
    face = Face()
    face.driver.show(ReceiptScreen(RECEIPT))
    assert RECEIPT.number in face.text
    assert "¥ 123.45" in face.text


def test_a_choice_is_asked_until_it_is_one() -> None:
    face = Face("0", "x", "3", " 2 ")
    assert face.driver.show(CHOOSE) == "b"


@pytest.mark.parametrize(
    ("typed", "answer"), [("y", True), ("是", True), ("n", False), ("NO", False)]
)
def test_yes_and_no(typed: str, answer: bool) -> None:
    assert Face("maybe", typed).driver.show(ASK) is answer


@pytest.mark.parametrize("lines", [(), ("q",)])
def test_leaving_cancels(lines: tuple[str, ...]) -> None:
    with pytest.raises(Cancelled):
        Face(*lines).driver.show(CHOOSE)


def test_ctrl_c_cancels_at_a_question() -> None:
    face = Face()

    def interrupt() -> str:
        raise KeyboardInterrupt

    face.driver = ConsoleDriver(Console(file=face.out), read_line=interrupt, read_pin=no_pin)
    with pytest.raises(Cancelled):
        face.driver.show(CHOOSE)


def test_a_pin_that_is_none_is_asked_for_again() -> None:
    answers: Iterator[str] = iter(["12", "abcd", "123456"])

    def read_pin() -> Pin:
        return Pin(next(answers))

    face = Face(read_pin=read_pin)
    answer = face.driver.show(AskPin(TITLE, Text("错了", "wrong"), 2))
    assert isinstance(answer, Pin)
    assert answer.matches(Pin("123456"))
    assert "wrong" in face.text
    assert "123456" not in face.text


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_ends_a_program_waits_for_the_end_of_a_section(ending: signal.Signals) -> None:
    face = Face()
    steps: list[str] = []

    def flow() -> Flow:
        yield from committing("提交", "committing")
        os.kill(os.getpid(), ending)
        steps.append("recorded")
        return Done(TITLE)

    before = signal.getsignal(ending)
    assert drive(flow(), face.driver) == Done(TITLE)
    assert steps == ["recorded"]
    assert "Finishing first" in face.text
    with pytest.raises(Cancelled):
        face.driver.show(Message(TITLE))
    assert "My title" in face.text, "what came of it is shown all the same"
    assert signal.getsignal(ending) is before


def test_closing_gives_ctrl_c_back() -> None:
    face = Face()
    before = signal.getsignal(signal.SIGINT)
    face.driver.show(Progress(TITLE, cancellable=False))
    assert signal.getsignal(signal.SIGINT) is not before
    face.driver.close()
    assert signal.getsignal(signal.SIGINT) is before


def type_pin(keys: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[Pin, bytes]:
    """Type `keys` at a terminal once it asks for a PIN; the PIN, and what the terminal echoed."""
    ours, theirs = pty.openpty()

    def typist() -> None:
        while termios.tcgetattr(theirs)[3] & termios.ECHO:
            os.sched_yield()
        os.write(ours, keys)

    with os.fdopen(theirs, "r") as stdin, ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr("sys.stdin", stdin)
        typing = pool.submit(typist)
        try:
            entered = pin_input.read_pin()
        finally:
            typing.result()
        assert termios.tcgetattr(theirs)[3] & termios.ECHO, "the terminal is as it was"
        os.set_blocking(ours, False)
        try:
            echoed = os.read(ours, 100)
        except BlockingIOError:
            echoed = b""
    os.close(ours)
    return entered, echoed


def test_a_pin_is_typed_without_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    entered, echoed = type_pin(b"12\x7f3456\x087\n", monkeypatch)
    assert entered.matches(Pin("13457"))
    assert echoed == b""


def test_the_end_of_input_cancels_a_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Cancelled):
        type_pin(b"12\x04", monkeypatch)


def test_letters_typed_for_a_pin_are_no_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PinFormat):
        type_pin(b"12ab\n", monkeypatch)


def test_a_pin_from_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("2468\n"))
    assert pin_input.read_pin().matches(Pin("2468"))
    with pytest.raises(Cancelled):
        pin_input.read_pin()


def test_an_identity_is_typed_line_by_line() -> None:
    face = Face("", "张三", "99010019900101123x")
    assert face.driver.show(AskIdentity(TITLE, Text("不符", "No match"))) == Identity(
        "张三", "99010019900101123X"
    )
    assert "不符" in face.text
    assert "No match" in face.text


def test_a_scanner_types_what_it_reads_and_case_counts() -> None:
    face = Face("x" * (LONGEST_SCAN + 1), "SSCT1:AbC")
    assert face.driver.show(AskScan(TITLE)) == "SSCT1:AbC"


@pytest.mark.parametrize("screen", [AskIdentity(TITLE), AskScan(TITLE)])
def test_a_question_for_text_can_be_left(screen: Screen) -> None:
    with pytest.raises(Cancelled):
        Face("q").driver.show(screen)
    with pytest.raises(Cancelled):
        Face().driver.show(screen)


@pytest.mark.article(31)
def test_a_qr_code_is_drawn_module_by_module() -> None:
    end = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)
    face = Face()
    assert face.driver.show(ShowQr(TITLE, "SSCT1:ABCDEFGH", (TITLE,), end)) is None
    assert "2026-11-23 10:05:00" in face.text
    drawn = [line.strip("│ ") for line in face.text.splitlines()]
    expected = [line.strip() for line in qr_lines("SSCT1:ABCDEFGH").splitlines()]
    assert [line for line in drawn if set(line) & set("█▀▄")] == [e for e in expected if e]


def test_the_modules_of_a_qr_code_are_those_of_its_matrix() -> None:
    lines = qr_lines("SSCT1:ABCDEFGH").splitlines()
    upper, lower = set("█▀"), set("█▄")
    rows = [[char in half for char in line] for line in lines for half in (upper, lower)]
    matrix = [
        [module > 0 for module in row]
        for row in segno.make_qr("SSCT1:ABCDEFGH", error="m").matrix_iter(border=QUIET)
    ]
    assert rows[: len(matrix)] == matrix
    assert len(matrix) == 21 + 2 * QUIET
