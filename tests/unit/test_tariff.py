"""Who pays what: the bands in their order, the rounding, and that parts always add up."""

from __future__ import annotations

import json
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.messages import Band
from simulator.backoffice.errors import BadParameters, Refused
from simulator.backoffice.figures import Figures, load_figures
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.tariff import Charge, Standing, charge_of, work_out

FIGURES = load_figures()
TARIFF = FIGURES.tariff_on(date(2026, 3, 16))


def standing(
    group: str = "employee",
    *,
    current: int = 0,
    past: int = 0,
    deductible_used: int = 0,
    shared_used: int = 0,
) -> Standing:
    return Standing(group, current, past, deductible_used, shared_used)


def bands(charge: Charge, who: Standing) -> list[tuple[str, int, int, int, int]]:
    split = work_out(charge, who, TARIFF).split
    return [(b.name_zh, b.amount_fen, b.fund_fen, b.account_fen, b.cash_fen) for b in split.bands]


def test_the_current_year_account_pays_first() -> None:
    result = work_out(Charge(20_000, 0, 3), standing(current=30_000, past=99_900), TARIFF)
    assert result.split.current_account_fen == 20_000
    assert (result.split.past_accounts_fen, result.split.cash_fen) == (0, 0)
    assert (result.deductible_fen, result.shared_fen) == (0, 0)


def test_then_the_person_bears_the_deductible_in_cash() -> None:
    assert bands(Charge(30_000, 0, 3), standing(current=10_000)) == [
        ("当年账户支付", 10_000, 0, 10_000, 0),
        ("自负段", 20_000, 0, 0, 20_000),
    ]


def test_past_years_money_pays_what_the_person_bears_before_cash_does() -> None:
    # The deductible of 500 yuan takes 450 of it, the rest of what the person bears is cash.
    assert bands(Charge(100_000, 0, 1), standing(past=45_000)) == [
        ("自负段", 50_000, 0, 45_000, 5_000),
        ("共负段", 50_000, 40_000, 0, 10_000),
    ]


@pytest.mark.parametrize(
    ("group", "tier", "percent"),
    [
        ("employee", 1, 80),
        ("employee", 2, 75),
        ("employee", 3, 70),
        ("retired", 1, 85),
        ("retired", 2, 80),
        ("retired", 3, 75),
    ],
)
def test_the_fund_shares_by_the_hospitals_tier(group: str, tier: int, percent: int) -> None:
    used_up = standing(group, deductible_used=50_000)
    result = work_out(Charge(10_000, 0, tier), used_up, TARIFF)
    assert result.split.fund_fen == percent * 100
    assert result.split.cash_fen == 10_000 - percent * 100
    assert result.shared_fen == 10_000


