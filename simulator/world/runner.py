"""Many worlds, one after another or on several processors, with a bar that shows how far it is."""

from __future__ import annotations

import logging
import multiprocessing
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from simulator.world.life import Life, live
from simulator.world.story import Coverage

_BATCH = 10


@dataclass(slots=True)
class Report:
    """What some worlds came to. `failed` are those in which something did not hold, by seed."""

    worlds: int = 0
    coverage: Coverage = field(default_factory=Counter)
    failed: list[Life] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Count the worlds of `other` too."""
        self.worlds += other.worlds
        self.coverage.update(other.coverage)
        self.failed.extend(other.failed)


def run(seeds: Iterable[int]) -> Report:
    """Let the worlds of these seeds live, in this process."""
    report = Report()
    with _quiet():
        for seed in seeds:
            life = live(seed)
            report.worlds += 1
            report.coverage.update(life.coverage)
            if life.violation is not None:
                report.failed.append(life)
    return report


def run_all(first: int, count: int, jobs: int, console: Console) -> Report:
    """Let `count` worlds live, from the seed `first` on, in so many processes.

    Ends with the batch in which something did not hold.
    """
    report = Report()
    batches = [
        range(start, min(start + _BATCH, first + count))
        for start in range(first, first + count, _BATCH)
    ]
    with _bar(console) as bar:
        task = bar.add_task("worlds", total=count)
        for part in _parts(batches, jobs):
            report.add(part)
            bar.update(task, completed=report.worlds)
            if report.failed:
                break
    return report


def replay(seed: int) -> Life:
    """Let the world of one seed live again."""
    with _quiet():
        return live(seed, with_fingerprint=True)


def coverage_table(coverage: Coverage) -> Table:
    """What was hit how often, a line a trouble, a column for each thing that was going on."""
    doing = sorted({what for what, _ in coverage})
    table = Table(title="how often what was hit", title_justify="left")
    table.add_column("trouble")
    for what in doing:
        table.add_column(what, justify="right")
    for trouble in sorted({by for _, by in coverage}):
        table.add_row(trouble, *(str(coverage[what, trouble] or "-") for what in doing))
    return table


def _parts(batches: list[range], jobs: int) -> Iterator[Report]:
    if jobs == 1:
        yield from map(run, batches)
        return
    # Spawned, not forked: the bar has a thread of its own.
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(run, batches)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Let nothing be logged meanwhile: in these worlds everything that can fail does."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
