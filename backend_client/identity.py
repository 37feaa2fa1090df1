"""Who the terminal is on the line: its key, its certificate, and TLS that shows both.

The key is made on the terminal (ECDSA on P-256) and never leaves it: the back office sees a
PKCS #10 request only. Whoever keeps a `TlsIdentity` keeps it sealed. The certificate is renewed
when a third of its time is left.
"""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend_client.certificate_messages import TerminalCertificate
from backend_client.codec import decode, encode
from backend_client.errors import BadAddress, BadCertificate
from backend_client.signing import signed_bytes

if TYPE_CHECKING:
    import ssl

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of P-256 (SP 800-186, 3.2.1.3)."""

_NAME = "ssct terminal"


def new_key(random: Callable[[int], bytes]) -> EllipticCurvePrivateKey:
    """A new key; `random(n)` gives n unpredictable bytes (FIPS 186-5, A.2.1)."""
    from cryptography.hazmat.primitives.asymmetric import ec

    secret = int.from_bytes(random(40), "big") % (_ORDER - 1) + 1
    return ec.derive_private_key(secret, ec.SECP256R1())


def certificate_request(key: EllipticCurvePrivateKey) -> str:
    """A PKCS #10 request for `key`, DER in Base64. The back office gives the name."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    request = builder.sign(key, hashes.SHA256())
    return base64.b64encode(request.public_bytes(serialization.Encoding.DER)).decode()


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """A key with its certificate. Make one with `received` or `restored`."""

    key: EllipticCurvePrivateKey = field(repr=False)
    certificate: TerminalCertificate

    @classmethod
    def received(cls, key: EllipticCurvePrivateKey, answer: TerminalCertificate) -> TlsIdentity:
        """What the back office issued for `key`. Raises `BadCertificate`."""
        from cryptography import x509
        from cryptography.exceptions import InvalidSignature

        try:
            certificate = x509.load_der_x509_certificate(_der(answer.certificate))
            issuer = x509.load_der_x509_certificate(_der(answer.issuer))
            certificate.verify_directly_issued_by(issuer)
            is_ours = certificate.public_key() == key.public_key()
            span = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        except (ValueError, TypeError, InvalidSignature) as error:
            raise BadCertificate(
                f"not a certificate of its issuer: {type(error).__name__}"
            ) from None
        if not is_ours:
            raise BadCertificate("the certificate is for another key")
        if span != (answer.not_before, answer.not_after):
            raise BadCertificate("the certificate holds for another time than the answer says")
        return cls(key, answer)

    @classmethod
    def restored(cls, kept: dict[str, Any]) -> TlsIdentity:
        """What `kept` gave to be kept. Raises `BadCertificate` or `BadMessage`."""
        from cryptography.hazmat.primitives.asymmetric import ec

        answer = decode(TerminalCertificate, kept["certificate"])
        key = ec.derive_private_key(int(kept["key"], 16), ec.SECP256R1())
        return cls.received(key, answer)

    def kept(self) -> dict[str, Any]:
        """The key and the certificate as JSON, to be kept sealed."""
        secret = self.key.private_numbers().private_value
        return {"key": f"{secret:064x}", "certificate": encode(self.certificate)}

    def sign(self, kind: str, data: bytes) -> bytes:
        """ECDSA with SHA-256 over `data` as a document of that kind (`signing.py`), DER."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        return self.key.sign(signed_bytes(kind, data), ECDSA(SHA256()))

    def verify(
        self, kind: str, data: bytes, signature: bytes, certificate: str, *, at: datetime
    ) -> tuple[str, str]:
        """Which terminal of which institution has signed `data` as a document of that kind.

        Its certificate (DER in Base64) must be of the issuer of ours, and have held at that
        instant. Raises `BadCertificate`.
        """
        from cryptography import x509
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.x509.oid import NameOID

        try:
            shown = x509.load_der_x509_certificate(_der(certificate))
            shown.verify_directly_issued_by(
                x509.load_der_x509_certificate(_der(self.certificate.issuer))
            )
            key = shown.public_key()
            if not isinstance(key, EllipticCurvePublicKey):
                raise BadCertificate("the signer's key is on no curve")
            key.verify(signature, signed_bytes(kind, data), ECDSA(SHA256()))
            names = [
                str(shown.subject.get_attributes_for_oid(oid)[0].value)
                for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
            ]
        except (ValueError, TypeError, IndexError, InvalidSignature) as error:
            raise BadCertificate(f"not signed by a terminal: {type(error).__name__}") from None
        if not shown.not_valid_before_utc <= at < shown.not_valid_after_utc:
            raise BadCertificate("the signer's certificate did not hold then")
        return names[0], names[1]

    def is_valid(self, now: datetime) -> bool:
        """Whether the certificate holds at that instant."""
        return self.certificate.not_before <= now < self.certificate.not_after

    def is_renewal_due(self, now: datetime) -> bool:
        """Whether two thirds of the certificate's time have passed."""
        span = self.certificate.not_after - self.certificate.not_before
        return now >= self.certificate.not_before + span * 2 / 3


def tls_context(
    ca_file: Path | None,
    identity: TlsIdentity | None = None,
    *,
    directory: Path | None = None,
    random: Callable[[int], bytes] = os.urandom,
) -> ssl.SSLContext:
    """TLS that trusts the CAs in `ca_file` (None: the public ones) and shows `identity`.

    `ssl` takes keys from files only: for a moment there is one in `directory`, for its owner only,
    enciphered under a password that nobody keeps. Raises `BadAddress` for an unusable `ca_file`.
    """
    import ssl

    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise BadAddress(f"no certificates in {ca_file}: {type(error).__name__}") from None
    if identity is not None:
        _show(context, identity, directory, random(32).hex().encode())
    return context


def _show(
    context: ssl.SSLContext, identity: TlsIdentity, directory: Path | None, password: bytes
) -> None:
    from cryptography.hazmat.primitives import serialization

    key = identity.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password),
    )
    handle, name = tempfile.mkstemp(prefix=".identity-", dir=directory)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_pem(identity.certificate.certificate) + key)
        context.load_cert_chain(name, password=password)
    finally:
        Path(name).unlink(missing_ok=True)


def _pem(der: str) -> bytes:
    lines = "\n".join(der[i : i + 64] for i in range(0, len(der), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n".encode()


def _der(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
