"""The devices of a point of use, and one call's hold on them (facts 6, 6.2).

A function powers the card, contact or contactless, works, and powers it off again, also when it
fails. The PSAM is powered for the same time, and only by functions that need it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from apdu.atr import is_contactless
from apdu.channel import CardChannel
from apdu.connection import Connection, Reader
from apdu.layers import stack
from apdu.pin import Pin
from apdu.psam import PsamCard
from apdu.sam import NO_TERMINAL_NUMBER, CompleteModule
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.driver.pin_pad import PinPad, PinPrompt
from apdu.ssc.driver.result import DriverRefusal, ResultCode
from apdu.ssc.filespec import Access, Rule
from apdu.ssc.keys import KeyName
from apdu.status import (
    AlgorithmNotSupported,
    KeyNotAvailable,
    NoAnswer,
    NoCard,
    ReaderError,
    SamAbsent,
    SecurityModuleError,
)

Modules: TypeAlias = "Callable[[], AbstractContextManager[CompleteModule]]"
"""Opens the security module for one call, or raises `SamAbsent`."""


class Interface(IntEnum):
    """iType: where to look for the card."""

    CONTACT = 1
    CONTACTLESS = 2
    CONTACT_FIRST = 3
    CONTACTLESS_FIRST = 4

    @property
    def order(self) -> tuple[bool, ...]:
        """Whether to look for a contactless card, in the order of looking."""
        return {
            Interface.CONTACT: (False,),
            Interface.CONTACTLESS: (True,),
            Interface.CONTACT_FIRST: (False, True),
            Interface.CONTACTLESS_FIRST: (True, False),
        }[self]


def no_module() -> AbstractContextManager[CompleteModule]:
    """The `Modules` of a point of use without a PSAM: its callers use the HSM forms."""
    raise SamAbsent("this point of use has no PSAM")


def psam_in(reader: Reader) -> Modules:
    """The PSAM in this slot, powered for each call that needs it."""
    return lambda: closing(PsamCard.open(reader))


def always(module: CompleteModule) -> Modules:
    """A module that stays open between calls."""

    @contextmanager
    def opened() -> Iterator[CompleteModule]:
        yield module

    return opened


@dataclass(frozen=True, slots=True)
class Devices:
    """What a point of use has.

    `readers` are the holder's slots, contact and contactless in any order: a card's answer to
    reset tells which it is. `random` gives the terminal's part of authentications with an HSM.
    `terminal_number` (12 digits) is for a point of use whose PSAM cannot tell it,
    `device_number` is the last field of a basic read.
    """

    readers: Sequence[Reader]
    random: Callable[[int], bytes]
    modules: Modules = no_module
    pin_pad: PinPad | None = None
    terminal_number: str = NO_TERMINAL_NUMBER
    device_number: str = ""

    def read_pin(self, prompt: PinPrompt) -> Pin:
        """What the holder enters. Raises as `PinPad.read_pin`, or -13 without a pad."""
        if self.pin_pad is None:
            raise DriverRefusal(ResultCode.NOT_SUPPORTED, "there is no PIN pad")
        return self.pin_pad.read_pin(prompt)

    def read_new_pin(self) -> Pin:
        """A new PIN, entered twice. Raises -34 when the two differ."""
        new = self.read_pin(PinPrompt.NEW)
        try:
            with self.read_pin(PinPrompt.AGAIN) as again:
                if not new.matches(again):
                    raise DriverRefusal(ResultCode.PINS_DIFFER, "the two new PINs")
        except BaseException:
            new.wipe()
            raise
        return new


class Device:
    """One call's card, and the module and the PIN that it may come to need."""

    def __init__(self, devices: Devices, connection: Connection, leave: ExitStack) -> None:
        self.devices = devices
        self._connection = connection
        self._leave = leave
        self._card: SocialSecurityCard | None = None
        self._module: CompleteModule | None = None
        self._pin_verified = False

    @classmethod
    @contextmanager
    def open(cls, devices: Devices, interface: int) -> Iterator[Device]:
        """Power the card. Raises -14 for an interface that does not exist, or `NoCard`."""
        with ExitStack() as leave:
            connection = _power(devices.readers, interface)
            leave.callback(connection.close)
            yield cls(devices, connection, leave)

    @property
    def card(self) -> SocialSecurityCard:
        """The card, its environment selected."""
        if self._card is None:
            self._card = SocialSecurityCard.select(CardChannel(stack(self._connection)))
        return self._card

    @property
    def module(self) -> CompleteModule:
        """The security module. Raises `SamAbsent` where there is none."""
        if self._module is None:
            self._module = self._leave.enter_context(self.devices.modules())
        return self._module

    @property
    def terminal_number(self) -> str:
        """The PSAM's terminal number, or the one that stands in for it."""
        try:
            return self.module.terminal_number
        except SecurityModuleError:
            return self.devices.terminal_number

    def authorise(self, key: KeyName) -> None:
        """Internal and external authentication through the module (facts 6.2).

        Raises -2203 for a module without RKSSSE, and as `SocialSecurityCard.authorise`.
        """
        self.authenticate()
        try:
            self.card.authorise(self.module, key)
        except KeyNotAvailable as error:
            if key is KeyName.RKSSSE:
                raise DriverRefusal(ResultCode.PSAM_WITHOUT_RKSSSE, key.name) from error
            raise

    def authenticate(self) -> None:
        """Let the card prove itself. Raises `NotAuthentic`, or an error of the module."""
        card, module = self.card, self.module
        if card.authentic:
            return
        if not module.supports(card.algorithm):
            raise AlgorithmNotSupported(f"the card uses {card.algorithm.name}")
        card.authenticate(module)

    def verify_pin(self) -> None:
        """Ask for the PIN and present it in the current application, once a call."""
        if self._pin_verified:
            return
        with self.devices.read_pin(PinPrompt.PIN) as pin:
            self.card.channel.verify(pin)
        self._pin_verified = True

    def meet(self, access: Access, df: str, *, by_pin: bool) -> None:
        """Do what a file's rule asks for (facts 6.3): the key first, then the PIN.

        `by_pin` chooses where either will do. Raises -27010 for a file that nobody opens.
        """
        if access.rule is Rule.NEVER:
            raise DriverRefusal(ResultCode.NOT_ALLOWED, "the file is the card's own")
        key = wanted_key(access, by_pin=by_pin)
        if key is not None:
            self.authorise(key)
        self.card.enter(df)
        if wants_pin(access, by_pin=by_pin):
            self.verify_pin()


