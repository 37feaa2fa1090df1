"""The HSM as a security module: its strings, the basic read in two steps, and hostile answers."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.channel import CardChannel
from apdu.crypto import Algorithm, Purchase, region_factors
from apdu.hsm import HsmBasicRead, HsmKey, RemoteSam
from apdu.hsm_text import (
    AuthenticationRequest,
    BasicReadAnswer,
    BasicReadRequest,
    MessageRequest,
)
from apdu.layers import stack
from apdu.pin import Pin
from apdu.purchase import PurchasePermit, PurchaseRequest
from apdu.readers.inprocess import InProcessReader
from apdu.sam import (
    DEVELOPMENT_KEYS,
    NO_TERMINAL_NUMBER,
    CardIdentity,
    MessageModule,
    PurchaseModule,
)
from apdu.ssc.card import KeyRefused, SocialSecurityCard
from apdu.ssc.keys import KeyName
from apdu.status import (
    AlgorithmNotSupported,
    CardRemoved,
    CardReset,
    KeyNotAvailable,
    MalformedData,
    NotAuthentic,
    PinBlocked,
    PinWrong,
    PurchaseNotProved,
    SamBadAnswer,
    SamNoAnswer,
    StatusError,
)
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.hsm import SoftwareHsm

DES, SSF33, SM4 = Algorithm.DES, Algorithm.SSF33, Algorithm.SM4
CARD_ID = bytes.fromhex("990100D15600000500000001FFFFFFFF")
HISTORICAL = bytes.fromhex("0081544C92868499010000007B")
FACTOR = bytes.fromhex("1122334455667788")
ORIGINAL = bytes.fromhex("A1A2A3A4A5A6A7A8")
TIME = bytes.fromhex("20260102030405")
NAMES = ("adult-1.0", "adult-2.0", "adult-3.0", "contactless-3.0")


def slot(name: str) -> InProcessReader:
    return InProcessReader("slot 1", SimulatedCard(load_profile(name), random=Random(1).randbytes))


def select(reader: InProcessReader) -> SocialSecurityCard:
    return SocialSecurityCard.select(CardChannel(stack(reader.connect())))


def identity(algorithm: Algorithm = SM4) -> CardIdentity:
    return CardIdentity(algorithm, CARD_ID, HISTORICAL)


def remote(hsm: SoftwareHsm | None = None) -> RemoteSam:
    return RemoteSam(hsm or SoftwareHsm(), Random(2).randbytes)


# The basic read in two steps


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("source", ["card", "terminal"])
def test_basic_read_in_two_steps(name: str, source: str) -> None:
    card = select(slot(name))
    challenges = card.channel.get_challenge if source == "card" else Random(5).randbytes
    step = HsmBasicRead.begin(card, challenges)
    answer = SoftwareHsm().basic_read(str(step.request))
    basic = step.finish(BasicReadAnswer.parse(answer))
    assert basic.name == load_profile(name).holder.name
    assert card.authentic


@pytest.mark.parametrize("name", NAMES)
def test_the_request_names_the_external_pair_only_for_cards_that_want_it(name: str) -> None:
    card = select(slot(name))
    text = str(HsmBasicRead.begin(card, Random(5).randbytes).request)
    fields = text.split("|")
    assert len(fields) == 9
    assert fields[8] == ""
    assert fields[:4] == [
        card.identity.region,
        card.historical.hex().upper(),
        f"0{int(card.algorithm)}",
        card.card_id.hex().upper(),
    ]
    assert all(len(fields[i]) == 16 for i in (4, 5))
    assert all(len(fields[i]) == (16 if card.version == "3.00" else 0) for i in (6, 7))


def test_the_vendor_form_with_the_whole_atr_and_a_terminal_number() -> None:
    card = select(slot("adult-3.0"))
    step = HsmBasicRead.begin(card, Random(5).randbytes, terminal="0" * 32, whole_atr=True)
    fields = str(step.request).split("|")
    assert fields[1] == card.channel.atr.hex().upper()
    assert fields[8:] == ["0" * 32, ""]
    answer = SoftwareHsm().basic_read(str(step.request))
    assert step.finish(BasicReadAnswer.parse(answer)).name


def test_a_forged_card_is_found_out_in_the_second_step() -> None:
    card = select(slot("forged"))
    step = HsmBasicRead.begin(card, Random(5).randbytes)
    with pytest.raises(NotAuthentic):
        step.confirm(BasicReadAnswer.parse(SoftwareHsm().basic_read(str(step.request))))
    assert not card.authentic


def test_a_wrong_external_authentication_costs_a_try() -> None:
    card = select(slot("adult-3.0"))
    step = HsmBasicRead.begin(card, Random(5).randbytes)
    answer = BasicReadAnswer.parse(SoftwareHsm().basic_read(str(step.request)))
    wrong = BasicReadAnswer(answer.internal, bytes(8) + answer.external[8:])
    with pytest.raises(KeyRefused) as refused:
        step.confirm(wrong)
    assert refused.value.tries_left == 2
    with pytest.raises(StatusError, match="6982"):
        card.read_holder()


def test_answers_to_other_requests_are_not_presented_to_the_card() -> None:
    card = select(slot("adult-3.0"))
    step = HsmBasicRead.begin(card, Random(5).randbytes)
    answer = BasicReadAnswer.parse(SoftwareHsm().basic_read(str(step.request)))
    other = bytes(16)
    for mixed_up in (
        BasicReadAnswer(other, answer.external),
        BasicReadAnswer(answer.internal, other),
        BasicReadAnswer(answer.internal),
    ):
        with pytest.raises(SamBadAnswer):
            step.confirm(mixed_up)
    assert step.finish(answer).name  # the card's challenge is still good


def test_a_card_that_left_between_the_steps() -> None:
    reader = slot("adult-3.0")
    step = HsmBasicRead.begin(select(reader), Random(5).randbytes)
    reader.remove()
    with pytest.raises(CardRemoved):
        step.confirm(BasicReadAnswer.parse(SoftwareHsm().basic_read(str(step.request))))


def test_a_card_that_was_reset_between_the_steps() -> None:
    reader = slot("adult-3.0")
    channel = CardChannel(stack(reader.connect(exclusive=False)))
    step = HsmBasicRead.begin(SocialSecurityCard.select(channel), Random(5).randbytes)
    reader.connect(exclusive=False).reset()
    with pytest.raises(CardReset):
        step.confirm(BasicReadAnswer.parse(SoftwareHsm().basic_read(str(step.request))))


# PIN reload with the strings (facts 6.1, steps 1 to 3)


@pytest.mark.parametrize("name", ["adult-2.0", "adult-3.0"])
@pytest.mark.parametrize("reload", [True, False])
def test_pin_reload_and_unblock_in_three_steps(name: str, reload: bool) -> None:
    card, hsm = select(slot(name)), SoftwareHsm()
    channel = card.channel
    with contextlib.suppress(PinBlocked):
        while True:
            with contextlib.suppress(PinWrong):
                card.verify_pin(Pin("000000"))
    original, factor = channel.get_challenge(8), channel.get_challenge(8)
    puk = AuthenticationRequest(card.algorithm, 0x0090, factor, original)
    assert str(puk)[:8] == f"0{int(card.algorithm)}|0090|"
    card.present_key(KeyName.PUK, puk.answer(hsm.authentication(str(puk), card.identity)))
    lc = "14" if card.algorithm is SM4 else "0C"
    header = bytes.fromhex("84240001" + lc if reload else "8424000004")
    pin = "654321" if reload else ""
    message = MessageRequest(card.algorithm, 0x0173, channel.get_challenge(8), header, pin)
    text = hsm.message(str(message), card.identity)
    assert len(text) == {"14": 50, "0C": 34}[lc] if reload else 18  # facts 6.1
    channel.call(message.answer(text), "PIN RELOAD")
    profile = load_profile(name)
    assert profile.pin is not None
    card.verify_pin(Pin(pin or profile.pin.value))


# The strings

eight = st.binary(min_size=8, max_size=8)


@given(st.sampled_from(Algorithm), eight, eight, st.none() | st.tuples(eight, eight))
def test_basic_read_strings_go_and_come_back(
    algorithm: Algorithm, factor: bytes, original: bytes, external: tuple[bytes, bytes] | None
) -> None:
    pair = external or (b"", b"")
    request = BasicReadRequest(algorithm, CARD_ID, HISTORICAL, factor, original, *pair)
    assert BasicReadRequest.parse(str(request)) == request
    assert BasicReadRequest.parse(str(request).lower()) == request
    assert request.identity == identity(algorithm)
    answer = BasicReadAnswer(factor + original, b"".join(pair))
    assert BasicReadAnswer.parse(str(answer)) == answer


@given(eight, st.integers(0, 0xFFFF), st.sampled_from(Algorithm))
def test_key_strings_go_and_come_back(factor: bytes, address: int, algorithm: Algorithm) -> None:
    request = AuthenticationRequest(algorithm, address, factor, ORIGINAL)
    assert AuthenticationRequest.parse(str(request)) == request
    message = MessageRequest(algorithm, address, factor, bytes(5), "123456")
    assert MessageRequest.parse(str(message)) == message
    assert MessageRequest.parse(str(message).removesuffix("|")) == message
    assert "123456" not in repr(message)


GOOD = str(BasicReadRequest(SM4, CARD_ID, HISTORICAL, FACTOR, ORIGINAL))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "|",
        GOOD[:-1],
        GOOD + "x|y|",
        GOOD.replace("|03|", "|04|"),
        GOOD.replace("|03|", "|3|"),
        GOOD.replace("990100|", "990200|", 1),
        GOOD.replace(FACTOR.hex(), FACTOR.hex()[:-2]),
        GOOD.replace("1122334455667788", "11 2334455667788"),
        GOOD.replace("1122334455667788", "112233445566778"),
        GOOD.replace("1122334455667788", "一122334455667788"),
        GOOD.replace("||", "|1122334455667788|"),
        GOOD.replace(HISTORICAL.hex().upper(), "FFFF"),
        GOOD.replace(HISTORICAL.hex().upper(), "3B6D0000"),
        GOOD.replace("990100D1", "99010AD1").replace("990100|", "99010A|"),
        GOOD + "0" * 2000 + "|",
    ],
)
def test_malformed_basic_read_requests(text: str) -> None:
    with pytest.raises(MalformedData):
        BasicReadRequest.parse(text)


@pytest.mark.parametrize(
    "text", ["", "03|0090|11|", "03|90|1122|3344|", "09|0090|1122|3344|", "03|0090|zz|3344|"]
)
def test_malformed_key_requests(text: str) -> None:
    with pytest.raises(MalformedData):
        AuthenticationRequest.parse(text)
    with pytest.raises(MalformedData):
        MessageRequest.parse(text)


@pytest.mark.parametrize("text", ["03|0173|1122|8424|123456|", "03|0173|1122|8424000114|12a456|"])
def test_malformed_message_requests(text: str) -> None:
    with pytest.raises(MalformedData):
        MessageRequest.parse(text)


@given(st.text(max_size=80) | st.binary(max_size=40).map(bytes.hex))
def test_hostile_answers(text: str) -> None:
    """Whatever the network brings: an answer of the right form, or `SamBadAnswer`."""
    request = AuthenticationRequest(SM4, 0x0090, FACTOR, ORIGINAL)
    message = MessageRequest(SM4, 0x0173, FACTOR, bytes.fromhex("8424000114"), "123456")
    with contextlib.suppress(SamBadAnswer):
        assert len(BasicReadAnswer.parse(text).internal) == 16
    with contextlib.suppress(SamBadAnswer):
        assert request.answer(text)[8:] == ORIGINAL
    with contextlib.suppress(SamBadAnswer):
        assert len(message.answer(text).data) == 20


@pytest.mark.parametrize(
    "text",
    ["", "00" * 15, "00" * 16, "00" * 8 + "A1A2A3A4A5A6A7A9", "zz" * 16, "00" * 2000],
)
def test_authentications_that_answer_something_else(text: str) -> None:
    with pytest.raises(SamBadAnswer):
        AuthenticationRequest(SM4, 0x0090, FACTOR, ORIGINAL).answer(text)


@pytest.mark.parametrize("text", ["00" * 19, "00" * 21, "8424000114" + "00" * 19, "8424000014"])
def test_commands_of_a_wrong_length(text: str) -> None:
    request = MessageRequest(SM4, 0x0173, FACTOR, bytes.fromhex("8424000114"), "123456")
    with pytest.raises(SamBadAnswer):
        request.answer(text)


@pytest.mark.parametrize("text", ["|", "||", "00|00|", "00" * 16 + "|" + "00" * 8 + "|"])
def test_basic_read_answers_of_a_wrong_form(text: str) -> None:
    with pytest.raises(SamBadAnswer):
        BasicReadAnswer.parse(text)


# RemoteSam


def test_it_is_a_module_of_every_kind() -> None:
    sam = remote()
    messages: MessageModule = sam
    purchases: PurchaseModule = sam
    assert messages.terminal_number == purchases.terminal_number == NO_TERMINAL_NUMBER
    assert sam.challenge(8) == Random(2).randbytes(8)


class Listening(SoftwareHsm):
    """An HSM that remembers which keys it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[HsmKey] = []

    def authentication_data(self, key: HsmKey, factor: bytes, original: bytes) -> bytes:
        self.asked.append(key)
        return super().authentication_data(replace(key, address=0x0170), factor, original)


