"""The bank's payment application on the card, recognised by its card number (facts A3).

The card's lists of applications name it; a card without lists is tried with the known identifiers.
The number is read from the records that such cards leave open. GET PROCESSING OPTIONS, after which
every card tells it, counts a transaction on the card and makes a cryptogram, so it is sent only
when asked for.

Selecting a bank's application leaves the social security environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from apdu.atr import is_contactless
from apdu.card_number import CardNumber
from apdu.channel import CardChannel
from apdu.command import SHORT_LE_MAX, Command
from apdu.status import (
    ApplicationLocked,
    CardError,
    MalformedData,
    StatusError,
)
from apdu.tlv import Tlv, parse_tlvs

CONTACT_DIRECTORY = b"1PAY.SYS.DDF01"
CONTACTLESS_DIRECTORY = b"2PAY.SYS.DDF01"
UNIONPAY = bytes.fromhex("A000000333")
KNOWN = tuple(UNIONPAY + bytes.fromhex(f"0101{kind:02X}") for kind in (1, 2, 3, 6))
"""Debit, credit, secured credit, electronic cash."""

_RECORDS = ((1, 2), (1, 3), (1, 1))
"""Record number and short file identifier where the number lies open: 00B20114, 00B2011C."""

_MOST_APPLICATIONS = 8
_MOST_RECORDS = 16
_NAME_LENGTHS = range(5, 17)
_PDOL_MAX = 0x80
_CLA_PAYMENT, _GPO = 0x80, 0xA8
_COMMAND_TEMPLATE = 0x83
_PRESET = {
    0x9F66: bytes.fromhex("26000000"),
    0x9F1A: bytes.fromhex("0156"),
    0x5F2A: bytes.fromhex("0156"),
}
"""What GET PROCESSING OPTIONS is told: contactless without commitment, China, yuan. All else is
zero, the amount too."""


class NoBankApplication(CardError):
    """The card has no bank's payment application that we know."""

    code: ClassVar[str] = "CARD_NO_BANK_APPLICATION"
    zh: ClassVar[str] = "卡内没有银行应用。"
    en: ClassVar[str] = "There is no bank application on the card."
    remedy: ClassVar[str] = "Many cards have none, or have it on the contact side only."


class BankNumberClosed(CardError):
    """The bank's application does not tell its number without a transaction being begun."""

    code: ClassVar[str] = "CARD_BANK_NUMBER_CLOSED"
    zh: ClassVar[str] = "未能读取银行卡号。"
    en: ClassVar[str] = "The bank card number could not be read."
    remedy: ClassVar[str] = "Read again and allow GET PROCESSING OPTIONS, or ask the holder."


@dataclass(frozen=True, slots=True)
class BankCard:
    """A recognised application: its identifier, its label as the card gives it, its number."""

    aid: bytes
    label: str
    number: CardNumber


@dataclass(frozen=True, slots=True)
class _Candidate:
    aid: bytes
    label: str = ""


def read_bank_card(channel: CardChannel, *, begin_transaction: bool = False) -> BankCard:
    """Recognise the bank's application and read its card number.

    `begin_transaction` allows GET PROCESSING OPTIONS where nothing else helps. Raises
    `NoBankApplication`, `BankNumberClosed`, `ApplicationLocked` when the bank has blocked it, and
    the errors of the line.
    """
    locked: ApplicationLocked | None = None
    found = False
    for candidate in _candidates(channel):
        try:
            fci = channel.select_name(candidate.aid)
        except ApplicationLocked as error:
            locked = error
            continue
        except StatusError:
            continue
        found = True
        number = _open_number(channel)
        if number is None and begin_transaction:
            number = _number_by_options(channel, fci)
        if number is not None:
            return BankCard(candidate.aid, candidate.label or _label(fci), number)
    if locked is not None:
        raise locked
    if found:
        raise BankNumberClosed("no open record has the card number")
    raise NoBankApplication("no payment application of a known identifier")


def _candidates(channel: CardChannel) -> tuple[_Candidate, ...]:
    """The bank applications to try, the listed ones first."""
    directories = [(CONTACT_DIRECTORY, _contact_list), (CONTACTLESS_DIRECTORY, _contactless_list)]
    if is_contactless(channel.atr):
        directories.reverse()
    for name, read in directories:
        try:
            listed = tuple(read(channel, channel.select_name(name)))
        except (StatusError, MalformedData, ApplicationLocked):
            continue
        bank = [one for one in listed if one.aid.startswith(UNIONPAY)]
        if bank:
            return tuple(bank[:_MOST_APPLICATIONS])
    return tuple(map(_Candidate, KNOWN))


