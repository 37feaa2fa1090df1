"""What a powered card remembers, and what selecting or losing power makes it forget (facts 4.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulator.card.account import Pending
from simulator.card.files import Directory, ElementaryFile
from simulator.card.transit_money import PendingFare


@dataclass(slots=True)
class Session:
    """The card's volatile state. A reset makes a new one.

    `pin_verified` lasts until power-off. `granted` holds DF and id of the keys that authenticated
    the terminal; it and `challenge`, the last GET CHALLENGE that has not been used, last until
    another application is selected. `pointer` is the current record in `file`, counted from 0,
    -1 before the first. `pending` is a transaction of the medical account or the
    transport purse that was begun.
    """

    directory: Directory
    file: ElementaryFile | None = None
    pointer: int = -1
    pin_verified: bool = False
    granted: set[tuple[str, int]] = field(default_factory=set)
    challenge: bytes | None = None
    pending: Pending | PendingFare | None = None

    def enter(self, directory: Directory) -> None:
        """Make `directory` current. Another one than before ends what its keys had opened."""
        if directory is not self.directory:
            self.granted.clear()
            self.challenge = None
        self.directory = directory
        self.pending = None
        self.file = None
        self.pointer = -1

    def open(self, file: ElementaryFile) -> None:
        """Make `file` current."""
        if file is not self.file:
            self.file = file
            self.pointer = -1
