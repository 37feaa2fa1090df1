"""`ssct trace`: a session with a card in words, one from a file or one recorded now."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from terminal.commands.options import add_common, add_personal, add_reader
from terminal.exit_codes import ExitCode

if TYPE_CHECKING:
    from apdu.trace import Trace
    from terminal.app import Terminal
    from terminal.settings import Settings


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The options of `trace`."""
    parser.add_argument(
        "file",
        metavar="FILE",
        type=Path,
        nargs="?",
        help="a trace that --record wrote; without one, the card in the reader is read now",
    )
    add_personal(parser)
    add_reader(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> ExitCode:
    """Tell what was said between terminal and card."""
    from terminal import logs
    from terminal.commands.opening import load_trace
    from terminal.errors import ConfigurationError

    if args.file is None:
        return _record(args)
    logs.set_up(verbose=args.verbose, traffic=args.traffic)
    trace = load_trace(args.file)
    if not trace.events:
        raise ConfigurationError(f"the trace {args.file} is empty: it holds no command")
    _print(trace, in_full=args.show_personal)
    return ExitCode.OK


def _record(args: Namespace) -> ExitCode:
    """Read everything that opens without the holder, and tell how; an error ends the telling."""
    from terminal.commands.opening import kept_trace, open_settings, open_terminal

    settings = open_settings(args)
    with open_terminal(settings) as terminal, kept_trace(args) as trace:
        try:
            return _read(args, settings, terminal, trace)
        finally:
            _print(trace, in_full=args.show_personal)


def _read(args: Namespace, settings: Settings, terminal: Terminal, trace: Trace) -> ExitCode:
    from apdu.ssc.jobs import Job, read_job
    from terminal.admission import Admitted
    from terminal.commands.opening import open_session
    from terminal.policy import Function

    with open_session(args, settings, terminal, trace) as session:
        decision = terminal.admit(session.facts, Function.READ, "console")
        if not isinstance(decision, Admitted):
            return ExitCode.REFUSED
        read_job(session.card, Job.EVERYTHING, terminal.sam)
    return ExitCode.OK


def _print(trace: Trace, *, in_full: bool) -> None:
    from apdu.ssc.annotation import annotated
    from terminal.mask import mask

    for line in annotated(trace, mask, in_full=in_full):
        print(line)
