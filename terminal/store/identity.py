"""Who this terminal is to the back office: its number, its token, whose blacklist it believes.

Its key and its certificate are kept, sealed, beside that.
"""

from __future__ import annotations

from backend_client.identity import TlsIdentity
from backend_client.messages import Enrolment, decode, encode
from terminal.store.store import Store

_IDENTITY = "identity"
_TLS = "tls_identity"


def load_identity(store: Store) -> Enrolment | None:
    """The enrolment kept in `store`, None before the terminal is enrolled."""
    kept = store.get(_IDENTITY)
    return decode(Enrolment, kept) if kept else None


def save_identity(store: Store, enrolment: Enrolment, tls: TlsIdentity | None = None) -> None:
    """Keep the enrolment with its key and certificate; a later one replaces an earlier one."""
    with store.writing() as connection:
        store.put(_IDENTITY, encode(enrolment), connection)
        store.put(_TLS, tls.kept() if tls else {}, connection)


def load_tls(store: Store) -> TlsIdentity | None:
    """The key and the certificate kept in `store`, None where there are none."""
    kept = store.get(_TLS)
    return TlsIdentity.restored(kept) if kept else None


def save_tls(store: Store, tls: TlsIdentity) -> None:
    """Keep a renewed certificate and its key."""
    store.put(_TLS, tls.kept())
