"""A simulated PSAM: the security module's card, with its own key tree and counters (facts 4.5).

It stands in the terminal's second slot. Its keys descend from the same development root keys as
those of the simulated cards, at whatever level it was issued for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from apdu.crypto import Algorithm
from apdu.psam_channel import APPLICATION, APPLICATION_FID, ENVIRONMENTS, MASTER_FILE
from apdu.psam_keys import KeyLevel, KeyUse
from apdu.sam import DEVELOPMENT_KEYS
from apdu.ssc.filespec import FREE, NEVER
from apdu.ssc.keys import KeyName
from simulator.card.files import Directory, TransparentFile
from simulator.card.memory import Memory
from simulator.psam_card.chip import PsamChip
from simulator.psam_card.keys import make_keys
from simulator.psam_card.operating_system import Application, PsamSystem

ATR = bytes.fromhex("3B6D00000081544C0086849901000000A0")

# Only the second one has been seen (facts 2); the DES environment is the master file itself.
_ENVIRONMENT_FIDS = {Algorithm.SSF33: 0xDDF1, Algorithm.SM4: 0xDDF2}
_TERM = bytes.fromhex("20200101 20401231")
_PURCHASE_KEY_INDEX = 1


@dataclass(frozen=True, slots=True)
class PsamProfile:
    """What a PSAM is issued with.

    `terminal_number` has 12 digits, `serial` 20, `region` 6. `algorithms` are its environments;
    SM4 computes in the place of SSF33, as in the simulated card. `levels` says how far its keys
    are above a card's: 3 national, 2 provincial, 1 city, None as in the national table.
    `message_use` is the use of the message keys. `counter` is the next number of a purchase.
    `key_version` is what it says the version of its keys is; None leaves the files out.
    With `wants_province` it refuses keys before INITIALIZE ENVIRONMENT; without `environments` it
    is an old one that knows the DES application by its name alone.
    """

    terminal_number: str = "990100000001"
    serial: str = "99010020260101000001"
    region: str = "990100"
    algorithms: frozenset[Algorithm] = frozenset({Algorithm.DES, Algorithm.SM4})
    roots: Mapping[KeyName, bytes] = field(default_factory=lambda: DEVELOPMENT_KEYS, repr=False)
    levels: int | None = None
    message_use: int = KeyUse.MAC_AND_ENCRYPT
    counter: int = 1
    key_version: int | None = 1
    wants_province: bool = False
    environments: bool = True


class SimulatedPsam(PsamChip):
    """A PSAM in software; implements `apdu.readers.inprocess.Chip`.

    `random` gives its challenges.
    """

    def __init__(self, profile: PsamProfile, *, random: Callable[[int], bytes]) -> None:
        super().__init__(_issue(profile, random), ATR)


def _issue(profile: PsamProfile, random: Callable[[int], bytes]) -> PsamSystem:
    """The operating system of a PSAM with this profile: directories, files, keys."""
    memory = Memory()
    has_des = Algorithm.DES in profile.algorithms
    name = ENVIRONMENTS[Algorithm.DES] if has_des and profile.environments else b""
    master_file = _directory("", MASTER_FILE, name, memory)
    serial = bytes.fromhex(profile.serial)
    master_file.add(
        _file(0x0015, b"\x43" + serial + b"\x22\x44\x00\x00", memory),
        _file(0x0016, bytes.fromhex(profile.terminal_number), memory),
    )
    applications = {}
    for algorithm in sorted(profile.algorithms):
        environment = master_file
        if algorithm is not Algorithm.DES:
            fid = _ENVIRONMENT_FIDS[algorithm]
            environment = _directory("", fid, ENVIRONMENTS[algorithm], memory)
            master_file.add(environment)
        counter = _file(0x0019, profile.counter.to_bytes(4, "big"), memory)
        directory = _directory(algorithm.name, APPLICATION_FID, APPLICATION, memory)
        directory.add(counter)
        if profile.key_version is not None:
            validity = bytes((_PURCHASE_KEY_INDEX, profile.key_version)) + _TERM
            directory.add(*(_file(level, validity, memory) for level in KeyLevel))
        environment.add(directory)
        applications[algorithm.name] = _application(profile, algorithm, counter)
    return PsamSystem(
        memory=memory,
        master_file=master_file,
        applications=applications,
        terminal_number=bytes.fromhex(profile.terminal_number),
        wants_province=profile.wants_province,
        random=random,
    )


def _application(
    profile: PsamProfile, algorithm: Algorithm, counter: TransparentFile
) -> Application:
    engine = Algorithm.SM4 if algorithm is Algorithm.SSF33 else algorithm
    keys = make_keys(
        profile.roots,
        algorithm=engine,
        region=profile.region,
        levels=profile.levels,
        message_use=profile.message_use,
    )
    return Application(algorithm, engine, keys, counter)


def _directory(label: str, fid: int, name: bytes, memory: Memory) -> Directory:
    fci = b"\x6f" + bytes((len(name) + 2,)) + b"\x84" + bytes((len(name),)) + name
    return Directory(label, fid, name, fci, memory)


def _file(fid: int, content: bytes, memory: Memory) -> TransparentFile:
    return TransparentFile(fid, FREE, NEVER, memory, content)
