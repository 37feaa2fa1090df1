"""A serial device that is not there: a pseudo terminal under a name of its own.

Programs open the name as they would /dev/ttyUSB0. `unplug` hangs the line up and takes the name
away, in the middle of whatever is going on; `plug` brings it back.
"""

from __future__ import annotations

import os
import pty
import select
import threading
import tty
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

_CHUNK = 4096


class HungUp(Exception):
    """The device was unplugged; its thread ends."""


class PtyDevice:
    """Serves one line in a thread: `serve(device)` reads and writes until `HungUp`.

    `path` is the name it has while it is plugged in; a symbolic link, so that it stays the same.
    Use it in a `with` block, or call `unplug` in the end.
    """

    def __init__(self, path: Path, serve: Callable[[PtyDevice], None]) -> None:
        self.path = path
        self._serve = serve
        self._master = self._slave = self._wake = -1
        self._woken = -1
        self._thread: threading.Thread | None = None
        self._waiting = bytearray()

    def __enter__(self) -> PtyDevice:
        self.plug()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.unplug()

    def plug(self) -> None:
        """Bring the device up; nothing happens when it is."""
        if self._thread is not None:
            return
        # The own slave end keeps the line up while no program has it open.
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self._woken, self._wake = os.pipe()
        self._waiting.clear()
        self.path.symlink_to(os.ttyname(self._slave))
        self._thread = threading.Thread(target=self._run, name=f"pty-{self.path.name}", daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """Hang up, whoever is talking. May be called more than once, and by the device itself."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self.path.unlink(missing_ok=True)
        os.write(self._wake, b"x")
        if thread is not threading.current_thread():
            thread.join()

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes from the program. Raises `HungUp`."""
        while len(self._waiting) < size:
            ready, _, _ = select.select((self._master, self._woken), (), ())
            if self._woken in ready:
                raise HungUp
            with suppress(OSError):
                self._waiting += os.read(self._master, _CHUNK)
        taken = bytes(self._waiting[:size])
        del self._waiting[:size]
        return taken

    def write(self, data: bytes) -> None:
        """Send bytes to the program. Raises `HungUp`."""
        while data:
            ready, writable, _ = select.select((self._woken,), (self._master,), ())
            if ready:
                raise HungUp
            if writable:
                data = data[os.write(self._master, data) :]

    def _run(self) -> None:
        try:
            self._serve(self)
        except HungUp:
            pass
        finally:
            for descriptor in (self._master, self._slave, self._woken, self._wake):
                os.close(descriptor)
