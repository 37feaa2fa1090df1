"""The terminal: its parts put together, and what they do together.

`Terminal.open` composes store, journal, audit trail, blacklist, clock guard and back office client
from what it is given; nothing here reads the machine's clock, makes randomness or opens a socket.
Before serving anybody call `recover`. `sync` brings clock and blacklist up to date; `visit` gives a
function the card in the reader and the parts of the terminal it may use.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from apdu.sam import SecureAccessModule, SoftwareSam
from backend_client.calls import Calls, Retries
from backend_client.channels.channel import SettlementChannel
from backend_client.client import BackendClient
from backend_client.day_statement_messages import DayStatement
from backend_client.errors import NotEnrolled, Refused, Unreachable
from backend_client.identity import TlsIdentity
from backend_client.life_messages import Catalogue
from backend_client.messages import Enrolment, EnrolmentRequest
from backend_client.transport import Reply, Request, Transport
from terminal.admission import CardFacts, Decision
from terminal.admitter import Admitter
from terminal.centre import Centre
from terminal.certificates import CertificateKeeper, NewKey
from terminal.clock import Clock, local
from terminal.errand import Errand
from terminal.errors import (
    ConfigurationError,
    DayNotCome,
    OperationsOpen,
    RecordsUnsent,
    StoreDamaged,
    StoreError,
)
from terminal.functions.debit import purchases_of
from terminal.policy import Function
from terminal.reconciliation import statement_of
from terminal.resolution import Recovery, as_found, resolve_all
from terminal.session import CardSession
from terminal.settings import Settings
from terminal.settlement_channels import CHANNELS, Parts
from terminal.store.audit import Audit, AuditEntry
from terminal.store.blacklist import BlacklistStore, ListHead, ListRefusal
from terminal.store.catalogue import CatalogueCache
from terminal.store.clock_guard import ClockGuard
from terminal.store.identity import load_identity, save_identity
from terminal.store.journal import Journal, Operation, State
from terminal.store.misuse import MisuseStore
from terminal.store.outbox import Outbox, Waiting
from terminal.store.status_cache import StatusCache
from terminal.store.store import Disk, Store
from terminal.synchronisation import Synchroniser, SyncReport
from terminal.upload import Uploaded, upload_all
from terminal.visit import Visit

__all__ = ["Nowhere", "Recovery", "SyncReport", "Terminal", "TerminalStatus"]

log = logging.getLogger(__name__)

CHECKED_AT_START = 1_000
"""How many of the journal's last events are checked before the terminal serves."""

