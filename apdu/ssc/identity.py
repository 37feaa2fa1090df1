"""Recognising a card that comes back after it was pulled too early (facts 7.5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.values import read_text
from apdu.status import CardError

_CARD_NUMBER, _CARD_NUMBER_LENGTH = 0x07, 9


class AnotherCard(CardError):
    """The card presented is not the one on which the operation was interrupted (facts 7.5)."""

    code: ClassVar[str] = "CARD_IS_ANOTHER"
    zh: ClassVar[str] = "这不是刚才的那张卡，请放回原卡以完成操作。"
    en: ClassVar[str] = "This is not the card from before. Please present that card, to finish."
    remedy: ClassVar[str] = "Ask for the first card; what was begun on it stays open until then."


@dataclass(frozen=True, slots=True)
class OneCard:
    """By what a card is recognised: its identification code and its number."""

    card_id: bytes = field(repr=False)
    card_number: str = field(repr=False)

    @classmethod
    def of(cls, card: SocialSecurityCard) -> OneCard:
        """The identity of `card`."""
        number = read_text(card.issuer.get(_CARD_NUMBER, b""))
        return cls(card.card_id, number[:_CARD_NUMBER_LENGTH])

    def require(
        self, card: SocialSecurityCard, *, by_id: bool = True, by_number: bool = True
    ) -> None:
        """Raise `AnotherCard` unless `card` is this one, compared by id, by number or by both."""
        other = OneCard.of(card)
        if by_id and other.card_id != self.card_id:
            raise AnotherCard("the card id differs")
        if by_number and other.card_number != self.card_number:
            raise AnotherCard("the card number differs")
