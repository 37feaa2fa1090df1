"""The HSM behind the back office: a terminal without a PSAM proves, debits and checks over it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from random import Random

import pytest

from apdu.channel import CardChannel
from apdu.crypto import Algorithm, Purchase
from apdu.hsm import HsmKey, RemoteSam
from apdu.layers import stack
from apdu.pin import Pin
from apdu.purchase import PurchaseRequest
from apdu.readers.inprocess import InProcessReader
from apdu.sam import DEVELOPMENT_KEYS, NO_TERMINAL_NUMBER, CardIdentity, SoftwareSam
from apdu.ssc.account import MedicalAccount
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.keys import KeyName
from apdu.ssc.maintenance import CardMaintenance
from apdu.ssc.transactions import PurchaseOrder
from apdu.status import (
    AlgorithmNotSupported,
    KeyNotAvailable,
    NotAuthentic,
    PinBlocked,
    PinWrong,
    PurchaseNotProved,
    SamBadAnswer,
    SamNoAnswer,
)
from backend_client.calls import Calls
from backend_client.client import BackendClient
from backend_client.errors import Refused
from backend_client.hsm_messages import HsmKeyRef, HsmMacRequest, HsmOffer
from backend_client.messages import EnrolmentRequest
from backend_client.transport import Reply, Request
from simulator.backoffice.database import open_engine
from simulator.backoffice.inprocess import InProcessTransport
from simulator.backoffice.sample import HOSPITAL, SampleCity
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.clock import SHANGHAI, SimulatedClock
from simulator.network import Fault, Network
from terminal.central_keys import CentralHsm, terminal_number

BEGIN = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)
NAMES = ("adult-3.0", "adult-2.0", "child")


@pytest.fixture
def city(database_url: str) -> Iterator[SampleCity]:
    city = SampleCity(
        open_engine(database_url), clock=SimulatedClock(BEGIN), random=Random(1).randbytes
    )
    yield city
    city.backoffice.close()


def central(client: BackendClient) -> CentralHsm:
    hsm = CentralHsm()
    hsm.connect(lambda: client.hsm)
    return hsm


def module(city: SampleCity) -> RemoteSam:
    """The keys of a kiosk without a PSAM."""
    identity = city.enrolled("kiosk")
    hsm = central(city.client(identity.token))
    return RemoteSam(hsm, Random(2).randbytes, terminal_number=terminal_number(identity))


def card(name: str) -> SocialSecurityCard:
    chip = SimulatedCard(load_profile(name), random=Random(1).randbytes)
    reader = InProcessReader("slot 1", chip)
    return SocialSecurityCard.select(CardChannel(stack(reader.connect())))


@pytest.mark.parametrize("name", NAMES)
def test_a_card_proves_itself_and_is_read_over_the_back_office(name: str, city: SampleCity) -> None:
    sam, inserted = module(city), card(name)
    inserted.authenticate(sam)
    assert inserted.authentic
    assert inserted.read_basic(sam).ssn == load_profile(name).holder.ssn


def test_a_forged_card_does_not(city: SampleCity) -> None:
    inserted = card("forged")
    with pytest.raises(NotAuthentic):
        inserted.authenticate(module(city))
    assert not inserted.authentic


@pytest.mark.parametrize("name", NAMES)
def test_a_blocked_pin_is_unblocked_over_the_back_office(name: str, city: SampleCity) -> None:
    sam, inserted, profile = module(city), card(name), load_profile(name)
    assert profile.pin is not None
    with contextlib.suppress(PinBlocked):
        while True:
            with contextlib.suppress(PinWrong):
                inserted.verify_pin(Pin("000000"))
    CardMaintenance(inserted, sam).unblock_pin()
    inserted.verify_pin(Pin(profile.pin.value))


def test_a_debit_is_permitted_and_proved_and_its_tac_checked(city: SampleCity) -> None:
    sam, inserted = module(city), card("adult-3.0")
    assert sam.terminal_number == "990100000001"
    inserted.verify_pin(Pin("246810"))
    account = MedicalAccount(inserted)
    before = account.balance()
    done = account.purchase(PurchaseOrder(account_fen=700, at=BEGIN), sam, keep=lambda _: None)
    assert account.balance() == before - 700
    hsm = central(city.terminal())
    fields = done.transaction.tac_fields
    assert hsm.tac_genuine(inserted.identity, fields, done.tac)
    assert not hsm.tac_genuine(inserted.identity, fields, bytes(4))
    assert not hsm.tac_genuine(inserted.identity, fields + b"0", done.tac)


def purchase_request() -> PurchaseRequest:
    purchase = Purchase(0, 100, 0, bytes(6), bytes.fromhex("20260316090000"))
    return PurchaseRequest(purchase, bytes(4), bytes(2))


def identity_of(algorithm: Algorithm = Algorithm.SM4) -> CardIdentity:
    inserted = card("adult-3.0").identity
    return CardIdentity(algorithm, inserted.card_id, inserted.historical)


def test_a_wrong_mac2_is_not_proved(city: SampleCity) -> None:
    sam = module(city)
    sam.permit_purchase(identity_of(), purchase_request())
    with pytest.raises(PurchaseNotProved):
        sam.complete_purchase(bytes(4))


def test_a_transaction_number_is_used_once_also_after_a_restart(stored_database_url: str) -> None:
    seen: list[bytes] = []
    for seed in (1, 2):
        city = SampleCity(
            open_engine(stored_database_url),
            clock=SimulatedClock(BEGIN),
            random=Random(seed).randbytes,
        )
        for _ in range(2):
            sam = module(city)
            permits = [sam.permit_purchase(identity_of(), purchase_request()) for _ in range(2)]
            seen += [permit.sequence for permit in permits]
        city.backoffice.close()
    assert seen == [number.to_bytes(4, "big") for number in range(1, 9)]


def test_it_computes_what_a_module_with_the_same_keys_computes(city: SampleCity) -> None:
    sam, local = module(city), SoftwareSam.development(Random(2).randbytes)
    factor, original = b"12345678", b"87654321"
    for algorithm in (Algorithm.DES, Algorithm.SM4):
        who = identity_of(algorithm)
        assert sam.card_authentication(who, factor, original) == local.card_authentication(
            who, factor, original
        )
        for version in (1, 2, 3):
            assert sam.terminal_authentication(
                who, KeyName.RKSSSE, factor, original, version
            ) == local.terminal_authentication(who, KeyName.RKSSSE, factor, original, version)
        header = bytes.fromhex("84240001")
        assert sam.secured_command(
            who, KeyName.STK, factor, header, b"123", encipher=True
        ) == local.secured_command(who, KeyName.STK, factor, header, b"123", encipher=True)
        assert sam.message_mac(who, KeyName.STKDF04, factor, b"x") == local.message_mac(
            who, KeyName.STKDF04, factor, b"x"
        )


@pytest.mark.parametrize("name", ["DTK", "DLK", "DPK", "DPK3", "IRK", "PUK"])
def test_nobody_gets_a_mac_under_a_key_that_is_not_for_messages(
    name: str, city: SampleCity
) -> None:
    with pytest.raises(KeyNotAvailable):
        module(city).message_mac(identity_of(), KeyName[name], bytes(8), b"x")


@pytest.mark.parametrize("name", ["DTK", "DLK", "DPK", "DPK2", "STK"])
def test_nobody_is_authenticated_under_a_key_that_is_not_for_that(
    name: str, city: SampleCity
) -> None:
    with pytest.raises(KeyNotAvailable):
        module(city).terminal_authentication(identity_of(), KeyName[name], bytes(8), bytes(8))


@pytest.mark.parametrize("address", [0, 0x0173, 0xFFFF, 0x00B5, 0x00B7, 0x019F])
def test_an_address_beside_the_keys_is_not_available(address: int, city: SampleCity) -> None:
    key = HsmKey(Algorithm.SM4, address, module(city)._key(identity_of(), KeyName.IRK, 1).factors)
    with pytest.raises(KeyNotAvailable):
        central(city.terminal()).authentication_data(key, bytes(8), bytes(8))


def test_an_algorithm_that_is_not_offered(city: SampleCity) -> None:
    sam = module(city)
    assert sam.supports(Algorithm.DES)
    assert not sam.supports(Algorithm.SSF33)
    with pytest.raises(AlgorithmNotSupported):
        sam.card_authentication(identity_of(Algorithm.SSF33), bytes(8), bytes(8))
    key = HsmKey(Algorithm.SSF33, 0x0170, sam._key(identity_of(), KeyName.IRK, 1).factors)
    with pytest.raises(AlgorithmNotSupported):
        central(city.terminal()).authentication_data(key, bytes(8), bytes(8))


def test_a_gate_may_not_use_the_keys(city: SampleCity) -> None:
    code, _ = city.backoffice.staff.create_enrolment_code(HOSPITAL, role="gate")
    identity = city.client(None).enrol(EnrolmentRequest(code, "point-of-use"))
    client = city.client(identity.token)
    key = HsmKeyRef("sm4", 0x0173, bytes(24))
    with pytest.raises(Refused) as caught:
        client.hsm.mac(HsmMacRequest(key, bytes(8), b"x"))
    assert caught.value.problem.code == "ROLE_NOT_ALLOWED"
    with pytest.raises(SamNoAnswer):
        _ = central(client).algorithms


def test_a_back_office_that_is_away_is_a_module_that_does_not_answer(city: SampleCity) -> None:
    network = Network(InProcessTransport(city.api))
    token = city.enrolled("kiosk").token
    calls = Calls(
        network,
        token=token,
        now=city.clock.now,
        sleep=lambda _: None,
        random=Random(3).randbytes,
    )
    hsm = central(BackendClient(calls))
    sam, inserted = RemoteSam(hsm, Random(2).randbytes), card("adult-3.0")
    network.connected = False
    with pytest.raises(SamNoAnswer):
        inserted.authenticate(sam)
    network.connected = True
    network.fail("/v1/hsm/authentication", Fault.ANSWER_LOST)
    inserted.authenticate(sam)  # a question is asked again
    assert inserted.authentic
    network.garble("/v1/hsm/authentication", lambda _: Reply(200, b"{}"))
    with pytest.raises(SamBadAnswer):
        inserted.authenticate(sam)


def test_before_it_is_connected_nothing_is_asked() -> None:
    with pytest.raises(SamNoAnswer):
        _ = CentralHsm().algorithms


def test_the_terminal_number_comes_from_the_enrolment(city: SampleCity) -> None:
    assert terminal_number(None) == NO_TERMINAL_NUMBER
    assert terminal_number(city.enrolled("kiosk")) == "990100000001"
    strange = city.enrolled("kiosk")
    object.__setattr__(strange, "terminal_id", "kiosk-of-another-numbering")
    assert terminal_number(strange) == NO_TERMINAL_NUMBER


def test_no_root_key_or_pin_is_in_what_is_logged_or_answered(
    city: SampleCity, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        sam = module(city)
        sam.secured_command(
            identity_of(), KeyName.STK, bytes(8), bytes.fromhex("84240001"), b"\x65\x43\x21"
        )
    for secret in ("654321", *(key.hex() for key in DEVELOPMENT_KEYS.values())):
        assert secret not in caplog.text


def test_it_says_what_it_offers(city: SampleCity) -> None:
    assert city.terminal().hsm.offer() == HsmOffer(("des", "sm4"))
    assert city.api.dispatch(Request("GET", "/v1/hsm")).status == 401
