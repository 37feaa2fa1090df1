"""UPDATE commands under secure messaging: CLA 04 and a MAC (facts 4.1, 4.4).

Standard files take plain UPDATE after an external authentication. A card may also be given the
command with a MAC, which proves that nobody changed it on the way. The MAC takes one new challenge
of the card, from which card and security module make the session key; the card uses it up.

The MAC goes on top of what the file's write rule asks for: `SocialSecurityCard.authorise` comes
first. Which key makes it is the application's message key (facts 4.2, STK).
"""

from __future__ import annotations

from typing import ClassVar

from apdu.channel import UPDATE_BINARY, UPDATE_RECORD, CardChannel
from apdu.command import SHORT_DATA_MAX
from apdu.crypto import MAC_LENGTH
from apdu.sam import CardIdentity, KeyName, MessageModule
from apdu.status import CardError, MalformedApdu, StatusError, StatusWord

DATA_MAX = SHORT_DATA_MAX - MAC_LENGTH
"""The most bytes that one secured command can write."""

_SECURED = 0x04
_BY_SFI = 0x80
_CHALLENGE_LENGTH = 8


class MacMissing(CardError):
    """The card wants this command with a MAC, and found none (6987)."""

    code: ClassVar[str] = "CARD_MAC_MISSING"
    remedy: ClassVar[str] = "This card's file is written under secure messaging only."


class MacRefused(CardError):
    """The card found the command's MAC wrong (6988): wrong key, or changed on the way."""

    code: ClassVar[str] = "CARD_MAC_WRONG"
    zh: ClassVar[str] = "卡片校验未通过，数据未写入。请联系工作人员。"
    en: ClassVar[str] = "The card's check failed; nothing was written. Please ask the staff."
    remedy: ClassVar[str] = "Check the security module's message keys before trying again."


class SecureMessaging:
    """Writes to one card with MACs by the message key `key`, which `sam` holds.

    The application that `key` belongs to must be the current one on `channel`. Every method
    raises `MacMissing`, `MacRefused`, `MalformedApdu` for data over `DATA_MAX` bytes,
    `StatusError` for what else the card objects to, and the module's errors. A refused command
    has written nothing.
    """

    def __init__(
        self, channel: CardChannel, card: CardIdentity, sam: MessageModule, key: KeyName
    ) -> None:
        self._channel = channel
        self._card = card
        self._sam = sam
        self._key = key

    def update_record_by_tag(self, tag: int, record: bytes, *, sfi: int = 0) -> None:
        """Write a record, given with tag and length, over the one with this tag."""
        self._update(UPDATE_RECORD, tag, sfi << 3, record)

    def update_record_by_number(self, number: int, record: bytes, *, sfi: int = 0) -> None:
        """Write a record, given with tag and length where the file has them, by its number."""
        self._update(UPDATE_RECORD, number, sfi << 3 | 0x04, record)

    def append_record(self, record: bytes, *, sfi: int = 0) -> None:
        """Write a new newest record into a cyclic file."""
        self._update(UPDATE_RECORD, 0, sfi << 3 | 0x03, record)

    def update_binary(self, offset: int, data: bytes, *, sfi: int = 0) -> None:
        """Write `data` from `offset` on; with `sfi` the offset has 8 bits, without it 15."""
        if not 0 <= offset <= (0xFF if sfi else 0x7FFF):
            raise MalformedApdu(f"offset {offset} is out of reach")
        p1 = _BY_SFI | sfi if sfi else offset >> 8
        self._update(UPDATE_BINARY, p1, offset & 0xFF, data)

    def _update(self, ins: int, p1: int, p2: int, data: bytes) -> None:
        if len(data) > DATA_MAX:
            raise MalformedApdu(f"{len(data)} bytes do not fit a command with a MAC")
        challenge = self._channel.get_challenge(_CHALLENGE_LENGTH)
        header = bytes((_SECURED, ins, p1, p2))
        command = self._sam.secured_command(self._card, self._key, challenge, header, data)
        try:
            self._channel.call(command, f"UPDATE {header.hex().upper()}")
        except StatusError as error:
            raise _mac_error(error) from error


def _mac_error(error: StatusError) -> CardError:
    if error.sw == StatusWord.MAC_MISSING:
        return MacMissing(str(error))
    if error.sw in (StatusWord.MAC_WRONG_LINE, StatusWord.MAC_INVALID):
        return MacRefused(str(error))
    return error
