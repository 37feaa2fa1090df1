"""A PIN as it is typed: a buffer that is wiped, and a count for the screen."""

from __future__ import annotations

from apdu.pin import MIN_DIGITS, Pin


class PinEntry:
    """Collects digits. Leaving a `with` block wipes them."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._digits = bytearray()

    @property
    def count(self) -> int:
        """How many digits there are."""
        return len(self._digits)

    def press(self, key: str) -> Pin | None:
        """Take a key: a digit, "erase" or "enter". The PIN when it is complete."""
        if key == "erase":
            if self._digits:
                self._digits[-1] = 0
                del self._digits[-1]
        elif key == "enter":
            return Pin(self._digits) if self.count >= MIN_DIGITS else None
        elif len(key) == 1 and key in "0123456789" and self.count < self._longest:
            self._digits.append(ord(key))
        return None

    def wipe(self) -> None:
        """Overwrite the digits."""
        self._digits[:] = bytes(len(self._digits))
        self._digits.clear()

    def __enter__(self) -> PinEntry:
        return self

    def __exit__(self, *_: object) -> None:
        self.wipe()
