"""My card: what its face and its EF05 and EF06 say (Article 4). Works without a network."""

from __future__ import annotations

import logging

from backend_client.errors import BackendError
from terminal.flow import Flow, tell, working
from terminal.functions.entry import admitted, holder_verified
from terminal.outcome import Done, Refused
from terminal.policy import Function
from terminal.screens import Details, Message, Picture, Section, Tone
from terminal.sections import card_section, status_section
from terminal.text import Text
from terminal.visit import Visit

log = logging.getLogger(__name__)

_TITLE = Text("卡面信息", "What your card says")
_REMARKS = Text("请注意", "Please note")
_PHOTO = Text("持卡人照片", "Photograph of the holder")
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
    yield from working("正在读卡", "Reading your card")
    sections = (card_section(visit.basic), *_states(visit))
    yield from tell(Details(_TITLE, sections, picture=_picture(visit)))
    return Done(_DONE)


def _states(visit: Visit) -> tuple[Section, ...]:
    """The states of the card's functions, where the service centre is within reach."""
    try:
        status = visit.client.card_status(visit.card_ref)
    except BackendError as error:
        log.info("no status for the card page: %s", error.code)
        return ()
    visit.remember(status)
    return (status_section(status),)


def _picture(visit: Visit) -> Picture | None:
    photo = visit.photo()
    return None if photo is None else Picture(photo.format.value, photo.data, _PHOTO)
