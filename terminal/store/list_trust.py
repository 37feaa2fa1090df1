"""Whose blacklists this terminal believes: as enrolled, changed by the last key statement."""

from __future__ import annotations

from backend_client.blacklist import Trust
from backend_client.codec import decode, encode
from backend_client.list_messages import KeyStatement
from backend_client.messages import Enrolment
from terminal.store.store import Store

_STATEMENT = "key_statement"


def load_trust(store: Store, identity: Enrolment) -> Trust:
    """Issuer and keys. A statement taken under another enrolment has no effect."""
    issuer, root = identity.blacklist_issuer, identity.statement_keys
    kept = store.get(_STATEMENT)
    if not kept or kept["terminal_id"] != identity.terminal_id:
        return Trust(issuer, identity.blacklist_keys, root)
    statement = decode(KeyStatement, kept["statement"])
    return Trust(issuer, statement.keys, root, statement.number)


def save_statement(store: Store, identity: Enrolment, statement: KeyStatement) -> None:
    """Keep a statement that was verified."""
    store.put(_STATEMENT, {"terminal_id": identity.terminal_id, "statement": encode(statement)})
