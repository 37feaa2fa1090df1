"""A command as the card's handlers see it, and the two ways in which commands arrive."""

from __future__ import annotations

from apdu.command import Command
from apdu.status import MalformedApdu

_SHORT_MAX = 256


class Instruction:
    """A command taken apart. `le` is 256 (65 536 extended) for "all", None for "no data back".

    A plain class with slots: one is made for every command, and reading stays fast.
    """

    __slots__ = ("cla", "data", "ins", "le", "p1", "p2")

    def __init__(self, header: bytes, data: bytes, le: int | None) -> None:
        self.cla, self.ins, self.p1, self.p2 = header
        self.data = data
        self.le = le

    @property
    def header(self) -> bytes:
        """CLA INS P1 P2, as MACs take them."""
        return bytes((self.cla, self.ins, self.p1, self.p2))


def parse_t0(raw: bytes) -> Instruction | None:
    """A T=0 command, or None for bytes that are none.

    T=0 carries data in one direction. P3 of zero without data is "all" where the command answers
    with data; an Le behind data is dropped, as a reader drops it, and GET RESPONSE fetches the
    answer. There is no extended length.
    """
    size = len(raw)
    if size == 5:
        return Instruction(raw[:4], b"", raw[4] or _SHORT_MAX)
    if size == 4:
        return Instruction(raw, b"", _SHORT_MAX)
    if size < 4 or raw[4] == 0 or size - 5 - raw[4] not in (0, 1):
        return None
    return Instruction(raw[:4], raw[5 : 5 + raw[4]], None)


def parse_apdu(raw: bytes) -> Instruction | None:
    """A whole APDU, short or extended, as T=1 and contactless readers carry it, or None."""
    if len(raw) == 5:
        return Instruction(raw[:4], b"", raw[4] or _SHORT_MAX)
    try:
        command = Command.parse(raw)
    except MalformedApdu:
        return None
    return Instruction(raw[:4], command.data, command.le)
