"""`ssct reconcile DATE`: this terminal's journal of one day against the centre's ledger."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from terminal.commands.options import add_common
from terminal.exit_codes import ExitCode

if TYPE_CHECKING:
    from terminal.app import Terminal
    from terminal.reconciliation import Report

_PRIVATE = 0o600


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The options of `reconcile`."""
    parser.add_argument("day", metavar="DATE", type=_day, help="YYYY-MM-DD, in Shanghai")
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
    from terminal.reconciliation import reconcile, repair

    with open_terminal(open_settings(args), proves_cards=False) as terminal:
        channel = terminal.centre.channel
        report = reconcile(terminal.journal, channel, args.day, always_lines=args.lines)
        if args.repair and report.differences:
            mended = repair(report, terminal.journal, terminal.centre)
            print(f"已处理 mended: {mended}")
            report = reconcile(terminal.journal, channel, args.day, always_lines=True)
        _write(args, report, terminal)
        if args.sign_out:
            channel.sign_out()
    _tell(report)
    return ExitCode.OK if report.equal else ExitCode.REFUSED


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no date: write YYYY-MM-DD") from None


def _write(args: Namespace, report: Report, terminal: Terminal) -> None:
    from terminal.reconciliation_report import as_csv, as_html

    number = terminal.identity.terminal_id if terminal.identity else "-"
    if args.csv is not None:
        _save(args.csv, as_csv(report))
    if args.html is not None:
        _save(args.html, as_html(report, terminal.institution_name, number))


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
    from terminal.reconciliation import SCHEME_NAMES

    for check in report.totals:
        total = check.total
        if not (total.count or not check.agrees):
            continue
        kind = "撤销 refunds" if total.refund else "结算 settlements"
        verdict = "平 equal" if check.agrees else "不平 differs"
        name = SCHEME_NAMES[total.scheme]
        print(f"{kind}, {name.zh} {name.en}: {total.count}, ¥ {yuan(total.total_fen)}: {verdict}")
    for each in report.differences:
        line = each.line
        print(f"{each.differs.value.zh} {each.differs.value.en}: {line.number}", file=sys.stderr)
        print(f"    ¥ {yuan(line.total_fen)}; {each.repair.value.en}", file=sys.stderr)
    print("平账 both ledgers agree" if report.equal else "不平 the ledgers differ")
