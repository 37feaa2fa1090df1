"""Talking to the national interface: one transaction after the other, signed in for the day.

A question is repeated with the same bytes; what changes something is sent once. A failure is a
refusal with the code that `codes.py` gives it; a system error says nothing about the outcome.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from http import HTTPStatus
from threading import RLock
from typing import Any

from backend_client.calls import Calls
from backend_client.errors import NoReply, Refused
from backend_client.messages import Problem
from backend_client.national.codes import (
    CODES,
    ENGLISH,
    NOT_SIGNED_IN,
    SUCCESS,
    SYSTEM_ERROR,
    UNEXPLAINED_REFUSAL,
)
from backend_client.national.envelope import (
    PATH,
    Answered,
    Sender,
    read_output,
    read_reply,
    request_bytes,
)
from backend_client.national.fields import CHINA
from backend_client.national.transactions import SELF_SERVICE, TRANSACTIONS

Numbers = Callable[[int], tuple[str, ...]]
"""Gives so many message numbers, each once and for all (persisted, across restarts)."""


@dataclass(frozen=True, slots=True)
class Device:
    """What the sign-in says of the machine."""

    mac: str
    ip: str


class NationalInterface:
    """The transactions of one terminal. Safe to share between threads."""

    def __init__(
        self,
        calls: Calls,
        sender: Sender,
        device: Device,
        *,
        now: Callable[[], datetime],
        numbers: Numbers,
    ) -> None:
        self._calls = calls
        self._sender = sender
        self._device = device
        self._now = now
        self._numbers = numbers
        # The same thread may come again while its sign-in is under way, as the journal's does.
        self._signing = RLock()
        self._signed: tuple[date, str] | None = None

    def now(self) -> datetime:
        """The present instant."""
        return self._now()

    def numbers(self, count: int) -> tuple[str, ...]:
        """So many new message numbers."""
        return self._numbers(count)

    def ask(
        self,
        code: str,
        values: dict[str, Any],
        *,
        msgid: str | None = None,
        insured_area: str | None = None,
    ) -> dict[str, Any]:
        """One transaction: typed values in, typed values out.

        Raises `Refused`, `NoReply`, `BadMessage`, `BadRequest` and what the transport raises.
        """
        msgid = msgid or self.numbers(1)[0]
        answered = self._send(code, values, msgid, self._sign_no(), insured_area)
        if answered.infcode == NOT_SIGNED_IN:
            self._signed = None
        if answered.infcode == NOT_SIGNED_IN and not TRANSACTIONS[code].changes:
            answered = self._send(code, values, msgid, self._sign_no(), insured_area)
        return self._output(code, answered)

    def sign_out(self) -> None:
        """9002: nothing more today."""
        sign_no = self._sign_no()
        signing = {"sign_no": sign_no, "opter_no": self._sender.operator}
        msgid = self.numbers(1)[0]
        self._output("9002", self._send("9002", {"signOut": signing}, msgid, sign_no))
        self._signed = None

    def _sign_no(self) -> str:
        """9001, once a day: the number that every other transaction carries."""
        today = self._now().astimezone(CHINA).date()
        with self._signing:
            if self._signed is not None and self._signed[0] == today:
                return self._signed[1]
            device = {"opter_no": self._sender.operator, "mac": self._device.mac}
            values = {"signIn": {**device, "ip": self._device.ip}}
            answered = self._send("9001", values, self.numbers(1)[0], None)
            sign_no = str(self._output("9001", answered)["signinoutb"]["sign_no"])
            self._signed = today, sign_no
            return sign_no

    def _send(
        self,
        code: str,
        values: dict[str, Any],
        msgid: str,
        sign_no: str | None,
        insured_area: str | None = None,
    ) -> Answered:
        transaction = TRANSACTIONS[code]
        body = request_bytes(
            transaction,
            values,
            self._sender,
            msgid=msgid,
            now=self._now(),
            opter_type=SELF_SERVICE,
            sign_no=sign_no,
            insured_area=insured_area,
        )
        return read_reply(self._calls.exchange(PATH + code, body, repeat=not transaction.changes))

    def _output(self, code: str, answered: Answered) -> dict[str, Any]:
        if answered.infcode == SUCCESS:
            return read_output(TRANSACTIONS[code], answered)
        if answered.infcode == SYSTEM_ERROR:
            raise NoReply(f"{code}: the receiver does not say what it did")
        raise Refused(_problem(code, answered))


def _problem(code: str, answered: Answered) -> Problem:
    """A failure of the interface, with the sentence that came with it."""
    ours = CODES.get(answered.infcode, UNEXPLAINED_REFUSAL)
    return Problem(
        type="about:blank",
        title=f"transaction {code} failed",
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        code=ours,
        detail=f"infcode {answered.infcode}",
        zh=answered.err_msg,
        en=ENGLISH.get(ours, f"The insurance centre says no ({ours}). Nothing was charged."),
    )
