"""Command and response APDUs (ISO/IEC 7816-4, 5.1 and 5.2).

A command APDU is a header CLA INS P1 P2, an optional body of Lc and data, and an optional Le.
Which of the two optional parts are present makes the four cases. Lc and Le take one byte each
(short: up to 255 bytes out, 256 bytes back) or, extended, three and two or three bytes (up to
65 535 out, 65 536 back); one command never mixes the two forms.
"""

from __future__ import annotations

from dataclasses import dataclass

from apdu.status import MalformedApdu, is_ok

SHORT_DATA_MAX = 0xFF
SHORT_LE_MAX = 0x100
EXTENDED_DATA_MAX = 0xFFFF
EXTENDED_LE_MAX = 0x10000


@dataclass(frozen=True, slots=True)
class Command:
    """A command APDU.

    `le` is the number of bytes expected back: None for none (cases 1 and 3), 256 (65 536 in an
    extended command) for "as many as there are", which travels as zero. `extended` asks for the
    extended form even where the short one would do.

    Raises `MalformedApdu` when a field is out of its range.
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    le: int | None = None
    extended: bool = False

    def __post_init__(self) -> None:
        if (self.cla | self.ins | self.p1 | self.p2) & ~0xFF:
            raise MalformedApdu("CLA, INS, P1 and P2 are one byte each")
        if len(self.data) > EXTENDED_DATA_MAX:
            raise MalformedApdu(f"{len(self.data)} bytes of command data are more than Lc can say")
        if self.le is not None and not 1 <= self.le <= EXTENDED_LE_MAX:
            raise MalformedApdu(f"Le {self.le} is outside 1..{EXTENDED_LE_MAX}")

    @property
    def case(self) -> int:
        """The case number 1 to 4 of ISO/IEC 7816-3, 12.1."""
        return 1 + (self.le is not None) + 2 * bool(self.data)

    @property
    def is_extended(self) -> bool:
        """Whether the command travels in the extended form."""
        return (
            self.extended
            or len(self.data) > SHORT_DATA_MAX
            or (self.le is not None and self.le > SHORT_LE_MAX)
        )

    def __repr__(self) -> str:
        # Never the data: they may be a PIN or the holder's.
        header = f"{self.cla:02X}{self.ins:02X}{self.p1:02X}{self.p2:02X}"
        return f"Command({header}, {len(self.data)} bytes of data, le={self.le})"

    def __bytes__(self) -> bytes:
        header = bytes((self.cla, self.ins, self.p1, self.p2))
        if self.is_extended:
            return header + self._extended_body()
        body = bytes((len(self.data),)) + self.data if self.data else b""
        if self.le is None:
            return header + body
        return header + body + bytes((self.le & 0xFF,))

    def _extended_body(self) -> bytes:
        le = b"" if self.le is None else (self.le & 0xFFFF).to_bytes(2, "big")
        if self.data:
            return b"\x00" + len(self.data).to_bytes(2, "big") + self.data + le
        return b"\x00" + le if le else b""

    @classmethod
    def parse(cls, raw: bytes) -> Command:
        """The command that `raw` encodes.

        Raises `MalformedApdu` when the lengths inside do not add up to the length of `raw`.
        """
        if len(raw) < 4:
            raise MalformedApdu(f"a command of {len(raw)} bytes has no header")
        cla, ins, p1, p2 = raw[:4]
        body = raw[4:]
        if not body:
            return cls(cla, ins, p1, p2)
        if len(body) == 1:
            return cls(cla, ins, p1, p2, le=body[0] or SHORT_LE_MAX)
        if body[0]:
            data, le = _split_body(body[1:], body[0], le_size=1)
            return cls(cla, ins, p1, p2, data, le)
        if len(body) == 3:
            return cls(cla, ins, p1, p2, le=_le(body[1:]), extended=True)
        if len(body) < 3 or body[1:3] == b"\x00\x00":
            raise MalformedApdu("Lc of zero")
        data, le = _split_body(body[3:], int.from_bytes(body[1:3], "big"), le_size=2)
        return cls(cla, ins, p1, p2, data, le, extended=True)


def _split_body(rest: bytes, lc: int, *, le_size: int) -> tuple[bytes, int | None]:
    if len(rest) == lc:
        return rest, None
    if len(rest) == lc + le_size:
        return rest[:lc], _le(rest[lc:])
    raise MalformedApdu(f"Lc says {lc} bytes, {len(rest)} follow")


def _le(field: bytes) -> int:
    return int.from_bytes(field, "big") or 1 << (8 * len(field))


@dataclass(frozen=True, slots=True)
class Response:
    """A response APDU: data, then the status word SW1 SW2."""

    data: bytes
    sw: int

    @property
    def ok(self) -> bool:
        """Whether the status word is 9000."""
        return is_ok(self.sw)

    def __repr__(self) -> str:
        return f"Response({len(self.data)} bytes of data, sw={self.sw:04X})"  # never the data

    def __bytes__(self) -> bytes:
        return self.data + self.sw.to_bytes(2, "big")

    @classmethod
    def parse(cls, raw: bytes) -> Response:
        """The response that `raw` encodes.

        Raises `MalformedApdu` when `raw` is too short to hold a status word.
        """
        if len(raw) < 2:
            raise MalformedApdu(f"an answer of {len(raw)} bytes has no status word")
        return cls(raw[:-2], int.from_bytes(raw[-2:], "big"))