def _contact_list(channel: CardChannel, fci: bytes) -> Iterator[_Candidate]:
    """The directory's file of records: 70, in it 61, in that 4F and 50."""
    sfi = Tlv.parse(fci, lenient=True).find(0xA5, 0x88)
    if sfi is None or len(sfi.value) != 1 or not 1 <= sfi.value[0] <= 30:
        return
    for number in range(1, _MOST_RECORDS + 1):
        try:
            record = channel.read_record_by_number(number, sfi=sfi.value[0])
        except StatusError:
            return
        yield from _entries(Tlv.parse(record, lenient=True))


def _contactless_list(_channel: CardChannel, fci: bytes) -> Iterator[_Candidate]:
    """The list stands in the answer to SELECT: A5, in it BF0C, in that 61."""
    listed = Tlv.parse(fci, lenient=True).find(0xA5, 0xBF0C)
    if listed is not None:
        yield from _entries(listed)


def _entries(template: Tlv) -> Iterator[_Candidate]:
    for entry in template.all(0x61):
        aid, label = entry.find(0x4F), entry.find(0x50)
        if aid is not None and len(aid.value) in _NAME_LENGTHS:
            yield _Candidate(aid.value, _text(label))


def _open_number(channel: CardChannel) -> CardNumber | None:
    """The number from a record that is read without a transaction; None where none is."""
    for number, sfi in _RECORDS:
        try:
            record = channel.read_record_by_number(number, sfi=sfi)
        except StatusError:
            continue
        found = _number(record)
        if found is not None:
            return found
    return None


def _number_by_options(channel: CardChannel, fci: bytes) -> CardNumber | None:
    """The number from GET PROCESSING OPTIONS, or from the records that it lists."""
    data = _options_data(fci)
    command = Command(_CLA_PAYMENT, _GPO, 0, 0, data, le=SHORT_LE_MAX)
    try:
        answer = channel.call(command, "GET PROCESSING OPTIONS")
    except StatusError:
        return None
    found = _number(answer)
    if found is not None:
        return found
    for number, sfi in _listed_records(answer):
        try:
            found = _number(channel.read_record_by_number(number, sfi=sfi))
        except StatusError:
            continue
        if found is not None:
            return found
    return None


def _options_data(fci: bytes) -> bytes:
    """83 and the values that the application's PDOL (9F38) asks for."""
    try:
        wanted = Tlv.parse(fci, lenient=True).find(0xA5, 0x9F38)
    except MalformedData:
        wanted = None
    values = b"".join(_wanted_values(wanted.value)) if wanted is not None else b""
    return bytes((_COMMAND_TEMPLATE, len(values))) + values


def _wanted_values(pdol: bytes) -> Iterator[bytes]:
    """The values for a list of tags and lengths. Raises `MalformedData` for a list that is none."""
    at = total = 0
    while at < len(pdol):
        size = 2 if pdol[at] & 0x1F == 0x1F else 1
        tag, end = int.from_bytes(pdol[at : at + size], "big"), at + size
        if end >= len(pdol):
            raise MalformedData("the application's PDOL is cut off")
        length, at = pdol[end], end + 1
        total += length
        if total > _PDOL_MAX:
            raise MalformedData("the application's PDOL asks for too much")
        yield _PRESET.get(tag, b"")[:length].ljust(length, b"\x00")


def _listed_records(answer: bytes) -> Iterator[tuple[int, int]]:
    """Record numbers and short file identifiers of the AFL in 77 or 80, bounded."""
    template = _tree(answer)
    if template is None:
        return
    afl = template.find(0x94)
    raw = afl.value if afl is not None else template.value[2:] if template.tag == 0x80 else b""
    left = _MOST_RECORDS
    for at in range(0, len(raw) - 3, 4):
        sfi, first, last = raw[at] >> 3, raw[at + 1], raw[at + 2]
        for number in range(max(first, 1), last + 1):
            if not left:
                return
            left -= 1
            yield number, sfi


def _number(answer: bytes) -> CardNumber | None:
    """The card number in a template 70 or 77: 5A, or 57 up to its separator D."""
    template = _tree(answer)
    if template is None:
        return None
    for tag in (0x5A, 0x57):
        item = template.find(tag)
        if item is None:
            continue
        try:
            return CardNumber(item.value.hex().partition("d")[0].rstrip("f"))
        except MalformedData:
            continue
    return None


def _tree(answer: bytes) -> Tlv | None:
    try:
        trees = parse_tlvs(answer, lenient=True)
    except MalformedData:
        return None
    return trees[0] if trees else None


def _label(fci: bytes) -> str:
    tree = _tree(fci)
    return _text(tree.find(0xA5, 0x50) if tree is not None else None)


def _text(item: Tlv | None) -> str:
    """A label, of which only printable ASCII is kept."""
    raw = item.value[:16] if item is not None else b""
    return "".join(chr(byte) for byte in raw if 0x20 <= byte < 0x7F).strip()
