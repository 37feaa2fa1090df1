"""Reading transparent files in chunks (facts 3.9): photograph, fingerprints, reserved files.

The first READ BINARY names the file by its short identifier, those after it go on in the current
file. Such a file takes seconds over contacts, so a caller may watch the progress and stop it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeAlias

from apdu.channel import CardChannel
from apdu.ssc.filespec import EfSpec
from apdu.status import CardError, StatusError, StatusWord

CHUNK = 0xFF
"""The most bytes that one READ BINARY asks for (facts 3.9)."""

LONGEST_FILE = 0x7FFF

Progress: TypeAlias = Callable[[int, int], bool]
"""Is told the bytes read and the bytes to read in all; an answer of False stops the reading."""

End: TypeAlias = Callable[[bytes], "int | None"]
"""Is shown what was read so far, and may tell where the content ends."""

_FORM_REFUSED = frozenset(
    {
        StatusWord.WRONG_LENGTH,
        StatusWord.NOT_SUPPORTED_OR_LOCKED,
        StatusWord.FILE_NOT_FOUND,
        StatusWord.WRONG_P1_P2,
        StatusWord.OFFSET_OUTSIDE_FILE,
        StatusWord.INS_NOT_SUPPORTED,
    }
)


class ReadingStopped(CardError):
    """The caller stopped a long reading."""

    code: ClassVar[str] = "CARD_READING_STOPPED"
    zh: ClassVar[str] = "读取已停止。"
    en: ClassVar[str] = "Reading was stopped."
    remedy: ClassVar[str] = "Nothing is wrong; read again if the data are wanted."


class BinaryReader:
    """Reads the transparent files of one card, below its current DF."""

    def __init__(self, channel: CardChannel) -> None:
        self._channel = channel
        self._by_sfi = True

    def read(
        self,
        file: EfSpec,
        *,
        progress: Progress = lambda _done, _total: True,
        end: End = lambda _start: None,
        beyond: bool = False,
    ) -> bytes:
        """The content of `file`, as far as the card has it.

        Filler behind what `end` calls the end is not read. `beyond` goes on where the card holds
        more than the file map says. Raises `StatusError` when the card does not let us read,
        `MalformedApdu` for garbage, `ReadingStopped` when `progress` says so.
        """
        total = LONGEST_FILE if beyond else file.total
        content = self._first(file, min(CHUNK, total))
        more = len(content) == min(CHUNK, total)
        while True:
            total = min(total, end(content) or total)
            expected = max(file.total, len(content)) if total == LONGEST_FILE else total
            if not progress(min(len(content), expected), expected):
                raise ReadingStopped(f"stopped after {len(content)} bytes")
            if not more or len(content) >= total:
                return content[:total]
            size = min(CHUNK, total - len(content))
            chunk = self._next(len(content), size)
            more = len(chunk) == size
            content += chunk

    def _first(self, file: EfSpec, size: int) -> bytes:
        """The start of the file, which is the current one from then on."""
        if self._by_sfi:
            try:
                return self._channel.read_binary(0, size, sfi=file.sfi)
            except StatusError as error:
                if error.sw not in _FORM_REFUSED:
                    raise
        self._channel.select_fid(file.fid)
        content = self._channel.read_binary(0, size)
        self._by_sfi = False
        return content

    def _next(self, offset: int, size: int) -> bytes:
        """What follows; nothing where the file has ended already."""
        try:
            return self._channel.read_binary(offset, size)
        except StatusError as error:
            if error.sw == StatusWord.OFFSET_OUTSIDE_FILE:
                return b""
            raise
