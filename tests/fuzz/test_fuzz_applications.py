"""Random commands into the applications beside social security: bank, purse, certificates.

No exception, only legal status words, nothing of the other applications within reach.
SSCT_FUZZ_COMMANDS sets how many commands each application gets.
"""

from __future__ import annotations

import os
from collections import deque
from random import Random

import pytest

from apdu.command import Command
from apdu.status import StatusWord
from simulator.card.card import Protocol, SimulatedCard
from simulator.card.profile import load_profile

COUNT = int(os.environ.get("SSCT_FUZZ_COMMANDS", "1500"))
PROFILE = load_profile("contactless-3.0")
APPLICATIONS = {
    "PSE": "00A404000E315041592E5359532E4444463031",
    "PPSE": "00A404000E325041592E5359532E4444463031",
    "bank": "00A4040008A000000333010101",
    "purse": "00A4040008A000000632010105",
    "PKI": "00A404000C504B492EC9E7BBE1B1A3D5CF",
    "certificates": "00A404000C53532E434552542E41444631",
}
HEADERS = [
    (0x00, 0x20), (0x00, 0x84), (0x00, 0x88), (0x00, 0xB0), (0x00, 0xB2), (0x00, 0xC0),
    (0x00, 0xD6), (0x00, 0xDC), (0x80, 0x50), (0x80, 0x5C), (0x80, 0xA8), (0x80, 0xC4),
    (0xB0, 0x26), (0xB0, 0x2C),
]  # fmt: skip
FILES = (0x0001, 0x0002, 0x0012, 0x0015, 0x0017, 0x0018, 0x0019)
STARTS = (b"", b"\x83\x21", b"\xc1\x03", b"\xc1\x10")
SECRETS = (PROFILE.holder.ssn.encode(), PROFILE.holder.name.encode("gbk")[:10])


def command(random: Random) -> bytes:
    """A well-formed command, mostly one that an application of these knows."""
    if random.random() < 0.15:
        return bytes((0, 0xA4, 0, 0, 2)) + random.choice(FILES).to_bytes(2, "big")
    cla, ins = random.choice(HEADERS)
    p1 = random.choice((0, 1, 2, 3, 0x95, 0x97, random.randrange(256)))
    p2 = random.choice((0, 2, 4, 0x0C, 0x14, 0x1C, 0x81, random.randrange(256)))
    data = random.choice(STARTS)
    data += random.randbytes(random.choice((0, 0, 3, 16, 33, random.randrange(200))))
    le = random.choice((None, 256, 4, 8, 16, random.randint(1, 256)))
    return bytes(Command(cla, ins, p1, p2, data, le))


@pytest.mark.parametrize("protocol", ["T0", "T1", "TCL"])
@pytest.mark.parametrize("application", APPLICATIONS)
def test_random_commands(application: str, protocol: Protocol) -> None:
    random = Random(f"{application} {protocol}")
    card = SimulatedCard(PROFILE, random=random.randbytes, protocol=protocol)
    card.power_on()
    select = bytes.fromhex(APPLICATIONS[application])
    recent: deque[str] = deque(maxlen=20)
    for _ in range(COUNT):
        if random.random() < 0.02:
            card.power_on()
        raw = select if random.random() < 0.1 else command(random)
        recent.append(raw.hex())
        answer = card.transmit(raw)
        sw = int.from_bytes(answer[-2:], "big")
        assert sw in {*StatusWord} or sw >> 8 in (0x61, 0x6C) or sw >> 4 == 0x63C, recent
        assert not any(secret in answer for secret in SECRETS), recent
    card.power_on()
    assert card.transmit(select)[-2:-1] in (b"\x90", b"\x61")
