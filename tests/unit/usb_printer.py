"""A printer on a USB bus that is not there: a backend for pyusb over a simulated mechanism."""

from __future__ import annotations

from array import array
from types import SimpleNamespace

from usb.backend import IBackend
from usb.core import USBTimeoutError

from simulator.printer import PrinterMechanism

VENDOR, PRODUCT = 0x04B8, 0x0E15
IN, OUT = 0x81, 0x03  # not the addresses that python-escpos takes for granted
_BULK = 2


class UsbPrinterBackend(IBackend):  # type: ignore[misc]
    """One device with one configuration and one interface of the class of printers.

    `handles` counts those that are open. `silent` it answers nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mechanism = PrinterMechanism()
        self.silent = False
        self.handles = 0
        self._answers = bytearray()

    def enumerate_devices(self) -> list[str]:
        return ["printer"]

    def get_parent(self, _dev: object) -> None:
        return None

    def get_device_descriptor(self, _dev: object) -> SimpleNamespace:
        return _descriptor(
            idVendor=VENDOR,
            idProduct=PRODUCT,
            bNumConfigurations=1,
            bDeviceClass=0,
            bcdUSB=0x0200,
            bcdDevice=0,
            bDeviceSubClass=0,
            bDeviceProtocol=0,
            bMaxPacketSize0=64,
            iManufacturer=0,
            iProduct=0,
            iSerialNumber=0,
            address=1,
            bus=1,
            port_number=1,
            port_numbers=(1,),
            speed=3,
        )

    def get_configuration_descriptor(self, _dev: object, config: int) -> SimpleNamespace:
        if config:
            raise IndexError
        return _descriptor(
            bConfigurationValue=1,
            bNumInterfaces=1,
            wTotalLength=32,
            iConfiguration=0,
            bmAttributes=0x80,
            bMaxPower=50,
        )

    def get_interface_descriptor(
        self, _dev: object, intf: int, alt: int, _config: int
    ) -> SimpleNamespace:
        if intf or alt:
            raise IndexError
        return _descriptor(
            bInterfaceNumber=0,
            bAlternateSetting=0,
            bNumEndpoints=2,
            bInterfaceClass=0x07,
            bInterfaceSubClass=1,
            bInterfaceProtocol=2,
            iInterface=0,
        )

    def get_endpoint_descriptor(
        self, _dev: object, ep: int, _intf: int, _alt: int, _config: int
    ) -> SimpleNamespace:
        return _descriptor(
            bEndpointAddress=(OUT, IN)[ep],
            bmAttributes=_BULK,
            wMaxPacketSize=64,
            bInterval=0,
            bRefresh=0,
            bSynchAddress=0,
        )

    def open_device(self, dev: object) -> object:
        self.handles += 1
        return dev

    def close_device(self, _handle: object) -> None:
        self.handles -= 1

    def set_configuration(self, _handle: object, _value: int) -> None: ...

    def get_configuration(self, _handle: object) -> int:
        return 1

    def claim_interface(self, _handle: object, _intf: int) -> None: ...

    def release_interface(self, _handle: object, _intf: int) -> None: ...

    def reset_device(self, _handle: object) -> None: ...

    def bulk_write(
        self, _handle: object, ep: int, _intf: int, data: array[int], _timeout: int
    ) -> int:
        assert ep == OUT
        self.mechanism.hear(data.tobytes(), self._answers.extend)
        return len(data)

    def bulk_read(
        self, _handle: object, ep: int, _intf: int, buff: array[int], _timeout: int
    ) -> int:
        assert ep == IN
        if self.silent or not self._answers:
            raise USBTimeoutError("nothing came")
        count = min(len(buff), len(self._answers))
        buff[:count] = array("B", self._answers[:count])
        del self._answers[:count]
        return count


def _descriptor(**fields: object) -> SimpleNamespace:
    return SimpleNamespace(bLength=9, bDescriptorType=1, extra_descriptors=[], **fields)
