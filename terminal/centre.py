"""The centre as the journal asks it: what became of an operation, and undo it.

A settlement and its cancellation are asked about over the channel that they were sent over,
whatever the settings say by now; everything else over the back office's own interface. What the
centre says it has booked must be what this terminal sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from backend_client.channels import direct
from backend_client.channels.channel import Reference, Sent, SettlementChannel, VisitNumbers
from backend_client.client import BackendClient
from backend_client.codec import Message
from backend_client.errors import BadMessage
from backend_client.messages import OperationState, Reversal, encode
from backend_client.money_messages import MoneyState
from terminal.errors import ConfigurationError
from terminal.store.journal import Kind, Operation

CHANNEL, REFERENCE = "channel", "reference"
"""Where an operation's payload keeps the channel's name and what the channel remembers."""

Found = OperationState | MoneyState


@dataclass(frozen=True, slots=True)
class _Made:
    """What a confirmed operation of one kind carries: in which field, and which of it was sent.

    `sent` are pairs of pointers: into the payload, and into what was made.
    """

    field: str
    sent: tuple[tuple[str, str], ...]


_MADE: Mapping[Kind, _Made] = {
    Kind.SETTLEMENT: _Made(
        "settlement",
        (("bill_id", "bill_id"), ("split", "split"), ("provisional_number", "provisional_number")),
    ),
    Kind.ACTIVATION: _Made("activation", (("card", "status/card"),)),
    Kind.CANCELLATION: _Made("cancellation", (("settlement_id", "settlement_id"),)),
    Kind.CONTRIBUTION: _Made("payment", (("bill_id", "bill_id"), ("amount_fen", "amount_fen"))),
    Kind.BENEFIT: _Made("benefit", (("benefit_id", "benefit_id"), ("amount_fen", "amount_fen"))),
}

_OVER_CHANNEL: Mapping[Kind, Literal["settlement", "cancellation"]] = {
    Kind.SETTLEMENT: "settlement",
    Kind.CANCELLATION: "cancellation",
}


class Centre:
    """Asks the centre about operations. `channels` by name, `chosen` for what is begun now."""

    def __init__(
        self, channels: Mapping[str, SettlementChannel], chosen: str, client: BackendClient
    ) -> None:
        self._channels = channels
        self._client = client
        self.channel = channels[chosen]

    def channel_of(self, operation: Operation) -> SettlementChannel:
        """The channel that an operation was sent over. Raises `ConfigurationError`."""
        name = operation.payload.get(CHANNEL, direct.NAME)
        if name not in self._channels:
            raise ConfigurationError(f"operation {operation.number} needs the channel {name}")
        return self._channels[name]

    def query(self, operation: Operation) -> Found:
        """What the centre knows of an operation. Raises `BackendError`."""
        what = _OVER_CHANNEL.get(operation.kind)
        if what is not None:
            return self.channel_of(operation).query(_sent(operation, what))
        if operation.kind is Kind.ACTIVATION:
            return self._client.query(operation.number)
        return self._client.money.query(operation.number)

    def reverse(self, operation: Operation) -> Reversal:
        """冲正: undo it, or forbid it if it has not arrived. Raises `BackendError`."""
        what = _OVER_CHANNEL.get(operation.kind)
        if what is not None:
            return self.channel_of(operation).reverse(_sent(operation, what))
        return self._client.reverse(operation.number)

    def visit_of(self, operation: Operation) -> VisitNumbers | None:
        """What a statement says of an operation's visit, where its channel wants that."""
        return self.channel_of(operation).visit_of(reference_of(operation))

    def is_agreed(self, operation: Operation, found: Found) -> bool:
        """False where a channel has booked other amounts than the holder agreed to."""
        if operation.kind is not Kind.SETTLEMENT or not self.channel_of(operation).settles_anew:
            return True
        settlement = getattr(found, "settlement", None)
        return settlement is None or encode(settlement.split) == operation.payload.get("split")

    def booked(self, operation: Operation, found: Found) -> Mapping[str, Any]:
        """What the centre booked. Raises `BadMessage` when it is not what this terminal sent."""
        made = _MADE[operation.kind]
        message = getattr(found, made.field, None)
        if not isinstance(message, Message):
            raise BadMessage(f"/{made.field}", "required when confirmed", found.schema)
        booked = encode(message)
        for sent, answered in made.sent:
            if _at(booked, answered) != operation.payload.get(sent):
                raise BadMessage(f"/{made.field}/{answered}", "what was sent", found.schema)
        return booked


def reference_of(operation: Operation) -> Reference:
    """What the channel remembers of an operation."""
    reference: Reference = operation.payload.get(REFERENCE, {})
    return reference


def _sent(operation: Operation, what: Literal["settlement", "cancellation"]) -> Sent:
    return Sent(operation.number, what, reference_of(operation))


def _at(value: Any, path: str) -> object:  # noqa: ANN401 - a JSON value
    for step in path.split("/"):
        value = value[step]
    return value
