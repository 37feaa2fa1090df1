"""What has to hold in every world: one file a check, one line here.

A check is a function of the world that yields what it finds wrong, in words. Those of `ALWAYS` hold
after every act, whatever is broken or down; those of `AT_REST` once everything is healed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.world.checks import agreement, chain, holders, money, offline, rest

if TYPE_CHECKING:
    from simulator.world.world import World


@dataclass(frozen=True, slots=True)
class Check:
    """An invariant."""

    name: str
    look: Callable[[World], Iterable[str]]


ALWAYS: tuple[Check, ...] = (
    Check("money conserved", money.conserved),
    Check("settled once", money.settled_once),
    Check("no loose ends", money.no_loose_ends),
    Check("journal and centre agree", agreement.never_apart),
    Check("account on the card conserved", offline.account_conserved),
    Check("card and journal agree", offline.card_and_journal_agree),
    Check("handed in once", offline.uploaded_once),
    Check("within the limits", offline.within_limits),
    Check("a word is kept", holders.word_kept),
    Check("hash chain", chain.holds),
)
AT_REST: tuple[Check, ...] = (
    Check("every row ends", rest.all_ended),
    Check("both know the same", agreement.the_same),
    Check("all handed in", offline.all_handed_in),
    Check("list up to date", rest.lists_up_to_date),
    Check("every receipt given", holders.all_told),
    Check("cash paid once", holders.cash_paid),
)
