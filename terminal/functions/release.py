"""Release of a loss: the card was found (Article 19).

With the card in the reader and its PIN, or without it by the electronic card; both prove who asks,
so that the terminal counts as the online service platform.
"""

from __future__ import annotations

import logging

from backend_client.errors import BackendError
from backend_client.life_messages import Proof, ReleaseRequest
from terminal.errand import Desk, Errand
from terminal.flow import Flow, agreement, committing
from terminal.functions.entry import admitted, holder_verified
from terminal.functions.signing_in import signed_in
from terminal.life_texts import outcome_text
from terminal.outcome import Cancelled, Done, Refused, Stopped
from terminal.policy import Function
from terminal.screens import Confirm, Row, Section
from terminal.text import Text
from terminal.visit import Visit

log = logging.getLogger(__name__)

_TITLE = Text("请确认解除挂失", "Please confirm the release")
_WHAT = Section(
    Text("解除后", "After the release"),
    (
        Row(
            Text("社会保障功能", "Social security function"),
            Text("即时恢复", "there again at once"),
        ),
        Row(
            Text("正在办理的补领", "A replacement under way"),
            Text("随之撤回", "ends with it"),
        ),
    ),
)
_YES, _NO = Text("解除挂失", "Release"), Text("不解除", "Do not")


def flow(visit: Visit) -> Flow:
    """For the card in the reader, which its holder has found."""
    decision = admitted(visit, Function.RELEASE)
    if isinstance(decision, Refused):
        return decision
    refused = yield from holder_verified(visit, decision)
    if refused is not None:
        return refused
    outcome = yield from _release(visit, Proof(card=visit.card_ref))
    if isinstance(outcome, Done):
        _remember(visit)
    return outcome


def errand(errand: Errand) -> Flow:
    """Without the card in the reader."""
    errand.note("release")
    proof = yield from signed_in(errand)
    return (yield from _release(errand, proof))


def _release(desk: Desk, proof: Proof) -> Flow:
    if not (yield from agreement(Confirm(_TITLE, (_WHAT,), _YES, _NO))):
        return Stopped(Cancelled())
    yield from committing("正在解除挂失", "Releasing the loss")
    result = desk.client.life.release(ReleaseRequest(desk.new_id(), proof))
    desk.refresh()
    return Done(outcome_text(result))


def _remember(visit: Visit) -> None:
    """Learn the card's new status. Never raises: the loss is released all the same."""
    try:
        visit.remember(visit.client.card_status(visit.card_ref))
    except BackendError as error:
        log.info("the new status is not known yet: %s", error.code)
