"""A receipt printer on USB, through python-escpos and pyusb, on a bus that is simulated."""

from __future__ import annotations

from datetime import timedelta

import pytest

from terminal.devices.printer import ReceiptPrinter
from terminal.devices.printer_line import line_to
from terminal.errors import PaperOut, PrinterError
from terminal.settings import PrinterSettings

from .test_printer import RECEIPT

pytest.importorskip("usb", reason="the extra `usb` is not installed")
from .usb_printer import PRODUCT, VENDOR, UsbPrinterBackend

SECOND = timedelta(seconds=1)


@pytest.fixture
def usb() -> UsbPrinterBackend:
    return UsbPrinterBackend()


def usb_printer(backend: UsbPrinterBackend, product: int = PRODUCT) -> ReceiptPrinter:
    settings = PrinterSettings("usb", usb=f"{VENDOR:04x}:{product:04x}", timeout=SECOND)
    connect = line_to(settings, backend)
    assert connect is not None
    return ReceiptPrinter(connect, 32)


def test_a_printer_on_usb_is_found_asked_printed_on_and_given_back(usb: UsbPrinterBackend) -> None:
    printer = usb_printer(usb)
    printer.print(RECEIPT, "zh")
    assert RECEIPT.number in usb.mechanism.slip(0)
    usb.mechanism.has_paper = False
    with pytest.raises(PaperOut):
        printer.print(RECEIPT, "zh")
    assert usb.handles == 0
    usb.silent = True  # write-only: believed
    printer.check()
    with pytest.raises(PrinterError, match="DeviceNotFoundError"):
        usb_printer(usb, product=1).check()
