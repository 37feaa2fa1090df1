"""The medical account: balance, load, purchase, proof, starting day (CLA B0, facts 5.1).

A transaction is begun by INITIALIZE and finished by CREDIT or DEBIT; anything else in between, or
a failure, ends it (6901). Amounts are fen in 4 bytes, counters 2 bytes, both big-endian.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from hmac import compare_digest
from typing import TYPE_CHECKING

from apdu.crypto import Load, Purchase, load_session_key, purchase_session_key
from apdu.ssc.keys import KeyName
from apdu.status import StatusWord
from simulator.card.instruction import Instruction
from simulator.card.keys import CardKey
from simulator.card.ledger import Ledger, Proof
from simulator.card.refusal import Refused, wrong_length, wrong_parameters

if TYPE_CHECKING:
    from simulator.card.operating_system import OperatingSystem

APPLICATION = "DF04"
_AMOUNT_MAX = 0xFFFFFFFF
_COUNTER_MAX = 0xFFFF
_LOAD, _PURCHASE = b"1", b"2"
_PROOF_KINDS = {0x01: _LOAD, 0x02: _PURCHASE, 0x31: _LOAD, 0x32: _PURCHASE}
_PURCHASE_KEYS = {1: KeyName.DPK, 2: KeyName.DPK2, 3: KeyName.DPK3}


@dataclass(frozen=True, slots=True)
class Pending:
    """A transaction between INITIALIZE and its end. `time` is still missing in it."""

    transaction: Load | Purchase
    random: bytes
    key: CardKey


def initialize(system: OperatingSystem, instruction: Instruction) -> bytes:
    """B0 28: begin a load (P1 0) or a purchase (P1 1)."""
    ledger = _ledger(system)
    _must_be_idle(system)
    if instruction.p1 > 1 or instruction.p2 != 1:
        raise wrong_parameters()
    if len(instruction.data) != (0x13 if instruction.p1 else 0x0B):
        raise wrong_length()
    _require_pin(system)
    begin = _begin_purchase if instruction.p1 else _begin_load
    return begin(system, ledger, instruction.data)


def credit_for_load(system: OperatingSystem, instruction: Instruction) -> bytes:
    """B0 2A 00 00: time 7, MAC2 4; the balance grows. Answers TAC 4."""
    ledger, pending = _ledger(system), _take_pending(system)
    if not isinstance(pending.transaction, Load):
        raise Refused(StatusWord.WRONG_STATE)
    _check_form(instruction, (0, 0), 0x0B)
    old = ledger.balance
    load = replace(pending.transaction, time=_time(instruction.data[:7]))
    mac2 = instruction.data[7:]
    sequence = old.online.to_bytes(2, "big")
    session = load_session_key(system.algorithm, pending.key.value, pending.random, sequence)
    if not compare_digest(load.mac2(system.algorithm, session), mac2):
        raise Refused(StatusWord.MAC_INVALID)
    tac = load.tac(system.algorithm, system.keys.named(KeyName.DTK).value, sequence)
    row = sequence + load.kind + load.terminal + load.time + _amounts(load.amount, 0, 0)
    new = old._replace(online=old.online + 1, balance=old.balance + load.amount)
    ledger.book(new, Proof(_LOAD, old.online, mac2, tac), row)
    return tac


def debit_for_purchase(system: OperatingSystem, instruction: Instruction) -> bytes:
    """B0 2C 01 00: PSAM counter 4, time 7, MAC1 4; the account is debited. Answers TAC, MAC2."""
    ledger, pending = _ledger(system), _take_pending(system)
    if not isinstance(pending.transaction, Purchase):
        raise Refused(StatusWord.WRONG_STATE)
    _check_form(instruction, (1, 0), 0x0F)
    psam, time, mac1 = instruction.data[:4], instruction.data[4:11], instruction.data[11:]
    old = ledger.balance
    purchase = replace(pending.transaction, time=_time(time))
    sequence = old.offline.to_bytes(2, "big")
    session = purchase_session_key(
        system.algorithm, pending.key.value, pending.random, sequence, psam
    )
    if not compare_digest(purchase.mac1(system.algorithm, session), mac1):
        raise Refused(StatusWord.MAC_INVALID)
    new = old.after(purchase)
    if max(new.self_pay, new.fund) > _AMOUNT_MAX:
        raise Refused(StatusWord.CONDITIONS_NOT_SATISFIED)
    tac = purchase.tac(system.algorithm, system.keys.named(KeyName.DTK).value, psam)
    mac2 = purchase.mac2(system.algorithm, session)
    row = sequence + purchase.kind + purchase.terminal + purchase.time + purchase.amounts
    ledger.book(new, Proof(_PURCHASE, old.offline, mac2, tac), row)
    return tac + mac2


def get_balance(system: OperatingSystem, instruction: Instruction) -> bytes:
    """B0 26 00: P2 1 balance, 2 the year's self-pay sum and the year, 3 its fund sum and year."""
    balance = _ledger(system).balance
    if instruction.p1 or instruction.p2 not in (1, 2, 3):
        raise wrong_parameters()
    if instruction.data:
        raise wrong_length()
    _require_pin(system)
    if instruction.p2 == 1:
        return _amounts(balance.balance)
    return _amounts(balance.self_pay if instruction.p2 == 2 else balance.fund) + balance.year


