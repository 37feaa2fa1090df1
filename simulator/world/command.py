"""`ssct simulate`, `python -m simulator.world` and `make simulate`: let worlds live, replay one."""

from __future__ import annotations

import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence

from rich.console import Console

from simulator.world.runner import coverage_lines, replay, run_all, run_matrix

DEFAULT = 1000
_MOST = 10_000_000


def add_arguments(parser: ArgumentParser) -> None:
    """The options."""
    parser.add_argument(
        "--gate",
        action="store_true",
        help="let transit gates live instead, with --seeds, --seed or --matrix",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--seed", type=_whole, metavar="N", help="replay the world of this seed and tell its story"
    )
    what.add_argument(
        "--seeds",
        type=_positive,
        default=DEFAULT,
        metavar="N",
        help=f"let so many worlds live (default: {DEFAULT})",
    )
    what.add_argument(
        "--matrix",
        action="store_true",
        help="hit every flow at every place with every single fault, and with pairs",
    )
    parser.add_argument(
        "--first", type=_whole, default=0, metavar="N", help="the first of the seeds (default: 0)"
    )
    parser.add_argument(
        "--jobs", type=_positive, default=None, metavar="N", help="processes (default: processors)"
    )
    parser.add_argument("--coverage", action="store_true", help="say what was hit how often")


def run(args: Namespace) -> bool:
    """Do what was asked; whether everything held."""
    console = Console(soft_wrap=True, highlight=False)
    if args.gate:
        return _gates(args, console)
    if args.seed is not None:
        life = replay(args.seed)
        console.print(life.report(whole=True), markup=False)
        console.print(f"fingerprint {life.fingerprint}", markup=False)
        return life.violation is None
    jobs = args.jobs or os.cpu_count() or 1
    if args.matrix:
        report = run_matrix(jobs, console)
    else:
        report = run_all(args.first, args.seeds, jobs, console)
    for life in report.failed:
        console.print(life.report(), markup=False)
        if not args.matrix:
            console.print(f"again: ssct simulate --seed {life.seed}", markup=False)
    if args.coverage:
        for line in coverage_lines(report.coverage):
            console.print(line, markup=False)
    failed = len(report.failed)
    console.print(f"{report.worlds} worlds, {failed} in which something does not hold")
    return not failed


def _gates(args: Namespace, console: Console) -> bool:
    """The same for gates, in this process; the first that does not hold is told and ends it."""
    from simulator.gate_runner import run_gate_matrix, run_gate_worlds

    if args.matrix:
        told = run_gate_matrix()
    else:
        first, count = (args.first, args.seeds) if args.seed is None else (args.seed, 1)
        told = run_gate_worlds(range(first, first + count))
    for line in told.lines:
        console.print(line, markup=False)
    return told.holds


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m simulator.world`."""
    parser = ArgumentParser(prog="python -m simulator.world", description=__doc__)
    add_arguments(parser)
    return 0 if run(parser.parse_args(argv)) else 1


def _whole(written: str) -> int:
    if not (written.isascii() and written.isdecimal() and int(written) <= _MOST):
        raise ArgumentTypeError(f"a whole number up to {_MOST}")
    return int(written)


def _positive(written: str) -> int:
    if _whole(written) == 0:
        raise ArgumentTypeError("a number from 1 on")
    return int(written)
