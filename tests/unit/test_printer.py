"""Receipts on paper: what the bytes mean to a printer, and what goes wrong with paper."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from simulator.printer import VirtualPrinter
from terminal.clock import SHANGHAI
from terminal.devices.printer import ReceiptPrinter, open_printer, receipt_bytes, width
from terminal.errors import PaperJam, PaperOut, PrinterError
from terminal.receipt import Receipt, ReceiptLine
from terminal.settings import PrinterSettings
from terminal.text import Text

RECEIPT = Receipt(
    Text("医疗费用结算单", "Settlement receipt"),
    "9901000001012026031609000001",
    datetime(2026, 3, 16, 9, tzinfo=SHANGHAI),
    "示例市第一医院",
    (
        ReceiptLine.amount(Text("费用总额", "Total"), 25020),
        ReceiptLine.amount(Text("个人现金支付", "To be paid by you"), 123, strong=True),
    ),
    (Text("请妥善保管本结算单。", "Please keep this receipt, it is the only one there is today."),),
)


@pytest.fixture
def virtual() -> Iterator[VirtualPrinter]:
    with VirtualPrinter() as printer:
        yield printer


@pytest.fixture
def printer(virtual: VirtualPrinter) -> ReceiptPrinter:
    second = timedelta(seconds=2)
    settings = PrinterSettings("network", "127.0.0.1", virtual.port, "", 9600, "", 32, second)
    opened = open_printer(settings)
    assert opened is not None
    return opened


def test_a_receipt_is_printed_in_chinese_within_the_paper(
    virtual: VirtualPrinter, printer: ReceiptPrinter
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


def test_english_is_broken_between_words(virtual: VirtualPrinter, printer: ReceiptPrinter) -> None:
    printer.print(RECEIPT, "en")
    assert "Please keep this receipt, it is\nthe only one there is today." in virtual.slip(0)


def test_the_chinese_mode_frames_every_chinese_character() -> None:
    # FS & switches it on, FS . off (facts B5); GB18030 of 医 is D2BD.
    document = receipt_bytes(RECEIPT, "zh", 48)
    before = document[: document.index(bytes.fromhex("D2BD"))]
    assert before.rindex(b"\x1c&") > before.rfind(b"\x1c.")


@pytest.mark.parametrize(
    ("trouble", "error"), [("no paper", PaperOut), ("jam", PaperJam), ("gone", PrinterError)]
)
def test_trouble_with_the_paper_is_told(
    virtual: VirtualPrinter, printer: ReceiptPrinter, trouble: str, error: type[PrinterError]
) -> None:
    virtual.has_paper = trouble != "no paper"
    virtual.jammed = trouble == "jam"
    if trouble == "gone":
        printer = ReceiptPrinter(_refused, 32)
    with pytest.raises(error):
        printer.print(RECEIPT, "zh")
    with pytest.raises(error):
        printer.check()
    assert virtual.slips == []


def _refused() -> None:
    raise ConnectionRefusedError
