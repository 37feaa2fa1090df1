"""How a PSAM addresses its keys: use byte, number, factors, and what its files say about them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from enum import IntEnum

from apdu.crypto import region_factors
from apdu.sam import CardIdentity
from apdu.ssc.keys import KeyName
from apdu.status import SamBadAnswer

LEVELS = (3, 2, 1)
"""How many diversifications may lie between a PSAM's key and a card's: tried in this order."""
VALIDITY_LENGTH = 10


class KeyUse(IntEnum):
    """What a PSAM's key may be used for: the low five bits of the use byte."""

    PURCHASE = 2
    MAC = 6
    ENCRYPT = 7
    MAC_AND_ENCRYPT = 8


class KeyLevel(IntEnum):
    """Who issued a key, with the file that tells its version and its term."""

    NATIONAL = 0x001A
    PROVINCIAL = 0x001B
    CITY = 0x001C


@dataclass(frozen=True, slots=True)
class KeyValidity:
    """What a PSAM says about the keys of one level: files 001A to 001C.

    `purchase_key` is the index of its purchase key, `version` the version of the others.
    """

    purchase_key: int
    version: int
    starts: date
    expires: date

    @classmethod
    def parse(cls, raw: bytes) -> KeyValidity:
        """Index 1, version 1, two dates YYYYMMDD. Raises `SamBadAnswer`."""
        try:
            starts, expires = (date.fromisoformat(raw[at : at + 4].hex()) for at in (2, 6))
        except ValueError:
            raise SamBadAnswer("a date in the PSAM's files is none") from None
        return cls(raw[0], raw[1], starts, expires)


def key_level(number: int) -> KeyLevel:
    """Who issued the key of this number (facts 4.5, with the national table's B0 to B4)."""
    if 0x10 <= number <= 0x17 or 0x40 <= number <= 0x7F:
        return KeyLevel.PROVINCIAL
    if 0x18 <= number <= 0x1F or 0x80 <= number <= 0xAF or 0xB5 <= number <= 0xBF:
        return KeyLevel.CITY
    return KeyLevel.NATIONAL


def use_bytes(key: KeyName, *, encipher: bool) -> list[int]:
    """The use bytes to try for a key: for each of its possible uses, three levels."""
    return [levels << 5 | use for use in _uses(key, encipher=encipher) for levels in LEVELS]


def card_factors(card: CardIdentity, levels: int) -> bytes:
    """The diversification factors of so many levels, the card's own first."""
    factors = region_factors(card.region, card.historical)
    return b"".join((factors.level3, factors.level2, factors.level1)[:levels])


def single_use(key: KeyName) -> KeyUse:
    """The use of a key that is no message key.

    Where the national table leaves it out, the HSM's table has it (facts appendix A): keys of
    provinces both encipher and sign, national ones encipher.
    """
    if key.spec.psam_use is not None:
        return KeyUse(key.spec.psam_use & 0x1F)
    provincial = key_level(key.spec.psam_id or 0) is KeyLevel.PROVINCIAL
    return KeyUse.MAC_AND_ENCRYPT if provincial else KeyUse.ENCRYPT


def _uses(key: KeyName, *, encipher: bool) -> Collection[KeyUse]:
    """What a PSAM may let a key be used for.

    The message keys are published as 26 (MAC only) and used as 48; enciphering needs the latter.
    """
    if key.spec.short:
        both = KeyUse.MAC_AND_ENCRYPT
        return (both,) if encipher else (both, KeyUse.MAC)
    return (single_use(key),)
