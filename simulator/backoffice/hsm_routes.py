"""The HSM's routes, for terminals whose role may use keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from backend_client.codec import Message
from backend_client.hsm_messages import (
    HsmAnswer,
    HsmAuthenticationRequest,
    HsmCommandRequest,
    HsmMacRequest,
    HsmOffer,
    HsmPermit,
    HsmProof,
    HsmProofRequest,
    HsmPurchaseRequest,
    HsmTacRequest,
)
from simulator.backoffice.hsm_desk import HsmDesk
from simulator.backoffice.problems import reply_with
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.routes import Route, Who, by_terminal
from simulator.backoffice.terminals import Task

M = TypeVar("M", bound=Message)

_CANNOT = frozenset({Refusal.HSM_KEY_NOT_AVAILABLE, Refusal.HSM_ALGORITHM_NOT_SUPPORTED})


def hsm_routes(desk: HsmDesk) -> Mapping[str, Route]:
    """Path -> route."""

    def route(
        takes: type[M], gives: type[Message], answer: Callable[[M], Message], summary: str
    ) -> Route:
        return by_terminal(
            takes,
            gives,
            lambda _, asked: answer(asked),
            task=Task.KEYS,
            summary=summary,
            refuses=_CANNOT,
        )

    return {
        "/v1/hsm": Route(
            "GET",
            Who.TERMINAL,
            lambda _: reply_with(desk.offer()),
            "The algorithms that the HSM computes with",
            gives=HsmOffer.schema,
            task=Task.KEYS,
        ),
        "/v1/hsm/authentication": route(
            HsmAuthenticationRequest,
            HsmAnswer,
            desk.authentication,
            "内外部认证 Authentication data for a card",
        ),
        "/v1/hsm/command": route(
            HsmCommandRequest, HsmAnswer, desk.command, "A command to a card with its MAC"
        ),
        "/v1/hsm/mac": route(HsmMacRequest, HsmAnswer, desk.mac, "A MAC alone"),
        "/v1/hsm/purchase": route(
            HsmPurchaseRequest, HsmPermit, desk.purchase, "MAC1 of a purchase"
        ),
        "/v1/hsm/purchase/proof": route(
            HsmProofRequest, HsmProof, desk.purchase_proof, "Does MAC2 prove the debit?"
        ),
        "/v1/hsm/tac": route(
            HsmTacRequest, HsmProof, desk.tac, "TAC 校验 Is a TAC the card's own?"
        ),
    }
