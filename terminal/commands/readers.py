"""`ssct readers`: the PC/SC readers and what is in them."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from terminal.commands.options import add_common, add_json
from terminal.exit_codes import ExitCode


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The options of `readers`."""
    add_json(parser)
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> ExitCode:
    """List the readers. Raises `ServiceUnavailable`."""
    from apdu.readers.pcsc import reader_states
    from apdu.status import ReaderNotFound
    from terminal import logs

    logs.set_up(verbose=args.verbose, traffic=args.traffic)
    states = reader_states()
    if args.json:
        import json

        print(json.dumps([{"name": s.name, "card": s.present} for s in states], indent=2))
        return ExitCode.OK
    if not states:
        raise ReaderNotFound("no reader is connected")
    for state in states:
        held = "，有卡 card present" if state.present else "，无卡 empty"
        print(f"{state.name}{held}")
    return ExitCode.OK
