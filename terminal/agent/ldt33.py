"""The functions of LD/T 33 over a WebSocket, in the message form that hospital pages use.

    {"function": "iReadCardBas", "iType": 3}  ->  {"success": 0, "pOutInfo": "990100|..."}

`success` is the function's return value: 0, or a code of the standard. The other members are the
function's parameters by their names. A connection has a driver of its
own, in a thread of its own, which gives the card back when the connection ends or is silent for
longer than the lease in the middle of an HSM form.

Where the point of use has no PIN pad, the page may send what the holder typed, in the order in
which the pad would ask: `"pins": ["246810"]`. Anything but a list of at most three texts is -14.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeGuard

from starlette.websockets import WebSocket, WebSocketDisconnect

from apdu.pin import Pin
from apdu.ssc.driver import (
    FUNCTIONS,
    Debits,
    Devices,
    Driver,
    DriverResult,
    InterruptedDebits,
    PinPrompt,
    ResultCode,
    call,
)
from apdu.ssc.driver.pin_pad import PinTimeout
from apdu.ssc.driver.result import DriverRefusal, failure
from terminal.agent.errors import TooManyCalls
from terminal.agent.guard import CALLER, SUBPROTOCOL, Caller
from terminal.agent.scopes import scope_of

log = logging.getLogger(__name__)

PATHS = ("/", "/ldt33")
"""Existing pages connect to the bare address."""

LONGEST_MESSAGE = 64 * 1024
_PINS_MAX = 3

Gate = Callable[[Caller, str, Mapping[str, object]], str | None]
"""Asked before a function that changes something; a sentence refuses it."""

Witness = Callable[[Caller, str, Mapping[str, object], DriverResult], None]
"""Is told of every call, for the audit trail."""


def open_gate(_caller: Caller, _function: str, _arguments: Mapping[str, object]) -> str | None:
    """Refuses nothing."""
    return None


Count = Callable[[str], None]
"""Counts a caller's call. Raises `TooManyCalls`."""


def no_witness(
    _caller: Caller, _function: str, _arguments: Mapping[str, object], _result: DriverResult
) -> None:
    """Writes nothing down."""


class Ldt33Socket:
    """Serves the socket at one point of use."""

    def __init__(
        self,
        devices: Callable[[], Devices],
        *,
        lease: float,
        gate: Gate = open_gate,
        witness: Witness = no_witness,
        count: Count = lambda _caller: None,
        debits: Debits | None = None,
    ) -> None:
        """`devices` are asked for at every connection, so that readers may come and go.

        `debits` without an answer are those of all connections: a page that was loaded anew must
        not charge a card twice.
        """
        self._devices = devices
        self._lease = lease
        self._gate = gate
        self._witness = witness
        self._count = count
        self._debits = debits or InterruptedDebits(lambda _debit: None)

    async def serve(self, socket: WebSocket) -> None:
        """One connection, until it ends."""
        offered = socket.scope.get("subprotocols", [])
        await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)
        caller: Caller = socket.scope[CALLER]
        thread = ThreadPoolExecutor(1, thread_name_prefix="agent-ldt33")
        devices = await asyncio.to_thread(self._devices)
        point = _PointOfUse(devices, self._debits, caller, self._gate, self._witness, self._count)
        loop = asyncio.get_running_loop()
        try:
            await self._answer_all(socket, point, lambda do: loop.run_in_executor(thread, do))
        except WebSocketDisconnect:
            pass
        finally:
            # Not awaited: the caller may be gone in the middle of anything.
            thread.submit(point.close)
            thread.shutdown(wait=False)

    async def _answer_all(
        self,
        socket: WebSocket,
        point: _PointOfUse,
        run: Callable[[Callable[[], Any]], asyncio.Future[Any]],
    ) -> None:
        while True:
            try:
                text = await asyncio.wait_for(socket.receive_text(), self._lease)
            except TimeoutError:
                await run(point.close)
                continue
            except KeyError:  # bytes where a text was expected
                text = ""
            message = _parsed(text)
            result = await run(lambda message=message: point.call(message))  # type: ignore[misc]
            told = {"success": result.code, "pOutInfo": result.out}
            await socket.send_text(json.dumps(told, ensure_ascii=False))


class _PointOfUse:
    """A connection's driver; every method runs in its thread."""

    def __init__(
        self,
        devices: Devices,
        debits: Debits,
        caller: Caller,
        gate: Gate,
        witness: Witness,
        count: Count,
    ) -> None:
        self._typed = _Typed()
        if devices.pin_pad is None:
            devices = replace(devices, pin_pad=self._typed)
        self._driver = Driver(devices, debits=debits)
        self._caller = caller
        self._gate = gate
        self._witness = witness
        self._count = count

    def call(self, message: Mapping[str, Any]) -> DriverResult:
        """Carry out one message. A fault of the program is code -99, and closes the card."""
        name = message.get("function")
        if not isinstance(name, str) or name not in FUNCTIONS:
            return call(self._driver, str(name), {})
        if scope_of(name) not in self._caller.scopes:
            return DriverResult(ResultCode.NOT_ALLOWED, "令牌不允许该功能")
        arguments = {key: message.get(key) for key in FUNCTIONS[name].parameters}
        try:
            self._count(self._caller.id)
            refused = self._gate(self._caller, name, arguments)
            if refused is not None:
                return DriverResult(ResultCode.NOT_ALLOWED, refused)
            pins = message.get("pins")
            if not _are_pins(pins):
                return failure(DriverRefusal(ResultCode.BAD_PARAMETER, "pins"))
            self._typed.load(pins)
            result = call(self._driver, name, arguments)
            self._witness(self._caller, name, arguments, result)
        except TooManyCalls as error:
            return DriverResult(
                ResultCode.UNKNOWN, f"调用过于频繁，请在{error.seconds:.0f}秒后重试"
            )
        except Exception:
            log.exception("%s failed", name)
            self.close()
            return DriverResult(ResultCode.UNKNOWN, "未知错误")
        finally:
            self._typed.wipe()
        return result

    def close(self) -> None:
        """Give back a card that an HSM form holds."""
        self._driver.close()


class _Typed:
    """What a page says the holder typed; a `PinPad` for one call."""

    def __init__(self) -> None:
        self._pins: list[Pin] = []
        self._given = False

    def load(self, pins: list[str] | None) -> None:
        """Take the PINs of a message; what is none counts as nothing typed."""
        self.wipe()
        self._given = pins is not None
        self._pins = [Pin(one) for one in pins or () if _is_pin(one)]

    def read_pin(self, prompt: PinPrompt) -> Pin:
        """See `PinPad`. Raises -13 for a page that counts on a pad where there is none."""
        if not self._given:
            raise DriverRefusal(ResultCode.NOT_SUPPORTED, "there is no PIN pad")
        if not self._pins:
            raise PinTimeout(f"nothing was typed for {prompt.name}")
        return self._pins.pop(0)

    def wipe(self) -> None:
        """Forget what was not asked for."""
        for pin in self._pins:
            pin.wipe()
        self._pins = []


def _are_pins(given: object) -> TypeGuard[list[str] | None]:
    """Whether this may stand where a page says what the holder typed."""
    if given is None:
        return True
    if not isinstance(given, list) or len(given) > _PINS_MAX:
        return False
    return all(isinstance(one, str) for one in given)


def _is_pin(given: str) -> bool:
    return given.isascii() and given.isdigit() and 4 <= len(given) <= 16


def _parsed(text: str) -> Mapping[str, Any]:
    if len(text) > LONGEST_MESSAGE:
        return {}
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}
