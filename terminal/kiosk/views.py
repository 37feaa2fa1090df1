"""What can be on the kiosk's screen: the screens of flows, and those of the visit around them."""

from __future__ import annotations

from dataclasses import dataclass

from terminal.screens import Screen
from terminal.text import Text


@dataclass(frozen=True, slots=True)
class OutOfService:
    """The kiosk serves nobody: why, and the code for the staff."""

    reason: Text
    code: str


@dataclass(frozen=True, slots=True)
class Attract:
    """Nobody is here. `limits` say what cannot be done at present."""

    place: str
    limits: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class Checking:
    """A card was put in and is being looked at."""


@dataclass(frozen=True, slots=True)
class MenuItem:
    """One function: `key` is the answer, `icon` the name of a picture, `group` its kin."""

    key: str
    label: Text
    icon: str
    group: str


@dataclass(frozen=True, slots=True)
class Menu:
    """What this card may do now, at most six at a time. `number` counts pages from 1."""

    items: tuple[MenuItem, ...]
    number: int
    pages: int
    withheld: int
    greeting: Text


@dataclass(frozen=True, slots=True)
class TakeCard:
    """The visit is over and the card is still in. `alarm`: 0 asks, 1 sounds, 2 calls the staff."""

    alarm: int = 0


SLIP = "slip"


@dataclass(frozen=True, slots=True)
class Task:
    """A screen of a flow. `printed` says what became of the paper, under a receipt.

    `slip`: what it says can be taken along (`SLIP` is the answer).
    """

    screen: Screen
    printed: Text | None = None
    on_screen_pad: bool = False
    slip: bool = False


View = OutOfService | Attract | Checking | Menu | TakeCard | Task


@dataclass(frozen=True, slots=True)
class Preferences:
    """How this visitor likes it; forgotten with the visit.

    `reveal` shows personal values in full, on one screen only.
    """

    language: str = "zh"
    large: bool = False
    contrast: bool = False
    voice: bool = False
    reveal: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """What is shown: the view, how, and what moves on it.

    `revision` is new with every view. `warning` is the seconds left before the visit ends, None
    while there is time. `digits` counts what was typed of a PIN.
    """

    revision: int
    view: View
    preferences: Preferences
    warning: int | None = None
    digits: int = 0
