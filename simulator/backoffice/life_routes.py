"""The terminals' routes about the life of cards."""

from __future__ import annotations

from collections.abc import Mapping

from backend_client.life_messages import (
    ApplicationResult,
    CardApplication,
    Catalogue,
    EcardCode,
    EcardCodeRequest,
    EcardRequest,
    EcardResult,
    LifeResult,
    LossRequest,
    ReleaseRequest,
    SignedIn,
    SignInRequest,
    Standing,
    StandingQuery,
)
from simulator.backoffice.admin_life import APPLYING
from simulator.backoffice.life_desk import LifeDesk
from simulator.backoffice.problems import reply_with
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.routes import LIFE, UNUSABLE, Route, Who, by_terminal
from simulator.backoffice.terminals import Task

_WHO = frozenset(
    {
        Refusal.CARD_UNKNOWN,
        Refusal.HOLDER_HAS_NO_CARD,
        Refusal.SIGN_IN_EXPIRED,
        Refusal.IDENTITY_NOT_PROVED,
    }
)
"""Why it is not known who asks: what `Proofs.proved` refuses."""

_CLAIMED = _WHO | {Refusal.IDENTITY_UNKNOWN, Refusal.TOO_MANY_TRIES}
_ONCE = frozenset({Refusal.NUMBER_REUSED})


def life_routes(desk: LifeDesk) -> Mapping[str, Route]:
    """Path -> what answers it."""
    return {
        "/v1/catalogue": Route(
            "GET",
            Who.TERMINAL,
            lambda _: reply_with(desk.catalogue()),
            "便民服务 Services, service banks and service points (Articles 14, 15, 28)",
            gives=Catalogue.schema,
            task=Task.CATALOGUE,
        ),
        "/v1/cards/standing": by_terminal(
            StandingQuery,
            Standing,
            desk.standing,
            task=Task.LIFE,
            summary="Where each function of the holder's card stands, and what is under way",
            refuses=_WHO,
        ),
        "/v1/losses": by_terminal(
            LossRequest,
            LifeResult,
            desk.report_loss,
            task=Task.LIFE,
            summary="挂失 Report a temporary or formal loss (Article 18)",
            refuses=LIFE | _CLAIMED | _ONCE,
        ),
        "/v1/losses/release": by_terminal(
            ReleaseRequest,
            LifeResult,
            desk.release,
            task=Task.LIFE,
            summary="解除挂失 Release a loss (Article 19)",
            refuses=LIFE | _WHO | _ONCE,
        ),
        "/v1/applications": by_terminal(
            CardApplication,
            ApplicationResult,
            desk.apply,
            task=Task.LIFE,
            summary="补领、换领、重新申领 Apply for another card (Articles 19, 21, 22)",
            refuses=APPLYING | _WHO | _ONCE,
        ),
        "/v1/ecards": by_terminal(
            EcardRequest,
            EcardResult,
            desk.issue_ecard,
            task=Task.LIFE,
            summary="电子社保卡 An electronic card for the holder of the card (Article 31)",
            refuses=UNUSABLE | _ONCE | {Refusal.ECARD_PIN_UNSUITABLE},
        ),
        "/v1/ecards/codes": by_terminal(
            EcardCodeRequest,
            EcardCode,
            desk.ecard_code,
            task=Task.LIFE,
            summary="A code for the electronic card's QR picture (Article 31)",
            refuses=UNUSABLE | {Refusal.ECARD_NONE, Refusal.ECARD_LOCKED},
        ),
        "/v1/sign-ins": by_terminal(
            SignInRequest,
            SignedIn,
            desk.sign_in,
            task=Task.LIFE,
            summary="Sign in with the electronic card (Article 31)",
            refuses={
                Refusal.ECARD_NONE,
                Refusal.ECARD_CODE_INVALID,
                Refusal.ECARD_PIN_WRONG,
                Refusal.ECARD_LOCKED,
            },
        ),
    }
