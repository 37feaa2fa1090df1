"""The keys in a simulated card: found by number or name, derived from roots, with retry counters.

Which keys there are is the table of `apdu.ssc.keys` (facts 4.2, 3.5). No command writes keys, so
their values stay outside the memory that can be torn; their retry counters lie in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from apdu.crypto import Algorithm, card_key
from apdu.ssc.keys import KeyName
from simulator.card.counter import RetryCounter
from simulator.card.memory import Memory

_GLOBAL = "SSSE"
_LOCAL_BIT = 0x80
_DEFAULT_VERSION = 1


class CardKey:
    """One version of one key: its value, derived on first use, and its own retry counter."""

    __slots__ = ("_ring", "_value", "name", "tries", "version")

    def __init__(self, ring: Keyring, name: KeyName, version: int, tries: RetryCounter) -> None:
        self._ring = ring
        self._value: bytes | None = None
        self.name = name
        self.version = version
        self.tries = tries

    @property
    def value(self) -> bytes:
        """The card's own key, three levels below its root (facts 4.3)."""
        if self._value is None:
            self._value = self._ring.derive(self.name, self.version)
        return self._value


class Keyring:
    """All keys of one card. `roots` are the root keys by version: 1 has every name, others less.

    `numbers` are those that no source publishes, where the issuer has given some.
    """

    def __init__(
        self,
        memory: Memory,
        roots: Mapping[int, Mapping[KeyName, bytes]],
        *,
        algorithm: Algorithm,
        region: str,
        historical: bytes,
        retries: int,
        numbers: Mapping[KeyName, int] = MappingProxyType({}),
    ) -> None:
        self._numbers = numbers
        self._roots = roots
        self._region = region
        self._historical = historical
        self.algorithm = algorithm
        self._keys = {
            (name, version): CardKey(self, name, version, RetryCounter(memory, retries, retries))
            for version, names in roots.items()
            for name in names
        }
        self._authenticators = {
            (name.spec.df, number, version): key
            for (name, version), key in self._keys.items()
            if (number := self.number(name)) is not None
            and name is not KeyName.IRK
            and not name.spec.short
        }

    def number(self, name: KeyName) -> int | None:
        """The P2 of EXTERNAL AUTHENTICATE for this key; None for one that authenticates nobody."""
        return self._numbers.get(name, name.card_id)

    def named(self, name: KeyName) -> CardKey:
        """The key of that name, in its first version."""
        return self._keys[name, _DEFAULT_VERSION]

    def authenticator(self, df: str, key_id: int, version: int | None) -> CardKey | None:
        """The key that EXTERNAL AUTHENTICATE addresses while `df` is current, or None.

        Bit 8 of the key id marks a key of the current DF, the others belong to SSSE (facts 4.1).
        None as `version` is a command that names none: it means the first.
        """
        home = df if key_id & _LOCAL_BIT else _GLOBAL
        return self._authenticators.get((home, key_id, _or_default(version)))

    def internal(self, version: int | None) -> CardKey | None:
        """The key of INTERNAL AUTHENTICATE, or None for a version that the card lacks."""
        return self._keys.get((KeyName.IRK, _or_default(version)))

    def message_key(self, df: str) -> CardKey | None:
        """The key that enciphers and authenticates commands while `df` is current (facts 4.2)."""
        return next(
            (k for (n, _), k in self._keys.items() if n.spec.short and n.spec.df == df),
            None,
        )

    def derive(self, name: KeyName, version: int) -> bytes:
        """The card key of that name and version."""
        root = self._roots[version][name][: name.length(self.algorithm)]
        return card_key(self.algorithm, root, self._region, self._historical)


def _or_default(version: int | None) -> int:
    return _DEFAULT_VERSION if version is None else version
