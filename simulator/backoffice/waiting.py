"""Requests that wait for the bell: a future each on the web server's loop, and no thread."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.types import Receive

from simulator.backoffice.bell import Bell


class Waiting:
    """Everybody who waits, on one event loop."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._waiters: set[asyncio.Future[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = False

    async def heard(self, rung: int, seconds: float, receive: Receive) -> bool:
        """Wait until the bell has rung more often than `rung`.

        False after so many seconds, when the client has left, or when the waiting was ended.
        """
        loop = self._listening()
        waiter = loop.create_future()
        self._waiters.add(waiter)
        if self._bell.rung > rung or self._ended:
            waiter.set_result(None)
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait(
                (waiter, leaving), timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            return waiter.done() and not self._ended
        finally:
            self._waiters.discard(waiter)
            leaving.cancel()
            with suppress(asyncio.CancelledError):
                await leaving

    def end(self) -> None:
        """Let nobody wait any more: the server is going to stop. Called on the loop."""
        self._ended = True
        self._wake()

    def _listening(self) -> asyncio.AbstractEventLoop:
        """The loop, on which the bell is heard from the first request on."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._bell.listen(self._called)
        return self._loop

    def _called(self) -> None:
        """The bell rings, on whatever thread."""
        with suppress(RuntimeError):  # the loop is closed: nobody waits there any more
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)


async def _left(receive: Receive) -> None:
    """Return when the client closes its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
