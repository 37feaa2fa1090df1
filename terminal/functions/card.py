"""My card: what its face and its EF05 and EF06 say (Article 4). Works without a network."""

from __future__ import annotations

from terminal.flow import Flow, tell
from terminal.functions.entry import admitted, holder_verified
from terminal.outcome import Done, Refused
from terminal.policy import Function
from terminal.screens import Details, Message, Tone
from terminal.sections import card_section
from terminal.text import Text
from terminal.visit import Visit

_TITLE = Text("卡面信息", "What your card says")
_REMARKS = Text("请注意", "Please note")
_DONE = Text("读卡完成。", "The card was read.")


def flow(visit: Visit) -> Flow:
    """Show the card's data, and what admission could not check."""
    decision = admitted(visit, Function.READ)
    if isinstance(decision, Refused):
        return decision
    refused = yield from holder_verified(visit, decision)
    if refused is not None:
        return refused
    if decision.remarks:
        yield from tell(Message(_REMARKS, decision.remarks, Tone.WARNING))
    yield from tell(Details(_TITLE, (card_section(visit.basic),)))
    return Done(_DONE)
