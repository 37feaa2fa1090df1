"""Doing each wish once: a request under an id of its terminal, and the answer it got.

The same request under the same id gets the same answer; another one under a used id is refused.
A refusal leaves no trace, so the same wish may be granted later. What a request says is compared
by a keyed hash, since it may hold a PIN or a name.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from sqlalchemy.orm import Session

from backend_client.codec import Message, decode, encode
from simulator.backoffice.database import Database
from simulator.backoffice.errors import Refused
from simulator.backoffice.operations import request_hash
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.schema_life import WishRow
from simulator.backoffice.terminals import Caller
from simulator.backoffice.vault import Vault

A = TypeVar("A", bound=Message)


class Wishes:
    """The requests that were granted."""

    def __init__(self, database: Database, vault: Vault, now: Callable[[], datetime]) -> None:
        self._database = database
        self._vault = vault
        self._now = now

    def once(
        self,
        caller: Caller,
        request_id: str,
        request: Message,
        answer: type[A],
        work: Callable[[Session, datetime], A],
    ) -> A:
        """Do `work`, or give the answer that this request got before; one transaction.

        Raises `Refused` NUMBER_REUSED and what `work` raises.
        """
        index = self._vault.index("wish", request_hash(request).hex())
        place = f"{caller.owner}/{request_id}"
        with self._database.transaction() as session:
            row = session.get(WishRow, (caller.owner, request_id), with_for_update=True)
            if row is not None:
                if row.request_index != index:
                    raise Refused(Refusal.NUMBER_REUSED)
                return decode(answer, self._vault.open(row.sealed, "wishes", place))
            now = self._now()
            result = work(session, now)
            sealed = self._vault.seal(encode(result), "wishes", place)
            session.add(
                WishRow(
                    owner=caller.owner,
                    request_id=request_id,
                    request_index=index,
                    sealed=sealed,
                    at=now,
                )
            )
            return result
