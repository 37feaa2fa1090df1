"""Meeting the access rules of files: the holder's PIN, the terminal's keys (facts 3.5, 4.1).

A wrong PIN and a wrong key each cost one of few tries, so neither is ever presented twice.
"""

from __future__ import annotations

from typing import ClassVar

from apdu.pin import Pin
from apdu.sam import KeyName, SecureAccessModule
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.filespec import Access, Rule
from apdu.status import (
    AlgorithmNotSupported,
    CardError,
    CardRemoved,
    CardReset,
    KeyNotAvailable,
    NoAnswer,
    NotAuthentic,
    PinBlocked,
    PinWrong,
    ReaderError,
)

LINE_ERRORS = (CardRemoved, CardReset, NoAnswer, ReaderError)
"""The card or the way to it is gone: nothing else can be read either."""

_EVERY_KEY = (AlgorithmNotSupported, NotAuthentic)


class PinNeeded(CardError):
    """The file opens only after the PIN, and nobody has given it."""

    code: ClassVar[str] = "CARD_PIN_NEEDED"
    zh: ClassVar[str] = "读取该信息需要验证密码。"
    en: ClassVar[str] = "This information can be read only after the PIN was entered."
    remedy: ClassVar[str] = "Ask the holder for the PIN and read again."


class NotReadable(CardError):
    """The file is for the card's own use."""

    code: ClassVar[str] = "CARD_FILE_NOT_READABLE"
    remedy: ClassVar[str] = "The file map says that nobody reads this file."


class Entitlement:
    """What this terminal and this holder may open on one card.

    `sam` and `pin` are None where there is none; `pin_verified` says that the card has seen the
    PIN already since it was powered.
    """

    def __init__(
        self,
        card: SocialSecurityCard,
        sam: SecureAccessModule | None,
        pin: Pin | None,
        *,
        pin_verified: bool = False,
    ) -> None:
        self._card = card
        self._sam = sam
        self._pin = pin
        self.pin_verified = pin_verified
        self._pin_refused: PinWrong | PinBlocked | None = None
        self._refused: dict[KeyName, CardError] = {}
        self._no_keys: CardError | None = None

    @property
    def has_pin(self) -> bool:
        """Whether the PIN is verified or at hand."""
        return self.pin_verified or (self._pin is not None and self._pin_refused is None)

    def require_means(self, access: Access) -> None:
        """Raise what `meet` would raise, as far as that is known without asking the card."""
        rule = access.rule
        if rule is Rule.NEVER:
            raise NotReadable("the file map says never")
        if self._wants_pin(rule) and not self.has_pin:
            raise self._pin_refused or PinNeeded("no PIN was given")
        if self._wants_key(rule):
            self._usable_key(access)

    def meet(self, access: Access) -> None:
        """Do what `access` asks for, in the current application where the PIN is concerned.

        The PIN is preferred where it or a key will do: one command opens every such file. Raises
        `PinNeeded`, `PinWrong`, `PinBlocked`, `NotReadable`, or what `authorise` of the card
        raises.
        """
        self.require_means(access)
        # Whether the PIN is at hand may change when it is presented, and with it what is wanted.
        wants_key = self._wants_key(access.rule)
        if self._wants_pin(access.rule):
            self.verify()
        if wants_key:
            self.use_key(access)

    def verify(self) -> None:
        """Present the PIN, unless the card has seen it. Raises as `meet` does."""
        if self.pin_verified:
            return
        if self._pin_refused is not None:
            raise self._pin_refused
        if self._pin is None:
            raise PinNeeded("no PIN was given")
        try:
            self._card.channel.verify(self._pin)
        except (PinWrong, PinBlocked) as error:
            self._pin_refused = error
            raise
        self.pin_verified = True

    def use_key(self, access: Access) -> None:
        """Authenticate with the key that `access` names. Raises as `meet` does."""
        key, sam = self._usable_key(access)
        try:
            self._card.authorise(sam, key)
        except LINE_ERRORS:
            raise
        except CardError as error:
            self._refused[key] = error
            if isinstance(error, _EVERY_KEY):
                self._no_keys = error
            raise

    def _usable_key(self, access: Access) -> tuple[KeyName, SecureAccessModule]:
        key = access.key
        if self._sam is None or key is None:
            raise KeyNotAvailable("there is no security module to open the file with")
        if key.card_id is None:
            raise KeyNotAvailable(f"how a card addresses {key.name} is not published")
        refused = self._no_keys or self._refused.get(key)
        if refused is not None:
            raise refused
        return key, self._sam

    def _wants_pin(self, rule: Rule) -> bool:
        return rule in (Rule.PIN, Rule.PIN_AND_KEY) or (rule is Rule.PIN_OR_KEY and self.has_pin)

    def _wants_key(self, rule: Rule) -> bool:
        return rule in (Rule.KEY, Rule.PIN_AND_KEY) or (
            rule is Rule.PIN_OR_KEY and not self.has_pin
        )
