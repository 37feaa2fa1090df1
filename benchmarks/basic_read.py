"""Commands and bytes of a basic read, for each card version, beside the least possible.

A basic read selects the social security environment, has the card prove itself (internal
authentication), and reads EF05 and EF06. A 3.0 card opens EF06 only after external
authentication, which takes a challenge and the proof. The least possible is one command for each
of these, and with T=0 a GET RESPONSE for each answer to a command that carries data (facts 2, 4.4).
"""

from __future__ import annotations

import random

from apdu.channel import CardChannel
from apdu.layers import Counted, Layer, stack
from apdu.readers.inprocess import InProcessReader
from apdu.readers.pcsc_connection import for_t0
from apdu.sam import SoftwareSam
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.files import DIRECTORIES, file_map
from benchmarks.table import Table
from simulator.card.card import Protocol, SimulatedCard
from simulator.card.profile import load_profile

# A contact card sends 10 bits of 1/9600 s and two of guard time a byte at its first speed.
MILLISECONDS_PER_BYTE = 1.25

CARDS: tuple[tuple[str, Protocol], ...] = (
    ("adult-1.0", "T0"),
    ("adult-2.0", "T0"),
    ("adult-3.0", "T0"),
    ("contactless-3.0", "TCL"),
)

HEADER, LENGTH, STATUS = 4, 1, 2
CHALLENGE, PROOF, TOKEN = 8, 16, 8
FCI, FCI_WITHOUT_ALGORITHM = 30, 24  # a 1.0 card does not name its algorithm


class T0Framed(Layer):
    """Counts as the line does: T=0 carries no Le beside data."""

    def transmit(self, command: bytes) -> bytes:
        """Send the command in its T=0 form."""
        return self._transmit(for_t0(command))


def tables() -> list[Table]:
    """One row a card."""
    rows = [_row(profile, protocol) for profile, protocol in CARDS]
    return [
        Table(
            "Basic read: commands and bytes on the card's line",
            ("card", "line", "commands", "least", "bytes", "least", "ms at 9600 baud"),
            rows,
            (
                "bytes: commands and answers with their status words, without T=0 procedure bytes",
                "least: SELECT, internal authentication, EF05 and EF06, one command each; for 3.0",
                "a challenge and external authentication, too; with T=0 GET RESPONSE after data",
            ),
        )
    ]


def _row(profile: str, protocol: Protocol) -> tuple[str | int | float, ...]:
    t0 = protocol == "T0"
    source = random.Random(2026)
    card = SimulatedCard(load_profile(profile), random=source.randbytes, protocol=protocol)
    line = Counted(InProcessReader("bench", card).connect())
    ssc = SocialSecurityCard.select(CardChannel(stack(T0Framed(line) if t0 else line)))
    sam = SoftwareSam.development(source.randbytes)
    ssc.authenticate(sam)
    basic = ssc.read_basic(sam)
    measured = line.bytes_sent + line.bytes_received
    least = _least(basic.version, t0=t0)
    time = f"{measured * MILLISECONDS_PER_BYTE:.0f}" if t0 else "-"
    name = "T=0" if t0 else "contactless"
    return (profile, name, line.commands, len(least), measured, sum(least), time)


def _least(version: str, *, t0: bool) -> list[int]:
    """The bytes of each command that cannot be left out, command and answer together."""
    files = file_map(version)
    issuer, holder = files["SSSE", 0xEF05], files["SSSE", 0xEF06]
    fci = FCI_WITHOUT_ALGORITHM if version.startswith("1") else FCI
    commands = [
        *_with_data(len(DIRECTORIES["SSSE"].aid), fci, t0=t0),
        _reading(issuer.total),
        *_with_data(PROOF, TOKEN, t0=t0),
    ]
    if holder.read.key is not None:
        commands += [_reading(CHALLENGE), HEADER + LENGTH + PROOF + STATUS]
    return [*commands, _reading(holder.total)]


def _reading(size: int) -> int:
    return HEADER + LENGTH + size + STATUS


def _with_data(sent: int, received: int, *, t0: bool) -> list[int]:
    if t0:
        return [HEADER + LENGTH + sent + STATUS, _reading(received)]
    return [HEADER + LENGTH + sent + LENGTH + received + STATUS]
