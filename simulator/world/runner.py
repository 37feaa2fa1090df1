"""Many worlds, one after another or on several processors, with a bar that shows how far it is."""

from __future__ import annotations

import gc
import logging
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from simulator.world.founding import founding
from simulator.world.life import Life, live
from simulator.world.matrix import FLOWS, double, places, single, try_case
from simulator.world.story import Coverage

T = TypeVar("T")

_BATCH = 10
_MATRIX_PARTS = 20


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
    with quiet(), _few_collections():
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
    with _progress(console, "worlds", count) as show:
        for part in _spread(run, batches, jobs):
            report.add(part)
            show(report.worlds)
            if report.failed:
                break
    return report


def run_matrix(jobs: int, console: Console) -> Report:
    """Play the whole crash matrix: every single fault of every flow, and every pair it has."""
    report = Report()
    parts = [(flow, part) for flow in range(len(FLOWS)) for part in range(_MATRIX_PARTS)]
    with _progress(console, "parts of the matrix", len(parts)) as show:
        for done, part in enumerate(_spread(_matrix_part, parts, jobs), 1):
            report.add(part)
            show(done)
    return report


def replay(seed: int) -> Life:
    """Let the world of one seed live again."""
    with quiet():
        return live(seed, with_fingerprint=True)


def coverage_lines(coverage: Coverage) -> Iterator[str]:
    """What was hit how often, a line a trouble: how often in all, and what was going on."""
    for trouble in sorted({by for _, by in coverage}):
        counts = {what: count for (what, by), count in coverage.items() if by == trouble}
        told = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
        where = ", ".join(f"{what} {count}" for what, count in told)
        yield f"{trouble}: {sum(counts.values())} ({where})"


def _spread(work: Callable[[T], Report], parts: Sequence[T], jobs: int) -> Iterator[Report]:
    """The report of each part, as they come."""
    if jobs == 1:
        yield from map(work, parts)
        return
    # Spawned, not forked: the bar has a thread of its own.
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(work, parts)


def _matrix_part(which: tuple[int, int]) -> Report:
    flow, part = FLOWS[which[0]], which[1]
    report = Report()
    with quiet(), _few_collections():
        at = places(flow)
        for case in [*single(flow, at), *double(flow, at)][part::_MATRIX_PARTS]:
            life = try_case(case)
            report.worlds += 1
            report.coverage.update(life.coverage)
            if life.violation is not None:
                report.failed.append(
                    replace(life, story=(f"{flow.name}: {case.name}", *life.story))
                )
    return report


@contextmanager
def _progress(console: Console, what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Takes how many are done: a bar, or a line at every tenth where no terminal shows one."""
    if not console.is_terminal:
        tenths = 0

        def tell(done: int) -> None:
            nonlocal tenths
            if done * 10 // total > tenths:
                tenths = done * 10 // total
                console.print(f"{done} of {total} {what}")

        yield tell
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def quiet() -> Iterator[None]:
    """Let nothing be logged meanwhile: in these worlds everything that can fail does."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Collect garbage once at the end, not all the time: a batch of worlds is small.

    What is there before (the program itself, and how worlds begin) is not looked through.
    """
    founding()
    was_enabled = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
        gc.collect()
        gc.unfreeze()
