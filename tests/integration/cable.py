"""The cable between a reader and a real PC/SC service, for tests that pull it.

The private pcscd has no USB bus from which its virtual reader could vanish while the service goes
on, so the cable stands where the terminal meets the service: everything goes through to the real
one, and while the cable is out the readers behind it are to the terminal what pcsc-lite makes of
unplugged ones. Handles opened before stay dead after the cable is back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future
from typing import Any, cast

from apdu.readers.pcsc_binding import Changes, Scard, load_scard
from apdu.readers.pcsc_service import PLUG_AND_PLAY

_REPEAT_SECONDS = 0.01
_PLUGGED_ONCE = 1 << 16  # the service's count, in the upper half of a state


class Cable:
    """A `Scard` whose readers come and go with `pull` and `plug`. Thread-safe.

    `trip(n, happens)` lets something happen at the n-th command from now, before the card has it
    or, with `after`, when the card has carried it out; `commands` counts them.
    """

    def __init__(self) -> None:
        self._real = load_scard()
        self._lock = threading.Lock()
        self._out = False
        self._plugs = 0
        self._living: set[int] = set()
        self._waiting: dict[int, Future[Changes]] = {}
        self.commands = 0
        self._trip: tuple[int, bool, Callable[[], None]] | None = None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the binding has
        return getattr(self._real, name)

    @property
    def scard(self) -> Scard:
        """This cable as what the terminal takes."""
        return cast(Scard, self)

    def pull(self) -> None:
        """Take the readers away, whoever is talking to them or waits at them."""
        self._set(out=True)

    def plug(self) -> None:
        """Bring them back."""
        self._set(out=False)

    def trip(self, at: int, happens: Callable[[], None], *, after: bool) -> None:
        """See the class."""
        self.commands = 0
        self._trip = at, after, happens

    def disarm(self) -> bool:
        """Nothing is to happen any more; whether it had still to happen."""
        trip, self._trip = self._trip, None
        return trip is not None

    def SCardListReaders(self, handle: int, groups: list[str]) -> tuple[int, list[str]]:  # noqa: N802
        result, names = self._real.SCardListReaders(handle, groups)
        if self._out and result == self._real.SCARD_S_SUCCESS:
            return self._real.SCARD_E_NO_READERS_AVAILABLE, []
        return result, names

    def SCardConnect(self, *arguments: Any) -> tuple[int, int, int]:  # noqa: ANN401, N802
        if self._out:
            return self._code("SCARD_E_UNKNOWN_READER"), 0, 0
        result, handle, protocol = self._real.SCardConnect(*arguments)
        with self._lock:
            self._living.add(handle)
        return result, handle, protocol

    def SCardReconnect(self, handle: int, *arguments: Any) -> tuple[int, int]:  # noqa: ANN401, N802
        if handle not in self._living:
            return self._unavailable, 0
        return self._real.SCardReconnect(handle, *arguments)

    def SCardStatus(self, handle: int) -> tuple[int, str, int, int, list[int]]:  # noqa: N802
        if handle not in self._living:
            return self._unavailable, "", 0, 0, []
        return self._real.SCardStatus(handle)

    def SCardTransmit(  # noqa: N802
        self, handle: int, protocol: int, command: list[int]
    ) -> tuple[int, list[int]]:
        if handle not in self._living:
            return self._unavailable, []
        number, self.commands = self.commands, self.commands + 1
        self._happen(number, after=False)
        if handle not in self._living:
            return self._unavailable, []
        answer = self._real.SCardTransmit(handle, protocol, command)
        self._happen(number, after=True)
        return answer if handle in self._living else (self._unavailable, [])

    def SCardGetStatusChange(  # noqa: N802
        self, handle: int, milliseconds: int, entries: list[tuple[str, int]]
    ) -> Changes:
        here = [entry for entry in entries if entry[0] != PLUG_AND_PLAY]
        if self._out and here:
            return self._code("SCARD_E_UNKNOWN_READER"), []
        told = self._plugs * _PLUGGED_ONCE
        if any(name == PLUG_AND_PLAY and flags not in (0, told) for name, flags in entries):
            return self._real.SCARD_S_SUCCESS, [self._state(*entry) for entry in entries]
        waits: Future[Changes] = Future()
        with self._lock:
            self._waiting[handle] = waits
            plugs = self._plugs
        try:
            known = [(name, 0 if name == PLUG_AND_PLAY else flags) for name, flags in entries]
            result, states = self._real.SCardGetStatusChange(handle, milliseconds, known)
        finally:
            with self._lock:
                del self._waiting[handle]
            waits.cancel()
        if self._plugs != plugs:
            return self._real.SCARD_S_SUCCESS, [self._state(*entry) for entry in entries]
        return result, states

    def _state(self, name: str, flags: int) -> tuple[str, int, list[int]]:
        """What a wait is told that ended because the cable moved."""
        changed = self._real.SCARD_STATE_CHANGED
        if name == PLUG_AND_PLAY:
            return name, self._plugs * _PLUGGED_ONCE | changed, []
        gone = self._real.SCARD_STATE_UNKNOWN | self._real.SCARD_STATE_UNAVAILABLE
        return name, (gone | changed) if self._out else flags, []

    def _set(self, *, out: bool) -> None:
        with self._lock:
            self._out = out
            self._plugs += 1
            self._living.clear()
            waiting = dict(self._waiting)
        for handle, waits in waiting.items():
            while not waits.done():  # the service drops what comes before the wait has registered
                self._real.SCardCancel(handle)
                futures.wait([waits], _REPEAT_SECONDS)

    def _happen(self, number: int, *, after: bool) -> None:
        if self._trip is not None and self._trip[:2] == (number, after):
            happens, self._trip = self._trip[2], None
            happens()

    @property
    def _unavailable(self) -> int:
        return self._code("SCARD_E_READER_UNAVAILABLE")

    def _code(self, name: str) -> int:
        code: int = getattr(self._real, name)
        return code
