"""A terminal's statement of one day as a file: written here without the centre, read elsewhere.

The centre compares an institution (3201), and a large one has many terminals. So each writes what
it has done, and one of them adds it all up. The file has numbers and amounts: no name, no card, and
of the person no more than the number that 3202 asks for (Article 25). Its digest shows whether it
was cut or edited. Where terminals have certificates, it is signed with the terminal's own, and no
other file is taken.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from backend_client.codec import canonical, load, to_json
from backend_client.day_statement_messages import DayStatement, SignedStatement
from backend_client.errors import BadCertificate, BadMessage
from backend_client.identity import TlsIdentity
from terminal.errors import (
    ConfigurationError,
    StatementDamaged,
    StatementMisplaced,
    StatementRepeated,
    StatementUnproved,
)

MAX_FILE = 96 * 1024 * 1024
"""No statement is larger than this many bytes; one of 100 000 lines is a third of it."""

_KIND = "day-statement"


def as_text(statement: DayStatement, tls: TlsIdentity | None) -> str:
    """The file of a statement, signed where this terminal has a certificate (`tls`)."""
    signed = canonical(to_json(statement))
    digest = hashlib.sha256(signed).digest()
    file = SignedStatement(statement, digest)
    if tls is not None:
        signature = tls.sign(_KIND, signed)
        file = SignedStatement(statement, digest, tls.certificate.certificate, signature)
    return canonical(to_json(file)).decode() + "\n"


def read_all(
    files: Iterable[Path], own: DayStatement, tls: TlsIdentity | None
) -> tuple[DayStatement, ...]:
    """The statements of other terminals of `own`'s institution for the same day.

    Where this terminal has a certificate (`tls`), theirs must prove them. Raises `StatementError`,
    and `ConfigurationError` for a file that cannot be read.
    """
    terminals = {own.terminal_id}
    bookings = {line.booking for line in own.lines}
    found = []
    for file in files:
        statement = _read(file, own, tls)
        if statement.terminal_id in terminals:
            raise StatementRepeated(f"{file}: another one of {statement.terminal_id}")
        terminals.add(statement.terminal_id)
        for line in statement.lines:
            if line.booking in bookings:
                raise StatementRepeated(f"{file}: {line.number} is another statement's, too")
            bookings.add(line.booking)
        found.append(statement)
    return tuple(found)


def _read(file: Path, own: DayStatement, tls: TlsIdentity | None) -> DayStatement:
    """One statement, as its terminal wrote it and for this day and institution."""
    signed = _signed(file)
    statement = signed.statement
    data = canonical(to_json(statement))
    if hashlib.sha256(data).digest() != signed.digest:
        raise StatementDamaged(f"{file}: its contents are not those that it was written with")
    if tls is not None:
        _prove(file, signed, data, tls)
    if statement.institution != own.institution:
        raise StatementMisplaced(f"{file}: of the institution {statement.institution}")
    if statement.day != own.day:
        raise StatementMisplaced(f"{file}: of {statement.day.isoformat()}")
    return statement


def _signed(file: Path) -> SignedStatement:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE + 1)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from None
    try:
        return load(SignedStatement, data, limit=MAX_FILE)
    except BadMessage as error:
        raise StatementDamaged(f"{file}: {error}") from None


def _prove(file: Path, signed: SignedStatement, data: bytes, tls: TlsIdentity) -> None:
    """Raise `StatementUnproved` unless the terminal that it names has signed it."""
    statement = signed.statement
    if signed.certificate is None or signed.signature is None:
        raise StatementUnproved(f"{file}: it is not signed")
    try:
        signer = tls.verify(
            _KIND, data, signed.signature, signed.certificate, at=statement.written_at
        )
    except BadCertificate as error:
        raise StatementUnproved(f"{file}: {error}") from None
    if signer != (statement.terminal_id, statement.institution):
        raise StatementUnproved(f"{file}: signed by {signer[0]}, not by {statement.terminal_id}")
