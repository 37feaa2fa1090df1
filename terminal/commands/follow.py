"""`ssct follow`: keep the blacklist up to date, pushed, until Ctrl-C."""

from __future__ import annotations

import threading
from argparse import ArgumentParser, Namespace
from contextlib import suppress
from typing import TYPE_CHECKING

from terminal.commands.options import add_common
from terminal.exit_codes import ExitCode

if TYPE_CHECKING:
    from terminal.synchronisation import SyncReport


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The options of `follow`."""
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> ExitCode:
    """Follow and tell of each new version. Raises `NotEnrolled` and `ConfigurationError`."""
    from backend_client.errors import NotEnrolled
    from terminal.commands.opening import open_follower, open_settings, open_terminal

    settings = open_settings(args)
    with open_terminal(settings, proves_cards=False) as terminal:
        if terminal.identity is None:
            raise NotEnrolled("no identity")
        head = terminal.blacklist.head()
        print(f"黑名单版本 blacklist version: {head.version if head else '无 none'}", flush=True)
        with open_follower(settings, terminal, heard=_tell), suppress(KeyboardInterrupt):
            threading.Event().wait()
    return ExitCode.OK


def _tell(report: SyncReport) -> None:
    if report.error is not None:
        print(f"ssct: {report.error.text} [{report.error.code}]", flush=True)
    elif report.after != report.before:
        print(
            f"黑名单版本 blacklist version: {report.before or '无 none'} -> {report.after}, "
            f"{report.entries} 条 entries",
            flush=True,
        )
