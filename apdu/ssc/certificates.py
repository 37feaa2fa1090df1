"""The certificate application of 3.0 cards, `PKI.社会保障` (facts 4.7).

It stands beside the social security environment and has a PIN of its own, which never crosses the
line: its SM3 hash gives an SM4 key that enciphers the card's challenge. Certificates and public
keys are read; the private keys stay in the card.

Selecting this application leaves the one before: what the terminal's keys had opened there is
closed again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar

from cryptography.hazmat.primitives.hashes import SM3, Hash

from apdu.channel import SELECT, VERIFY, CardChannel
from apdu.command import Command
from apdu.crypto import Algorithm, encrypt_blocks
from apdu.pin import Pin
from apdu.status import (
    CardError,
    MalformedData,
    PinBlocked,
    PinWrong,
    StatusError,
    StatusWord,
    tries_left,
)

ENVIRONMENT = "PKI.社会保障".encode("gbk")
APPLICATION = b"SS.CERT.ADF1"
APPLICATION_FID = 0xDF01

PIN_KEY_LENGTH = 16
USER_PIN = 0x81
ADMIN_PIN = 0x00
PIN_SCHEME = 0x01
"""P1 of this application's VERIFY: the PIN's key enciphers a challenge."""

LONGEST_CERTIFICATE = 4096
_CHUNK = 0xF0
_KEY_HEADER, _COORDINATE = 2, 32
_DER_SEQUENCE = 0x30
_SHORT_CHALLENGE, _CHALLENGE = 8, 16


class CertificateUse(Enum):
    """The card's two key pairs: file of the certificate, file of the public key."""

    SIGNATURE = (0x0018, 0x0012)
    ENCRYPTION = (0x0019, 0x0014)

    @property
    def certificate_fid(self) -> int:
        """The file that holds the certificate."""
        fid: int = self.value[0]
        return fid

    @property
    def key_fid(self) -> int:
        """The file that holds the public key."""
        fid: int = self.value[1]
        return fid


class NoCertificates(CardError):
    """The card has no certificate application, or holds no certificate of this use."""

    code: ClassVar[str] = "CARD_NO_CERTIFICATE"
    zh: ClassVar[str] = "卡内没有数字证书。"
    en: ClassVar[str] = "There is no digital certificate on the card."
    remedy: ClassVar[str] = "Cards before 3.0 have none, and on later ones it may not be issued."


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A point of the SM2 curve, as its two coordinates of 32 bytes.

    Whether it lies on the curve is for the program to check that computes with it.
    """

    x: bytes
    y: bytes


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate as the card holds it: DER, without the filler behind. Not verified here."""

    use: CertificateUse
    der: bytes = field(repr=False)


