"""Who pays what of an outpatient bill: the Shanghai order for employees (facts 2.4, 2.5).

What the insurance does not cover is cash. Of the rest, the current-year account pays first. Then
comes the deductible band (自负段), which the person bears up to a sum a medical year, then the
shared band (共负段), of which the fund bears a percentage by the hospital's tier up to a ceiling,
then what is above it, at a share of its own. What the person bears in a band is paid from the
past-years account while there is money in it, then in cash.

Pure, integer fen. The one rounding: a fund's part is rounded half up to whole fen, and the person
bears the rest of the band, so parts always add up.
"""

from __future__ import annotations

from dataclasses import dataclass

from backend_client.messages import Band, Split
from simulator.backoffice.errors import Refused
from simulator.backoffice.figures import GroupRules, Tariff
from simulator.backoffice.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Charge:
    """A bill as the tariff sees it: what the insurance covers and what not, in fen.

    `tier` is the hospital's, 1 to 3.
    """

    covered_fen: int
    uncovered_fen: int
    tier: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the insured person stands: group, account money, used in this medical year, in fen."""

    group: str
    current_account_fen: int
    past_accounts_fen: int
    deductible_used_fen: int
    shared_used_fen: int


@dataclass(frozen=True, slots=True)
class WorkedOut:
    """The split, and what it adds to the year's deductible and shared-band cost, in fen."""

    split: Split
    deductible_fen: int
    shared_fen: int


@dataclass(frozen=True, slots=True)
class _Step:
    """One band: its amount, the fund that shares it and by how many percent."""

    name_zh: str
    name_en: str
    amount_fen: int
    paid_by: str = "fund"
    percent: int = 0


def charge_of(lines: tuple[tuple[int, bool], ...], tier: int) -> Charge:
    """The charge of a bill's lines, each its amount in fen and whether it is covered.

    A reduction larger than its own side reduces the other, so neither is below zero. Raises
    `ValueError` when the bill as a whole is below zero.
    """
    covered = sum(amount for amount, is_covered in lines if is_covered)
    uncovered = sum(amount for amount, is_covered in lines if not is_covered)
    total = covered + uncovered
    if total < 0:
        raise ValueError("a bill is not below zero")
    return Charge(min(max(covered, 0), total), min(max(uncovered, 0), total), tier)


def work_out(charge: Charge, standing: Standing, tariff: Tariff) -> WorkedOut:
    """Who pays what. Raises `Refused` NO_TARIFF for a group or tier without rules."""
    rules = _rules(tariff, standing.group)
    percent = rules.fund_percent_by_tier.get(charge.tier)
    if percent is None:
        raise Refused(Refusal.NO_TARIFF, detail=f"no percentage for tier {charge.tier}")
    current = min(standing.current_account_fen, charge.covered_fen)
    rest = charge.covered_fen - current
    deductible = min(rest, max(0, rules.deductible_fen - standing.deductible_used_fen))
    rest -= deductible
    shared = min(rest, max(0, tariff.ceiling_fen - standing.shared_used_fen))
    steps = (
        _Step("自负段", "Deductible", deductible),
        _Step("共负段", "Shared", shared, tariff.shared_band_paid_by, percent),
        _Step(
            "封顶线以上",
            "Above the ceiling",
            rest - shared,
            tariff.above_ceiling_paid_by,
            tariff.above_ceiling_percent,
        ),
    )
    split = _split(charge, current, standing.past_accounts_fen, steps)
    return WorkedOut(split, deductible, shared)


def _rules(tariff: Tariff, group: str) -> GroupRules:
    rules = tariff.groups.get(group)
    if rules is None:
        raise Refused(Refusal.NO_TARIFF, detail="no rules for this group of insured")
    return rules


def _split(charge: Charge, current: int, past_left: int, steps: tuple[_Step, ...]) -> Split:
    """The bands in order; the past-years account pays the person's parts while it lasts."""
    bands = [Band("当年账户支付", "Current-year account", current, 0, current, 0)]
    funds = {"fund": 0, "supplementary": 0, "other_fund": 0}
    past = 0
    for step in steps:
        from_fund = (step.amount_fen * step.percent + 50) // 100
        own = step.amount_fen - from_fund
        from_past = min(own, past_left - past)
        past += from_past
        funds[step.paid_by] += from_fund
        bands.append(
            Band(step.name_zh, step.name_en, step.amount_fen, from_fund, from_past, own - from_past)
        )
    uncovered = charge.uncovered_fen
    bands.append(Band("范围外自费", "Not covered", uncovered, 0, 0, uncovered))
    return Split(
        total_fen=charge.covered_fen + uncovered,
        current_account_fen=current,
        past_accounts_fen=past,
        fund_fen=funds["fund"],
        supplementary_fen=funds["supplementary"],
        other_fund_fen=funds["other_fund"],
        cash_fen=sum(band.cash_fen for band in bands),
        bands=tuple(band for band in bands if band.amount_fen > 0),
    )
