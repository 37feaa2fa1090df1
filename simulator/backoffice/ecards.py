"""Electronic cards and signing in with them (Article 31).

A holder whose card is in a terminal, its PIN entered, gets an electronic card with a PIN of its
own. Its QR picture shows a code that is good once and for a few minutes, and says nothing of its
holder. Whoever shows a code and gives the PIN is signed in at that terminal for a short time. Five
wrong PINs lock the electronic card until its holder comes with the card again. Codes and sessions
are kept as blind indexes, the PIN as a salted scrypt hash. Every method works in the caller's
transaction.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from simulator.backoffice.errors import Refused
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.schema_life import EcardCodeRow, EcardRow, SignInRow
from simulator.backoffice.terminals import Caller
from simulator.backoffice.vault import Vault

CODE_LIFETIME = timedelta(minutes=5)
SESSION_LIFETIME = timedelta(minutes=5)
WRONG_PINS = 5
PREFIX = "SSCT1:"
"""What every code begins with, so that a scanner's other finds are told apart."""

_SECRET_BYTES = 20
_SALT_BYTES = 16
_ROW = "0123456789"


class Ecards:
    """The electronic cards of all holders."""

    def __init__(self, vault: Vault, random: Callable[[int], bytes]) -> None:
        self._vault = vault
        self._random = random

    def issue(self, session: Session, holder: int, pin: str, terminal: str, at: datetime) -> None:
        """An electronic card with that PIN; one that was there before is the same card again.

        Raises `Refused` ECARD_PIN_UNSUITABLE.
        """
        if _is_easy(pin):
            raise Refused(Refusal.ECARD_PIN_UNSUITABLE)
        salt = self._random(_SALT_BYTES)
        session.merge(
            EcardRow(
                holder=holder,
                salt=salt,
                pin_hash=_hash(pin, salt),
                wrong_tries=0,
                issued_at=at,
                terminal=terminal,
            )
        )

    def exists(self, session: Session, holder: int) -> bool:
        """Whether a holder has an electronic card."""
        return session.get(EcardRow, holder) is not None

    def code(self, session: Session, holder: int, at: datetime) -> tuple[str, datetime]:
        """A new code for a holder's QR picture, and until when it is good.

        Raises `Refused` ECARD_NONE or ECARD_LOCKED.
        """
        self._usable(session, holder)
        code = PREFIX + base64.b32encode(self._random(_SECRET_BYTES)).decode()
        until = at + CODE_LIFETIME
        index = self._vault.index("ecard_code", code)
        session.add(EcardCodeRow(code_index=index, holder=holder, valid_until=until))
        return code, until

    def sign_in(
        self, session: Session, caller: Caller, code: str, pin: str, at: datetime
    ) -> tuple[int, str, datetime] | Refused:
        """The holder, a session at that terminal and its end.

        A wrong PIN is returned, not raised: that it was tried has to be kept. Raises `Refused`
        ECARD_CODE_INVALID or ECARD_LOCKED.
        """
        index = self._vault.index("ecard_code", code)
        row = session.get(EcardCodeRow, index, with_for_update=True)
        if row is None or row.used_at is not None or at >= row.valid_until:
            raise Refused(Refusal.ECARD_CODE_INVALID)
        ecard = self._usable(session, row.holder)
        if not hmac.compare_digest(ecard.pin_hash, _hash(pin, ecard.salt)):
            ecard.wrong_tries += 1
            locked = ecard.wrong_tries >= WRONG_PINS
            return Refused(Refusal.ECARD_LOCKED if locked else Refusal.ECARD_PIN_WRONG)
        ecard.wrong_tries = 0
        row.used_at = at
        secret = base64.urlsafe_b64encode(self._random(_SECRET_BYTES)).decode().rstrip("=")
        until = at + SESSION_LIFETIME
        session.add(
            SignInRow(
                session_index=self._vault.index("sign_in", secret),
                holder=row.holder,
                terminal=caller.terminal_id,
                valid_until=until,
            )
        )
        return row.holder, secret, until

    def signed_in(self, session: Session, caller: Caller, secret: str, at: datetime) -> int:
        """The holder of a session at that terminal. Raises `Refused` SIGN_IN_EXPIRED."""
        row = session.get(SignInRow, self._vault.index("sign_in", secret))
        if row is None or row.terminal != caller.terminal_id or at >= row.valid_until:
            raise Refused(Refusal.SIGN_IN_EXPIRED)
        return row.holder

    def _usable(self, session: Session, holder: int) -> EcardRow:
        ecard = session.get(EcardRow, holder, with_for_update=True)
        if ecard is None:
            raise Refused(Refusal.ECARD_NONE)
        if ecard.wrong_tries >= WRONG_PINS:
            raise Refused(Refusal.ECARD_LOCKED)
        return ecard


def _is_easy(pin: str) -> bool:
    """All digits alike, or six in a row up or down."""
    return len(set(pin)) == 1 or pin in _ROW or pin in _ROW[::-1]


def _hash(pin: str, salt: bytes) -> bytes:
    """32 bytes by scrypt; the cost is small, as a try needs a code and five lock the card."""
    return hashlib.scrypt(pin.encode(), salt=salt, n=2**12, r=8, p=1, dklen=32)
