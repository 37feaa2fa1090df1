"""Random commands into the simulated card: no exception, only legal status words, no secrets.

SSCT_FUZZ_COMMANDS sets how many commands each application gets (100 000 for a long run). A
failure shows the last commands; the seed is the test's own name, so it comes again.
"""

import os
from collections import deque
from dataclasses import replace
from random import Random

import pytest

from apdu.command import Command
from apdu.sam import CardIdentity, SoftwareSam
from apdu.ssc.keys import KeyName
from apdu.status import StatusWord
from simulator.card.card import Protocol, SimulatedCard
from simulator.card.operating_system import COMMANDS
from simulator.card.profile import CardProfile, load_profile

COUNT = int(os.environ.get("SSCT_FUZZ_COMMANDS", "1500"))
SELECT_SSSE = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
SECRET = b"known to nobody without a key"
APPLICATIONS = ("SSSE", "DF01", "DF02", "DF03", "DF04", "DF05", "DF06", "DF07")
EVERY_APPLICATION = pytest.mark.parametrize("application", APPLICATIONS)
EVERY_PROTOCOL = pytest.mark.parametrize("protocol", ["T0", "T1", "TCL"])
EVERY_VERSION = pytest.mark.parametrize("name", ["adult-1.0", "adult-2.0", "adult-3.0"])
LEGAL = {int(word) for word in StatusWord}
HEADERS = [*COMMANDS, (0x00, 0xC0)]
FILES: list[int] = [*range(0xEF05, 0xEF0B), *range(0xEF15, 0xEF1B), 0x3F00, 0xDDF1, 0x0002]


def is_legal(sw: int) -> bool:
    """A status word of facts 5.2."""
    return sw in LEGAL or sw >> 8 in (0x61, 0x6C) or 0x63C0 <= sw <= 0x63CF


def command(random: Random) -> bytes:
    """A well-formed command that a card may meet: mostly of its own instructions."""
    if random.random() < 0.15:
        fid = random.choice(FILES)
        return bytes((0, 0xA4, random.choice((0, 2)), 0, 2)) + fid.to_bytes(2, "big")
    cla, ins = random.choice(HEADERS)
    if random.random() < 0.05:
        cla, ins = random.randbytes(2)
    p1 = random.choice((0, 1, 2, random.randrange(256)))
    p2 = random.choice((0, 1, 4, 5, 0x28, 0x2C, 0x30, 0x34, random.randrange(256)))
    data = _data(random)
    le = random.choice((None, 256, 4, 8, 16, random.randint(1, 256), random.randint(1, 65536)))
    return bytes(Command(cla, ins, p1, p2, data, le, extended=random.random() < 0.02))


def _data(random: Random) -> bytes:
    size = random.choice((0, 0, 2, 3, 4, 11, 15, 16, 17, 19, random.randrange(256)))
    data = bytearray(random.randbytes(size))
    if size > 2 and random.random() < 0.5:  # a record
        data[0], data[1] = random.choice((1, 5, 0x20, 0x40)), size - 2
    return bytes(data)


def enter(card: SimulatedCard, application: str) -> None:
    card.transmit(SELECT_SSSE)
    if application != "SSSE":
        card.transmit(bytes.fromhex(f"00A4000002{application}"))


def entitle(card: SimulatedCard, profile: CardProfile, application: str, random: Random) -> None:
    """VERIFY, and EXTERNAL AUTHENTICATE with some key of the application."""
    assert profile.pin is not None
    card.transmit(bytes.fromhex("0020000003" + profile.pin.value))
    keys = [key for key in KeyName if key.spec.df == application and key.card_id]
    if keys:
        key, chip = random.choice(keys), profile.card
        challenge = card.transmit(bytes.fromhex("0084000008"))[:8]
        identity = CardIdentity(chip.algorithm, chip.card_id, chip.historical)
        sam = SoftwareSam.development(random.randbytes)
        data = sam.terminal_authentication(identity, key, challenge, bytes(8))
        card.transmit(bytes((0, 0x82, 0, key.card_id or 0, 16)) + data)


def check(card: SimulatedCard, raw: bytes, recent: deque[str]) -> bytes:
    """Send `raw`; the answer ends in a legal status word, whatever came before."""
    recent.append(raw.hex())
    answer = card.transmit(raw)
    assert len(answer) >= 2, recent
    assert is_legal(int.from_bytes(answer[-2:], "big")), (answer[-2:].hex(), recent)
    return answer


@EVERY_PROTOCOL
@EVERY_APPLICATION
@EVERY_VERSION
def test_random_commands_of_a_stranger(name: str, application: str, protocol: Protocol) -> None:
    files = {"DF01EF05": {"21": SECRET.decode()}}  # opens by PIN or key
    profile = replace(load_profile(name), files=files)
    random = Random(f"{name} {application} {protocol}")
    card = SimulatedCard(profile, random=random.randbytes, protocol=protocol)
    recent: deque[str] = deque(maxlen=20)
    card.power_on()
    for _ in range(COUNT):
        if random.random() < 0.02:
            card.power_on()
        if random.random() < 0.1:
            enter(card, application)
        assert SECRET not in check(card, command(random), recent), recent
    card.power_on()
    assert card.transmit(SELECT_SSSE)[-2:-1] in (b"\x90", b"\x61")


@EVERY_APPLICATION
@EVERY_VERSION
def test_random_commands_of_one_who_holds_the_keys(name: str, application: str) -> None:
    profile = load_profile(name)
    random = Random(f"{name} {application} entitled")
    recent: deque[str] = deque(maxlen=20)
    for at in range(COUNT):
        if at % 500 == 0:  # PIN and keys lock in time: take another card
            card = SimulatedCard(profile, random=random.randbytes, protocol="TCL")
            card.power_on()
        if at % 10 == 0:
            enter(card, application)
            entitle(card, profile, application, random)
        check(card, command(random), recent)


@EVERY_PROTOCOL
def test_random_bytes(protocol: Protocol) -> None:
    random = Random(f"bytes {protocol}")
    card = SimulatedCard(load_profile("adult-3.0"), random=random.randbytes, protocol=protocol)
    recent: deque[str] = deque(maxlen=20)
    card.power_on()
    for _ in range(COUNT):
        size = random.choice((0, 1, 3, 4, 5, 6, 7, 8, random.randrange(300)))
        check(card, random.randbytes(size), recent)
