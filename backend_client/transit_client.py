"""The gate's side of the back office: handing in what was debited."""

from __future__ import annotations

from backend_client.calls import Calls, same
from backend_client.transit_messages import TapBatch, TapReceipt


class TransitClient:
    """Calls in the name of one gate. Raises what `BackendClient` raises."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def upload(self, batch: TapBatch) -> TapReceipt:
        """Hand in taps. Each is booked once however often it arrives, so this may be repeated."""
        receipt = self._calls.ask("/v1/transit/taps", batch, TapReceipt)
        named = [(one.terminal, one.sequence) for one in receipt.verdicts]
        same(named, [(tap.terminal, tap.sequence) for tap in batch.taps], "/verdicts")
        return receipt
