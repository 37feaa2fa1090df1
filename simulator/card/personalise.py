"""Making a card from a profile: directories, files, keys, PIN and account, as an issuer does.

The files and their rules come from the one file map, `apdu.ssc.files`; nothing is listed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from apdu.crypto import Algorithm
from apdu.pin import Pin
from apdu.sam import DEVELOPMENT_KEY_VERSIONS
from apdu.ssc.files import DIRECTORIES, file_map
from apdu.ssc.filespec import NEVER, EfSpec, Structure
from apdu.ssc.keys import KeyName
from simulator.card import contents, transit_purse
from simulator.card.account import APPLICATION
from simulator.card.bank import BankData, Listed, bank_environment
from simulator.card.certificates import certificate_environment
from simulator.card.description import CardData, Condition
from simulator.card.fci import name_only, tlv, with_proprietary
from simulator.card.files import (
    CyclicFile,
    Directory,
    ElementaryFile,
    TransparentFile,
    VariableFile,
)
from simulator.card.keys import Keyring
from simulator.card.ledger import Balance, Ledger
from simulator.card.memory import Memory
from simulator.card.operating_system import OperatingSystem
from simulator.card.pin_store import PinStore
from simulator.card.profile import CardProfile, ProfileError
from simulator.card.select import MF

_ENVIRONMENT = "SSSE"
_LOG_FID = 0xEF08
_DIR_FILE_SFI = 0x1E


def personalise(profile: CardProfile, random: Callable[[int], bytes]) -> OperatingSystem:
    """The operating system of a card with this profile. Raises `ProfileError`."""
    card = profile.card
    memory = Memory()
    algorithm = Algorithm.SM4 if card.algorithm is Algorithm.SSF33 else card.algorithm
    environment = _environment(profile, memory)
    system = OperatingSystem(
        memory=memory,
        master_file=_master_file(profile, environment, memory),
        keys=Keyring(
            memory,
            _roots(profile),
            algorithm=algorithm,
            region=card.region,
            historical=card.historical,
            retries=card.key_retries,
            numbers=_own_numbers(profile),
        ),
        pin=_pin_store(profile, memory),
        ledger=_ledger(profile, environment, memory),
        algorithm=algorithm,
        random=random,
    )
    if profile.condition is Condition.CARD_BLOCKED:
        system.block()
    if profile.condition is Condition.APPLICATION_BLOCKED:
        environment.block()
    return system


def _environment(profile: CardProfile, memory: Memory) -> Directory:
    """SSSE with its files and the applications under it."""
    known = file_map(profile.card.version).values()
    _check_addresses(profile, {spec.address for spec in known})
    files = [spec for spec in known if spec.address not in profile.absent]
    directories: dict[str, Directory] = {}
    for df in DIRECTORIES.values():
        if any(spec.df == df.name for spec in files):
            own = df.name == _ENVIRONMENT
            fci = _environment_fci(profile.card, df.aid) if own else name_only(df.aid)
            directories[df.name] = Directory(df.name, df.fid, df.aid, fci, memory)
    for spec in files:
        directories[spec.df].add(_file(profile, spec, memory))
    environment = directories.pop(_ENVIRONMENT)
    environment.add(*directories.values())
    return environment


def _file(profile: CardProfile, spec: EfSpec, memory: Memory) -> ElementaryFile:
    if spec.address in profile.closed:
        spec = replace(spec, read=NEVER)
    if spec.structure is Structure.VARIABLE:
        records = contents.records(profile, spec)
        return VariableFile(spec.fid, spec.read, spec.write, memory, records, spec.total)
    if spec.structure is Structure.CYCLIC:
        rows = contents.rows(profile, spec)
        capacity = max(spec.min_records, len(rows))
        length = spec.record_length
        return CyclicFile(spec.fid, spec.read, spec.write, memory, rows, length, capacity)
    content = contents.plain(profile, spec)
    return TransparentFile(spec.fid, spec.read, spec.write, memory, content)


def _master_file(profile: CardProfile, environment: Directory, memory: Memory) -> Directory:
    """SSSE itself, or on a card with other applications the directory above them all (facts 2)."""
    others = _other_applications(profile, memory)
    bank = profile.bank or _plain_bank(profile.card)
    if bank is not None:
        listed = (Listed(transit_purse.AID, transit_purse.LABEL),) if profile.transit else ()
        master = bank_environment(bank, memory, listed)
    elif others:
        name = MF.to_bytes(2, "big")
        master = Directory("", MF, name, name_only(name), memory)
    else:
        return environment
    master.add(environment, *others)
    return master


def _plain_bank(card: CardData) -> BankData | None:
    """The bank's application of a profile that gives its number and nothing else."""
    if card.bank_card_number is None:
        return None
    return BankData(card.bank_card_number, directories=False)


