"""A terminal's statement of one day, which goes to whoever adds an institution's terminals up.

As `messages.py`: the schemas are the definition, a test holds the two equal. It names numbers and
amounts, no name and no card; the centre's numbers of visit and person where its channel wants them.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from backend_client.codec import Message
from backend_client.money_messages import StatementLine

__all__ = ["DayStatement", "NumberStanding", "SignedStatement", "Standing"]

Standing = Literal["open", "undone", "other_day"]
"""How a number stands that is no line: without an end yet, did not happen, done on another day."""


@dataclass(frozen=True, slots=True)
class NumberStanding(Message):
    """A settlement's or cancellation's number of about that day that is none of its lines."""

    schema: ClassVar[str] = "day-statement:1#/$defs/number_standing"
    number: str
    standing: Standing


@dataclass(frozen=True, slots=True)
class DayStatement(Message):
    """What one terminal has done on one day, as its journal has it.

    `others` tell whose a number is that the centre has booked and the terminal has not.
    """

    schema: ClassVar[str] = "day-statement:1"
    day: dt.date
    institution: str
    terminal_id: str
    written_at: dt.datetime
    lines: tuple[StatementLine, ...]
    others: tuple[NumberStanding, ...]


@dataclass(frozen=True, slots=True)
class SignedStatement(Message):
    """A statement on its way, as a file holds it.

    `digest` is SHA-256 of the statement's canonical JSON. Where the terminal has a certificate
    (DER, Base64), `signature` is its ECDSA with SHA-256 over "ssct signed document: day-statement",
    a zero byte and that same JSON.
    """

    schema: ClassVar[str] = "signed-statement:1"
    statement: DayStatement
    digest: bytes
    certificate: str | None = field(default=None, repr=False)
    signature: bytes | None = field(default=None, repr=False)
