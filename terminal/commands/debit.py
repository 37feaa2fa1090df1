"""`ssct debit AMOUNT`: pay from the medical account on the card in the reader."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from terminal.commands.options import add_common, add_personal, add_reader
from terminal.exit_codes import ExitCode

_AMOUNT = re.compile(r"([0-9]{1,7})(?:\.([0-9]{2}))?")


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The options of `debit`."""
    parser.add_argument("amount", metavar="YUAN", type=_fen, help="for example 12.50")
    add_reader(parser)
    add_personal(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> ExitCode:
    """Serve one card and return how it ended."""
    from terminal.commands.console import console_driver
    from terminal.commands.opening import freshen, open_session, open_settings, open_terminal
    from terminal.commands.results import outcome_code
    from terminal.flow import run as run_flow
    from terminal.functions import debit

    settings = open_settings(args)
    with open_terminal(settings) as terminal, console_driver(args) as driver:
        freshen(terminal)
        with open_session(args, settings, terminal) as session:
            flow = debit.flow(terminal.visit(session, "console"), args.amount)
            outcome = run_flow(flow, driver)
        terminal.upload()
    return outcome_code(outcome)


def _fen(text: str) -> int:
    match = _AMOUNT.fullmatch(text)
    fen = int(match[1]) * 100 + int(match[2] or 0) if match else 0
    if fen <= 0:
        raise ArgumentTypeError(f"{text!r} is no amount: write yuan, for example 12.50")
    return fen