def get_transaction_proof(system: OperatingSystem, instruction: Instruction) -> bytes:
    """B0 2E 00 kind, counter 2: MAC and TAC of the last transaction, if it was this one."""
    proof = _ledger(system).proof
    kind = _PROOF_KINDS.get(instruction.p2)
    if instruction.p1 or kind is None:
        raise wrong_parameters()
    if len(instruction.data) != 2:
        raise wrong_length()
    if (kind, int.from_bytes(instruction.data, "big")) != (proof.kind, proof.sequence):
        raise Refused(StatusWord.PROOF_NOT_AVAILABLE)
    return proof.mac + proof.tac


def starting_day(system: OperatingSystem, instruction: Instruction) -> bytes:
    """B0 56: P1 1 reads the day on which a payment year begins, P1 0 sets it after DSK.

    DSK's number on the card is not published: only a card whose issuer has given it one takes it.
    """
    ledger = _ledger(system)
    if instruction.p1 > 1 or instruction.p2:
        raise wrong_parameters()
    if len(instruction.data) != (0 if instruction.p1 else 2):
        raise wrong_length()
    if instruction.p1:
        return ledger.balance.start
    if not system.is_granted(KeyName.DSK):
        raise Refused(StatusWord.SECURITY_STATUS_NOT_SATISFIED)
    if not _is_day(instruction.data):
        raise Refused(StatusWord.WRONG_DATA)
    ledger.set_starting_day(instruction.data)
    return b""


def _begin_load(system: OperatingSystem, ledger: Ledger, data: bytes) -> bytes:
    """Data: key index 1, amount 4, terminal 6. Answers balance, counter, key, random, MAC1."""
    if data[0] != 1:
        raise Refused(StatusWord.KEY_INDEX_NOT_SUPPORTED)
    now = ledger.balance
    amount = int.from_bytes(data[1:5], "big")
    if now.online == _COUNTER_MAX:
        raise Refused(StatusWord.COUNTER_AT_MAXIMUM)
    if now.balance + amount > _AMOUNT_MAX:
        raise Refused(StatusWord.CONDITIONS_NOT_SATISFIED)
    key = system.keys.named(KeyName.DLK)
    load = Load(now.balance, amount, data[5:], b"")
    random = system.random(4)
    sequence = now.online.to_bytes(2, "big")
    session = load_session_key(system.algorithm, key.value, random, sequence)
    system.session.pending = Pending(load, random, key)
    head = _amounts(now.balance) + sequence + _key_info(ledger, data[0]) + random
    return head + load.mac1(system.algorithm, session)


def _begin_purchase(system: OperatingSystem, ledger: Ledger, data: bytes) -> bytes:
    """Data: key index 1, three amounts 4, terminal 6. Answers balance, sums, counter, random."""
    name = _PURCHASE_KEYS.get(data[0])
    if name is None:
        raise Refused(StatusWord.KEY_INDEX_NOT_SUPPORTED)
    now = ledger.balance
    account, self_pay, fund = (int.from_bytes(data[at : at + 4], "big") for at in (1, 5, 9))
    if now.offline == _COUNTER_MAX:
        raise Refused(StatusWord.COUNTER_AT_MAXIMUM)
    if account > now.balance:
        raise Refused(StatusWord.INSUFFICIENT_BALANCE)
    random = system.random(4)
    purchase = Purchase(account, self_pay, fund, data[13:], b"")
    system.session.pending = Pending(purchase, random, system.keys.named(name))
    sums = _amounts(now.balance, now.self_pay, now.fund)
    return sums + now.year + now.offline.to_bytes(2, "big") + _key_info(ledger, data[0]) + random


def _ledger(system: OperatingSystem) -> Ledger:
    if system.session.directory.label != APPLICATION:
        raise Refused(StatusWord.CONDITIONS_NOT_SATISFIED)
    return system.ledger


def _must_be_idle(system: OperatingSystem) -> None:
    if system.session.pending is not None:
        system.session.pending = None
        raise Refused(StatusWord.WRONG_STATE)


def _take_pending(system: OperatingSystem) -> Pending:
    """The transaction begun, which is over with this, whatever comes of it."""
    pending, system.session.pending = system.session.pending, None
    if not isinstance(pending, Pending):
        raise Refused(StatusWord.WRONG_STATE)
    return pending


def _require_pin(system: OperatingSystem) -> None:
    if not system.session.pin_verified:
        raise Refused(StatusWord.SECURITY_STATUS_NOT_SATISFIED)


def _check_form(instruction: Instruction, parameters: tuple[int, int], length: int) -> None:
    if (instruction.p1, instruction.p2) != parameters:
        raise wrong_parameters()
    if len(instruction.data) != length:
        raise wrong_length()


def _time(data: bytes) -> bytes:
    """YYYYMMDDhhmmss in BCD. Raises 6A80 for anything but digits."""
    if not data.hex().isdecimal():
        raise Refused(StatusWord.WRONG_DATA)
    return data


def _is_day(data: bytes) -> bool:
    """Whether this is a month and a day of it, in BCD, in whatever year."""
    try:
        date.fromisoformat(f"2000-{data[:1].hex()}-{data[1:].hex()}")
    except ValueError:
        return False
    return True


def _key_info(ledger: Ledger, index: int) -> bytes:
    """Key version and algorithm. Key index, key version and the PSAM's key id are one number."""
    return bytes((index, ledger.algorithm))


def _amounts(*fen: int) -> bytes:
    return b"".join(amount.to_bytes(4, "big") for amount in fen)
