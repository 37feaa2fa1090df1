"""`ssct gate`: open a transit gate. No screens: one decision a tap, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from terminal.commands.options import add_common, count
from terminal.exit_codes import ExitCode

if TYPE_CHECKING:
    from apdu.connection import Reader
    from terminal.app import Terminal
    from terminal.gate.gate import Gate
    from terminal.gate.signals import Signals
    from terminal.store.taps import TapBook

_PATIENCE = 3600.0
"""Seconds after which a reader is asked anew; waiting for cards costs nothing."""


def add_arguments(parser: ArgumentParser, _name: str) -> None:
    """The options of `gate`."""
    parser.add_argument(
        "--reader",
        metavar="PATTERN",
        help="a part of its PC/SC name, serial:DEVICE or sim:PROFILE; default: the settings, else "
        "the only one",
    )
    parser.add_argument(
        "--taps", type=count, metavar="N", help="end after N taps (default: at Ctrl-C)"
    )
    parser.add_argument(
        "--send", action="store_true", help="only hand in what waits, and tell what became of it"
    )
    add_common(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> ExitCode:
    """Serve taps, or hand in what waits."""
    from terminal.commands.opening import (
        followed,
        open_reader,
        open_settings,
        open_terminal,
    )
    from terminal.settings import ReaderSettings

    settings = open_settings(args)
    with open_terminal(settings, proves_cards=False) as terminal:
        if args.send:
            return _send(terminal)
        import secrets

        from terminal.gate.opening import fares_of, open_gate, transit_sam
        from terminal.gate.signals import ConsoleSignals

        table = fares_of(settings.gate, terminal.clock.now())
        with transit_sam(
            settings.gate,
            terminal.store,
            production=settings.security.production,
            random=secrets.token_bytes,
            find_reader=lambda pattern, slot: open_reader(
                None, ReaderSettings(pattern, slot, exclusive=True)
            ),
        ) as sam:
            gate, book = open_gate(settings.gate, terminal, sam, table)
            reader = open_reader(args.reader, settings.reader)
            every = settings.gate.upload_every.total_seconds()
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            with ExitStack() as running, suppress(KeyboardInterrupt):
                running.enter_context(followed(settings, terminal))
                running.enter_context(_Keeper(terminal, book, every))
                print(f"闸机已开 gate open: {table.name}, {reader.name}", flush=True)
                _serve(gate, reader, terminal, ConsoleSignals(_write), args.taps)
            waiting = book.unsent().count
    print(f"待上传 taps that wait to be handed in: {waiting}")
    return ExitCode.OK


def _serve(
    gate: Gate, reader: Reader, terminal: Terminal, signals: Signals, most: int | None
) -> None:
    """One tap after the other. Raises `ReaderError` when the reader is gone for good."""
    count = 0
    while most is None or count < most:
        if not reader.wait_for_card(_PATIENCE):
            continue
        gate.clock_trusted = terminal.clock_guard.trusted()
        signals.show(gate.serve(reader))
        count += 1
        if most is None or count < most:
            reader.wait_for_removal(_PATIENCE)


class _Keeper:
    """Hands in what waits, and keeps list and clock fresh, on a thread that touches no card."""

    def __init__(self, terminal: Terminal, book: TapBook, every: float) -> None:
        self._terminal = terminal
        self._book = book
        self._every = every
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gate keeper", daemon=True)

    def __enter__(self) -> None:
        if self._terminal.identity is not None:
            self._terminal.sync()
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(self._every):
            self._once()
        self._once()

    def _once(self) -> None:
        from terminal.errors import TerminalError
        from terminal.gate.upload import upload

        if self._terminal.identity is None:
            return
        with suppress(TerminalError):  # the next turn tries again, and `status` shows why
            self._terminal.sync()
            upload(self._book, self._terminal.client, self._terminal.clock)


def _send(terminal: Terminal) -> ExitCode:
    """Hand in what waits. Raises `NotEnrolled` where there is nobody to hand it in to."""
    from backend_client.errors import NotEnrolled
    from terminal.gate.upload import upload
    from terminal.store.taps import TapBook

    if terminal.identity is None:
        raise NotEnrolled("no identity")
    book = TapBook(terminal.store)
    done = upload(book, terminal.client, terminal.clock)
    for outcome, taps in sorted(done.outcomes.items()):
        print(f"{outcome}: {taps}")
    print(f"待上传 taps that still wait: {book.unsent().count}")
    if done.error is not None:
        raise done.error
    return ExitCode.OK


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
