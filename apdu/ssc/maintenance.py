"""What staff do to a card with the issuer's keys: reset its PIN, block it (facts 4.2, 5).

Every one of these takes two proofs: a key authenticates the terminal, and the message key signs
the command over a new challenge of the card.
"""

from __future__ import annotations

from apdu.pin import Pin
from apdu.sam import KeyName, MessageModule
from apdu.secure import MacRefused
from apdu.ssc.card import ENVIRONMENT, SocialSecurityCard
from apdu.status import KeyNotAvailable, StatusError, StatusWord

UNBLOCK_PIN = bytes.fromhex("84240000")
RELOAD_PIN = bytes.fromhex("84240001")
BLOCK_APPLICATION = bytes.fromhex("841E0001")
BLOCK_CARD = bytes.fromhex("84160000")

_MESSAGE_KEYS = {key.spec.df: key for key in KeyName if key.spec.short}
_LOCK_KEYS = {"DF03": KeyName.LKDF03, "DF04": KeyName.LKDF04}
_MAC_REFUSED = (StatusWord.MAC_WRONG_LINE, StatusWord.MAC_INVALID)


class CardMaintenance:
    """Maintenance of one card with one security module.

    Every method raises `NotAuthentic`, `KeyRefused` (the card did not accept a key), `MacRefused`
    (nor the command's MAC), `KeyNotAvailable`, `StatusError` or an error of the module. A refused
    MAC costs no try.
    """

    def __init__(self, card: SocialSecurityCard, sam: MessageModule) -> None:
        self._card = card
        self._sam = sam

    def unblock_pin(self) -> None:
        """Give the PIN all its tries back. The PIN stays what it was."""
        self._card.authorise(self._sam, KeyName.PUK)
        self._send(UNBLOCK_PIN, KeyName.STK, "PIN UNBLOCK")

    def reload_pin(self, new: Pin) -> None:
        """Set a new PIN without the old one, and give all tries back."""
        self._card.authorise(self._sam, KeyName.PUK)
        self._send(RELOAD_PIN, KeyName.STK, "PIN RELOAD", new)

    def block_application(self, df: str) -> None:
        """Block an application ("DF04"; "SSSE" with all under it) for good.

        DF03 and DF04 have lock keys of their own; for the others the card's BK stands in.
        """
        message_key = _MESSAGE_KEYS.get(df)
        if message_key is None:
            raise KeyNotAvailable(f"a card has no message key for {df}")
        self._card.authorise(self._sam, _LOCK_KEYS.get(df, KeyName.BK), within=df)
        self._send(BLOCK_APPLICATION, message_key, f"APPLICATION BLOCK of {df}")

    def block_card(self) -> None:
        """Block the whole card for good: afterwards it answers everything with 6A81."""
        self._card.authorise(self._sam, KeyName.BK, within=ENVIRONMENT)
        self._send(BLOCK_CARD, KeyName.STK, "CARD BLOCK")

    def _send(self, header: bytes, key: KeyName, what: str, pin: Pin | None = None) -> None:
        channel = self._card.channel
        challenge = channel.get_challenge(8)
        command = self._sam.secured_command(
            self._card.identity,
            key,
            challenge,
            header,
            pin.packed() if pin else b"",
            encipher=pin is not None,
        )
        try:
            channel.call(command, what)
        except StatusError as error:
            if error.sw in _MAC_REFUSED:
                raise MacRefused(f"{what}: {error.sw:04X}") from error
            raise
