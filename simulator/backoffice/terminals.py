"""Terminals: enrolment with a one-time code, what they show, and what each may do.

Codes and tokens are kept as blind indexes only. With an authority a terminal gets a certificate
too, and shows both: its token is good over a connection with one of its own certificates only. What
a terminal may do follows from its role: the one that its code was made for, or else the one of the
profile that it was enrolled with.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import cast

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from backend_client.certificate_messages import CertificateRequest, TerminalCertificate
from backend_client.messages import Enrolment, EnrolmentRequest, Profile
from backend_client.messages import Role as RoleName
from simulator.backoffice.authority import Authority, fingerprint
from simulator.backoffice.errors import Refused
from simulator.backoffice.publisher import Publisher
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.schema import CertificateRow, EnrolmentCode, Institution, Terminal
from simulator.backoffice.vault import Vault

CODE_LIFETIME = timedelta(days=7)
_TOKEN_BYTES = 32
_CODE_BYTES = 10

# Asked with nearly every request, so they are made once.
_WITH_TOKEN = select(Terminal).where(Terminal.token_index == bindparam("token"))
_NAMED = select(Terminal).where(Terminal.terminal_id == bindparam("name"))


class Task(StrEnum):
    """What a terminal may be allowed to do."""

    STATUS = "status"
    ACCOUNT = "account"
    BILLS = "bills"
    ACTIVATION = "activation"
    SETTLEMENT = "settlement"
    CONTRIBUTIONS = "contributions"
    BENEFITS = "benefits"
    BLACKLIST = "blacklist"
    KEYS = "keys"
    LIFE = "life"
    CATALOGUE = "catalogue"
    TRANSIT = "transit"
    INSTITUTION = "institution"


@dataclass(frozen=True, slots=True)
class Role:
    """What a terminal may do, whether it sees bills of its own institution only, and as what.

    `profile` is what a terminal in this role is set up as.
    """

    tasks: frozenset[Task]
    own_bills_only: bool
    profile: Profile


_EVERYTHING = frozenset(Task)
_KIOSK = _EVERYTHING - {Task.TRANSIT, Task.INSTITUTION}
_POINT_OF_USE = _EVERYTHING - {Task.TRANSIT, Task.ACTIVATION, Task.LIFE}
_GATE = frozenset({Task.STATUS, Task.BLACKLIST, Task.TRANSIT})
ROLES: Mapping[RoleName, Role] = {
    "developer": Role(_EVERYTHING, own_bills_only=False, profile="developer"),
    "kiosk": Role(_KIOSK, own_bills_only=False, profile="kiosk"),
    "hospital": Role(_POINT_OF_USE, own_bills_only=True, profile="point-of-use"),
    "gate": Role(_GATE, own_bills_only=True, profile="point-of-use"),
}
USUAL: Mapping[Profile, RoleName] = {
    "developer": "developer",
    "kiosk": "kiosk",
    "point-of-use": "hospital",
}
"""The role of a terminal whose code names none."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An enrolled terminal that has shown its token.

    `owner` stands for the device, however often it was enrolled: its numbers are its own.
    """

    terminal_id: str
    owner: int
    institution: str
    role: Role

    def may(self, task: Task) -> None:
        """Raise `Refused` ROLE_NOT_ALLOWED unless the terminal may do this."""
        if task not in self.role.tasks:
            raise Refused(Refusal.ROLE_NOT_ALLOWED)


@dataclass(frozen=True, slots=True)
class DevelopmentCode:
    """A code that is good for any number of terminals: for development, never in the field.

    `tier` is the hospital tier of the institution, 1 to 3.
    """

    code: str
    institution: str
    institution_name: str
    tier: int


class Terminals:
    """Enrols and recognises terminals. Every method works in the caller's transaction."""

    def __init__(
        self,
        vault: Vault,
        publisher: Publisher,
        random: Callable[[int], bytes],
        development_code: DevelopmentCode | None,
        authority: Authority | None = None,
    ) -> None:
        """With an authority terminals get certificates, and have to show them."""
        self._vault = vault
        self._publisher = publisher
        self._random = random
        self._development_code = development_code
        self._authority = authority

    def create_code(
        self,
        session: Session,
        institution: str,
        profile: Profile | None,
        role: RoleName | None,
        now: datetime,
    ) -> tuple[str, datetime]:
        """A one-time code for a terminal of that institution, and until when it is good.

        Raises `Refused` INSTITUTION_UNKNOWN, and BAD_REQUEST for a role of another profile.
        """
        if role is not None:
            if profile not in (None, ROLES[role].profile):
                raise Refused(Refusal.BAD_REQUEST, detail="/role is not one of this profile")
            profile = ROLES[role].profile
        if session.get(Institution, institution) is None:
            raise Refused(Refusal.INSTITUTION_UNKNOWN)
        code = base64.b32encode(self._random(_CODE_BYTES)).decode()
        valid_until = now + CODE_LIFETIME
        session.add(
            EnrolmentCode(
                code_index=self._vault.index("enrolment_code", code),
                institution=institution,
                profile=profile,
                role=role,
                valid_until=valid_until,
            )
        )
        return code, valid_until

    def enrol(self, session: Session, request: EnrolmentRequest, now: datetime) -> Enrolment:
        """Use up a code; the operation numbers of a predecessor are the new terminal's too.

        The predecessor is the terminal that `previous_token` belongs to, if it is of the same
        institution; numbers name their institution, so those of another could not be used anyway.
        Its token stays good, as the answer to this may be lost. A token nobody has is refused and
        the code stays good: a terminal that lost its numbers unawares would take what it booked
        for not booked. Raises `Refused` ENROLMENT_CODE_INVALID or PREVIOUS_TOKEN_UNKNOWN.
        """
        code, role = self._used_code(session, request, now)
        institution = session.get_one(Institution, code)
        previous = self._predecessor(session, request, institution.code)
        token = base64.urlsafe_b64encode(self._random(_TOKEN_BYTES)).decode().rstrip("=")
        terminal = Terminal(
            token_index=self._vault.index("token", token),
            institution=institution.code,
            profile=request.profile,
            role=role,
            public_key=request.terminal_public_key,
            enrolled_at=now,
            succeeds=previous.id if previous else None,
        )
        session.add(terminal)
        session.flush()
        terminal.owner = previous.owner if previous else terminal.id
        terminal.terminal_id = f"T{terminal.id:06d}"
        ring = self._publisher.keys.ring(session)
        return Enrolment(
            terminal_id=terminal.terminal_id,
            token=token,
            institution=institution.code,
            institution_name=institution.name,
            blacklist_issuer=self._publisher.policy.issuer,
            blacklist_keys=ring.trusted,
            issued_at=now,
            role=role,
            certificate=self._first_certificate(session, terminal, request, now),
            statement_keys=(ring.statement_key,),
        )

    def recognise(self, session: Session, token: str, certificate: bytes | None = None) -> Caller:
        """The terminal that this token belongs to, over a connection with that certificate (DER).

        Raises `Refused` NOT_ENROLLED, CERTIFICATE_REQUIRED or CERTIFICATE_NOT_ACCEPTED.
        """
        terminal = self._with_token(session, token)
        if (
            terminal is None
            or terminal.terminal_id is None
            or terminal.owner is None
            or terminal.stopped_at is not None
        ):
            raise Refused(Refusal.NOT_ENROLLED)
        if self._authority is not None:
            if certificate is None:
                raise Refused(Refusal.CERTIFICATE_REQUIRED)
            known = session.get(CertificateRow, fingerprint(certificate))
            if known is None or known.terminal != terminal.id:
                raise Refused(Refusal.CERTIFICATE_NOT_ACCEPTED)
        role = ROLES[cast(RoleName, terminal.role)]
        return Caller(terminal.terminal_id, terminal.owner, terminal.institution, role)

    def renew(
        self, session: Session, caller: Caller, request: CertificateRequest, now: datetime
    ) -> TerminalCertificate:
        """The next certificate of a terminal; those that it has stay good until they end.

        Raises `Refused` CERTIFICATES_NOT_ISSUED or CERTIFICATE_REQUEST_INVALID.
        """
        if self._authority is None:
            raise Refused(Refusal.CERTIFICATES_NOT_ISSUED)
        terminal = self._named(session, caller.terminal_id)
        return _certified(session, self._authority, terminal, request.request, now)

    def stop(self, session: Session, terminal_id: str, now: datetime) -> None:
        """Know a terminal no more: stolen, broken, gone. Raises `Refused` TERMINAL_UNKNOWN."""
        terminal = self._named(session, terminal_id)
        if terminal.stopped_at is None:
            terminal.stopped_at = now

    def report_list(self, session: Session, caller: Caller, version: int) -> None:
        """Note which version of the blacklist a terminal says it has."""
        self._named(session, caller.terminal_id).list_version = version

    def _named(self, session: Session, terminal_id: str) -> Terminal:
        found = session.scalar(_NAMED, {"name": terminal_id})
        if found is None:
            raise Refused(Refusal.TERMINAL_UNKNOWN)
        return found

    def _first_certificate(
        self, session: Session, terminal: Terminal, request: EnrolmentRequest, now: datetime
    ) -> TerminalCertificate | None:
        """The certificate that comes with an enrolment, None without an authority."""
        if self._authority is None:
            return None
        if request.certificate_request is None:
            raise Refused(Refusal.CERTIFICATE_REQUEST_INVALID, detail="it is missing")
        asked = request.certificate_request
        return _certified(session, self._authority, terminal, asked, now)

    def _with_token(self, session: Session, token: str) -> Terminal | None:
        index = self._vault.index("token", token)
        return session.scalar(_WITH_TOKEN, {"token": index})

    def _predecessor(
        self, session: Session, request: EnrolmentRequest, institution: str
    ) -> Terminal | None:
        if request.previous_token is None:
            return None
        previous = self._with_token(session, request.previous_token)
        if previous is None:
            raise Refused(Refusal.PREVIOUS_TOKEN_UNKNOWN)
        return previous if previous.institution == institution else None

    def _used_code(
        self, session: Session, request: EnrolmentRequest, now: datetime
    ) -> tuple[str, RoleName]:
        """The institution and the role that the code is for; it is used up by this."""
        development = self._development_code
        if development is not None and request.code == development.code:
            return development.institution, USUAL[request.profile]
        index = self._vault.index("enrolment_code", request.code)
        code = session.get(EnrolmentCode, index, with_for_update=True)
        if (
            code is None
            or code.used_at is not None
            or now >= code.valid_until
            or code.profile not in (None, request.profile)
        ):
            raise Refused(Refusal.ENROLMENT_CODE_INVALID)
        code.used_at = now
        return code.institution, cast(RoleName, code.role or USUAL[request.profile])


def _certified(
    session: Session, authority: Authority, terminal: Terminal, request: str, now: datetime
) -> TerminalCertificate:
    """Have a certificate made for a terminal, and know it from now on."""
    answer, known_by = authority.certify_terminal(
        request, str(terminal.terminal_id), terminal.institution
    )
    session.add(
        CertificateRow(
            fingerprint=known_by,
            terminal=terminal.id,
            issued_at=now,
            not_after=answer.not_after,
        )
    )
    return answer
