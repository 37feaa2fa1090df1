"""The terminal's own errors, and one explanation for every error of the three families.

`CardError` (apdu), `BackendError` (backend_client) and `TerminalError` share a shape: a stable
`code`, a sentence for the holder in Chinese and English, and a `remedy` for the operator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from apdu.status import CardError, PinWrong
from backend_client.errors import BackendError
from terminal.text import Text


class TerminalError(Exception):
    """Anything wrong with the terminal itself: its settings, its devices, its store."""

    code: ClassVar[str] = "TERMINAL_ERROR"
    zh: ClassVar[str] = "本机故障，请联系工作人员。"
    en: ClassVar[str] = "This terminal does not work. Please ask the staff."
    remedy: ClassVar[str] = "Run `ssct diagnose`."


class ConfigurationError(TerminalError):
    """A setting that is unknown, badly written, or not safe. The message says what is allowed."""

    code = "TERMINAL_CONFIGURATION"
    zh = "设置、参数或文件有误。"
    en = "A setting, an argument or a file is not as it must be."
    remedy = "Correct the setting that the message names; the message says what is allowed."


class StoreError(TerminalError):
    """The store on disk could not do its part."""

    code = "STORE_ERROR"
    remedy = "Look at the disk and at the data directory named in the message."


class StoreUnavailable(StoreError):
    """The store cannot be opened, read or written: a missing right or disk, an I/O error."""

    code = "STORE_UNAVAILABLE"
    remedy = "Check that the data directory exists, that this user may write to it, and the disk."


class StoreLocked(StoreError):
    """Another process works with this store; two terminals never share a journal."""

    code = "STORE_LOCKED"
    zh = "本机的数据正由另一个程序使用。"
    en = "Another program is working with this terminal's data."
    remedy = "Stop the other `ssct` that uses this data directory, or give this one its own."


class StoreTooNew(StoreError):
    """The store was written by a later version of this program."""

    code = "STORE_TOO_NEW"
    remedy = "Install the later version again; this one would lose what it does not know."


class StoreDamaged(StoreError):
    """The store's file is not what it was: broken pages, or records that were tampered with."""

    code = "STORE_DAMAGED"
    remedy = (
        "Keep the file as evidence, restore the last backup to a fresh data directory, and "
        "reconcile the days in between."
    )


class StoreFull(StoreError):
    """The disk is full: nothing more can be made durable, so nothing more is begun."""

    code = "STORE_FULL"
    zh = "本机磁盘已满，暂不能办理，请联系工作人员。"
    en = "This terminal's disk is full, so nothing can be done now. Please ask the staff."
    remedy = "Make room on the disk. No record was lost; what was not recorded did not happen."


class StoreKeyWrong(StoreError):
    """The key does not open this store, or is missing beside a store that was made with one."""

    code = "STORE_KEY_WRONG"
    remedy = "Put back the key file that belongs to this store; without it no record can be read."


class JournalError(TerminalError):
    """A step that the journal does not allow, or a journal that does not hold together."""

    code = "JOURNAL_ERROR"
    remedy = "Do not repeat the operation. Look at it with `ssct status` and reconcile the day."


class NumbersExhausted(JournalError):
    """All 10 000 operation numbers of this second are taken, or the clock stands still."""

    code = "JOURNAL_NUMBERS_EXHAUSTED"
    remedy = "Check that the clock runs; then try again."


class OperationsOpen(TerminalError):
    """An operation has no end yet, so this terminal must stay who it is."""

    code = "TERMINAL_OPERATIONS_OPEN"
    zh = "本机还有业务结果未核实，暂不能重新登记。"
    en = "Operations of this terminal are still unfinished, so it cannot be enrolled anew now."
    remedy = (
        "Connect the back office where this terminal is enrolled and run `ssct sync` until "
        "`ssct status` shows nothing unfinished; then enrol. If that back office is gone for good, "
        "keep this data directory for the reconciliation and enrol with a fresh one."
    )


class DeviceError(TerminalError):
    """A device beside the reader does not do its part."""

    code = "DEVICE_ERROR"


class PrinterError(DeviceError):
    """The receipt printer does not print."""

    code = "PRINTER_ERROR"
    zh = "打印机故障，凭条没有打印。"
    en = "The printer does not work, so no slip was printed."
    remedy = "Look at the printer, its cable and [printer] in the settings; then print a test."


class PaperOut(PrinterError):
    """The printer has no paper."""

    code = "PRINTER_PAPER_OUT"
    zh = "打印机缺纸，凭条没有打印。"
    en = "The printer has no paper, so no slip was printed."
    remedy = "Put in a new roll, then print a test from the operator page."


class PrinterCoverOpen(PrinterError):
    """The printer's cover is open."""

    code = "PRINTER_COVER_OPEN"
    zh = "打印机盖没有关好，凭条没有打印。"
    en = "The printer's cover is open, so no slip was printed."
    remedy = "Close the cover, then print a test."


