"""The three forms of the security module do the same work on the same simulated cards.

Software keys, a PSAM of every level, and an HSM: authentication, opening EF06, purchases, and the
maintenance commands (facts 4.4 to 4.6, 5, 5.1), with DES, SM4, and SSF33 where a form offers it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Protocol

import pytest

from apdu.channel import CardChannel
from apdu.command import Command
from apdu.crypto import Algorithm, Purchase, card_key
from apdu.hsm import RemoteSam
from apdu.layers import stack
from apdu.pin import Pin
from apdu.psam import PsamCard
from apdu.psam_keys import KeyUse
from apdu.purchase import PurchasePermit, PurchaseRequest
from apdu.readers.inprocess import InProcessReader
from apdu.sam import (
    DEVELOPMENT_KEY_VERSIONS,
    DEVELOPMENT_KEYS,
    MessageModule,
    PurchaseModule,
    SoftwareSam,
)
from apdu.secure import MacRefused
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.keys import KeyName
from apdu.ssc.maintenance import CardMaintenance
from apdu.status import (
    AlgorithmNotSupported,
    ApplicationLocked,
    KeyNotAvailable,
    NotAuthentic,
    PinBlocked,
    PinWrong,
    PurchaseNotProved,
    StatusError,
    StatusWord,
)
from simulator.card.card import SimulatedCard
from simulator.card.profile import CardProfile, load_profile
from simulator.hsm import SoftwareHsm
from simulator.psam import PsamProfile, SimulatedPsam

TERMINAL = "990100000001"
TIME = bytes.fromhex("20260102030405")
ALL = frozenset(Algorithm)


class Module(MessageModule, PurchaseModule, Protocol):
    """Everything a security module can do."""


def random(seed: int) -> Callable[[int], bytes]:
    return Random(seed).randbytes


def software(algorithms: frozenset[Algorithm] = ALL) -> Module:
    return SoftwareSam(
        DEVELOPMENT_KEYS,
        random(2),
        terminal_number=TERMINAL,
        algorithms=algorithms,
        later_versions=DEVELOPMENT_KEY_VERSIONS,
    )


def psam(levels: int | None) -> Callable[[frozenset[Algorithm]], Module]:
    def make(algorithms: frozenset[Algorithm] = ALL) -> Module:
        profile = PsamProfile(levels=levels, algorithms=algorithms)
        chip = SimulatedPsam(profile, random=random(3))
        return PsamCard.open(InProcessReader("slot 2", chip))

    return make


def hsm(algorithms: frozenset[Algorithm] = ALL) -> Module:
    return RemoteSam(SoftwareHsm(algorithms=algorithms), random(4), terminal_number=TERMINAL)


FORMS: dict[str, Callable[[frozenset[Algorithm]], Module]] = {
    "software": software,
    "psam-as-published": psam(None),
    "psam-national": psam(3),
    "psam-provincial": psam(2),
    "psam-city": psam(1),
    "hsm": hsm,
}


@pytest.fixture(params=FORMS)
def module(request: pytest.FixtureRequest) -> Module:
    return FORMS[request.param](ALL)


def ssf33() -> CardProfile:
    profile = load_profile("adult-3.0")
    return replace(profile, card=replace(profile.card, algorithm=Algorithm.SSF33))


PROFILES: dict[str, Callable[[], CardProfile]] = {
    "des": lambda: load_profile("adult-2.0"),
    "sm4": lambda: load_profile("adult-3.0"),
}


@dataclass
class Bench:
    """A card in its reader."""

    profile: CardProfile
    chip: SimulatedCard
    card: SocialSecurityCard

    @property
    def channel(self) -> CardChannel:
        return self.card.channel

    @property
    def pin(self) -> Pin:
        assert self.profile.pin is not None
        return Pin(self.profile.pin.value)


def bench(profile: CardProfile) -> Bench:
    chip = SimulatedCard(profile, random=random(1))
    channel = CardChannel(stack(InProcessReader("slot 1", chip).connect()))
    return Bench(profile, chip, SocialSecurityCard.select(channel))


@pytest.fixture(params=PROFILES)
def user(request: pytest.FixtureRequest) -> Bench:
    return bench(PROFILES[request.param]())


# Authentication


def test_a_genuine_card_is_authentic(module: Module, user: Bench) -> None:
    user.card.authenticate(module)
    assert user.card.authentic


def test_a_forged_card_is_not(module: Module) -> None:
    with pytest.raises(NotAuthentic):
        bench(load_profile("forged")).card.authenticate(module)


def test_a_3_0_card_opens_its_holder_data_to_the_module(module: Module) -> None:
    user = bench(load_profile("adult-3.0"))
    with pytest.raises(StatusError, match="6982"):
        user.card.read_holder()
    assert user.card.read_basic(module).name == user.profile.holder.name


def test_an_application_key_opens_its_file(module: Module, user: Bench) -> None:
    user.card.authorise(module, KeyName.RK1DF04)
    assert user.channel.read_file_records(5, 256)


def test_every_published_key_of_the_card_is_accepted(module: Module, user: Bench) -> None:
    for key in KeyName:
        if key.card_id and key.spec.psam_id and key.spec.hsm and not key.spec.short:
            user.card.authorise(module, key)


@pytest.mark.parametrize("form", [form for form in FORMS if form != "software"])
def test_an_ssf33_card_is_served_where_the_module_offers_ssf33(form: str) -> None:
    user = bench(ssf33())
    assert user.card.algorithm is Algorithm.SSF33
    assert user.card.read_basic(FORMS[form](ALL)).name == user.profile.holder.name


@pytest.mark.parametrize("form", FORMS)
def test_an_ssf33_card_is_recognised_and_refused_where_it_does_not(form: str) -> None:
    offered = frozenset({Algorithm.DES, Algorithm.SM4})
    with pytest.raises(AlgorithmNotSupported, match="SSF33"):
        bench(ssf33()).card.read_basic(FORMS[form](offered))


@pytest.mark.parametrize("form", FORMS)
def test_an_sm4_card_needs_a_module_with_sm4(form: str) -> None:
    with pytest.raises(AlgorithmNotSupported, match="SM4"):
        bench(load_profile("adult-3.0")).card.authenticate(FORMS[form](frozenset({Algorithm.DES})))


def versioned_psam(version: int) -> Module:
    """A PSAM holds one version of its keys, and says which."""
    profile = PsamProfile(roots=DEVELOPMENT_KEY_VERSIONS[version], key_version=version)
    return PsamCard.open(InProcessReader("slot 2", SimulatedPsam(profile, random=random(3))))


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("form", ["software", "psam", "hsm"])
def test_every_key_version_is_served(form: str, version: int, user: Bench) -> None:
    """Facts 4.2: sixteen-byte keys have three versions, named in the last byte."""
    module: Module = versioned_psam(version) if form == "psam" else FORMS[form](ALL)
    user.card.authenticate(module, key_version=version)
    user.card.authorise(module, KeyName.UKSSSE, key_version=version)


def test_no_module_has_a_fourth_version(module: Module, user: Bench) -> None:
    for version in (0, 4):
        with pytest.raises(KeyNotAvailable):
            module.card_authentication(user.card.identity, bytes(8), bytes(8), version)


# Purchases (facts 5.1)


def buy(
    user: Bench, module: Module, self_pay: int, fund: int, index: int = 1
) -> tuple[PurchasePermit, bytes]:
    """A purchase up to the card's answer: the permit, and TAC and MAC2."""
    channel, terminal = user.channel, bytes.fromhex(module.terminal_number)
    user.card.verify_pin(user.pin)
    user.card.enter("DF04")
    purchase = Purchase(0, self_pay, fund, terminal, TIME)
    begun = channel.call(
        Command(0xB0, 0x28, 1, 1, bytes((index,)) + purchase.amounts + terminal), "INITIALIZE"
    )
    request = PurchaseRequest(purchase, begun[18:22], begun[14:16], begun[16])
    permit = module.permit_purchase(user.card.identity, request)
    return permit, channel.call(Command(0xB0, 0x2C, 1, 0, permit.command_data), "DEBIT")


