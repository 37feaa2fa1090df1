"""What stands behind the LD/T 33 functions here: slots, security module, admission, audit trail."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, cast

from apdu.connection import Reader
from apdu.sam import CompleteModule
from apdu.ssc.driver import (
    Devices,
    DriverResult,
    PinPad,
    always,
    no_module,
)
from apdu.status import CardError
from terminal.admission import Decision, Refused
from terminal.agent.debits import JournalDebits
from terminal.agent.guard import Caller
from terminal.agent.readers import Readers
from terminal.agent.scopes import Scope, scope_of
from terminal.app import Terminal
from terminal.functions.proof import CardHere, ask_for_proofs, torn_debits
from terminal.policy import Function
from terminal.reasons import Reason
from terminal.session import CardSession
from terminal.store.audit import AuditEntry

_CARD_ID_FIELD = 3
_DEBIT = "iDoDebit"
_GATED = {Scope.WRITE: Function.READ, Scope.DEBIT: Function.SETTLEMENT}
_READING = ("iReadDebitRecord",)


class PointOfUse:
    """Gives the socket its devices, and answers for what is done with them."""

    def __init__(
        self,
        terminal: Terminal,
        readers: Readers,
        random: Callable[[int], bytes],
        pin_pad: PinPad | None = None,
    ) -> None:
        self._terminal = terminal
        self._readers = readers
        self._random = random
        self._pin_pad = pin_pad
        self.debits = JournalDebits(terminal.journal)

    def devices(self) -> Devices:
        """The slots that there are now."""
        sam: Any = self._terminal.sam
        complete = hasattr(sam, "permit_purchase") and hasattr(sam, "secured_command")
        return Devices(
            readers=self._slots(),
            random=self._random,
            modules=always(cast(CompleteModule, sam)) if complete else no_module,
            pin_pad=self._pin_pad,
            device_number=self._terminal.settings.agent.device_number,
        )

    def gate(
        self,
        caller: Caller,
        function: str,
        arguments: Mapping[str, object],  # noqa: ARG002 - the card itself says which it is
    ) -> str | None:
        """What admission has against a function that changes the card; None when nothing.

        Without a security module the card cannot prove itself here; then the HSM's side decides.
        A card whose debit was torn is asked for its proof first. Where that takes the PIN, the
        function is let in to ask for it, and admission is asked again before it debits.
        """
        wanted = _GATED.get(scope_of(function) or Scope.READ)
        later_step = function.endswith(("_Step2", "_Step3"))
        if wanted is None or later_step or function in _READING:
            return None
        session = self._first_card()
        if session is None:
            return None  # the function says itself what is wrong
        with session:
            at = CardHere(self._terminal.journal, session.card)
            if function.startswith(_DEBIT):
                ask_for_proofs(at)
            facts = session.facts
            decision = self._terminal.admit(facts, wanted, caller.face)
            if not isinstance(decision, Refused):
                self.debits.admitted(session.card.card_id)
                return None
            waits = decision.reason is Reason.OPERATION_OPEN and function.startswith(_DEBIT)
            if waits and torn_debits(at):
                self.debits.let_in(
                    session.card.card_id,
                    lambda: _against(self._terminal.admit(facts, wanted, caller.face)),
                )
                return None
        return _against(decision)

    def witness(
        self,
        caller: Caller,
        function: str,
        arguments: Mapping[str, object],
        result: DriverResult,
    ) -> None:
        """Write a call into the audit trail (Articles 25, 27)."""
        card_id = _named_card(arguments) or _read_card(result)
        outcome = "admitted" if result.ok else "refused"
        entry = AuditEntry(
            self._terminal.clock.now(),
            caller.face,
            function.replace("_Step", "#"),
            outcome,
            None if result.ok else f"LDT33_{result.code}",
        )
        self._terminal.audit.record(entry, card_id)

    def _slots(self) -> tuple[Reader, ...]:
        try:
            names = [name for name, _ in self._readers.states()]
            return tuple(self._readers.find(name) for name in names)
        except CardError:
            return ()  # a reader or service that is away: every function answers "no card"

    def _first_card(self) -> CardSession | None:
        """The first card that is here and proves itself; None when there is none."""
        for reader in self._slots():
            with suppress(CardError):
                if reader.wait_for_card(0):
                    return CardSession.open(reader, self._terminal.sam)
        return None


def _against(decision: Decision) -> str | None:
    return decision.text.zh if isinstance(decision, Refused) else None


def _named_card(arguments: Mapping[str, object]) -> str | None:
    """The id of the card that the caller means: the first field of pCardInfo."""
    told = arguments.get("pCardInfo")
    return _id(told.partition("|")[0]) if isinstance(told, str) else None


def _read_card(result: DriverResult) -> str | None:
    """The id of the card that was read: the fourth field of a basic read."""
    fields = result.out.split("|")
    return _id(fields[_CARD_ID_FIELD]) if len(fields) > _CARD_ID_FIELD else None


def _id(text: str) -> str | None:
    return text.lower() if re.fullmatch(r"[0-9A-Fa-f]{32}", text) else None