_EXPORTED = "exported"
_ID_BYTES = 16
_PREVIOUS_TOKEN_UNKNOWN = "PREVIOUS_TOKEN_UNKNOWN"  # noqa: S105 - a problem code


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
    certificate_until: datetime | None
    misuse_unsent: int
    records: Waiting
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
        show: Callable[[TlsIdentity], None] | None = None,
    ) -> None:
        """For tests and special compositions; `client` holds no token yet."""
        self.settings = settings
        self.store = store
        self.clock = clock
        self.random = random
        self.sam = sam
        self.audit = Audit(store)
        self.blacklist = BlacklistStore(store)
        self.misuse = MisuseStore(store)
        self.statuses = StatusCache(store, clock)
        self.services = CatalogueCache(store)
        self.clock_guard = ClockGuard(store, clock)
        own = settings.terminal.institution
        self.journal = Journal(store, clock, own, lambda: self.sam.terminal_number)
        self.certificates = CertificateKeeper(store, clock, random, show)
        self.outbox = Outbox(store, clock)
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
        show: Callable[[TlsIdentity], None] | None = None,
        disk: Disk = sqlite3.Connection,
    ) -> Terminal:
        """Open the terminal that `settings` describe; without a transport it works offline.

        `random(n)` gives n unpredictable bytes; `show` has the transport show a certificate from
        then on (None: over this transport nobody asks for one); `disk` as in `Store.open`. Raises
        `ConfigurationError` for software keys in production, and `StoreError`.
        """
        if settings.security.production and isinstance(sam, SoftwareSam):
            raise ConfigurationError("[security] production = true refuses software keys")
        store = Store.open(
            settings.terminal.data_dir,
            random=random,
            key=settings.store.key,
            key_file=settings.store.key_file,
            disk=disk,
        )
        client = BackendClient(
            Calls(
                transport or Nowhere(),
                token=None,
                now=clock.now,
                sleep=clock.sleep,
                random=random,
                retries=Retries(attempts=settings.backend.attempts),
            )
        )
        try:
            return cls(
                settings,
                store=store,
                clock=clock,
                random=random,
                sam=sam,
                client=client,
                show=show,
            )
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
        """Turn a one-time code into this terminal's identity and keep it.

        The token of the enrolment before goes with it, so that the operation numbers of then stay
        this terminal's own. A back office that does not know it, since it was built anew, gets the
        code alone: by then there is nothing here that it would have to know.

        Raises `OperationsOpen` while an operation has no end: only who sent it can ask what became
        of it (facts 5.4, rule 6); and `RecordsUnsent` while a record waits that was not exported:
        no other institution can hand it in. Raises `BackendError`, and what `recover` raises.
        """
        self.recover()
        unfinished = self.journal.open_operations()
        if unfinished:
            raise OperationsOpen(f"{len(unfinished)} operations have no end yet")
        if self.upload().waiting:
            self.require_kept()
        key = self.certificates.new_key()
        try:
            identity = self._enrolled(code, key, self.identity.token if self.identity else None)
        except Refused as error:
            if error.problem.code != _PREVIOUS_TOKEN_UNKNOWN:
                raise
            log.warning("the back office does not know the enrolment before")
            identity = self._enrolled(code, key, None)
        tls = key.certified(identity.certificate) if key and identity.certificate else None
        save_identity(self.store, identity, tls)
        self.certificates.show()
        self._act_as(identity, self.client)
        self.outbox.set_aside(identity.institution)
        return identity

    def _enrolled(self, code: str, key: NewKey | None, previous_token: str | None) -> Enrolment:
        request = EnrolmentRequest(
            code=code,
            profile=self.settings.terminal.profile,
            previous_token=previous_token,
            certificate_request=key.request if key else None,
        )
        return self.client.enrol(request)

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
        return self.resolve_unknown()

    def resolve_unknown(self) -> Recovery:
        """Try again what nobody knows; may be called at any time, whoever is being served.

        What the visits that go on have in their hands is left to them.
        """
        recovery = resolve_all(self.journal.left_open(), self.journal, self.centre)
        if self.outbox.waiting().count:
            self.upload()
        return recovery

    def upload(self) -> Uploaded:
        """Send what was done without the centre. Raises `StoreError`."""
        return upload_all(self.outbox, self.journal, self.client)

    def day_statement(self, day: date) -> DayStatement:
        """What this terminal has done on that day, for a reconciliation.

        Raises `NotEnrolled`, `StoreError`, and `DayNotCome` for a day that has not begun.
        """
        if self.identity is None:
            raise NotEnrolled("a statement names its terminal")
        now = self.clock.now()
        if day > local(now).date():
            raise DayNotCome(f"{day} has not come")
        return statement_of(self.journal, day, self.identity, now, self.centre.visit_of)

    def export_records(self) -> Iterator[str]:
        """Every operation as a line of JSON, personal data in it."""
        for operation in self.journal.every():
            record = dataclasses.asdict(operation)
            yield json.dumps(record, ensure_ascii=False, sort_keys=True, default=str)

    def exported(self) -> None:
        """Note that all records up to now were exported."""
        self.store.put(_EXPORTED, {"steps": self.journal.steps})

    def require_kept(self) -> None:
        """Raise `RecordsUnsent` while something is open or waits, and was not exported."""
        exported = self.store.get(_EXPORTED)
        if exported is not None and exported["steps"] == self.journal.steps:
            return
        waiting, unfinished = self.outbox.waiting().count, len(self.journal.open_operations())
        if waiting or unfinished:
            raise RecordsUnsent(f"{waiting} records wait, {unfinished} operations are open")

    def try_resolve(self, operation: Operation) -> Operation:
        """Ask what became of an operation; it comes back still open when the centre is away."""
        resolve_all((operation,), self.journal, self.centre)
        return as_found(operation, self.journal)

    def sync(self) -> SyncReport:
        """Confirm the clock with the back office and take a newer blacklist if there is one.

        A list that must not be taken is refused, the last good one stays in force, and `status`
        tells why. A certificate that ends soon is renewed. Raises only `StoreError`.
        """
        self.certificates.renew_if_due(self.client)
        return self._synchroniser.sync()

    def take(self, documents: Iterable[bytes], *, pushed: bool = False) -> SyncReport:
        """Take signed documents of the blacklist that came in a file, or were `pushed`.

        Raises only `StoreError`.
        """
        return self._synchroniser.take(documents, pushed=pushed)

    def follow(self, transport: Transport, wait: float) -> SyncReport:
        """Wait up to `wait` seconds for a newer blacklist and take it; `following` calls this.

        `transport` has to be as patient. Raises only `StoreError`.
        """
        self.certificates.renew_if_due(self.client)
        return self._synchroniser.follow(self._over(transport), wait)

    def _over(self, transport: Transport) -> BackendClient:
        """The client of this terminal over another transport, which tries once."""
        calls = Calls(
            transport,
            token=self.identity.token if self.identity else None,
            now=self.clock.now,
            sleep=self.clock.sleep,
            random=self.random,
            retries=Retries(attempts=1),
        )
        return BackendClient(calls)

    def admit(self, facts: CardFacts, function: Function, face: str) -> Decision:
        """Decide on one card and one function, and write it into the audit trail.

        `face` is where the holder stands: console, kiosk, agent. Raises `StoreError`.
        """
        return self._admitter.admit(facts, function, face)

    def outlook(self, facts: CardFacts, face: str) -> Mapping[Function, Decision]:
        """What each function would be told now, for a menu (`Admitter.outlook`)."""
        return self._admitter.outlook(facts, face)

    def visit(self, session: CardSession, face: str) -> Visit:
        """What a function is given to serve the card of `session`."""
        return Visit(
            card=session.card,
            basic=session.basic,
            client=self.client,
            channel=self.centre.channel,
            channel_of=self.centre.channel_of,
            sam=self.sam,
            purchases=purchases_of(self.sam),
            outbox=self.outbox,
            offline=self.settings.offline,
            journal=self.journal,
            clock=self.clock,
            place=self.institution_name,
            pin_rules=self.settings.pin,
            admit=lambda function: self.admit(session.facts, function, face),
            still_here=session.still_here,
            resolve=self.try_resolve,
            remember=self.statuses.keep,
            new_id=self._new_id,
            catalogue=self._catalogue,
            refresh=self._refresh,
            photo=session.photo,
        )

    def errand(self, face: str) -> Errand:
        """What a function is given to serve somebody who has no card to insert."""

        def note(function: str) -> None:
            self.audit.record(AuditEntry(self.clock.now(), face, function, "admitted"), None)

        return Errand(
            client=self.client,
            clock=self.clock,
            place=self.institution_name,
            new_id=self._new_id,
            catalogue=self._catalogue,
            refresh=self._refresh,
            note=note,
        )

    def _refresh(self) -> None:
        """Take a newer blacklist now. The store may fail; what was done is done all the same."""
        try:
            self.sync()
        except StoreError as error:
            log.warning("the blacklist is not brought up to date: %s", error.code)

    def _new_id(self) -> str:
        return self.random(_ID_BYTES).hex()

    def _catalogue(self) -> Catalogue | None:
        return self.services.current(self.client)

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
            certificate_until=self.certificates.until,
            misuse_unsent=self.misuse.count(),
            records=self.outbox.waiting(),
            operations=self.journal.counts(),
        )

    def _act_as(self, identity: Enrolment | None, client: BackendClient) -> None:
        """Put together what depends on who this terminal is."""
        self.identity = identity
        self.client = client.with_token(identity.token) if identity else client
        self.journal.institution = self.institution
        self.centre = Centre(self._channels(), self.settings.settlement.channel, self.client)
        self._admitter = Admitter(
            self.settings,
            self.clock,
            self.client,
            self.centre,
            self.journal,
            self.audit,
            self.blacklist,
            self.statuses,
            self.clock_guard,
            self.misuse,
        )
        self._synchroniser = Synchroniser(
            self.client,
            identity,
            self.store,
            self.blacklist,
            self.clock_guard,
            self.misuse,
            self.clock,
        )

    def _channels(self) -> Mapping[str, SettlementChannel]:
        """Every settlement channel of this terminal, by its name."""
        parts = Parts(
            client=self.client,
            settings=self.settings.settlement,
            terminal_id=self.identity.terminal_id if self.identity else "-",
            institution=self.institution,
            institution_name=self.institution_name or self.institution,
            now=self.clock.now,
            numbers=self.journal.reserve,
        )
        return {name: make(parts) for name, make in CHANNELS.items()}


class Nowhere:
    """The transport of a terminal without a back office."""

    def send(self, request: Request) -> Reply:
        """Raise `Unreachable`."""
        raise Unreachable(f"no back office is set: {request.method} not sent")