def test_card_and_module_prove_a_purchase_to_each_other(module: Module, user: Bench) -> None:
    assert module.terminal_number == TERMINAL
    permit, answer = buy(user, module, 12345, 10000)
    module.complete_purchase(answer[4:])
    key = card_key(
        engine(user),
        DEVELOPMENT_KEYS[KeyName.DTK],
        user.profile.card.region,
        user.profile.card.historical,
    )
    purchase = Purchase(0, 12345, 10000, bytes.fromhex(TERMINAL), permit.time)
    assert answer[:4] == purchase.tac(engine(user), key, permit.sequence)


@pytest.mark.parametrize("index", [1, 2, 3])
def test_every_purchase_key_is_served(module: Module, user: Bench, index: int) -> None:
    _, answer = buy(user, module, 100, 0, index)
    module.complete_purchase(answer[4:])


def engine(user: Bench) -> Algorithm:
    return user.profile.card.algorithm


def test_no_two_purchases_have_the_same_number(module: Module, user: Bench) -> None:
    numbers = []
    for _ in range(3):
        permit, answer = buy(user, module, 100, 0)
        module.complete_purchase(answer[4:])
        numbers.append(permit.sequence)
    assert len(set(numbers)) == 3


def test_a_wrong_mac2_is_found_out_and_ends_the_purchase(module: Module, user: Bench) -> None:
    _, answer = buy(user, module, 100, 0)
    with pytest.raises(PurchaseNotProved):
        module.complete_purchase(bytes(byte ^ 1 for byte in answer[4:]))
    with pytest.raises(PurchaseNotProved):
        module.complete_purchase(answer[4:])


def test_mac2_without_a_purchase_proves_nothing(module: Module, user: Bench) -> None:
    with pytest.raises(PurchaseNotProved):
        module.complete_purchase(bytes(4))


