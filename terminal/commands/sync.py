"""`ssct sync`: confirm the clock and take a newer blacklist, from the back office or a file."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from terminal.commands.options import add_common
from terminal.exit_codes import ExitCode

if TYPE_CHECKING:
    from terminal.synchronisation import SyncReport


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The options of `sync`."""
    parser.add_argument(
        "--file",
        type=Path,
        metavar="FILE",
        help="take the blacklist from a file instead, where there is no network",
    )
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> ExitCode:
    """Synchronise once, and end what was left open."""
    from terminal.commands.opening import open_settings, open_terminal

    with open_terminal(open_settings(args), proves_cards=False) as terminal:
        done = terminal.sync() if args.file is None else terminal.take(_documents(args.file))
        left = terminal.resolve_unknown()
    clock = "可信 trusted" if done.clock_trusted else "不可信 not trusted"
    print(f"黑名单版本 blacklist version: {_version(done.before)} -> {_version(done.after)}")
    print(f"条目 entries: {done.entries}")
    print(f"时钟 clock: {clock}")
    print(f"未完成业务 open operations: {len(left.still_open)}")
    return ended(done)


def ended(done: SyncReport) -> ExitCode:
    """How a synchronisation ended; says what went wrong, if anything."""
    if done.error is None:
        return ExitCode.OK
    print(f"ssct: {done.error.text}", file=sys.stderr)
    print(f"      [{done.error.code}] {done.error.remedy}", file=sys.stderr)
    return ExitCode.BACK_OFFICE


def _documents(file: Path) -> tuple[bytes, ...]:
    """The signed documents in a file. Raises `ListTooLarge`, `BadMessage`, `ConfigurationError`."""
    from backend_client.errors import ListTooLarge
    from backend_client.list_document import MAX_DOCUMENT, split
    from terminal.errors import ConfigurationError

    try:
        with file.open("rb") as opened:
            data = opened.read(2 * MAX_DOCUMENT + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from None
    if len(data) > 2 * MAX_DOCUMENT:
        raise ListTooLarge(f"{file} is larger than a blacklist can be")
    return tuple(split(data))


def _version(version: int | None) -> str:
    return "无 none" if version is None else str(version)
