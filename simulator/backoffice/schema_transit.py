"""The table behind the gates' taps; see schema.py for what holds for all."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from simulator.backoffice.schema import Base


class TapRow(Base):
    """A composite purchase at a gate, by the PSAM's number and its transaction number.

    `owner` handed it in. `content` is SHA-256 of the record without its TAC, by which the same
    record is known again; `sealed` is all of it. `outcome` is booked, open or disputed.
    """

    __tablename__ = "taps"
    terminal: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    owner: Mapped[int]
    at: Mapped[datetime]
    fen: Mapped[int]
    content: Mapped[bytes]
    outcome: Mapped[str]
    sealed: Mapped[bytes]
    received_at: Mapped[datetime]
