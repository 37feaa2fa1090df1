"""What the back office last said of each card, for when it cannot be asked.

Sealed, found by the card's blind index. It is kept as it was said; what it means later (a temporary
loss lapses by itself) is for admission to say.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from backend_client.messages import CardStatus, decode, encode
from terminal.store.schema import card_status
from terminal.store.store import Store


class StatusCache:
    """The last known status of each card that was used here."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, status: CardStatus) -> None:
        """Remember `status`, unless a later one is known already."""
        index = self._store.index(status.card.card_id)
        row = {
            "card_index": index,
            "status": self._store.seal(encode(status), _place(index)),
            "as_of": status.as_of,
        }
        statement = insert(card_status).values(row)
        newer = statement.excluded.as_of >= card_status.c.as_of
        with self._store.writing() as connection:
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["card_index"], set_=row, where=newer
                )
            )

    def last(self, card_id: str) -> CardStatus | None:
        """The last status heard of this card (32 hex digits), None when none ever was."""
        index = self._store.index(card_id)
        query = select(card_status.c.status).where(card_status.c.card_index == index)
        with self._store.reading() as connection:
            sealed = connection.execute(query).scalar()
        return (
            None
            if sealed is None
            else decode(CardStatus, self._store.unseal(sealed, _place(index)))
        )


def _place(index: bytes) -> str:
    return f"card_status/status/{index.hex()}"
