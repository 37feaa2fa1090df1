"""What a function is given: one card in the reader, and the parts of the terminal it may use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend_client.messages import CardRef

if TYPE_CHECKING:
    from apdu.sam import PurchaseModule, SecureAccessModule
    from apdu.ssc.basic import BasicData
    from apdu.ssc.card import SocialSecurityCard
    from apdu.ssc.photo import Photo
    from backend_client.channels.channel import SettlementChannel
    from backend_client.client import BackendClient
    from backend_client.life_messages import Catalogue
    from backend_client.messages import CardStatus
    from terminal.admission import Decision
    from terminal.clock import Clock
    from terminal.policy import Function
    from terminal.settings import OfflineSettings, PinSettings
    from terminal.store.journal import Journal, Operation
    from terminal.store.outbox import Outbox


@dataclass(slots=True)
class Visit:
    """One card presence, from insertion to removal, as a function sees it.

    `admit(function)` asks admission, each time anew, and writes the audit trail. `still_here()`
    proves that the same genuine card is still in the reader (raises `CardRemoved`, `NotAuthentic`).
    `resolve(operation)` asks the back office what became of an operation whose answer was lost, and
    reverses it when it is not known there. `remember(status)` keeps the card's status for later
    decisions. `channel` is how bills are settled here, `channel_of(operation)` how that one was.
    `sam` holds the terminal's keys, `purchases` is the module that debits, None where it cannot.
    `outbox` is what waits to be uploaded, `offline` how much may. `new_id`, `catalogue` and
    `refresh` are those of `errand.Desk`. `photo()` reads the holder's photograph, if the card has
    one. `place` is the institution's name, for receipts.
    `pin_verified` is set once the holder has given the right PIN; the card remembers it until it is
    powered off.
    """

    card: SocialSecurityCard
    basic: BasicData
    client: BackendClient
    channel: SettlementChannel
    channel_of: Callable[[Operation], SettlementChannel]
    sam: SecureAccessModule
    purchases: PurchaseModule | None
    outbox: Outbox
    offline: OfflineSettings
    journal: Journal
    clock: Clock
    place: str
    pin_rules: PinSettings
    admit: Callable[[Function], Decision]
    still_here: Callable[[], None]
    resolve: Callable[[Operation], Operation]
    remember: Callable[[CardStatus], None]
    new_id: Callable[[], str]
    catalogue: Callable[[], Catalogue | None]
    refresh: Callable[[], None]
    photo: Callable[[], Photo | None] = lambda: None
    pin_verified: bool = False

    @property
    def card_ref(self) -> CardRef:
        """The card as the back office knows it."""
        return CardRef(self.basic.card_id.hex(), self.basic.card_number)
