"""`ssct loss`, `release`, `replace`, `standing` and `services`: with the card, or without it.

A loss is reported without the card; so is anything else with `--without-card`, by who signs in with
the electronic card. The catalogue of services asks for no card at all.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from terminal.commands.options import add_common, add_personal, add_reader
from terminal.exit_codes import ExitCode

_NAMES = {
    "loss": "loss",
    "release": "release",
    "replace": "replacement",
    "standing": "standing",
    "services": "catalogue",
}
"""The command's name, and the function's."""

_NEVER_WITH_CARD = frozenset({"loss", "services"})


def add_arguments(parser: ArgumentParser, name: str) -> None:
    """The options of the command `name`."""
    if name not in _NEVER_WITH_CARD:
        add_reader(parser)
        parser.add_argument(
            "--without-card",
            action="store_true",
            help="sign in with the electronic card instead of inserting the card",
        )
    add_personal(parser)
    add_common(parser)
    alone = name in _NEVER_WITH_CARD
    parser.set_defaults(run=run, function=_NAMES[name], **({"without_card": True} if alone else {}))


def run(args: Namespace) -> ExitCode:
    """Serve somebody and return how it ended."""
    if not args.without_card:
        from terminal.commands.serve import run as serve

        return serve(args)
    from terminal.commands.console import console_driver
    from terminal.commands.opening import open_settings, open_terminal
    from terminal.commands.results import outcome_code
    from terminal.flow import run as run_flow
    from terminal.functions import ERRANDS

    with open_terminal(open_settings(args)) as terminal, console_driver(args) as driver:
        flow = ERRANDS[args.function].flow(terminal.errand("console"))
        outcome = run_flow(flow, driver)
    return outcome_code(outcome)
