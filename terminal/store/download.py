"""A snapshot that is being fetched in pieces, kept so that a broken download goes on where it was.

What was fetched is sealed like the list itself. It is checked as a whole before it counts.
"""

from __future__ import annotations

from sqlalchemy import delete, select

from backend_client.list_messages import SnapshotOffer
from terminal.store.schema import blacklist_piece
from terminal.store.store import Store

_OFFER = "blacklist_download"


class Download:
    """The one download of the terminal's store. One thread at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def resume(self, offer: SnapshotOffer) -> bytes:
        """What is here of the snapshot on offer; what is here of another one is dropped."""
        if self._store.get(_OFFER) != _kept(offer):
            with self._store.writing() as connection:
                connection.execute(delete(blacklist_piece))
                self._store.put(_OFFER, _kept(offer), connection)
            return b""
        with self._store.reading() as connection:
            rows = connection.execute(select(blacklist_piece).order_by(blacklist_piece.c.start))
            pieces = [self._store.unseal_bytes(row.data, _place(row.start)) for row in rows]
        return b"".join(pieces)

    def add(self, start: int, piece: bytes) -> None:
        """Keep the piece that begins at `start`. Durable on return."""
        sealed = self._store.seal_bytes(piece, _place(start))
        with self._store.writing() as connection:
            connection.execute(blacklist_piece.insert().values(start=start, data=sealed))

    def forget(self) -> None:
        """It was taken, or is of no use."""
        with self._store.writing() as connection:
            connection.execute(delete(blacklist_piece))
            self._store.put(_OFFER, {}, connection)


def _kept(offer: SnapshotOffer) -> dict[str, int]:
    return {"version": offer.version, "size": offer.size}


def _place(start: int) -> str:
    return f"blacklist_piece/data/{start}"
