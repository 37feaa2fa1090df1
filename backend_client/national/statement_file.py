"""The file of a day's settlements (facts 1.6): tab-separated UTF-8 text, zipped, as base64 text.

Ours goes up with 9101. What comes down with 9102 lists only what differs, with a result for each
row; from both follows what the centre has.
"""

from __future__ import annotations

import base64
import binascii
import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backend_client.errors import BadMessage
from backend_client.messages import Scheme
from backend_client.money_messages import StatementLine
from backend_client.national.amounts import to_fen, to_yuan
from backend_client.national.split import INSUTYPES, scheme_of
from backend_client.national.transactions import REFUND

ENTRY = "detail.txt"
MAX_TEXT = 64 * 1024 * 1024
_EMPTY = "null"
CENTRE_ONLY, SENDER_ONLY, AMOUNTS = "1", "2", "3"
"""stmt_rslt of a row: only the centre has it, only the sender has it, the amounts differ."""

_COLUMNS = 10
_WHAT = "statement file"


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `result` is None in the file that goes up."""

    line: StatementLine
    result: str | None = None


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


def packed(lines: Sequence[StatementLine]) -> str:
    """The file that goes up."""
    return pack(Row(line) for line in lines)


def pack(rows: Iterable[Row]) -> str:
    """Rows as base64 text of a zip with one text file."""
    text = "".join(_text(row) for row in rows)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(ENTRY), text.encode(), zipfile.ZIP_DEFLATED)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def unpacked(file: str) -> tuple[Row, ...]:
    """The rows of a file. Raises `BadMessage`."""
    try:
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(file, validate=True))) as archive:
            if archive.getinfo(ENTRY).file_size > MAX_TEXT:
                raise BadMessage("", "size", _WHAT)
            with archive.open(ENTRY) as entry:
                data = entry.read(MAX_TEXT + 1)
        if len(data) > MAX_TEXT:
            raise BadMessage("", "size", _WHAT)
        return tuple(_row(line) for line in data.decode("utf-8").splitlines())
    except (ValueError, KeyError, zipfile.BadZipFile, binascii.Error, NotImplementedError):
        raise BadMessage("", "file", _WHAT) from None


def theirs(ours: Sequence[StatementLine], differing: Sequence[Row]) -> tuple[StatementLine, ...]:
    """What the centre has, from our lines and the rows that differ."""
    lines = {line.booking: line for line in ours}
    for row in differing:
        if row.result == SENDER_ONLY:
            lines.pop(row.line.booking, None)
        else:
            lines[row.line.booking] = row.line
    return tuple(lines.values())


def _text(row: Row) -> str:
    line = row.line
    sign = -1 if line.refund else 1
    columns = (
        line.settlement_id,
        line.number,
        INSUTYPES[line.scheme],
        to_yuan(sign * line.total_fen),
        to_yuan(sign * line.fund_fen),
        to_yuan(sign * line.account_fen),
        to_yuan(sign * line.cash_fen),
        REFUND if line.refund else "0",
        row.result or _EMPTY,
        line.terminal or _EMPTY,
    )
    return "\t".join(columns) + "\n"


def _row(text: str) -> Row:
    columns = text.split("\t")
    if len(columns) != _COLUMNS:
        raise ValueError("columns")
    settlement_id, number, insutype, total, fund, account, cash, flag, result, terminal = columns
    scheme: Scheme = scheme_of(insutype)
    refund = flag == REFUND
    sign = -1 if refund else 1
    line = StatementLine(
        number=number,
        settlement_id=settlement_id,
        refund=refund,
        scheme=scheme,
        total_fen=sign * to_fen(total),
        fund_fen=sign * to_fen(fund),
        account_fen=sign * to_fen(account),
        cash_fen=sign * to_fen(cash),
        terminal=None if terminal == _EMPTY else terminal,
    )
    return Row(line, None if result == _EMPTY else result)
