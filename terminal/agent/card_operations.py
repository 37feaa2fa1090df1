"""What callers do with the card itself; each runs in the card's thread.

Every one is put before admission first, and so stands in the audit trail (Articles 25, 27); what
changes the card leaves a line of its own besides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from apdu.pin import Pin
from apdu.sam import CompleteModule
from apdu.ssc.account import MedicalAccount
from apdu.ssc.file_reader import FileReader
from apdu.ssc.files import EfSpec, Meaning, RecordSpec, Structure, file_map
from apdu.ssc.maintenance import CardMaintenance
from apdu.ssc.photo import Photo, read_photo
from apdu.ssc.transactions import Done, PurchaseOrder
from apdu.ssc.values import Encodable, Plain
from apdu.ssc.writing import CardWriter
from apdu.status import SecurityModuleError
from terminal.agent import views
from terminal.agent.card_thread import Holding
from terminal.agent.errors import BodyInvalid, PinMissing
from terminal.functions.booking import book, prepare
from terminal.functions.proof import done_of, pending_of, prove, take_untold_debits, torn_debits
from terminal.policy import Function
from terminal.store.audit import AuditEntry
from terminal.store.journal import Operation

Json = dict[str, Any]

_ADDRESS = re.compile(r"(?:SSSE|DF0[1-7])EF[0-9A-F]{2}")
_TAG = re.compile(r"([0-9A-F]{2})(?::([0-9]{1,2}))?")


def basic(holding: Holding) -> Json:
    """The basic read: card and holder."""
    holding.admit(Function.READ)
    return views.card(holding.session)


def admission(holding: Holding, function: Function) -> Json:
    """What admission says of a function now, without doing it."""
    from terminal.admission import Refused

    decision = holding.visit.admit(function)
    if isinstance(decision, Refused):
        return {
            "admitted": False,
            "reason": decision.reason.value,
            "article": decision.article,
            "text": views.text(decision.text),
            "advice": views.text(decision.advice),
            "list_version": decision.list_version,
        }
    return {
        "admitted": True,
        "requires_pin": decision.requires_pin,
        "remarks": [views.text(remark) for remark in decision.remarks],
        "list_version": decision.list_version,
    }


def files(holding: Holding, addresses: Sequence[str]) -> Json:
    """Files by their addresses, such as DF01EF0A; one that cannot be read says why."""
    holding.admit(Function.READ)
    wanted = [_file(holding, address) for address in addresses]
    reader = FileReader(
        holding.session.card, holding.terminal.sam, pin_verified=holding.visit.pin_verified
    )
    told = []
    for found in reader.read_each(wanted):
        _note(holding, f"read {found.file.address}")
        if hasattr(found, "error"):
            told.append({"file": found.file.address, "error": found.error.code})
        else:
            told.append(views.file(found))
    return {"files": told}


def write(holding: Holding, address: str, body: Mapping[str, Any]) -> Json:
    """Write items (by tag), one new row, or the content of a file; each is read back."""
    holding.admit(Function.READ)
    file = _file(holding, address)
    card, sam = holding.session.card, holding.terminal.sam
    writer = CardWriter(card, sam, pin_verified=holding.visit.pin_verified)
    _note(holding, f"write {file.address}")
    holding.visit.still_here()
    if "items" in body:
        for place, value in body["items"].items():
            spec, instance = _item(file, place)
            plain = _value(value, spec)
            writer.write(writer.record(file, spec.tag, plain, instance=instance))
    elif "row" in body:
        if len(body["row"]) != len(file.records) or file.structure is not Structure.CYCLIC:
            raise BodyInvalid(f"row: {file.address} takes {len(file.records)} values")
        given = zip(body["row"], file.records, strict=True)
        writer.write(writer.row(file, [_plain(value, spec) for value, spec in given]))
    else:
        if file.structure is not Structure.TRANSPARENT:
            raise BodyInvalid(f"content: {file.address} is made of records")
        writer.write(writer.content(file, bytes.fromhex(body["content"])))
    return {"written": file.address}


def photo(holding: Holding) -> Photo:
    """The photograph."""
    holding.admit(Function.READ)
    _note(holding, "read photograph")
    return read_photo(holding.session.card, holding.terminal.sam)


def pin_state(holding: Holding) -> Json:
    """How many tries are left, and whether this session has had the PIN."""
    holding.admit(Function.READ)
    left = holding.session.card.pin_tries_left()
    return {"set": left is not None, "tries_left": left, "verified": holding.visit.pin_verified}


def verify_pin(holding: Holding, pin: Pin) -> Json:
    """Present the PIN."""
    holding.admit(Function.READ)
    _note(holding, "verify PIN")
    holding.session.card.verify_pin(pin)
    holding.visit.pin_verified = True
    return {"verified": True}


def change_pin(holding: Holding, old: Pin, new: Pin) -> Json:
    """Replace the PIN by one that the settings allow."""
    holding.admit(Function.PIN_CHANGE)
    _require_allowed(holding, new)
    _note(holding, "change PIN")
    holding.session.card.change_pin(old, new)
    holding.visit.pin_verified = True
    return {"changed": True}


def unblock_pin(holding: Holding) -> Json:
    """All tries back; the security module must hold PUK and STK."""
    holding.admit(Function.READ)
    _note(holding, "unblock PIN")
    CardMaintenance(holding.session.card, _complete(holding)).unblock_pin()
    return {"unblocked": True}


def reload_pin(holding: Holding, new: Pin) -> Json:
    """A new PIN without the old one."""
    holding.admit(Function.READ)
    _require_allowed(holding, new)
    _note(holding, "reload PIN")
    CardMaintenance(holding.session.card, _complete(holding)).reload_pin(new)
    return {"reloaded": True}


def account(holding: Holding) -> Json:
    """The medical account on the card. Needs the PIN."""
    _with_pin(holding, Function.QUERY)
    _note(holding, "read account")
    medical = MedicalAccount(holding.session.card)
    self_pay, fund = medical.year_self_pay(), medical.year_fund()
    return {
        "balance_fen": medical.balance(),
        "year_self_pay_fen": self_pay.fen,
        "year_fund_fen": fund.fen,
        "year": self_pay.year,
        "records": [views.account_record(record) for record in medical.records()],
    }


def debit(holding: Holding, body: Mapping[str, int]) -> Json:
    """Debit the medical account, once: an interrupted debit of this card is settled first.

    Raises `TransactionUncertain` when the card left in the middle; the next call with the same
    card finds out. One that was booked and told to nobody is the answer to a call for the same
    amounts.
    """
    visit = holding.visit
    if visit.pin_verified:
        for torn in torn_debits(visit):
            prove(visit, torn)
    _with_pin(holding, Function.SETTLEMENT)
    untold = take_untold_debits(visit)
    settled = _settled(untold[-1]) if untold else None
    if settled is not None and _amounts(untold[-1]) == _asked(body):
        return {**settled, "earlier": True}
    _note(holding, "debit account")
    order = PurchaseOrder(
        body["account_fen"],
        holding.terminal.clock.now(),
        body.get("self_pay_fen", 0),
        body.get("fund_fen", 0),
    )
    module, account = _complete(holding), MedicalAccount(visit.card)
    operation, done = book(
        visit,
        prepare(visit, order.account_fen),
        lambda keep: account.purchase(order, module, keep=keep),
    )
    visit.journal.told(operation)
    return {**_booked(done), "earlier": False, "settled_before": settled}


def _settled(operation: Operation) -> Json:
    """An interrupted debit that the card has booked."""
    done = done_of(operation)
    if done is not None:
        return _booked(done)
    return {"tac": None, "sequence": pending_of(operation).sequence.hex()}


def _amounts(operation: Operation) -> tuple[int, int, int]:
    made = pending_of(operation).purchase
    return made.account, made.self_pay, made.fund


def _asked(body: Mapping[str, int]) -> tuple[int, int, int]:
    return body["account_fen"], body.get("self_pay_fen", 0), body.get("fund_fen", 0)


def _booked(done: Done) -> Json:
    made = done.transaction
    return {
        "tac": done.tac.hex().upper(),
        "tac_fields": made.tac_fields.hex().upper(),
        "sequence": made.sequence.hex(),
        "balance_after_fen": done.balance_after_fen,
    }


def _with_pin(holding: Holding, function: Function) -> None:
    holding.admit(function)
    if not holding.visit.pin_verified:
        raise PinMissing("this session has not had the PIN")


def _require_allowed(holding: Holding, new: Pin) -> None:
    """The terminal's rules for new PINs, as its own functions have them."""
    rules = holding.visit.pin_rules
    if not rules.min_length <= new.length <= rules.max_length:
        raise BodyInvalid(f"new: a PIN has {rules.min_length} to {rules.max_length} digits")
    if any(new.matches(Pin(initial)) for initial in rules.initial):
        raise BodyInvalid("new: nobody may keep an initial PIN")


