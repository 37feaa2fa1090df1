"""Puts a card before admission: gathers what it must know, has it decide, writes the audit trail.

Nothing is decided here. The back office is asked for the card's status only where the function's
policy makes something of the answer, and only about cards that proved to be genuine.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus

from backend_client.client import BackendClient
from backend_client.errors import BackendError, Refused
from backend_client.messages import CardRef, CardStatus
from terminal.admission import (
    AdmissionContext,
    Admitted,
    CardFacts,
    Decision,
    Listing,
    decide,
)
from terminal.admission import Refused as NotAdmitted
from terminal.centre import Centre
from terminal.clock import Clock
from terminal.policy import Function
from terminal.reasons import Reason
from terminal.resolution import resolve_all
from terminal.settings import Settings
from terminal.store.audit import Audit, AuditEntry
from terminal.store.blacklist import BlacklistIndex
from terminal.store.clock_guard import ClockGuard
from terminal.store.journal import Journal, State
from terminal.store.misuse import MisuseStore
from terminal.store.status_cache import StatusCache

log = logging.getLogger(__name__)

ASK_AGAIN_AFTER = 30.0
"""Seconds for which an unreachable back office is not asked for a status that is not needed."""


class _Once:
    """Asks the back office at most once for several decisions on one card."""

    def __init__(self, ask: Callable[[], CardStatus | BackendError]) -> None:
        self._ask = ask
        self._answer: CardStatus | BackendError | None = None

    def __call__(self) -> CardStatus | BackendError:
        if self._answer is None:
            self._answer = self._ask()
        return self._answer


MISUSE = frozenset(
    {
        Reason.LISTED_TEMPORARY_LOSS,
        Reason.LISTED_FORMAL_LOSS,
        Reason.LISTED_VOID,
        Reason.FROZEN,
    }
)
"""Whoever presents such a card is reported (Article 26). An old card is no misuse."""


@dataclass(slots=True)
class Admitter:
    """Decides on cards with the parts of one terminal."""

    settings: Settings
    clock: Clock
    client: BackendClient
    centre: Centre
    journal: Journal
    audit: Audit
    blacklist: BlacklistIndex
    statuses: StatusCache
    clock_guard: ClockGuard
    misuse: MisuseStore
    _asked_in_vain: float | None = field(default=None, init=False)

    def admit(self, facts: CardFacts, function: Function, face: str) -> Decision:
        """Decide on one card and one function, and write it into the audit trail.

        `face` is where the holder stands: console, kiosk, agent. Raises `StoreError`.
        """
        context = self._context(facts, function)
        now = self.clock.now()
        decision = decide(facts, function, now, context)
        self.audit.record(_audit_entry(decision, now, face), facts.card_id)
        if isinstance(decision, NotAdmitted) and decision.reason in MISUSE:
            self._note_misuse(facts, decision, now, face)
        return decision

    def _note_misuse(
        self, facts: CardFacts, decision: NotAdmitted, now: datetime, face: str
    ) -> None:
        """A card that must not be used was presented (Article 26): the back office will hear."""
        self.misuse.note(
            CardRef(facts.card_id, facts.card_number),
            now,
            function=decision.function,
            face=face,
            reason=decision.reason,
            list_version=decision.list_version,
        )

    def outlook(self, facts: CardFacts, face: str) -> Mapping[Function, Decision]:
        """What each function would be told now, for a menu. Nothing is granted by it.

        The back office is asked once at most. The audit trail gets one line, about reading the
        card: each function asks again when it is chosen, and that is recorded then.
        """
        now = self.clock.now()
        asked = _Once(lambda: self._ask(facts))
        decisions = {
            function: decide(facts, function, now, self._context(facts, function, asked))
            for function in self.settings.policy
        }
        self.audit.record(_audit_entry(decisions[Function.READ], now, face), facts.card_id)
        return decisions

    def _context(
        self, facts: CardFacts, function: Function, asked: _Once | None = None
    ) -> AdmissionContext:
        """Everything that admission wants to know of the world."""
        online, status = self._standing(facts, function, asked or _Once(lambda: self._ask(facts)))
        unfinished = function.is_value and self._unfinished(facts, online=online)
        return AdmissionContext(
            policy=self.settings.policy[function],
            rules=self.settings.cards,
            listing=self._listing(facts),
            status=status,
            online=online,
            clock_trusted=self.clock_guard.trusted(),
            clock_confirmed=self.clock_guard.confirmed,
            operation_open=unfinished,
            limit_reached=self.journal.unfinished() >= self.settings.limits.open_operations,
        )

    def _listing(self, facts: CardFacts) -> Listing | None:
        held = self.blacklist.in_force()
        if held is None:
            return None
        entries = held.find(facts.card_id, facts.card_number)
        head = held.head
        return Listing(
            head.version,
            head.issued_at,
            head.expires_at,
            entries,
            head.coverage.regions,
            head.coverage.until,
        )

    def _standing(
        self, facts: CardFacts, function: Function, asked: _Once
    ) -> tuple[bool, CardStatus | None]:
        """Whether the back office answered just now, and the card's last known status."""
        policy = self.settings.policy[function]
        wanted = policy.requires_online or (policy.requires_activation and self._may_answer())
        if not (wanted and facts.authentic):
            return False, self.statuses.last(facts.card_id)
        answer = asked()
        if isinstance(answer, CardStatus):
            return True, answer
        online = _said_no(answer)
        if function.is_value and isinstance(answer, Refused):
            return online, None
        return online, self.statuses.last(facts.card_id)

    def _ask(self, facts: CardFacts) -> CardStatus | BackendError:
        """The card's status as the back office has it now, or why there is none."""
        try:
            status = self.client.card_status(CardRef(facts.card_id, facts.card_number))
        except BackendError as error:
            log.info("no status from the back office: %s", error.code)
            self._asked_in_vain = None if _said_no(error) else self.clock.monotonic()
            return error
        self._asked_in_vain = None
        self.statuses.keep(status)
        return status

    def _may_answer(self) -> bool:
        """Whether the back office is worth asking: not if it just did not answer."""
        last = self._asked_in_vain
        return last is None or self.clock.monotonic() - last >= ASK_AGAIN_AFTER

    def _unfinished(self, facts: CardFacts, *, online: bool) -> bool:
        """Whether the card has an operation of unknown outcome here, after trying to end it.

        What is only prepared was not sent and stands in nobody's way.
        """
        if self._unknown(facts) and online:
            resolve_all(self.journal.left_open(facts.card_id), self.journal, self.centre)
        return self._unknown(facts)

    def _unknown(self, facts: CardFacts) -> bool:
        mine = self.journal.open_operations(facts.card_id)
        return any(one.state is not State.PREPARED for one in mine)


def _said_no(error: BackendError) -> bool:
    """Whether it was the back office itself that refused.

    A page of a proxy or a captive portal is not, nor is a back office in trouble.
    """
    if not isinstance(error, Refused):
        return False
    return error.said_no and error.status < HTTPStatus.INTERNAL_SERVER_ERROR


def _audit_entry(decision: Decision, at: datetime, face: str) -> AuditEntry:
    function, version = decision.function, decision.list_version
    if isinstance(decision, Admitted):
        return AuditEntry(at, face, function, "admitted", list_version=version)
    return AuditEntry(
        at, face, function, "refused", decision.reason, decision.article, list_version=version
    )
