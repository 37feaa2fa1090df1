"""`ssct demo`: the story of two cards on the embedded default, told on a console.

Reference back office and terminal on SQLite files in a temporary directory, cards in a reader of
this process, one clock that passes days in a moment. No daemon, no root. The demo checks itself.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console, Group
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text as Styled

from simulator.clock import SimulatedClock
from simulator.embedded import embedded_scene
from simulator.scene import Audience, StoryBroken
from simulator.story import BEGINS, STORY, Play, Step
from terminal.drivers.painting import Painter, PipedConsole
from terminal.screens import Screen
from terminal.text import Text

PACE = 0.8
"""Seconds between the steps, for a person who watches."""

_TITLE = Text("社会保障卡终端：一张卡的故事", "Social security card terminal: the story of a card")
_SETTING = Text(
    "全部在本进程内运行：模拟卡、终端（SQLite）、参考后台（SQLite）。持卡人均为虚构。",
    "All in this process: simulated cards, terminal (SQLite), reference back office (SQLite). The "
    "holders are fictitious.",
)
_TOLD = Text("故事与讲述完全一致。", "Every step came out as told.")
_NEXT = (
    ("ssct read --reader sim:adult-3.0", Text("读一张模拟卡", "read a simulated card")),
    ("ssct sim profiles", Text("有哪些模拟卡", "which simulated cards there are")),
    ("ssct sim backoffice", Text("单独启动参考后台", "the back office as its own process")),
    ("make kiosk", Text("触摸屏", "the touch screen")),
    ("ssct gate --reader sim:contactless-3.0 --taps 1", Text("刷卡乘车", "a tap on a bus")),
    ("ssct diagnose", Text("检查真实读卡器", "check this machine's readers")),
    ("make test", Text("运行全部测试", "run every test")),
)


def play(*, fast: bool = False, pause: bool = False, lang: str | None = None) -> bool:
    """Tell the story; False when a step does not come out as told."""
    console = PipedConsole()
    narrator = Narrator(console, lang)
    narrator.opening()
    clock = SimulatedClock(BEGINS)
    with tempfile.TemporaryDirectory(prefix="ssct-demo-") as directory:
        random = secrets.token_bytes
        with embedded_scene(Path(directory), clock=clock, random=random) as scene:
            scene.audience = narrator
            told = _tell(Play(scene, random), narrator, _between(console, fast=fast, pause=pause))
    narrator.closing(told=told)
    return told


def _tell(play: Play, narrator: Narrator, between: Callable[[], None]) -> bool:
    for number, step in enumerate(STORY, 1):
        narrator.step(number, step)
        try:
            step.play(play)
        except StoryBroken as broken:
            narrator.broken(broken)
            return False
        between()
    return True


def _between(console: Console, *, fast: bool, pause: bool) -> Callable[[], None]:
    """What happens between two steps: nothing, a moment's rest, or waiting for Enter."""
    if pause and sys.stdin.isatty():
        return lambda: _ask_for_enter(console)
    if fast or not console.is_terminal:
        return lambda: None
    return lambda: time.sleep(PACE)


def _ask_for_enter(console: Console) -> None:
    console.print(Styled("⏎ 按回车继续  Enter to go on", style="dim"), end=" ")
    sys.stdin.readline()


class Narrator(Audience):
    """Draws the story."""

    def __init__(self, console: Console, lang: str | None) -> None:
        self._console = console
        self._lang = lang
        # The audience looks over the holder's shoulder, and the holder is fictitious.
        self._painter = Painter(lang=lang, show_personal=True)

    def opening(self) -> None:
        """The title."""
        self._console.print()
        self._lines(_TITLE, "bold")
        self._lines(_SETTING, "")

    def step(self, number: int, step: Step) -> None:
        """The heading of a step, and why it is as it is."""
        self._console.print()
        place = f"{number}/{len(STORY)}"
        title = step.title.en if self._lang == "en" else step.title.zh
        self._console.print(Rule(f"[bold]{place}  {title}[/]", align="left", style="cyan"))
        if self._lang is None:
            self._console.print(Styled(step.title.en, style="dim"))
        self._lines(step.why, "italic")
        if step.articles:
            zh = "、".join(f"第{article}条" for article in step.articles)
            en = ", ".join(str(article) for article in step.articles)
            plural = "s" if len(step.articles) > 1 else ""
            self._lines(Text(f"依据：办法{zh}", f"Regulation, Article{plural} {en}"), "yellow")

    def told(self, text: Text) -> None:
        """An explanation."""
        self._lines(text, "", mark="• ")

    def saw(self, screen: Screen) -> None:
        """A screen as the holder sees it."""
        self._console.print(Padding(self._painter.paint(screen), (0, 0, 0, 2)))

    def answered(self, text: Text) -> None:
        """What the holder answers."""
        self._console.print(Styled("  → ", style="bold magenta") + self._painter.line(text))

    def broken(self, broken: StoryBroken) -> None:
        """The story went another way."""
        self._console.print(Styled(f"✘ {broken}", style="bold red"))

    def closing(self, *, told: bool) -> None:
        """The end, and what to try next."""
        self._console.print()
        if not told:
            return
        self._console.print(Rule(style="green"))
        self._lines(_TOLD, "bold green", mark="✔ ")
        self._lines(Text("接下来可以试试：", "What to try next:"), "")
        table = Table.grid(padding=(0, 3))
        for command, what in _NEXT:
            table.add_row(Styled(command, style="bold cyan"), self._painter.line(what))
        self._console.print(Padding(table, (0, 0, 0, 4)))

    def _lines(self, text: Text, style: str, mark: str = "") -> None:
        """Chinese, and English dimmed beneath; what is too long goes on under its beginning."""
        lines = []
        if self._lang != "en":
            lines.append(Styled(text.zh, style=style))
        if self._lang != "zh" and text.en != text.zh:
            lines.append(Styled(text.en, style="dim" if lines else style))
        if not mark:
            self._console.print(*lines, sep="\n")
            return
        table = Table.grid()
        table.add_row(Styled(mark, style=style), Group(*lines))
        self._console.print(table)
