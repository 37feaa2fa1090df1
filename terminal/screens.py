"""What a flow shows, as values.

A screen says what the holder is to see and which answers it takes; it draws nothing. The console
driver, the scripted driver and the kiosk render the same values. Every text is bilingual, Chinese
first. `cancellable` is False while money moves: such a screen takes no answer but "go on", and
nothing that happens meanwhile (removal, time-out, cancel) reaches the flow before the section ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from apdu.pin import Pin
from terminal.receipt import Receipt
from terminal.text import Text

LONGEST_SCAN = 512
"""No code that is scanned has more characters than this."""

LONGEST_AMOUNT = 12
"""No amount that is typed has more characters than this."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody says they are: name and social security number (18 characters)."""

    name: str = field(repr=False)
    ssn: str = field(repr=False)


Answer = Pin | Identity | str | bool | None
"""A PIN, an identity, the key of an option or a scanned text, yes or no, or "go on" (None)."""


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
class Picture:
    """A picture for the holder alone: its media type, its bytes, and what it shows in words."""

    media_type: str
    data: bytes = field(repr=False)
    shows: Text


@dataclass(frozen=True, slots=True)
class Details:
    """Facts in sections, to be read at the holder's own pace. Faces that can show `picture`."""

    title: Text
    sections: tuple[Section, ...]
    cancellable: bool = True
    picture: Picture | None = None

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
class AskIdentity:
    """Name and social security number: typed, or read from an identity document by the face.

    `note` says what was wrong before.
    """

    title: Text
    note: Text | None = None
    cancellable: bool = True

    def accepts(self, answer: Answer) -> bool:
        """Takes an identity; whether it is one is the flow's affair, which tells the holder."""
        return isinstance(answer, Identity)


@dataclass(frozen=True, slots=True)
class AskScan:
    """A QR code that the holder shows to the terminal, such as that of the electronic card.

    `note` says what was wrong before. The answer is the text in the code.
    """

    title: Text
    note: Text | None = None
    cancellable: bool = True

    def accepts(self, answer: Answer) -> bool:
        """Takes a text of 1 to `LONGEST_SCAN` characters."""
        return isinstance(answer, str) and 0 < len(answer) <= LONGEST_SCAN


@dataclass(frozen=True, slots=True)
class AskAmount:
    """An amount of money, typed in yuan with at most two places. `sections` say what bounds it.

    `note` says what was wrong before. The answer is what was typed.
    """

    title: Text
    sections: tuple[Section, ...] = ()
    note: Text | None = None
    cancellable: bool = True

    def accepts(self, answer: Answer) -> bool:
        """Takes 1 to `LONGEST_AMOUNT` characters; what they say is the flow's affair."""
        return isinstance(answer, str) and 0 < len(answer) <= LONGEST_AMOUNT


@dataclass(frozen=True, slots=True)
class ShowQr:
    """A QR code for the holder's telephone, good until `valid_until` (None: for good).

    `payload` is the text in the code; it is a secret of the holder and never logged.
    """

    title: Text
    payload: str = field(repr=False)
    body: tuple[Text, ...] = ()
    valid_until: datetime | None = None
    cancellable: bool = True

    def accepts(self, answer: Answer) -> bool:
        """Takes "seen"."""
        return answer is None


@dataclass(frozen=True, slots=True)
class Confirm:
    """Exactly these facts, agreed to or not.

    `amounts` are what it comes to, large and before everything else; never personal.
    """

    title: Text
    sections: tuple[Section, ...]
    yes: Text
    no: Text
    cancellable: bool = True
    amounts: tuple[Row, ...] = ()

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


Question = Choose | AskPin | AskIdentity | AskScan | AskAmount | Confirm
"""Screens that want an answer of their own; the others only want to be seen."""

Screen = Question | Message | Details | ShowQr | Progress | ReceiptScreen
