"""A receipt printer that is not there: ESC/POS, over TCP or a pseudo-terminal, drawn as a picture.

It understands what a receipt needs (reset, Chinese mode, alignment, sizes, QR, feed, cut). It
answers DLE EOT at once and GS r in its turn; out of paper, open or stuck it keeps what it hears and
prints it when that is mended, unless DLE ENQ tells it to forget.
"""

from __future__ import annotations

import io
import os
import socket
import tty
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Thread

import segno
from PIL import Image, ImageDraw, ImageFont

_FONT = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
_DOT, _LINE, _MARGIN = 12, 30, 16
"""Pixels of a narrow character, of a line, and beside the paper's edge."""

_FINE, _COVER_OPEN, _ERROR = 0x12, 0x16, 0x52
_CUTTER_STUCK, _PAPER_OUT = 0x1A, 0x72


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """One line: its text, its size (1 or 2 times), centred or not; or the content of a code."""

    text: str
    scale: int = 1
    centred: bool = False
    qr: str = ""


@dataclass(slots=True)
class _Paper:
    """The slip that is being printed."""

    lines: list[PrintedLine] = field(default_factory=list)
    text: bytearray = field(default_factory=bytearray)
    chinese: bool = False
    centred: bool = False
    scale: int = 1
    qr: str = ""


