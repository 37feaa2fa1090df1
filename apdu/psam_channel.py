"""The PSAM's commands, one method each, and what is selected on it (facts 4.5).

Bytes in, bytes out; what they are good for is the business of `psam.py`. What happens to the PSAM
must never look as if it had happened to the holder's card, so every error here is one of the
security module's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from apdu.channel import CardChannel
from apdu.command import Command, Response
from apdu.connection import Connection
from apdu.crypto import MAC_LENGTH, Algorithm, fold, pad80
from apdu.layers import stack
from apdu.status import (
    CardRemoved,
    CardReset,
    MalformedApdu,
    NoAnswer,
    ReaderError,
    SamBadAnswer,
    SamNoAnswer,
    SamRemoved,
    SamStatus,
    StatusWord,
)

ENVIRONMENTS = {
    algorithm: f"sx{algorithm.value}.sh.社会保障".encode("gbk") for algorithm in Algorithm
}
"""The PSAM's environment for each algorithm: sx1.sh. for DES, sx2.sh. SSF33, sx3.sh. SM4."""
APPLICATION = bytes.fromhex("D15600000590")
APPLICATION_FID = 0xDF01
MASTER_FILE = 0x3F00
MAX_BLOCKS = 8
"""Blocks in one CIPHER DATA (Lc 40 for DES, 80 for the others)."""

_NOT_THERE = frozenset(
    {
        StatusWord.FILE_NOT_FOUND,
        StatusWord.NOT_SUPPORTED_OR_LOCKED,
        StatusWord.WRONG_P1_P2,
        StatusWord.INS_NOT_SUPPORTED,
    }
)


class CipherMode(IntEnum):
    """P1 of CIPHER DATA: what is computed, and which part of the data this is."""

    ENCRYPT_LAST = 0x00
    MAC_LAST = 0x01
    ENCRYPT_MORE = 0x02
    MAC_NEXT = 0x03
    MAC_ONLY = 0x05
    MAC_FIRST = 0x07


