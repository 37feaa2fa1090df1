"""A point of use to run the matrix of the LD/T 33 functions at, behind any face.

A face takes `Devices` and gives a callable: name and arguments of a function in, code and string
out. `in_process` is the plainest; a service that offers the functions over a line is another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple, TypeAlias

from apdu.pin import Pin
from apdu.readers.inprocess import Chip, InProcessReader
from apdu.sam import DEVELOPMENT_KEYS, CardIdentity
from apdu.ssc.driver import (
    FALLBACK_CODES,
    Devices,
    Driver,
    PinPrompt,
    call,
    no_module,
    psam_in,
)
from apdu.ssc.keys import KeyName
from simulator.card.card import SimulatedCard
from simulator.card.profile import CardProfile, load_profile
from simulator.hsm import SoftwareHsm
from simulator.psam import PsamProfile, SimulatedPsam

Call: TypeAlias = Callable[[str, Mapping[str, object]], "Result"]
Face: TypeAlias = Callable[[Devices], AbstractContextManager[Call]]

PSAM, HSM = "PSAM", "HSM"
MODULES = (PSAM, HSM)
VERSIONS = ("1.0", "2.0", "3.0")
TERMINAL = "990100000001"
PIN = "246810"


class Result(NamedTuple):
    """What a function returned."""

    code: int
    out: str


@contextmanager
def in_process(devices: Devices) -> Iterator[Call]:
    """The functions called in this process."""
    driver = Driver(devices)

    def ask(name: str, arguments: Mapping[str, object]) -> Result:
        result = call(driver, name, arguments)
        return Result(result.code, result.out)

    yield ask
    driver.close()


class Keypad:
    """A PIN pad on which everything has been typed before; an error stands for a refusal."""

    def __init__(self) -> None:
        self.typed: list[str | Exception] = []
        self.prompts: list[PinPrompt] = []

    def read_pin(self, prompt: PinPrompt) -> Pin:
        self.prompts.append(prompt)
        entry = self.typed.pop(0)
        if isinstance(entry, Exception):
            raise entry
        return Pin(entry)


def issued(version: str, **files: object) -> CardProfile:
    """A card of this version, with PIN 246810, one year's money, and these files."""
    profile = load_profile(f"adult-{version}")
    assert profile.pin is not None
    return replace(profile, pin=replace(profile.pin, value=PIN), files=files)


def without(*names: KeyName) -> PsamProfile:
    """A PSAM that lacks keys."""
    return PsamProfile(roots={k: v for k, v in DEVELOPMENT_KEYS.items() if k not in names})


