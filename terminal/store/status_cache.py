"""What the back office last said of each card, for when it cannot be asked.

Sealed, found by the card's blind index. It is kept as it was said; what it means later (a temporary
loss lapses by itself) is for admission to say.

A later status replaces an earlier one, never the other way round. One from the future, of a back
office whose clock is far ahead, is not kept: no later one could replace it until then.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from sqlalchemy import bindparam, or_, select
from sqlalchemy.dialects.sqlite import insert

from backend_client.messages import CardStatus, decode, encode
from terminal.clock import Clock
from terminal.store.schema import card_status
from terminal.store.store import Store

log = logging.getLogger(__name__)

TOLERANCE = timedelta(minutes=5)
"""How far the back office's clock may be ahead of this one."""

# Made once, as in store.py.
_NEW = insert(card_status)
_KEEP = _NEW.on_conflict_do_update(
    index_elements=["card_index"],
    set_={"status": _NEW.excluded.status, "as_of": _NEW.excluded.as_of},
    where=or_(
        _NEW.excluded.as_of >= card_status.c.as_of, card_status.c.as_of > bindparam("latest")
    ),
)
_LAST = select(card_status.c.status).where(card_status.c.card_index == bindparam("card"))


class StatusCache:
    """The last known status of each card that was used here."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def keep(self, status: CardStatus) -> None:
        """Remember `status`, unless it is from the future or a later one is known already."""
        latest = self._clock.now() + TOLERANCE
        if status.as_of > latest:
            log.warning("a card's status is from the future and not kept")
            return
        index = self._store.index(status.card.card_id)
        row = {
            "card_index": index,
            "status": self._store.seal(encode(status), _place(index)),
            "as_of": status.as_of,
        }
        with self._store.writing() as connection:
            connection.execute(_KEEP, row | {"latest": latest})

    def last(self, card_id: str) -> CardStatus | None:
        """The last status heard of this card (32 hex digits), None when none ever was."""
        index = self._store.index(card_id)
        with self._store.reading() as connection:
            sealed = connection.execute(_LAST, {"card": index}).scalar()
        return (
            None
            if sealed is None
            else decode(CardStatus, self._store.unseal(sealed, _place(index)))
        )


def _place(index: bytes) -> str:
    return f"card_status/status/{index.hex()}"