class PsamChannel:
    """One PSAM's commands.

    Every method may raise `SamRemoved`, `SamNoAnswer`, `SamBadAnswer` (no answer to this command)
    or `SamStatus` (a status word that it does not expect).
    """

    def __init__(self, connection: Connection) -> None:
        self._channel = CardChannel(stack(connection))
        self._current: Algorithm | None = None
        self._direct = False
        self._wants_province = False
        self._province: int | None = None

    def close(self) -> None:
        """Power the PSAM off and give its slot back."""
        self._channel.connection.close()

    def forget(self) -> None:
        """Know nothing of the PSAM any more: its power was lost, or another may be in its place."""
        self._channel.forget()
        self._direct = self._wants_province = False
        self._leave()

    # Selection and files

    def enter(self, algorithm: Algorithm) -> bool:
        """Make the application for `algorithm` current; False when the PSAM has none."""
        if self._current is algorithm:
            return True
        self._leave()
        if not self._select_application(algorithm):
            return False
        self._current = algorithm
        return True

    def public_file(self, fid: int, length: int) -> bytes:
        """A file that lies beside the applications, by its short identifier."""
        self._leave()
        self._select(0, MASTER_FILE.to_bytes(2, "big"))
        return self.file(fid, length)

    def file(self, fid: int, length: int) -> bytes:
        """A file of the current application, by its short identifier."""
        command = Command(0x00, 0xB0, 0x80 | fid & 0x1F, 0, le=length)
        return self.call(command, f"PSAM READ BINARY {fid:04X}", length)

    def get_challenge(self, length: int) -> bytes:
        """Random bytes from the PSAM."""
        return self.call(Command(0x00, 0x84, 0, 0, le=length), "PSAM GET CHALLENGE", length)

    # Session keys

    def deliver_session_key(self, use: int, number: int, data: bytes, province: int) -> int:
        """DELIVERY SESSION KEY; returns 9000, 6A80 (wrong level) or 6A88 (no such key).

        `data` are the diversification factors, the card's first, and the session factor;
        `province` is the first byte of the card id.
        """
        what = f"PSAM DELIVERY SESSION KEY {use:02X} {number:02X}"
        response = self.send_for(Command(0xBF, 0xDE, use, number, data), what, province)
        if response.sw not in (StatusWord.WRONG_DATA, StatusWord.KEY_NOT_FOUND):
            checked(response, what, 0)
        return response.sw

    def encrypt(self, algorithm: Algorithm, data: bytes) -> bytes:
        """Whole blocks enciphered with the session key."""
        size = MAX_BLOCKS * algorithm.block_size
        *parts, last = (data[at : at + size] for at in range(0, len(data), size))
        cipher = b"".join(self._cipher(CipherMode.ENCRYPT_MORE, part, len(part)) for part in parts)
        return cipher + self._cipher(CipherMode.ENCRYPT_LAST, last, len(last))

    def mac(self, algorithm: Algorithm, data: bytes) -> bytes:
        """The 4-byte MAC over `data`, which are padded here, with the session key."""
        size = MAX_BLOCKS * algorithm.block_size
        # The first block is the initial value.
        text = bytes(algorithm.block_size) + pad80(data, algorithm.block_size)
        first, *parts = (text[at : at + size] for at in range(0, len(text), size))
        if not parts:
            return self._mac_answer(algorithm, CipherMode.MAC_ONLY, first)
        self._cipher(CipherMode.MAC_FIRST, first, 0)
        for part in parts[:-1]:
            self._cipher(CipherMode.MAC_NEXT, part, 0)
        return self._mac_answer(algorithm, CipherMode.MAC_LAST, parts[-1])

    def _mac_answer(self, algorithm: Algorithm, mode: CipherMode, data: bytes) -> bytes:
        """The MAC. How long the answer is is not published: a whole block is cut down here."""
        answer = self._cipher(mode, data, MAC_LENGTH, algorithm.block_size)
        if len(answer) == MAC_LENGTH:
            return answer
        return answer[:MAC_LENGTH] if len(answer) == 8 else fold(answer, MAC_LENGTH)

    def _cipher(self, mode: CipherMode, data: bytes, *lengths: int) -> bytes:
        # The PSAM is T=0, so no Le follows the data.
        what = f"PSAM CIPHER DATA {mode:02X}"
        return self.call(Command(0x80, 0xFA, mode, 0, data), what, *lengths)

    # Any command

    def send(self, command: Command, what: str, *, alone: bool = False) -> Response:
        """Send a command and return the answer, whatever its status word.

        `alone`: nobody needs the answer's data, so nothing is sent to fetch them.
        """
        with self._as_module_errors(what):
            return self._channel.send(command, what, alone=alone)

    def send_for(self, command: Command, what: str, province: int) -> Response:
        """Send a command about a card of `province`.

        Some PSAMs want INITIALIZE ENVIRONMENT for it first: one that answers 6985 is asked again
        after it, and told in advance from then on.
        """
        self._set_province(province)
        response = self.send(command, what)
        if response.sw != StatusWord.CONDITIONS_NOT_SATISFIED or self._wants_province:
            return response
        self._wants_province = True
        self._set_province(province)
        return self.send(command, what)

    def call(self, command: Command, what: str, *lengths: int) -> bytes:
        """Send a command and return its answer's data, of one of these `lengths`."""
        return checked(self.send(command, what), what, *lengths)

    def _set_province(self, province: int) -> None:
        if not self._wants_province or province == self._province:
            return
        command = Command(0xBF, 0xEC, 0, 0, bytes((province,)))
        self.call(command, "PSAM INITIALIZE ENVIRONMENT", 0)
        self._province = province

    def _select_application(self, algorithm: Algorithm) -> bool:
        if not self._direct and self._select(4, ENVIRONMENTS[algorithm]):
            return self._select(0, APPLICATION_FID.to_bytes(2, "big"))
        if algorithm is not Algorithm.DES:
            return False
        # An old PSAM has no environments, just the DES application by its name. One that has any
        # is not asked that way: it might answer for another algorithm.
        if not self._direct and any(self._select(4, name) for name in ENVIRONMENTS.values()):
            return False
        self._direct = self._select(4, APPLICATION)
        return self._direct

    def _select(self, p1: int, data: bytes) -> bool:
        what = f"PSAM SELECT {data.hex().upper()}"
        response = self.send(Command(0x00, 0xA4, p1, 0, data), what, alone=True)
        if response.sw in _NOT_THERE:
            return False
        checked(response, what)
        return True

    def _leave(self) -> None:
        self._current = None
        self._province = None

    @contextmanager
    def _as_module_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except CardRemoved as error:
            self._leave()
            raise SamRemoved(f"{what}: the PSAM was removed") from error
        except (NoAnswer, CardReset) as error:
            self._leave()
            raise SamNoAnswer(f"{what}: the PSAM stopped answering") from error
        except MalformedApdu as error:
            self._leave()
            raise SamBadAnswer(f"{what}: the PSAM answered garbage") from error
        except ReaderError as error:
            self._leave()
            raise SamRemoved(f"{what}: the PSAM's reader does not work ({error.code})") from error


def checked(response: Response, what: str, *lengths: int) -> bytes:
    """The answer's data, which must be as long as one of `lengths` where there are any."""
    if not response.ok:
        raise SamStatus(response.sw, what)
    if lengths and len(response.data) not in lengths:
        raise SamBadAnswer(f"{what}: an answer of {len(response.data)} bytes")
    return response.data