def _other_applications(profile: CardProfile, memory: Memory) -> list[Directory]:
    others = []
    if profile.transit is not None:
        forged = profile.keys == "wrong"
        purse = transit_purse.transit_application(profile.transit, memory, forged=forged)
        others.append(purse)
    if profile.certificates is not None:
        others.append(certificate_environment(profile.certificates, memory))
    return others


def _environment_fci(card: CardData, name: bytes) -> bytes:
    """The FCI of SSSE: name, SFI of the DIR file, and on newer cards the algorithm (facts 2)."""
    objects = [tlv(0x88, bytes((_DIR_FILE_SFI,)))]
    if card.fci_names_algorithm:
        # Objects inside, though the tag 9F0C says that there are none.
        objects.append(tlv(0x9F0C, tlv(0x86, bytes((card.algorithm,)))))
    return with_proprietary(name, *objects)


def _roots(profile: CardProfile) -> Mapping[int, Mapping[KeyName, bytes]]:
    """The root keys by version, for as many versions as the card has."""
    own: Mapping[str, bytes] = profile.keys if isinstance(profile.keys, Mapping) else {}
    for text in own:
        if text not in KeyName.__members__:
            raise ProfileError(f"$.keys.{text}", "there is no key of this name")
    wrong = profile.keys == "wrong"
    return {
        version: {
            name: own.get(name.name, _inverted(root) if wrong else root)
            for name, root in roots.items()
        }
        for version, roots in DEVELOPMENT_KEY_VERSIONS.items()
        if version <= profile.card.key_versions
    }


def _own_numbers(profile: CardProfile) -> Mapping[KeyName, int]:
    """The numbers of keys that only this card's issuer tells."""
    number = profile.medical_account.starting_day_key
    return {} if number is None else {KeyName.DSK: int(number, 16)}


def _inverted(root: bytes) -> bytes:
    return bytes(byte ^ 0xFF for byte in root)


def _pin_store(profile: CardProfile, memory: Memory) -> PinStore:
    if profile.pin is None:
        return PinStore(memory, b"", 3, 3)
    with Pin(profile.pin.value) as pin:
        return PinStore(memory, pin.packed(), profile.pin.retries, profile.pin.tries_left)


def _ledger(profile: CardProfile, environment: Directory, memory: Memory) -> Ledger:
    medical = next(d for d in environment.children if d.label == APPLICATION)
    log = medical.files[_LOG_FID]
    assert isinstance(log, CyclicFile)  # noqa: S101  # the file map says so for every version
    start = bytes.fromhex(profile.medical_account.starting_day)
    fresh = Balance(0, 0, profile.medical_account.balance_fen, 0, 0, b"\x00\x00", start)
    return Ledger(memory, fresh, log, profile.card.algorithm)


def _check_addresses(profile: CardProfile, known: set[str]) -> None:
    for address in (*profile.files, *profile.closed, *profile.absent):
        if address not in known:
            raise ProfileError(f"$.files.{address}", "a card of this version has no such file")
