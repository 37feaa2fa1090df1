"""Receipts on paper: what the bytes mean to a printer, and what goes wrong with paper."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from serial import SerialTimeoutException

from backend_client.messages import CardRef
from simulator.printer import PrinterMechanism, SerialVirtualPrinter, VirtualPrinter
from terminal.clock import SHANGHAI
from terminal.devices.printer import ReceiptPrinter, open_printer, receipt_bytes, width
from terminal.devices.printer_line import PrinterLine
from terminal.errors import PaperJam, PaperOut, PrinterCoverOpen, PrinterError
from terminal.functions.receipts import receipt_again
from terminal.life_texts import CAUSES
from terminal.receipt import Receipt, ReceiptLine
from terminal.settings import PrinterSettings
from terminal.store.journal import Kind, Operation, State
from terminal.text import Text

RECEIPT = Receipt(
    Text("医疗费用结算单", "Settlement receipt"),
    "9901000001012026031609000001",
    datetime(2026, 3, 16, 9, tzinfo=SHANGHAI),
    "示例市第一医院",
    (
        ReceiptLine(Text("险种", "Insurance"), Text("医疗保险", "Medical insurance")),
        ReceiptLine(Text("事项", "For"), CAUSES["photo_at_seven"]),
        ReceiptLine.amount(Text("费用总额", "Total"), 25020),
        ReceiptLine.amount(Text("个人现金支付", "To be paid by you"), 123, strong=True),
    ),
    (Text("请妥善保管本结算单。", "Please keep this receipt, it is the only one there is today."),),
)


SECOND = timedelta(seconds=1)


def opened(settings: PrinterSettings) -> ReceiptPrinter:
    printer = open_printer(settings)
    assert printer is not None
    return printer


@pytest.fixture(params=["network", "serial"])
def virtual(request: pytest.FixtureRequest) -> Iterator[PrinterMechanism]:
    with VirtualPrinter() if request.param == "network" else SerialVirtualPrinter() as printer:
        yield printer


@pytest.fixture
def printer(virtual: PrinterMechanism) -> ReceiptPrinter:
    match virtual:
        case VirtualPrinter(port=port):
            return opened(PrinterSettings("network", "127.0.0.1", port, columns=32, timeout=SECOND))
        case SerialVirtualPrinter(device=device):
            return opened(PrinterSettings("serial", device=device, columns=32, timeout=SECOND))
    raise AssertionError(virtual)


def test_a_receipt_is_printed_in_chinese_within_the_paper(
    virtual: PrinterMechanism, printer: ReceiptPrinter
) -> None:
    printer.print(RECEIPT, "zh")
    text = virtual.slip(0)
    assert "医疗费用结算单" in text
    assert "个人现金支付              ¥ 1.23" in text
    assert RECEIPT.number in text
    assert all(width(line.text) * line.scale <= 32 or line.scale == 2 for line in virtual.slips[0])
    assert [line.qr for line in virtual.slips[0] if line.qr] == [RECEIPT.number]
    assert virtual.unknown == b""
    picture = virtual.picture(0, columns=32)
    assert picture.getextrema() == (0, 255)


def test_english_is_broken_between_words(
    virtual: PrinterMechanism, printer: ReceiptPrinter
) -> None:
    printer.print(RECEIPT, "en")
    assert "Insurance      Medical insurance" in virtual.slip(0)
    assert (
        "For\n  Exchange: a photo from the age\n                            of 7\n"
        in virtual.slip(0)
    )
    assert "Please keep this receipt, it is\nthe only one there is today." in virtual.slip(0)


def test_the_chinese_mode_frames_every_chinese_character() -> None:
    # FS & switches it on, FS . off (facts B5); GB18030 of 医 is D2BD.
    document = receipt_bytes(RECEIPT, "zh", 48)
    before = document[: document.index(bytes.fromhex("D2BD"))]
    assert before.rindex(b"\x1c&") > before.rfind(b"\x1c.")


TROUBLES = [("has_paper", False, PaperOut), ("cover_open", True, PrinterCoverOpen)]
TROUBLES += [("jammed", True, PaperJam)]


@pytest.mark.parametrize(("trouble", "value", "error"), TROUBLES)
def test_trouble_is_told_and_nothing_is_printed_until_it_is_mended(
    virtual: PrinterMechanism,
    printer: ReceiptPrinter,
    trouble: str,
    value: bool,
    error: type[PrinterError],
) -> None:
    setattr(virtual, trouble, value)
    with pytest.raises(error):
        printer.print(RECEIPT, "zh")
    with pytest.raises(error):
        printer.check()
    virtual.mend()
    printer.check()
    assert virtual.slips == []


def test_paper_that_is_stuck_in_mid_slip_is_told_and_the_rest_is_forgotten(
    virtual: PrinterMechanism, printer: ReceiptPrinter
) -> None:
    virtual.jams_after = 4
    with pytest.raises(PaperJam):
        printer.print(RECEIPT, "zh")
    with pytest.raises(PaperJam):
        printer.check()
    virtual.mend()
    assert virtual.slips == []
    printer.print(RECEIPT, "en")  # the next one's slip holds nothing of it
    assert "医疗费用结算单" not in virtual.slip(0)
    assert virtual.slip(0).startswith("Settlement\nreceipt\n")


def test_a_printer_that_cannot_answer_is_asked_once_and_believed() -> None:
    asked: list[bytes] = []
    line = PrinterLine(asked.append, lambda: b"", lambda: None)
    ReceiptPrinter(lambda: line, 32).print(RECEIPT, "zh")
    assert asked == [b"\x10\x04\x02", receipt_bytes(RECEIPT, "zh", 32)]


def test_a_printer_that_is_gone_or_takes_nothing_is_told() -> None:
    def refused() -> PrinterLine:
        raise ConnectionRefusedError

    def stuck(_: bytes) -> None:
        raise SerialTimeoutException

    for connect in (refused, lambda: PrinterLine(stuck, lambda: b"", lambda: None)):
        with pytest.raises(PrinterError, match="does not answer"):
            ReceiptPrinter(connect, 32).print(RECEIPT, "zh")


def test_an_answer_on_a_serial_line_is_not_waited_for_longer_than_it_takes() -> None:
    # One byte is the whole answer: a line that waited for more would wait its time-out each time.
    with SerialVirtualPrinter() as virtual:
        minute = timedelta(seconds=60)
        settings = PrinterSettings("serial", device=virtual.device, timeout=minute)
        opened(settings).print(RECEIPT, "zh")
        assert RECEIPT.number in virtual.slip(0)


def test_holder_and_operator_may_print_at_the_same_time(
    virtual: PrinterMechanism, printer: ReceiptPrinter
) -> None:
    with ThreadPoolExecutor(4) as threads:
        printed = [threads.submit(printer.print, RECEIPT, "zh") for _ in range(8)]
    assert [one.result() for one in printed] == [None] * 8
    virtual.slip(7)
    assert len({tuple(slip) for slip in virtual.slips}) == 1


NOW = datetime(2026, 3, 16, 9, tzinfo=SHANGHAI)


def operation(state: State, kind: Kind = Kind.BENEFIT) -> Operation:
    number = RECEIPT.number
    return Operation(number, kind, state, CardRef("00" * 16, "X"), {}, {}, None, NOW, NOW)


def test_a_receipt_again_says_what_the_journal_knows_now() -> None:
    done = receipt_again("A", NOW, operation(State.CONFIRMED))
    assert done is not None
    assert done.title.zh == "待遇领取确认凭条（补打）"
    for state in (State.SENT, State.UNKNOWN):
        open_yet = receipt_again("A", NOW, operation(state))
        assert open_yet is not None
        assert open_yet.title.en == "Slip: not finished (copy)"
        assert "请勿重复付款" in open_yet.notes[0].zh
    for state in (State.PREPARED, State.REFUSED, State.REVERSED):
        assert receipt_again("A", NOW, operation(state)) is None
    assert receipt_again("A", NOW, operation(State.CONFIRMED, Kind.ACTIVATION)) is None
