"""The receipt printer: ESC/POS over a network, serial or USB line.

A receipt becomes bytes first (`receipt_bytes`), without any printer. Chinese is GB18030 inside the
Chinese mode (FS & and FS ., facts B5), which the library leaves to us. The printer is asked for its
state before and, once it has printed, again: paper that is out or stuck is told, and decides about
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from threading import Lock
from unicodedata import east_asian_width

from terminal.devices.printer_line import Connect, PrinterLine, line_to
from terminal.errors import PaperJam, PaperOut, PrinterCoverOpen, PrinterError
from terminal.receipt import Receipt
from terminal.settings import PrinterSettings
from terminal.text import Text

_RESET, _CHINESE, _PLAIN = b"\x1b@", b"\x1c&", b"\x1c."
_LEFT, _CENTRE = b"\x1ba\x00", b"\x1ba\x01"
_NORMAL, _TALL, _BIG = b"\x1d!\x00", b"\x1d!\x01", b"\x1d!\x11"
_FEED = b"\x1bd\x04"
_CUT = b"\x1dV\x42\x00"

_ASK_OFFLINE, _ASK_ERROR, _ASK_PAPER = b"\x10\x04\x02", b"\x10\x04\x03", b"\x10\x04\x04"
_ASK_WHEN_PRINTED = b"\x1dr\x01"
"""Answered in its turn, behind what is printed before it; DLE EOT is answered at once."""
_FORGET = b"\x10\x05\x02"
"""Drop what has not been printed, so that it does not come out when the paper is mended."""
_FIXED, _FIXED_ON = 0x93, 0x12
"""Bits that are the same in every answer to DLE EOT; an answer without them is none."""
_COVER_OPEN, _ERROR, _CUTTER, _UNRECOVERABLE, _NO_PAPER = 0x04, 0x40, 0x08, 0x20, 0x60

_NUMBER = Text("业务流水号", "Operation number")
_COPY = Text("扫码保存", "Scan to keep")
_QR_SIZE = 5


class ReceiptPrinter:
    """Prints receipts on a printer to which `connect` opens the line anew each time.

    `columns` is how many narrow characters fit on a line. Holder and operator may print at the same
    time: one after the other.
    """

    def __init__(self, connect: Connect, columns: int) -> None:
        self._connect = connect
        self._columns = columns
        self._in_use = Lock()

    def print(self, receipt: Receipt, language: str) -> None:
        """Print and cut. Raises `PaperOut`, `PaperJam`, `PrinterCoverOpen` or `PrinterError`."""
        self._send(receipt_bytes(receipt, language, self._columns))

    def check(self) -> None:
        """Raise what `print` would raise, without printing."""
        self._send(b"")

    def _send(self, document: bytes) -> None:
        # The library raises whatever its line raises: OSError, serial and USB errors, its own.
        try:
            with self._in_use, closing(self._connect()) as line:
                answers = _refuse_trouble(line)
                if document:
                    line.write(document)
                    if answers:
                        _wait_until_printed(line)
        except PrinterError:
            raise
        except Exception as error:
            raise PrinterError(f"the printer does not answer: {type(error).__name__}") from error


def open_printer(settings: PrinterSettings) -> ReceiptPrinter | None:
    """The printer that the settings describe, None where there is none. It is not reached yet."""
    connect = line_to(settings)
    return None if connect is None else ReceiptPrinter(connect, settings.columns)


def receipt_bytes(receipt: Receipt, language: str, columns: int) -> bytes:
    """The receipt as a printer takes it, from reset to cut."""
    when = f"{receipt.at:%Y-%m-%d %H:%M:%S}"
    document = bytearray(_RESET + _CHINESE + _CENTRE + _BIG)
    document += _lines(_wrapped(receipt.title.say(language), columns // 2))
    document += _NORMAL + _lines((receipt.place, when))
    document += _LEFT + _lines(("-" * columns,))
    for line in receipt.lines:
        label, value = line.label.say(language), line.value.say(language)
        document += (_TALL if line.strong else _NORMAL) + _lines(_pair(label, value, columns))
    document += _NORMAL + _lines(("-" * columns,))
    if receipt.number:
        document += _lines(_pair(_NUMBER.say(language), receipt.number, columns))
    for note in receipt.notes:
        document += _lines(_wrapped(note.say(language), columns))
    if receipt.number:
        document += (
            _CENTRE + _PLAIN + _qr(receipt.number) + _CHINESE + _lines((_COPY.say(language),))
        )
    return bytes(document + _PLAIN + _FEED + _CUT)


def width(text: str) -> int:
    """How many narrow characters wide it prints: a Chinese character counts as two."""
    return sum(2 if east_asian_width(one) in "WF" else 1 for one in text)


def _pair(label: str, value: str, columns: int) -> Iterable[str]:
    """Label on the left, value on the right; below each other where one line does not hold both."""
    room = columns - width(label) - width(value)
    if room >= 1:
        return (label + " " * room + value,)
    below = (" " * (columns - width(line)) + line for line in _wrapped(value, columns))
    return (*_wrapped(label, columns), *below)


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


def _wait_until_printed(line: PrinterLine) -> None:
    """Raise what stopped it; a printer that stops says nothing until it is asked at once."""
    if line.ask(_ASK_WHEN_PRINTED) is None:
        try:
            _refuse_trouble(line)
        except PrinterError:
            line.write(_FORGET)
            raise


def _refuse_trouble(line: PrinterLine) -> bool:
    """Ask the printer how it is, and say whether it answers.

    One that never answers may be write-only: it is asked once, and believed.
    """
    offline = _state(line, _ASK_OFFLINE)
    if offline is None:
        return False
    paper, error = _state(line, _ASK_PAPER) or 0, _state(line, _ASK_ERROR) or 0
    if paper & _NO_PAPER == _NO_PAPER:
        raise PaperOut("the paper sensor sees none")
    if offline & _COVER_OPEN:
        raise PrinterCoverOpen("the cover is open")
    if error & (_CUTTER | _UNRECOVERABLE):
        raise PaperJam("the cutter is stuck")
    if offline & _ERROR:
        raise PrinterError("the printer reports an error")
    return True


def _state(line: PrinterLine, question: bytes) -> int | None:
    answer = line.ask(question)
    return answer if answer is not None and answer & _FIXED == _FIXED_ON else None
