"""The certificate application: its PIN, its certificates and its public keys (facts 4.7)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from apdu.channel import CardChannel
from apdu.layers import stack
from apdu.pin import Pin
from apdu.readers.inprocess import InProcessReader
from apdu.sam import SoftwareSam
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.certificates import (
    ADMIN_PIN,
    USER_PIN,
    CertificateApplication,
    CertificateUse,
    NoCertificates,
    pin_cryptogram,
    pin_key,
    sm3,
)
from apdu.ssc.keys import KeyName
from apdu.status import (
    ApplicationLocked,
    CardError,
    CardRemoved,
    MalformedData,
    PinBlocked,
    PinWrong,
    StatusError,
)
from apdu.trace import Trace
from simulator.card.card import Protocol, SimulatedCard
from simulator.card.certificates import CertificateData
from simulator.card.description import CardProfile
from simulator.card.profile import load_profile

PROTOCOLS: tuple[Protocol, ...] = ("T0", "T1", "TCL")
SAMPLE = load_profile("contactless-3.0")
DER = bytes.fromhex("30820190") + Random(3).randbytes(400)
POINT = bytes(range(64))
ENVIRONMENT = "00A404000C504B492EC9E7BBE1B1A3D5CF"
APPLICATION = "00A404000C53532E434552542E41444631"
ATR = bytes.fromhex("3B6D000000814A444686605199000001AC")


def with_certificates(**changes: object) -> CardProfile:
    signature = CertificateUse.SIGNATURE
    data = CertificateData(certificates={signature: DER}, public_keys={signature: POINT})
    return replace(load_profile("adult-2.0"), certificates=replace(data, **changes))  # type: ignore[arg-type]  # any field


def make(profile: CardProfile, protocol: Protocol = "T1") -> SimulatedCard:
    return SimulatedCard(profile, random=Random(1).randbytes, protocol=protocol)


def channel(chip: SimulatedCard, trace: Trace | None = None) -> CardChannel:
    return CardChannel(stack(InProcessReader("reader", chip).connect(), trace=trace))


def application(profile: CardProfile, protocol: Protocol = "T1") -> CertificateApplication:
    return CertificateApplication.select(channel(make(profile, protocol)))


class Scripted:
    """A card that answers from a list of beginnings of commands, 6A82 to everything else."""

    atr = ATR

    def __init__(self, answers: dict[str, str]) -> None:
        self.sent: list[str] = []
        self._answers = answers

    def transmit(self, command: bytes) -> bytes:
        text = command.hex().upper()
        self.sent.append(text)
        match = (a for c, a in self._answers.items() if text.startswith(c))
        return bytes.fromhex(next(match, "6A82"))

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        """Nothing to close."""


def select_on(card: Scripted) -> CertificateApplication:
    return CertificateApplication.select(CardChannel(stack(card)))


# The PIN


def test_published_vectors() -> None:
    """Facts 4.7 and A4: SM3 of 12 34 56, the sample challenge and its cryptogram; GB/T 32905."""
    pin = bytes.fromhex("123456")
    full = "3DE741F445DD357BEA4E6C3FE6437036F62B5E3EC0F00D62796EDB4305ED627F"
    assert sm3(pin).hex().upper() == full
    assert pin_key(pin).hex().upper() == full[:32]
    challenge = bytes.fromhex("178CEDCF32C5D7990216632170C7CD37")
    assert pin_cryptogram(pin, challenge).hex().upper() == "358B51056B9B9EB2C96B20E7DB7A6B8F"
    digest = "66C7F0F462EEEDD9D1F2D46BDC10E4E24167C4875CF2F7A2297DA02B8F4BA8E0"
    assert sm3(b"abc").hex().upper() == digest


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_pin_opens_and_never_crosses_the_line(protocol: Protocol) -> None:
    trace = Trace()
    selected = CertificateApplication.select(channel(make(with_certificates(), protocol), trace))
    selected.verify_pin(Pin("123456"))
    selected.verify_admin_pin(Pin("12345678"))
    assert "123456" not in str(trace)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_wrong_pins_are_counted_until_it_blocks(protocol: Protocol) -> None:
    selected = application(with_certificates(), protocol)
    for left in (2, 1):
        with pytest.raises(PinWrong) as caught:
            selected.verify_pin(Pin("654321"))
        assert caught.value.tries_left == left
    selected.verify_pin(Pin("123456"))
    for _ in range(2):
        with pytest.raises(PinWrong):
            selected.verify_pin(Pin("654321"))
    for _ in range(2):
        with pytest.raises(PinBlocked):
            selected.verify_pin(Pin("654321"))
    with pytest.raises(PinBlocked):
        selected.verify_pin(Pin("123456"))
    selected.verify_admin_pin(Pin("12345678"))


def test_it_is_not_the_pin_of_the_social_security_card() -> None:
    chip = make(with_certificates())
    line = channel(chip)
    selected = CertificateApplication.select(line)
    with pytest.raises(PinWrong):
        selected.verify_pin(Pin("135790"))
    card = SocialSecurityCard.select(line)
    assert card.pin_tries_left() == 3
    card.verify_pin(Pin("135790"))


def test_a_torn_verification_costs_a_try_or_not_and_never_gives_one() -> None:
    chip = make(with_certificates())
    wrong = Pin("654321")
    clean = chip.memory.content
    outcomes = set()
    for fuse in range(40):
        chip.memory.replace_content(clean)
        selected = CertificateApplication.select(channel(chip))
        chip.memory.tear_after(fuse)
        try:
            selected.verify_pin(wrong)
        except CardRemoved:
            with pytest.raises(PinWrong) as caught:
                CertificateApplication.select(channel(chip)).verify_pin(wrong)
            outcomes.add(caught.value.tries_left)
        except PinWrong:
            break
    assert outcomes == {2, 1}


def test_a_challenge_is_good_once_and_wanted() -> None:
    chip = make(with_certificates())
    selected = CertificateApplication.select(channel(chip))
    verify = "0020018110" + "00" * 16
    assert chip.transmit(bytes.fromhex(verify)).hex() == "6984"
    selected.verify_pin(Pin("123456"))
    assert chip.transmit(bytes.fromhex(verify)).hex() == "6984"


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("00200000021234", "6a86"),
        ("0020018210" + "00" * 16, "6a86"),
        ("0020018108" + "00" * 8, "6700"),
        ("80C4010405C103123456", "6a86"),
        ("80C4010305C203123456", "6a80"),
        ("80C4010305C104123456", "6a80"),
        ("80C4010301C1", "6a80"),
        ("B026000104", "6d00"),
    ],
)
def test_what_the_application_refuses(command: str, sw: str) -> None:
    chip = make(with_certificates())
    CertificateApplication.select(channel(chip))
    assert chip.transmit(bytes.fromhex(command)).hex() == sw


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_card_hashes_a_pin_and_the_trace_keeps_neither(protocol: Protocol) -> None:
    trace = Trace()
    line = channel(make(with_certificates(), protocol), trace)
    CertificateApplication.select(line)
    hashed = line.connection.transmit(bytes.fromhex("80C4010305C10312345600"))
    assert hashed[:-2] == sm3(bytes.fromhex("123456"))
    assert hashed.hex().upper()[:64] not in str(trace)
    assert "123456" not in str(trace)


def test_a_card_that_gives_eight_bytes_of_challenge() -> None:
    right = pin_cryptogram(bytes.fromhex("123456"), bytes(range(8)) + bytes(8)).hex().upper()
    card = Scripted(
        {
            "00A4": "9000",
            "0084000010": "6700",
            "0084000008": "00010203040506079000",
            "0020018110" + right: "9000",
        }
    )
    select_on(card).verify_pin(Pin("123456"))


@pytest.mark.parametrize(
    ("sw", "error"), [("6983", PinBlocked), ("63C0", PinBlocked), ("6A88", StatusError)]
)
def test_answers_to_verify(sw: str, error: type[CardError]) -> None:
    card = Scripted({"00A4": "9000", "0084": "00" * 16 + "9000", "0020": sw})
    with pytest.raises(error):
        select_on(card).verify_pin(Pin("123456"))


def test_a_card_that_gives_no_challenge() -> None:
    with pytest.raises(StatusError):
        select_on(Scripted({"00A4": "9000", "0084": "6D00"})).verify_pin(Pin("123456"))


# Selection


def test_the_published_way_in() -> None:
    card = Scripted({ENVIRONMENT: "9000", APPLICATION: "9000"})
    select_on(card)
    assert [sent[:34] for sent in card.sent] == [ENVIRONMENT, APPLICATION]


def test_a_card_that_knows_the_application_by_its_identifier_only() -> None:
    card = Scripted({ENVIRONMENT: "9000", "00A4000002DF01": "9000"})
    select_on(card)
    assert card.sent[-1].startswith("00A4000002DF01")


def test_a_card_without_certificates() -> None:
    for name in ("adult-1.0", "adult-3.0"):
        with pytest.raises(NoCertificates):
            application(load_profile(name))
    with pytest.raises(ApplicationLocked):
        select_on(Scripted({ENVIRONMENT: "9303"}))
    with pytest.raises(StatusError):
        select_on(Scripted({ENVIRONMENT: "9000", APPLICATION: "6F00"}))


def test_selecting_it_closes_what_keys_had_opened() -> None:
    line = channel(make(with_certificates()))
    card = SocialSecurityCard.select(line)
    sam = SoftwareSam.development(Random(2).randbytes)
    card.authorise(sam, KeyName.UKSSSE)
    CertificateApplication.select(line)
    card.enter("SSSE")
    with pytest.raises(StatusError, match="6982"):
        line.update_record_by_tag(0x05, bytes.fromhex("050420260101"), sfi=5)
    card.authorise(sam, KeyName.UKSSSE)
    line.update_record_by_tag(0x05, bytes.fromhex("050420260101"), sfi=5)


# Certificates and keys


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_certificate_is_read_without_its_filler(protocol: Protocol) -> None:
    selected = application(with_certificates(), protocol)
    certificate = selected.certificate(CertificateUse.SIGNATURE)
    assert certificate.der == DER
    assert repr(DER[4:20])[2:-1] not in repr(certificate)
    key = selected.public_key(CertificateUse.SIGNATURE)
    assert key.x + key.y == POINT
    with pytest.raises(NoCertificates):
        selected.certificate(CertificateUse.ENCRYPTION)
    with pytest.raises(NoCertificates):
        selected.public_key(CertificateUse.ENCRYPTION)


def test_the_sample_cards_certificates_are_real_ones_of_nobody() -> None:
    selected = application(SAMPLE, "TCL")
    for use in CertificateUse:
        certificate = x509.load_der_x509_certificate(selected.certificate(use).der)
        assert "样例" in certificate.subject.rfc4514_string()
        key = selected.public_key(use)
        assert b"\x04" + key.x + key.y in certificate.tbs_certificate_bytes


@pytest.mark.parametrize("length", [4, 130, 240, 241, 1020])
def test_certificates_of_any_length(length: int) -> None:
    body = length - (3 if length < 256 else 4)
    head = bytes((0x30, 0x81, body)) if body < 256 else b"\x30\x82" + body.to_bytes(2, "big")
    der = (head + bytes(range(256)) * 4)[:length] if length > 4 else b"\x30\x81\x01\x05"
    profile = with_certificates(certificates={CertificateUse.SIGNATURE: der})
    assert application(profile, "T0").certificate(CertificateUse.SIGNATURE).der == der


@pytest.mark.parametrize(
    "content", ["3003020101", "30840000000102", "3082FFFF00", "41424344", "3081", "30820003"]
)
def test_what_is_no_certificate(content: str) -> None:
    card = Scripted({"00A4": "9000", "00B00000": content + "9000", "00B0": "9000"})
    with pytest.raises(MalformedData):
        select_on(card).certificate(CertificateUse.SIGNATURE)


def test_files_that_are_missing_or_short() -> None:
    way_in = {ENVIRONMENT: "9000", APPLICATION: "9000"}
    for read in (CertificateApplication.certificate, CertificateApplication.public_key):
        with pytest.raises(NoCertificates):
            read(select_on(Scripted(way_in)), CertificateUse.SIGNATURE)
        locked = Scripted({**way_in, "00A4000002": "6982"})
        with pytest.raises(StatusError):
            read(select_on(locked), CertificateUse.SIGNATURE)
    short = Scripted({"00A4": "9000", "00B0": "00409000"})
    with pytest.raises(MalformedData):
        select_on(short).public_key(CertificateUse.SIGNATURE)
    empty = Scripted({"00A4": "9000", "00B0": "0000" + "00" * 64 + "9000"})
    with pytest.raises(NoCertificates):
        select_on(empty).public_key(CertificateUse.SIGNATURE)


READS: tuple[Callable[[CertificateApplication], object], ...] = (
    lambda a: a.verify_pin(Pin("123456")),
    lambda a: a.certificate(CertificateUse.SIGNATURE),
    lambda a: a.public_key(CertificateUse.ENCRYPTION),
)


@given(st.lists(st.binary(max_size=70), min_size=1, max_size=6), st.sampled_from(READS))
def test_hostile_answers_end_in_a_typed_error(
    answers: list[bytes], read: Callable[[CertificateApplication], object]
) -> None:
    class Hostile(Scripted):
        def transmit(self, command: bytes) -> bytes:
            self.sent.append(command.hex())
            assert len(self.sent) < 5000
            return answers[len(self.sent) % len(answers)] + b"\x90\x00"

    with suppress(CardError):
        read(select_on(Hostile({})))


def test_the_references_are_the_published_ones() -> None:
    assert (USER_PIN, ADMIN_PIN) == (0x81, 0x00)
