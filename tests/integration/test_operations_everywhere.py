"""What a terminal does with a card, on every line: reading, writing, maintenance, money, the rest.

`test_card_everywhere.py` has the commands; these are the operations above them, with the holder's
PIN and a PSAM in a slot of its own. In this process over T=0, as whole APDUs and contactless, and
through pcscd as a contact and as a contactless card.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random

import pytest

from apdu.bank import read_bank_card
from apdu.channel import CardChannel
from apdu.connection import Reader
from apdu.layers import stack
from apdu.pin import Pin
from apdu.psam import PsamCard
from apdu.readers.inprocess import InProcessReader
from apdu.sam import SoftwareSam
from apdu.ssc.account import MedicalAccount
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.certificates import CertificateApplication, CertificateUse
from apdu.ssc.driver import Devices, Driver, PinPrompt, always
from apdu.ssc.dump import dump
from apdu.ssc.files import EfSpec, file_map
from apdu.ssc.jobs import Job, read_job
from apdu.ssc.maintenance import CardMaintenance
from apdu.ssc.photo import PhotoFormat, read_photo
from apdu.ssc.transactions import Done, PendingCredit
from apdu.ssc.values import SHANGHAI
from apdu.ssc.writing import CardWriter
from apdu.status import ApplicationLocked, PinBlocked, PinWrong
from apdu.transit import TransitPurse
from simulator.card.card import SimulatedCard
from simulator.card.from_dump import profile_of_dump
from simulator.card.profile import CardProfile, load_profile
from simulator.psam import PsamProfile, SimulatedPsam
from tests.integration.conftest import VirtualSlot
from tests.integration.test_card_everywhere import LINES, PATIENCE, VERSIONS

pytestmark = pytest.mark.integration

PIN = "246810"
WRONG = "999999"
AT = datetime(2026, 3, 10, 10, 15, tzinfo=SHANGHAI)
JPEG = (
    b"\xff\xd8\xff\xe0\x00\x10" + b"JFIF".ljust(14, b"\x00") + b"\xff\xda\x00\x02" + b"\x5a" * 900
)
JPEG += b"\xff\xd9"


@dataclass
class Slot:
    """A slot of one line: cards are put in, and opened as a terminal opens them."""

    reader: Reader
    insert: Callable[[CardProfile], None]

    @contextmanager
    def open(self) -> Iterator[SocialSecurityCard]:
        connection = self.reader.connect()
        try:
            yield SocialSecurityCard.select(CardChannel(stack(connection)))
        finally:
            connection.close()


@pytest.fixture(params=LINES, ids=list(LINES))
def slot(request: pytest.FixtureRequest) -> Slot:
    """The slot of the line that the test runs on."""
    where, protocol = LINES[request.param]

    def chip(profile: CardProfile) -> SimulatedCard:
        return SimulatedCard(profile, random=Random(1).randbytes, protocol=protocol)

    if where == "process":
        reader = InProcessReader("slot")
        return Slot(reader, lambda profile: reader.insert(chip(profile)))
    virtual: VirtualSlot = request.getfixturevalue("virtual_slot")

    def insert(profile: CardProfile) -> None:
        virtual.panel.insert(chip(profile))
        assert virtual.reader.wait_for_card(PATIENCE)

    return Slot(virtual.reader, insert)


@pytest.fixture
def psam() -> Iterator[PsamCard]:
    """A PSAM in the second slot."""
    chip = SimulatedPsam(PsamProfile(), random=Random(2).randbytes)
    module = PsamCard.open(InProcessReader("slot 2", chip))
    yield module
    module.close()


@pytest.fixture(params=VERSIONS)
def inserted(request: pytest.FixtureRequest, slot: Slot) -> Slot:
    """The adult's card of each version in the slot, with PIN 246810."""
    slot.insert(issued(request.param))
    return slot


def issued(version: str, **files: object) -> CardProfile:
    profile = load_profile(f"adult-{version}")
    assert profile.pin is not None
    pin = replace(profile.pin, value=PIN)
    return replace(profile, pin=pin, files={**profile.files, **files})


def file_of(card: SocialSecurityCard, df: str, fid: int) -> EfSpec:
    return file_map(card.version)[df, fid]


# Reading


def test_everything_readable(inserted: Slot, psam: PsamCard) -> None:
    with inserted.open() as card:
        found = read_job(card, Job.EVERYTHING, psam, Pin(PIN))
        assert found.warnings == ()
        # What stays closed wants a key whose number is not published (DF06, DF07).
        assert {df for df, _ in found.unreadable} <= {"DF06", "DF07"}
        holder = found.files["SSSE", 0xEF06]
        assert holder.value(0x08)
        log = found.files["DF04", 0xEF08]
        assert log.rows == ()


def test_a_photograph_with_its_progress(slot: Slot, psam: PsamCard) -> None:
    slot.insert(issued("3.0", SSSEEF08={"hex": JPEG.hex()}))
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> bool:
        told.append((done, total))
        return True

    with slot.open() as card:
        photo = read_photo(card, psam, progress=progress)
    assert (photo.format, photo.data) == (PhotoFormat.JPEG, JPEG)
    assert told[-1] == (len(JPEG), len(JPEG))
    assert len(told) > 2


