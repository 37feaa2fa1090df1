"""The envelope around every transaction of the national interface (facts 1.2), both ways.

What comes in is hostile: bounded, strict JSON, each field checked. The same bytes stand for the
same request, so that a repeated question is the same question.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Never

from backend_client.codec import canonical
from backend_client.errors import BadMessage
from backend_client.national.fields import CHINA, read, text, time, write
from backend_client.national.transactions import TRANSACTIONS, Transaction

VERSION = "V1.0"
PATH = "/national/v1/"
"""A transaction is posted to this path and its code."""

MAX_BODY = 8 * 1024 * 1024
_REQUEST = (
    text("infno", 4),
    text("msgid", 30),
    text("mdtrtarea_admvs", 6),
    text("insuplc_admdvs", 6, required=False),
    text("recer_sys_code", 10),
    text("infver", 6),
    text("opter_type", 3),
    text("opter", 30),
    text("opter_name", 50),
    time("inf_time"),
    text("fixmedins_code", 12),
    text("fixmedins_name", 20),
    text("sign_no", 30, required=False),
)
_REPLY = (
    text("infcode", 10),
    text("inf_refmsgid", 30, required=False),
    text("refmsg_time", 17, required=False),
    text("respond_time", 17, required=False),
    text("err_msg", 200, required=False),
)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who speaks: the terminal, its institution, the places, and whom it speaks to.

    `area` is the division of the place of care, `receiver` the receiving system's code, `operator`
    and `operator_name` are terminal number and name.
    """

    area: str
    receiver: str
    operator: str
    operator_name: str
    institution: str
    institution_name: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came in: the transaction, its envelope's fields and its typed input."""

    transaction: Transaction
    envelope: dict[str, Any] = field(repr=False)
    input: dict[str, Any] = field(repr=False)

    @property
    def msgid(self) -> str:
        """The sender's number of this message, 30 characters."""
        return str(self.envelope["msgid"])


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply as it came in. `infcode` "0" is success, anything else failure."""

    infcode: str
    err_msg: str
    output: object = field(repr=False)


def request_bytes(
    transaction: Transaction,
    values: dict[str, Any],
    sender: Sender,
    *,
    msgid: str,
    now: datetime,
    opter_type: str,
    sign_no: str | None = None,
    insured_area: str | None = None,
) -> bytes:
    """A request as JSON. Raises `BadRequest`."""
    envelope = {
        "infno": transaction.code,
        "msgid": msgid,
        "mdtrtarea_admvs": sender.area,
        "insuplc_admdvs": insured_area,
        "recer_sys_code": sender.receiver,
        "infver": VERSION,
        "opter_type": opter_type,
        "opter": sender.operator,
        "opter_name": sender.operator_name[:50],
        "inf_time": now,
        "fixmedins_code": sender.institution,
        "fixmedins_name": sender.institution_name[:20],
        "sign_no": sign_no,
    }
    what = f"request {transaction.code}"
    document = write(_REQUEST, envelope, what)
    document["input"] = write(transaction.input, values, what)
    return canonical(document)


def read_request(body: bytes, *, limit: int) -> Asked:
    """A request. Raises `BadMessage`."""
    document = _parsed(body, limit)
    envelope = read(_REQUEST, document, "envelope")
    transaction = TRANSACTIONS.get(envelope["infno"])
    if transaction is None:
        raise BadMessage("/infno", "known", "envelope")
    given = read(transaction.input, document.get("input"), f"request {transaction.code}")
    return Asked(transaction, envelope, given)


def reply_bytes(
    transaction: Transaction,
    values: dict[str, Any],
    *,
    reference: str,
    received: datetime,
    now: datetime,
) -> bytes:
    """A reply of success as JSON. Raises `BadRequest`."""
    document: dict[str, Any] = {"infcode": "0", **_times(reference, received, now)}
    document["output"] = write(transaction.output, values, f"reply {transaction.code}")
    return canonical(document)


def refusal_bytes(
    infcode: str, err_msg: str, *, reference: str, received: datetime, now: datetime
) -> bytes:
    """A reply of failure as JSON."""
    times = _times(reference, received, now)
    return canonical({"infcode": infcode, **times, "err_msg": err_msg[:200], "output": None})


def read_reply(body: bytes) -> Answered:
    """The envelope of a reply; its output is left as it came. Raises `BadMessage`."""
    document = _parsed(body, MAX_BODY)
    envelope = read(_REPLY, document, "reply")
    return Answered(envelope["infcode"], envelope.get("err_msg", ""), document.get("output"))


def read_output(transaction: Transaction, answered: Answered) -> dict[str, Any]:
    """The typed output of a reply of success. Raises `BadMessage`."""
    if not transaction.output:
        return {}
    return read(transaction.output, answered.output, f"reply {transaction.code}")


def _times(reference: str, received: datetime, now: datetime) -> dict[str, str]:
    return {
        "inf_refmsgid": reference,
        "refmsg_time": _milliseconds(received),
        "respond_time": _milliseconds(now),
    }


def _milliseconds(instant: datetime) -> str:
    """Shanghai time as yyyyMMddHHmmssSSS."""
    return instant.astimezone(CHINA).strftime("%Y%m%d%H%M%S%f")[:17]


def _parsed(body: bytes, limit: int) -> dict[str, Any]:
    """Strict JSON with its numbers as they are written. Raises `BadMessage`."""
    if len(body) > limit:
        raise BadMessage("", "size", "envelope")
    try:
        document = json.loads(
            body.decode("utf-8"),
            parse_float=Decimal,
            parse_constant=_refuse,
            object_pairs_hook=_unique,
        )
    except (ValueError, RecursionError):
        raise BadMessage("", "syntax", "envelope") from None
    if not isinstance(document, dict):
        raise BadMessage("", "type", "envelope")
    return document


def _refuse(_text: str) -> Never:
    raise ValueError("no such number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("repeated key")
    return value
