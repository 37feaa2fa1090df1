"""Every decision on a card, held against the blacklist as the back office published it."""

from __future__ import annotations

from datetime import timedelta

from simulator.clock import SimulatedClock
from simulator.world.books import stored, vault
from simulator.world.centre import Centre
from simulator.world.holder import Holder
from simulator.world.station import Station
from simulator.world.violation import Violation
from terminal.admission import Admitted, Decision

_LISTED = """
SELECT listings.reason FROM listings JOIN cards ON cards.id = listings.card
WHERE cards.id_index = :card AND listings.added_in <= :version
  AND (listings.removed_in IS NULL OR listings.removed_in > :version)
  AND listings.scope LIKE '%social_security%'
  AND listings.valid_from <= :now
  AND (listings.valid_until IS NULL OR listings.valid_until > :late)
"""
_GRACE = timedelta(minutes=11)
"""By how much sooner a loss may lift by a clock that is believed (`store/clock_guard.py`)."""


class Admissions:
    """Watches all terminals."""

    def __init__(self, centre: Centre, clock: SimulatedClock) -> None:
        self._centre = centre
        self._clock = clock

    def decided(self, station: Station, holder: Holder, decision: Decision) -> None:
        """Raise `Violation` when a card is admitted that is on the list this terminal has."""
        if not isinstance(decision, Admitted):
            return
        version = decision.list_version or 0
        if version < station.list_version:
            raise Violation("list applied", f"{station.name} decides by version {version} again")
        now = self._clock.now()
        question = {
            "card": vault.index("card_id", holder.card.card_id),
            "version": version,
            "now": stored(now),
            "late": stored(now + _GRACE),
        }
        row = self._centre.truth().execute(_LISTED, question).fetchone()
        if row is not None:
            function = decision.function
            raise Violation(
                "listed card refused",
                f"{station.name} has version {version}, where the card of {holder.name} is listed "
                f"({row['reason']}), and admits it for {function}",
            )
