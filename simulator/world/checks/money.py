"""Money is conserved to the fen: whatever leaves an account or a fund is in exactly one bill."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.world.world import World

_ACCOUNTS = "SELECT holder, current_fen + past_fen AS fen FROM accounts"
_TAKEN = """
SELECT holder, SUM(current_account_fen + past_accounts_fen) AS fen
FROM settlements WHERE reversed_at IS NULL GROUP BY holder
"""
_USED = """
SELECT used.holder, used.deductible_fen, used.shared_fen,
       (SELECT COALESCE(SUM(deductible_fen), 0) FROM settlements AS s WHERE s.holder = used.holder
        AND s.medical_year = used.medical_year AND reversed_at IS NULL) AS deductible,
       (SELECT COALESCE(SUM(shared_fen), 0) FROM settlements AS s WHERE s.holder = used.holder
        AND s.medical_year = used.medical_year AND reversed_at IS NULL) AS shared
FROM accumulators AS used
"""
_APART = """
SELECT settlements.id FROM settlements JOIN bills ON bills.id = settlements.bill
WHERE settlements.total_fen <> bills.total_fen OR settlements.total_fen <>
    settlements.current_account_fen + settlements.past_accounts_fen + settlements.fund_fen
    + settlements.supplementary_fen + settlements.other_fund_fen + settlements.cash_fen
"""
_BILLS = """
SELECT bills.bill_id, bills.settled_by, COUNT(settlements.id) AS times,
       MAX(settlements.id) AS settlement
FROM bills LEFT JOIN settlements
    ON settlements.bill = bills.id AND settlements.reversed_at IS NULL
GROUP BY bills.id
"""
_LOOSE = """
SELECT operations.number, 'is confirmed, and its settlement does not stand' AS what
FROM operations JOIN settlements ON settlements.operation = operations.id
WHERE operations.state = 'confirmed' AND reversed_at IS NOT NULL AND cancelled_by IS NULL
UNION ALL
SELECT operations.number, 'is not confirmed, and its settlement stands'
FROM operations JOIN settlements ON settlements.operation = operations.id
WHERE operations.state <> 'confirmed' AND reversed_at IS NULL
UNION ALL
SELECT operations.number, 'is not confirmed, and has taken back a settlement'
FROM operations JOIN settlements ON settlements.cancelled_by = operations.id
WHERE operations.state <> 'confirmed'
UNION ALL
SELECT operations.number, 'is not confirmed, and has paid a contribution'
FROM operations JOIN contribution_bills ON contribution_bills.paid_by = operations.id
WHERE operations.state <> 'confirmed'
"""
_COUNTS = """
SELECT (SELECT COUNT(*) FROM operations WHERE state = 'confirmed' AND kind LIKE 'cancellation%')
     = (SELECT COUNT(*) FROM settlements WHERE cancelled_by IS NOT NULL) AS cancellations,
       (SELECT COUNT(*) FROM operations WHERE state = 'confirmed' AND kind LIKE 'contribution%')
     = (SELECT COUNT(*) FROM contribution_bills WHERE paid_by IS NOT NULL) AS contributions,
       (SELECT COUNT(*) FROM operations WHERE state = 'confirmed' AND kind LIKE 'benefit%')
     = (SELECT COUNT(*) FROM benefits WHERE confirmed_at IS NOT NULL) AS benefits
"""
_ACTIVATED = """
SELECT card, COUNT(*) AS times FROM life_events WHERE event = 'activate' GROUP BY card
"""


def accounts(world: World) -> Mapping[int, int]:
    """What each holder's accounts hold, in fen."""
    return {row["holder"]: row["fen"] for row in world.centre.truth().execute(_ACCOUNTS)}


def conserved(world: World) -> Iterable[str]:
    """Accounts, sums of the year and settlements come to what there was at the beginning."""
    books = world.centre.truth()
    taken = {row["holder"]: row["fen"] for row in books.execute(_TAKEN)}
    for holder, now in books.execute(_ACCOUNTS):
        before = world.accounts_before[holder]
        if now + taken.get(holder, 0) != before:
            yield f"accounts of holder {holder}: {before} before, {now} + {taken.get(holder)}"
    for row in books.execute(_USED):
        if (row["deductible_fen"], row["shared_fen"]) != (row["deductible"], row["shared"]):
            yield f"the year's sums of holder {row['holder']} are not those of the settlements"
    for row in books.execute(_APART):
        yield f"the parts of settlement {row['id']} do not make its bill"


def settled_once(world: World) -> Iterable[str]:
    """A bill has one settlement or none, the one that it names; a card is activated once."""
    books = world.centre.truth()
    for row in books.execute(_BILLS):
        if row["times"] > 1 or row["settled_by"] != row["settlement"]:
            yield f"bill {row['bill_id']} is settled {row['times']} times"
    for row in books.execute(_ACTIVATED):
        if row["times"] > 1:
            yield f"card {row['card']} is activated {row['times']} times"


def no_loose_ends(world: World) -> Iterable[str]:
    """What an operation has done and what it is said to have done are the same."""
    books = world.centre.truth()
    for row in books.execute(_LOOSE):
        yield f"{row['number']} {row['what']}"
    counts = books.execute(_COUNTS).fetchone()
    for what in counts.keys():  # noqa: SIM118  # a row's iterator gives its values
        if not counts[what]:
            yield f"there are not as many {what} as operations that made them"
