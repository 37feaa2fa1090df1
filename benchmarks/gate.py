"""A tap's budget: commands and bytes, the line's time by the model, our own time, taps sustained.

Our own time is everything but the card's: a tap on a simulated card, less what the same commands
take on it alone. The durable record is in it. `SSCT_TAP_MINUTES`
lets the sustained run last longer than the moment it takes here; ten minutes is what a gate must
stand.
"""

from __future__ import annotations

import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from apdu.connection import Connection
from apdu.layers import stack
from apdu.link import ContactlessLink, Measured, milliseconds
from apdu.readers.inprocess import InProcessReader
from apdu.readers.pcsc import PcscReader
from benchmarks.table import Table
from simulator import pcscd
from simulator.gate_stage import Deny, Stage, purse_card, stage
from simulator.virtual_reader import VirtualReader
from terminal.gate.place import Mode

TAPS, WARM_UP = 300, 20
CARDS = 20
PATIENCE = 10.0
LINES = (ContactlessLink(1), ContactlessLink(2))
CARD_MS = (0, 50, 100)
"""What a card may take for its own work in one tap, in milliseconds: a parameter, not a fact."""


def tables() -> list[Table]:
    """The tables of the gate."""
    return [_line(), _own(), _through_pcscd(), _sustained()]


@contextmanager
def _bus() -> Iterator[Stage]:
    with tempfile.TemporaryDirectory() as directory, stage(Path(directory), Mode.SINGLE) as bus:
        yield bus


def _line() -> Table:
    """Commands and bytes of a tap against the least, and their time on the line."""
    with _bus() as bus:
        card = purse_card(balance_fen=1_000_000)
        measured = Measured(InProcessReader("gate", card).connect())
        result = bus.gate.tap(measured)
        assert result.opens
        exchanges = measured.exchanges
    sizes = sum(exchange.size for exchange in exchanges)
    rows: list[tuple[str | int | float, ...]] = [
        ("commands, least 6", len(exchanges), "", ""),
        ("bytes to and fro", sizes, "", ""),
    ]
    for own in CARD_MS:
        spent = [milliseconds(exchanges, line) + own for line in LINES]
        rows.append((f"ms, the card itself taking {own}", "", *spent))
    return Table(
        "A tap on the line (model)",
        ("what", "count", "106 kbit/s", "212 kbit/s"),
        [tuple(str(cell) if cell == "" else cell for cell in row) for row in rows],
        (
            "The least: SELECT, the rail record, INITIALIZE, two records, DEBIT. A gate that kept "
            "no record on the card could leave out three.",
            "The standard allows 400 ms for the whole tap (facts 5.3).",
        ),
    )


def _own() -> Table:
    """Our own time of a tap in this process, beside the bare commit of the same file."""
    card = purse_card(balance_fen=10_000_000)
    connection = InProcessReader("gate", card).connect()
    return _measured("Our time of a tap in this process, milliseconds", connection)


def _through_pcscd() -> Table:
    """The same with the card behind the real PC/SC service."""
    title = "Our time of a tap through pcscd, milliseconds"
    lacking = pcscd.missing()
    if lacking:
        return Table(title, notes=(f"skipped: {lacking}",))
    with pcscd.PrivatePcscd() as service, VirtualReader(service.ports[0]) as panel:
        panel.insert(purse_card(balance_fen=10_000_000))
        reader = PcscReader(service.readers[0])
        if not reader.wait_for_card(PATIENCE):
            return Table(title, notes=("skipped: pcscd does not see the card",))
        connection = reader.connect()
        try:
            return _measured(title, connection)
        finally:
            connection.close()


def _measured(title: str, connection: Connection) -> Table:
    with _bus() as bus:
        taps = [_timed_tap(bus, connection) for _ in range(TAPS + WARM_UP)][WARM_UP:]
        alone = [_card_alone(connection) for _ in range(TAPS)]
        commits = [_timed_commit(bus) for _ in range(TAPS)]
    own = [tap - statistics.median(alone) for tap in taps]
    rows = [
        ("a tap, card and line included", *_spread(taps)),
        ("the six commands alone", *_spread(alone)),
        ("our own part", *_spread(own)),
        ("one bare commit of the same file", *_spread(commits)),
    ]
    return Table(
        title,
        ("what", "median", "99th percentile"),
        rows,
        (f"{TAPS} taps; in each, one commit waits for the disk and one does not.",),
    )


def _sustained() -> Table:
    """Taps a minute for as long as asked, a million cards listed, new lists coming in."""
    seconds = 60.0 * float(os.environ.get("SSCT_TAP_MINUTES", "0.1"))
    with _bus() as bus:
        chance = random.Random(4)
        bus.deny.numbers = {
            f"3102990100{n:09d}" for n in chance.sample(range(10**6, 10**9), 1_000_000)
        }
        cards = [purse_card(n, balance_fen=100_000_000) for n in range(1, CARDS + 1)]
        done, taps, swaps = threading.Event(), 0, 0

        def listing() -> None:
            nonlocal swaps
            while not done.wait(0.5):
                changed = Deny(bus.deny.version, bus.clock.now(), set(bus.deny.numbers))
                changed.numbers.add(f"3102990100{999_000_000 + swaps:09d}")
                bus.gate.deny = changed
                swaps += 1

        thread = threading.Thread(target=listing, daemon=True)
        thread.start()
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            bus.clock.advance(timedelta(seconds=40))
            if taps % 500 == 0:
                bus.book.sent(bus.book.to_send(bus.clock.now(), 10_000))
                bus.gate.deny = Deny(1, bus.clock.now(), bus.deny.numbers)
            result = bus.tap(cards[taps % CARDS])
            assert result.opens, result
            taps += 1
        spent = time.perf_counter() - start
        done.set()
        thread.join()
    return Table(
        "Taps sustained",
        ("what", "value"),
        [
            ("taps a minute", round(taps * 60 / spent)),
            ("seconds", round(spent)),
            ("lists put in force meanwhile, of a million entries", swaps),
        ],
        ("SSCT_TAP_MINUTES=10 runs it for ten minutes.",),
    )


def _timed_tap(bus: Stage, connection: Connection) -> float:
    bus.clock.advance(timedelta(seconds=40))
    bus.deny.issued_at = bus.clock.now()
    start = time.perf_counter()
    result = bus.gate.tap(connection)
    spent = time.perf_counter() - start
    assert result.opens, result
    return spent * 1000


def _card_alone(connection: Connection) -> float:
    """The same six commands, with nobody computing: the debit is refused, which is as much work."""
    transmit = stack(connection).transmit
    commands = [bytes.fromhex(text) for text in _SIX]
    start = time.perf_counter()
    for command in commands:
        transmit(command)
    return (time.perf_counter() - start) * 1000


def _timed_commit(bus: Stage) -> float:
    start = time.perf_counter()
    with bus.store.writing() as connection:
        connection.exec_driver_sql("UPDATE tap SET at = at WHERE id = 1")
    return (time.perf_counter() - start) * 1000


def _spread(values: list[float]) -> tuple[float, float]:
    ordered = sorted(values)
    return statistics.median(ordered), ordered[int(len(ordered) * 0.99) - 1]


_SIX = (
    "00A4040008A00000063201010500",
    "00B201D480",
    "805003020B0100000000990100000001" + "0F",
    "80DC01D480" + "00" * 128,
    "80DC00F430" + "00" * 48,
    "805401000F" + "00" * 15 + "08",
)