def test_a_dump_is_served_again(inserted: Slot, psam: PsamCard) -> None:
    with inserted.open() as card:
        document = dump(card, psam, Pin(PIN)).to_json()
        read = read_job(card, Job.BASIC, psam)
    served = SimulatedCard(profile_of_dump(document), random=Random(5).randbytes)
    module = SoftwareSam.development(Random(3).randbytes)
    again = SocialSecurityCard.select(
        CardChannel(stack(InProcessReader("again", served).connect()))
    )
    found = read_job(again, Job.BASIC, module)
    assert {place: content.raw for place, content in found.files.items()} == {
        place: content.raw for place, content in read.files.items()
    }


# Writing


def test_every_form_of_writing_reads_back(slot: Slot, psam: PsamCard) -> None:
    slot.insert(issued("3.0"))
    with slot.open() as card:
        writer = CardWriter(card, psam, pin=Pin(PIN), secured=psam)
        plain = CardWriter(card, psam, pin=Pin(PIN))
        for one in (writer, plain):
            name = "王" if one is writer else "李"
            contact = file_of(card, "DF01", 0xEF06)
            one.write(one.record(contact, 0x2C, f"{name}小明"))
            degree = file_of(card, "DF01", 0xEF15)
            one.write(one.record(degree, 0x40, ["301", "080901", f"{name}学院"], instance=2))
            history = file_of(card, "DF02", 0xEF07)
            one.write(one.row(history, ["1010101", "20200101", "20221231", f"{name}氏工厂"]))
            photo = file_of(card, "SSSE", 0xEF08)
            one.write(one.content(photo, JPEG, offset=16 if one is writer else 0))
    with slot.open() as card:
        found = read_job(card, Job.EVERYTHING, psam, Pin(PIN)).files
        contact_person = found["DF01", 0xEF06].value(0x2C)
        assert contact_person is not None
        assert contact_person.value == "李小明"
        assert [row[3].value.value for row in found["DF02", 0xEF07].rows] == [
            "李氏工厂",
            "王氏工厂",
        ]
        assert found["SSSE", 0xEF08].raw[0].startswith(JPEG)


# Maintenance


def test_a_blocked_pin_is_unblocked_and_reloaded(inserted: Slot, psam: PsamCard) -> None:
    with inserted.open() as card:
        for _ in range(3):
            with pytest.raises((PinWrong, PinBlocked)):
                card.verify_pin(Pin(WRONG))
        CardMaintenance(card, psam).unblock_pin()
        card.verify_pin(Pin(PIN))
        CardMaintenance(card, psam).reload_pin(Pin("135790"))
    with inserted.open() as card:
        card.verify_pin(Pin("135790"))


def test_blocking_is_for_good(inserted: Slot, psam: PsamCard) -> None:
    with inserted.open() as card:
        CardMaintenance(card, psam).block_application("DF04")
        card.enter("DF01")
        with pytest.raises(ApplicationLocked):
            card.enter("DF04")
        CardMaintenance(card, psam).block_card()
    with pytest.raises(ApplicationLocked), inserted.open():
        pass


# Money


def test_a_load_is_proved_after_a_reset(inserted: Slot) -> None:
    module = SoftwareSam.development(Random(3).randbytes)
    kept: list[PendingCredit] = []
    with inserted.open() as card:
        card.verify_pin(Pin(PIN))
        account = MedicalAccount(card)
        before = account.balance()
        done = account.load(2500, AT, module, keep=kept.append)
        assert account.balance() == before + 2500 == done.balance_after_fen
        assert account.records()[0].kind == "1"
        assert account.starting_day() == (7, 1)
    with inserted.open() as card:
        outcome = MedicalAccount(card).resolve(kept[0])
        assert isinstance(outcome, Done)
        assert outcome.tac == done.tac


# The other applications


def test_bank_purse_and_certificates(slot: Slot) -> None:
    profile = load_profile("contactless-3.0")
    slot.insert(profile)
    with slot.open() as card:
        channel = card.channel
        assert profile.bank is not None
        assert read_bank_card(channel).number.reveal() == profile.bank.number
        assert profile.transit is not None
        assert TransitPurse.select(channel).card.number.reveal() == profile.transit.number
        certificates = CertificateApplication.select(channel)
        certificates.verify_pin(Pin("975310"))
        assert certificates.certificate(CertificateUse.SIGNATURE).der
        card.enter("SSSE")
        card.authenticate(SoftwareSam.development(Random(3).randbytes))


# The functions of LD/T 33


class OnePin:
    def read_pin(self, prompt: PinPrompt) -> Pin:
        return Pin(PIN)


def test_the_functions_of_the_standard(inserted: Slot, psam: PsamCard) -> None:
    driver = Driver(Devices((inserted.reader,), Random(4).randbytes, always(psam), OnePin()))
    basic = driver.read_card_bas(3)
    fields = basic.out.split("|")
    assert basic.code == 0
    assert len(fields) == 12
    info = f"{fields[3]}|{fields[2]}|"
    assert driver.write_card(3, info, "DF01EF07|29|$", "DF01EF07|2|$").ok
    assert driver.read_card(3, 2, info, "DF01EF07|29|$").out == "DF01EF07|2|$"
    assert driver.do_debit(3, info, "1.00|0.50|20260310101500|").ok
    assert driver.read_debit_record(3).out.endswith("^20260310101500^1.00^0.50^|")
