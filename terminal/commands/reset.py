"""`ssct reset`: back to an empty data directory; refused while records are not uploaded.

Records that were exported (`ssct journal export`) no longer stand in the way.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from terminal.commands.options import add_common
from terminal.exit_codes import ExitCode


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The options of `reset`."""
    parser.add_argument("--yes", action="store_true", help="do it; without it nothing is removed")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> ExitCode:
    """Remove the store's files, if nothing is lost by that."""
    from terminal.commands.opening import open_settings, open_terminal
    from terminal.store.reset import remove_store

    settings = open_settings(args)
    with open_terminal(settings, proves_cards=False) as terminal:
        terminal.upload()
        terminal.require_kept()
    if not args.yes:
        print("可以复位，请加 --yes 执行。 It can be reset: add --yes to do it.", file=sys.stderr)
        return ExitCode.USAGE
    for name in remove_store(settings.terminal.data_dir):
        print(f"已删除 removed: {name}")
    return ExitCode.OK
