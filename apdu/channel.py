"""The commands of the card, one method each, over a stacked connection (facts 2, 3.9 and 5).

Bytes in, bytes out: what the bytes mean is the business of `ssc/`. The connection handed in is
the one that `layers.stack` builds, so 61xx and 6Cxx have been dealt with below.
"""

from __future__ import annotations

from collections.abc import Collection

from apdu.command import EXTENDED_LE_MAX, SHORT_LE_MAX, Command, Response
from apdu.connection import Connection
from apdu.layers import Layer
from apdu.pin import Pin
from apdu.status import (
    ApplicationLocked,
    CardError,
    MalformedApdu,
    PinBlocked,
    PinWrong,
    StatusError,
    StatusWord,
    tries_left,
)

SELECT = 0xA4
READ_BINARY = 0xB0
READ_RECORD = 0xB2
UPDATE_BINARY = 0xD6
UPDATE_RECORD = 0xDC
GET_CHALLENGE = 0x84
INTERNAL_AUTHENTICATE = 0x88
EXTERNAL_AUTHENTICATE = 0x82
VERIFY = 0x20
CHANGE_PIN = 0x5E

_AS_MANY_AS_THERE_ARE = SHORT_LE_MAX
_LOCKED_ON_SELECT = frozenset(
    {
        StatusWord.APPLICATION_LOCKED,
        StatusWord.NOT_SUPPORTED_OR_LOCKED,
        StatusWord.APPLICATION_BLOCKED_WARNING,
    }
)
_FORM_NOT_SUPPORTED = frozenset({StatusWord.WRONG_P1_P2, StatusWord.INS_NOT_SUPPORTED})


