"""The command line, `ssct`.

Starting it is fast because nothing is imported before it is needed: this module imports the
argument parser only, and one module of `terminal/commands/` once the command is known.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

from terminal.exit_codes import MEANINGS, ExitCode


class Entry(NamedTuple):
    """A command: the module that holds it, and its line in the help."""

    module: str
    help: str


COMMANDS = {
    "readers": Entry("readers", "list the card readers and what is in them"),
    "read": Entry("read", "read the card's face data"),
    "query": Entry("serve", "show card, status, account and insurances"),
    "activate": Entry("serve", "activate the social security function"),
    "settle": Entry("serve", "settle a hospital bill"),
    "cancel": Entry("serve", "take back a settlement made at this terminal"),
    "contribution": Entry("serve", "pay a contribution"),
    "benefits": Entry("serve", "show benefits and confirm that one was received"),
    "debit": Entry("debit", "pay from the medical account on the card"),
    "provisional": Entry("serve", "register a visit while the centre is away, to settle it later"),
    "records": Entry("serve", "show what was settled and debited"),
    "pin": Entry("serve", "change the PIN"),
    "loss": Entry("errand", "report a lost card, which need not be there"),
    "release": Entry("errand", "release a loss: the card was found"),
    "replace": Entry("errand", "apply for another card: replacement, exchange, re-application"),
    "standing": Entry("errand", "show where each function stands, and how far applications are"),
    "services": Entry("errand", "show the catalogue of services"),
    "bank": Entry("serve", "show the bank function, and how to open it"),
    "ecard": Entry("serve", "apply for the electronic card, or show its QR code"),
    "dump": Entry("dump", "write everything readable on the card to a file"),
    "trace": Entry("trace", "tell in words what was said between terminal and card"),
    "shell": Entry("shell", "talk to a card by hand, at a prompt or from a script"),
    "kiosk": Entry("kiosk", "serve holders on a touch screen"),
    "reconcile": Entry("reconcile", "compare a day with the centre's ledger"),
    "statement": Entry("statement", "write what this terminal did on a day, to be added up"),
    "sync": Entry("sync", "bring clock and blacklist up to date"),
    "journal": Entry("journal", "check, upload or export the journal's records"),
    "follow": Entry("follow", "keep the blacklist up to date, pushed, until Ctrl-C"),
    "status": Entry("status", "show how the terminal stands"),
    "agent": Entry("agent", "serve the card to other programs and pages on this machine"),
    "enrol": Entry("enrol", "make this terminal known to the back office"),
    "reset": Entry("reset", "remove this terminal's data, if nothing is lost by it"),
    "diagnose": Entry("diagnose", "find out what does not work, and what to do"),
    "gate": Entry("gate", "open a transit gate: one decision a tap"),
    "demo": Entry("demo", "the story of a card, on simulated parts"),
    "simulate": Entry("simulate", "let worlds live in which anything may go wrong"),
    "ca": Entry("ca", "a certificate authority for development"),
    "sim": Entry("sim", "run a simulated card or the reference back office"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        try:
            args = _parser(arguments).parse_args(arguments)
            return int(args.run(args))
        finally:
            sys.stdout.flush()  # here a reader that has left is dealt with, at exit no more
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        _silence()
        return ExitCode.BROKEN_PIPE
    except Exception as error:
        from terminal.commands.failures import report

        return report(error, verbose="--verbose" in arguments or "-v" in arguments)


def _parser(arguments: list[str]) -> argparse.ArgumentParser:
    """The parser, with the arguments of the one command that was asked for."""
    parser = argparse.ArgumentParser(
        prog="ssct",
        description="Terminal software for the Shanghai social security card.",
        epilog=_exit_codes(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, entry in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=entry.help,
            description=f"{entry.help[0].upper()}{entry.help[1:]}.",
            epilog=_exit_codes(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == _asked_for(arguments):
            import_module(f"terminal.commands.{entry.module}").add_arguments(command, name)
    return parser


def _silence() -> None:
    """Whoever read the output left; Python would complain again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _asked_for(arguments: list[str]) -> str | None:
    return next((argument for argument in arguments if not argument.startswith("-")), None)


def _exit_codes() -> str:
    lines = "\n".join(f"  {code.value:<4} {meaning}" for code, meaning in MEANINGS.items())
    return f"exit codes:\n{lines}"


class _Version(argparse.Action):
    """Prints the version, which is looked up only then."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"ssct {version('ssct')}")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