def test_keys_are_asked_for_by_address_and_group() -> None:
    """Facts appendix A: address +1 and +2 are the groups 02 and 03."""
    hsm = Listening()
    sam = RemoteSam(hsm, Random(2).randbytes)
    sam.card_authentication(identity(), FACTOR, ORIGINAL)
    for version in (1, 2, 3):
        sam.terminal_authentication(identity(), KeyName.RKSSSE, FACTOR, ORIGINAL, version)
    assert [key.address for key in hsm.asked] == [0x0170, 0x004C, 0x004D, 0x004E]
    assert {key.algorithm for key in hsm.asked} == {SM4}
    assert hsm.asked[0].factors == region_factors("990100", HISTORICAL)
    assert HISTORICAL.hex() not in repr(hsm.asked[0])


@pytest.mark.parametrize(
    ("key", "version"),
    [(KeyName.RKSSSE, 4), (KeyName.RKSSSE, 0), (KeyName.PUK, 2), (KeyName.RK1DF06, 1)],
)
def test_keys_without_an_address(key: KeyName, version: int) -> None:
    with pytest.raises(KeyNotAvailable):
        remote().terminal_authentication(identity(), key, FACTOR, ORIGINAL, version)


def test_a_missing_key() -> None:
    roots = {KeyName.IRK: DEVELOPMENT_KEYS[KeyName.IRK]}
    sam = remote(SoftwareHsm(roots, later_versions={}))
    sam.card_authentication(identity(), FACTOR, ORIGINAL)
    with pytest.raises(KeyNotAvailable):
        sam.terminal_authentication(identity(), KeyName.RKSSSE, FACTOR, ORIGINAL)


