"""The keys of a simulated PSAM: one level of the key tree, derived from root keys.

Which keys there are, and under which use and number, is the table of `apdu.ssc.keys` (facts 4.2,
3.5). A key is found by use and number; how many diversifications are left between it and a card's
key is its level.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from apdu.crypto import Algorithm, diversify, region_factors
from apdu.psam_keys import KeyLevel, KeyUse, key_level, single_use
from apdu.ssc.keys import KeyName

NATIONAL, PROVINCIAL, CITY = 3, 2, 1
_NO_CARD = bytes(13)


@dataclass(frozen=True, slots=True)
class PsamKey:
    """One key: what it may be used for, and how many factors lead from it to a card's key."""

    use: int
    levels: int
    value: bytes = field(repr=False)

    def card_key(self, algorithm: Algorithm, factors: bytes) -> bytes:
        """The card's key. `factors` are 8 bytes a level, the card's own first (facts 4.5)."""
        key = self.value
        for at in reversed(range(0, len(factors), 8)):
            key = diversify(algorithm, key, factors[at : at + 8])
        return key


def make_keys(
    roots: Mapping[KeyName, bytes],
    *,
    algorithm: Algorithm,
    region: str,
    levels: int | None,
    message_use: int = KeyUse.MAC_AND_ENCRYPT,
) -> dict[tuple[int, int], PsamKey]:
    """The keys of a PSAM issued for `region`, by use and number.

    `levels` is how far every key is above a card's: 3 national, 2 provincial, 1 city; None gives
    each key the level of the national table. `message_use` is the use of the message keys, which
    is published in two ways (facts 4.2: 26 and 48).
    """
    keys = {}
    for name, root in roots.items():
        number = name.spec.psam_id
        if number is not None:
            use = message_use if name.spec.short else single_use(name)
            level = levels or _national_level(name, number)
            value = _descended(algorithm, root[: name.length(algorithm)], region, level)
            keys[use, number] = PsamKey(use, level, value)
    return keys


def _descended(algorithm: Algorithm, root: bytes, region: str, levels: int) -> bytes:
    """The key of that level below a national root."""
    factors = region_factors(region, _NO_CARD)
    key = root
    for factor in (factors.level1, factors.level2)[: NATIONAL - levels]:
        key = diversify(algorithm, key, factor)
    return key


def _national_level(name: KeyName, number: int) -> int:
    if name.spec.psam_use is not None:
        return name.spec.psam_use >> 5
    return PROVINCIAL if key_level(number) is KeyLevel.PROVINCIAL else NATIONAL
