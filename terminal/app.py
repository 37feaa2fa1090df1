"""The terminal: its parts put together, and what they do together.

`Terminal.open` composes store, journal, audit trail, blacklist, clock guard and back office client
from what it is given; nothing here reads the machine's clock, makes randomness or opens a socket.
Before serving anybody call `recover`. `sync` brings clock and blacklist up to date; `visit` gives a
function the card in the reader and the parts of the terminal it may use.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from apdu.sam import SecureAccessModule, SoftwareSam
from backend_client.client import BackendClient, Retries
from backend_client.errors import BackendError, Unreachable
from backend_client.messages import Enrolment, EnrolmentRequest
from backend_client.transport import Reply, Request, Transport
from terminal.admission import CardFacts, Decision
from terminal.admitter import Admitter
from terminal.clock import Clock
from terminal.errors import ConfigurationError, StoreDamaged
from terminal.policy import Function
from terminal.resolution import Recovery, resolve, resolve_all
from terminal.session import CardSession
from terminal.settings import Settings
from terminal.store.audit import Audit
from terminal.store.blacklist import BlacklistStore, ListHead, ListRefusal
from terminal.store.clock_guard import ClockGuard
from terminal.store.identity import load_identity, save_identity
from terminal.store.journal import Journal, Operation, State
from terminal.store.status_cache import StatusCache
from terminal.store.store import Store
from terminal.synchronisation import SyncReport, synchronise
from terminal.visit import Visit

__all__ = ["Nowhere", "Recovery", "SyncReport", "Terminal", "TerminalStatus"]

log = logging.getLogger(__name__)

CHECKED_AT_START = 1_000
"""How many of the journal's last events are checked before the terminal serves."""


@dataclass(frozen=True, slots=True)
class TerminalStatus:
    """How the terminal stands, for the operator. Asks nobody: it is what this machine knows."""

    profile: str
    institution: str
    institution_name: str
    terminal_id: str | None
    data_dir: Path
    backend_url: str
    clock_trusted: bool
    blacklist: ListHead | None
    blacklist_age: timedelta | None
    blacklist_refusal: ListRefusal | None
    operations: Mapping[State, int]


