"""`ssct sim card`, `sim backoffice` and `sim profiles`: the stand-ins, from the simulator."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from pathlib import Path

from terminal.commands.options import add_common
from terminal.exit_codes import ExitCode


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The commands below `sim`."""
    commands = parser.add_subparsers(title="commands", metavar="WHAT", required=True)
    _add_card(commands.add_parser("card", help="a card in the PC/SC service's virtual reader"))
    _add_backoffice(commands.add_parser("backoffice", help="the reference back office"))
    profiles = commands.add_parser(
        "profiles", help="list the built-in card profiles, or generate others"
    )
    _add_profiles(profiles)


def _add_card(parser: ArgumentParser) -> None:
    parser.add_argument("profile", metavar="PROFILE", help="a built-in profile, or a JSON file")
    parser.add_argument(
        "--state", type=Path, metavar="FILE", help="keep the card's memory in FILE between runs"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--private",
        action="store_true",
        help="start a PC/SC service of its own, which needs no rights and touches no other; "
        "the line that is printed first leads programs to it",
    )
    where.add_argument(
        "--twin",
        action="store_true",
        help="the same with a serial reader (GemPC Twin) that the service's own driver drives",
    )
    where.add_argument(
        "--serial",
        type=Path,
        metavar="PATH",
        help="no PC/SC: a serial reader as a device at PATH, with a PSAM in its second slot",
    )
    parser.add_argument("--out", action="store_true", help="begin with the card out of the slot")
    parser.add_argument("--host", default="127.0.0.1", help="where the vpcd driver listens")
    parser.add_argument("--port", type=int, default=None, help="its port (default: 35963)")
    add_common(parser)
    parser.set_defaults(run=_runner("serve_card"))


def _add_profiles(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--generate", type=_count, metavar="N", help="write N profiles of invented holders instead"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="the same seed, the same holders (default: 1)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="with --generate: where they go, one JSON file each (default: ./profiles)",
    )
    add_common(parser)
    parser.set_defaults(run=_runner("profiles"))


def _add_backoffice(parser: ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--port", type=int, default=8765, help="port to listen on (default: 8765; 0: a free one)"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="where database and keys lie")
    parser.add_argument(
        "--tls",
        type=Path,
        metavar="DIR",
        help="serve https with the server certificate of the authority in DIR (see `ssct ca`), "
        "issue certificates to terminals at their enrolment and require them afterwards",
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        help="use this database, such as postgresql://user@host/name, and not SQLite in DIR; a "
        "password comes from PGPASSWORD or ~/.pgpass",
    )
    parser.add_argument(
        "--mqtt",
        type=_address,
        metavar="HOST:PORT",
        help="publish the blacklist on this broker too (plain TCP: for a broker on this machine)",
    )
    parser.add_argument(
        "--clock",
        type=_instant,
        metavar="INSTANT",
        help="use a simulated clock that starts here, such as 2026-03-16T09:00:00+08:00, and "
        "stands still until staff move it",
    )
    add_common(parser)
    parser.set_defaults(run=_runner("serve_backoffice", serves=True))


def _count(written: str) -> int:
    if not (written.isascii() and written.isdecimal()):
        raise ArgumentTypeError("a number of profiles")
    return int(written)


def _address(written: str) -> tuple[str, int]:
    host, _, port = written.rpartition(":")
    if host and port.isascii() and port.isdecimal() and int(port) < 65536:
        return host, int(port)
    raise ArgumentTypeError("host and port, such as 127.0.0.1:1883")


def _instant(written: str) -> datetime:
    try:
        instant = datetime.fromisoformat(written)
    except ValueError:
        raise ArgumentTypeError("an instant such as 2026-03-16T09:00:00+08:00") from None
    if instant.tzinfo is None:
        raise ArgumentTypeError("the instant needs its time zone, such as +08:00")
    return instant


def _runner(name: str, *, serves: bool = False) -> Callable[[Namespace], ExitCode]:
    """Runs a function of `simulator.commands`, which is imported only then, by its name."""

    def run(args: Namespace) -> ExitCode:
        from terminal import logs

        logs.set_up(verbose=args.verbose, traffic=args.traffic, serves=serves)
        getattr(import_module("simulator.commands"), name)(args)
        return ExitCode.OK

    return run
