"""The transport purse (T-Union) on the simulated card: what it is issued with (facts A2).

Its public files, its logs and its rail record; the money and its commands are in
`transit_money.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from apdu.crypto import Algorithm
from apdu.purse import purse_key
from apdu.ssc.filespec import FREE, NEVER
from apdu.transit_records import (
    JOURNEY_LENGTH,
    JOURNEY_ROWS,
    LOG_LENGTH,
    LOG_ROWS,
    RAIL_LENGTH,
    empty_rail,
)
from apdu.transit_sam import (
    DEVELOPMENT_LOAD_KEY,
    DEVELOPMENT_PURCHASE_KEY,
    DEVELOPMENT_TAC_KEY,
    PurseIdentity,
)
from simulator.card.fci import name_only, tlv, with_proprietary
from simulator.card.files import CyclicFile, Directory, TransparentFile
from simulator.card.memory import Memory
from simulator.card.transit_money import Purse, PurseKeys

AID = bytes.fromhex("A000000632010105")
LABEL = "MOT_T_EP"
_FID = 0x0004
_PUBLIC, _AREA = 0x0015, 0x0017
_AREA_SIZE = 60
_CHINA = "00000156"
_PERSONALISED, _FCI_DATA = b"\x02", b"\x00\x00"
_LOG, _RAIL, _JOURNEYS = 0x0018, 0x001A, 0x001E


@dataclass(frozen=True, slots=True)
class TransitData:
    """The purse: number (19 digits, 31 first), issuer and city codes, validity, money in fen.

    The defaults are Shanghai's. `fci_has_file`: SELECT answers with file 0015 inside. Whether the
    purses on Shanghai's cards compute with 3DES or SM4 is not published, so it is the profile's.
    """

    number: str = field(repr=False)
    valid_from: date
    valid_to: date
    issuer: str = "02002900FFFFFFFF"
    province: str = "3100"
    city: str = "2900"
    enabled: bool = True
    interoperable: bool = True
    balance_fen: int = field(default=0, repr=False)
    overdraft_limit_fen: int = 0
    overdraft_used_fen: int = field(default=0, repr=False)
    fci_has_file: bool = True
    algorithm: Algorithm = Algorithm.DES

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> TransitData:
        """The profile's `transit`."""
        dates = {name: date.fromisoformat(fields[name]) for name in ("valid_from", "valid_to")}
        algorithm = Algorithm[fields.get("algorithm", "DES")]
        return cls(**{**fields, **dates, "algorithm": algorithm})

    @property
    def identity(self) -> PurseIdentity:
        """What its keys are derived from."""
        return PurseIdentity(self.public_file[:8], self.public_file[12:20])

    @property
    def public_file(self) -> bytes:
        """File 0015, 30 bytes."""
        return b"".join(
            (
                bytes.fromhex(self.issuer),
                _PERSONALISED,
                bytes((self.enabled,)),
                bytes.fromhex("0" + self.number),
                bytes.fromhex(f"{self.valid_from:%Y%m%d}{self.valid_to:%Y%m%d}"),
                _FCI_DATA,
            )
        )

    @property
    def area_file(self) -> bytes:
        """File 0017, 60 bytes: country, province, city, interoperability, category."""
        kind = "0001" if self.interoperable else "0000"
        head = bytes.fromhex(_CHINA + self.province + self.city + kind + "00")
        return head.ljust(_AREA_SIZE, b"\x00")


def transit_application(data: TransitData, memory: Memory, *, forged: bool) -> Directory:
    """The purse's directory. A `forged` one has keys that no gate knows."""
    public = data.public_file
    fci = name_only(AID)
    if data.fci_has_file:
        fci = with_proprietary(AID, tlv(0x9F08, b"\x02"), tlv(0x9F0C, public))
    application = Directory("", _FID, AID, fci, memory)
    log = CyclicFile(_LOG, FREE, NEVER, memory, (), LOG_LENGTH, LOG_ROWS)
    journeys = CyclicFile(_JOURNEYS, FREE, NEVER, memory, (), JOURNEY_LENGTH, JOURNEY_ROWS)
    # One record that every composite purchase replaces: a ring with one place.
    rail = CyclicFile(_RAIL, FREE, NEVER, memory, (bytes(empty_rail()),), RAIL_LENGTH, 1)
    application.add(
        TransparentFile(_PUBLIC, FREE, NEVER, memory, public),
        TransparentFile(_AREA, FREE, NEVER, memory, data.area_file),
        log,
        journeys,
        rail,
    )
    purse = Purse(
        memory,
        _keys(data, forged=forged),
        log=log,
        balance_fen=data.balance_fen,
        overdraft_limit_fen=data.overdraft_limit_fen,
        overdraft_used_fen=data.overdraft_used_fen,
    )
    application.commands = purse.commands()
    return application


def _keys(data: TransitData, *, forged: bool) -> PurseKeys:
    def own(root: bytes) -> bytes:
        key = root if not forged else bytes(byte ^ 0xFF for byte in root)
        return purse_key(data.algorithm, key, data.identity.issuer, data.identity.serial)

    return PurseKeys(
        data.algorithm,
        purchase=own(DEVELOPMENT_PURCHASE_KEY),
        load=own(DEVELOPMENT_LOAD_KEY),
        tac=own(DEVELOPMENT_TAC_KEY),
    )
