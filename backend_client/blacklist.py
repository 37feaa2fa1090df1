"""The blacklist (黑名单): a signed, numbered log, verified and applied without side effects.

A snapshot is the whole list; a delta leads from one version to a later one. Both say what set of
entries results and hash it, a delta also what it continues, so a rollback, a gap, a fork and a
freeze (TUF's words) are told apart and refused. `apply_documents` returns a new list or raises; the
list held before stays as it was, and where it is stored is somebody else's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from backend_client.entry_set import EntrySet
from backend_client.errors import (
    BadMessage,
    KeysRolledBack,
    ListExpired,
    ListForked,
    ListFromFuture,
    ListGap,
    ListRolledBack,
    WrongIssuer,
)
from backend_client.list_document import Delta, Opener, Snapshot
from backend_client.list_messages import (
    BlacklistEntry,
    Coverage,
    KeyStatement,
    ListHeader,
)
from backend_client.messages import PublicKey, Scope

CLOCK_TOLERANCE = timedelta(minutes=10)
"""A list issued further in the future than this means that a clock is wrong."""

_WHAT = "blacklist"


@dataclass(frozen=True, slots=True)
class Blacklist:
    """One version of the list. `set_hash` is SHA-256 of the packed entries."""

    issuer: str
    version: int
    set_hash: bytes
    issued_at: datetime
    expires_at: datetime
    coverage: Coverage
    entries: EntrySet = field(repr=False)

    def matching(
        self, card_id: str, card_number: str, scope: Scope, now: datetime
    ) -> tuple[BlacklistEntry, ...]:
        """The entries that stop that card in that scope at that instant.

        It looks at every entry: the rule that an index has to agree with.
        """
        return tuple(e for e in self.entries if e.applies(card_id, card_number, scope, now))


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose lists are believed: the issuer's, signed with one of `keys`.

    `statement_keys` sign the statements that change `keys`; `statement` is the number of the last
    one that was taken, 0 before the first.
    """

    issuer: str
    keys: tuple[PublicKey, ...]
    statement_keys: tuple[PublicKey, ...] = ()
    statement: int = 0


@dataclass(frozen=True, slots=True)
class Applied:
    """What comes of some documents: the list, whose lists are believed now, and by which word.

    `statement` is the key statement (its bytes) that changed `trust`, None where none did.
    """

    list: Blacklist | None
    trust: Trust
    statement: bytes | None


def apply_documents(
    current: Blacklist | None, documents: Iterable[bytes], trust: Trust, now: datetime
) -> Applied:
    """What follows from the documents, taken in order, all or nothing.

    Documents older than the list held are passed over when newer ones follow; deltas may repeat
    the version held. Steps in between may have expired, the result may not. A key statement decides
    about the keys of the documents after it, and about nothing else: with statements only, the list
    held comes back as it is.

    Raises `BadSignature`, `WrongIssuer`, `ListTooLarge`, `ListRolledBack`, `ListForked`,
    `ListGap`, `ListExpired`, `ListFromFuture`, `KeysRolledBack` or `BadMessage`.
    """
    result, statement = current, None
    newest = -1
    for data in documents:
        document = Opener(trust.keys, now, trust.statement_keys).open(data)
        if isinstance(document, KeyStatement):
            trust, taken = _take_statement(trust, document)
            statement = data if taken else statement
            continue
        _check_header(document.header, trust.issuer, now)
        newest = max(newest, document.header.version)
        if isinstance(document, Snapshot):
            result = _take_snapshot(result, document)
        else:
            result = _take_delta(result, document)
    if current is not None and 0 <= newest < current.version:
        raise ListRolledBack(f"version {current.version} is held already")
    if result is None and statement is None:
        raise ListGap("no list is held and none was sent")
    if result is not None and (newest >= 0 or statement is None) and result.expires_at <= now:
        raise ListExpired(f"version {result.version} has expired")
    return Applied(result, trust, statement)


def _take_statement(trust: Trust, statement: KeyStatement) -> tuple[Trust, bool]:
    """Whose lists are believed after a statement, and whether it says anything new."""
    if statement.issuer != trust.issuer:
        raise WrongIssuer("the key statement is another issuer's")
    if statement.number < trust.statement:
        raise KeysRolledBack(f"statement {trust.statement} is held already")
    if statement.number == trust.statement:
        return trust, False
    changed = Trust(trust.issuer, statement.keys, trust.statement_keys, statement.number)
    return changed, True


def _check_header(header: ListHeader, issuer: str, now: datetime) -> None:
    if header.issuer != issuer:
        raise WrongIssuer("the list is signed by a trusted key for another issuer")
    if header.issued_at > now + CLOCK_TOLERANCE:
        raise ListFromFuture(f"version {header.version} will be issued later than now")


def _take_snapshot(current: Blacklist | None, snapshot: Snapshot) -> Blacklist:
    taken = _result(snapshot.header, snapshot.entries)
    if taken.set_hash != snapshot.header.result_hash:
        raise BadMessage("/result_hash", "hash of the entries", _WHAT)
    if current is None or taken.version > current.version:
        return taken
    if taken.version < current.version:
        return current
    if taken.set_hash != current.set_hash:
        raise ListForked(f"version {taken.version} is held with other contents")
    return max(current, taken, key=lambda each: each.issued_at)


def _take_delta(current: Blacklist | None, delta: Delta) -> Blacklist:
    header = delta.header
    previous = -1 if header.previous_version is None else header.previous_version
    if current is None:
        raise ListGap("a delta, but no list that it could continue")
    if header.version <= previous:
        raise BadMessage("/version", "above previous_version", _WHAT)
    if header.version < current.version:
        return current
    if header.version == current.version:
        if header.result_hash != current.set_hash:
            raise ListForked(f"version {header.version} is held with other contents")
        return current
    if previous != current.version:
        raise ListGap(f"continues version {previous}, held is {current.version}")
    if header.previous_hash != current.set_hash:
        raise ListForked(f"continues another version {previous}")
    taken = _result(header, current.entries.changed(delta.removed, delta.added))
    if taken.set_hash != header.result_hash:
        raise ListForked(f"version {header.version} does not come out as its issuer says")
    return taken


def _result(header: ListHeader, entries: EntrySet) -> Blacklist:
    if len(entries) != header.entry_count:
        raise BadMessage("/entry_count", "number of entries", _WHAT)
    return Blacklist(
        header.issuer,
        header.version,
        entries.hash,
        header.issued_at,
        header.expires_at,
        header.coverage,
        entries,
    )
