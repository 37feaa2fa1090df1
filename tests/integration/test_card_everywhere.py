"""One suite, every line: the same bodies on simulated cards in this process and in real pcscd.

Every test runs for cards of version 1.0, 2.0 and 3.0, in this process over T=0, as whole APDUs and
contactless, and through pcscd as a contact and as a contactless card. Without pcscd its cases skip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random

import pytest

from apdu.channel import CardChannel
from apdu.connection import Connection
from apdu.layers import stack
from apdu.pin import Pin
from apdu.readers.inprocess import InProcessReader
from apdu.sam import KeyName, SoftwareSam
from apdu.secure import MacRefused, SecureMessaging
from apdu.ssc.account import MedicalAccount
from apdu.ssc.account_errors import InsufficientBalance
from apdu.ssc.card import KeyRefused, SocialSecurityCard
from apdu.ssc.files import EfSpec, file_map
from apdu.ssc.transactions import PendingDebit, PurchaseOrder
from apdu.ssc.values import SHANGHAI
from apdu.status import NotAuthentic, PinBlocked, PinWrong, StatusError, StatusWord
from simulator.card.card import Protocol, SimulatedCard
from simulator.card.profile import CardProfile, load_profile
from tests.integration.conftest import VirtualSlot

pytestmark = pytest.mark.integration

PATIENCE = 10.0
WRONG = "999999"
VERSIONS = ("1.0", "2.0", "3.0")
LINES: dict[str, tuple[str, Protocol]] = {
    "in-process, T=0": ("process", "T0"),
    "in-process, whole APDUs": ("process", "T1"),
    "in-process, contactless": ("process", "TCL"),
    "pcscd, contact": ("pcscd", "T0"),
    "pcscd, contactless": ("pcscd", "TCL"),
}


@dataclass
class Presented:
    """A simulated card in a slot, as the terminal sees it, and what is known of it."""

    profile: CardProfile
    connection: Connection
    sam: SoftwareSam

    def __post_init__(self) -> None:
        self.channel = CardChannel(stack(self.connection))
        self.card = SocialSecurityCard.select(self.channel)

    @property
    def pin(self) -> Pin:
        assert self.profile.pin is not None
        return Pin(self.profile.pin.value)

    def file(self, df: str, fid: int) -> EfSpec:
        return file_map(self.card.version)[df, fid]

    def restart(self) -> None:
        """Reset the card and select it again."""
        self.channel.reset()
        self.card = SocialSecurityCard.select(self.channel)


Present = Callable[[CardProfile], Presented]


@pytest.fixture(params=LINES, ids=list(LINES))
def present(request: pytest.FixtureRequest) -> Iterator[Present]:
    """Puts a card into the slot of the line that the test runs on."""
    where, protocol = LINES[request.param]
    connections: list[Connection] = []
    slot: VirtualSlot | None = request.getfixturevalue("virtual_slot") if where == "pcscd" else None

    def insert(profile: CardProfile) -> Presented:
        chip = SimulatedCard(profile, random=Random(1).randbytes, protocol=protocol)
        connection: Connection
        if slot is None:
            connection = InProcessReader("slot", chip).connect()
        else:
            slot.panel.insert(chip)
            assert slot.reader.wait_for_card(PATIENCE)
            connection = slot.reader.connect()
        connections.append(connection)
        assert connection.atr == chip.atr
        return Presented(profile, connection, SoftwareSam.development(Random(2).randbytes))

    yield insert
    for connection in connections:
        connection.close()


@pytest.fixture(params=VERSIONS)
def profile(request: pytest.FixtureRequest) -> CardProfile:
    """The adult's card of each version."""
    return load_profile(f"adult-{request.param}")


@pytest.fixture
def presented(present: Present, profile: CardProfile) -> Presented:
    """That card in the slot, selected."""
    return present(profile)


def test_basic_read(presented: Presented) -> None:
    presented.card.authenticate(presented.sam)
    basic = presented.card.read_basic(presented.sam)
    holder, card = presented.profile.holder, presented.profile.card
    assert (basic.name, basic.ssn, basic.sex) == (holder.name, holder.ssn, holder.sex)
    assert (basic.card_number, basic.card_id) == (card.number, card.card_id)
    assert (basic.issued, basic.expires) == (card.issued, card.expires)
    assert (basic.version, basic.historical) == (card.version, card.historical)
    assert presented.card.algorithm is card.algorithm
    assert basic.warnings == ()


def test_a_forged_card_is_found_out(present: Present, profile: CardProfile) -> None:
    forged = present(replace(profile, keys="wrong"))
    with pytest.raises(NotAuthentic):
        forged.card.authenticate(forged.sam)


def test_the_terminal_is_let_in_by_its_key_alone(presented: Presented) -> None:
    presented.card.authenticate(presented.sam)
    presented.channel.get_challenge(8)
    with pytest.raises(KeyRefused) as refused:
        presented.card.present_key(KeyName.UKSSSE, bytes(16))
    assert refused.value.tries_left == 2
    presented.card.authorise(presented.sam, KeyName.UKSSSE, key_version=2)
    presented.card.authorise(presented.sam, KeyName.UKSSSE)


def test_a_used_challenge_counts_no_more(presented: Presented) -> None:
    card, sam = presented.card, presented.sam
    challenge = presented.channel.get_challenge(8)
    proof = sam.terminal_authentication(card.identity, KeyName.UKSSSE, challenge, bytes(8))
    card.present_key(KeyName.UKSSSE, proof)
    with pytest.raises(StatusError) as refused:
        card.present_key(KeyName.UKSSSE, proof)
    assert refused.value.sw == StatusWord.NO_CHALLENGE


