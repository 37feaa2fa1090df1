"""Time per command, in this process and through the real pcscd, each beside a null card.

PC/SC has two regimes on a small machine, by whether daemon, card and client happen to share a
core. So the null card sits in the same slot as the simulated one, behind the same threads, and
the measurements take turns, command by command.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from apdu.channel import CardChannel
from apdu.command import Command
from apdu.connection import Connection
from apdu.layers import stack
from apdu.readers.inprocess import Chip, InProcessReader
from apdu.readers.pcsc import PcscReader
from apdu.readers.pcsc_binding import load_scard
from apdu.readers.pcsc_connection import PcscConnection
from apdu.readers.pcsc_service import Context
from apdu.ssc.files import DIRECTORIES
from benchmarks.table import Table
from simulator import pcscd
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile
from simulator.null_card import NullCard
from simulator.virtual_reader import VirtualReader

ROUNDS = 1000
PATIENCE = 10.0

SELECT_SSSE = bytes(Command(0, 0xA4, 4, 0, DIRECTORIES["SSSE"].aid, le=256))
SELECT_HOLDER = bytes(Command(0, 0xA4, 2, 0, b"\xef\x06"))
READ_NAME = bytes(Command(0, 0xB2, 0x09, 0, le=32))  # tag, length and 30 bytes of name
GET_CHALLENGE = bytes(Command(0, 0x84, 0, 0, le=8))
NULL = "null card, 32 bytes"
NULL_READ = bytes(Command(0xF0, 0xB2, 0x09, 0, le=32))
NULL_ANSWER = bytes(32) + b"\x90\x00"

Transmit = Callable[[bytes], bytes]


@dataclass(slots=True, frozen=True)
class TwoCards:
    """A chip that is a null card to commands of the class F0, and a simulated card to others."""

    card: Chip
    null: Chip

    def power_on(self) -> bytes:
        """Power up both; the answer to reset is the simulated card's."""
        self.null.power_on()
        return self.card.power_on()

    def power_off(self) -> None:
        """Cut the power of both."""
        self.null.power_off()
        self.card.power_off()

    def transmit(self, command: bytes) -> bytes:
        """The answer of the one that the class names."""
        return (self.null if command[0] == NULL_READ[0] else self.card).transmit(command)


@dataclass(slots=True)
class Measurement:
    """The times of one command over one way, in seconds."""

    way: str
    what: str
    command: bytes
    transmit: Transmit
    null: Measurement | None = None
    seconds: list[float] = field(default_factory=list)

    @property
    def microseconds(self) -> float:
        """The median."""
        return statistics.median(self.seconds) * 1e6

    @property
    def slowest(self) -> float:
        """The 99th percentile, in microseconds."""
        return sorted(self.seconds)[len(self.seconds) * 99 // 100] * 1e6


def tables() -> list[Table]:
    """One table without a daemon, one through pcscd (or the reason why not)."""
    return [_in_process(), _through_pcscd()]


def _in_process() -> Table:
    simulated, null = _simulated_card(), _null_card()
    simulated.power_on()
    _prepare(simulated.transmit)
    reader, null_reader = InProcessReader("bench", _simulated_card()), InProcessReader("null", null)
    through, nothing = reader.connect(), null_reader.connect()
    _prepare(through.transmit)
    measurements = [
        *_pair("card alone", simulated.transmit, null.transmit),
        *_pair("in-process reader", through.transmit, nothing.transmit),
        *_pair("reader and layers", stack(through).transmit, stack(nothing).transmit),
    ]
    return _table("Time per command in this process", measurements)


def _through_pcscd() -> Table:
    title = "Time per command through pcscd and the virtual reader"
    lacking = pcscd.missing()
    if lacking:
        return Table(title, notes=(f"skipped: {lacking}",))
    with (
        pcscd.PrivatePcscd() as service,
        VirtualReader(service.ports[0]) as panel,
    ):
        panel.insert(TwoCards(_simulated_card(), _null_card()))
        reader = PcscReader(service.readers[0])
        if not reader.wait_for_card(PATIENCE):
            return Table(title, notes=("skipped: pcscd does not see the card",))
        context = Context(load_scard()).open()
        connection = PcscConnection(context, reader.name, exclusive=False)
        try:
            layers = stack(connection).transmit
            _prepare(layers)
            measurements = [
                Measurement("SCardTransmit", NULL, NULL_READ, _raw(context, reader.name)),
                *_pair("PcscReader", connection.transmit, connection.transmit),
                *_pair("reader and layers", layers, layers),
                *_channel(connection),
            ]
            return _table(title, measurements)
        finally:
            connection.close()


def _pair(way: str, card: Transmit, nothing: Transmit) -> list[Measurement]:
    null = Measurement(way, NULL, NULL_READ, nothing)
    return [
        null,
        Measurement(way, "READ RECORD 32 bytes", READ_NAME, card, null),
        Measurement(way, "GET CHALLENGE 8 bytes", GET_CHALLENGE, card, null),
    ]


def _channel(connection: Connection) -> list[Measurement]:
    channel = CardChannel(stack(connection))
    nothing = Command.parse(NULL_READ)
    null = Measurement("CardChannel", NULL, b"", lambda _: channel.call(nothing, "nothing"))
    challenge = Measurement(
        "CardChannel", "GET CHALLENGE 8 bytes", b"", lambda _: channel.get_challenge(8), null
    )
    return [null, challenge]


def _table(title: str, measurements: list[Measurement]) -> Table:
    for _ in range(ROUNDS):
        for one in measurements:
            start = time.perf_counter()
            one.transmit(one.command)
            one.seconds.append(time.perf_counter() - start)
    rows = [
        (
            one.way,
            one.what,
            one.microseconds,
            f"{one.microseconds - one.null.microseconds:+.1f}" if one.null else "",
            f"{one.microseconds / one.null.microseconds:.2f}" if one.null else "",
            f"{one.slowest:.1f}",
        )
        for one in measurements
    ]
    columns = ("way", "command", "us", "over null", "x null", "99 %")
    return Table(
        title, columns, rows, (f"medians and 99th percentiles of {ROUNDS}, taken in turns",)
    )


def _simulated_card() -> SimulatedCard:
    return SimulatedCard(load_profile("adult-2.0"), random=random.Random(2026).randbytes)


def _null_card() -> NullCard:
    return NullCard(answer=lambda _: NULL_ANSWER)


def _prepare(transmit: Transmit) -> None:
    """Make the file with the holder's name the current one."""
    for command in (SELECT_SSSE, SELECT_HOLDER):
        transmit(command)


def _raw(context: Context, name: str) -> Transmit:
    """The binding's own call on the card in `name`, without a byte of ours around it."""
    scard = context.scard
    _, handle, protocol = scard.SCardConnect(
        context.handle,
        name,
        scard.SCARD_SHARE_SHARED,
        scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1,
    )

    def transmit(command: bytes) -> bytes:
        return bytes(scard.SCardTransmit(handle, protocol, list(command))[1])

    return transmit
