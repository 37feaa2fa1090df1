"""A certificate authority for development: its own key, certificates for servers and terminals.

One directory holds it: `ca.crt` for everybody, `ca.key` for its owner only, and beside them the
server's pair. Keys are ECDSA on P-256, certificates follow RFC 5280. In the field this is the
city's own authority; nothing else of the back office changes.
"""

from __future__ import annotations

import base64
import ipaddress
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from backend_client.certificate_messages import TerminalCertificate
from backend_client.identity import new_key
from simulator.backoffice.days import local
from simulator.backoffice.errors import AuthorityUnusable, Refused
from simulator.backoffice.refusals import Refusal

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

CA_CERTIFICATE, CA_KEY = "ca.crt", "ca.key"
SERVER_CERTIFICATE, SERVER_KEY = "server.crt", "server.key"
CA_LIFETIME = timedelta(days=3650)
SERVER_LIFETIME = timedelta(days=397)
TERMINAL_LIFETIME = timedelta(days=90)
SKEW = timedelta(minutes=5)
"""A certificate holds from a little before it was made: clocks differ."""

_CURVE = "secp256r1"
_REMEDY = "run `ssct ca init`, then `ssct ca server`"


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority with its key. `now` is the machine's clock, since TLS knows no other."""

    certificate: x509.Certificate
    key: EllipticCurvePrivateKey = field(repr=False)
    random: Callable[[int], bytes] = field(repr=False)
    now: Callable[[], datetime] = field(repr=False)

    @classmethod
    def created(
        cls, directory: Path, random: Callable[[int], bytes], now: Callable[[], datetime]
    ) -> Authority:
        """A new authority in `directory`. Raises `AuthorityUnusable` where there is one."""
        from cryptography import x509

        key = new_key(random)
        name = _name("SSCT development CA")
        builder = _builder(name, name, key.public_key(), now(), CA_LIFETIME, random)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        builder = builder.add_extension(_usage(signs_certificates=True), True)
        certificate = _signed(builder, key)
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise AuthorityUnusable(f"cannot make {directory}: {error.strerror}") from None
        _write(directory / CA_KEY, _key_pem(key), secret=True)
        _write(directory / CA_CERTIFICATE, _pem(certificate))
        return cls(certificate, key, random, now)

    @classmethod
    def opened(
        cls, directory: Path, random: Callable[[int], bytes], now: Callable[[], datetime]
    ) -> Authority:
        """The authority in `directory`. Raises `AuthorityUnusable`."""
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

        try:
            if os.name == "posix" and (directory / CA_KEY).stat().st_mode & 0o077:
                raise AuthorityUnusable(f"other users can read {directory / CA_KEY}")
            certificate = x509.load_pem_x509_certificate((directory / CA_CERTIFICATE).read_bytes())
            pem = (directory / CA_KEY).read_bytes()
            key = serialization.load_pem_private_key(pem, password=None)
        except (OSError, ValueError) as error:
            told = f"no authority in {directory}: {type(error).__name__}; {_REMEDY}"
            raise AuthorityUnusable(told) from None
        if (
            not isinstance(key, EllipticCurvePrivateKey)
            or key.public_key() != certificate.public_key()
        ):
            raise AuthorityUnusable(f"key and certificate in {directory} are no pair")
        return cls(certificate, key, random, now)

    def certify_server(self, directory: Path, hosts: Sequence[str]) -> datetime:
        """Write a server's pair for these names and addresses; when it ends.

        A pair that is there is replaced. Raises `AuthorityUnusable`.
        """
        from cryptography import x509
        from cryptography.x509.oid import ExtendedKeyUsageOID

        key = new_key(self.random)
        builder = self._builder(_name(hosts[0]), key.public_key(), SERVER_LIFETIME)
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general_name(host) for host in hosts]), False
        )
        server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        certificate = _signed(builder.add_extension(server, False), self.key)
        _write(directory / SERVER_KEY, _key_pem(key), secret=True, replace=True)
        _write(directory / SERVER_CERTIFICATE, _pem(certificate), replace=True)
        return local(certificate.not_valid_after_utc)

    def certify_terminal(
        self, request: str, terminal_id: str, institution: str
    ) -> tuple[TerminalCertificate, bytes]:
        """The certificate that a terminal's PKCS #10 request asks for, and its fingerprint.

        Whatever else the request says is not believed. Raises `Refused`
        CERTIFICATE_REQUEST_INVALID.
        """
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.x509.oid import ExtendedKeyUsageOID

        key = _requested_key(request)
        builder = self._builder(_name(terminal_id, institution), key, TERMINAL_LIFETIME)
        uri = x509.UniformResourceIdentifier(f"urn:ssct:terminal:{terminal_id}")
        builder = builder.add_extension(x509.SubjectAlternativeName([uri]), False)
        client = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        certificate = _signed(builder.add_extension(client, False), self.key)
        answer = TerminalCertificate(
            _der(certificate),
            _der(self.certificate),
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
        )
        return answer, certificate.fingerprint(hashes.SHA256())

    def _builder(
        self, subject: x509.Name, key: object, lifetime: timedelta
    ) -> x509.CertificateBuilder:
        """What certificates of servers and terminals have in common."""
        from cryptography import x509

        builder = _builder(
            subject, self.certificate.subject, key, self.now(), lifetime, self.random
        )
        identifier = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier.value)
        builder = builder.add_extension(issuer, False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        return builder.add_extension(_usage(signs_certificates=False), True)


def ends_at(file: Path) -> datetime:
    """When the certificate (PEM) in `file` ends, in Shanghai time. Raises `AuthorityUnusable`."""
    from cryptography import x509

    try:
        return local(x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc)
    except (OSError, ValueError) as error:
        raise AuthorityUnusable(f"{file}: {type(error).__name__}") from None


def server_name(directory: Path) -> str:
    """The first of the names that the server's certificate is for. Raises `AuthorityUnusable`."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    file = directory / SERVER_CERTIFICATE
    try:
        subject = x509.load_pem_x509_certificate(file.read_bytes()).subject
        return str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    except (OSError, ValueError, IndexError) as error:
        raise AuthorityUnusable(f"{file}: {type(error).__name__}") from None


def fingerprint(certificate: bytes) -> bytes:
    """SHA-256 of a certificate in DER."""
    from hashlib import sha256

    return sha256(certificate).digest()


def _requested_key(request: str) -> object:
    """The key of a PKCS #10 request that proves to have it. Raises `Refused`."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    try:
        parsed = x509.load_der_x509_csr(base64.b64decode(request, validate=True))
        is_proved, key = parsed.is_signature_valid, parsed.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Refused(
            Refusal.CERTIFICATE_REQUEST_INVALID, detail="not a PKCS #10 request"
        ) from None
    if not isinstance(key, EllipticCurvePublicKey) or key.curve.name != _CURVE:
        raise Refused(Refusal.CERTIFICATE_REQUEST_INVALID, detail=f"the key is not on {_CURVE}")
    if not is_proved:
        raise Refused(Refusal.CERTIFICATE_REQUEST_INVALID, detail="the signature does not verify")
    return key


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: object,
    now: datetime,
    lifetime: timedelta,
    random: Callable[[int], bytes],
) -> x509.CertificateBuilder:
    from cryptography import x509

    serial = int.from_bytes(random(19), "big") + 1  # positive, at most 20 bytes (RFC 5280, 4.1.2.2)
    begin = (now - SKEW).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)  # type: ignore[arg-type]  # one of the key types that it takes
        .serial_number(serial)
        .not_valid_before(begin)
        .not_valid_after(begin + SKEW + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)  # type: ignore[arg-type]
    )


def _signed(builder: x509.CertificateBuilder, key: EllipticCurvePrivateKey) -> x509.Certificate:
    from cryptography.hazmat.primitives import hashes

    return builder.sign(key, hashes.SHA256())


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str, organisation: str | None = None) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if organisation is not None:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(parts)


def _general_name(host: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _der(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def _key_pem(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(file: Path, data: bytes, *, secret: bool = False, replace: bool = False) -> None:
    """Write a file, for its owner only if it is secret. Raises `AuthorityUnusable`."""
    try:
        if replace:
            file.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        handle = os.open(file, flags, 0o600 if secret else 0o644)
        with os.fdopen(handle, "wb") as out:
            out.write(data)
    except FileExistsError:
        raise AuthorityUnusable(f"{file} is there already") from None
    except OSError as error:
        raise AuthorityUnusable(f"cannot write {file}: {error.strerror}") from None
