"""Bringing clock and blacklist up to date with the back office, and telling it of misuse.

Documents come as an answer to a question, pushed, or in a file: they are taken alike. A list that
must not be taken is refused: the last good one stays in force, and why is kept for `status`. A back
office that is away changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock

from backend_client.blacklist import Blacklist, Trust, apply_documents
from backend_client.client import BackendClient
from backend_client.errors import (
    BackendError,
    BadMessage,
    ListError,
    ListForked,
    ListGap,
    ListRolledBack,
    ListTooLarge,
    ListWithdrawn,
    NotEnrolled,
    Refused,
)
from backend_client.list_client import ListClient, News
from backend_client.list_document import FIRST_BYTES, Opener, whole_size
from backend_client.list_messages import KeyStatement, SnapshotOffer
from backend_client.messages import Enrolment, PublicKey
from terminal.clock import Clock
from terminal.errors import Explanation, explain
from terminal.store.blacklist import BlacklistStore
from terminal.store.clock_guard import ClockGuard
from terminal.store.download import Download
from terminal.store.list_trust import load_trust, save_statement
from terminal.store.misuse import MisuseStore
from terminal.store.store import Store

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


@dataclass(frozen=True, slots=True)
class _Held:
    """What the terminal says that it has: whom it believes, and the list, if that goes on."""

    trust: Trust
    list: Blacklist | None

    @property
    def since(self) -> int:
        return self.list.version if self.list else 0


class Synchroniser:
    """Keeps one terminal up to date. Safe to share between threads: they take turns."""

    def __init__(
        self,
        client: BackendClient,
        identity: Enrolment | None,
        store: Store,
        blacklist: BlacklistStore,
        guard: ClockGuard,
        misuse: MisuseStore,
        clock: Clock,
    ) -> None:
        self._client = client
        self._identity = identity
        self._store = store
        self._blacklist = blacklist
        self._guard = guard
        self._misuse = misuse
        self._clock = clock
        self._download = Download(store)
        self._turn = Lock()

    def sync(self) -> SyncReport:
        """Confirm the clock, take a newer blacklist, tell of misuse. Raises only `StoreError`."""

        def work() -> None:
            self._guard.confirm(self._client.server_time().now)
            held = self._held()
            lists = self._client.lists
            news = lists.news(held.since, statement=held.trust.statement)
            self._take_news(held, news, lists)
            self._tell_misuse(lists)

        with self._turn:
            return self._reported(work)

    def follow(self, client: BackendClient, wait: float) -> SyncReport:
        """Wait up to `wait` seconds for news, over `client`, and take it. Raises `StoreError`.

        Others may synchronise meanwhile; what was news then is left to the next call.
        """

        def work() -> None:
            if not self._guard.confirmed:
                self._guard.confirm(client.server_time().now)
            self._tell_misuse(client.lists)
            held = self._held()
            news = client.lists.news(held.since, statement=held.trust.statement, wait=wait)
            with self._turn:
                now_held = self._held()
                if (now_held.since, now_held.trust) == (held.since, held.trust):
                    self._take_news(now_held, news, client.lists)

        return self._reported(work)

    def take(self, documents: Iterable[bytes], *, pushed: bool = False) -> SyncReport:
        """Take documents that came some other way. Raises only `StoreError`.

        Of pushed ones those that are held already are passed over.
        """

        def work() -> None:
            try:
                self._take(self._held(), tuple(documents))
            except ListRolledBack:
                if not pushed:
                    raise

        with self._turn:
            return self._reported(work)

    def _reported(self, work: Callable[[], None]) -> SyncReport:
        before = self._blacklist.head()
        error: BackendError | None = None
        try:
            work()
        except BackendError as caught:
            log.warning("synchronisation failed: %s", caught.code)
            error = caught
        if isinstance(error, ListError | BadMessage):
            self._blacklist.refuse(error, self._clock.now())
        after = self._blacklist.head()
        return SyncReport(
            before=before.version if before else None,
            after=after.version if after else None,
            entries=after.entries if after else 0,
            clock_trusted=self._guard.trusted(),
            error=explain(error) if error else None,
        )

    def _held(self) -> _Held:
        """What there is to go on from.

        A list from an earlier enrolment, of another issuer or under keys none of which is trusted
        any more, is not continued: it stays in force until a list of the present back office takes
        its place.
        """
        if self._identity is None:
            raise NotEnrolled("no identity")
        trust = load_trust(self._store, self._identity)
        held = self._blacklist.load()
        if held is not None and not _continues(held, self._blacklist.keys(), trust):
            held = None
        return _Held(trust, held)

    def _take_news(self, held: _Held, news: News, lists: ListClient) -> None:
        """Verify and apply. Raises `BackendError`; then nothing has changed.

        Deltas that leave a gap, or cannot be applied, are passed over by fetching the whole list,
        once; it has to hold against the list held like any other.
        """
        try:
            self._take_answer(held, news, lists)
        except (ListGap, ListForked, BadMessage) as error:
            if held.since == 0 or news.snapshot is not None:
                raise
            log.info("the changes since version %d do not apply: %s", held.since, error.code)
            whole = lists.news(held.since, statement=held.trust.statement, whole=True)
            self._take_answer(held, whole, lists)

    def _take_answer(self, held: _Held, news: News, lists: ListClient) -> None:
        """Take the documents of an answer, or the snapshot on offer and what followed on it."""
        if news.snapshot is None:
            self._take(held, news.documents)
            return
        trust = self._announced(held, news)
        whole = self._fetched(news.snapshot, trust, lists)
        try:
            self._take(held, (*news.documents, whole))
        finally:
            self._download.forget()
        held = self._held()
        later = lists.news(held.since, statement=held.trust.statement)
        if later.snapshot is None and later.documents:
            self._take(held, later.documents)

    def _take(self, held: _Held, documents: tuple[bytes, ...]) -> None:
        applied = apply_documents(held.list, documents, held.trust, self._clock.now())
        if applied.statement is not None:
            self._keep(applied.statement, held.trust)
        if applied.list is None or applied.list is held.list:
            self._blacklist.accept()
        else:
            self._blacklist.apply(applied.list, self._clock.now(), applied.trust.keys)

    def _announced(self, held: _Held, news: News) -> Trust:
        """Whose lists are believed after the key statements of an answer."""
        if not news.documents:
            return held.trust
        return apply_documents(None, news.documents, held.trust, self._clock.now()).trust

    def _fetched(self, offer: SnapshotOffer, trust: Trust, lists: ListClient) -> bytes:
        """The snapshot on offer, fetched to its end from where an earlier attempt stopped.

        Its first bytes have to be signed, and to declare the size that was said, before any more
        is fetched.
        """
        document = self._download.resume(offer)
        if document:
            self._check_start(document, offer, trust)
        while len(document) < offer.size:
            piece = self._piece(offer, len(document), lists)
            document += piece
            self._check_start(document, offer, trust)
            self._download.add(len(document) - len(piece), piece)
        return document

    def _piece(self, offer: SnapshotOffer, start: int, lists: ListClient) -> bytes:
        try:
            return lists.piece(offer, start)
        except ListWithdrawn:
            self._download.forget()
            raise

    def _check_start(self, document: bytes, offer: SnapshotOffer, trust: Trust) -> None:
        try:
            size = whole_size(document[:FIRST_BYTES])
            if size is None:
                return
            header = Opener(trust.keys, self._clock.now()).header(document[:FIRST_BYTES])
            if size != offer.size or header.version != offer.version or header.is_delta:
                raise ListTooLarge("the snapshot is not the one that was on offer")
        except (ListError, BadMessage):
            self._download.forget()
            raise

    def _keep(self, document: bytes, trust: Trust) -> None:
        opener = Opener(trust.keys, self._clock.now(), trust.statement_keys)
        statement = opener.open(document)
        if self._identity is not None and isinstance(statement, KeyStatement):
            save_statement(self._store, self._identity, statement)

    def _tell_misuse(self, lists: ListClient) -> None:
        """Tell what waits. What the back office cannot read is told once and not again."""
        for report in self._misuse.unsent():
            try:
                lists.report_misuse(report)
            except Refused as error:
                if not 400 <= error.status < 500 or error.retry_after is not None:
                    raise
                log.warning("a misuse report was refused: %s", error.problem.code)
            self._misuse.sent(report)


def _continues(held: Blacklist, keys: Iterable[PublicKey], trust: Trust) -> bool:
    """Whether the back office of today goes on with the list held.

    `keys` are those it was verified with. Keys are compared by what they are, since a back office
    that was built anew may give its own the same names. Where none is recorded, it goes on.
    """
    if held.issuer != trust.issuer:
        return False
    known = {key.key for key in keys}
    return not known or any(key.key in known for key in trust.keys)
