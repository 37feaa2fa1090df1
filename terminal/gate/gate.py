"""The gate: one tap, one decision, one record.

A tap selects the purse, decides, debits and records; SELECT answers with number and validity, so
nothing else is read of a Shanghai card but its rail record. The order is the rule: the row is
durable before DEBIT leaves, and closed by the card's word. A debit without an answer leaves the row
grey; the same card, when it comes back, is asked for its proof, and no other card can stand in.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from apdu.channel import CardChannel
from apdu.connection import Connection, Reader
from apdu.crypto import Algorithm
from apdu.layers import stack
from apdu.purse import PurseKind, PursePurchase
from apdu.status import (
    ApplicationLocked,
    CardError,
    PurchaseNotProved,
    SecurityModuleError,
    SeveralCards,
    StatusError,
    StatusWord,
)
from apdu.transit import NoTransitPurse, TransitPurse
from apdu.transit_purchase import Offer, PurseCommands, PurseReceipt, PurseTooLow, Sfi
from apdu.transit_records import Journey, JourneyKind, LogRow, bcd_time
from apdu.transit_sam import PurseIdentity, PursePermit, PurseRequest, TransitSam
from backend_client.transit_messages import Tap
from terminal.clock import Clock
from terminal.errors import StoreError, TerminalError
from terminal.gate.decision import DenyList, GatePolicy, at_home, entitled, gate_closed
from terminal.gate.fares import FareTable
from terminal.gate.place import Place
from terminal.gate.reasons import GateReason
from terminal.gate.rides import Ride, plan
from terminal.gate.signals import Light, TapResult
from terminal.store.taps import TapBook, TapRow

log = logging.getLogger(__name__)

RETURN_WINDOW = timedelta(seconds=120)
"""How long after a torn tap its card may come back and pass. Later its row is still settled, and
the tap counts as a new one."""

_KINDS = {JourneyKind.ENTRY: "entry", JourneyKind.EXIT: "exit", JourneyKind.SINGLE: "single"}


@dataclass(frozen=True, slots=True)
class _Stop(Exception):
    """The gate stays shut, and why."""

    reason: GateReason


class Gate:
    """One gate and its state between taps. Not for several threads: one thread owns a card.

    `sam` permits debits, `book` keeps them, `deny` is the blacklist in force at each tap.
    `clock_trusted` is asked at each tap, too: a clock can lose its trust.
    """

    def __init__(
        self,
        place: Place,
        fares: FareTable,
        policy: GatePolicy,
        *,
        sam: TransitSam,
        book: TapBook,
        deny: DenyList,
        clock: Clock,
        clock_trusted: bool = True,
    ) -> None:
        self.deny = deny
        self.clock_trusted = clock_trusted
        self._place = place
        self._fares = fares
        self._policy = policy
        self._sam = sam
        self._book = book
        self._clock = clock
        self._permitted: int | None = None
        self._grey = self._waiting()
        self._is_sure = True

    def serve(self, reader: Reader) -> TapResult:
        """The card that is in `reader`'s field, from connecting to letting go of it."""
        try:
            connection = reader.connect(exclusive=True)
        except SeveralCards as error:
            return TapResult(Light.AGAIN, GateReason.SEVERAL_CARDS, detail=error.code)
        except CardError as error:
            return TapResult(Light.AGAIN, GateReason.TAP_AGAIN, detail=error.code)
        try:
            return self.tap(connection)
        finally:
            connection.close()

    def closed(self) -> GateReason | None:
        """Why nobody may pass now, if that is so. Raises `StoreError`."""
        return gate_closed(
            self._policy,
            self.deny,
            self._book.unsent(),
            self._clock.now(),
            clock_trusted=self.clock_trusted,
        )

    def tap(self, connection: Connection) -> TapResult:
        """One tap. Never raises one of our errors: whatever happens, the next card is served."""
        try:
            return self._tap(PurseOnGate(CardChannel(stack(connection))))
        except _Stop as stop:
            return TapResult(Light.STOP, stop.reason)
        except PurseTooLow:
            return TapResult(Light.STOP, GateReason.TOO_LITTLE)
        except (SecurityModuleError, TerminalError) as error:
            # A write that was reported failed may have been done: look again before the next tap.
            self._is_sure = False
            log.warning("the gate cannot serve: %s", error.code)
            return TapResult(Light.STOP, GateReason.OUT_OF_SERVICE, detail=error.code)
        except NoTransitPurse as error:
            return TapResult(Light.STOP, GateReason.NO_PURSE, detail=error.code)
        except (StatusError, ApplicationLocked) as error:
            return TapResult(Light.STOP, GateReason.CARD_FAULT, detail=error.code)
        except CardError as error:
            return TapResult(Light.AGAIN, GateReason.TAP_AGAIN, detail=error.code)

    def _tap(self, card: PurseOnGate) -> TapResult:
        if not self._is_sure:
            self._grey, self._is_sure = self._waiting(), True
        now = self._clock.now()
        grey = self._grey.get(card.number)
        if grey is not None:
            result = self._settled(card, grey, now)
            if result is not None:
                return result
        self._admit(card, now)
        rail = card.commands.rail_record()
        ride = plan(self._place, self._fares, rail, now)
        if isinstance(ride, GateReason):
            raise _Stop(ride)
        return self._debited(card, ride, now)

    def _waiting(self) -> dict[str, TapRow]:
        """The torn taps by their purse's number; of several of one purse the last."""
        return {row.tap.purse_number: row for row in self._book.grey()}

    def _admit(self, card: PurseOnGate, now: datetime) -> None:
        """Raise `_Stop` where gate or card may not be used now."""
        reason = self.closed() or entitled(card.purse.card, self.deny, now)
        if reason is None and not card.purse.card.is_shanghai:
            reason = at_home(card.purse.area(), self._policy.city)
        if reason is not None:
            raise _Stop(reason)

    def _debited(self, card: PurseOnGate, ride: Ride, now: datetime) -> TapResult:
        """The composite purchase, from INITIALIZE to the closed row."""
        offer = card.commands.begin(
            ride.fen, terminal=self._sam.terminal, key_index=self._sam.key_index, composite=True
        )
        left = offer.balance_fen - ride.fen
        permit, purchase = self._permit(card, ride, offer, now)
        rail = ride.rail
        if ride.kind is JourneyKind.ENTRY:
            rail = rail.with_entry(ride.fen, left)
        card.commands.hand_over(Sfi.RAIL, bytes(rail))
        journey = self._journey(ride, max(0, left), now)
        card.commands.hand_over(Sfi.JOURNEYS, bytes(journey), number=0)
        row = self._book.prepare(self._record(card, ride, offer, permit, now))
        self._permitted = row.id
        try:
            receipt = card.commands.debit(permit, purchase.time)
        except CardError as error:
            if isinstance(error, StatusError) and error.sw != StatusWord.MEMORY_FAILURE:
                self._book.void(row)  # the card's no: nothing was debited
                raise
            self._grey[card.number] = row
            return TapResult(Light.AGAIN, GateReason.TAP_AGAIN, detail=error.code)
        return self._closed(row, receipt, left, resumed=False)

    def _closed(self, row: TapRow, receipt: PurseReceipt, left: int, *, resumed: bool) -> TapResult:
        """Close the row by the card's word, check it as far as it can be, and open."""
        self._grey.setdefault(row.tap.purse_number, row)  # until the row is durably closed
        self._finish(row, receipt.tac)
        del self._grey[row.tap.purse_number]
        if self._permitted == row.id and receipt.mac2 is not None:
            self._permitted = None
            try:
                self._sam.check(receipt.mac2)
            except PurchaseNotProved as error:
                # The record stays: the centre looks at its TAC, which no forger can make.
                return TapResult(Light.STOP, GateReason.CARD_FAULT, detail=error.code)
            except SecurityModuleError as error:
                # The fare is paid and proved to the centre; what is broken is ours.
                log.warning("MAC2 was not checked: %s", error.code)
        return TapResult(Light.GO, fen=row.tap.fen, balance_fen=left, resumed=resumed)

    def _finish(self, row: TapRow, tac: bytes) -> None:
        """Close the row, a second time if need be: a close that was reported failed may be done.

        Who has paid must not be told that the gate is out of service, and then that the card was
        used a moment ago.
        """
        try:
            self._book.finish(row, tac)
        except StoreError:
            self._book.finish(row, tac)

    def _settled(self, card: PurseOnGate, grey: TapRow, now: datetime) -> TapResult | None:
        """Find out what became of a torn tap. None where the tap that is going on is a new one.

        A proof says that the card counted so far, not by whose debit: when ours never reached it,
        another gate's took the same place. So the card's log has the last word on whose it was.
        """
        tap = grey.tap
        proof = card.commands.proof(PurseKind.COMPOSITE, tap.card_sequence)
        if proof is not None and _is_ours(card.commands.log_row(1), tap):
            result = self._closed(grey, proof, tap.balance_before_fen - tap.fen, resumed=True)
            return result if now - tap.at <= RETURN_WINDOW else None
        if proof is not None or self._is_certainly_undone(card, tap):
            self._book.void(grey)
        # Else the card was used elsewhere since: the row stays grey, and the clearing decides.
        del self._grey[card.number]
        return None

    def _is_certainly_undone(self, card: PurseOnGate, tap: Tap) -> bool:
        """Whether the card has not counted so far, or counted so far by another debit."""
        offer = card.commands.begin(
            0, terminal=self._sam.terminal, key_index=self._sam.key_index, composite=True
        )
        if offer.sequence < tap.card_sequence:
            return True
        rows = card.commands.log()
        return any(
            row.sequence == tap.card_sequence
            and row.kind != PurseKind.LOAD
            and not _is_ours(row, tap)
            for row in rows
        )

    def _permit(
        self, card: PurseOnGate, ride: Ride, offer: Offer, now: datetime
    ) -> tuple[PursePermit, PursePurchase]:
        purchase = PursePurchase(ride.fen, PurseKind.COMPOSITE, self._sam.terminal, bcd_time(now))
        request = PurseRequest(
            card.identity,
            purchase,
            offer.random,
            offer.sequence.to_bytes(2, "big"),
            offer.key_version,
            offer.algorithm,
        )
        return self._sam.permit(request), purchase

    def _journey(self, ride: Ride, left: int, now: datetime) -> Journey:
        place = self._place
        return Journey(
            kind=ride.kind,
            terminal=place.device,
            industry=place.industry,
            line=bytes((0, place.line)),
            station=place.station_code,
            operator=place.operator,
            fen=ride.fen,
            balance_fen=left,
            at=now,
            city=place.city,
            acquirer=place.acquirer,
        )

    def _record(
        self, card: PurseOnGate, ride: Ride, offer: Offer, permit: PursePermit, now: datetime
    ) -> Tap:
        place = self._place
        return Tap(
            terminal=self._sam.terminal.hex(),
            sequence=int.from_bytes(permit.sequence, "big"),
            purse_number=card.number,
            issuer=card.identity.issuer,
            algorithm="SM4" if offer.algorithm is Algorithm.SM4 else "DES",
            kind=_KINDS[ride.kind],  # type: ignore[arg-type]  # the three kinds that rides have
            fen=ride.fen,
            balance_before_fen=offer.balance_fen,
            card_sequence=offer.sequence + 1,
            # To the second, as the card's cryptograms have it: the centre computes with this.
            at=now.replace(microsecond=0),
            industry=place.industry.name.lower(),  # type: ignore[arg-type]  # as the contract says
            line=place.line,
            station=place.station,
            device=place.device,
            fares=self._fares.name,
            list_version=self.deny.version,
            tac=None,
        )


def _is_ours(row: LogRow | None, tap: Tap) -> bool:
    """Whether a row of the card's log is this tap's debit."""
    return row is not None and (row.sequence, row.fen, row.terminal.hex(), row.at) == (
        tap.card_sequence,
        tap.fen,
        tap.terminal,
        tap.at,
    )


class PurseOnGate:
    """The purse in the field: selected, with its number and its commands."""

    def __init__(self, channel: CardChannel) -> None:
        self.purse = TransitPurse.select(channel)
        self.commands = PurseCommands(channel)
        self.number = self.purse.card.number.reveal()

    @property
    def identity(self) -> PurseIdentity:
        """What the purse's keys are derived from."""
        return PurseIdentity.of(self.purse.card.issuer, self.number)
