"""The files of a day's settlements (facts 1.6): tab-separated UTF-8 text, zipped, as base64 text.

Ours goes up with 9101 and names each booking as the centre does: settlement, visit and person. What
comes down with 9102 lists only what differs, with a result for each row and the msgid, by which
2601 undoes it; from both follows what the centre has. What is empty is the word null, and a
refund's amounts are below zero.
"""

from __future__ import annotations

import base64
import binascii
import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from backend_client.errors import BadMessage
from backend_client.messages import Scheme
from backend_client.money_messages import StatementLine
from backend_client.national.amounts import to_fen, to_yuan
from backend_client.national.split import SCHEMES, exp_values
from backend_client.national.transactions import REFUND

ENTRY = "detail.txt"
MAX_TEXT = 64 * 1024 * 1024
_EMPTY = "null"
CENTRE_ONLY, SENDER_ONLY, AMOUNTS = "1", "2", "3"
"""stmt_rslt of a row: only the centre has it, only the sender has it, the amounts differ."""

_SENT_COLUMNS, _RESULT_COLUMNS = 8, 10
_WHAT = "statement file"
Booking = tuple[str, bool]


@dataclass(frozen=True, slots=True)
class Row:
    """One booking: setl_id, mdtrt_id, psn_no, refd_setl_flag and the amounts, all positive."""

    settlement_id: str
    visit_id: str | None
    person_id: str | None = field(repr=False)
    refund: bool
    total_fen: int
    fund_fen: int
    account_fen: int

    @property
    def booking(self) -> Booking:
        """The centre's own number of it, and whether it is a refund."""
        return self.settlement_id, self.refund

    @property
    def amounts(self) -> tuple[int, int, int]:
        """What is compared."""
        return self.total_fen, self.fund_fen, self.account_fen


@dataclass(frozen=True, slots=True)
class Difference:
    """One row of what differs. `number` is the msgid; `memo` is free text.

    The texts have no column for the insurance. The reference centre tells it in `memo`, and the
    terminal's name.
    """

    row: Row
    number: str | None
    result: str
    memo: str | None = None


@dataclass(frozen=True, slots=True)
class Sums:
    """Settlements less refunds, in fen."""

    total_fen: int
    fund_fen: int
    cash_fen: int


def sums(lines: Sequence[StatementLine]) -> Sums:
    """The sums of a day."""
    signed = [(-1 if line.refund else 1, line) for line in lines]
    return Sums(
        sum(sign * line.total_fen for sign, line in signed),
        sum(sign * line.fund_fen for sign, line in signed),
        sum(sign * line.cash_fen for sign, line in signed),
    )


def row_of(line: StatementLine) -> Row:
    """A line as the files have it."""
    return Row(
        line.settlement_id,
        line.visit_id,
        line.person_id,
        line.refund,
        line.total_fen,
        line.fund_fen,
        line.account_fen,
    )


def sent(lines: Iterable[StatementLine]) -> str:
    """The file that goes up."""
    return _packed(_sent_text(row_of(line)) for line in lines)


def received(file: str) -> tuple[Row, ...]:
    """The rows of a file that went up. Raises `BadMessage`."""
    return tuple(_sent_row(columns) for columns in _unpacked(file, _SENT_COLUMNS))


def results(differences: Iterable[Difference]) -> str:
    """The file that comes down."""
    return _packed(_result_text(difference) for difference in differences)


def differing(file: str) -> tuple[Difference, ...]:
    """The rows of a file that came down. Raises `BadMessage`."""
    return tuple(_difference(columns) for columns in _unpacked(file, _RESULT_COLUMNS))


def theirs(
    ours: Sequence[StatementLine], differences: Iterable[Difference]
) -> tuple[StatementLine, ...]:
    """What the centre has, from our lines and from what differs."""
    lines = {(line.settlement_id, line.refund): line for line in ours}
    for each in differences:
        booking = each.row.booking
        if each.result == SENDER_ONLY:
            lines.pop(booking, None)
        else:
            lines[booking] = _line(each, lines.get(booking))
    return tuple(lines.values())