def test_wrong_pins_count_down_and_block(presented: Presented) -> None:
    card = presented.card
    assert card.pin_tries_left() == 3
    for left in (2, 1):
        with pytest.raises(PinWrong) as wrong:
            card.verify_pin(Pin(WRONG))
        assert wrong.value.tries_left == left == card.pin_tries_left()
    presented.restart()
    with pytest.raises(PinBlocked):
        presented.card.verify_pin(Pin(WRONG))
    assert presented.card.pin_tries_left() == 0
    with pytest.raises(PinBlocked):
        presented.card.verify_pin(presented.pin)


def test_the_right_pin_gives_all_tries_back(presented: Presented) -> None:
    with pytest.raises(PinWrong):
        presented.card.verify_pin(Pin(WRONG))
    presented.card.verify_pin(presented.pin)
    assert presented.card.pin_tries_left() == 3


def test_a_changed_pin_is_the_pin_after_a_reset(presented: Presented) -> None:
    new = Pin("13579024")
    with pytest.raises(PinWrong):
        presented.card.change_pin(Pin(WRONG), new)
    presented.card.change_pin(presented.pin, new)
    presented.restart()
    with pytest.raises(PinWrong):
        presented.card.verify_pin(presented.pin)
    presented.card.verify_pin(new)


def refused_read(presented: Presented, file: EfSpec) -> int:
    with pytest.raises(StatusError) as refused:
        presented.card.read_records(file)
    return refused.value.sw


def test_a_protected_file_opens_by_key(presented: Presented) -> None:
    file = presented.file("DF01", 0xEF05)
    assert refused_read(presented, file) == StatusWord.SECURITY_STATUS_NOT_SATISFIED
    presented.card.authorise(presented.sam, KeyName.RK1DF01)
    opened = presented.card.read_records(file)
    assert set(opened) == {record.tag for record in file.records}
    presented.card.enter("DF04")
    assert refused_read(presented, file) == StatusWord.SECURITY_STATUS_NOT_SATISFIED


def test_a_protected_file_opens_by_pin_until_the_reset(presented: Presented) -> None:
    file = presented.file("DF04", 0xEF05)
    presented.card.verify_pin(presented.pin)
    assert presented.card.read_records(file)
    presented.restart()
    assert refused_read(presented, file) == StatusWord.SECURITY_STATUS_NOT_SATISFIED


def test_an_update_is_read_back_and_outlives_a_reset(presented: Presented) -> None:
    file = presented.file("DF01", 0xEF05)
    length = next(record.length for record in file.records if record.tag == 0x21)
    address = "示例市样本区新址路 9 号".encode("gbk").ljust(length, b"\x00")
    record = bytes((0x21, length)) + address
    presented.card.enter("DF01")
    with pytest.raises(StatusError):
        presented.channel.update_record_by_tag(0x21, record, sfi=0x05)
    presented.card.authorise(presented.sam, KeyName.UK1DF01)
    presented.channel.update_record_by_tag(0x21, record, sfi=0x05)
    for _ in range(2):
        presented.card.authorise(presented.sam, KeyName.RK1DF01)
        assert presented.card.read_records(file)[0x21] == address
        presented.restart()


def test_an_update_under_secure_messaging(presented: Presented) -> None:
    card, sam = presented.card, presented.sam
    card.authorise(sam, KeyName.UKSSSE)
    wrong = SecureMessaging(presented.channel, card.identity, sam, KeyName.STKDF01)
    with pytest.raises(MacRefused):
        wrong.update_record_by_tag(0x0A, b"\x0a\x019", sfi=0x06)
    right = SecureMessaging(presented.channel, card.identity, sam, KeyName.STK)
    right.update_record_by_tag(0x0A, b"\x0a\x019", sfi=0x06)
    assert card.read_basic(sam).sex == "9"


# The medical account (facts 5.1).

AT = datetime(2026, 3, 10, 10, 15, tzinfo=SHANGHAI)


def account_of(presented: Presented) -> MedicalAccount:
    presented.card.verify_pin(presented.pin)
    return MedicalAccount(presented.card)


def test_a_medical_purchase(presented: Presented) -> None:
    account = account_of(presented)
    before = account.balance()
    kept: list[PendingDebit] = []
    order = PurchaseOrder(700, AT, self_pay_fen=200, fund_fen=100)
    done = account.purchase(order, presented.sam, keep=kept.append)
    assert account.balance() == before - 700 == done.balance_after_fen
    assert (account.year_self_pay().fen, account.year_fund().fen) == (200, 100)
    newest = account.records()[0]
    assert (newest.kind, newest.at, newest.account_fen) == ("2", AT, 700)
    # The card tells afterwards that it booked: what a terminal asks after a tear.
    presented.restart()
    account = account_of(presented)
    assert account.resolve(kept[0]) == done
    assert account.balance() == before - 700


def test_a_purchase_beyond_the_balance_is_refused(presented: Presented) -> None:
    account = account_of(presented)
    before = account.balance()
    kept: list[PendingDebit] = []
    with pytest.raises(InsufficientBalance):
        account.purchase(PurchaseOrder(before + 1, AT), presented.sam, keep=kept.append)
    assert account.balance() == before
    assert not kept
