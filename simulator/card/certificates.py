"""The certificate application `PKI.社会保障` on the simulated card (facts 4.7).

Certificates and public keys lie in files that anybody may read; nobody may write them here. The
PIN is known to the card as an SM4 key only, and has its own retry counter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from apdu.pin import Pin
from apdu.ssc.certificates import (
    ADMIN_PIN,
    APPLICATION,
    APPLICATION_FID,
    ENVIRONMENT,
    PIN_SCHEME,
    USER_PIN,
    CertificateUse,
    challenge_cryptogram,
    pin_key,
    sm3,
)
from apdu.ssc.filespec import FREE, NEVER
from apdu.status import StatusWord
from simulator.card.counter import RetryCounter
from simulator.card.fci import name_only
from simulator.card.files import Directory, TransparentFile
from simulator.card.instruction import Instruction
from simulator.card.memory import Memory
from simulator.card.refusal import Refused, tries_left, wrong_length, wrong_parameters

if TYPE_CHECKING:
    from simulator.card.operating_system import OperatingSystem

CERTIFICATE_FILE_SIZE = 1020
_KEY_HEADER = b"\x00\x40"
_KEY_SIZE = 64
_CRYPTOGRAM_LENGTH = 16
_HASH_TAG = 0xC1
_HASH = (0x01, 0x03)
_ENVIRONMENT_FID = 0xDDF2


@dataclass(frozen=True, slots=True)
class CertificateData:
    """What the application holds: PINs, and by use the certificate (DER) and the public key.

    An empty certificate or key is one that was never issued.
    """

    pin: str = field(default="123456", repr=False)
    admin_pin: str = field(default="12345678", repr=False)
    retries: int = 3
    certificates: Mapping[CertificateUse, bytes] = field(default_factory=dict, repr=False)
    public_keys: Mapping[CertificateUse, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> CertificateData:
        """The profile's `certificates`."""
        pairs = {use: fields.get(use.name.lower(), {}) for use in CertificateUse}
        return cls(
            pin=fields.get("pin", "123456"),
            admin_pin=fields.get("admin_pin", "12345678"),
            retries=fields.get("retries", 3),
            certificates={
                use: bytes.fromhex(pair.get("certificate", "")) for use, pair in pairs.items()
            },
            public_keys={
                use: bytes.fromhex(pair.get("public_key", "")) for use, pair in pairs.items()
            },
        )


class CertificatePins:
    """The application's two PINs, and the commands that take them."""

    def __init__(self, data: CertificateData, memory: Memory) -> None:
        self._pins = {
            reference: (_key(digits), RetryCounter(memory, data.retries, data.retries))
            for reference, digits in ((USER_PIN, data.pin), (ADMIN_PIN, data.admin_pin))
        }

    def verify(self, system: OperatingSystem, instruction: Instruction) -> bytes:
        """00 20 01: the last challenge, enciphered with the PIN's key."""
        known = self._pins.get(instruction.p2)
        if instruction.p1 != PIN_SCHEME or known is None:
            raise wrong_parameters()
        if len(instruction.data) != _CRYPTOGRAM_LENGTH:
            raise wrong_length()
        key, tries = known
        if not tries.left:
            raise Refused(StatusWord.AUTHENTICATION_BLOCKED)
        right = challenge_cryptogram(key, system.take_challenge())
        tries.spend()
        if not compare_digest(right, instruction.data):
            raise tries_left(tries.left)
        tries.restore()
        return b""


def hash_data(_system: OperatingSystem, instruction: Instruction) -> bytes:
    """80 C4 01 03: the SM3 hash of what tag C1 holds. A terminal had better compute it itself."""
    data = instruction.data
    if (instruction.p1, instruction.p2) != _HASH:
        raise wrong_parameters()
    if len(data) < 2 or data[0] != _HASH_TAG or len(data) != 2 + data[1]:
        raise Refused(StatusWord.WRONG_DATA)
    return sm3(data[2:])


def certificate_environment(data: CertificateData, memory: Memory) -> Directory:
    """The environment with its one application and the files in it."""
    pins = CertificatePins(data, memory)
    application = Directory("", APPLICATION_FID, APPLICATION, name_only(APPLICATION), memory)
    application.commands = {(0x00, 0x20): pins.verify, (0x80, 0xC4): hash_data}
    for use in CertificateUse:
        certificate = data.certificates.get(use, b"").ljust(CERTIFICATE_FILE_SIZE, b"\xff")
        key = data.public_keys.get(use, b"") or b"\xff" * _KEY_SIZE
        application.add(
            TransparentFile(use.certificate_fid, FREE, NEVER, memory, certificate),
            TransparentFile(use.key_fid, FREE, NEVER, memory, _KEY_HEADER + key),
        )
    environment = Directory("", _ENVIRONMENT_FID, ENVIRONMENT, name_only(ENVIRONMENT), memory)
    environment.add(application)
    return environment


def _key(digits: str) -> bytes:
    with Pin(digits) as pin:
        return pin_key(pin.packed())
