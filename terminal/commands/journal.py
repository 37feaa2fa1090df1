"""`ssct journal`: what waits to be uploaded, checking the chain, exporting the records.

An export holds personal data: it goes to a new file that only its owner can read.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from terminal.commands.options import add_common
from terminal.exit_codes import ExitCode

if TYPE_CHECKING:
    from terminal.app import Terminal

_PRIVATE = 0o600


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The options of `journal`."""
    parser.add_argument("action", choices=("check", "upload", "export"))
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="for export: a new file")
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> ExitCode:
    """Do what was asked."""
    from terminal.commands.opening import open_settings, open_terminal
    from terminal.errors import ConfigurationError

    if (args.action == "export") != (args.file is not None):
        raise ConfigurationError("write `ssct journal export FILE`; the others take no file")
    with open_terminal(open_settings(args), recover=False, proves_cards=False) as terminal:
        if args.action == "check":
            return _check(terminal)
        if args.action == "upload":
            return _upload(terminal)
        count = _export(args.file, terminal.export_records())
        terminal.exported()
    print(f"已导出 exported: {count}")
    return ExitCode.OK


def _check(terminal: Terminal) -> ExitCode:
    """Walk the whole chain, and say whether it holds."""
    from terminal.errors import StoreDamaged

    check = terminal.journal.verify_chain()
    print(f"事件 events: {check.events}, 业务 operations: {check.operations}")
    if check.ok:
        print("账链完整 the chain holds")
        return ExitCode.OK
    for fault in check.faults:
        print(fault, file=sys.stderr)
    print(f"账链不完整 the chain does not hold: {len(check.faults)}", file=sys.stderr)
    print(f"ssct: [{StoreDamaged.code}] {StoreDamaged.remedy}", file=sys.stderr)
    return ExitCode.TERMINAL


def _upload(terminal: Terminal) -> ExitCode:
    """Send what waits; what stays is named with the reason, if the centre gave one."""
    done = terminal.upload()
    print(f"已上传 uploaded: {done.taken}, 待上传 waiting: {done.waiting}")
    if done.error is None:
        return ExitCode.OK
    for number, reason in terminal.outbox.refusals():
        print(f"{number}: {reason}", file=sys.stderr)
    print(f"ssct: {done.error.text}", file=sys.stderr)
    print(f"ssct: [{done.error.code}] {done.error.remedy}", file=sys.stderr)
    return ExitCode.BACK_OFFICE


def _export(file: Path, lines: Iterable[str]) -> int:
    """Write the lines durably; how many. Raises `ConfigurationError`."""
    from terminal.errors import ConfigurationError

    count = 0
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            for count, line in enumerate(lines, 1):  # noqa: B007 - the last is how many
                out.write(f"{line}\n")
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}") from None
    return count
