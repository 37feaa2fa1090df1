"""The transport purse (T-Union, JT/T 978) on the card: number, validity and money (facts A2).

Only read here. Selecting the purse leaves the social security environment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import ClassVar

from apdu.card_number import CardNumber
from apdu.channel import CardChannel
from apdu.command import Command
from apdu.status import CardError, MalformedApdu, MalformedData, StatusError, StatusWord
from apdu.tlv import Tlv

AID = bytes.fromhex("A000000632010105")
SHANGHAI_ISSUER = bytes.fromhex("02002900FFFFFFFF")

_PUBLIC, _PUBLIC_SIZE = 0x15, 30
_AREA, _AREA_SIZE = 0x17, 60
_FCI_PUBLIC = (0xA5, 0x9F0C)
_PERSONALISED, _ENABLED = 0x02, 0x01
_INTEROPERABLE = b"\x00\x01"
_CLA_PURSE, _GET_BALANCE, _PURSE = 0x80, 0x5C, 0x02
_ANY_MONEY, _OVERDRAFT, _OWN_MONEY = 0x00, 0x01, 0x03
_MONEY_MAX = 0x7FFFFFFF
_NOT_KNOWN = frozenset(
    {
        StatusWord.WRONG_P1_P2,
        StatusWord.WRONG_LENGTH,
        StatusWord.NOT_SUPPORTED_OR_LOCKED,
        StatusWord.INS_NOT_SUPPORTED,
        StatusWord.CONDITIONS_NOT_SATISFIED,
    }
)


class NoTransitPurse(CardError):
    """The card has no transport purse."""

    code: ClassVar[str] = "CARD_NO_TRANSIT_PURSE"
    zh: ClassVar[str] = "卡内没有交通应用。"
    en: ClassVar[str] = "There is no transport purse on the card."
    remedy: ClassVar[str] = "Shanghai cards issued before June 2023 have none."


@dataclass(frozen=True, slots=True)
class TransitCard:
    """What the purse says of itself (file 0015).

    `issuer` is 8 bytes. `personalised` and `enabled` must both hold for it to be used.
    """

    number: CardNumber
    issuer: bytes
    personalised: bool
    enabled: bool
    valid_from: date | None
    valid_to: date | None

    @property
    def is_shanghai(self) -> bool:
        """Whether it was issued in Shanghai."""
        return self.issuer == SHANGHAI_ISSUER

    def is_valid_on(self, day: date) -> bool:
        """Whether the purse may be used on `day`. A date that the card lacks sets no limit."""
        begun = self.valid_from is None or self.valid_from <= day
        return begun and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True)
class TransitArea:
    """Where the purse is at home, and whether other cities may take it (file 0017)."""

    province: str
    city: str
    interoperable: bool


@dataclass(frozen=True, slots=True)
class TransitMoney:
    """The purse in fen. `overdraft_fen` is what was overdrawn; `real_fen` may be below zero."""

    purse_fen: int = field(repr=False)
    overdraft_fen: int = field(repr=False)

    @property
    def real_fen(self) -> int:
        """What the holder really has."""
        return self.purse_fen - self.overdraft_fen


class TransitPurse:
    """The selected purse of a card. `card` is what it said when it was selected.

    Methods raise `StatusError`, `MalformedData` or `MalformedApdu`, and the errors of the line.
    """

    def __init__(self, channel: CardChannel, card: TransitCard) -> None:
        self.card = card
        self._channel = channel

    @classmethod
    def select(cls, channel: CardChannel) -> TransitPurse:
        """Select it; on most cards the answer holds all there is to know.

        Raises `NoTransitPurse`, or `ApplicationLocked` on a locked card or purse.
        """
        try:
            fci = channel.select_name(AID)
        except StatusError as error:
            raise NoTransitPurse(f"SELECT of the purse: {error.sw:04X}") from error
        public = _public_in(fci) or channel.read_binary(0, _PUBLIC_SIZE, sfi=_PUBLIC)
        return cls(channel, _transit_card(public))

    def area(self) -> TransitArea:
        """File 0017."""
        content = self._channel.read_binary(0, _AREA_SIZE, sfi=_AREA)
        if len(content) < 10:
            raise MalformedData(f"file 0017 of the purse has {len(content)} bytes")
        return TransitArea(content[4:6].hex(), content[6:8].hex(), content[8:10] == _INTEROPERABLE)

    def money(self) -> TransitMoney:
        """GET BALANCE: the purse, and where it is empty what was overdrawn."""
        purse = self._balance(_OWN_MONEY)
        if purse is None:
            purse = self._balance(_ANY_MONEY)
        if purse is None:
            raise StatusError(StatusWord.NOT_SUPPORTED_OR_LOCKED, "GET BALANCE")
        overdraft = self._balance(_OVERDRAFT) if purse == 0 else None
        return TransitMoney(purse, overdraft or 0)

    def _balance(self, p1: int) -> int | None:
        """One amount; None where the card does not know this form."""
        command = Command(_CLA_PURSE, _GET_BALANCE, p1, _PURSE, le=4)
        try:
            answer = self._channel.call(command, "GET BALANCE")
        except StatusError as error:
            if error.sw in _NOT_KNOWN:
                return None
            raise
        if len(answer) != 4:
            raise MalformedApdu(f"GET BALANCE: {len(answer)} bytes instead of 4")
        fen = int.from_bytes(answer, "big")
        if fen > _MONEY_MAX:
            raise MalformedData("the purse's balance is out of range")
        return fen


def _public_in(fci: bytes) -> bytes | None:
    """File 0015 as the answer to SELECT holds it, None where it does not."""
    try:
        found = Tlv.parse(fci, lenient=True).find(*_FCI_PUBLIC)
    except MalformedData:
        return None
    return found.value if found is not None and len(found.value) == _PUBLIC_SIZE else None


def _transit_card(public: bytes) -> TransitCard:
    if len(public) != _PUBLIC_SIZE:
        raise MalformedData(f"file 0015 of the purse has {len(public)} bytes")
    return TransitCard(
        number=CardNumber(public[10:20].hex()[1:]),
        issuer=public[:8],
        personalised=public[8] == _PERSONALISED,
        enabled=public[9] == _ENABLED,
        valid_from=_date(public[20:24]),
        valid_to=_date(public[24:28]),
    )


def _date(raw: bytes) -> date | None:
    """YYYYMMDD in BCD; None for anything that is no date."""
    digits = raw.hex()
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
