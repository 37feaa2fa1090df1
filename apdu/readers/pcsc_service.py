"""One connection to the PC/SC service: its readers, their states, and waiting for a change.

A `Context` lives as long as one operation, so a service that was restarted in between is never
met through a stale handle.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent import futures
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType

from apdu.readers.pcsc_binding import Changes, Scard, failure

# The pseudo reader whose state changes when a reader is plugged in or pulled out.
PLUG_AND_PLAY = "\\\\?PnP?\\Notification"

# pcsc-lite looks at 16 entries at most, the pseudo reader included (PCSCLITE_MAX_READERS_CONTEXTS).
MAX_ENTRIES = 16

# How often a cancellation is repeated until the waiting call has taken notice. The service drops
# one that arrives before the call has registered, and does not say so.
_CANCEL_RETRY_SECONDS = 0.01

# The longest single wait. pcsc-lite wakes up once a minute anyway; looking at the list of readers
# then heals a plug event that fell between listing and waiting.
_ROUND_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ReaderState:
    """What the service says about one reader.

    `flags` are the SCARD_STATE bits with the service's count of insertions and removals in the
    upper 16 bits; `atr` is empty without a card, and for a card that does not answer.
    """

    name: str
    flags: int
    present: bool
    in_use: bool
    gone: bool
    atr: bytes

    @property
    def events(self) -> int:
        """The service's count of insertions and removals, modulo 65 536."""
        return self.flags >> 16


class Context:
    """A connection to the PC/SC service, to be used in a `with` block by one thread.

    Only `cancel` may be called from another thread.
    """

    def __init__(self, scard: Scard) -> None:
        self.scard = scard
        self.handle = 0
        self._lock = threading.Lock()
        self._waiting: Future[Changes] | None = None
        self._cancelled = False

    def open(self) -> Context:
        """Reach the service. Raises `ServiceUnavailable` when it does not run or refuses us."""
        result, self.handle = self.scard.SCardEstablishContext(self.scard.SCARD_SCOPE_USER)
        self.check(result, "reaching the PC/SC service")
        return self

    def __enter__(self) -> Context:
        return self.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the context back. Cards still connected through it are let go by the service."""
        self.scard.SCardReleaseContext(self.handle)

    def check(self, result: int, what: str) -> None:
        """Raise the error that `result` stands for, unless it is success."""
        if result != self.scard.SCARD_S_SUCCESS:
            raise failure(self.scard, result, what)

    def readers(self) -> list[str]:
        """The names of all readers, in the service's order."""
        result, names = self.scard.SCardListReaders(self.handle, [])
        if result == self.scard.SCARD_E_NO_READERS_AVAILABLE:
            return []
        self.check(result, "listing readers")
        return list(names)

    def states(self, names: Sequence[str]) -> list[ReaderState]:
        """The present states of the readers `names`, without waiting."""
        if not names:
            return []
        entries = [(name, self.scard.SCARD_STATE_UNAWARE) for name in names[:MAX_ENTRIES]]
        result, answer = self.scard.SCardGetStatusChange(self.handle, 0, entries)
        self.check(result, "asking for the state of " + ", ".join(names))
        return [self._state(entry) for entry in answer]

    def wait(
        self, known: Sequence[tuple[str, int]], timeout: float | None = None
    ) -> list[ReaderState] | None:
        """Block until a reader's state differs from the flags `known`, then return the states.

        None when nothing changed within `timeout` seconds (at most a minute), or when another
        thread called `cancel`. The call blocks in a thread of its own because a signal, Ctrl-C
        for one, cannot end it otherwise.
        """
        seconds = _ROUND_SECONDS if timeout is None else min(max(timeout, 0.0), _ROUND_SECONDS)
        answer: Future[Changes] = Future()
        with self._lock:
            if self._cancelled:
                return None
            self._waiting = answer

        def block() -> None:
            try:
                entries = list(known)[:MAX_ENTRIES]
                answer.set_result(
                    self.scard.SCardGetStatusChange(self.handle, int(seconds * 1000), entries)
                )
            except BaseException as error:
                answer.set_exception(error)

        thread = threading.Thread(target=block, name="pcsc-wait", daemon=True)
        thread.start()
        try:
            result, states = answer.result()
        except BaseException:
            self.cancel()
            raise
        finally:
            thread.join()
        if result in (self.scard.SCARD_E_TIMEOUT, self.scard.SCARD_E_CANCELLED):
            return None
        self.check(result, "waiting for readers and cards")
        return [self._state(entry) for entry in states]

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled

    def cancel(self) -> None:
        """End the wait that another thread is in, and every later one of this context."""
        with self._lock:
            self._cancelled = True
            waiting = self._waiting
        while waiting is not None and not waiting.done():
            self.scard.SCardCancel(self.handle)
            futures.wait([waiting], _CANCEL_RETRY_SECONDS)

    def _state(self, entry: tuple[str, int, Sequence[int]]) -> ReaderState:
        name, flags, atr = entry
        scard = self.scard
        return ReaderState(
            name=name,
            flags=flags & ~scard.SCARD_STATE_CHANGED,
            present=bool(flags & scard.SCARD_STATE_PRESENT),
            in_use=bool(flags & (scard.SCARD_STATE_INUSE | scard.SCARD_STATE_EXCLUSIVE)),
            gone=bool(flags & (scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE)),
            atr=bytes(atr),
        )
