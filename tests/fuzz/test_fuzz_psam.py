"""Random commands into the simulated PSAM: no exception, only legal status words, no key told.

SSCT_FUZZ_COMMANDS sets how many commands each application gets.
"""

from __future__ import annotations

import os
from collections import deque
from random import Random

import pytest

from apdu.command import Command
from apdu.crypto import Algorithm
from apdu.psam_channel import ENVIRONMENTS
from apdu.sam import DEVELOPMENT_KEYS
from apdu.status import StatusWord
from simulator.psam import PsamProfile, SimulatedPsam
from simulator.psam_card.keys import make_keys

COUNT = int(os.environ.get("SSCT_FUZZ_COMMANDS", "1500"))
HEADERS = [
    (0x00, 0x84), (0x00, 0xA4), (0x00, 0xB0), (0x00, 0xC0), (0x80, 0x70), (0x80, 0x72),
    (0x80, 0xFA), (0xBF, 0xDE), (0xBF, 0xEC),
]  # fmt: skip
DIRECT = bytes.fromhex("00A4040006D15600000590")


def key_values(algorithm: Algorithm) -> set[bytes]:
    """What the PSAM must never tell: its keys, or a half of one."""
    keys = make_keys(DEVELOPMENT_KEYS, algorithm=algorithm, region="990100", levels=None)
    return {key.value[at : at + 8] for key in keys.values() for at in range(0, len(key.value), 8)}


def command(random: Random) -> bytes:
    """A well-formed command, mostly one that a PSAM knows, with a key that it has."""
    cla, ins = random.choice(HEADERS) if random.random() < 0.95 else tuple(random.randbytes(2))
    p1 = random.choice((0, 1, 2, 3, 4, 5, 7, 0x26, 0x47, 0x48, 0x67, 0x96, random.randrange(256)))
    p2 = random.choice((0, 8, 9, 0x0A, 0x12, 0x2E, random.randrange(256)))
    data = random.randbytes(random.choice((0, 4, 8, 16, 24, 32, 40, random.randrange(200))))
    le = random.choice((None, 256, 4, 8, 16, random.randint(1, 256)))
    return bytes(Command(cla, ins, p1, p2, data, le))


@pytest.mark.parametrize("algorithm", [Algorithm.DES, Algorithm.SM4], ids=lambda one: one.name)
def test_random_commands(algorithm: Algorithm) -> None:
    random = Random(algorithm.name)
    psam = SimulatedPsam(PsamProfile(), random=random.randbytes)
    psam.power_on()
    name = ENVIRONMENTS[algorithm]
    way_in = [b"\x00\xa4\x04\x00" + bytes((len(name),)) + name, bytes.fromhex("00A4000002DF01")]
    secrets = key_values(algorithm)
    recent: deque[str] = deque(maxlen=20)
    for _ in range(COUNT):
        if random.random() < 0.01:
            psam.power_on()
        for raw in way_in if random.random() < 0.05 else [command(random)]:
            recent.append(raw.hex())
            answer = psam.transmit(raw)
            sw = int.from_bytes(answer[-2:], "big")
            assert sw in {*StatusWord} or sw >> 8 in (0x61, 0x6C), recent
            told = {answer[at : at + 8] for at in range(len(answer) - 9)}
            assert not told & secrets, recent
    psam.power_on()
    assert psam.transmit(DIRECT)[-2:-1] in (b"\x90", b"\x61")
