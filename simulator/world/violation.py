"""An invariant that does not hold."""

from __future__ import annotations


class Violation(Exception):
    """`check` names the invariant; `found` says what was found, in words."""

    def __init__(self, check: str, found: str) -> None:
        super().__init__(check, found)
        self.check = check
        self.found = found

    def __str__(self) -> str:
        return f"{self.check}: {self.found}"