class PrinterMechanism:
    """What the printer does with bytes, on whatever line they come.

    `slips` are the lines of each slip that was cut. `has_paper`, `cover_open` and `jammed` are its
    troubles; `jams_after` lines of the next slip its cutter is stuck.
    """

    def __init__(self) -> None:
        self.has_paper = True
        self.cover_open = False
        self.jammed = False
        self.jams_after: int | None = None
        self.slips: list[list[PrintedLine]] = []
        self.unknown = bytearray()
        self._paper = _Paper()
        self._heard = b""
        self._changed = Condition()

    def slip(self, number: int, timeout: float = 10.0) -> str:
        """The text of the slip `number`, counted from 0, when it has been cut."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.slips) > number, timeout):
                raise TimeoutError(f"slip {number} was not printed")
            return "\n".join(line.text for line in self.slips[number])

    def picture(self, number: int, columns: int = 48) -> Image.Image:
        """The slip `number` as it would lie in the tray."""
        return draw(self.slips[number], columns)

    def mend(self) -> None:
        """Put paper in, take out what is stuck, close the cover; what was kept is printed now."""
        self.has_paper, self.cover_open, self.jammed, self.jams_after = True, False, False, None
        self.hear(b"", lambda _: None)

    def hear(self, data: bytes, answer: Callable[[bytes], object]) -> None:
        """Take what came on the line."""
        data = self._heard + data
        while data:
            used = self._at_once(data, answer) or self._command(data, answer)
            if used == 0:
                data = self._without_questions(data, answer)
                break
            data = data[used:]
        self._heard = data

    def _without_questions(self, data: bytes, answer: Callable[[bytes], object]) -> bytes:
        """Answer what is asked behind that which cannot be printed now, and keep the rest."""
        for at in range(len(data)):
            used = self._at_once(data[at:], answer)
            if used:
                kept = b"" if data[at + 1] == 0x05 else data[:at]
                return self._without_questions(kept + data[at + used :], answer)
        return data

    def _at_once(self, data: bytes, answer: Callable[[bytes], object]) -> int:
        """Do a real-time command, if `data` begins with a whole one."""
        if data[0] != 0x10 or len(data) < 3:
            return 0
        if data[1] == 0x04:
            answer(bytes((self._state(data[2]),)))
        elif data[1] == 0x05:
            self._paper = _Paper()
        return 3

    @property
    def _stopped(self) -> bool:
        return self.jammed or self.cover_open or not self.has_paper

    def _command(self, data: bytes, answer: Callable[[bytes], object]) -> int:
        """Bytes of the first command, 0 while it is not whole or cannot be done."""
        first = data[0]
        if self._stopped or first == 0x10:
            return 0
        if first in (0x1B, 0x1D) and len(data) < 3 and data != b"\x1b@":
            return 0
        match first:
            case 0x0A:
                self._end_line()
                return 1
            case 0x1C:
                if len(data) < 2:
                    return 0
                self._paper.chinese = data[1] == 0x26
                return 2
            case 0x1B:
                return self._escape(data)
            case 0x1D if data[1] == 0x72:
                answer(b"\x00")
                return 3
            case 0x1D:
                return self._group(data)
        self._paper.text.append(first)
        return 1

    def _escape(self, data: bytes) -> int:
        paper = self._paper
        match data[1]:
            case 0x40:
                self._paper = _Paper(lines=paper.lines)
                return 2
            case 0x61:
                paper.centred = data[2] == 1
            case 0x64:
                pass
            case _:
                self.unknown += data[:3]
        return 3

    def _group(self, data: bytes) -> int:
        paper = self._paper
        match data[1]:
            case 0x21:
                paper.scale = 1 + (data[2] & 0x0F)
                return 3
            case 0x56:
                with self._changed:
                    self.slips.append(paper.lines)
                    self._paper = _Paper()
                    self._changed.notify_all()
                return 4 if data[2] >= 0x41 else 3
            case 0x28:
                if len(data) < 5:
                    return 0
                end = 5 + int.from_bytes(data[3:5], "little")
                if len(data) < end:
                    return 0
                self._code(data[5:end])
                return end
        self.unknown += data[:3]
        return 3

    def _code(self, parameters: bytes) -> None:
        match parameters[1]:
            case 0x50:
                self._paper.qr = parameters[3:].decode("utf-8", "replace")
            case 0x51:
                self._paper.lines.append(PrintedLine("", centred=True, qr=self._paper.qr))

    def _end_line(self) -> None:
        paper = self._paper
        encoding = "gb18030" if paper.chinese else "ascii"
        text = paper.text.decode(encoding, "replace")
        paper.lines.append(PrintedLine(text, paper.scale, paper.centred))
        paper.text = bytearray()
        if self.jams_after is not None and len(paper.lines) >= self.jams_after:
            self.jammed = True

    def _state(self, question: int) -> int:
        match question:
            case 2 if self.cover_open:
                return _COVER_OPEN
            case 2 if self.jammed:
                return _ERROR
            case 3 if self.jammed:
                return _CUTTER_STUCK
            case 4 if not self.has_paper:
                return _PAPER_OUT
        return _FINE


class VirtualPrinter(PrinterMechanism):
    """Listens on a free port of this machine until it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = Thread(target=self._serve, name="virtual-printer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def __enter__(self) -> VirtualPrinter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        while True:
            try:
                data = connection.recv(4096)
            except OSError:
                return
            if not data:
                return
            self.hear(data, connection.sendall)


class SerialVirtualPrinter(PrinterMechanism):
    """On a pseudo-terminal, until it is closed. `device` is the path that the terminal opens.

    `silent` it answers nothing, like one whose line back is not wired.
    """

    def __init__(self) -> None:
        super().__init__()
        self.silent = False
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.device = os.ttyname(self._slave)
        self._thread = Thread(target=self._listen, name="virtual-printer", daemon=True)
        self._thread.start()

    def __enter__(self) -> SerialVirtualPrinter:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._slave)
        self._thread.join()
        os.close(self._master)

    def _listen(self) -> None:
        while True:
            try:
                data = os.read(self._master, 4096)
            except OSError:
                return
            self.hear(data, self._answer)

    def _answer(self, data: bytes) -> None:
        if not self.silent:
            os.write(self._master, data)


def draw(lines: list[PrintedLine], columns: int) -> Image.Image:
    """The lines on white paper `columns` wide."""
    width = columns * _DOT + 2 * _MARGIN
    codes = {line.qr: _qr(line.qr) for line in lines if line.qr}
    height = sum(codes[x.qr].height if x.qr else _LINE * x.scale for x in lines)
    paper = Image.new("L", (width, height + 2 * _LINE), 255)
    pen = ImageDraw.Draw(paper)
    y = _LINE
    for line in lines:
        if line.qr:
            code = codes[line.qr]
            paper.paste(code, ((width - code.width) // 2, y))
            y += code.height
            continue
        font = _font(int(_DOT * 1.9) * line.scale)
        x = (width - int(pen.textlength(line.text, font=font))) // 2 if line.centred else _MARGIN
        pen.text((x, y), line.text, font=font, fill=0)
        y += _LINE * line.scale
    return paper


def _qr(content: str) -> Image.Image:
    drawn = io.BytesIO()
    segno.make(content, micro=False).save(drawn, kind="png", scale=5, border=2)
    return Image.open(drawn).convert("L")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.truetype(str(_FONT), size) if _FONT.exists() else ImageFont.load_default()
