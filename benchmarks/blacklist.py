"""The blacklist beside a plain SQLite table and a Python set: size, memory, look-up, start, delta.

The cards listed are one in twenty of those issued, under a dozen different terms. Of ours and of
the table a look-up gives everything that is known of the card; the set says only yes or no. Each
structure is read by a process of its own; its memory is what that grew by. `SSCT_BENCH_ENTRIES`
names other sizes than the 10 thousand to 1 million that are measured without it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from backend_client.blacklist import Blacklist
from backend_client.entry_lookup import Lookup
from backend_client.entry_set import EntrySet, cards_of
from backend_client.list_messages import Coverage, Terms
from backend_client.messages import ListingReason
from benchmarks.table import Table
from terminal.store.blacklist import BlacklistStore
from terminal.store.store import Store

SIZES = (10_000, 100_000, 1_000_000)
ISSUED = 20
CHANGES = 10_000
ROUNDS = 7
ASKED = 20_000
NOW = datetime(2026, 3, 16, 9, tzinfo=UTC)
REGION = 0x310000
NUMBER = "A00000000"
PACKED, CARDS, QUESTIONS, DATABASE = "packed", "cards", "questions", "list.sqlite"
KINDS = ("ours", "SQLite table", "Python set")

Found = dict[str, Any]


def tables() -> list[Table]:
    """One row a size and structure, and what a delta costs."""
    wanted = os.environ.get("SSCT_BENCH_ENTRIES")
    sizes = tuple(int(size) for size in wanted.split(",")) if wanted else SIZES
    found = {size: _measured(size) for size in sizes}
    rows = [
        (size, kind, *(one[name] for name in ("bytes", "memory", "miss", "hit", "start")))
        for size, kinds in found.items()
        for kind, one in kinds.items()
    ]
    columns = ("entries", "structure", "MB", "memory MB", "miss us", "hit us", "start ms")
    notes = (
        f"medians of {ROUNDS} rounds; MB = 10^6 bytes on the wire or on disk; start: from bytes or "
        "file to the first answer",
    )
    delta_rows = [
        (
            size,
            _changes(size),
            kinds["ours"]["delta"],
            kinds["ours"]["one"],
            kinds["ours"]["process"],
        )
        for size, kinds in found.items()
    ]
    delta_columns = ("entries", "changes", "all ms", "one ms", "process to decision ms")
    delta_notes = (
        "taken from the signed bytes, verified, applied and durable; the last column is a new "
        "process, with Python, the store and the first look-up",
    )
    return [
        Table("Blacklist", columns, rows, notes),
        Table("Blacklist, deltas and start", delta_columns, delta_rows, delta_notes),
    ]


def _measured(size: int) -> dict[str, Found]:
    """Each structure in a process of its own, from files that another process has written."""
    with TemporaryDirectory() as directory:
        _run("prepare", directory, size)
        return {kind: json.loads(_run("measure", directory, size, kind)) for kind in KINDS}


def _run(function: str, *arguments: object) -> str:
    code = f"import benchmarks.blacklist as b; b.{function}(*{arguments!r})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    return done.stdout


def prepare(directory: str, size: int) -> None:
    """Write the list in each form, and the questions, for the processes that measure."""
    place = Path(directory)
    groups = _groups(size)
    (place / PACKED).write_bytes(EntrySet(groups).encode())
    cards = [card for group in groups.values() for card in group]
    (place / CARDS).write_bytes(b"".join(card.to_bytes(8, "little") for card in cards))
    (place / QUESTIONS).write_text(json.dumps(_questions(size)), "ascii")
    database = sqlite3.connect(place / DATABASE)
    database.execute(
        "CREATE TABLE entry (card INTEGER PRIMARY KEY, reason TEXT, scope TEXT, action TEXT, "
        "valid_until TEXT)"
    )
    for terms, some in groups.items():
        until = terms.valid_until.isoformat() if terms.valid_until else None
        said = (terms.reason, " ".join(terms.scope), terms.action, until)
        rows = ((card, *said) for card in some)
        database.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", rows)
    database.commit()
    database.close()


def measure(directory: str, size: int, kind: str) -> None:
    """Measure one structure, in this process, and print what was found as JSON."""
    work = {"ours": _ours, "SQLite table": _sqlite, "Python set": _set}
    print(json.dumps(work[kind](size, Path(directory))))


def _ours(size: int, place: Path) -> Found:
    packed = (place / PACKED).read_bytes()
    hits, misses = json.loads((place / QUESTIONS).read_text("ascii"))
    before = _resident()
    started = time.perf_counter()
    lookup = Lookup(EntrySet.decode(packed))
    lookup.find(_card_id(0), NUMBER)
    start = (time.perf_counter() - started) * 1e3
    found = {
        "bytes": len(packed) / 1e6,
        "memory": _resident() - before,
        "miss": _median(lambda card: lookup.find(card, NUMBER), misses),
        "hit": _median(lambda card: lookup.find(card, NUMBER), hits),
        "start": start,
    }
    return found | _durable(EntrySet.decode(packed), size, place / "store")


def _durable(entries: EntrySet, size: int, directory: Path) -> Found:
    """What a delta costs from its signed bytes to the disk, and a start of the program."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from backend_client.blacklist import Trust, apply_documents
    from backend_client.list_issue import sign_delta
    from backend_client.messages import PublicKey

    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    trust = Trust("bench", (PublicKey("key", key.public_key().public_bytes_raw()),))

    def version(number: int, these: EntrySet) -> Blacklist:
        coverage = Coverage(("310000",), NOW)
        ends = NOW + timedelta(days=7)
        return Blacklist("bench", number, these.hash, NOW, ends, coverage, these)

    def apply(store: BlacklistStore, held: Blacklist, after: Blacklist) -> float:
        document = sign_delta(held, after, "key", key)
        started = time.perf_counter()
        new = apply_documents(held, [document], trust, NOW).list
        assert new is not None
        store.apply(new, NOW)
        return (time.perf_counter() - started) * 1e3

    terms = Terms("formal_loss", ("social_security",), "refuse")
    random = Random(2)
    times: dict[str, list[float]] = {"delta": [], "one": []}
    with Store.open(directory, random=random.randbytes, key=bytes(32)) as opened:
        store = BlacklistStore(opened)
        held = version(1, entries)
        store.apply(held, NOW)
        for name, count in (("one", 1), ("delta", _changes(size) // 2)):
            for _ in range(ROUNDS):
                gone = random.sample(sorted(held.entries.groups[terms]), count)
                new = [(REGION << 32) | random.randrange(size * ISSUED, 2**32) for _ in gone]
                left = held.entries.minus(EntrySet({terms: cards_of(gone)}))
                after = version(held.version + 1, left.union(EntrySet({terms: cards_of(new)})))
                times[name].append(apply(store, held, after))
                held = after
    return {name: statistics.median(some) for name, some in times.items()} | {
        "process": statistics.median(_start(directory) for _ in range(3))
    }


def _changes(size: int) -> int:
    """How many changes are measured: half removals, half additions, of one kind of listing."""
    return min(CHANGES, size // 5)


def _start(directory: Path) -> float:
    code = (
        "from pathlib import Path; from terminal.store.store import Store;"
        "from terminal.store.blacklist import BlacklistStore; import secrets;"
        f"s = Store.open(Path({str(directory)!r}), random=secrets.token_bytes, key=bytes(32));"
        f"BlacklistStore(s).find({_card_id(0)!r}, {NUMBER!r})"
    )
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])
    return (time.perf_counter() - started) * 1e3


def _sqlite(_size: int, place: Path) -> Found:
    file = place / DATABASE
    hits, misses = _numbers(place)
    before = _resident()
    started = time.perf_counter()
    database = sqlite3.connect(file)

    def find(card: int) -> object:
        question = "SELECT reason, scope, action, valid_until FROM entry WHERE card = ?"
        return database.execute(question, (card,)).fetchone()

    find(0)
    start = (time.perf_counter() - started) * 1e3
    found = {
        "bytes": file.stat().st_size / 1e6,
        "miss": _median(find, misses),
        "hit": _median(find, hits),
        "start": start,
        "memory": _resident() - before,
    }
    database.close()
    return found


def _set(_size: int, place: Path) -> Found:
    packed = (place / CARDS).read_bytes()
    hits, misses = _numbers(place)
    before = _resident()
    started = time.perf_counter()
    held = {card for (card,) in struct.iter_unpack("<Q", packed)}
    start = (time.perf_counter() - started) * 1e3
    return {
        "bytes": len(packed) / 1e6,
        "memory": _resident() - before,
        "miss": _median(held.__contains__, misses),
        "hit": _median(held.__contains__, hits),
        "start": start,
    }


def _numbers(place: Path) -> list[list[int]]:
    asked = json.loads((place / QUESTIONS).read_text("ascii"))
    return [[_number(card) for card in some] for some in asked]


def _serials(size: int) -> list[int]:
    return Random(1).sample(range(size * ISSUED), size)


def _groups(size: int) -> dict[Terms, Any]:
    """Six in ten void, then losses, stopped and frozen cards, and temporary losses of six days."""
    shares: tuple[tuple[ListingReason, float], ...] = (
        ("void", 0.6),
        ("formal_loss", 0.25),
        ("stopped", 0.1),
        ("freeze", 0.01),
        ("fraud", 0.005),
    )
    serials = _serials(size)
    groups = {}
    at = 0
    for reason, share in shares:
        end = at + int(size * share)
        groups[Terms(reason, ("social_security",), "refuse")] = serials[at:end]
        at = end
    for day in range(6):
        ends = NOW + timedelta(days=day)
        terms = Terms("temporary_loss", ("social_security",), "refuse", None, ends)
        groups[terms] = serials[at:][day::6]
    return {
        terms: cards_of(REGION << 32 | serial for serial in some) for terms, some in groups.items()
    }


def _questions(size: int) -> tuple[list[str], list[str]]:
    """Card ids that are listed, of every kind, and as many that are not."""
    serials = _serials(size)
    listed = set(serials)
    random = Random(3)
    hits = random.choices(serials, k=ASKED)
    misses = [n for n in random.choices(range(size * ISSUED), k=ASKED) if n not in listed]
    return [_card_id(n) for n in hits], [_card_id(n) for n in misses]


def _card_id(serial: int) -> str:
    return f"{REGION:06x}d156000005{serial:08x}ffffffff"


def _number(card_id: str) -> int:
    return REGION << 32 | int(card_id[16:24], 16)


def _median(ask: Callable[[Any], object], questions: list[Any]) -> float:
    """Microseconds a question, the median over rounds."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for question in questions:
            ask(question)
        rounds.append((time.perf_counter() - started) / len(questions) * 1e6)
    return statistics.median(rounds)


def _resident() -> float:
    """Megabytes of this process that are in memory (Linux)."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
