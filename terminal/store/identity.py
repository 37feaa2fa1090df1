"""Who this terminal is to the back office: its number, its token, whose blacklist it believes."""

from __future__ import annotations

from backend_client.messages import Enrolment, decode, encode
from terminal.store.store import Store

_IDENTITY = "identity"


def load_identity(store: Store) -> Enrolment | None:
    """The enrolment kept in `store`, None before the terminal is enrolled."""
    kept = store.get(_IDENTITY)
    return decode(Enrolment, kept) if kept else None


def save_identity(store: Store, enrolment: Enrolment) -> None:
    """Keep the enrolment; a later one replaces an earlier one."""
    store.put(_IDENTITY, encode(enrolment))
