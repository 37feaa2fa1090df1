"""`ssct query`, `activate`, `settle` and the other functions: one of them for one card."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from terminal.commands.options import add_common, add_personal, add_reader
from terminal.exit_codes import ExitCode

_FUNCTIONS = {
    "query": "query",
    "activate": "activation",
    "settle": "settlement",
    "cancel": "cancel",
    "contribution": "contribution",
    "benefits": "benefits",
    "records": "records",
    "provisional": "provisional",
    "pin": "pin",
    "bank": "bank",
    "ecard": "ecard",
}
"""The command's name, and the function's in the settings."""


def add_arguments(parser: ArgumentParser, name: str) -> None:
    """The options of the command `name`."""
    add_reader(parser)
    add_personal(parser)
    add_common(parser)
    parser.set_defaults(run=run, function=_FUNCTIONS[name])


def run(args: Namespace) -> ExitCode:
    """Serve one card and return how it ended."""
    from terminal.commands.console import console_driver
    from terminal.commands.opening import freshen, open_session, open_settings, open_terminal
    from terminal.commands.results import outcome_code
    from terminal.flow import run as run_flow
    from terminal.functions import FUNCTIONS
    from terminal.policy import Function

    settings = open_settings(args)
    with open_terminal(settings) as terminal, console_driver(args) as driver:
        freshen(terminal)
        with open_session(args, settings, terminal) as session:
            flow = FUNCTIONS[Function(args.function)].flow(terminal.visit(session, "console"))
            outcome = run_flow(flow, driver)
    return outcome_code(outcome)