def test_ssf33_is_offered_if_the_service_offers_it() -> None:
    assert not remote().supports(SSF33)
    with pytest.raises(AlgorithmNotSupported):
        remote().card_authentication(identity(SSF33), FACTOR, ORIGINAL)
    sam = remote(SoftwareHsm(algorithms={SSF33}))
    assert sam.supports(SSF33)
    assert len(sam.card_authentication(identity(SSF33), FACTOR, ORIGINAL)) == 8


def test_the_time_of_the_hsm_counts() -> None:
    """Facts 6.1: the debit's time comes back from the HSM."""
    time = bytes.fromhex("20260102030406")
    sam = remote(SoftwareHsm(time=time))
    purchase = Purchase(0, 100, 0, bytes(6), TIME)
    permit = sam.permit_purchase(identity(), PurchaseRequest(purchase, bytes(4), bytes(2)))
    assert permit.time == time


class Broken(SoftwareHsm):
    """An HSM whose answers have wrong lengths."""

    def authentication_data(self, key: HsmKey, factor: bytes, original: bytes) -> bytes:
        return bytes(7)

    def protected_data(
        self, key: HsmKey, factor: bytes, header: bytes, data: bytes, *, encipher: bool
    ) -> bytes:
        return bytes(5)

    def message_mac(self, key: HsmKey, factor: bytes, data: bytes) -> bytes:
        return bytes(8)

    def permit_purchase(self, key: HsmKey, request: PurchaseRequest) -> PurchasePermit:
        return PurchasePermit(bytes(4), TIME, bytes(8))


