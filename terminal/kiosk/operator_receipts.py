"""Printing for the operator: a test, and a receipt again that its holder did not get on paper."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from terminal.app import Terminal
from terminal.clock import local
from terminal.devices.protocols import Printer
from terminal.errors import TerminalError, explain
from terminal.functions.receipts import receipt_again
from terminal.kiosk.unprinted import Unprinted, UnprintedReceipt
from terminal.receipt import Receipt, ReceiptLine
from terminal.store.audit import AuditEntry
from terminal.store.journal import Operation
from terminal.text import Text

log = logging.getLogger(__name__)

_TEST = Text("打印测试", "Printer test")
_TEST_NOTE = Text("社会保障卡自助终端：中文、数字、二维码。", "Chinese, digits and a code.")
_TESTED = "测试页已打印。 The test was printed."
_NO_PRINTER = "没有打印机。 There is no printer: see [printer]."
_UNKNOWN = "本机没有这个流水号。 This terminal knows no operation of this number."
_NO_RECEIPT = "该业务没有办成或没有凭条。 It was not done, or gives no receipt."
_PRINTED = "凭条已打印。 The receipt was printed."


class OperatorPrinting:
    """Prints on `printer`, None where there is none. Every method says what came of it."""

    def __init__(self, terminal: Terminal, printer: Printer | None, unprinted: Unprinted) -> None:
        self._terminal = terminal
        self._printer = printer
        self._unprinted = unprinted

    def state(self) -> str:
        """How the printer is: "ok", "none", or the code of what is wrong."""
        if self._printer is None:
            return "none"
        try:
            self._printer.check()
        except TerminalError as error:
            return explain(error).code
        return "ok"

    def unprinted(self) -> Iterator[tuple[UnprintedReceipt, bool]]:
        """What waits for paper, newest first, and whether it can be printed again.

        A slip that tells of something the back office did, such as an application, is no operation
        of the journal: it can be asked for there, by its number.
        """
        for one in self._unprinted.waiting():
            operation = self._terminal.journal.find(one.number)
            yield one, operation is not None and self._copy(operation) is not None

    def test(self) -> str:
        """Print a test."""
        now = local(self._terminal.clock.now())
        line = ReceiptLine.amount(Text("金额", "Amount"), 0, strong=True)
        place = self._terminal.institution_name
        receipt = Receipt(_TEST, "TEST", now, place, (line,), (_TEST_NOTE,))
        return self._print(receipt, "zh") or _TESTED

    def again(self, number: str, language: str) -> str:
        """Print the receipt of the operation `number` as the journal has it now.

        It is written to the audit trail, like every look at what a card did (Art. 25).
        """
        operation = self._terminal.journal.find(number)
        if operation is None:
            return _UNKNOWN
        receipt = self._copy(operation)
        if receipt is None:
            return _NO_RECEIPT
        trouble = self._print(receipt, language)
        if trouble is None:
            log.info("the receipt of operation %s was printed again", number)
            self._unprinted.printed(number)
            now = self._terminal.clock.now()
            entry = AuditEntry(now, "operator", "receipt", "admitted")
            self._terminal.audit.record(entry, operation.card.card_id)
        return trouble or _PRINTED

    def _copy(self, operation: Operation) -> Receipt | None:
        terminal = self._terminal
        return receipt_again(terminal.institution_name, terminal.clock.now(), operation)

    def _print(self, receipt: Receipt, language: str) -> str | None:
        """Print it, or say what was in the way."""
        if self._printer is None:
            return _NO_PRINTER
        try:
            self._printer.print(receipt, language)
        except TerminalError as error:
            told = explain(error)
            return f"[{told.code}] {told.text} {told.remedy}"
        return None
