"""The line to the receipt printer: network, serial or USB, opened by python-escpos.

The library reads up to 16 bytes at a time; a serial line then waits its whole time-out for an
answer of one byte. Here every line gives one byte, or none in time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from terminal.settings import PrinterSettings


@dataclass(frozen=True, slots=True)
class PrinterLine:
    """A line that is open. `write` and `close` raise whatever it raises.

    `read` gives the bytes that have come, none when its time is over; it may raise `TimeoutError`.
    `printer` is the library's, which closes the line when nobody holds it any more.
    """

    write: Callable[[bytes], None]
    read: Callable[[], bytes]
    close: Callable[[], None]
    printer: object = None

    def ask(self, question: bytes) -> int | None:
        """The last byte of the answer to `question`, None where none comes in time."""
        self.write(question)
        try:
            answer = self.read()
        except TimeoutError:
            return None
        return answer[-1] if answer else None


Connect = Callable[[], PrinterLine]


def line_to(settings: PrinterSettings, usb_backend: object = None) -> Connect | None:
    """How to open the line that the settings describe, None where there is no printer.

    `usb_backend` is for pyusb, which finds its own where this is None.
    """
    match settings.kind:
        case "network":
            return lambda: _network(settings)
        case "serial":
            return lambda: _serial(settings)
        case "usb":
            return lambda: _usb(settings, usb_backend)
        case _:
            return None


def _network(settings: PrinterSettings) -> PrinterLine:
    from escpos.printer import Network

    printer = Network(settings.host, settings.tcp_port, timeout=settings.timeout.total_seconds())
    printer.open()
    line: Any = printer.device
    return PrinterLine(line.sendall, lambda: line.recv(1), printer.close, printer)


def _serial(settings: PrinterSettings) -> PrinterLine:
    from escpos.printer import Serial

    seconds = settings.timeout.total_seconds()
    printer = Serial(settings.device, settings.baud, timeout=seconds, dsrdtr=False)
    printer.open()
    line: Any = printer.device
    line.write_timeout = seconds
    line.reset_input_buffer()
    # Not the library's close, which waits until all is sent: a printer that is stuck takes nothing.
    return PrinterLine(line.write, lambda: line.read(1), line.close, printer)


def _usb(settings: PrinterSettings, backend: object) -> PrinterLine:
    from escpos.printer import Usb

    vendor, product = (int(number, 16) for number in settings.usb.split(":"))
    milliseconds = int(settings.timeout.total_seconds() * 1000)
    found = {} if backend is None else {"backend": backend}
    printer = Usb(vendor, product, found, timeout=milliseconds)
    printer.open()
    line: Any = printer.device
    into, out = _endpoints(line)
    return PrinterLine(
        lambda data: line.write(out, data, milliseconds),
        lambda: _usb_answer(lambda: line.read(into, 64, milliseconds)),
        printer.close,
        printer,
    )


def _endpoints(device: Any) -> tuple[int, int]:  # noqa: ANN401 - the library has no types
    """The addresses of the bulk endpoints in and out of the printer's interface.

    Raises `LookupError` when it has none.
    """
    from usb.util import ENDPOINT_IN, ENDPOINT_TYPE_BULK, endpoint_direction, endpoint_type

    bulk = [
        endpoint.bEndpointAddress
        for interface in device.get_active_configuration()
        if interface.bInterfaceClass in _PRINTS
        for endpoint in interface
        if endpoint_type(endpoint.bmAttributes) == ENDPOINT_TYPE_BULK
    ]
    into = [one for one in bulk if endpoint_direction(one) == ENDPOINT_IN]
    out = [one for one in bulk if endpoint_direction(one) != ENDPOINT_IN]
    if not (into and out):
        raise LookupError("the device has no printer interface")
    return into[0], out[0]


_PRINTS = (0x07, 0xFF)
"""The interface classes of printers: their own, and the vendor's."""


def _usb_answer(read: Callable[[], Any]) -> bytes:
    from usb.core import USBTimeoutError

    try:
        return bytes(read())
    except USBTimeoutError:
        return b""
