"""Puts the terminal together for a command.

This is the one place that takes the machine's own clock, randomness, disk, network and readers.
"""

from __future__ import annotations

import os
import secrets
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from apdu.connection import Reader
from apdu.status import NoCard
from apdu.trace import Trace, parse_trace
from backend_client.transport import HttpTransport, Timeouts
from terminal import logs
from terminal.app import Terminal
from terminal.clock import SystemClock
from terminal.commands.private_file import require_new, write_new
from terminal.errors import ConfigurationError
from terminal.session import CardSession
from terminal.settings import BlacklistSettings, ReaderSettings, Settings, load_settings

if TYPE_CHECKING:
    from backend_client.broker import BrokerAddress
    from terminal.following import Follower, Heard

if TYPE_CHECKING:
    import ssl

    from backend_client.identity import TlsIdentity

FRESH = timedelta(minutes=10)
"""A blacklist at most this old is not asked for again before a card is served."""

SIMULATED = "sim:"
RECORDED = "replay:"
_LARGEST_TRACE = 64 * 1024 * 1024
ON_A_LINE = "serial:"


def open_settings(args: Namespace) -> Settings:
    """The settings, and the log as the options want it. Raises `ConfigurationError`."""
    logs.set_up(verbose=args.verbose, traffic=args.traffic)
    return load_settings(args.settings, os.environ)


@contextmanager
def open_terminal(
    settings: Settings, *, recover: bool = True, proves_cards: bool = True
) -> Iterator[Terminal]:
    """The terminal on this machine; with `recover`, what was left open is brought to its end.

    Whoever serves a card recovers first; whoever only looks asks nobody. Who never asks a social
    security card for its proof (`proves_cards` false) needs no PSAM for it.
    """
    from apdu.hsm import RemoteSam
    from terminal.central_keys import CentralHsm, terminal_number
    from terminal.commands.security_module import security_module

    clock = SystemClock()
    backend = settings.backend
    transport = None
    if backend.url:
        timeouts = Timeouts(
            backend.connect_timeout.total_seconds(),
            backend.read_timeout.total_seconds(),
            backend.total_timeout.total_seconds(),
        )
        transport = HttpTransport(
            backend.url,
            monotonic=clock.monotonic,
            timeouts=timeouts,
            tls=_trusting(settings) if _is_secured(settings) else None,
        )
    central = CentralHsm()
    show = None
    if transport is not None and _is_secured(settings):
        show = _shower(settings, transport)
    try:
        with (
            security_module(settings.security, central, needed=proves_cards) as sam,
            Terminal.open(
                settings,
                clock=clock,
                random=secrets.token_bytes,
                sam=sam,
                transport=transport,
                show=show,
            ) as terminal,
        ):
            central.connect(lambda: terminal.client.hsm)
            if isinstance(sam, RemoteSam):
                sam.terminal_number = terminal_number(terminal.identity)
            if recover:
                terminal.recover()
            yield terminal
    finally:
        if transport is not None:
            transport.close()


def _is_secured(settings: Settings) -> bool:
    return settings.backend.url.startswith("https:")


def _trusting(settings: Settings, identity: TlsIdentity | None = None) -> ssl.SSLContext:
    from backend_client.identity import tls_context

    directory = settings.terminal.data_dir
    return tls_context(
        settings.backend.ca_file, identity, directory=directory, random=secrets.token_bytes
    )


def _shower(settings: Settings, transport: HttpTransport) -> Callable[[TlsIdentity], None]:
    """What has the transport show a certificate from then on."""

    def show(identity: TlsIdentity) -> None:
        transport.use(_trusting(settings, identity))

    return show


@contextmanager
def open_follower(
    settings: Settings, terminal: Terminal, *, heard: Heard | None = None
) -> Iterator[Follower]:
    """A follower that keeps the terminal's blacklist up to date, as the settings want it pushed.

    `heard` is told of each answer, on the follower's thread. Raises `ConfigurationError` where no
    back office is set.
    """
    from terminal.following import Follower, LongPoll

    if not settings.backend.url:
        raise ConfigurationError("[backend] url is empty: there is nothing to follow")
    wait = settings.blacklist.wait.total_seconds()
    if settings.blacklist.push == "mqtt":
        from terminal.pushed import Pushed

        pushed = Pushed(terminal, _broker(settings.blacklist), wait)
        try:
            with Follower(pushed, random=secrets.token_bytes, heard=heard) as follower:
                yield follower
        finally:
            pushed.close()
        return
    patience = settings.backend.read_timeout.total_seconds() + wait
    timeouts = Timeouts(settings.backend.connect_timeout.total_seconds(), patience, patience + wait)
    secured = _is_secured(settings)
    transport = HttpTransport(
        settings.backend.url,
        monotonic=terminal.clock.monotonic,
        timeouts=timeouts,
        tls=_trusting(settings) if secured else None,
    )
    if secured:
        terminal.certificates.show_also(_shower(settings, transport))
    source = LongPoll(terminal, transport, wait)
    try:
        with Follower(source, random=secrets.token_bytes, heard=heard) as follower:
            yield follower
    finally:
        transport.close()


