"""The gateway of the national interface: envelope in, envelope out, one route a transaction.

A refusal is an infcode and a sentence; what broke inside is the system error, which promises
nothing. The terminal is known by its token as on every other route; the sign-in (9001) comes on top
of that, and a clock that differs by more than `MAX_DRIFT` is refused (facts 1.1).
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from backend_client.errors import BadMessage
from backend_client.national.codes import INFCODES, SYSTEM_ERROR
from backend_client.national.envelope import (
    PATH,
    Asked,
    read_request,
    refusal_bytes,
    reply_bytes,
)
from backend_client.national.transactions import TRANSACTIONS
from backend_client.transport import Reply
from simulator.backoffice.errors import Refused
from simulator.backoffice.incoming import MAX_REQUEST, Incoming
from simulator.backoffice.national.desk import NationalDesk
from simulator.backoffice.problems import json_reply
from simulator.backoffice.refusals import Refusal

log = logging.getLogger(__name__)

MAX_DRIFT = timedelta(minutes=5)
_SIGN_IN, _UPLOAD = "9001", "9101"
_MAX_UPLOAD = 8 * 1024 * 1024
_UNKNOWN = "0" * 6


def largest(code: str) -> int:
    """How many bytes a transaction's request may have: the file of 9101 takes more."""
    return _MAX_UPLOAD if code == _UPLOAD else MAX_REQUEST


class Gateway:
    """Answers the transactions over one desk."""

    def __init__(self, desk: NationalDesk, now: Callable[[], datetime]) -> None:
        self._desk = desk
        self._now = now
        self._serial = itertools.count(1)

    def routes(self) -> Mapping[str, Callable[[Incoming], Reply]]:
        """Path -> what answers a POST to it."""
        return {PATH + code: self._answering(code) for code in TRANSACTIONS}

    def _answering(self, code: str) -> Callable[[Incoming], Reply]:
        def answer(incoming: Incoming) -> Reply:
            return self._answer(code, incoming)

        return answer

    def _answer(self, code: str, incoming: Incoming) -> Reply:
        received = self._now()
        area = _UNKNOWN
        try:
            asked = self._asked(code, incoming)
            area = asked.envelope["mdtrtarea_admvs"]
            self._admit(asked, incoming, received)
            output = self._desk.answer(incoming.terminal, asked)
        except Refused as refused:
            return self._refused(refused, area, received)
        now = self._now()
        reference = self._reference(area, now)
        return json_reply(
            reply_bytes(asked.transaction, output, reference=reference, received=received, now=now)
        )

    def _asked(self, code: str, incoming: Incoming) -> Asked:
        """The request. Raises `Refused` BAD_REQUEST."""
        try:
            asked = read_request(incoming.request.body, limit=largest(code))
        except BadMessage as error:
            detail = f"{error.pointer or '/'} breaks the rule '{error.rule}'"
            raise Refused(Refusal.BAD_REQUEST, detail=detail) from None
        if asked.transaction.code != code:
            raise Refused(Refusal.BAD_REQUEST, detail="/infno is not that of the path")
        return asked

    def _admit(self, asked: Asked, incoming: Incoming, now: datetime) -> None:
        """Clock, institution and sign-in. Raises `Refused`."""
        envelope = asked.envelope
        if abs(envelope["inf_time"] - now) > MAX_DRIFT:
            raise Refused(Refusal.CENTRE_CLOCK_DIFFERS)
        if envelope["fixmedins_code"] != incoming.terminal.institution:
            raise Refused(Refusal.NUMBER_FOREIGN)
        if asked.transaction.code != _SIGN_IN:
            self._desk.require_sign_in(incoming.terminal, envelope.get("sign_no", ""), now)

    def _refused(self, refused: Refused, area: str, received: datetime) -> Reply:
        if refused.refusal is Refusal.NOT_ENROLLED:
            raise refused
        now = self._now()
        if refused.refusal is Refusal.INTERNAL:
            infcode = SYSTEM_ERROR
        else:
            infcode = INFCODES.get(refused.code, INFCODES[Refusal.BAD_REQUEST])
        detail = f"（{refused.detail}）" if refused.refusal is Refusal.BAD_REQUEST else ""
        return json_reply(
            refusal_bytes(
                infcode,
                refused.zh + detail,
                reference=self._reference(area, now),
                received=received,
                now=now,
            )
        )

    def _reference(self, area: str, now: datetime) -> str:
        """inf_refmsgid: division 6, time 14, serial 10."""
        return f"{area}{now:%Y%m%d%H%M%S}{next(self._serial):010d}"
