"""The holder's photograph (EF08 of SSSE; facts 3.2): 4096 bytes of which an image takes a part.

The file is read as far as the image goes. What the image is shows in its first bytes; BMP says
its size in its header, JPEG is followed from segment to segment to its end, so that an end mark
in a preview inside it does not count.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar

from apdu.sam import SecureAccessModule
from apdu.ssc.binary import Progress
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.file_reader import FileReader
from apdu.ssc.files import file_map
from apdu.status import CardError, MalformedData

PHOTO = ("SSSE", 0xEF08)

_BMP, _BMP_SIZE_AT, _BMP_HEADER = b"BM", 2, 54
_JPEG = b"\xff\xd8\xff"
_EOI = 0xD9
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})  # TEM, RST0 to RST7, SOI


class PhotoFormat(Enum):
    """The two formats that the specification names; the value is the media type."""

    BMP = "image/bmp"
    JPEG = "image/jpeg"


class NoPhoto(CardError):
    """The card holds no photograph, or has no file for one."""

    code: ClassVar[str] = "CARD_NO_PHOTO"
    zh: ClassVar[str] = "卡内没有照片。"
    en: ClassVar[str] = "There is no photograph on the card."
    remedy: ClassVar[str] = "Many cards leave the file empty; nothing is wrong."


class UnknownPhotoFormat(MalformedData):
    """The photograph is neither a BMP nor a JPEG image, or not a whole one."""

    code: ClassVar[str] = "CARD_PHOTO_FORMAT"
    zh: ClassVar[str] = "卡内照片无法显示。"
    en: ClassVar[str] = "The photograph on the card cannot be shown."
    remedy: ClassVar[str] = "The file is damaged or of a format that no specification names."


@dataclass(frozen=True, slots=True)
class Photo:
    """An image as a program can show it, without the filler that follows it on the card."""

    format: PhotoFormat
    data: bytes = field(repr=False)


def read_photo(
    card: SocialSecurityCard,
    sam: SecureAccessModule,
    *,
    progress: Progress = lambda _done, _total: True,
) -> Photo:
    """Read the photograph, after authentication with RKSSSE.

    `progress` is told the bytes read and those to read, and stops the reading by answering False.
    Raises `NoPhoto`, `UnknownPhotoFormat`, `ReadingStopped`, and what `FileReader.read` raises.
    """
    file = file_map(card.version).get(PHOTO)
    if file is None:
        raise NoPhoto(f"a card of version {card.version} has no file for it")
    content = FileReader(card, sam).read(file, progress=progress, end=_enough)
    return recognise(content.raw[0])


def recognise(content: bytes) -> Photo:
    """The image at the start of `content`. Raises `NoPhoto` or `UnknownPhotoFormat`."""
    if not content.strip(b"\x00") or not content.strip(b"\xff"):
        raise NoPhoto("the file is empty")
    end = image_end(content)
    if end is None or end > len(content):
        raise UnknownPhotoFormat("not a BMP or JPEG image, or one without its end")
    return Photo(PhotoFormat.BMP if content.startswith(_BMP) else PhotoFormat.JPEG, content[:end])


def image_end(start: bytes) -> int | None:
    """Where the image that begins with `start` ends; None when `start` does not tell yet."""
    if start.startswith(_BMP):
        return _bmp_end(start)
    if start.startswith(_JPEG):
        return _jpeg_end(start)
    return None


def _enough(start: bytes) -> int | None:
    """How much of the file is worth reading: what is no image is not read to its end."""
    return image_end(start) if start.startswith((_BMP, _JPEG)) else len(start)


def _bmp_end(start: bytes) -> int | None:
    size = int.from_bytes(start[_BMP_SIZE_AT : _BMP_SIZE_AT + 4], "little")
    return size if len(start) >= _BMP_SIZE_AT + 4 and size >= _BMP_HEADER else None


def _jpeg_end(start: bytes) -> int | None:
    """Behind the end mark (ISO/IEC 10918-1, annex B): segments have lengths, scans have not."""
    at = 2
    while True:
        mark = _next_mark(start, at)
        if mark is None:
            return None
        at = mark + 2
        kind = start[mark + 1]
        if kind == _EOI:
            return at
        if kind not in _WITHOUT_LENGTH:
            length = int.from_bytes(start[at : at + 2], "big")
            if len(start) < at + 2 or length < 2:
                return None
            at += length


def _next_mark(start: bytes, at: int) -> int | None:
    """The FF of the next mark from `at` on, over coded data, where FF 00 stands for a byte FF."""
    while True:
        at = start.find(0xFF, at)
        if at < 0 or at + 1 >= len(start):
            return None
        if start[at + 1] not in (0x00, 0xFF):
            return at
        at += 1
