"""The messages about the life of a card: losses, applications, the electronic card, the catalogue.

As in `messages.py`, the schemas of `schemas/` are the definition. A `request_id` is made once at
the terminal for one wish of one holder: the same request under the same id is done once, however
often it is sent. Whatever names a person is kept out of `repr`, and so out of logs.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from backend_client.codec import Message
from backend_client.messages import CardRef, CardState

__all__ = [
    "ApplicationProgress",
    "ApplicationResult",
    "ApplicationStage",
    "Bank",
    "BankFunctionState",
    "CardApplication",
    "Catalogue",
    "Cause",
    "Department",
    "EcardCode",
    "EcardCodeRequest",
    "EcardRequest",
    "EcardResult",
    "IdentityClaim",
    "LifeResult",
    "LossKind",
    "LossRequest",
    "PointKind",
    "Proof",
    "RejectionReason",
    "ReleaseRequest",
    "Service",
    "ServicePoint",
    "SignInRequest",
    "SignedIn",
    "Standing",
    "StandingQuery",
]

LossKind = Literal["temporary", "formal"]
Cause = Literal[
    "no_card",
    "lost",
    "damaged",
    "unusable",
    "photo_at_seven",
    "name",
    "ssn",
    "photo",
    "bank",
    "stopped",
]
ApplicationStage = Literal["verifying", "making", "ready", "issued", "rejected", "withdrawn"]
Department = Literal["public_security", "human_resources", "medical_insurance"]
BankFunctionState = Literal["closed", "open", "lost"]
PointKind = Literal["community_point", "bank_point"]


@dataclass(frozen=True, slots=True)
class IdentityClaim(Message):
    """Name and social security number as somebody has told them: proves nothing by itself."""

    schema: ClassVar[str] = "proof:1#/$defs/identity"
    name: str = field(repr=False)
    ssn: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Proof(Message):
    """Who asks, and how that is known; exactly one of the three is given.

    `card`: a genuine card is in the terminal and its PIN was entered. `session`: somebody signed in
    with the electronic card. `identity`: somebody has told who they are, as on the telephone.
    """

    schema: ClassVar[str] = "proof:1"
    card: CardRef | None = None
    session: str | None = field(default=None, repr=False)
    identity: IdentityClaim | None = None


@dataclass(frozen=True, slots=True)
class LossRequest(Message):
    """临时挂失 or 正式挂失 (Art. 18)."""

    schema: ClassVar[str] = "loss-request:1"
    request_id: str
    proof: Proof
    kind: LossKind


@dataclass(frozen=True, slots=True)
class ReleaseRequest(Message):
    """解除挂失 (Art. 19)."""

    schema: ClassVar[str] = "release-request:1"
    request_id: str
    proof: Proof


@dataclass(frozen=True, slots=True)
class LifeResult(Message):
    """Where the card stands after a loss or a release; it names no card."""

    schema: ClassVar[str] = "life-result:1"
    request_id: str
    state: CardState
    state_until: dt.datetime | None
    as_of: dt.datetime


@dataclass(frozen=True, slots=True)
class StandingQuery(Message):
    """Asks where each function of the holder's card stands, and what is under way."""

    schema: ClassVar[str] = "standing-query:1"
    proof: Proof


@dataclass(frozen=True, slots=True)
class RejectionReason(Message):
    """Why one department did not verify an application (Art. 10)."""

    schema: ClassVar[str] = "application-progress:1#/$defs/reason"
    department: Department
    text: str


@dataclass(frozen=True, slots=True)
class ApplicationProgress(Message):
    """How far an application is. `due_at`: until when the offices owe their next step.

    `fee_fen` is what the holder pays for it (Art. 24: nothing), `pick_up` where the card will be.
    """

    schema: ClassVar[str] = "application-progress:1"
    application_id: str
    cause: Cause
    article: int
    stage: ApplicationStage
    received_at: dt.datetime
    due_at: dt.datetime | None
    reasons: tuple[RejectionReason, ...]
    pick_up: str
    fee_fen: int