class CertificateApplication:
    """The selected certificate application of a card.

    Every method raises `StatusError` for what the card objects to, `MalformedData` or
    `MalformedApdu` for garbage, and the errors of the line.
    """

    def __init__(self, channel: CardChannel) -> None:
        self._channel = channel

    @classmethod
    def select(cls, channel: CardChannel) -> CertificateApplication:
        """Select it. Raises `NoCertificates` or `ApplicationLocked`."""
        try:
            channel.select_name(ENVIRONMENT, fci=False)
        except StatusError as error:
            raise NoCertificates("there is no certificate environment") from error
        try:
            channel.select_name(APPLICATION, fci=False)
        except StatusError as error:
            if error.sw != StatusWord.FILE_NOT_FOUND:
                raise
            channel.select_name(ENVIRONMENT, fci=False)
            channel.select_fid(APPLICATION_FID)
        return cls(channel)

    def verify_pin(self, pin: Pin) -> None:
        """Present the holder's certificate PIN. Raises `PinWrong` or `PinBlocked`."""
        self._verify(USER_PIN, pin)

    def verify_admin_pin(self, pin: Pin) -> None:
        """Present the administrator's PIN. Raises `PinWrong` or `PinBlocked`."""
        self._verify(ADMIN_PIN, pin)

    def certificate(self, use: CertificateUse) -> Certificate:
        """The certificate of this use. Raises `NoCertificates` when its file is empty."""
        fid = use.certificate_fid
        self._open(fid)
        start = self._channel.read_binary(0, _CHUNK)
        length = _der_length(start)
        if length is None:
            raise NoCertificates(f"file {fid:04X} is empty")
        content = start
        while len(content) < length:
            chunk = self._channel.read_binary(len(content), min(_CHUNK, length - len(content)))
            if not chunk:
                raise MalformedData(f"file {fid:04X} ends before its certificate")
            content += chunk
        return Certificate(use, content[:length])

    def public_key(self, use: CertificateUse) -> PublicKey:
        """The public key of this use. Raises `NoCertificates` when there is none."""
        fid = use.key_fid
        self._open(fid)
        size = _KEY_HEADER + 2 * _COORDINATE
        content = self._channel.read_binary(0, size)
        if len(content) != size:
            raise MalformedData(f"file {fid:04X} holds {len(content)} bytes of {size}")
        point = content[_KEY_HEADER:]
        if point in (bytes(len(point)), b"\xff" * len(point)):
            raise NoCertificates(f"file {fid:04X} is empty")
        return PublicKey(point[:_COORDINATE], point[_COORDINATE:])

    def _open(self, fid: int) -> None:
        """Select a file of this application, whose file identifiers are not those of EFs."""
        command = Command(0, SELECT, 0, 0, fid.to_bytes(2, "big"))
        try:
            self._channel.call(command, f"SELECT {fid:04X}")
        except StatusError as error:
            if error.sw == StatusWord.FILE_NOT_FOUND:
                raise NoCertificates(f"there is no file {fid:04X}") from error
            raise

    def _verify(self, reference: int, pin: Pin) -> None:
        answer = pin_cryptogram(pin.packed(), self._challenge())
        sw = self._channel.send(
            Command(0, VERIFY, PIN_SCHEME, reference, answer), "VERIFY certificate PIN"
        ).sw
        left = tries_left(sw)
        if sw == StatusWord.AUTHENTICATION_BLOCKED or left == 0:
            raise PinBlocked(f"certificate PIN: {sw:04X}")
        if left is not None:
            raise PinWrong(left)
        if sw != StatusWord.OK:
            raise StatusError(sw, "VERIFY certificate PIN")

    def _challenge(self) -> bytes:
        """Sixteen bytes, or eight from a card that gives no more."""
        try:
            return self._channel.get_challenge(_CHALLENGE)
        except StatusError as error:
            if error.sw not in (StatusWord.WRONG_LENGTH, StatusWord.WRONG_P1_P2):
                raise
            return self._channel.get_challenge(_SHORT_CHALLENGE)


def pin_key(packed: bytes) -> bytes:
    """The SM4 key of a PIN in BCD: the first half of its SM3 hash."""
    return sm3(packed)[:PIN_KEY_LENGTH]


def pin_cryptogram(packed: bytes, challenge: bytes) -> bytes:
    """What VERIFY carries: the challenge, filled with 00, enciphered with the PIN's key."""
    return challenge_cryptogram(pin_key(packed), challenge)


def challenge_cryptogram(key: bytes, challenge: bytes) -> bytes:
    """`challenge` (8 bytes are filled with 00, or 16) enciphered with an SM4 key."""
    return encrypt_blocks(Algorithm.SM4, key, challenge.ljust(_CHALLENGE, b"\x00"))


def sm3(data: bytes) -> bytes:
    """The SM3 hash of `data`, 32 bytes (GB/T 32905)."""
    digest = Hash(SM3())
    digest.update(data)
    return digest.finalize()


def _der_length(start: bytes) -> int | None:
    """The length of the certificate that a file starts with; None for a file never written.

    Raises `MalformedData` for anything but a DER sequence of a bounded length.
    """
    if not start.strip(b"\xff") or not start.strip(b"\x00"):
        return None
    if len(start) < 4 or start[0] != _DER_SEQUENCE or start[1] not in (0x81, 0x82):
        raise MalformedData("a certificate that is no DER sequence")
    size = start[1] & 0x7F
    length = 2 + size + int.from_bytes(start[2 : 2 + size], "big")
    if length > LONGEST_CERTIFICATE:
        raise MalformedData(f"a certificate of {length} bytes")
    return length
