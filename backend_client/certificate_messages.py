"""The messages about terminal certificates: the mirror of their schemas, like `messages.py`.

DER travels as Base64 text; `identity.py` makes it and takes it apart.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import ClassVar

from backend_client.codec import Message

__all__ = ["CertificateRequest", "TerminalCertificate"]


@dataclass(frozen=True, slots=True)
class CertificateRequest(Message):
    """A PKCS #10 request (RFC 2986), DER in Base64, for the certificate after the present one."""

    schema: ClassVar[str] = "certificate-request:1"
    request: str


@dataclass(frozen=True, slots=True)
class TerminalCertificate(Message):
    """A certificate (RFC 5280) and its issuer's, DER in Base64, and when it holds."""

    schema: ClassVar[str] = "terminal-certificate:1"
    certificate: str
    issuer: str
    not_before: dt.datetime
    not_after: dt.datetime
