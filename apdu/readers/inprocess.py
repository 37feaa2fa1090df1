"""A reader inside this process: a software card where the plastic would be.

No daemon, no socket. The panel (a test, the demo, another thread) inserts and removes the card;
the session thread connects and transmits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Condition, RLock
from typing import Protocol

from apdu.status import (
    CardRemoved,
    CardReset,
    NoCard,
    ReaderBusy,
    ReaderError,
    SeveralCards,
)


class Chip(Protocol):
    """What a software card offers to a reader. Never called by two threads at once."""

    def power_on(self) -> bytes:
        """Power up, or reset, and return the answer to reset."""
        ...

    def power_off(self) -> None:
        """Cut the power: everything but the card's memory is lost."""
        ...

    def transmit(self, command: bytes) -> bytes:
        """The response APDU to one command APDU."""
        ...


@dataclass(slots=True, eq=False)
class _Inserted:
    """One stay of a card in the slot."""

    chip: Chip
    holders: set[InProcessConnection] = field(default_factory=set)
    exclusive: bool = False
    atr: bytes = b""  # empty while the card is not powered
    resets: int = 0


class InProcessReader:
    """A slot for one `Chip`. Every method may be called from any thread.

    A removal takes effect at once: waiters wake, and a command that is on its way ends in
    `CardRemoved` even when the chip still finishes it, as with a card that is pulled.
    """

    def __init__(self, name: str, chip: Chip | None = None) -> None:
        self._name = name
        self._changed = Condition()  # guards which card is here and who holds it
        # Whoever calls the chip. Reentrant, so that a chip may pull itself in mid-command.
        # Taken before _changed or without it, never inside it.
        self._line = RLock()
        self._card = None if chip is None else _Inserted(chip)
        self._beside: list[Chip] = []

    @property
    def name(self) -> str:
        """The reader's name."""
        return self._name

    @property
    def occupied(self) -> bool:
        """Whether a card is in the slot."""
        return self._card is not None

    def insert(self, chip: Chip) -> None:
        """Put a card into the slot. Raises `ReaderError` when there is one already."""
        with self._changed:
            if self._card is not None:
                raise ReaderError(f"{self._name}: there is a card in the slot already")
            self._card = _Inserted(chip)
            self._changed.notify_all()

    def lay_beside(self, chip: Chip) -> None:
        """Bring another card into the field of a contactless reader; it is not powered."""
        with self._changed:
            self._beside.append(chip)

    def take_away(self) -> Chip:
        """Take away the card that was laid beside last. Raises `ReaderError` without one."""
        with self._changed:
            if not self._beside:
                raise ReaderError(f"{self._name}: no card lies beside another")
            return self._beside.pop()

    def remove(self) -> Chip | None:
        """Pull the card and return it; None when there was none.

        Its power goes off before this returns, after the command it may be executing.
        """
        with self._changed:
            card, self._card = self._card, None
            self._changed.notify_all()
        if card is None:
            return None
        with self._line:
            card.chip.power_off()
        return card.chip

    def connect(self, *, exclusive: bool = True) -> InProcessConnection:
        """Power the card and return its connection.

        Raises `NoCard`, `SeveralCards` when another lies beside it, or
        `ReaderBusy` when someone holds the card exclusively or this caller
        asks to and someone holds it at all. A connection to a card that has left holds nothing.
        """
        with self._changed:
            card = self._card
            if card is None:
                raise NoCard(f"{self._name}: no card")
            if self._beside:
                raise SeveralCards(f"{self._name}: {1 + len(self._beside)} cards in the field")
            if card.holders and (exclusive or card.exclusive):
                raise ReaderBusy(f"{self._name}: another program holds the card")
            connection = InProcessConnection(self, card)
            card.holders.add(connection)
            card.exclusive = exclusive
        try:
            connection.power_up()
        except BaseException:
            connection.close()
            raise
        return connection

    def wait_for_card(self, timeout: float | None = None) -> bool:
        """Block until a card is present; False when `timeout` seconds pass first."""
        with self._changed:
            return self._changed.wait_for(lambda: self._card is not None, timeout)

    def wait_for_removal(self, timeout: float | None = None) -> bool:
        """Block until the slot is empty; False when `timeout` seconds pass first."""
        with self._changed:
            return self._changed.wait_for(lambda: self._card is None, timeout)


class InProcessConnection:
    """A powered card in an `InProcessReader`; made by its `connect`."""

    def __init__(self, reader: InProcessReader, card: _Inserted) -> None:
        self._reader = reader
        self._card = card
        self._resets = 0

    @property
    def atr(self) -> bytes:
        """The answer to reset."""
        return self._card.atr

    def power_up(self) -> None:
        """Power the card, unless another holder has done so."""
        card = self._card
        with self._reader._line:
            self._check_present()
            if not card.atr:
                card.atr = card.chip.power_on()
            self._resets = card.resets

    def transmit(self, command: bytes) -> bytes:
        """Send one command APDU and return the response APDU.

        Raises `CardRemoved` (also when the card leaves before the answer is here), `CardReset`
        after another holder's reset, or `ReaderError` on a closed connection.
        """
        card = self._card
        with self._reader._line:
            self._check_present()
            if self._resets != card.resets:
                raise CardReset(f"{self._reader.name}: another program reset the card")
            answer = card.chip.transmit(command)
            self._check_present()
        return answer

    def reset(self) -> bytes:
        """Power the card off and on again and return the new ATR."""
        card = self._card
        with self._reader._line:
            self._check_present()
            card.resets += 1
            card.atr = b""
            card.chip.power_off()
            card.atr = card.chip.power_on()
            self._check_present()
            self._resets = card.resets
        return card.atr

    def close(self) -> None:
        """Give the reader back; the last holder's close powers the card off."""
        reader, card = self._reader, self._card
        with reader._line:
            with reader._changed:
                card.holders.discard(self)
                last = not card.holders and reader._card is card
            if last and card.atr:
                card.atr = b""
                card.chip.power_off()

    def _check_present(self) -> None:
        if self._reader._card is not self._card:
            raise CardRemoved(f"{self._reader.name}: the card was removed")
        if self not in self._card.holders:
            raise ReaderError(f"{self._reader.name}: the connection is closed")
