"""`ssct enrol CODE`: make this terminal known to the back office."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from terminal.commands.options import add_common
from terminal.exit_codes import ExitCode


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The options of `enrol`."""
    parser.add_argument("code", type=_code, help="the one-time code that the back office gave out")
    add_common(parser)
    parser.set_defaults(run=run)


def _code(written: str) -> str:
    if re.fullmatch(r"[0-9A-Za-z-]{8,64}", written, re.ASCII):
        return written
    raise ArgumentTypeError("a code has 8 to 64 letters, digits or hyphens")


def run(args: Namespace) -> ExitCode:
    """Enrol and take the first blacklist; says why if it is not taken. Raises `BackendError`."""
    from terminal.commands.opening import open_settings, open_terminal
    from terminal.commands.sync import ended

    with open_terminal(open_settings(args), proves_cards=False) as terminal:
        identity = terminal.enrol(args.code)
        first = terminal.sync()
    print(f"终端 terminal: {identity.terminal_id}")
    print(f"机构 institution: {identity.institution_name} ({identity.institution})")
    if first.error is not None:
        print(
            "已登记，但尚未取得黑名单 enrolled, but without a blacklist: ssct sync", file=sys.stderr
        )
    return ended(first)
