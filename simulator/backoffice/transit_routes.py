"""The gates' route."""

from __future__ import annotations

from collections.abc import Mapping

from backend_client.transit_messages import TapBatch, TapReceipt
from simulator.backoffice.routes import Route, by_terminal
from simulator.backoffice.terminals import Task
from simulator.backoffice.transit import TransitDesk


def transit_routes(desk: TransitDesk) -> Mapping[str, Route]:
    """Path -> what answers it."""
    return {
        "/v1/transit/taps": by_terminal(
            TapBatch,
            TapReceipt,
            desk.upload,
            task=Task.TRANSIT,
            summary="Hand in what a gate's taps debited; each is booked once",
        ),
    }