@pytest.mark.parametrize(("group", "deductible"), [("employee", 50_000), ("retired", 30_000)])
def test_the_deductible_is_borne_once_a_medical_year(group: str, deductible: int) -> None:
    bill = Charge(deductible, 0, 2)
    first = work_out(bill, standing(group), TARIFF)
    assert first.deductible_fen == deductible
    half = work_out(bill, standing(group, deductible_used=deductible // 2), TARIFF)
    assert half.deductible_fen == deductible // 2
    assert half.shared_fen == deductible - deductible // 2
    none = work_out(bill, standing(group, deductible_used=deductible), TARIFF)
    assert none.deductible_fen == 0


def test_above_the_ceiling_the_supplementary_fund_shares() -> None:
    near = standing(deductible_used=50_000, shared_used=TARIFF.ceiling_fen - 10_000)
    assert bands(Charge(30_000, 0, 3), near) == [
        ("共负段", 10_000, 7_000, 0, 3_000),
        ("封顶线以上", 20_000, 16_000, 0, 4_000),
    ]
    split = work_out(Charge(30_000, 0, 3), near, TARIFF).split
    assert (split.fund_fen, split.supplementary_fen) == (7_000, 16_000)


def test_what_is_not_covered_is_cash_and_touches_no_account() -> None:
    split = work_out(Charge(0, 12_345, 3), standing(current=99_900, past=99_900), TARIFF).split
    assert split.cash_fen == 12_345
    assert split.bands == (Band("范围外自费", "Not covered", 12_345, 0, 0, 12_345),)


@pytest.mark.parametrize(
    ("amount", "fund"),
    [(1, 1), (2, 1), (3, 2), (5, 4), (15, 11), (50, 35)],  # 70 %: 0.7, 1.4, 2.1, 3.5, 10.5, 35
)
def test_a_funds_part_is_rounded_half_up_to_whole_fen(amount: int, fund: int) -> None:
    result = work_out(Charge(amount, 0, 3), standing(deductible_used=50_000), TARIFF)
    assert (result.split.fund_fen, result.split.cash_fen) == (fund, amount - fund)


FEN = st.integers(0, 200_000_000)
GROUPS = st.sampled_from(sorted(TARIFF.groups))


@given(
    st.builds(Charge, FEN, FEN, st.integers(1, 3)),
    st.builds(Standing, GROUPS, FEN, FEN, FEN, FEN),
)
def test_parts_always_add_up_and_no_account_is_overdrawn(charge: Charge, who: Standing) -> None:
    result = work_out(charge, who, TARIFF)
    split = result.split
    assert split.adds_up()
    assert split.total_fen == charge.covered_fen + charge.uncovered_fen
    assert 0 <= split.current_account_fen <= who.current_account_fen
    assert 0 <= split.past_accounts_fen <= who.past_accounts_fen
    assert split.cash_fen >= charge.uncovered_fen
    assert min(b.amount_fen for b in split.bands) > 0 if split.bands else split.total_fen == 0
    deductible = TARIFF.groups[who.group].deductible_fen
    assert 0 <= result.deductible_fen <= max(0, deductible - who.deductible_used_fen)
    assert 0 <= result.shared_fen <= max(0, TARIFF.ceiling_fen - who.shared_used_fen)


@given(st.lists(st.tuples(st.integers(-50_000, 50_000), st.booleans()), max_size=20))
def test_a_charge_keeps_the_bills_total_whatever_its_reductions(
    lines: list[tuple[int, bool]],
) -> None:
    total = sum(amount for amount, _ in lines)
    if total < 0:
        with pytest.raises(ValueError, match="below zero"):
            charge_of(tuple(lines), 1)
        return
    charge = charge_of(tuple(lines), 1)
    assert charge.covered_fen + charge.uncovered_fen == total
    assert charge.covered_fen >= 0
    assert charge.uncovered_fen >= 0


def test_a_group_or_tier_without_rules_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        work_out(Charge(1, 0, 1), standing("astronaut"), TARIFF)
    assert caught.value.refusal is Refusal.NO_TARIFF
    with pytest.raises(Refused) as caught:
        work_out(Charge(1, 0, 4), standing(), TARIFF)
    assert caught.value.refusal is Refusal.NO_TARIFF


@pytest.mark.parametrize(
    ("day", "year"),
    [
        (date(2026, 6, 30), date(2025, 7, 1)),
        (date(2026, 7, 1), date(2026, 7, 1)),
        (date(2026, 1, 1), date(2025, 7, 1)),
    ],
)
def test_the_medical_year_begins_where_the_file_says(day: date, year: date) -> None:
    assert FIGURES.medical_year(day) == year


@pytest.mark.parametrize(
    ("day", "ceiling"),
    [
        (date(2023, 7, 1), 61_000_000),
        (date(2024, 6, 30), 61_000_000),
        (date(2024, 7, 1), 63_000_000),
        (date(2026, 6, 30), 65_000_000),
    ],
)
def test_each_day_has_the_figures_of_its_file(day: date, ceiling: int) -> None:
    assert FIGURES.tariff_on(day).ceiling_fen == ceiling


def test_a_day_without_a_file_has_no_tariff_but_still_a_medical_year() -> None:
    with pytest.raises(Refused) as caught:
        FIGURES.tariff_on(date(2035, 1, 1))
    assert caught.value.refusal is Refusal.NO_TARIFF
    assert FIGURES.medical_year(date(2035, 1, 1)) == date(2034, 7, 1)
    assert FIGURES.medical_year(date(2020, 1, 1)) == date(2019, 7, 1)


def test_every_file_tells_how_sure_its_figures_are() -> None:
    folder = resources.files("simulator.backoffice.parameters")
    files = [f for f in folder.iterdir() if f.name.endswith(".json") and "schema" not in f.name]
    assert len(files) == 6
    for file in files:
        source = json.loads(file.read_text("utf-8"))["source"]
        assert source["grade"] in "ABCD"
        assert source["note"]


def built_in() -> dict[str, Any]:
    folder = resources.files("simulator.backoffice.parameters")
    document: dict[str, Any] = json.loads(
        folder.joinpath("outpatient-2025-07.json").read_text("utf-8")
    )
    return document


def loaded(directory: Path, *documents: object) -> Figures:
    for number, document in enumerate(documents):
        (directory / f"{number}.json").write_text(json.dumps(document), "utf-8")
    return load_figures(directory)


def test_an_operators_files_take_the_place_of_the_built_in_ones(tmp_path: Path) -> None:
    mine = built_in() | {"medical_year_starts": "04-01", "ceiling_fen": 7}
    figures = loaded(tmp_path, mine)
    assert figures.tariff_on(date(2026, 3, 16)).ceiling_fen == 7
    assert figures.medical_year(date(2026, 4, 1)) == date(2026, 4, 1)
    assert figures.calendar.is_working_day(date(2026, 10, 1))


@pytest.mark.parametrize(
    "change",
    [
        {"ceiling_fen": -1},
        {"valid_from": "2026-02-30"},
        {"valid_to": "2020-01-01"},
        {"medical_year_starts": "02-30"},
        {"shared_band_paid_by": "cash"},
        {"groups": {"employee": {"deductible_fen": 0, "fund_percent_by_tier": {"1": 101}}}},
        {"kind": "unheard-of"},
        {"surprise": True},
    ],
)
def test_a_file_that_breaks_the_schema_is_refused(
    change: dict[str, object], tmp_path: Path
) -> None:
    with pytest.raises(BadParameters):
        loaded(tmp_path, built_in() | change)


def test_files_that_overlap_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadParameters, match="overlap"):
        loaded(tmp_path, built_in(), built_in())


@pytest.mark.parametrize("text", ["", "[", "[]", "[" * 100_000, "\x00"])
def test_what_is_no_parameter_file_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text, "utf-8")
    with pytest.raises(BadParameters):
        load_figures(tmp_path)


def test_a_directory_without_payment_rules_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadParameters):
        load_figures(tmp_path)
    with pytest.raises(BadParameters):
        load_figures(tmp_path / "missing")
