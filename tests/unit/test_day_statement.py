"""A terminal's statement as a file, and adding many up: whatever the partition, exactly those."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_client.channels.channel import SettlementChannel
from backend_client.day_statement_messages import DayStatement, NumberStanding, Standing
from backend_client.identity import TlsIdentity, certificate_request, new_key
from backend_client.money_messages import DayTotal, Scope, StatementLine
from simulator.backoffice.authority import Authority
from terminal.day_statement import as_text, read_all
from terminal.errors import (
    ConfigurationError,
    StatementDamaged,
    StatementError,
    StatementMisplaced,
    StatementRepeated,
    StatementUnproved,
)
from terminal.reconciliation import Differs, Repair, reconcile, totals_of
from terminal.store.journal import Journal

DAY = date(2026, 3, 16)
NOW = datetime(2026, 3, 17, 1, tzinfo=UTC)
HERE, ELSEWHERE = "990100000101", "990100000102"


def line(number: int, *, refund: bool = False, fund: int = 500) -> StatementLine:
    scheme = "resident" if number % 3 == 0 else "employee"
    return StatementLine(
        f"{HERE}20260316090000{number:04d}",
        f"S{number}",
        refund,
        scheme,  # type: ignore[arg-type]
        fund + 500,
        fund,
        200,
        300,
    )


def statement(
    terminal: str, *lines: StatementLine, others: Mapping[str, Standing] | None = None
) -> DayStatement:
    standings = (NumberStanding(number, how) for number, how in (others or {}).items())
    return DayStatement(DAY, HERE, terminal, NOW, lines, tuple(standings))


OWN = statement("T000001", line(1))
OTHER = statement("T000002", line(2), line(3, refund=True), others={line(4).number: "undone"})


def written(place: Path, *statements: DayStatement, tls: TlsIdentity | None = None) -> list[Path]:
    files = []
    for number, each in enumerate(statements):
        file = place / f"{number}.json"
        file.write_text(as_text(each, tls), encoding="utf-8")
        files.append(file)
    return files


# The file


def test_a_statement_comes_back_as_it_was_written(tmp_path: Path) -> None:
    third = statement("T000003")
    assert read_all(written(tmp_path, OTHER, third), OWN, None) == (OTHER, third)


@pytest.mark.article(25)
def test_it_names_no_card_and_of_the_person_what_3202_asks_for_alone(tmp_path: Path) -> None:
    (file,) = written(tmp_path, OTHER)
    told = json.loads(file.read_text("utf-8"))["statement"]
    assert set(told) == {"day", "institution", "terminal_id", "written_at", "lines", "others"}
    assert set(told["lines"][0]) == {
        *("number", "settlement_id", "refund", "scheme", "terminal", "visit_id", "person_id"),
        *("total_fen", "fund_fen", "account_fen", "cash_fen"),
    }
    assert set(told["others"][0]) == {"number", "standing"}


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0), byte=st.integers(0, 255), cut=st.booleans())
def test_a_file_that_was_cut_or_edited_is_damaged_or_says_the_same(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int, cut: bool
) -> None:
    data = bytearray(as_text(OTHER, None).encode())
    place %= len(data)
    if cut:
        del data[place:]
    else:
        data[place] = byte
    file = tmp_path_factory.mktemp("edited") / "statement.json"
    file.write_bytes(data)
    try:
        assert read_all([file], OWN, None) == (OTHER,)
    except StatementError as error:
        assert error.code == "STATEMENT_DAMAGED"  # noqa: PT017 - it need not be raised


def test_an_edited_amount_is_damaged(tmp_path: Path) -> None:
    (file,) = written(tmp_path, OTHER)
    text = file.read_text("utf-8")
    file.write_text(text.replace('"fund_fen":500', '"fund_fen":501', 1), encoding="utf-8")
    with pytest.raises(StatementDamaged, match="contents"):
        read_all([file], OWN, None)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"statement":{}}', b"[" * 9999])
def test_what_is_no_statement_is_damaged(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "no.json"
    file.write_bytes(content)
    with pytest.raises(StatementDamaged):
        read_all([file], OWN, None)


def test_a_file_that_is_not_there_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_all([tmp_path / "none.json"], OWN, None)


# Which statements belong together


@pytest.mark.parametrize(
    "foreign",
    [replace(OTHER, day=DAY + timedelta(days=1)), replace(OTHER, institution=ELSEWHERE)],
    ids=["another day", "another institution"],
)
def test_a_statement_from_elsewhere_is_misplaced(tmp_path: Path, foreign: DayStatement) -> None:
    with pytest.raises(StatementMisplaced):
        read_all(written(tmp_path, foreign), OWN, None)


@pytest.mark.parametrize(
    "several",
    [
        (OTHER, replace(OTHER, lines=())),
        (OWN,),
        (OTHER, statement("T000003", line(2))),
        (statement("T000003", line(1)),),
        (statement("T000003", line(9), line(9)),),
    ],
    ids=["a terminal", "this one", "a line", "a line of ours", "a line within"],
)
def test_nothing_is_added_up_twice(tmp_path: Path, several: Sequence[DayStatement]) -> None:
    with pytest.raises(StatementRepeated):
        read_all(written(tmp_path, *several), OWN, None)


def test_a_settlement_and_its_refund_are_no_repetition(tmp_path: Path) -> None:
    both = statement("T000003", line(7), line(7, refund=True))
    assert read_all(written(tmp_path, both), OWN, None) == (both,)


# Who wrote it


@dataclass
class Issuer:
    """An authority, and the terminals that it knows."""

    place: Path
    authority: Authority = field(init=False)

    def __post_init__(self) -> None:
        chance = random.Random(str(self.place)).randbytes
        self.authority = Authority.created(self.place, chance, lambda: NOW - timedelta(days=1))

    def terminal(self, name: str, institution: str = HERE) -> TlsIdentity:
        key = new_key(self.authority.random)
        request = certificate_request(key)
        answer, _ = self.authority.certify_terminal(request, name, institution)
        return TlsIdentity.received(key, answer)


def test_a_signed_statement_is_taken(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path / "ca")
    files = written(tmp_path, OTHER, tls=issuer.terminal("T000002"))
    assert read_all(files, OWN, issuer.terminal("T000001")) == (OTHER,)
    assert read_all(files, OWN, None) == (OTHER,)


def test_an_unsigned_one_is_not_where_terminals_have_certificates(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path / "ca")
    with pytest.raises(StatementUnproved, match="not signed"):
        read_all(written(tmp_path, OTHER), OWN, issuer.terminal("T000001"))


@pytest.mark.parametrize("who", ["another terminal", "another institution", "another authority"])
def test_nobody_signs_for_another(tmp_path: Path, who: str) -> None:
    issuer = Issuer(tmp_path / "ca")
    signer = {
        "another terminal": lambda: issuer.terminal("T000003"),
        "another institution": lambda: issuer.terminal("T000002", ELSEWHERE),
        "another authority": lambda: Issuer(tmp_path / "ca2").terminal("T000002"),
    }[who]()
    with pytest.raises(StatementUnproved):
        read_all(written(tmp_path, OTHER, tls=signer), OWN, issuer.terminal("T000001"))


def test_a_signature_is_for_these_lines_and_this_time(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path / "ca")
    signer, reader = issuer.terminal("T000002"), issuer.terminal("T000001")
    signed = json.loads(as_text(OTHER, signer))
    forged = json.loads(as_text(replace(OTHER, lines=()), None))
    forged |= {"signature": signed["signature"], "certificate": signed["certificate"]}
    file = tmp_path / "forged.json"
    file.write_text(json.dumps(forged), encoding="utf-8")
    with pytest.raises(StatementUnproved):
        read_all([file], OWN, reader)
    late = replace(OTHER, written_at=signer.certificate.not_after)
    with pytest.raises(StatementUnproved, match="did not hold"):
        read_all(written(tmp_path, late, tls=signer), OWN, reader)


# Adding up, whatever the partition


@dataclass
class Ledger:
    """A centre with these lines."""

    lines: Sequence[StatementLine]

    def agrees(self, _day: date, total: DayTotal, scope: Scope = "terminal") -> bool:
        assert scope == "institution"
        return total in totals_of(self.lines)

    def statement(
        self, _day: date, _ours: Sequence[StatementLine], scope: Scope = "terminal"
    ) -> tuple[StatementLine, ...]:
        assert scope == "institution"
        return tuple(self.lines)


class NoRows:
    """The journal of a clerk's terminal that has settled nothing."""

    def find(self, _number: str) -> None:
        return None


