"""A powered card in a PC/SC reader."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from apdu.readers.pcsc_binding import failure
from apdu.readers.pcsc_service import Context
from apdu.readers.t0 import for_t0
from apdu.status import CardError, CardRemoved, NoAnswer, NoCard, ReaderError

# Drivers are asked for card presence every 0.4 s (PCSCLITE_STATUS_POLL_RATE): a failed exchange is
# given this long to turn out to be a card that was pulled.
_SETTLE_SECONDS = 1.0


class PcscConnection:
    """A powered card in a PC/SC reader (`apdu.connection.Connection`)."""

    def __init__(self, context: Context, reader: str, *, exclusive: bool) -> None:
        self._context = context
        self._scard = scard = context.scard
        self._reader = reader
        self._share = scard.SCARD_SHARE_EXCLUSIVE if exclusive else scard.SCARD_SHARE_SHARED
        self._protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        # A verified PIN must not be left behind for the next program.
        self._leave = scard.SCARD_UNPOWER_CARD if exclusive else scard.SCARD_RESET_CARD
        self._open = False
        self._handle, self._protocol = self._connect()
        self._open = True
        self._atr = self._read_atr()

    def __repr__(self) -> str:
        return f"PcscConnection({self._reader!r}, T={self.protocol})"

    @property
    def atr(self) -> bytes:
        """The answer to reset; contactless, the one the reader derives from the ATS."""
        return self._atr

    @property
    def protocol(self) -> int:
        """0 for T=0, 1 for T=1 (which contactless cards report, too)."""
        return 0 if self._protocol == self._scard.SCARD_PROTOCOL_T0 else 1

    def transmit(self, command: bytes) -> bytes:
        """Send one command APDU and return the response APDU.

        Raises `CardRemoved`, `CardReset`, `NoAnswer` or `ReaderError`.
        """
        if not self._open:
            raise ReaderError(f"{self._reader}: the connection is closed")
        framed = for_t0(command) if self.protocol == 0 else command
        result, answer = self._scard.SCardTransmit(self._handle, self._protocol, list(framed))
        if result == self._scard.SCARD_S_SUCCESS and len(answer) >= 2:
            return bytes(answer)
        raise self._why_no_answer(result)

    def reset(self) -> bytes:
        """Power the card off and on again and return the new ATR."""
        result, protocol = self._scard.SCardReconnect(
            self._handle, self._share, self._protocols, self._scard.SCARD_UNPOWER_CARD
        )
        self._context.check(result, f"{self._reader}: resetting the card")
        self._protocol = protocol
        self._atr = self._read_atr()
        return self._atr

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep other programs off the card for the commands in the `with` block.

        Raises `CardReset` when one of them reset the card before: everything selected and
        authenticated is lost, and only `reset` or a new connection goes on.
        """
        result = self._scard.SCardBeginTransaction(self._handle)
        self._context.check(result, f"{self._reader}: beginning a transaction")
        try:
            yield
        finally:
            self._scard.SCardEndTransaction(self._handle, self._scard.SCARD_LEAVE_CARD)

    def close(self) -> None:
        """Power the card off (shared: reset it) and give the reader back; harmless when repeated.

        A card, reader or service that is gone already is no error here.
        """
        if self._open:
            self._open = False
            self._scard.SCardDisconnect(self._handle, self._leave)
            self._context.close()

    def _connect(self) -> tuple[int, int]:
        result, handle, protocol = self._ask_for_card()
        if result in (self._scard.SCARD_W_UNRESPONSIVE_CARD, self._scard.SCARD_W_UNPOWERED_CARD):
            result, handle, protocol = self._ask_for_card()
        what = f"{self._reader}: connecting to the card"
        if result == self._scard.SCARD_W_UNPOWERED_CARD:
            raise NoAnswer(f"{what}: it does not answer to reset")
        if result == self._scard.SCARD_W_REMOVED_CARD:
            raise NoCard(f"{what}: it was taken out")
        self._context.check(result, what)
        return handle, protocol

    def _ask_for_card(self) -> tuple[int, int, int]:
        return self._scard.SCardConnect(
            self._context.handle, self._reader, self._share, self._protocols
        )

    def _read_atr(self) -> bytes:
        result, _, _, _, atr = self._scard.SCardStatus(self._handle)
        self._context.check(result, f"{self._reader}: reading the ATR")
        return bytes(atr)

    def _why_no_answer(self, result: int) -> CardError:
        what = f"{self._reader}: sending a command"
        error: CardError = NoAnswer(f"{what}: the answer has no status word")
        if result != self._scard.SCARD_S_SUCCESS:
            error = failure(self._scard, result, what)
        if isinstance(error, NoAnswer) and self._card_has_left():
            return CardRemoved(f"{what}: the card was taken out")
        return error

    def _card_has_left(self) -> bool:
        """Whether the driver notices, within its polling time, that the slot was emptied."""
        state = self._context.states([self._reader])[0]
        if state.present and self._scard.SCardStatus(self._handle)[0] == 0:
            changed = self._context.wait([(self._reader, state.flags)], _SETTLE_SECONDS)
            return bool(changed) and self._scard.SCardStatus(self._handle)[0] != 0
        return True
