"""The receipt printer: ESC/POS over a network, serial or USB line.

A receipt becomes bytes first (`receipt_bytes`), without any printer. Chinese is GB18030 inside the
Chinese mode (FS & and FS ., facts B5), which the library leaves to us. The printer is asked for its
state before and after: paper that is out or stuck is told, and decides about nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from unicodedata import east_asian_width

from terminal.errors import PaperJam, PaperOut, PrinterError
from terminal.receipt import Receipt
from terminal.settings import PrinterSettings
from terminal.text import Text

_RESET, _CHINESE, _PLAIN = b"\x1b@", b"\x1c&", b"\x1c."
_LEFT, _CENTRE = b"\x1ba\x00", b"\x1ba\x01"
_NORMAL, _TALL, _BIG = b"\x1d!\x00", b"\x1d!\x01", b"\x1d!\x11"
_FEED = b"\x1bd\x04"
_CUT = b"\x1dV\x42\x00"

_ASK_OFFLINE, _ASK_ERROR, _ASK_PAPER = b"\x10\x04\x02", b"\x10\x04\x03", b"\x10\x04\x04"
_FIXED, _FIXED_ON = 0x93, 0x12
"""Bits that are the same in every answer to DLE EOT; an answer without them is none."""
_COVER_OPEN, _ERROR, _CUTTER, _UNRECOVERABLE, _NO_PAPER = 0x04, 0x40, 0x08, 0x20, 0x60

_NUMBER = Text("业务流水号", "Operation number")
_COPY = Text("扫码保存", "Scan to keep")
_QR_SIZE = 5


class ReceiptPrinter:
    """Prints receipts on a printer that `connect` opens anew each time, as python-escpos does.

    `columns` is how many narrow characters fit on a line.
    """

    def __init__(self, connect: Callable[[], Any], columns: int) -> None:
        self._connect = connect
        self._columns = columns

    def print(self, receipt: Receipt, language: str) -> None:
        """Print and cut. Raises `PaperOut`, `PaperJam` or `PrinterError`."""
        self._send(receipt_bytes(receipt, language, self._columns))

    def check(self) -> None:
        """Raise what `print` would raise, without printing."""
        self._send(b"")

    def _send(self, document: bytes) -> None:
        # The library raises whatever its line raises: OSError, serial and USB errors, its own.
        try:
            printer = self._connect()
            try:
                _refuse_trouble(printer)
                if document:
                    printer._raw(document)
                    _refuse_trouble(printer)
            finally:
                printer.close()
        except PrinterError:
            raise
        except Exception as error:
            raise PrinterError(f"the printer does not answer: {type(error).__name__}") from error


def open_printer(settings: PrinterSettings) -> ReceiptPrinter | None:
    """The printer that the settings describe, None where there is none. It is not reached yet."""
    match settings.kind:
        case "network":
            return ReceiptPrinter(lambda: _network(settings), settings.columns)
        case "serial":
            return ReceiptPrinter(lambda: _serial(settings), settings.columns)
        case "usb":
            return ReceiptPrinter(lambda: _usb(settings), settings.columns)
        case _:
            return None


def receipt_bytes(receipt: Receipt, language: str, columns: int) -> bytes:
    """The receipt as a printer takes it, from reset to cut."""
    when = f"{receipt.at:%Y-%m-%d %H:%M:%S}"
    number = _NUMBER.say(language)
    document = bytearray(_RESET + _CHINESE + _CENTRE + _BIG)
    document += _lines(_wrapped(receipt.title.say(language), columns // 2))
    document += _NORMAL + _lines((receipt.place, when))
    document += _LEFT + _lines(("-" * columns,))
    for line in receipt.lines:
        size = _TALL if line.strong else _NORMAL
        document += size + _lines(_pair(line.label.say(language), line.value, columns))
    document += _NORMAL + _lines(("-" * columns, *_pair(number, receipt.number, columns)))
    for note in receipt.notes:
        document += _lines(_wrapped(note.say(language), columns))
    document += _CENTRE + _PLAIN + _qr(receipt.number) + _CHINESE
    document += _lines((_COPY.say(language),)) + _PLAIN + _FEED + _CUT
    return bytes(document)


def width(text: str) -> int:
    """How many narrow characters wide it prints: a Chinese character counts as two."""
    return sum(2 if east_asian_width(one) in "WF" else 1 for one in text)


def _pair(label: str, value: str, columns: int) -> Iterable[str]:
    """Label on the left, value on the right; on two lines where one does not hold both."""
    room = columns - width(label) - width(value)
    if room >= 1:
        return (label + " " * room + value,)
    return (*_wrapped(label, columns), " " * max(0, columns - width(value)) + value)


def _wrapped(text: str, columns: int) -> list[str]:
    """Lines of at most `columns`; English breaks between words, Chinese anywhere."""
    lines, line = [], ""
    for word in _pieces(text):
        if width(line) + width(word.rstrip()) > columns and line:
            lines.append(line.rstrip())
            line = ""
        line += word
    return [*lines, line.rstrip()] if line.strip() else lines


def _pieces(text: str) -> Iterable[str]:
    word = ""
    for one in text:
        if width(one) == 2:
            if word:
                yield word
            yield one
            word = ""
        else:
            word += one
            if one == " ":
                yield word
                word = ""
    if word:
        yield word


def _lines(lines: Iterable[str]) -> bytes:
    return b"".join(line.encode("gb18030", "replace") + b"\n" for line in lines)


def _qr(content: str) -> bytes:
    from escpos.printer import Dummy

    composer = Dummy()
    composer.qr(content, native=True, size=_QR_SIZE)
    written: bytes = composer.output
    return written


def _refuse_trouble(printer: Any) -> None:  # noqa: ANN401 - the library has no types
    """Ask the printer how it is. One that never answers may be write-only, and is believed."""
    offline, error, paper = (_ask(printer, one) for one in (_ASK_OFFLINE, _ASK_ERROR, _ASK_PAPER))
    if paper is not None and paper & _NO_PAPER == _NO_PAPER:
        raise PaperOut("the paper sensor sees none")
    if offline is not None and offline & _COVER_OPEN:
        raise PaperJam("the cover is open")
    if error is not None and error & (_CUTTER | _UNRECOVERABLE):
        raise PaperJam("the cutter is stuck")
    if offline is not None and offline & _ERROR:
        raise PrinterError("the printer reports an error")


def _ask(printer: Any, question: bytes) -> int | None:  # noqa: ANN401
    printer._raw(question)
    try:
        answer: bytes = printer._read()
    except TimeoutError:
        return None
    if len(answer) != 1 or answer[0] & _FIXED != _FIXED_ON:
        return None
    return answer[0]


def _network(settings: PrinterSettings) -> Any:  # noqa: ANN401
    from escpos.printer import Network

    printer = Network(settings.host, settings.tcp_port, timeout=settings.timeout.total_seconds())
    printer.open()
    return printer


def _serial(settings: PrinterSettings) -> Any:  # noqa: ANN401
    from escpos.printer import Serial

    seconds = settings.timeout.total_seconds()
    printer = Serial(settings.device, settings.baud, timeout=seconds, dsrdtr=False)
    printer.open()
    return printer


def _usb(settings: PrinterSettings) -> Any:  # noqa: ANN401
    from escpos.printer import Usb

    vendor, product = settings.usb.split(":")
    printer = Usb(int(vendor, 16), int(product, 16), timeout=settings.timeout.seconds * 1000)
    printer.open()
    return printer
