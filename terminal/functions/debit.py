"""Paying from the medical account on the card, with or without the centre (facts 5.1, 7.5).

Whoever stands at the desk says the amount, or the holder enters it; the card must carry the
permission to settle offline (DF04 EF06), and card and terminal have limits. SENT is durable before
DEBIT leaves; the card's TAC closes the operation and is uploaded later. A torn debit is left
unknown: the same card is asked for its proof when it comes back.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import dataclass
from typing import cast

from apdu.sam import PurchaseModule
from apdu.ssc.account import MedicalAccount
from apdu.ssc.account_errors import InsufficientBalance
from apdu.ssc.file_reader import read_file
from apdu.ssc.files import file_map
from apdu.ssc.transactions import (
    DebitNotProved,
    PurchaseOrder,
    TransactionUncertain,
)
from apdu.ssc.writing import CardWriter
from apdu.status import CardError
from terminal.flow import Flow, amount
from terminal.functions.booking import book, prepare
from terminal.functions.commit import agreed_upon, unfinished
from terminal.functions.earlier import earlier, told
from terminal.functions.entry import let_in_with_pin
from terminal.functions.offline_limits import check_stored, stored_fen, within
from terminal.functions.receipts import receipt_of
from terminal.outcome import Done, Failed, Refused
from terminal.policy import Function
from terminal.receipt import money
from terminal.resolution import as_found
from terminal.screens import Answer, AskAmount, Confirm, Row, Screen, Section
from terminal.store.journal import Operation
from terminal.text import Text
from terminal.visit import Visit

log = logging.getLogger(__name__)

_PERMISSION = ("DF04", 0xEF06)
_PERMITTED, _TOTAL, _TIMES = 0x90, 0x92, 0x93
_YES_CODE = "1"
_TITLE = Text("卡内医疗账户付款", "Pay from the account on the card")
_HOW_MUCH = Text("请输入付款金额", "How much do you pay?")
_BALANCE = Text("卡内余额", "Balance on the card")
_SMALLEST = 1
_YES = Text("确认付款", "Pay")
_NO = Text("不付款", "Do not pay")
_PAYING = Text("正在扣款，请勿取卡", "Paying: leave the card in")
_PAID = Text("付款完成。", "Paid.")
_NOT_PERMITTED = Refused(
    "OFFLINE_NOT_PERMITTED",
    Text("这张卡没有开通脱网结算。", "This card does not permit offline settlement."),
    Text("请联网后结算，或自费支付。", "Please settle when the network is back, or pay yourself."),
)
_NO_MODULE = Refused(
    "PURCHASE_NOT_POSSIBLE",
    Text("本机不能从卡内账户付款。", "This terminal cannot debit the account on a card."),
)


@dataclass(frozen=True, slots=True)
class Permission:
    """What DF04 EF06 says: whether, and how much and how often so far (fen)."""

    permitted: bool
    total_fen: int
    times: int


def flow(visit: Visit, amount_fen: int | None = None) -> Flow:
    """Check card and limits, agree to exactly this amount, debit. None: the holder enters it."""
    decision = yield from let_in_with_pin(visit, Function.DEBIT)
    if isinstance(decision, Refused):
        return decision
    module = visit.purchases
    if module is None:
        return _NO_MODULE
    yield from earlier(visit)
    permission = _permission(visit)
    if not permission.permitted:
        return _NOT_PERMITTED
    balance = MedicalAccount(visit.card).balance()
    if amount_fen is None:
        amount_fen = yield from _entered(visit, permission, balance)
    check_limits(visit, permission, amount_fen)
    _covered(amount_fen, balance)
    outcome = yield from _debited(visit, module, amount_fen, balance)
    if isinstance(outcome, Done):
        _count_on_card(visit, permission, amount_fen)
    return outcome


def _entered(visit: Visit, permission: Permission, balance: int) -> Generator[Screen, Answer, int]:
    """The amount, entered by who stands here under the limits shown. Raises `OfflineLimit`."""
    check_limits(visit, permission, _SMALLEST)
    _covered(_SMALLEST, balance)
    limits = visit.offline
    each = min(limits.operation_fen, limits.stored_fen - stored_fen(visit))
    today = limits.card_day_fen - visit.outbox.spent_today(visit.card_ref.card_id)
    in_all = limits.card_total_fen - permission.total_fen
    rows = (
        Row(_BALANCE, money(balance)),
        Row(Text("每次限额", "At most each time"), money(each)),
        Row(Text("今天还可付", "Left for today"), money(today)),
        Row(Text("本卡脱网还可付", "Left for this card offline"), money(in_all)),
    )
    largest = min(balance, each, today, in_all)
    return (yield from amount(AskAmount(_HOW_MUCH, (Section(_TITLE, rows),)), _SMALLEST, largest))


def _covered(amount_fen: int, balance: int) -> None:
    """Raise `InsufficientBalance`, as the card would, before anybody is asked to agree."""
    if amount_fen > balance:
        raise InsufficientBalance("the account holds less than is to be paid")


def check_limits(visit: Visit, permission: Permission, amount_fen: int) -> None:
    """Raise `OfflineLimit` at the first limit that this amount would pass (facts 5.4, rule 5)."""
    limits = visit.offline
    within("operation_fen", amount_fen, limits.operation_fen)
    spent = visit.outbox.spent_today(visit.card_ref.card_id)
    within("card_day_fen", spent + amount_fen, limits.card_day_fen)
    within("card_total_fen", permission.total_fen + amount_fen, limits.card_total_fen)
    within("card_times", permission.times + 1, limits.card_times)
    check_stored(visit, amount_fen)


def _permission(visit: Visit) -> Permission:
    """What the card itself permits; the PIN has been verified. Raises `CardError`."""
    file = file_map(visit.card.version)[_PERMISSION]
    content = read_file(visit.card, file, visit.sam, pin_verified=True)
    permitted, total, times = (
        getattr(content.value(tag), "value", None) for tag in (_PERMITTED, _TOTAL, _TIMES)
    )
    if not isinstance(total, int) or not isinstance(times, int):
        return Permission(permitted=False, total_fen=0, times=0)
    return Permission(permitted == _YES_CODE, total, times)


def _count_on_card(visit: Visit, before: Permission, amount_fen: int) -> None:
    """Write the card's new sums of what it has settled offline.

    Never raises: the money has moved. A terminal without the key to write them, or whose holder
    took the card, leaves them; its own limits hold all the same.
    """
    file = file_map(visit.card.version)[_PERMISSION]
    try:
        writer = CardWriter(visit.card, visit.sam, pin_verified=True)
        writer.write(writer.record(file, _TOTAL, before.total_fen + amount_fen))
        writer.write(writer.record(file, _TIMES, before.times + 1))
    except CardError as error:
        log.info("the card's own count was not written: %s", error.code)


def _debited(visit: Visit, module: PurchaseModule, amount_fen: int, balance: int) -> Flow:
    prepared = prepare(visit, amount_fen)
    refused = yield from agreed_upon(
        visit, Function.DEBIT, prepared, _check(amount_fen, balance), _PAYING
    )
    if refused is not None:
        return refused
    operation = _booked(visit, module, prepared, amount_fen)
    if isinstance(operation, Failed):
        return operation
    failed = unfinished(visit, operation, receipt_follows=True)
    if failed is not None:
        return failed
    return Done(_PAID, receipt_of(visit.place, operation), lambda: told(visit, operation))


def _check(amount_fen: int, balance: int) -> Confirm:
    rows = (
        Row(_BALANCE, money(balance)),
        Row(Text("付款后余额", "Balance afterwards"), money(balance - amount_fen)),
    )
    amount = (Row(Text("付款金额", "Amount"), money(amount_fen)),)
    return Confirm(_TITLE, (Section(_TITLE, rows),), _YES, _NO, amounts=amount)


def _booked(
    visit: Visit, module: PurchaseModule, prepared: Operation, amount_fen: int
) -> Operation | Failed:
    """DEBIT, through the journal. The card's own errors are raised."""
    order, account = PurchaseOrder(amount_fen, visit.clock.now()), MedicalAccount(visit.card)
    try:
        operation, _ = book(
            visit, prepared, lambda keep: account.purchase(order, module, keep=keep)
        )
    except TransactionUncertain:
        return as_found(prepared, visit.journal)
    except DebitNotProved as error:
        return Failed(error)
    return operation


def purchases_of(sam: object) -> PurchaseModule | None:
    """The module as one that debits, None for one that cannot."""
    able = hasattr(sam, "permit_purchase") and hasattr(sam, "complete_purchase")
    return cast(PurchaseModule, sam) if able else None
