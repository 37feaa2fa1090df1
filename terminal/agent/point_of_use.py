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
    InterruptedDebits,
    PinPad,
    always,
    no_module,
)
from apdu.status import CardError
from terminal.admission import Refused
from terminal.agent.guard import Caller
from terminal.agent.pending_debit import PendingDebits
from terminal.agent.readers import Readers
from terminal.agent.scopes import Scope, scope_of
from terminal.app import Terminal
from terminal.policy import Function
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
        self._pending = PendingDebits(terminal.store)
        self.debits = InterruptedDebits(self._pending.keep)

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

    def gate(self, caller: Caller, function: str, arguments: Mapping[str, object]) -> str | None:
        """What admission has against a function that changes the card; None when nothing.

        Without a security module the card cannot prove itself here; then the HSM's side decides.
        A debit of this card that was kept and has no end is called to the driver's mind.
        """
        card_id = _named_card(arguments)
        if function.startswith(_DEBIT) and card_id is not None:
            kept = self._pending.of(bytes.fromhex(card_id))
            if kept is not None:
                self.debits.remember(kept)
        wanted = _GATED.get(scope_of(function) or Scope.READ)
        later_step = function.endswith(("_Step2", "_Step3"))
        if wanted is None or later_step or function in _READING:
            return None
        session = self._first_card()
        if session is None:
            return None  # the function says itself what is wrong
        with session:
            decision = self._terminal.admit(session.facts, wanted, caller.face)
        return decision.text.zh if isinstance(decision, Refused) else None

    def witness(
        self,
        caller: Caller,
        function: str,
        arguments: Mapping[str, object],
        result: DriverResult,
    ) -> None:
        """Write a call into the audit trail (Articles 25, 27)."""
        card_id = _named_card(arguments) or _read_card(result)
        if result.ok and function == _DEBIT and card_id is not None:
            self._pending.forget(bytes.fromhex(card_id))
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
