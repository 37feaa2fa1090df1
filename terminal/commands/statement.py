"""`ssct statement DATE FILE`: what this terminal did on a day, to be added up elsewhere."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from terminal.commands.day import day
from terminal.commands.options import add_common
from terminal.exit_codes import ExitCode


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The arguments of `statement`."""
    parser.add_argument("day", metavar="DATE", type=day, help="YYYY-MM-DD, in Shanghai")
    parser.add_argument("file", metavar="FILE", type=Path, help="a new file for its owner only")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> ExitCode:
    """Write the statement; nobody else is asked."""
    from terminal.commands.opening import open_settings, open_terminal
    from terminal.commands.private_file import require_new, write_new
    from terminal.day_statement import as_text
    from terminal.reconciliation import is_early, totals_of
    from terminal.reconciliation_report import told
    from terminal.store.identity import load_tls

    require_new(args.file)
    with open_terminal(open_settings(args), recover=False, proves_cards=False) as terminal:
        statement = terminal.day_statement(args.day)
        tls = load_tls(terminal.store)
        is_signed = tls is not None and tls.is_valid(statement.written_at)
        write_new(args.file, as_text(statement, tls if is_signed else None))
    for total in totals_of(statement.lines):
        if total.count:
            print(told(total))
    if is_early(statement):
        print("当日尚未结束，之后的业务不在内 the day is not over: what follows is not in it")
    waiting = sum(other.standing == "open" for other in statement.others)
    if waiting:
        print(f"待核实 not known yet: {waiting}; ssct sync")
    signed = "已签名 signed" if is_signed else "未签名 not signed"
    print(f"已写入 written: {args.file} ({statement.terminal_id}, {signed})")
    return ExitCode.OK