def _complete(holding: Holding) -> CompleteModule:
    """The security module, if it can do more than authenticate. Raises `SecurityModuleError`."""
    sam = holding.terminal.sam
    if not hasattr(sam, "permit_purchase") or not hasattr(sam, "secured_command"):
        raise SecurityModuleError("the security module only authenticates")
    complete: Any = sam
    module: CompleteModule = complete
    return module


def _note(holding: Holding, what: str) -> None:
    """A line of the audit trail beside admission's: what exactly was done."""
    clock = holding.terminal.clock
    entry = AuditEntry(clock.now(), holding.face, what, "admitted")
    holding.terminal.audit.record(entry, holding.session.facts.card_id)


def _file(holding: Holding, address: str) -> EfSpec:
    if not _ADDRESS.fullmatch(address):
        raise BodyInvalid("file: an address is like DF01EF0A")
    known = file_map(holding.session.card.version)
    file = known.get((address[:-4], 0xEF00 | int(address[-2:], 16)))
    if file is None:
        raise BodyInvalid(f"file: this card's version has no {address}")
    return file


def _item(file: EfSpec, place: str) -> tuple[RecordSpec, int]:
    """The record that "40" or "40:2" names."""
    matched = _TAG.fullmatch(place)
    spec = file.record(int(matched[1], 16)) if matched else None
    if matched is None or spec is None:
        raise BodyInvalid(f"items: {file.address} has no such item")
    return spec, int(matched[2] or 1)


def _value(value: object, spec: RecordSpec) -> Encodable:
    """A value as JSON has it: a text, a number, null, or an object of items by tag."""
    if isinstance(value, dict):
        inner = {f"{sub.tag:02X}": sub for sub in spec.sub}
        if not set(value) <= set(inner):
            raise BodyInvalid(f"items: {spec.tag:02X} has no such item inside")
        return {inner[tag].tag: _plain(one, inner[tag]) for tag, one in value.items()}
    return _plain(value, spec)


def _plain(value: object, spec: RecordSpec) -> Plain:
    try:
        if isinstance(value, int):
            return value
        if not isinstance(value, str) or not value:
            return None
        if spec.meaning is Meaning.DATE:
            return date.fromisoformat(value)
        if spec.meaning is Meaning.TIME:
            return datetime.fromisoformat(value)
        if spec.meaning is Meaning.BYTES:
            return bytes.fromhex(value)
    except ValueError:
        raise BodyInvalid(f"item {spec.tag:02X}: not a {spec.meaning.value}") from None
    return value
