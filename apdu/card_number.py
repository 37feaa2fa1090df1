"""Numbers of bank cards and transport purses: masked unless somebody asks for all of them."""

from __future__ import annotations

from typing import final

from apdu.status import MalformedData

_SHOWN_FIRST, _SHOWN_LAST = 6, 4
_SHORTEST, _LONGEST = 12, 19


@final
class CardNumber:
    """A card number of 12 to 19 digits. `str`, `repr` and formatting show the masked form only.

    Raises `MalformedData` for anything else.
    """

    __slots__ = ("_digits",)

    def __init__(self, digits: str) -> None:
        ascii_digits = digits.isascii() and digits.isdecimal()
        if not ascii_digits or not _SHORTEST <= len(digits) <= _LONGEST:
            raise MalformedData("a card number has 12 to 19 digits")
        self._digits = digits

    @property
    def masked(self) -> str:
        """The first six digits and the last four, stars between: 629999*********0074."""
        hidden = len(self._digits) - _SHOWN_FIRST - _SHOWN_LAST
        return self._digits[:_SHOWN_FIRST] + "*" * hidden + self._digits[-_SHOWN_LAST:]

    def reveal(self) -> str:
        """All digits. For the holder's own eyes, or to be sent where it must be; never to a log."""
        return self._digits

    def __str__(self) -> str:
        return self.masked

    def __repr__(self) -> str:
        return f"CardNumber({self.masked})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CardNumber) and other._digits == self._digits

    def __hash__(self) -> int:
        return hash(self._digits)
