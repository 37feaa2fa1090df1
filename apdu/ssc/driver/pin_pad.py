"""The PIN pad of a point of use (facts 6.7).

The pad shows and speaks its own prompts, never shows digits, and ends by itself when nobody types.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar, Protocol

from apdu.pin import Pin
from apdu.status import CardError


class PinPrompt(Enum):
    """What the pad asks for; the value is what it shows and says."""

    PIN = "请输入密码"
    OLD = "请输入原密码"
    NEW = "请输入新密码"
    AGAIN = "请再次输入新密码"


class PinCancelled(CardError):
    """The holder pressed cancel (LD/T 33 code -31)."""

    code: ClassVar[str] = "PIN_CANCELLED"
    zh: ClassVar[str] = "已取消输入密码。"
    en: ClassVar[str] = "PIN entry was cancelled."
    remedy: ClassVar[str] = "Ask again if the holder wants to go on."


class PinTimeout(CardError):
    """Nobody entered a PIN in time (LD/T 33 code -32)."""

    code: ClassVar[str] = "PIN_TIMEOUT"
    zh: ClassVar[str] = "输入密码超时。"
    en: ClassVar[str] = "No PIN was entered in time."
    remedy: ClassVar[str] = "Ask again."


class PinPad(Protocol):
    """Takes PINs from the holder."""

    def read_pin(self, prompt: PinPrompt) -> Pin:
        """Ask with `prompt` and return what was entered; the caller wipes it.

        Raises `PinCancelled`, `PinTimeout`, `PinFormat` for fewer than 4 or more than 16 digits,
        or a `ReaderError` of the pad.
        """
        ...
