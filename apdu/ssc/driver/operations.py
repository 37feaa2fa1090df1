"""What the functions do that need one call: with a PSAM, or with no key at all (facts 6.1 to 6.3).

Every one opens the device and leaves it closed. Parameters are looked at before that.
"""

from __future__ import annotations

from apdu.ssc.account import MedicalAccount
from apdu.ssc.card import ENVIRONMENT
from apdu.ssc.driver.address import FileAddress, parse_addresses, parse_data
from apdu.ssc.driver.card_info import parse_card_info
from apdu.ssc.driver.device import Device, Devices
from apdu.ssc.driver.interrupted import Debits
from apdu.ssc.driver.payment import Payment, receipt, records_text
from apdu.ssc.driver.pin_pad import PinPrompt
from apdu.ssc.driver.reading import check_address, read_addressed
from apdu.ssc.driver.result import DriverRefusal, ResultCode
from apdu.ssc.driver.text import basic_line
from apdu.ssc.driver.writing import prepare_write
from apdu.ssc.files import file_map
from apdu.ssc.filespec import EfSpec, Rule
from apdu.ssc.keys import KeyName
from apdu.ssc.maintenance import CardMaintenance
from apdu.status import KeyNotAvailable, NotAuthentic

BY_PIN, BY_KEY = 1, 2
"""iAuthType: how a file is opened that either opens."""

_HOLDER = ("SSSE", 0xEF06)


def read_card_bas(devices: Devices, interface: int) -> str:
    """Eleven fields about card and holder; the order of checks is that of facts 6.2."""
    with Device.open(devices, interface) as device:
        terminal_number = device.module.terminal_number
        key = file_map(device.card.version)[_HOLDER].read.key
        try:
            device.authenticate()
        except NotAuthentic:
            if key is not None:
                _require_key(device, key)
            raise
        if key is not None:
            device.authorise(key)
        return basic_line(device.card.read_holder(), terminal_number, devices.device_number)


def read_card(
    devices: Devices, interface: int, auth_type: int, card_info: str, file_addr: str
) -> str:
    """Any items of any files."""
    if auth_type not in (BY_PIN, BY_KEY):
        raise DriverRefusal(ResultCode.BAD_PARAMETER, "iAuthType")
    addresses, expected = parse_addresses(file_addr), parse_card_info(card_info)
    with Device.open(devices, interface) as device:
        expected.require(device.card)
        out = ""
        for file, address in _files(device, addresses):
            device.meet(file.read, file.df, by_pin=auth_type == BY_PIN)
            out += read_addressed(device.card, file, address)
        return out


def write_card(
    devices: Devices, interface: int, card_info: str, file_addr: str, write_data: str
) -> str:
    """Any items of any files. Nothing is written unless every value fits and every file may be.

    A key that is refused on the way leaves the files before it written.
    """
    addresses, expected = parse_addresses(file_addr), parse_card_info(card_info)
    data = parse_data(write_data, addresses)
    with Device.open(devices, interface) as device:
        expected.require(device.card)
        files = [file for file, _ in _files(device, addresses)]
        for file in files:
            require_writable(file)
        writes = [prepare_write(file, one) for file, one in zip(files, data, strict=True)]
        for write in writes:
            device.meet(write.file.write, write.file.df, by_pin=False)
            write.carry_out(device.card)
        return ""


def verify_pin(devices: Devices, interface: int) -> str:
    """Ask for the PIN and present it."""
    with Device.open(devices, interface) as device:
        device.card.enter(ENVIRONMENT)
        device.verify_pin()
        return ""


def change_pin(devices: Devices, interface: int) -> str:
    """The old PIN, and the new one twice."""
    with Device.open(devices, interface) as device:
        card = device.card
        with devices.read_pin(PinPrompt.OLD) as old, devices.read_new_pin() as new:
            card.change_pin(old, new)
        return ""


def reload_pin(devices: Devices, interface: int, card_info: str) -> str:
    """A new PIN without the old one."""
    expected = parse_card_info(card_info)
    with Device.open(devices, interface) as device:
        expected.require(device.card)
        maintenance = CardMaintenance(device.card, device.module)
        device.authorise(KeyName.PUK)
        with devices.read_new_pin() as new:
            maintenance.reload_pin(new)
        return ""


def unblock_pin(devices: Devices, interface: int, card_info: str) -> str:
    """All tries back for the PIN."""
    expected = parse_card_info(card_info)
    with Device.open(devices, interface) as device:
        expected.require(device.card)
        device.authorise(KeyName.PUK)
        CardMaintenance(device.card, device.module).unblock_pin()
        return ""


def do_debit(
    devices: Devices, debits: Debits, interface: int, card_info: str, pay_info: str
) -> str:
    """Pay; a debit that was cut off, for the same payment with the same card, is finished."""
    payment, expected = Payment.parse(pay_info), parse_card_info(card_info)
    with Device.open(devices, interface) as device:
        card = device.card
        expected.require(card)
        module = device.module
        card.enter(ENVIRONMENT)
        device.verify_pin()
        finished = debits.settle(card, payment)
        if finished is not None:
            done = finished.done
        else:
            account = MedicalAccount(card)
            done = debits.debit(
                card,
                payment,
                lambda keep: account.purchase(payment.order, module, keep=keep),
                question="",
            )
        return receipt(card.algorithm, done)


def read_debit_record(devices: Devices, interface: int) -> str:
    """The settlements in the card's log, after the PIN."""
    with Device.open(devices, interface) as device:
        device.card.enter(ENVIRONMENT)
        device.verify_pin()
        return records_text(MedicalAccount(device.card).records())


def require_writable(file: EfSpec) -> None:
    """Raise -27010 for a file that only the card's operating system writes."""
    if file.write.rule is Rule.NEVER:
        raise DriverRefusal(ResultCode.NOT_ALLOWED, f"{file.address} is the card's own")


def _files(device: Device, addresses: tuple[FileAddress, ...]) -> list[tuple[EfSpec, FileAddress]]:
    """The files with their addresses, all of which fit."""
    version = device.card.version
    files = [(address.file(version), address) for address in addresses]
    for file, address in files:
        check_address(file, address)
    return files


def _require_key(device: Device, key: KeyName) -> None:
    """Raise -2203 unless the module holds `key`: that comes before -21 (facts 6.2)."""
    try:
        device.module.terminal_authentication(device.card.identity, key, bytes(8), bytes(8))
    except KeyNotAvailable as error:
        raise DriverRefusal(ResultCode.PSAM_WITHOUT_RKSSSE, key.name) from error
