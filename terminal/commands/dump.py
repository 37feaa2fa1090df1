"""`ssct dump`: everything readable on the card, into a file that the simulator can serve again."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from terminal.commands.options import add_common, add_reader
from terminal.exit_codes import ExitCode

if TYPE_CHECKING:
    from apdu.pin import Pin
    from apdu.sam import SecureAccessModule
    from apdu.ssc.dump import CardDump
    from terminal.session import CardSession

_WARNING = (
    "导出文件含持卡人个人信息，请妥善保管，用后删除。\n"
    "The file holds the holder's personal data: keep it safe, and delete it after use."
)


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The options of `dump`."""
    parser.add_argument("file", metavar="FILE", type=Path, help="where to write; must not exist")
    parser.add_argument(
        "--pin", action="store_true", help="ask for the PIN, which opens more of the card"
    )
    parser.add_argument(
        "--fingerprints", action="store_true", help="read the holder's fingerprints too"
    )
    add_reader(parser)
    add_common(parser)
    parser.set_defaults(run=run, function="read")


def run(args: Namespace) -> ExitCode:
    """Dump the card in the reader, if it is admitted for reading."""
    import json

    from terminal.admission import Admitted
    from terminal.commands.opening import open_session, open_settings, open_terminal
    from terminal.commands.private_file import require_new, write_new
    from terminal.policy import Function

    print(_WARNING, file=sys.stderr)
    require_new(args.file)
    settings = open_settings(args)
    with open_terminal(settings) as terminal, open_session(args, settings, terminal) as session:
        decision = terminal.admit(session.facts, Function.READ, "console")
        if not isinstance(decision, Admitted):
            print(f"{decision.text} [{decision.reason.value}]", file=sys.stderr)
            return ExitCode.REFUSED
        dumped = _dump(args, session, terminal.sam)
    text = json.dumps(dumped.to_json(), ensure_ascii=False, indent=2)
    write_new(args.file, f"{text}\n")
    _summarise(dumped)
    return ExitCode.OK


def _dump(args: Namespace, session: CardSession, sam: SecureAccessModule) -> CardDump:
    from apdu.ssc.dump import dump

    pin = _ask_pin() if args.pin else None
    try:
        return dump(session.card, sam, pin, fingerprints=args.fingerprints, progress=_show_progress)
    finally:
        if pin is not None:
            pin.wipe()


def _ask_pin() -> Pin:
    from terminal.drivers.pin_input import read_pin

    print("密码 PIN: ", end="", file=sys.stderr, flush=True)
    return read_pin()


def _show_progress(done: int, total: int) -> bool:
    """How far a long file has been read, where somebody looks."""
    if sys.stderr.isatty() and total:
        end = "\n" if done == total else ""
        print(f"\r{done} / {total}", end=end, file=sys.stderr, flush=True)
    return True


def _summarise(dumped: CardDump) -> None:
    """How many files were read, and of the others each with its reason."""
    closed = [file for file in dumped.files if file.reason is not None]
    read = len(dumped.files) - len(closed)
    print(f"已读取文件 files read: {read}；未读取 not read: {len(closed)}")
    for entry in closed:
        sw = "" if entry.sw is None else f" {entry.sw:04X}"
        print(f"  {entry.file.address} {entry.file.name_zh}: {entry.reason}{sw}")