def test_garbage_from_the_hsm() -> None:
    sam = remote(Broken())
    request = PurchaseRequest(Purchase(0, 1, 0, bytes(6), TIME), bytes(4), bytes(2))
    with pytest.raises(SamBadAnswer):
        sam.card_authentication(identity(), FACTOR, ORIGINAL)
    with pytest.raises(SamBadAnswer):
        sam.terminal_authentication(identity(), KeyName.PUK, FACTOR, ORIGINAL)
    with pytest.raises(SamBadAnswer):
        sam.secured_command(identity(), KeyName.STK, FACTOR, bytes.fromhex("84240000"))
    with pytest.raises(SamBadAnswer):
        sam.message_mac(identity(), KeyName.STK, FACTOR, b"")
    with pytest.raises(SamBadAnswer):
        sam.permit_purchase(identity(), request)
    with pytest.raises(PurchaseNotProved):
        sam.complete_purchase(bytes(4))


def test_an_unreachable_hsm_passes_its_error_on() -> None:
    class Away(SoftwareHsm):
        def authentication_data(self, key: HsmKey, factor: bytes, original: bytes) -> bytes:
            raise SamNoAnswer("the HSM cannot be reached")

    card = select(slot("adult-3.0"))
    with pytest.raises(SamNoAnswer):
        card.authenticate(remote(Away()))
    assert not card.authentic
