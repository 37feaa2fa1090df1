"""Numbers of invented holders and cards, with right check characters, none given out twice.

All lie in region 990100, which is nowhere (GB/T 2260 has no 99), so none can be anybody's.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from random import Random
from typing import TypeVar

from apdu.ssc.values import check_character

REGION = "990100"
CARD_MAKER = "8699"

_SSN_CHECKS = "10X98765432"
_BANK_PREFIX = "62999901"
# The built-in profiles lie elsewhere: their serials are C0000001 and up, their numbers A9901....
_SERIALS = range(0x10000000, 0x80000000)
_BODIES = range(1_000_000, 9_000_000)

Drawn = TypeVar("Drawn")


class Numbers:
    """Draws numbers from `random`, and draws again where one was given out before."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._given: set[object] = set()

    def ssn(self, birth_date: date, sex: str) -> str:
        """A social security number: region, birth date, sequence, check character (GB 11643).

        The sequence is odd for men ("1") and even for women ("2").
        """

        def drawn() -> str:
            sequence = 2 * self._random.randrange(1, 500) - (sex == "1")
            body = f"{REGION}{birth_date:%Y%m%d}{sequence:03d}"
            return body + ssn_check_character(body)

        return self._new(drawn)

    def card_number(self) -> str:
        """A card number: letter, seven digits, check character (facts 3.4)."""

        def drawn() -> str:
            letter = self._random.choice("ABCDEFGHJKLMNPQRSTUVWXYZ")
            body = f"{letter}{self._random.choice(_BODIES)}"
            return body + check_character(body)

        return self._new(drawn)

    def serial(self) -> str:
        """Bytes 8 to 11 of a card id, hex."""
        return self._new(lambda: f"{self._random.choice(_SERIALS):08X}")

    def historical_bytes(self, version: str, serial: str, issued: date) -> str:
        """The reset answer's 13 historical bytes, hex (facts 1.2).

        Old cards end in a date and three bytes of serial, newer ones in the region and four, which
        mostly are the card id's, but not always.
        """

        def drawn() -> str:
            maker = self._random.choice(("0081", "0085", "0087", "0090"))
            vendor = f"544C{self._random.randrange(256):02X}"
            own = self._random.random() < 0.2
            tail = f"{self._random.choice(_SERIALS):08X}" if own else serial
            if version == "1.00":
                return f"{maker}{vendor}{CARD_MAKER}{issued:%y%m%d}{tail[2:]}"
            return f"{maker}{vendor}{CARD_MAKER}{REGION[:4]}{tail}"

        return self._new(drawn)

    def bank_card_number(self) -> str:
        """Nineteen digits with the check digit of ISO/IEC 7812."""

        def drawn() -> str:
            body = f"{_BANK_PREFIX}{self._random.randrange(10**10):010d}"
            return body + luhn_check_digit(body)

        return self._new(drawn)

    def _new(self, draw: Callable[[], Drawn]) -> Drawn:
        drawn = draw()
        while drawn in self._given:
            drawn = draw()
        self._given.add(drawn)
        return drawn


def ssn_check_character(body: str) -> str:
    """The last character of a citizen's number whose first 17 are `body` (GB 11643, MOD 11-2)."""
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(body))
    return _SSN_CHECKS[total % 11]


def luhn_check_digit(body: str) -> str:
    """The check digit that ISO/IEC 7812-1, annex B, appends to `body`."""
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)
