"""What a MAC costs the terminal: UPDATE RECORD of 32 bytes, plain and under secure messaging.

A card that answers without doing anything stands below, so that only our own layers are measured.
A secured command takes a challenge first; both commands' layers are in its time.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable

from apdu.channel import CardChannel
from apdu.crypto import Algorithm
from apdu.layers import stack
from apdu.sam import CardIdentity, KeyName, SoftwareSam
from apdu.secure import SecureMessaging
from benchmarks.table import Table

ROUNDS = 2000
RECORD = b"\x09\x1e" + bytes(30)
HISTORICAL = bytes.fromhex("0081544C928699990100000001")
CARD_ID = bytes.fromhex("990100D156000005C0000001FFFFFFFF")
CHALLENGE_ANSWER = bytes(8) + b"\x90\x00"
DONE = b"\x90\x00"
GET_CHALLENGE = 0x84

Write = Callable[[], None]


class NoCard:
    """A connection to nothing: a challenge of zeros, and 9000 to the rest."""

    atr = b"\x3b\x6d\x00\x00" + HISTORICAL

    def transmit(self, command: bytes) -> bytes:
        """The answer, at once."""
        return CHALLENGE_ANSWER if command[1] == GET_CHALLENGE else DONE

    def reset(self) -> bytes:
        """The answer to reset."""
        return self.atr

    def close(self) -> None:
        """Nothing to close."""


def tables() -> list[Table]:
    """One row an algorithm."""
    rows = [_row(algorithm) for algorithm in (Algorithm.DES, Algorithm.SM4)]
    return [
        Table(
            "UPDATE RECORD, 32 bytes: the terminal's own time",
            ("card", "plain us", "secured us", "added us"),
            rows,
            (f"medians of {ROUNDS}, taken in turns; added: challenge, session key, MAC",),
        )
    ]


def _row(algorithm: Algorithm) -> tuple[str, float, float, float]:
    channel = CardChannel(stack(NoCard()))
    card = CardIdentity(algorithm, CARD_ID, HISTORICAL)
    sam = SoftwareSam.development(random.Random(2026).randbytes)
    secure = SecureMessaging(channel, card, sam, KeyName.STK)
    plain, secured = _medians(
        lambda: channel.update_record_by_tag(0x09, RECORD, sfi=0x06),
        lambda: secure.update_record_by_tag(0x09, RECORD, sfi=0x06),
    )
    return algorithm.name, plain, secured, secured - plain


def _medians(*writes: Write) -> list[float]:
    """Microseconds a call."""
    seconds: list[list[float]] = [[] for _ in writes]
    for _ in range(ROUNDS):
        for write, times in zip(writes, seconds, strict=True):
            start = time.perf_counter()
            write()
            times.append(time.perf_counter() - start)
    return [statistics.median(times) * 1e6 for times in seconds]
