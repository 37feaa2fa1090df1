"""`ssct debit AMOUNT`: pay from the medical account on the card in the reader."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace

from terminal.commands.options import add_common, add_personal, add_reader
from terminal.exit_codes import ExitCode


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The options of `debit`."""
    help_text = "for example 12.50; the holder enters it if left out"
    parser.add_argument("amount", metavar="YUAN", nargs="?", type=_fen, help=help_text)
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
    from terminal.amounts import fen_of

    fen = fen_of(text)
    if not fen:
        raise ArgumentTypeError(f"{text!r} is no amount: write yuan, for example 12.50")
    return fen