def _line(difference: Difference, known: StatementLine | None) -> StatementLine:
    """The centre's line; who pays cash is who is left. `known` is ours of the same booking."""
    row = difference.row
    cash_fen = row.total_fen - row.fund_fen - row.account_fen
    if known is not None:
        return replace(
            known,
            number=difference.number or known.number,
            total_fen=row.total_fen,
            fund_fen=row.fund_fen,
            account_fen=row.account_fen,
            cash_fen=cash_fen,
        )
    told = exp_values({"exp_content": difference.memo})
    scheme: Scheme = SCHEMES.get(str(told.get("insutype")), "employee")
    terminal = told.get("terminal")
    return StatementLine(
        number=difference.number or row.settlement_id,
        settlement_id=row.settlement_id,
        refund=row.refund,
        scheme=scheme,
        total_fen=row.total_fen,
        fund_fen=row.fund_fen,
        account_fen=row.account_fen,
        cash_fen=cash_fen,
        terminal=terminal if isinstance(terminal, str) else None,
        visit_id=row.visit_id,
        person_id=row.person_id,
    )


def _packed(lines: Iterable[str]) -> str:
    """Lines of text as base64 text of a zip with one text file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        text = "".join(lines).encode()
        archive.writestr(zipfile.ZipInfo(ENTRY), text, zipfile.ZIP_DEFLATED)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _unpacked(file: str, columns: int) -> list[list[str | None]]:
    """The columns of each line. Raises `BadMessage`."""
    try:
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(file, validate=True))) as archive:
            if archive.getinfo(ENTRY).file_size > MAX_TEXT:
                raise BadMessage("", "size", _WHAT)
            with archive.open(ENTRY) as entry:
                data = entry.read(MAX_TEXT + 1)
    except (ValueError, KeyError, zipfile.BadZipFile, binascii.Error, NotImplementedError):
        raise BadMessage("", "file", _WHAT) from None
    if len(data) > MAX_TEXT:
        raise BadMessage("", "size", _WHAT)
    try:
        lines = data.decode("utf-8").replace("\r\n", "\n").removesuffix("\n").split("\n")
    except ValueError:
        raise BadMessage("", "file", _WHAT) from None
    rows = [line.split("\t") for line in lines if line]
    split = [[None if value in ("", _EMPTY) else value for value in row] for row in rows]
    if any(len(line) != columns for line in split):
        raise BadMessage("", "columns", _WHAT)
    return split


def _sent_text(row: Row) -> str:
    identity = (row.settlement_id, row.visit_id, row.person_id)
    return _text(*identity, *_yuan(row), _flag(row), None)


def _result_text(difference: Difference) -> str:
    row = difference.row
    return _text(
        row.person_id,
        row.visit_id,
        row.settlement_id,
        difference.number,
        difference.result,
        _flag(row),
        difference.memo,
        *_yuan(row),
    )


def _text(*columns: str | None) -> str:
    return "\t".join(column or _EMPTY for column in columns) + "\n"


def _yuan(row: Row) -> list[str]:
    sign = -1 if row.refund else 1
    return [to_yuan(sign * amount) for amount in row.amounts]


def _flag(row: Row) -> str:
    return REFUND if row.refund else "0"


def _sent_row(columns: list[str | None]) -> Row:
    settlement_id, visit_id, person_id, *amounts, flag, _local = columns
    return _row(settlement_id, visit_id, person_id, flag, amounts)


def _difference(columns: list[str | None]) -> Difference:
    person_id, visit_id, settlement_id, number, result, flag, memo, *amounts = columns
    row = _row(settlement_id, visit_id, person_id, flag, amounts)
    if result not in (CENTRE_ONLY, SENDER_ONLY, AMOUNTS):
        raise BadMessage("", "stmt_rslt", _WHAT)
    return Difference(row, number, result, memo)


def _row(
    settlement_id: str | None,
    visit_id: str | None,
    person_id: str | None,
    flag: str | None,
    amounts: list[str | None],
) -> Row:
    sign = -1 if flag == REFUND else 1
    try:
        total, fund, account = (sign * to_fen(amount) for amount in amounts)
    except ValueError:
        raise BadMessage("", "amount", _WHAT) from None
    if settlement_id is None:
        raise BadMessage("", "setl_id", _WHAT)
    return Row(settlement_id, visit_id, person_id, flag == REFUND, total, fund, account)