def wanted_key(access: Access, *, by_pin: bool) -> KeyName | None:
    """The key that a rule wants, None for one that does without."""
    either = access.rule is Rule.PIN_OR_KEY and by_pin
    return None if either else access.key


def wants_pin(access: Access, *, by_pin: bool) -> bool:
    """Whether a rule wants the PIN."""
    either = access.rule is Rule.PIN_OR_KEY and by_pin
    return either or access.rule in (Rule.PIN, Rule.PIN_AND_KEY)


def _power(readers: Sequence[Reader], interface: int) -> Connection:
    """A powered card that is presented as `interface` says.

    Raises the error of a slot only when no other has such a card: -3 for a card that does not
    answer to reset.
    """
    if interface not in tuple(Interface):
        raise DriverRefusal(ResultCode.BAD_PARAMETER, "iType")
    broken: ReaderError | DriverRefusal | None = None
    for contactless in Interface(interface).order:
        for reader in readers:
            try:
                connection = reader.connect(exclusive=True)
            except NoCard:
                continue
            except ReaderError as error:
                broken = error
                continue
            except NoAnswer:
                broken = DriverRefusal(ResultCode.NOT_POWERED, reader.name)
                continue
            if is_contactless(connection.atr) is contactless:
                return connection
            connection.close()
    raise broken or NoCard("no card on that interface")
