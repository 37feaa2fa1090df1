"""Query: the card, its status, the holder's account and insurances (Articles 4, 5)."""

from __future__ import annotations

from backend_client.errors import BackendError
from terminal.errors import explain
from terminal.flow import Flow, tell, working
from terminal.functions.earlier import earlier
from terminal.functions.entry import admitted, holder_verified
from terminal.outcome import Done, Refused
from terminal.policy import Function
from terminal.screens import Details, Message, Section, Tone
from terminal.sections import account_sections, card_section, status_section
from terminal.text import Text
from terminal.visit import Visit

_TITLE = Text("我的社保卡", "My social security card")
_DONE = Text("查询结束。", "That is all.")
_CARD_ONLY = Text(
    "以下只显示卡内信息。账户和参保信息请稍后再查。",
    "Only what the card itself holds is shown. Please ask for account and insurance later.",
)


def flow(visit: Visit) -> Flow:
    """Show what the card holds and, when the service centre is within reach, what it knows."""
    decision = admitted(visit, Function.QUERY)
    if isinstance(decision, Refused):
        return decision
    refused = yield from holder_verified(visit, decision)
    if refused is not None:
        return refused
    yield from earlier(visit)
    yield from working("正在查询", "Looking it up")
    sections: tuple[Section, ...] = (card_section(visit.basic),)
    try:
        sections += _from_centre(visit)
    except BackendError as error:
        told = explain(error)
        yield from tell(Message(told.text, (_CARD_ONLY,), Tone.WARNING, told.code))
    yield from tell(Details(_TITLE, sections))
    return Done(_DONE)


def _from_centre(visit: Visit) -> tuple[Section, ...]:
    status = visit.client.card_status(visit.card_ref)
    visit.remember(status)
    return (status_section(status), *account_sections(visit.client.account(visit.card_ref)))
