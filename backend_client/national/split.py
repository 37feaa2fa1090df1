"""A settlement's parts at the national edge: `setlinfo` to a `Split`, and back.

The national fields know one personal account and no bands. The reference centre tells both in
`exp_content`, which the texts leave to the province; where nothing is told there, the account
counts as this year's, and the bands are "within policy" and "not covered".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from backend_client.codec import canonical, decode, encode
from backend_client.errors import BadMessage
from backend_client.messages import Band, Scheme, Split

INSUTYPES: Mapping[Scheme, str] = {"employee": "310", "resident": "390"}
SCHEMES: Mapping[str, Scheme] = {code: scheme for scheme, code in INSUTYPES.items()}
_POLICY = ("政策范围内", "Within policy")
_OWN = ("范围外自费", "Not covered")


def scheme_of(insutype: str) -> Scheme:
    """The insurance that an insutype names. Raises `BadMessage`."""
    if insutype not in SCHEMES:
        raise BadMessage("/insutype", "known", "insutype")
    return SCHEMES[insutype]


def split_of(setlinfo: Mapping[str, Any]) -> Split:
    """The split that a setlinfo tells. Raises `BadMessage` where its sums contradict each other.

    Whether the parts make the total is for the terminal to say: `Split.adds_up`.
    """
    person = setlinfo["acct_pay"] + setlinfo["psn_cash_pay"]
    if setlinfo["psn_part_amt"] != person:
        raise BadMessage("/setlinfo/psn_part_amt", "account and cash", "setlinfo")
    other = setlinfo["fund_pay_sumamt"] - setlinfo["hifp_pay"] - setlinfo["hifob_pay"]
    if other < 0:
        raise BadMessage("/setlinfo/fund_pay_sumamt", "all funds", "setlinfo")
    local = _local(setlinfo)
    return Split(
        total_fen=setlinfo["medfee_sumamt"],
        current_account_fen=setlinfo["acct_pay"] - local["past_accounts_fen"],
        past_accounts_fen=local["past_accounts_fen"],
        fund_fen=setlinfo["hifp_pay"],
        supplementary_fen=setlinfo["hifob_pay"],
        other_fund_fen=other + setlinfo["hosp_part_amt"],
        cash_fen=setlinfo["psn_cash_pay"],
        bands=local["bands"],
    )


def setlinfo_of(split: Split, covered_fen: int, deductible_fen: int) -> dict[str, Any]:
    """The sums of a setlinfo, and what is local of it in `exp_content`."""
    accounts = split.current_account_fen + split.past_accounts_fen
    funds = split.fund_fen + split.supplementary_fen + split.other_fund_fen
    return {
        "medfee_sumamt": split.total_fen,
        **parts_of(split.total_fen, covered_fen),
        "act_pay_dedc": deductible_fen,
        "fund_pay_sumamt": funds,
        "hifp_pay": split.fund_fen,
        "hifob_pay": split.supplementary_fen,
        "oth_pay": split.other_fund_fen,
        "psn_part_amt": accounts + split.cash_fen,
        "acct_pay": accounts,
        "psn_cash_pay": split.cash_fen,
        "hosp_part_amt": 0,
        "exp_content": exp_content(
            past_accounts_fen=split.past_accounts_fen,
            bands=[encode(band) for band in split.bands],
        ),
    }


def parts_of(total_fen: int, covered_fen: int) -> dict[str, int]:
    """How a bill divides into what the policy covers and what not."""
    return {
        "fulamt_ownpay_amt": total_fen - covered_fen,
        "overlmt_selfpay": 0,
        "preselfpay_amt": 0,
        "inscp_scp_amt": covered_fen,
    }


def exp_content(**values: object) -> str:
    """Local values as the text that `exp_content` carries."""
    return canonical(values).decode()


def exp_values(setlinfo: Mapping[str, Any]) -> dict[str, Any]:
    """The local values that `exp_content` carries; none where it is empty or somebody else's."""
    try:
        values = json.loads(setlinfo.get("exp_content") or "{}")
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _local(setlinfo: Mapping[str, Any]) -> dict[str, Any]:
    """Past years' money and bands, as told or as the national fields alone have them."""
    values = exp_values(setlinfo)
    past, bands = values.get("past_accounts_fen"), values.get("bands")
    if not isinstance(past, int) or not isinstance(bands, list):
        return {"past_accounts_fen": 0, "bands": _plain_bands(setlinfo)}
    if not 0 <= past <= setlinfo["acct_pay"]:
        raise BadMessage("/setlinfo/exp_content/past_accounts_fen", "account", "setlinfo")
    return {"past_accounts_fen": past, "bands": tuple(decode(Band, each) for each in bands)}


def _plain_bands(setlinfo: Mapping[str, Any]) -> tuple[Band, ...]:
    fund = setlinfo["fund_pay_sumamt"] + setlinfo["hosp_part_amt"]
    account, cash = setlinfo["acct_pay"], setlinfo["psn_cash_pay"]
    total = setlinfo["medfee_sumamt"]
    own = min(total - setlinfo["inscp_scp_amt"], cash)
    bands = (
        Band(*_POLICY, total - own, fund, account, cash - own),
        Band(*_OWN, own, 0, 0, own),
    )
    return tuple(band for band in bands if band.amount_fen > 0)
