"""The files of 9101 and 9102 (facts 1.6): their columns, and what follows from both."""

from __future__ import annotations

import base64
import io
import zipfile
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.errors import BadMessage
from backend_client.money_messages import StatementLine
from backend_client.national.statement_file import (
    AMOUNTS,
    CENTRE_ONLY,
    ENTRY,
    SENDER_ONLY,
    Difference,
    differing,
    received,
    results,
    row_of,
    sent,
    theirs,
)

NUMBER = "990100000101202603160900000001"


def line(number: int, *, refund: bool = False, total: int = 1_000) -> StatementLine:
    funds, account = total // 2, total // 4
    return StatementLine(
        f"990100000101202603160900{number:06d}",
        f"S{number}",
        refund,
        "employee",
        total,
        funds,
        account,
        total - funds - account,
        visit_id=f"M{number}",
        person_id=f"P{number}",
    )


def text_of(file: str) -> str:
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(file))) as archive:
        return archive.read(ENTRY).decode("utf-8")


def file_of(text: str) -> str:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(ENTRY, text)
    return base64.b64encode(buffer.getvalue()).decode()


def test_what_goes_up_has_the_columns_of_the_texts() -> None:
    """setl_id, mdtrt_id, psn_no, three amounts, refd_setl_flag, exp_content; empty is null."""
    without = replace(line(2, refund=True), visit_id=None, person_id=None)
    assert text_of(sent([line(1, total=123_456), without])) == (
        "S1\tM1\tP1\t1234.56\t617.28\t308.64\t0\tnull\n"
        "S2\tnull\tnull\t-10.00\t-5.00\t-2.50\t1\tnull\n"
    )


def test_what_comes_down_has_the_msgid_and_leads_back_to_the_centres_lines() -> None:
    """psn_no, mdtrt_id, setl_id, msgid, stmt_rslt, refd_setl_flag, memo, three amounts."""
    file = file_of(
        f"P9\tM9\tS9\t{NUMBER}\t1\t0\t贵方无此记录\t10.00\t6.00\t1.00\r\n"
        f"P2\tM2\tS2\t{line(2).number}\t3\t1\tnull\t-8.00\t-5.00\t-2.50\r\n"
        "P3\tM3\tS3\tnull\t2\t0\tnull\t10.00\t5.00\t2.50\r\n"
    )
    ours = (line(1), line(2, refund=True), line(3))
    assert theirs(ours, differing(file)) == (
        line(1),
        replace(line(2, refund=True), total_fen=800, fund_fen=500, account_fen=250, cash_fen=50),
        StatementLine(NUMBER, "S9", False, "employee", 1_000, 600, 100, 300),
    )


def test_the_reference_centre_tells_insurance_and_terminal_in_the_memo() -> None:
    memo = '{"insutype":"390","terminal":"T000007"}'
    told = Difference(row_of(line(1)), NUMBER, CENTRE_ONLY, memo)
    (only,) = theirs((), differing(results([told])))
    assert (only.scheme, only.terminal, only.person_id) == ("resident", "T000007", "P1")


def test_a_booking_without_msgid_keeps_the_centres_own_number() -> None:
    told = Difference(row_of(line(1)), None, CENTRE_ONLY)
    (only,) = theirs((), differing(results([told])))
    assert only.number == "S1"


@given(st.lists(st.integers(0, 40), unique=True), st.lists(st.integers(0, 40), unique=True))
def test_the_file_of_differences_leads_back_to_the_centres_lines(
    ours: list[int], centre: list[int]
) -> None:
    mine = tuple(line(number, refund=number % 5 == 0) for number in ours)
    its = {n: line(n, refund=n % 5 == 0, total=1_000 + 8 * (n % 2)) for n in centre}
    told = [
        Difference(row_of(each), None, SENDER_ONLY)
        for number, each in zip(ours, mine, strict=True)
        if number not in its
    ]
    told += [
        Difference(row_of(each), each.number, AMOUNTS if n in ours else CENTRE_ONLY)
        for n, each in its.items()
        if n not in ours or n % 2
    ]
    assert set(theirs(mine, differing(results(told)))) == set(its.values())


LINES = st.builds(line, st.integers(0, 99), refund=st.booleans(), total=st.integers(0, 10**12))


@given(st.lists(LINES))
def test_a_file_comes_back_as_it_went(lines: list[StatementLine]) -> None:
    assert received(sent(lines)) == tuple(row_of(each) for each in lines)


@pytest.mark.parametrize(
    "row",
    [
        "P1\tM1\tS1\t1\t1\t0\tnull\t10.00\t5.00",
        "P1\tM1\tnull\t1\t1\t0\tnull\t10.00\t5.00\t2.50",
        "P1\tM1\tS1\t1\t4\t0\tnull\t10.00\t5.00\t2.50",
        "P1\tM1\tS1\t1\t1\t0\tnull\t10.001\t5.00\t2.50",
        "P1\tM1\tS1\t1\t1\t0\tnull\tnull\t5.00\t2.50",
        "P1\tM1\tS1\t1\tnull\t0\tnull\t1e9\t5.00\t2.50",
    ],
    ids=["columns", "no setl_id", "unknown result", "below a fen", "no amount", "no result"],
)
def test_a_row_that_breaks_the_columns_is_a_bad_message(row: str) -> None:
    with pytest.raises(BadMessage):
        differing(file_of(row + "\n"))
