"""Where each function of the card stands, and how far its holder's applications are."""

from __future__ import annotations

from backend_client.life_messages import Proof, StandingQuery
from terminal.errand import Desk, Errand
from terminal.flow import Flow, tell, working
from terminal.functions.entry import admitted, holder_verified
from terminal.functions.signing_in import signed_in
from terminal.life_texts import standing_sections
from terminal.outcome import Done, Refused
from terminal.policy import Function
from terminal.screens import Details
from terminal.text import Text
from terminal.visit import Visit

_TITLE = Text("功能状态和办理进度", "Functions and progress")
_DONE = Text("查询结束。", "That is all.")


def flow(visit: Visit) -> Flow:
    """For the card in the reader."""
    decision = admitted(visit, Function.STANDING)
    if isinstance(decision, Refused):
        return decision
    refused = yield from holder_verified(visit, decision)
    if refused is not None:
        return refused
    return (yield from _show(visit, Proof(card=visit.card_ref)))


def errand(errand: Errand) -> Flow:
    """Without the card: it is lost, or the new one is still being made."""
    errand.note("standing")
    proof = yield from signed_in(errand)
    return (yield from _show(errand, proof))


def _show(desk: Desk, proof: Proof) -> Flow:
    yield from working("正在查询", "Looking it up")
    standing = desk.client.life.standing(StandingQuery(proof))
    yield from tell(Details(_TITLE, standing_sections(standing)))
    return Done(_DONE)
