"""Brings what is typed on the PIN pad into the kiosk's inbox."""

from __future__ import annotations

from apdu.pin import Pin
from terminal.kiosk.inbox import Inbox, PadCancelled, PadFailed, PadKeys, PadPin


class PadListener:
    """Hears the pad's thread; see `terminal.devices.pin_pad.Listener`."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def keys(self, count: int) -> None:
        """So many digits have been typed."""
        self._inbox.put(PadKeys(count))

    def pin(self, pin: Pin) -> None:
        """The PIN is complete."""
        self._inbox.put(PadPin(pin))

    def cancelled(self) -> None:
        """Cancel was pressed, or the pad waited in vain."""
        self._inbox.put(PadCancelled())

    def failed(self, error: Exception) -> None:
        """The pad does not work."""
        self._inbox.put(PadFailed(error))
