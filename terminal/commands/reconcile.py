"""`ssct reconcile DATE`: one day of this terminal, or of its institution, against the centre's."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from terminal.commands.day import day
from terminal.commands.options import add_common
from terminal.exit_codes import ExitCode

if TYPE_CHECKING:
    from terminal.app import Terminal
    from terminal.reconciliation import Report

_PRIVATE = 0o600


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The options of `reconcile`."""
    parser.add_argument("day", metavar="DATE", type=day, help="YYYY-MM-DD, in Shanghai")
    parser.add_argument(
        "--with",
        dest="statements",
        metavar="FILE",
        nargs="+",
        type=Path,
        default=[],
        help="add statements of the institution's other terminals (`ssct statement`)",
    )
    parser.add_argument("--lines", action="store_true", help="line by line also when totals agree")
    parser.add_argument("--repair", action="store_true", help="mend what needs no holder")
    parser.add_argument("--csv", metavar="FILE", type=Path, help="write the differences as CSV")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a report to print")
    parser.add_argument(
        "--sign-out", action="store_true", help="end the day at the national interface (9002)"
    )
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> ExitCode:
    """Reconcile, mend if asked, and say what differs."""
    from terminal.commands.opening import open_settings, open_terminal
    from terminal.day_statement import read_all
    from terminal.reconciliation import reconcile, repair
    from terminal.store.identity import load_tls

    _require_places(args.csv, args.html)
    with open_terminal(open_settings(args), proves_cards=False) as terminal:
        journal, channel = terminal.journal, terminal.centre.channel
        own = terminal.day_statement(args.day)
        others = read_all(args.statements, own, load_tls(terminal.store))
        report = reconcile(journal, channel, own, others, always_lines=args.lines)
        if args.repair and report.differences:
            print(f"已处理 mended: {repair(report, journal, terminal.centre)}")
            own = terminal.day_statement(args.day)
            report = reconcile(journal, channel, own, others, always_lines=True)
        _write(args, report, terminal)
        if args.sign_out:
            channel.sign_out()
    _tell(report)
    return ExitCode.OK if report.equal else ExitCode.REFUSED


def _write(args: Namespace, report: Report, terminal: Terminal) -> None:
    from terminal.reconciliation_report import as_csv, as_html

    if args.csv is not None:
        _save(args.csv, as_csv(report))
    if args.html is not None:
        _save(args.html, as_html(report, terminal.institution_name))


def _require_places(*files: Path | None) -> None:
    """Raise `ConfigurationError` where a report cannot be written, before anything is mended."""
    from terminal.errors import ConfigurationError

    for file in files:
        if file is not None and (file.is_dir() or not os.access(file.parent, os.W_OK | os.X_OK)):
            raise ConfigurationError(f"{file} cannot be written: it needs a name in a directory")


def _save(file: Path, text: str) -> None:
    """Write a file that only its owner can read. Raises `ConfigurationError`."""
    from terminal.errors import ConfigurationError

    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(file, flags, _PRIVATE), "w", encoding="utf-8", newline="") as out:
            out.write(text)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}") from None


def _tell(report: Report) -> None:
    from terminal.receipt import yuan
    from terminal.reconciliation import totals_of
    from terminal.reconciliation_report import notes, told

    if len(report.statements) > 1:
        for statement in report.statements:
            for total in totals_of(statement.lines):
                if total.count:
                    print(f"{statement.terminal_id}: {told(total)}")
    for check in report.totals:
        if check.total.count or not check.agrees:
            print(f"{told(check.total)}: {'平 equal' if check.agrees else '不平 differs'}")
    for each in report.differences:
        where = f" ({each.terminal})" if each.terminal else ""
        print(f"{each.differs.value}: {each.line.number}{where}", file=sys.stderr)
        print(f"    ¥ {yuan(each.line.total_fen)}; {each.repair.value.en}", file=sys.stderr)
    for note in notes(report):
        print(note, file=sys.stderr)
    print("平账 both ledgers agree" if report.equal else "不平 the ledgers differ")