@dataclass(frozen=True, slots=True)
class Standing(Message):
    """Where each function of a card stands, each with a life of its own (Art. 12, 14, 20, 31).

    `bank` is the service bank's name. `photo_due` is the day from which a child's card has to carry
    a photo (Art. 22), where this one does not yet.
    """

    schema: ClassVar[str] = "standing:1"
    state: CardState
    state_until: dt.datetime | None
    bank_function: BankFunctionState
    bank: str
    has_ecard: bool
    photo_due: dt.date | None
    applications: tuple[ApplicationProgress, ...]
    as_of: dt.datetime


@dataclass(frozen=True, slots=True)
class CardApplication(Message):
    """补领, 换领 or 重新申领 (Art. 19, 21, 22): `bank` and `pick_up` are codes of the catalogue."""

    schema: ClassVar[str] = "card-application:1"
    request_id: str
    proof: Proof
    cause: Cause
    bank: str | None = None
    pick_up: str | None = None


@dataclass(frozen=True, slots=True)
class ApplicationResult(Message):
    """The application was accepted."""

    schema: ClassVar[str] = "application-result:1"
    request_id: str
    progress: ApplicationProgress


@dataclass(frozen=True, slots=True)
class EcardRequest(Message):
    """电子社保卡 (Art. 31) for the holder of the card in the terminal, with a PIN of its own."""

    schema: ClassVar[str] = "ecard-request:1"
    request_id: str
    card: CardRef
    pin: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class EcardResult(Message):
    """The electronic card is there."""

    schema: ClassVar[str] = "ecard-result:1"
    request_id: str
    issued_at: dt.datetime


@dataclass(frozen=True, slots=True)
class EcardCodeRequest(Message):
    """Asks for a code of the electronic card of the holder whose card is in the terminal."""

    schema: ClassVar[str] = "ecard-code-request:1"
    card: CardRef


@dataclass(frozen=True, slots=True)
class EcardCode(Message):
    """What the QR code of an electronic card says: good once, for a short time."""

    schema: ClassVar[str] = "ecard-code:1"
    code: str = field(repr=False)
    valid_until: dt.datetime


@dataclass(frozen=True, slots=True)
class SignInRequest(Message):
    """Somebody shows the code of an electronic card and gives its PIN."""

    schema: ClassVar[str] = "sign-in-request:1"
    code: str = field(repr=False)
    pin: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignedIn(Message):
    """A session of the holder at this terminal. `name` has all but the first character hidden."""

    schema: ClassVar[str] = "signed-in:1"
    session: str = field(repr=False)
    name: str = field(repr=False)
    valid_until: dt.datetime


@dataclass(frozen=True, slots=True)
class Service(Message):
    """One service of the published list (Art. 15): conditions, flow, time, place."""

    schema: ClassVar[str] = "catalogue:1#/$defs/service"
    service_id: str
    article: int
    title_zh: str
    title_en: str
    conditions_zh: str
    conditions_en: str
    flow_zh: str
    flow_en: str
    time_zh: str
    time_en: str


@dataclass(frozen=True, slots=True)
class Bank(Message):
    """A service bank (Art. 14, 28), and how its financial function is opened."""

    schema: ClassVar[str] = "catalogue:1#/$defs/bank"
    code: str
    name_zh: str
    name_en: str
    phone: str
    opening_zh: str
    opening_en: str


@dataclass(frozen=True, slots=True)
class ServicePoint(Message):
    """A community or bank service point (Art. 28); `makes_cards`: on the spot (Art. 23)."""

    schema: ClassVar[str] = "catalogue:1#/$defs/point"
    point_id: str
    kind: PointKind
    name_zh: str
    name_en: str
    address: str
    makes_cards: bool


@dataclass(frozen=True, slots=True)
class Catalogue(Message):
    """What the city publishes for holders: services, service banks, service points (Art. 15)."""

    schema: ClassVar[str] = "catalogue:1"
    edition: str
    services: tuple[Service, ...]
    banks: tuple[Bank, ...]
    points: tuple[ServicePoint, ...]
