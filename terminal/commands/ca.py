"""`ssct ca init`, `ca server` and `ca show`: a certificate authority for development."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from terminal.commands.options import add_common
from terminal.exit_codes import ExitCode


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The commands below `ca`."""
    commands = parser.add_subparsers(title="commands", metavar="WHAT", required=True)
    init = commands.add_parser("init", help="make an authority: its key and its certificate")
    server = commands.add_parser("server", help="make the back office's key and certificate")
    server.add_argument(
        "hosts",
        metavar="HOST",
        nargs="*",
        default=["localhost", "127.0.0.1"],
        help="names and addresses of the back office (default: localhost 127.0.0.1)",
    )
    show = commands.add_parser("show", help="show what is there, and until when it holds")
    for name, command in (("init", init), ("server", server), ("show", show)):
        command.add_argument(
            "--dir", type=Path, metavar="DIR", help="where it lies (default: beside the store)"
        )
        add_common(command)
        command.set_defaults(run=_runner(name))


def _runner(name: str) -> Callable[[Namespace], ExitCode]:
    """Runs a function of `simulator.ca_commands`, which is imported only then, by its name."""

    def run(args: Namespace) -> ExitCode:
        from terminal import logs

        logs.set_up(verbose=args.verbose, traffic=args.traffic)
        getattr(import_module("simulator.ca_commands"), name)(args)
        return ExitCode.OK

    return run