def test_all_forms_give_the_same_message_mac(user: Bench) -> None:
    """What a load of the medical account is proved with; more than one CIPHER DATA long."""
    factor, data = bytes.fromhex("C0FFEE0100038000"), bytes(range(200))
    macs = {
        FORMS[form](ALL).message_mac(user.card.identity, KeyName.DLK, factor, data)
        for form in FORMS
    }
    assert len(macs) == 1


# Maintenance (facts 5)


def block_pin(user: Bench) -> None:
    wrong = Pin("000000")
    for _ in range(2):
        with pytest.raises(PinWrong):
            user.card.verify_pin(wrong)
    with pytest.raises(PinBlocked):
        user.card.verify_pin(wrong)


def test_a_blocked_pin_is_unblocked(module: Module, user: Bench) -> None:
    block_pin(user)
    CardMaintenance(user.card, module).unblock_pin()
    assert user.card.pin_tries_left() == 3
    user.card.verify_pin(user.pin)


@pytest.mark.parametrize("digits", ["654321", "1234567890123456", "12345"])
def test_a_pin_is_reloaded(module: Module, user: Bench, digits: str) -> None:
    block_pin(user)
    CardMaintenance(user.card, module).reload_pin(Pin(digits))
    assert user.card.pin_tries_left() == 3
    user.card.verify_pin(Pin(digits))
    with pytest.raises(PinWrong):
        user.card.verify_pin(user.pin)


def test_two_maintenance_commands_take_one_authentication(module: Module, user: Bench) -> None:
    maintenance = CardMaintenance(user.card, module)
    maintenance.reload_pin(Pin("654321"))
    maintenance.reload_pin(Pin("765432"))
    maintenance.unblock_pin()
    user.card.verify_pin(Pin("765432"))


@pytest.mark.parametrize("df", ["SSSE", "DF01", "DF02", "DF03", "DF04"])
def test_an_application_is_blocked(module: Module, user: Bench, df: str) -> None:
    CardMaintenance(user.card, module).block_application(df)
    user.channel.forget()
    with pytest.raises(ApplicationLocked):
        user.card.enter(df)
    if df != "SSSE":
        user.card.enter("SSSE")
        user.card.verify_pin(user.pin)


def test_a_card_is_blocked_for_good(module: Module, user: Bench) -> None:
    CardMaintenance(user.card, module).block_card()
    user.channel.reset()
    with pytest.raises(ApplicationLocked):
        SocialSecurityCard.select(user.channel)


def test_an_application_without_message_key_cannot_be_blocked(module: Module, user: Bench) -> None:
    with pytest.raises(KeyNotAvailable):
        CardMaintenance(user.card, module).block_application("DF06")


# Maintenance with modules that are not entitled


class WrongMac(SoftwareSam):
    """A module whose message key is another one than the card's."""

    def secured_command(
        self,
        card: object,
        key: KeyName,
        challenge: bytes,
        header: bytes,
        data: bytes = b"",
        *,
        encipher: bool = False,
    ) -> Command:
        cla, ins, p1, p2 = header
        return Command(cla, ins, p1, p2, bytes(4))


def test_a_wrong_mac_changes_nothing(user: Bench) -> None:
    block_pin(user)
    maintenance = CardMaintenance(user.card, WrongMac(DEVELOPMENT_KEYS, random(5)))
    for attempt in (maintenance.unblock_pin, maintenance.block_card):
        with pytest.raises(MacRefused):
            attempt()
    assert user.card.pin_tries_left() == 0


def test_a_module_without_puk_cannot_unblock(user: Bench) -> None:
    block_pin(user)
    keys = dict(DEVELOPMENT_KEYS)
    del keys[KeyName.PUK]
    with pytest.raises(KeyNotAvailable):
        CardMaintenance(user.card, SoftwareSam(keys, random(6))).unblock_pin()
    assert user.card.pin_tries_left() == 0


def test_a_psam_whose_message_key_only_signs_unblocks_but_does_not_reload(user: Bench) -> None:
    """Facts 4.2: the national table publishes the use as 26, MAC only."""
    chip = SimulatedPsam(PsamProfile(message_use=KeyUse.MAC), random=random(3))
    maintenance = CardMaintenance(user.card, PsamCard.open(InProcessReader("slot 2", chip)))
    block_pin(user)
    with pytest.raises(KeyNotAvailable):
        maintenance.reload_pin(Pin("654321"))
    maintenance.unblock_pin()
    user.card.verify_pin(user.pin)


def test_other_errors_of_a_maintenance_command_keep_their_status_word(user: Bench) -> None:
    """The card is asked to reload a PIN that is none."""

    class NoPin(SoftwareSam):
        def secured_command(
            self,
            card: object,
            key: KeyName,
            challenge: bytes,
            header: bytes,
            data: bytes = b"",
            *,
            encipher: bool = False,
        ) -> Command:
            identity = user.card.identity
            return super().secured_command(
                identity, key, challenge, header, b"\xff\xff\xff", encipher=encipher
            )

    with pytest.raises(StatusError) as refused:
        CardMaintenance(user.card, NoPin(DEVELOPMENT_KEYS, random(7))).reload_pin(Pin("1234"))
    assert refused.value.sw == StatusWord.WRONG_DATA