class PaperJam(PrinterError):
    """The paper is stuck in the printer, mostly at the cutter."""

    code = "PRINTER_PAPER_JAM"
    zh = "打印机卡纸，凭条没有打印。"
    en = "The printer's paper is stuck, so no slip was printed."
    remedy = "Open the cover, take out the paper, close it, then print a test."


class PinPadError(DeviceError):
    """The PIN pad does not answer, or answers what it must not."""

    code = "PIN_PAD_ERROR"
    zh = "密码键盘故障，请联系工作人员。"
    en = "The PIN pad does not work. Please ask the staff."
    remedy = "Look at the pad, its cable and [pin_pad] in the settings."


class OfflineLimit(TerminalError):
    """A limit of what may be done without the centre would be passed; the message names it."""

    code = "OFFLINE_LIMIT"
    zh = "超过脱网办理的限额，请减少金额，或联网后办理，或自费支付。"
    en = (
        "This is more than may be done offline. Please pay less, come back when the network does, "
        "or pay yourself."
    )
    remedy = (
        "Connect the terminal and run `ssct journal upload`; docs/settings.md tells the limits."
    )


class RecordsUnsent(TerminalError):
    """Records are not uploaded, or operations have no end: neither reset nor enrol anew now."""

    code = "TERMINAL_RECORDS_UNSENT"
    zh = "本机还有未上传或未核实的记录，不能复位或重新登记。"
    en = (
        "Records of this terminal are not uploaded or not finished, so it can neither be reset nor "
        "enrolled anew."
    )
    remedy = (
        "Connect the back office where this terminal is enrolled and run `ssct sync`. If that is "
        "not possible, or it refuses them, keep the records with `ssct journal export FILE` for "
        "the reconciliation; then `ssct reset` and `ssct enrol` go on."
    )


class DayNotCome(ConfigurationError):
    """A day that has not begun: that nothing differs says nothing of it."""

    code = "DAY_NOT_COME"
    zh = "这一天还没有到，不能对账。"
    en = "That day has not come yet, so there is nothing to reconcile."
    remedy = "Name today or a day that is over; if today is meant, look at this machine's clock."


class StatementError(TerminalError):
    """Another terminal's statement of a day that must not be added up; the message names it."""

    code = "STATEMENT_ERROR"
    zh = "对账文件不能使用，没有对账。"
    en = "A terminal's statement cannot be used, so nothing was reconciled."


class StatementDamaged(StatementError):
    """The file is no statement, or it was cut or edited since it was written."""

    code = "STATEMENT_DAMAGED"
    remedy = "Copy the file again, or write it anew at its terminal with `ssct statement`."


class StatementUnproved(StatementError):
    """The terminal that a statement names has not signed it, and this one wants signatures."""

    code = "STATEMENT_UNPROVED"
    remedy = (
        "Write it anew at that terminal. If it says that it is not signed there, run `ssct sync`: "
        "the terminal's certificate has ended."
    )


class StatementMisplaced(StatementError):
    """A statement of another day, or of another institution."""

    code = "STATEMENT_MISPLACED"
    remedy = "Leave that file out, and bring the statement of this day and institution."


class StatementRepeated(StatementError):
    """Two statements of the same terminal or with the same line; which counts, nobody knows."""

    code = "STATEMENT_REPEATED"
    remedy = "Give one statement a terminal, the newest, and none of this terminal: it has its own."


@dataclass(frozen=True, slots=True)
class Explanation:
    """What any error means: for programs, for the holder, for the operator.

    `article` is the article of the Shanghai regulation behind it, where there is one; `detail`
    the error's own message, which never holds personal data.
    """

    code: str
    text: Text
    remedy: str
    article: int | None = None
    detail: str = ""


ARTICLES = {
    "CARD_NOT_AUTHENTIC": 26,
    "CARD_APPLICATION_LOCKED": 21,
    "CARD_MALFORMED_DATA": 21,
}
"""Errors that rest on an article: a forged card (26), a card that no longer works (21)."""


def explain(error: Exception) -> Explanation:
    """The explanation of `error`; for one outside the three families, that this is our fault."""
    if not isinstance(error, CardError | BackendError | TerminalError):
        return Explanation(
            "INTERNAL_ERROR",
            Text(TerminalError.zh, TerminalError.en),
            "This is a fault of the program: please report it with the log.",
            detail=type(error).__name__,
        )
    text = Text(error.zh, error.en)
    if isinstance(error, PinWrong):
        text = _with_tries(text, error.tries_left)
    return Explanation(error.code, text, error.remedy, ARTICLES.get(error.code), str(error))


def _with_tries(text: Text, left: int) -> Text:
    if left == 1:
        return Text(
            f"{text.zh}还可再试1次，再错将锁定密码。",
            f"{text.en} One try is left; after another wrong PIN the PIN will be blocked.",
        )
    return Text(f"{text.zh}还可再试{left}次。", f"{text.en} {left} tries are left.")
