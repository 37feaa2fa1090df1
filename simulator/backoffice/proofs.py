"""Who asks at a terminal, and through which channel that counts.

The rule in one sentence: a self-service terminal is an access to the online service platform
(网上服务平台, Articles 9, 18, 19, 21, 22) for whoever has proved to be the holder there, with the
card and its PIN or with the electronic card's code and PIN; for anybody else it is one of the
"other ways" (等方式) of Article 18, and takes a temporary loss from whoever gives name and social
security number, as the telephone does.

Wrong names are counted, so that nobody finds out by trying whose number is whose.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend_client.life_messages import IdentityClaim, Proof
from simulator.backoffice.applications import Applications
from simulator.backoffice.ecards import Ecards
from simulator.backoffice.errors import Refused
from simulator.backoffice.incoming import bad_request
from simulator.backoffice.lifecycle import Channel
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.register import By, Register
from simulator.backoffice.schema import Card, Holder
from simulator.backoffice.schema_life import ClaimRow
from simulator.backoffice.terminals import Caller
from simulator.backoffice.vault import Vault

CLAIMS_A_DAY = 5
"""How many wrong names a number may get within 24 hours."""

CLAIMS_AN_HOUR = 20
"""How many wrong identities a terminal may send within an hour."""


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody at a terminal: the card they mean, and who brings what they want, and how."""

    card: Card
    by: By


class Proofs:
    """Finds out who asks. Every method works in the caller's transaction."""

    def __init__(
        self, register: Register, applications: Applications, ecards: Ecards, vault: Vault
    ) -> None:
        self._register = register
        self._applications = applications
        self._ecards = ecards
        self._vault = vault

    def who(self, session: Session, caller: Caller, proof: Proof, at: datetime) -> Known | Refused:
        """Who asks. A wrong identity is returned, not raised: that it was tried has to be kept.

        Raises `Refused` BAD_REQUEST unless exactly one proof is given, CARD_UNKNOWN,
        SIGN_IN_EXPIRED, HOLDER_HAS_NO_CARD or TOO_MANY_TRIES.
        """
        given = [each for each in (proof.card, proof.session, proof.identity) if each is not None]
        if len(given) != 1:
            raise bad_request("/proof", "exactly one proof")
        actor = caller.terminal_id
        if proof.card is not None:
            card = self._register.find(session, proof.card)
            return Known(
                card, By(Channel.ONLINE, actor, "at a terminal, with the card and its PIN")
            )
        if proof.session is not None:
            holder = self._ecards.signed_in(session, caller, proof.session, at)
            by = By(Channel.ONLINE, actor, "at a terminal, with the electronic card")
            return Known(self._card_of(session, holder), by)
        assert proof.identity is not None  # noqa: S101  # one of the three is given
        return self._claimed(session, caller, proof.identity, at)

    def proved(self, session: Session, caller: Caller, proof: Proof, at: datetime) -> Known:
        """Who asks, certainly the holder. Raises `Refused` IDENTITY_NOT_PROVED too."""
        if proof.identity is not None:
            raise Refused(Refusal.IDENTITY_NOT_PROVED)
        known = self.who(session, caller, proof, at)
        if isinstance(known, Refused):
            raise known
        return known

    def _claimed(
        self, session: Session, caller: Caller, claim: IdentityClaim, at: datetime
    ) -> Known | Refused:
        index = self._vault.index("ssn", claim.ssn)
        if self._has_tried_enough(session, caller, index, at):
            raise Refused(Refusal.TOO_MANY_TRIES)
        holder = session.scalar(select(Holder).where(Holder.ssn_index == index))
        card = self._applications.card_of(session, holder.id) if holder else None
        if holder is None or card is None or not self._is_named(holder, claim.name):
            session.add(ClaimRow(at=at, terminal=caller.terminal_id, ssn_index=index))
            return Refused(Refusal.IDENTITY_UNKNOWN)
        by = By(Channel.TERMINAL, caller.terminal_id, "at a terminal, by name and number")
        return Known(card, by)

    def _is_named(self, holder: Holder, name: str) -> bool:
        known = self._register.person(holder)[0]
        return hmac.compare_digest(_plain(known), _plain(name))

    def _has_tried_enough(
        self, session: Session, caller: Caller, index: bytes, at: datetime
    ) -> bool:
        def count(key: object, since: timedelta) -> int:
            wrong = select(func.count(ClaimRow.id)).where(ClaimRow.at > at - since, key)  # type: ignore[arg-type]
            return session.scalar(wrong) or 0

        return (
            count(ClaimRow.ssn_index == index, timedelta(days=1)) >= CLAIMS_A_DAY
            or count(ClaimRow.terminal == caller.terminal_id, timedelta(hours=1)) >= CLAIMS_AN_HOUR
        )

    def _card_of(self, session: Session, holder: int) -> Card:
        card = self._applications.card_of(session, holder)
        if card is None:
            raise Refused(Refusal.HOLDER_HAS_NO_CARD)
        return card


def _plain(name: str) -> bytes:
    """A name without the spaces and dots that people write in different ways."""
    return "".join(name.split()).replace("·", "").replace("•", "").casefold().encode()
