"""Layers on a connection. Each is itself a `Connection`, adds one thing, and knows no other.

T=0 or T=1 is not their business: a command that expects data always has its Le here. A reader
that passes T=0 bytes on as they are drops the Le behind data itself (ISO/IEC 7816-3, 12.2), as
`readers/pcsc.py` does; readers that work on whole APDUs take it as it is. What reaches this side
is the same: 61xx when the answer waits to be fetched, 6Cxx when Le was wrong.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from apdu.command import EXTENDED_LE_MAX, SHORT_LE_MAX, Command
from apdu.connection import Connection
from apdu.status import CardError, MalformedApdu, NoAnswer, describe
from apdu.trace import Atr, Reset, Trace

MAX_ANSWER = EXTENDED_LE_MAX
MAX_ROUNDS = 300
"""GET RESPONSE commands for one answer; 65 536 bytes take 256."""

_log = logging.getLogger(__name__)


def stack(connection: Connection, *, trace: Trace | None = None) -> Connection:
    """The layers a terminal works through; with a `trace`, everything is recorded in it."""
    if trace is not None:
        connection = Recorded(connection, trace)
    return GetResponse(CorrectLe(Logged(connection)))


class Layer:
    """A connection that leaves everything to the one below."""

    def __init__(self, below: Connection) -> None:
        self._below = below
        self._transmit = below.transmit

    @property
    def atr(self) -> bytes:
        """The answer to reset."""
        return self._below.atr

    def transmit(self, command: bytes) -> bytes:
        """Send one command APDU and return the response APDU."""
        return self._transmit(command)

    def transmit_alone(self, command: bytes) -> bytes:
        """The same for a command whose answer's data nobody needs; they may be left out."""
        return self.transmit(command)

    def reset(self) -> bytes:
        """Reset the card and return the new ATR."""
        return self._below.reset()

    def close(self) -> None:
        """Close the connection."""
        self._below.close()


class Recorded(Layer):
    """Writes every exchange into a trace, PINs left out."""

    def __init__(self, below: Connection, trace: Trace) -> None:
        super().__init__(below)
        self._trace = trace
        trace.add(Atr(below.atr))

    def transmit(self, command: bytes) -> bytes:
        """Send a command and record it with its answer or error."""
        sent = self._trace.now()
        try:
            answer = self._transmit(command)
        except CardError as error:
            self._trace.add_failure(command, sent, error)
            raise
        self._trace.add_answer(command, sent, answer)
        return answer

    def reset(self) -> bytes:
        """Reset the card and record it."""
        atr = super().reset()
        self._trace.add(Reset())
        self._trace.add(Atr(atr))
        return atr


class Logged(Layer):
    """Logs headers, lengths and status words at DEBUG; never data, which may be personal."""

    def transmit(self, command: bytes) -> bytes:
        """Send a command and log what kind it was and how it ended."""
        if not _log.isEnabledFor(logging.DEBUG):
            return self._transmit(command)
        header = command[:4].hex().upper()
        try:
            answer = self._transmit(command)
        except CardError as error:
            _log.debug("%s, %d bytes: %s", header, len(command), error.code)
            raise
        ended = describe(int.from_bytes(answer[-2:], "big")) if len(answer) > 1 else "cut off"
        _log.debug("%s, %d bytes: %d bytes, %s", header, len(command), len(answer), ended)
        return answer


class Counted(Layer):
    """Counts what goes over the line, for benchmarks."""

    def __init__(self, below: Connection) -> None:
        super().__init__(below)
        self.commands = 0
        self.bytes_sent = 0
        self.bytes_received = 0

    def transmit(self, command: bytes) -> bytes:
        """Send a command and count it, its bytes and those of the answer."""
        self.commands += 1
        self.bytes_sent += len(command)
        answer = self._transmit(command)
        self.bytes_received += len(answer)
        return answer


class CorrectLe(Layer):
    """Repeats a command once with the length that 6Cxx names; a second 6Cxx is the answer."""

    def transmit(self, command: bytes) -> bytes:
        """Send a command, twice if its Le was wrong."""
        answer = self._transmit(command)
        if len(answer) == 2 and answer[0] == 0x6C:
            wanted = Command.parse(command)
            if wanted.le is not None:
                return self._transmit(bytes(replace(wanted, le=answer[1] or SHORT_LE_MAX)))
        return answer


class GetResponse(Layer):
    """Fetches the rest of an answer that 61xx announces, with GET RESPONSE.

    An answer over `MAX_ANSWER` bytes or `MAX_ROUNDS` commands raises `NoAnswer`.
    """

    def transmit(self, command: bytes) -> bytes:
        """Send a command and return its whole answer."""
        answer = self._transmit(command)
        return self._fetch(answer) if answer[-2:-1] == b"\x61" else answer

    def transmit_alone(self, command: bytes) -> bytes:
        """Send a command and leave an answer that waits where it is: 61xx counts as 9000."""
        answer = self._transmit(command)
        return b"\x90\x00" if answer[-2:-1] == b"\x61" else answer

    def _fetch(self, answer: bytes) -> bytes:
        data = bytearray(answer[:-2])
        for _ in range(MAX_ROUNDS):
            answer = self._transmit(b"\x00\xc0\x00\x00" + answer[-1:])
            if len(answer) < 2:
                raise MalformedApdu(f"GET RESPONSE: an answer of {len(answer)} bytes")
            data += answer[:-2]
            if len(data) > MAX_ANSWER:
                raise NoAnswer(f"GET RESPONSE: more than {MAX_ANSWER} bytes")
            if answer[-2] != 0x61:
                return bytes(data) + answer[-2:]
        raise NoAnswer(f"GET RESPONSE: no end after {MAX_ROUNDS} commands")
