"""What the shell works on: the card in the reader, opened anew as often as one likes."""

from __future__ import annotations

from collections.abc import Callable

from apdu.channel import CardChannel
from apdu.connection import Connection, Reader
from apdu.layers import stack
from apdu.pin import Pin
from apdu.ssc.card import SocialSecurityCard
from apdu.status import NoCard, NotACard, UnsupportedCard
from apdu.trace import Trace
from terminal.admission import Admitted, Refused
from terminal.app import Terminal
from terminal.policy import Function
from terminal.session import CardSession

FACE = "shell"


class Bench:
    """One reader and the card in it.

    `card` is None for a chip that is no social security card; `channel` reaches any. Every opening
    of a social security card is put before admission and so comes into the audit trail. In
    production a card that is refused, or is none of ours, stays closed; in development `notice`
    is told and one may look on.
    """

    def __init__(
        self, terminal: Terminal, reader: Reader, trace: Trace, notice: Callable[[str], None]
    ) -> None:
        self.terminal = terminal
        self.reader = reader
        self.trace = trace
        self.pin_verified = False
        self._notice = notice
        self._session: CardSession | None = None
        self._bare: Connection | None = None
        self._channel: CardChannel | None = None

    @property
    def card(self) -> SocialSecurityCard:
        """The card. Raises `NotACard` for another chip, `NoCard` when none is open."""
        if self._session is None:
            if self._bare is not None:
                raise NotACard("this chip has no social security application")
            raise NoCard("no card is open")
        return self._session.card

    @property
    def session(self) -> CardSession | None:
        """The session with a social security card."""
        return self._session

    @property
    def channel(self) -> CardChannel:
        """The way to the chip. Raises `NoCard` when none is open."""
        if self._channel is None:
            raise NoCard("no card is open; insert one and type: open")
        return self._channel

    def open(self, wait: float) -> Refused | None:
        """Begin with the card in the reader, waited for; a refusal where production ends it there.

        Raises `CardError`.
        """
        self.close()
        if not self.reader.wait_for_card(wait):
            raise NoCard(f"{self.reader.name}: no card within {wait:g} seconds")
        exclusive = self.terminal.settings.reader.exclusive
        try:
            self._session = CardSession.open(
                self.reader, self.terminal.sam, exclusive=exclusive, trace=self.trace
            )
        except (NotACard, UnsupportedCard) as error:
            if self.terminal.settings.security.production:
                raise
            self._notice(f"{error.zh} {error.en} [{error.code}]")
            self._bare = self.reader.connect(exclusive=exclusive)
            self._channel = CardChannel(stack(self._bare, trace=self.trace))
            return None
        self._channel = self._session.card.channel
        return self._admit(self._session)

    def close(self) -> None:
        """Power the card off and free the reader. May be called more than once."""
        session, bare = self._session, self._bare
        self._session = self._bare = self._channel = None
        self.pin_verified = False
        if session is not None:
            session.close()
        if bare is not None:
            bare.close()

    def verify(self, pin: Pin) -> None:
        """Present the PIN. Raises `PinWrong` or `PinBlocked`."""
        self.card.verify_pin(pin)
        self.pin_verified = True

    def reset(self) -> bytes:
        """Reset the chip and return its ATR; what was selected and proved is lost."""
        self.pin_verified = False
        return self.channel.reset()

    def _admit(self, session: CardSession) -> Refused | None:
        decision = self.terminal.admit(session.facts, Function.READ, FACE)
        if isinstance(decision, Admitted):
            for remark in decision.remarks:
                self._notice(str(remark))
            return None
        self._notice(f"{decision.text} [{decision.reason.value}]")
        if not self.terminal.settings.security.production:
            return None
        self.close()
        return decision