@contextmanager
def followed(settings: Settings, terminal: Terminal) -> Iterator[None]:
    """Follow the blacklist while a face serves: a function freezes at once (Article 18).

    Where there is no back office, or it does not know this terminal, there is nothing to follow.
    """
    if not settings.backend.url or terminal.identity is None:
        yield
        return
    with open_follower(settings, terminal):
        yield


def _broker(settings: BlacklistSettings) -> BrokerAddress:
    from backend_client.broker import BrokerAddress

    return BrokerAddress(
        settings.mqtt_host,
        settings.mqtt_port,
        settings.mqtt_topic,
        settings.mqtt_tls,
        settings.mqtt_ca,
        settings.mqtt_certificate,
        settings.mqtt_key,
        settings.mqtt_user,
        settings.mqtt_password,
    )


def freshen(terminal: Terminal) -> None:
    """Synchronise before serving, unless that was done a moment ago or is not possible."""
    if terminal.identity is None:
        return
    head = terminal.blacklist.head()
    if head is None or terminal.clock.now() - head.applied_at > FRESH:
        terminal.sync()


@contextmanager
def open_session(
    args: Namespace, settings: Settings, terminal: Terminal, trace: Trace | None = None
) -> Iterator[CardSession]:
    """The card in the reader, waited for; `trace` records it, else what the options want.

    Raises `CardError`, and `ConfigurationError` for a recording that cannot be kept.
    """
    if trace is None:
        with recording(args) as wanted, _session(args, settings, terminal, wanted) as session:
            yield session
        return
    with _session(args, settings, terminal, trace) as session:
        yield session


@contextmanager
def _session(
    args: Namespace, settings: Settings, terminal: Terminal, trace: Trace | None
) -> Iterator[CardSession]:
    reader = open_reader(args.reader, settings.reader)
    if not reader.wait_for_card(args.wait):
        raise NoCard(f"{reader.name}: no card within {args.wait:g} seconds")
    exclusive = settings.reader.exclusive
    with CardSession.open(reader, terminal.sam, exclusive=exclusive, trace=trace) as session:
        yield session


@contextmanager
def recording(args: Namespace) -> Iterator[Trace | None]:
    """What the options want recorded: in a file written at the end, in the log, or nothing.

    A session that fails is recorded, too. Raises `ConfigurationError` when the file exists.
    """
    if args.record is None:
        yield logs.TrafficTrace() if args.traffic else None
        return
    with kept_trace(args) as trace:
        yield trace


@contextmanager
def kept_trace(args: Namespace) -> Iterator[Trace]:
    """A trace with times, for a command that looks at it itself; in the file and the log, too."""
    if args.record is not None:
        require_new(args.record)
    trace = logs.KeptTrace(SystemClock().monotonic, log_too=args.traffic)
    try:
        yield trace
    finally:
        if args.record is not None and trace.events:
            write_new(args.record, str(trace))


def open_reader(wanted: str | None, settings: ReaderSettings) -> Reader:
    """The reader that `wanted`, or else the settings, name.

    Raises `ReaderNotFound`, `ReaderAmbiguous`, `ServiceUnavailable`; for a simulated or recorded
    card also `ProfileError`, `CardStateError`, `TraceError` and `ConfigurationError`.
    """
    pattern = wanted or settings.pattern
    if pattern.startswith(SIMULATED):
        return simulated_reader(pattern.removeprefix(SIMULATED))
    if pattern.startswith(RECORDED):
        return _recorded_reader(Path(pattern.removeprefix(RECORDED)))
    return plugged_reader(pattern, settings.slot)


def plugged_reader(pattern: str, slot: int) -> Reader:
    """A real reader: `serial:DEVICE...`, or one of the PC/SC service.

    Raises `ReaderNotFound`, `ReaderAmbiguous`, `ServiceUnavailable`.
    """
    if pattern.startswith(ON_A_LINE):
        from apdu.readers.serial import find_serial_reader

        return find_serial_reader(pattern)
    from apdu.readers.pcsc import find_reader

    return find_reader(pattern or None, slot or None)


def simulated_reader(wanted: str) -> Reader:
    """A simulated card of a built-in profile, or of one in a file, in a reader of this process.

    `wanted` is PROFILE, or PROFILE@FILE for a card that keeps its state in FILE.
    """
    from apdu.readers.inprocess import InProcessReader

    name, _, state = wanted.partition("@")
    # By name: the terminal does not depend on the simulator, and runs without it.
    profile = import_module("simulator.card.profile").load_profile(name)
    if state:
        card = import_module("simulator.card.persistence")
        chip = card.PersistentCard(profile, Path(state), random=secrets.token_bytes)
    else:
        card = import_module("simulator.card.card")
        chip = card.SimulatedCard(profile, random=secrets.token_bytes)
    return InProcessReader(f"{SIMULATED}{wanted}", chip)


def _recorded_reader(file: Path) -> Reader:
    from apdu.readers.replay import ReplayReader

    return ReplayReader(load_trace(file), ordered=False, name=f"{RECORDED}{file.name}")


def load_trace(file: Path) -> Trace:
    """The trace in `file`. Raises `ConfigurationError` or `TraceError`."""
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST_TRACE + 1)
        if len(content) > _LARGEST_TRACE:
            raise ConfigurationError(f"the trace {file} is larger than {_LARGEST_TRACE} bytes")
        return parse_trace(content.decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the trace {file} cannot be read: {error}") from None
