"""The HSM forms of the functions, as exchanges with whoever carries the HSM's strings (facts 4.6).

The terminal's part of an authentication is its own randomness. The card's challenge is good for one
use, so between two steps nobody may ask it for another.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from apdu.crypto import MAC_LENGTH, block_data
from apdu.hsm import HsmBasicRead
from apdu.hsm_text import AuthenticationRequest, BasicReadAnswer, DebitRequest, MessageRequest
from apdu.pin import Pin
from apdu.ssc.account import MedicalAccount
from apdu.ssc.card import ENVIRONMENT
from apdu.ssc.driver.address import parse_addresses, parse_data
from apdu.ssc.driver.card_info import parse_card_info
from apdu.ssc.driver.device import Device, Devices, wanted_key, wants_pin
from apdu.ssc.driver.interrupted import Debits
from apdu.ssc.driver.operations import require_writable
from apdu.ssc.driver.payment import Payment, receipt
from apdu.ssc.driver.reading import check_address, read_addressed
from apdu.ssc.driver.result import DriverRefusal, ResultCode
from apdu.ssc.driver.steps import Exchange
from apdu.ssc.driver.text import barred, basic_line
from apdu.ssc.driver.writing import prepare_write
from apdu.ssc.filespec import Access
from apdu.ssc.keys import KeyName
from apdu.ssc.maintenance import RELOAD_PIN, UNBLOCK_PIN
from apdu.status import KeyNotAvailable, SamBadAnswer


def read_card_bas(devices: Devices, interface: int) -> Exchange:
    """Internal authentication, and the external one of a 3.0 card."""
    with Device.open(devices, interface) as device:
        step = HsmBasicRead.begin(device.card, devices.random)
        (key,) = yield str(step.request)
        with _from_caller():
            answer = BasicReadAnswer.parse(key)
            step.confirm(answer)
        basic = device.card.read_holder()
        return basic_line(basic, device.terminal_number, devices.device_number)


def read_card(devices: Devices, interface: int, card_info: str, file_addr: str) -> Exchange:
    """The first file of the address, opened with its key."""
    address, expected = parse_addresses(file_addr)[0], parse_card_info(card_info)
    with Device.open(devices, interface) as device:
        expected.require(device.card)
        file = address.file(device.card.version)
        check_address(file, address)
        key = _needed_key(file.read)
        request = _challenge(device, key)
        (answer,) = yield str(request)
        _present(device, key, request, answer)
        if wants_pin(file.read, by_pin=False):
            device.verify_pin()
        return read_addressed(device.card, file, address)


def write_card(devices: Devices, interface: int, card_info: str, file_addr: str) -> Exchange:
    """The first file of the address, opened with its key; the data come with the second step."""
    address, expected = parse_addresses(file_addr)[0], parse_card_info(card_info)
    with Device.open(devices, interface) as device:
        expected.require(device.card)
        file = address.file(device.card.version)
        check_address(file, address)
        require_writable(file)
        key = _needed_key(file.write)
        request = _challenge(device, key)
        answer, write_data = yield str(request)
        write = prepare_write(file, parse_data(write_data, (address,))[0])
        _present(device, key, request, answer)
        write.carry_out(device.card)
        return ""


def reload_pin(devices: Devices, interface: int, card_info: str) -> Exchange:
    """PUK, then the new PIN in a command that the HSM enciphers and signs."""
    expected = parse_card_info(card_info)
    with Device.open(devices, interface) as device:
        expected.require(device.card)
        request = _challenge(device, KeyName.PUK)
        (answer,) = yield str(request)
        _present(device, KeyName.PUK, request, answer)
        with devices.read_new_pin() as new:
            message = _message(device, RELOAD_PIN, new)
        (command,) = yield str(message)
        return _carry_out(device, message, command, "PIN RELOAD")


def unblock_pin(devices: Devices, interface: int, card_info: str) -> Exchange:
    """PUK, then a command that the HSM signs."""
    expected = parse_card_info(card_info)
    with Device.open(devices, interface) as device:
        expected.require(device.card)
        request = _challenge(device, KeyName.PUK)
        (answer,) = yield str(request)
        _present(device, KeyName.PUK, request, answer)
        message = _message(device, UNBLOCK_PIN)
        (command,) = yield str(message)
        return _carry_out(device, message, command, "PIN UNBLOCK")


def do_debit(
    devices: Devices, debits: Debits, interface: int, card_info: str, pay_info: str
) -> Exchange:
    """Pay with an HSM's MAC1. A debit that was cut off gets its old question and its receipt."""
    payment, expected = Payment.parse(pay_info), parse_card_info(card_info)
    with Device.open(devices, interface) as device:
        card = device.card
        expected.require(card)
        card.enter(ENVIRONMENT)
        device.verify_pin()
        finished = debits.settle(card, payment)
        if finished is not None:
            _ = yield finished.question
            done = finished.done
        else:
            account = MedicalAccount(card)
            begun = account.begin_purchase(payment.order, device.terminal_number)
            question = DebitRequest.of(card.algorithm, begun.request)
            (answer,) = yield str(question)
            with _from_caller():
                permit = question.answer(answer)
            done = debits.debit(
                card,
                payment,
                lambda keep: account.debit(begun, permit, keep=keep),
                question=str(question),
            )
        return barred(done.mac.hex().upper()) + receipt(card.algorithm, done)


@contextmanager
def _from_caller() -> Iterator[None]:
    """What an HSM is said to have answered comes from the caller: nonsense there is -23."""
    try:
        yield
    except SamBadAnswer as error:
        raise DriverRefusal(ResultCode.ILLEGAL_DATA, "pKey") from error


def _needed_key(access: Access) -> KeyName:
    """The key that opens a file. Raises -2204 for a file that wants none."""
    key = wanted_key(access, by_pin=False)
    if key is None:
        raise DriverRefusal(ResultCode.NO_AUTHENTICATION_NEEDED, str(access))
    return key


def _challenge(device: Device, key: KeyName) -> AuthenticationRequest:
    """What the HSM is asked for an external authentication with `key`."""
    card, address = device.card, key.spec.hsm
    if address is None:
        raise KeyNotAvailable(f"an HSM has no address for {key.name}")
    card.enter(key.spec.df)
    factor = card.channel.get_challenge(8)
    return AuthenticationRequest(card.algorithm, address, factor, device.devices.random(8))


def _present(device: Device, key: KeyName, request: AuthenticationRequest, answer: str) -> None:
    with _from_caller():
        proof = request.answer(answer)
    device.card.present_key(key, proof)


def _message(device: Device, header: bytes, pin: Pin | None = None) -> MessageRequest:
    """What the HSM is asked for a command with a MAC, over a new challenge of the card."""
    card = device.card
    packed = pin.packed() if pin else b""
    length = len(block_data(card.algorithm, packed)) if pin else 0
    return MessageRequest(
        card.algorithm,
        KeyName.STK.spec.hsm or 0,
        card.channel.get_challenge(8),
        header + bytes((length + MAC_LENGTH,)),
        packed.hex().rstrip("f"),
    )


def _carry_out(device: Device, message: MessageRequest, answer: str, what: str) -> str:
    with _from_caller():
        command = message.answer(answer)
    device.card.channel.call(command, what)
    return ""
