"""A service's life as systemd sees it: it says when it is ready, and waits for its end."""

from __future__ import annotations

import signal
import socket
from collections.abc import Mapping
from threading import Event

_ENDING = (signal.SIGTERM, signal.SIGINT)


def tell_systemd(what: str, environ: Mapping[str, str]) -> None:
    """Tell the service manager, where there is one (sd_notify): "READY=1"."""
    address = environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(what.encode(), address.replace("@", "\0", 1))


def until_told_to_stop() -> None:
    """Block until SIGTERM or SIGINT. Main thread only."""
    stop = Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in _ENDING}
    try:
        stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