FATES = ("equal", "ours", "amounts", "open", "undone", "other_day", "nobody", "missing")
_EXPECTED = {
    "ours": (Differs.OURS_ONLY, Repair.VOID),
    "amounts": (Differs.AMOUNTS, Repair.CANCEL),
    "open": (Differs.THEIRS_ONLY, Repair.RESOLVE),
    "undone": (Differs.THEIRS_ONLY, Repair.REVERSE),
    "other_day": (Differs.THEIRS_ONLY, Repair.OTHER_DAY),
    "nobody": (Differs.THEIRS_ONLY, Repair.ASK),
    "missing": (Differs.THEIRS_ONLY, Repair.STATEMENT),
}


@given(
    operations=st.lists(
        st.tuples(st.sampled_from(FATES), st.integers(0, 4), st.booleans()), max_size=40
    ),
    seed=st.integers(0, 2**32),
)
def test_exactly_what_was_planted_is_found_and_at_its_terminal(
    operations: list[tuple[str, int, bool]], seed: int
) -> None:
    names = [f"T{place:06d}" for place in range(2, 7)]
    lines: dict[str, list[StatementLine]] = {name: [] for name in names}
    others: dict[str, dict[str, Standing]] = {name: {} for name in names}
    centre, planted = [], set()
    for number, (fate, owner, refund) in enumerate(operations):
        name: str | None = names[owner]
        booked = line(number, refund=refund)
        if fate in ("equal", "ours", "amounts"):
            lines[names[owner]].append(booked)
        elif fate in ("open", "undone", "other_day"):
            others[names[owner]][booked.number] = cast(Standing, fate)
        elif fate == "missing":
            name = "T000099"
            booked = replace(booked, terminal=name)
        else:
            name = None
        if fate == "amounts":
            booked = replace(booked, fund_fen=booked.fund_fen - 1, cash_fen=booked.cash_fen + 1)
        if fate != "ours":
            centre.append(booked)
        if fate != "equal":
            planted.add((booked.number, refund, name, *_EXPECTED[fate]))
    random.Random(seed).shuffle(centre)
    statements = [statement(name, *lines[name], others=others[name]) for name in names]
    journal, channel = cast(Journal, NoRows()), cast(SettlementChannel, Ledger(centre))
    clerk = statement("T000001")
    report = reconcile(journal, channel, clerk, statements, always_lines=True)
    assert {
        (each.line.number, each.line.refund, each.terminal, each.differs, each.repair)
        for each in report.differences
    } == planted
    assert len(report.differences) == len(planted)
    assert report.equal == (not planted)
    assert report.missing == (("T000099",) if any(f == "missing" for f, _, _ in operations) else ())
    by_totals = reconcile(journal, channel, clerk, statements)
    assert by_totals.totals == report.totals
    unequal = not all(check.agrees for check in report.totals)
    assert by_totals.differences == (report.differences if unequal else ())