class Terminal:
    """An open terminal. Make one with `Terminal.open`, and close it."""

    def __init__(
        self,
        settings: Settings,
        *,
        store: Store,
        clock: Clock,
        random: Callable[[int], bytes],
        sam: SecureAccessModule,
        client: BackendClient,
    ) -> None:
        """For tests and special compositions; `client` holds no token yet."""
        self.settings = settings
        self.store = store
        self.clock = clock
        self.random = random
        self.sam = sam
        self.audit = Audit(store)
        self.blacklist = BlacklistStore(store)
        self.statuses = StatusCache(store)
        self.clock_guard = ClockGuard(store, clock)
        self._act_as(load_identity(store), client)

    @classmethod
    def open(
        cls,
        settings: Settings,
        *,
        clock: Clock,
        random: Callable[[int], bytes],
        sam: SecureAccessModule,
        transport: Transport | None,
    ) -> Terminal:
        """Open the terminal that `settings` describe; without a transport it works offline.

        `random(n)` gives n unpredictable bytes. Raises `ConfigurationError` for software keys in
        production, and `StoreError`.
        """
        if settings.security.production and isinstance(sam, SoftwareSam):
            raise ConfigurationError("[security] production = true refuses software keys")
        store = Store.open(
            settings.terminal.data_dir,
            random=random,
            key=settings.store.key,
            key_file=settings.store.key_file,
        )
        client = BackendClient(
            transport or Nowhere(),
            token=None,
            now=clock.now,
            sleep=clock.sleep,
            random=random,
            retries=Retries(attempts=settings.backend.attempts),
        )
        try:
            return cls(settings, store=store, clock=clock, random=random, sam=sam, client=client)
        except BaseException:
            store.close()
            raise

    def close(self) -> None:
        """Close the store. May be called more than once."""
        self.store.close()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def institution(self) -> str:
        """The 12 characters that open every operation number: as enrolled, else as set."""
        own = self.settings.terminal.institution
        return self.identity.institution if self.identity else own

    @property
    def institution_name(self) -> str:
        """The institution's name, for receipts: as set, else as enrolled."""
        own = self.settings.terminal.institution_name
        return own or (self.identity.institution_name if self.identity else "")

    def enrol(self, code: str) -> Enrolment:
        """Turn a one-time code into this terminal's identity and keep it. Raises `BackendError`."""
        request = EnrolmentRequest(code=code, profile=self.settings.terminal.profile)
        identity = self.client.enrol(request)
        save_identity(self.store, identity)
        self._act_as(identity, self.client)
        return identity

    def recover(self) -> Recovery:
        """Bring every open operation to its end; call it before anybody is served.

        What was prepared never left, so it is closed. What may have left is queried, then reversed;
        while the back office is away it stays open and its card is not served.

        Raises `StoreDamaged` when the end of the journal does not hold together; the whole of it
        is checked by `journal.verify_chain`.
        """
        check = self.journal.verify_chain(CHECKED_AT_START)
        if not check.ok:
            raise StoreDamaged(f"journal: {check.faults[0]} ({len(check.faults)} faults)")
        return resolve_all(self.journal.open_operations(), self.journal, self.client)

    def resolve_unknown(self) -> Recovery:
        """Try again what is unknown; may be called at any time, whoever is being served."""
        unknown = (o for o in self.journal.open_operations() if o.state is State.UNKNOWN)
        return resolve_all(unknown, self.journal, self.client)

    def try_resolve(self, operation: Operation) -> Operation:
        """Ask what became of an operation; it comes back still open when the centre is away."""
        try:
            return resolve(operation, self.journal, self.client)
        except BackendError as error:
            log.info("operation %s stays open: %s", operation.number, error.code)
            return self.journal.find(operation.number) or operation

    def sync(self) -> SyncReport:
        """Confirm the clock with the back office and take a newer blacklist if there is one.

        A list that must not be taken is refused, the last good one stays in force, and `status`
        tells why. Raises only `StoreError`.
        """
        return synchronise(self.client, self.identity, self.blacklist, self.clock_guard, self.clock)

    def admit(self, facts: CardFacts, function: Function, face: str) -> Decision:
        """Decide on one card and one function, and write it into the audit trail.

        `face` is where the holder stands: console, kiosk, agent. Raises `StoreError`.
        """
        return self._admitter.admit(facts, function, face)

    def visit(self, session: CardSession, face: str) -> Visit:
        """What a function is given to serve the card of `session`."""
        return Visit(
            card=session.card,
            basic=session.basic,
            client=self.client,
            journal=self.journal,
            clock=self.clock,
            place=self.institution_name,
            pin_rules=self.settings.pin,
            admit=lambda function: self.admit(session.facts, function, face),
            still_here=session.still_here,
            resolve=self.try_resolve,
            remember=self.statuses.keep,
        )

    def status(self) -> TerminalStatus:
        """How the terminal stands."""
        head = self.blacklist.head()
        return TerminalStatus(
            profile=self.settings.terminal.profile,
            institution=self.institution,
            institution_name=self.institution_name,
            terminal_id=self.identity.terminal_id if self.identity else None,
            data_dir=self.settings.terminal.data_dir,
            backend_url=self.settings.backend.url,
            clock_trusted=self.clock_guard.trusted(),
            blacklist=head,
            blacklist_age=self.clock.now() - head.issued_at if head else None,
            blacklist_refusal=self.blacklist.last_refusal(),
            operations=self.journal.counts(),
        )

    def _act_as(self, identity: Enrolment | None, client: BackendClient) -> None:
        """Put together what depends on who this terminal is."""
        self.identity = identity
        self.client = client.with_token(identity.token) if identity else client
        self.journal = Journal(
            self.store, self.clock, self.institution, lambda: self.sam.terminal_number
        )
        self._admitter = Admitter(
            self.settings,
            self.clock,
            self.client,
            self.journal,
            self.audit,
            self.blacklist,
            self.statuses,
            self.clock_guard,
        )


class Nowhere:
    """The transport of a terminal without a back office."""

    def send(self, request: Request) -> Reply:
        """Raise `Unreachable`."""
        raise Unreachable(f"no back office is set: {request.method} not sent")
