"""What a function without a card is given: somebody at the terminal, and the parts it may use.

Who has lost the card has none to insert. What such a person may do is the back office's rule: a
temporary loss for whoever gives name and number, everything else for who has signed in with the
electronic card (Articles 18, 19, 31).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from backend_client.client import BackendClient
    from backend_client.life_messages import Catalogue
    from terminal.clock import Clock


class Desk(Protocol):
    """What a visit and an errand have in common.

    `new_id()` makes the id of one wish: the back office grants it once, however often it is sent.
    `catalogue()` is the catalogue of services as it is, or as it was last heard; None: never.
    `refresh()` lets a loss and a release hold here at once (Articles 18, 19). `place` is the
    institution's name, for receipts.
    """

    client: BackendClient
    clock: Clock
    place: str

    @property
    def new_id(self) -> Callable[[], str]:
        """Makes the id of one wish."""
        ...

    @property
    def refresh(self) -> Callable[[], None]:
        """Brings this terminal's blacklist up to date, if it can; never raises."""
        ...

    @property
    def catalogue(self) -> Callable[[], Catalogue | None]:
        """Gives the catalogue of services."""
        ...


@dataclass(slots=True)
class Errand:
    """Somebody without a card in the reader. `note(function)` writes the audit trail."""

    client: BackendClient
    clock: Clock
    place: str
    new_id: Callable[[], str]
    catalogue: Callable[[], Catalogue | None]
    refresh: Callable[[], None]
    note: Callable[[str], None]
