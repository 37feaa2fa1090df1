"""Bringing clock and blacklist up to date with the back office.

A list that must not be taken is refused: the last good one stays in force, and why is kept for
`status`. A back office that is away changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from backend_client.blacklist import Blacklist, apply_update
from backend_client.client import BackendClient
from backend_client.errors import (
    BackendError,
    BadMessage,
    ListError,
    ListForked,
    ListGap,
    NotEnrolled,
)
from backend_client.messages import Enrolment, PublicKey
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

    Deltas that leave a gap, or cannot be applied, are passed over by fetching the whole list,
    once; it has to hold against the list held like any other. A list from an earlier enrolment, of
    another issuer or under keys none of which is trusted any more, is not continued: it stays in
    force until a list of the present back office takes its place.
    """
    if identity is None:
        raise NotEnrolled("no identity")
    held = blacklist.load()
    if held is not None and not _continues(held, blacklist.keys(), identity):
        held = None
    since = held.version if held else 0
    try:
        new = _fetch(client, identity, held, clock, since=since)
    except (ListGap, ListForked, BadMessage) as error:
        if since == 0:
            raise
        log.info("the changes since version %d do not apply: %s", since, error.code)
        new = _fetch(client, identity, held, clock, since=0)
    if new is held:
        blacklist.accept()
    else:
        blacklist.apply(new, clock.now(), identity.blacklist_keys)


def _continues(held: Blacklist, keys: Iterable[PublicKey], identity: Enrolment) -> bool:
    """Whether the back office of today goes on with the list held.

    `keys` are those it was verified with. Keys are compared by what they are, since a back office
    that was built anew may give its own the same names. Where none is recorded, it goes on.
    """
    if held.issuer != identity.blacklist_issuer:
        return False
    known = {key.key for key in keys}
    return not known or any(key.key in known for key in identity.blacklist_keys)


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
