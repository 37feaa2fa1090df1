"""The holder's PIN (facts 5: VERIFY, CHANGE PIN), kept in a buffer that can be wiped."""

from __future__ import annotations

import hmac
from types import TracebackType

from apdu.status import PinFormat

MIN_DIGITS = 4
MAX_DIGITS = 16

_FILL = 0xF


class Pin:
    """A PIN of 4 to 16 decimal digits.

    The digits live in one `bytearray` that `wipe` (or leaving a `with` block) overwrites. Python
    cannot promise more: the `str` or `bytes` it was made from and the immutable `bytes` that
    `packed` returns stay in memory until the interpreter reuses it. So make a `Pin` straight from
    the key pad, drop the source, and call `packed` only while building the command.

    Nothing shows the digits: not `repr`, not `str`, not an exception.
    Raises `PinFormat` on a wrong length, on anything but the digits 0 to 9, and after a wipe.
    """

    __slots__ = ("_digits",)

    def __init__(self, digits: str | bytes | bytearray) -> None:
        # A str is tested before it is encoded: an encoding error would quote the PIN.
        if not digits.isascii() or not digits.isdigit():
            raise PinFormat("a PIN is made of the digits 0 to 9")
        if not MIN_DIGITS <= len(digits) <= MAX_DIGITS:
            raise PinFormat(f"a PIN has {MIN_DIGITS} to {MAX_DIGITS} digits")
        self._digits = bytearray(digits.encode("ascii") if isinstance(digits, str) else digits)

    @classmethod
    def from_digits(cls, digits: str | bytes | bytearray) -> Pin:
        """The PIN with these digits, as text or as ASCII."""
        return cls(digits)

    @property
    def length(self) -> int:
        """How many digits it has; 0 after a wipe."""
        return len(self._digits)

    def packed(self) -> bytes:
        """The PIN as the card takes it: 2 to 8 bytes BCD, an odd last nibble filled with F."""
        digits = self._digits
        if not digits:
            raise PinFormat("the PIN has been wiped")
        packed = bytearray((len(digits) + 1) // 2)
        for i, digit in enumerate(digits):
            packed[i // 2] |= (digit & 0xF) << (0 if i % 2 else 4)
        if len(digits) % 2:
            packed[-1] |= _FILL
        try:
            return bytes(packed)
        finally:
            _overwrite(packed)

    def matches(self, other: Pin) -> bool:
        """Whether both are the same PIN, in a time that does not tell where they differ.

        A wiped PIN matches nothing.
        """
        return bool(self._digits) and hmac.compare_digest(self._digits, other._digits)

    def wipe(self) -> None:
        """Overwrite the digits. The PIN cannot be used any more; wiping twice is harmless."""
        _overwrite(self._digits)
        self._digits.clear()

    def __enter__(self) -> Pin:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.wipe()

    def __repr__(self) -> str:
        return "Pin(...)"

    def __reduce__(self) -> str:
        raise TypeError("a PIN is never pickled or copied")


def _overwrite(buffer: bytearray) -> None:
    buffer[:] = bytes(len(buffer))
