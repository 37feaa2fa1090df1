"""`ssct shell`: a card by hand, at a prompt or from a script on standard input."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING

from terminal.commands.options import add_common, add_personal, add_reader
from terminal.exit_codes import ExitCode

if TYPE_CHECKING:
    from terminal.shell.commands import Shell


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The options of `shell`."""
    add_reader(parser)
    add_personal(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> ExitCode:
    """Open the card and carry out lines; from a pipe the first error ends it, at a prompt none."""
    from terminal.commands.opening import kept_trace, open_reader, open_settings, open_terminal
    from terminal.drivers.pin_input import read_pin
    from terminal.shell.bench import Bench
    from terminal.shell.commands import Shell
    from terminal.shell.prompt import piped_lines, prompted_lines

    settings = open_settings(args)
    with open_terminal(settings) as terminal, kept_trace(args) as trace:
        bench = Bench(terminal, open_reader(args.reader, settings.reader), trace, _notice)
        shell = Shell(bench, read_pin, args.wait, show_personal=args.show_personal)
        try:
            if sys.stdin.isatty():
                lines = prompted_lines(shell, settings.terminal.data_dir)
                return _serve(shell, lines, stop_at_errors=False)
            return _serve(shell, piped_lines(sys.stdin), stop_at_errors=True)
        finally:
            bench.close()


def _serve(shell: Shell, lines: Iterable[str], *, stop_at_errors: bool) -> ExitCode:
    from terminal.commands.failures import report
    from terminal.outcome import Cancelled
    from terminal.shell.commands import execute

    for line in chain(("open",), lines):
        try:
            for told in execute(shell, line):
                print(told)
        except Cancelled:
            _notice(str(Cancelled.text))
        except Exception as error:
            code = report(error, verbose=False)
            if stop_at_errors or code is ExitCode.INTERNAL:
                return code
        if shell.ended:
            break
    return ExitCode.REFUSED if shell.refused else ExitCode.OK


def _notice(text: str) -> None:
    print(text, file=sys.stderr)
