"""Terminals: enrolment with a one-time code, the token they show, and what each may do.

Codes and tokens are kept as blind indexes only. What a terminal may do follows from the profile it
was enrolled with.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend_client.messages import Enrolment, EnrolmentRequest, Profile
from simulator.backoffice.errors import Refused
from simulator.backoffice.publisher import Publisher
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.schema import EnrolmentCode, Institution, Terminal
from simulator.backoffice.vault import Vault

CODE_LIFETIME = timedelta(days=7)
_TOKEN_BYTES = 32
_CODE_BYTES = 10


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
    LIFE = "life"
    CATALOGUE = "catalogue"


@dataclass(frozen=True, slots=True)
class Role:
    """The tasks of a profile, and whether it sees bills of its own institution only."""

    tasks: frozenset[Task]
    own_bills_only: bool


_EVERYTHING = frozenset(Task)
ROLES: Mapping[Profile, Role] = {
    "developer": Role(_EVERYTHING, own_bills_only=False),
    "kiosk": Role(_EVERYTHING, own_bills_only=False),
    "point-of-use": Role(_EVERYTHING - {Task.ACTIVATION, Task.LIFE}, own_bills_only=True),
}


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
    ) -> None:
        self._vault = vault
        self._publisher = publisher
        self._random = random
        self._development_code = development_code

    def create_code(
        self, session: Session, institution: str, profile: Profile | None, now: datetime
    ) -> tuple[str, datetime]:
        """A one-time code for a terminal of that institution, and until when it is good.

        Raises `Refused` INSTITUTION_UNKNOWN.
        """
        if session.get(Institution, institution) is None:
            raise Refused(Refusal.INSTITUTION_UNKNOWN)
        code = base64.b32encode(self._random(_CODE_BYTES)).decode()
        valid_until = now + CODE_LIFETIME
        session.add(
            EnrolmentCode(
                code_index=self._vault.index("enrolment_code", code),
                institution=institution,
                profile=profile,
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
        institution = session.get_one(Institution, self._institution(session, request, now))
        previous = self._predecessor(session, request, institution.code)
        token = base64.urlsafe_b64encode(self._random(_TOKEN_BYTES)).decode().rstrip("=")
        terminal = Terminal(
            token_index=self._vault.index("token", token),
            institution=institution.code,
            profile=request.profile,
            public_key=request.terminal_public_key,
            enrolled_at=now,
            succeeds=previous.id if previous else None,
        )
        session.add(terminal)
        session.flush()
        terminal.owner = previous.owner if previous else terminal.id
        terminal.terminal_id = f"T{terminal.id:06d}"
        return Enrolment(
            terminal_id=terminal.terminal_id,
            token=token,
            institution=institution.code,
            institution_name=institution.name,
            blacklist_issuer=self._publisher.policy.issuer,
            blacklist_keys=(self._publisher.public_key,),
            issued_at=now,
        )

    def recognise(self, session: Session, token: str) -> Caller:
        """The terminal that this token belongs to. Raises `Refused` NOT_ENROLLED."""
        terminal = self._with_token(session, token)
        if terminal is None or terminal.terminal_id is None or terminal.owner is None:
            raise Refused(Refusal.NOT_ENROLLED)
        role = ROLES[cast(Profile, terminal.profile)]
        return Caller(terminal.terminal_id, terminal.owner, terminal.institution, role)

    def report_list(self, session: Session, caller: Caller, version: int) -> None:
        """Note which version of the blacklist a terminal says it has."""
        key = Terminal.terminal_id == caller.terminal_id
        terminal = session.scalars(select(Terminal).where(key)).one()
        terminal.list_version = version

    def _with_token(self, session: Session, token: str) -> Terminal | None:
        index = self._vault.index("token", token)
        return session.scalar(select(Terminal).where(Terminal.token_index == index))

    def _predecessor(
        self, session: Session, request: EnrolmentRequest, institution: str
    ) -> Terminal | None:
        if request.previous_token is None:
            return None
        previous = self._with_token(session, request.previous_token)
        if previous is None:
            raise Refused(Refusal.PREVIOUS_TOKEN_UNKNOWN)
        return previous if previous.institution == institution else None

    def _institution(self, session: Session, request: EnrolmentRequest, now: datetime) -> str:
        development = self._development_code
        if development is not None and request.code == development.code:
            return development.institution
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
        return code.institution
