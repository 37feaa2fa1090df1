"""Bringing clock and blacklist up to date with the back office.

A list that must not be taken is refused: the last good one stays in force, and why is kept for
`status`. A back office that is away changes nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from backend_client.blacklist import Blacklist, apply_update
from backend_client.client import BackendClient
from backend_client.errors import BackendError, BadMessage, ListError, ListGap, NotEnrolled
from backend_client.messages import Enrolment
from terminal.clock import Clock
from terminal.errors import Explanation, explain
from terminal.store.blacklist import BlacklistStore
from terminal.store.clock_guard import ClockGuard

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SyncReport:
    """The blacklist version before and after, None for none, and what went wrong, if anything.

    After an error the list that was in force before still is.
    """

    before: int | None
    after: int | None
    entries: int
    clock_trusted: bool
    error: Explanation | None


def synchronise(
    client: BackendClient,
    identity: Enrolment | None,
    blacklist: BlacklistStore,
    guard: ClockGuard,
    clock: Clock,
) -> SyncReport:
    """Confirm the clock, then take a newer blacklist if there is one. Raises only `StoreError`."""
    before = blacklist.head()
    error: BackendError | None = None
    try:
        guard.confirm(client.server_time().now)
        _take_newer(client, identity, blacklist, clock)
    except BackendError as caught:
        log.warning("synchronisation failed: %s", caught.code)
        error = caught
    if isinstance(error, ListError | BadMessage):
        blacklist.refuse(error, clock.now())
    after = blacklist.head()
    return SyncReport(
        before=before.version if before else None,
        after=after.version if after else None,
        entries=after.entries if after else 0,
        clock_trusted=guard.trusted(),
        error=explain(error) if error else None,
    )


def _take_newer(
    client: BackendClient, identity: Enrolment | None, blacklist: BlacklistStore, clock: Clock
) -> None:
    """Fetch, verify and apply. Raises `BackendError`; then nothing has changed.

    After a gap the whole list is fetched. A list of another issuer, from an earlier enrolment, is
    not continued.
    """
    if identity is None:
        raise NotEnrolled("no identity")
    held = blacklist.load()
    if held is not None and held.issuer != identity.blacklist_issuer:
        held = None
    try:
        new = _fetch(client, identity, held, clock, since=held.version if held else 0)
    except ListGap:
        new = _fetch(client, identity, held, clock, since=0)
    if new is held:
        blacklist.accept()
    else:
        blacklist.apply(new, clock.now())


def _fetch(
    client: BackendClient,
    identity: Enrolment,
    held: Blacklist | None,
    clock: Clock,
    *,
    since: int,
) -> Blacklist:
    return apply_update(
        held,
        client.blacklist_update(since),
        keys=identity.blacklist_keys,
        issuer=identity.blacklist_issuer,
        now=clock.now(),
    )
