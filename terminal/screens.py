"""What a flow shows, as values.

A screen says what the holder is to see and which answers it takes; it draws nothing. The console
driver, the scripted driver and the kiosk render the same values. Every text is bilingual, Chinese
first. `cancellable` is False while money moves: such a screen takes no answer but "go on", and
nothing that happens meanwhile (removal, time-out, cancel) reaches the flow before the section ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from apdu.pin import Pin
from terminal.receipt import Receipt
from terminal.text import Text

Answer = Pin | str | bool | None
"""A PIN, the key of an option, yes or no, or "seen, go on" (None)."""


class Tone(Enum):
    """How a message is meant; faces pair it with a word or sign, never with colour alone."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of facts. A `personal` value is masked for anybody but the holder."""

    label: Text
    value: Text
    personal: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that belong together under a heading."""

    title: Text
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Option:
    """One choice: the `key` is the answer, `detail` a second line."""

    key: str
    label: Text
    detail: Text | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """Something to be told. `code` is the stable code of an error or refusal, for the staff."""

    title: Text
    body: tuple[Text, ...] = ()
    tone: Tone = Tone.INFO
    code: str | None = None
    cancellable: bool = True

    def accepts(self, answer: Answer) -> bool:
        """Takes "seen"."""
        return answer is None


@dataclass(frozen=True, slots=True)
class Details:
    """Facts in sections, to be read at the holder's own pace."""

    title: Text
    sections: tuple[Section, ...]
    cancellable: bool = True

    def accepts(self, answer: Answer) -> bool:
        """Takes "seen"."""
        return answer is None


@dataclass(frozen=True, slots=True)
class Choose:
    """One of several options."""

    title: Text
    options: tuple[Option, ...]
    cancellable: bool = True

    def accepts(self, answer: Answer) -> bool:
        """Takes the key of one of the options."""
        return isinstance(answer, str) and any(option.key == answer for option in self.options)


@dataclass(frozen=True, slots=True)
class AskPin:
    """A PIN of `shortest` to `longest` digits, typed unseen. `note` says what was wrong before."""

    title: Text
    note: Text | None = None
    tries_left: int | None = None
    shortest: int = 4
    longest: int = 12
    cancellable: bool = True

    def accepts(self, answer: Answer) -> bool:
        """Takes a PIN; its length is the flow's affair, which tells the holder."""
        return isinstance(answer, Pin)


@dataclass(frozen=True, slots=True)
class Confirm:
    """Exactly these facts, agreed to or not."""

    title: Text
    sections: tuple[Section, ...]
    yes: Text
    no: Text
    cancellable: bool = True

    def accepts(self, answer: Answer) -> bool:
        """Takes True or False."""
        return isinstance(answer, bool)


@dataclass(frozen=True, slots=True)
class Progress:
    """Work is going on; the driver answers at once."""

    title: Text
    cancellable: bool = True

    def accepts(self, answer: Answer) -> bool:
        """Takes "go on"."""
        return answer is None


@dataclass(frozen=True, slots=True)
class ReceiptScreen:
    """A receipt, to be read and printed."""

    receipt: Receipt
    cancellable: bool = True

    def accepts(self, answer: Answer) -> bool:
        """Takes "seen"."""
        return answer is None


Screen = Message | Details | Choose | AskPin | Confirm | Progress | ReceiptScreen