@dataclass
class Bench:
    """The point of use, and what a calling program does there.

    With a PSAM it calls the functions alone; with an HSM, which means without a PSAM, it goes on
    with the HSM forms wherever the code says so.
    """

    version: str
    module: str
    call: Call
    contact: InProcessReader
    field: InProcessReader
    psam: InProcessReader
    pad: Keypad
    hsm: SoftwareHsm
    identity: CardIdentity | None = None

    # The table puts cards in and types

    def insert(self, profile: CardProfile, *, chip: Chip | None = None) -> None:
        """Put a card of this profile where it belongs, in the place of what is there."""
        slot = self.field if profile.card.contactless else self.contact
        slot.remove()
        slot.insert(chip or SimulatedCard(profile, random=Random(1).randbytes))
        card = profile.card
        self.identity = CardIdentity(card.algorithm, card.card_id, card.historical)
        self.info = f"{card.card_id.hex().upper()}|{card.number}|"

    def insert_psam(self, profile: PsamProfile) -> None:
        """Put another PSAM into its slot."""
        self.psam.remove()
        self.psam.insert(SimulatedPsam(profile, random=Random(2).randbytes))

    def type(self, *entries: str | Exception) -> None:
        """What the holder will type from now on, in the place of what was left."""
        self.pad.typed = list(entries)

    # The functions, by whichever module there is

    def basic(self, interface: int = 3) -> Result:
        return self._ask(
            "iReadCardBas", {"iType": interface}, ["iType"], lambda out: self.hsm.basic_read(out)
        )

    def read(self, address: str, *, auth: int = 1, info: str | None = None) -> Result:
        arguments = {
            "iType": 3,
            "iAuthType": auth,
            "pCardInfo": self.info if info is None else info,
            "pFileAddr": address,
        }
        first = ["iType", "pCardInfo", "pFileAddr"]
        return self._ask("iReadCard", arguments, first, self._authentication)

    def write(self, address: str, data: str, *, info: str | None = None) -> Result:
        arguments = {
            "iType": 3,
            "pCardInfo": self.info if info is None else info,
            "pFileAddr": address,
            "pWriteData": data,
        }
        first = ["iType", "pCardInfo", "pFileAddr"]
        return self._ask("iWriteCard", arguments, first, self._authentication, pWriteData=data)

    def verify(self, *entries: str | Exception) -> Result:
        self.type(*entries)
        return self.call("iVerifyPIN", {"iType": 3})

    def change(self, *entries: str | Exception) -> Result:
        self.type(*entries)
        return self.call("iChangePIN", {"iType": 3})

    def reload(self, *entries: str | Exception, info: str | None = None) -> Result:
        self.type(*entries)
        arguments = {"iType": 3, "pCardInfo": self.info if info is None else info}
        return self._ask(
            "iReloadPIN", arguments, list(arguments), self._authentication, self._message
        )

    def unblock(self) -> Result:
        arguments = {"iType": 3, "pCardInfo": self.info}
        return self._ask(
            "iUnblockPIN", arguments, list(arguments), self._authentication, self._message
        )

    def debit(self, payment: str, *entries: str | Exception) -> Result:
        self.type(*entries)
        arguments = {"iType": 3, "pCardInfo": self.info, "pPayInfo": payment}
        return self._ask("iDoDebit", arguments, list(arguments), self._permit)

    def records(self, *entries: str | Exception) -> Result:
        self.type(*entries)
        return self.call("iReadDebitRecord", {"iType": 3})

    # The HSM forms

    def _ask(
        self,
        name: str,
        arguments: Mapping[str, object],
        first: list[str],
        *answers: Callable[[str], str],
        **last: str,
    ) -> Result:
        """Call a function; on one of the five codes, its HSM form with these answers."""
        result = self.call(name, arguments)
        if self.module == PSAM or result.code not in FALLBACK_CODES:
            return result
        result = self.call(f"{name}_HSM_Step1", {key: arguments[key] for key in first})
        for step, answer in enumerate(answers, 2):
            if result.code:
                return result
            key = answer(result.out)
            result = self.call(f"{name}_HSM_Step{step}", {"pKey": key, **last})
        return result

    def _authentication(self, question: str) -> str:
        return self.hsm.authentication(question, self.card)

    def _message(self, question: str) -> str:
        return self.hsm.message(question, self.card)

    def _permit(self, question: str) -> str:
        return self.hsm.debit(question, self.card)

    @property
    def card(self) -> CardIdentity:
        assert self.identity is not None
        return self.identity


@contextmanager
def bench(face: Face, version: str, module: str) -> Iterator[Bench]:
    """A point of use with an empty slot, an empty field, and a PSAM or none.

    Afterwards whatever is in the slots must have been given back.
    """
    contact, field, psam = (InProcessReader(name) for name in ("contact", "field", "psam"))
    pad = Keypad()
    devices = Devices(
        readers=(contact, field),
        random=Random(3).randbytes,
        modules=psam_in(psam) if module == PSAM else no_module,
        pin_pad=pad,
        terminal_number=TERMINAL,
    )
    with face(devices) as ask:
        made = Bench(version, module, ask, contact, field, psam, pad, SoftwareHsm())
        if module == PSAM:
            made.insert_psam(PsamProfile(terminal_number=TERMINAL))
        yield made
        require_closed(made)


def require_closed(made: Bench) -> None:
    """Every slot can be opened exclusively: nobody holds it."""
    for slot in (made.contact, made.field, made.psam):
        if slot.wait_for_card(0):
            slot.connect(exclusive=True).close()
