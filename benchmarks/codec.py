"""Taking apart what the card says: a strict BER-TLV tree of a 28-byte FCI, and a whole record file.

Beside each, the least that any parser does: one copy of the bytes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

from apdu.tlv import Tlv, parse_records
from benchmarks.table import Table

ROUNDS = 5000
FCI = bytes.fromhex("6F1C840F7378312E73682EC9E7BBE1B1A3D5CFA50988011E9F0C03860103")
RECORDS = bytes.fromhex("0110") + bytes(16) + bytes.fromhex("020133 0304322E3030")

Work = Callable[[], object]


def tables() -> list[Table]:
    """One row a structure."""
    work: tuple[tuple[str, Work, bytes], ...] = (
        ("FCI, strict BER-TLV tree", lambda: Tlv.parse(FCI), FCI),
        ("record file, 3 records", lambda: parse_records(RECORDS), RECORDS),
    )
    rows = []
    for name, parse, raw in work:
        ours, copy = _medians(parse, partial(bytearray, raw))
        rows.append((name, len(raw), ours, copy))
    columns = ("structure", "bytes", "us", "copy us")
    return [Table("TLV", columns, rows, (f"medians of {ROUNDS}, taken in turns",))]


def _medians(*work: Work) -> list[float]:
    """Microseconds a call."""
    seconds: list[list[float]] = [[] for _ in work]
    for _ in range(ROUNDS):
        for one, times in zip(work, seconds, strict=True):
            start = time.perf_counter()
            one()
            times.append(time.perf_counter() - start)
    return [statistics.median(times) * 1e6 for times in seconds]
