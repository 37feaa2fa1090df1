"""Screens drawn with rich, for the console driver and the demo.

Tone is told by a sign and a word in the border's title, never by colour alone.
"""

from __future__ import annotations

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text as Styled

from terminal.clock import local
from terminal.drivers.qr import qr_lines
from terminal.mask import mask
from terminal.receipt import Receipt
from terminal.screens import (
    AskAmount,
    AskIdentity,
    AskPin,
    AskScan,
    Choose,
    Confirm,
    Details,
    Message,
    Progress,
    ReceiptScreen,
    Row,
    Screen,
    Section,
    ShowQr,
    Tone,
)
from terminal.text import Text

_TONES = {
    Tone.INFO: ("cyan", "ℹ"),
    Tone.SUCCESS: ("green", "✔"),
    Tone.WARNING: ("yellow", "!"),
    Tone.ERROR: ("red", "✘"),
}
_VALID_UNTIL = Text("有效期至 {end}", "Valid until {end}")
_WIDTH = 76
_TITLE_WIDTH = _WIDTH - 6
_LABEL_WIDTH = 38


class PipedConsole(Console):
    """A console whose output may be a pipe that somebody closes: that is an exception, not exit 1.

    Standard output, nothing highlighted on its own; NO_COLOR and pipes turn colours off.
    """

    def __init__(self) -> None:
        super().__init__(highlight=False)

    def on_broken_pipe(self) -> None:
        """Raise `BrokenPipeError`, for the command line to deal with."""
        raise BrokenPipeError


class Painter:
    """Turns screens into renderables. `lang` is "zh", "en" or None for both."""

    def __init__(self, *, lang: str | None = None, show_personal: bool = False) -> None:
        self._lang = lang
        self._show_personal = show_personal

    def paint(self, screen: Screen) -> RenderableType:
        """The whole screen."""
        match screen:
            case Message():
                return self._message(screen)
            case Details():
                return self._panel(screen.title, *self._sections(screen.sections))
            case Choose():
                return self._panel(screen.title, self._options(screen))
            case AskPin():
                return self._ask_pin(screen)
            case AskAmount():
                body = self._sections(screen.sections)
                return self._panel(screen.title, *body, *self._noted(screen.note))
            case AskIdentity() | AskScan():
                return self._panel(screen.title, *self._noted(screen.note))
            case ShowQr():
                return self._qr(screen)
            case Confirm():
                return self._confirm(screen)
            case Progress():
                return Styled("… ", style="cyan") + self.line(screen.title)
            case ReceiptScreen():
                return self._receipt(screen.receipt)

    def line(self, text: Text) -> Styled:
        """A text on one line: Chinese, then English dimmed."""
        if self._lang is not None:
            return Styled(self._one(text))
        if text.zh == text.en:
            return Styled(text.zh)
        return Styled(text.zh).append(f"  {text.en}", style="dim")

    def _one(self, text: Text) -> str:
        return text.en if self._lang == "en" else text.zh

    def _message(self, screen: Message) -> Panel:
        colour, sign = _TONES[screen.tone]
        body: list[RenderableType] = [self._stacked(text) for text in screen.body]
        if screen.code:
            body.append(Styled(screen.code, style="dim"))
        heading = Styled(f"{sign} ", style=f"bold {colour}") + self._stacked(screen.title, "bold")
        return self._frame(Group(heading, *body), colour)

    def _stacked(self, text: Text, style: str = "") -> Styled:
        if self._lang is not None:
            return Styled(self._one(text), style=style)
        return Styled(text.zh, style=style).append(f"\n{text.en}", style="dim")

    def _panel(self, title: Text, *body: RenderableType, style: str = "cyan") -> Panel:
        heading = self.line(title)
        heading.stylize("bold", 0, len(self._one(title)))
        if heading.cell_len > _TITLE_WIDTH:
            return self._frame(Group(self._stacked(title, "bold"), *body), style)
        return self._frame(Group(*body), style, heading)

    def _frame(self, body: RenderableType, style: str, title: Styled | None = None) -> Panel:
        return Panel(
            body,
            title=title,
            title_align="left",
            border_style=style,
            box=box.ROUNDED,
            width=_WIDTH,
        )

    def _sections(self, sections: tuple[Section, ...]) -> list[RenderableType]:
        drawn: list[RenderableType] = []
        for section in sections:
            heading = self.line(section.title)
            heading.stylize("underline", 0, len(self._one(section.title)))
            drawn.append(heading)
            drawn.append(self._rows(section.rows))
        return drawn

    def _confirm(self, screen: Confirm) -> Panel:
        amounts = [self._rows(screen.amounts)] if screen.amounts else []
        sections = self._sections(screen.sections)
        return self._panel(screen.title, *amounts, *sections, style="yellow")

    def _rows(self, rows: tuple[Row, ...]) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(width=_LABEL_WIDTH)
        table.add_column(overflow="fold")
        for row in rows:
            table.add_row(self.line(row.label), self._value(row))
        return table

    def _value(self, row: Row) -> Styled:
        value = self.line(row.value)
        if row.personal and not self._show_personal:
            return Styled(mask(self._one(row.value)))
        return value

    def _options(self, screen: Choose) -> Table:
        table = Table.grid(padding=(0, 2))
        for number, option in enumerate(screen.options, 1):
            table.add_row(Styled(str(number), style="bold cyan"), self.line(option.label))
            if option.detail is not None:
                table.add_row("", self.line(option.detail))
        return table

    def _ask_pin(self, screen: AskPin) -> Panel:
        body = self._noted(screen.note)
        least, most = screen.shortest, screen.longest
        digits = Text(f"{least} 至 {most} 位数字", f"{least} to {most} digits")
        body.append(self.line(digits if least < most else Text(f"{most} 位数字", f"{most} digits")))
        return self._panel(screen.title, *body)

    def _noted(self, note: Text | None) -> list[RenderableType]:
        """What was wrong before, if anything was."""
        if note is None:
            return []
        return [Styled("! ", style="bold yellow") + self._stacked(note)]

    def _qr(self, screen: ShowQr) -> Panel:
        body: list[RenderableType] = [self._stacked(text) for text in screen.body]
        if screen.valid_until is not None:
            end = f"{local(screen.valid_until):%Y-%m-%d %H:%M:%S}"
            body.append(self.line(_VALID_UNTIL.fill(end=end)))
        body.append(Styled(qr_lines(screen.payload), style="black on white"))
        body.append(Styled(screen.payload, style="dim"))
        return self._panel(screen.title, *body)

    def _receipt(self, receipt: Receipt) -> Panel:
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column()
        table.add_column(justify="right")
        number = Text("业务流水号", "Operation number")
        when = Text("时间", "Time")
        place = Text("机构", "Place")
        table.add_row(self.line(number), receipt.number)
        table.add_row(self.line(when), receipt.at.strftime("%Y-%m-%d %H:%M:%S"))
        table.add_row(self.line(place), receipt.place)
        table.add_row("", "")
        for line in receipt.lines:
            style = "bold" if line.strong else ""
            table.add_row(self.line(line.label), self.line(line.value), style=style)
        notes = [self._stacked(note) for note in receipt.notes]
        return self._panel(receipt.title, table, *notes, style="green")
