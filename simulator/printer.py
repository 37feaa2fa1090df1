"""A receipt printer that is not there: ESC/POS over TCP on this machine, drawn as a picture.

It understands what a receipt needs (reset, Chinese mode, alignment, sizes, QR, feed, cut), answers
DLE EOT, and can run out of paper or jam. `slips` are the lines of text of each slip that was cut.
"""

from __future__ import annotations

import io
import socket
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Thread

import segno
from PIL import Image, ImageDraw, ImageFont

_FONT = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
_DOT, _LINE, _MARGIN = 12, 30, 16
"""Pixels of a narrow character, of a line, and beside the paper's edge."""

_PAPER_OUT, _COVER_OPEN, _FINE = 0x72, 0x16, 0x12


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


class VirtualPrinter:
    """Listens on a free port of this machine until it is closed."""

    def __init__(self) -> None:
        self.has_paper = True
        self.jammed = False
        self.slips: list[list[PrintedLine]] = []
        self.unknown = bytearray()
        self._paper = _Paper()
        self._changed = Condition()
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

    def slip(self, number: int, timeout: float = 10.0) -> str:
        """The text of the slip `number`, counted from 0, when it has been cut."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.slips) > number, timeout):
                raise TimeoutError(f"slip {number} was not printed")
            return "\n".join(line.text for line in self.slips[number])

    def picture(self, number: int, columns: int = 48) -> Image.Image:
        """The slip `number` as it would lie in the tray."""
        return draw(self.slips[number], columns)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        pending = b""
        while True:
            try:
                data = connection.recv(4096)
            except OSError:
                return
            if not data:
                return
            pending = self._take(pending + data, connection)

    def _take(self, data: bytes, connection: socket.socket) -> bytes:
        """Do what `data` says and return what is not whole yet."""
        while data:
            used = self._command(data, connection)
            if used == 0:
                return data
            data = data[used:]
        return b""

    def _command(self, data: bytes, connection: socket.socket) -> int:
        """Bytes of the first command, 0 while it is not whole."""
        paper = self._paper
        first = data[0]
        if first == 0x10:
            if len(data) < 3:
                return 0
            connection.sendall(bytes((self._state(data[2]),)))
            return 3
        if first in (0x1B, 0x1D) and len(data) < 3 and data != b"\x1b@":
            return 0
        match first:
            case 0x0A:
                self._end_line()
                return 1
            case 0x1C:
                if len(data) < 2:
                    return 0
                paper.chinese = data[1] == 0x26
                return 2
            case 0x1B:
                return self._escape(data)
            case 0x1D:
                return self._group(data)
        paper.text.append(first)
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

    def _state(self, question: int) -> int:
        if question == 4 and not self.has_paper:
            return _PAPER_OUT
        return _COVER_OPEN if question == 2 and self.jammed else _FINE


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