class CardChannel:
    """One card's commands, and what is selected on it.

    The channel remembers the current DF and EF, so that nothing selected is selected again. It
    forgets them on a reset, on a failed SELECT, after any error of the line, and the EF after a
    command that names another one by its short identifier.

    Every method raises the errors of `Connection.transmit`, `MalformedApdu` for an answer that is
    too short or longer than asked for, `ApplicationLocked` for 9303, and `StatusError` for any
    status word it does not expect. Messages name the command, never its data.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._alone = connection.transmit
        if isinstance(connection, Layer):
            self._alone = connection.transmit_alone
        self._df: bytes | int | None = None
        self._df_answer: bytes | None = None
        self._ef: int | None = None

    @property
    def connection(self) -> Connection:
        """The connection below."""
        return self._connection

    @property
    def atr(self) -> bytes:
        """The card's answer to reset."""
        return self._connection.atr

    @property
    def current_df(self) -> bytes | int | None:
        """The DF selected last, as its name or its FID; None when it is not known."""
        return self._df

    @property
    def current_ef(self) -> int | None:
        """The FID of the EF selected last; None when it is not known."""
        return self._ef

    def reset(self) -> bytes:
        """Reset the card and return its new ATR. Everything selected or authenticated is lost."""
        self.forget()
        return self._connection.reset()

    def forget(self) -> None:
        """Forget what is selected: the next selection goes to the card."""
        self._df = self._ef = None
        self._df_answer = None

    # Any command

    def send(self, command: Command, what: str, *, alone: bool = False) -> Response:
        """Send a command and return the answer, whatever its status word.

        `what` names the command in error messages; it must not hold command data. `alone`: nobody
        needs the answer's data, so nothing is sent to fetch them.
        """
        self._forget_what_may_change(command)
        try:
            raw = (self._alone if alone else self._connection.transmit)(bytes(command))
            if len(raw) < 2:
                raise MalformedApdu(f"{what}: an answer of {len(raw)} bytes has no status word")
            if len(raw) - 2 > _most(command):
                raise MalformedApdu(f"{what}: {len(raw) - 2} bytes are more than was asked for")
        except CardError:
            self.forget()
            raise
        return Response.parse(raw)

    def call(self, command: Command, what: str, *, ok: Collection[int] = (0x9000,)) -> bytes:
        """Send a command and return its answer's data; any status word outside `ok` raises."""
        response = self.send(command, what)
        if response.sw in ok:
            return response.data
        if response.sw == StatusWord.APPLICATION_LOCKED:
            raise ApplicationLocked(f"{what}: {response.sw:04X}")
        raise StatusError(response.sw, what)

    # SELECT (facts 2)

    def select_name(self, name: bytes, *, fci: bool = True) -> bytes:
        """Select a DF by its name (AID) and return its FCI.

        Where the FCI is not needed (`fci` False), a T=0 card is spared the GET RESPONSE, and
        what is returned may be empty. Raises `ApplicationLocked` on 9303, 6A81 and 6283.
        """
        return self._select_df(name, 0x04, name, fci=fci)

    def select_fid(self, fid: int) -> bytes:
        """Select by file identifier: an EF (EFxx) below the current DF, else a DF or the MF.

        An EF is selected with P1 02, and with P1 00 where the card does not know that form; both
        are in wide use. Returns the FCI; an EF has none and is not asked for one.
        Raises `ApplicationLocked` on 9303, 6A81 and 6283.
        """
        if fid >> 8 == 0xEF:
            return self._select_ef(fid)
        return self._select_df(fid, 0x00, fid.to_bytes(2, "big"))

    # Records (facts 3.9); `sfi` 0 means the current EF

    def read_record(self, p1: int, p2: int, le: int = _AS_MANY_AS_THERE_ARE) -> bytes:
        """READ RECORD with P1 and P2 as given. Le is the record's length with tag and length."""
        return self.call(Command(0, READ_RECORD, p1, p2, le=le), f"READ RECORD {p1:02X} {p2:02X}")

    def read_record_by_tag(
        self, tag: int, *, sfi: int = 0, le: int = _AS_MANY_AS_THERE_ARE
    ) -> bytes:
        """The first record with this tag."""
        return self.read_record(tag, sfi << 3, le)

    def read_record_by_number(
        self, number: int, *, sfi: int = 0, le: int = _AS_MANY_AS_THERE_ARE
    ) -> bytes:
        """The record of this number, counted from 1; in a cyclic file 1 is the newest."""
        return self.read_record(number, sfi << 3 | 0x04, le)

    def read_file_records(self, sfi: int, total: int) -> bytes:
        """All records from number 1 to the last in one command.

        `total` is the length of the file, at most 256 bytes; a longer file is read by record.
        """
        return self.read_record(1, sfi << 3 | 0x05, total)

    def update_record_by_tag(self, tag: int, record: bytes, *, sfi: int = 0) -> None:
        """Write a record, given with tag and length, over the one with this tag."""
        self._update_record(tag, sfi << 3, record)

    def update_record_by_number(self, number: int, record: bytes, *, sfi: int = 0) -> None:
        """Write a record, given with tag and length where the file has them, by its number."""
        self._update_record(number, sfi << 3 | 0x04, record)

    def append_record(self, record: bytes, *, sfi: int = 0) -> None:
        """Write a new newest record into a cyclic file (P2: previous instance)."""
        self._update_record(0, sfi << 3 | 0x03, record)

    # Transparent files (facts 3.9); with `sfi` the offset has 8 bits, without it 15

    def read_binary(
        self, offset: int = 0, le: int = _AS_MANY_AS_THERE_ARE, *, sfi: int | None = None
    ) -> bytes:
        """Up to `le` bytes from `offset`."""
        p1, p2 = _offset(offset, sfi)
        return self.call(Command(0, READ_BINARY, p1, p2, le=le), f"READ BINARY {p1:02X} {p2:02X}")

    def update_binary(self, offset: int, data: bytes, *, sfi: int | None = None) -> None:
        """Write `data`, at most 255 bytes, from `offset` on."""
        p1, p2 = _offset(offset, sfi)
        self.call(Command(0, UPDATE_BINARY, p1, p2, data), f"UPDATE BINARY {p1:02X} {p2:02X}")

    # Authentication (facts 5)

    def get_challenge(self, length: int = 8) -> bytes:
        """`length` random bytes (4, 8 or 16) from the card, which remembers the last it gave."""
        challenge = self.call(Command(0, GET_CHALLENGE, 0, 0, le=length), "GET CHALLENGE")
        if len(challenge) != length:
            raise MalformedApdu(f"GET CHALLENGE: {len(challenge)} bytes instead of {length}")
        return challenge

    def internal_authenticate(self, data: bytes) -> bytes:
        """The card's cryptogram over `data` (factor 8, original 8, perhaps a key version)."""
        command = Command(0, INTERNAL_AUTHENTICATE, 0, 0, data, le=_AS_MANY_AS_THERE_ARE)
        return self.call(command, "INTERNAL AUTHENTICATE")

    def external_authenticate(self, key_id: int, data: bytes) -> None:
        """Prove with `data` (authentication data 8, original 8) that we hold a key.

        Raises `StatusError`: 63Cx tries of this key left, 6983 key blocked, 6984 no challenge.
        """
        what = f"EXTERNAL AUTHENTICATE with key {key_id:02X}"
        self.call(Command(0, EXTERNAL_AUTHENTICATE, 0, key_id, data), what)

    def verify(self, pin: Pin | None) -> int | None:
        """Present the PIN, or, with None, ask how many tries are left.

        Answers to the question: the number of tries (0: blocked), or None when the card wants no
        PIN. Presenting a PIN returns None, or raises `PinWrong` or `PinBlocked`.
        """
        if pin is None:
            return self._pin_tries()
        self._pin_command(Command(0, VERIFY, 0, 0, pin.packed()), "VERIFY")
        return None

    def change_pin(self, old: Pin | None, new: Pin | None) -> None:
        """Change the PIN; None stands for "no PIN", before or after.

        Raises `PinWrong` or `PinBlocked` for the old one, `StatusError` 6A80 for the new one.
        """
        data = (old.packed() if old else b"") + b"\xff" + (new.packed() if new else b"")
        self._pin_command(Command(0x80, CHANGE_PIN, 1, 0, data), "CHANGE PIN")

    def _pin_tries(self) -> int | None:
        # Lc of zero. T=0 sends the same five bytes for a header alone, and raw readers do not
        # all add the fifth byte, so it is always there.
        query = Command(0, VERIFY, 0, 0, le=SHORT_LE_MAX)
        sw = self.send(query, "VERIFY query").sw
        if sw == StatusWord.AUTHENTICATION_BLOCKED:
            return 0
        left = tries_left(sw)
        if left is None and sw != StatusWord.OK:
            raise StatusError(sw, "VERIFY query")
        return left

    def _pin_command(self, command: Command, what: str) -> None:
        try:
            self.call(command, what)
        except StatusError as error:
            left = tries_left(error.sw)
            if error.sw == StatusWord.AUTHENTICATION_BLOCKED or left == 0:
                raise PinBlocked(f"{what}: {error.sw:04X}") from None
            if left is not None:
                raise PinWrong(left) from None
            raise

    def _update_record(self, p1: int, p2: int, record: bytes) -> None:
        self.call(Command(0, UPDATE_RECORD, p1, p2, record), f"UPDATE RECORD {p1:02X} {p2:02X}")

    def _select_df(self, key: bytes | int, p1: int, data: bytes, *, fci: bool = True) -> bytes:
        if self._df != key or (fci and self._df_answer is None):
            answer = self._select(p1, data, le=_AS_MANY_AS_THERE_ARE if fci else None)
            self._df, self._df_answer = key, answer if fci else None
        return self._df_answer or b""

    def _select_ef(self, fid: int) -> bytes:
        if self._ef == fid:
            return b""
        df, df_answer = self._df, self._df_answer
        data = fid.to_bytes(2, "big")
        try:
            answer = self._select(0x02, data)
        except StatusError as error:
            if error.sw not in _FORM_NOT_SUPPORTED:
                raise
            answer = self._select(0x00, data)
        self._df, self._df_answer, self._ef = df, df_answer, fid
        return answer

    def _select(self, p1: int, data: bytes, *, le: int | None = None) -> bytes:
        command = Command(0, SELECT, p1, 0, data, le)
        what = f"SELECT {data.hex().upper()}"
        response = self.send(command, what, alone=le is None)
        if response.sw in _LOCKED_ON_SELECT:
            raise ApplicationLocked(f"{what}: {response.sw:04X}")
        if not response.ok:
            raise StatusError(response.sw, what)
        return response.data

    def _forget_what_may_change(self, command: Command) -> None:
        ins = command.ins
        if ins == SELECT:
            self.forget()
            return
        if ins in (READ_RECORD, UPDATE_RECORD):
            sfi = command.p2 >> 3
        elif ins in (READ_BINARY, UPDATE_BINARY) and command.p1 & 0x80:
            sfi = command.p1 & 0x1F
        else:
            return
        if sfi and self._ef is not None and sfi != self._ef & 0x1F:
            self._ef = None


def _most(command: Command) -> int:
    """The most bytes of data that answer `command`: its Le, unless that means "all"."""
    le = command.le
    return EXTENDED_LE_MAX if le is None or le == SHORT_LE_MAX else le


def _offset(offset: int, sfi: int | None) -> tuple[int, int]:
    if sfi is not None:
        if not 0 <= offset <= 0xFF:
            raise MalformedApdu(f"offset {offset} does not fit beside a short identifier")
        return 0x80 | sfi, offset
    if not 0 <= offset <= 0x7FFF:
        raise MalformedApdu(f"offset {offset} is outside 0..32767")
    return offset >> 8, offset & 0xFF
