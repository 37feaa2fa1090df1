"""Puts a kiosk together: session thread, watcher, page, and their web servers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from apdu.connection import Reader
from terminal.app import Terminal
from terminal.devices.protocols import PinPad, Printer
from terminal.kiosk.driver import KioskDriver
from terminal.kiosk.inbox import Inbox
from terminal.kiosk.kiosk import Kiosk
from terminal.kiosk.operator_login import Logins
from terminal.kiosk.operator_web import OperatorParts, OperatorWeb
from terminal.kiosk.pad_listener import PadListener
from terminal.kiosk.recent_log import RecentLog
from terminal.kiosk.serving import LocalServer
from terminal.kiosk.stage import Stage
from terminal.kiosk.timing import Timing
from terminal.kiosk.unprinted import Unprinted
from terminal.kiosk.upkeep import Upkeep
from terminal.kiosk.views import Attract, OutOfService, Preferences
from terminal.kiosk.watcher import PATIENCE, ReaderWatcher
from terminal.kiosk.web import KioskWeb
from terminal.settings import KioskSettings


@dataclass(frozen=True, slots=True)
class RunningKiosk:
    """A kiosk that serves. `page_url` opens its page; the key in it is good until it ends.

    `operator_url` is where the operator's page is.
    """

    kiosk: Kiosk
    stage: Stage
    inbox: Inbox
    page_url: str
    operator_url: str


@contextmanager
def running_kiosk(
    terminal: Terminal,
    reader: Reader,
    *,
    random: Callable[[int], bytes],
    printer: Printer | None = None,
    pin_pad: Callable[[PadListener], PinPad | None] | None = None,
    framed_by: tuple[str, ...] = (),
    patience: float = PATIENCE,
    upkeep: float | None = None,
) -> Iterator[RunningKiosk]:
    """Serve the cards of `reader` until the block is left.

    `pin_pad` makes the pad, given where it tells what is typed. `patience` is how long the reader's
    watcher blocks at a time; `upkeep` the seconds between two synchronisations, None for none
    (somebody else does it). Raises `PortTaken`.
    """
    own = terminal.settings.kiosk
    inbox = Inbox(terminal.clock)
    stage = Stage(Preferences(language=terminal.settings.terminal.language, voice=own.voice))
    timing = _timing(own)
    driver = KioskDriver(
        stage,
        inbox,
        terminal.clock,
        timing,
        Unprinted(terminal.store),
        printer=printer,
        pin_pad=pin_pad(PadListener(inbox)) if pin_pad else None,
        screen_pin=own.screen_pin,
    )
    kiosk = Kiosk(terminal, reader, stage=stage, inbox=inbox, driver=driver, timing=timing)
    key = random(16).hex()
    web = KioskWeb(stage, inbox, key=key, framed_by=framed_by)
    with ExitStack() as closing:
        server = LocalServer(web.app, own.port, "kiosk-web")
        closing.callback(server.close)
        server.start()
        closing.callback(web.close)
        watcher = ReaderWatcher(reader, inbox, patience=patience)
        watcher.start()
        closing.callback(watcher.close)
        kiosk.start()
        closing.callback(kiosk.close)
        if upkeep is not None:
            keeper = Upkeep(
                terminal, lambda: isinstance(stage.page.view, Attract | OutOfService), every=upkeep
            )
            keeper.start()
            closing.callback(keeper.close)
        logins = Logins(own.operator_password_file, terminal.clock, random)
        devices = {"reader": reader.name, "PIN pad": terminal.settings.pin_pad.kind}
        parts = OperatorParts(kiosk, logins, printer, _recent_log(closing), devices)
        operator = LocalServer(OperatorWeb(parts).app, own.operator_port, "kiosk-operator")
        closing.callback(operator.close)
        operator.start()
        url = f"{server.origin}/?key={key}"
        yield RunningKiosk(kiosk, stage, inbox, url, operator.origin)


def _recent_log(closing: ExitStack) -> RecentLog:
    recent = RecentLog()
    root = logging.getLogger()
    root.addHandler(recent)
    closing.callback(root.removeHandler, recent)
    return recent


def _nobody_there(stage: Stage) -> bool:
    return isinstance(stage.page.view, Attract | OutOfService)


def _timing(own: KioskSettings) -> Timing:
    return Timing(
        answer=own.answer_time.total_seconds(),
        reading=own.reading_time.total_seconds(),
        warning=own.warning_time.total_seconds(),
        alarm=own.alarm_time.total_seconds(),
        call=own.call_time.total_seconds(),
    )
