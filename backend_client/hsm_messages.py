"""The messages to the HSM behind the back office: the mirror of their schemas (facts 4.6, A).

All bytes are as the card and the HSM have them. What may lead to a card, or opens one, is kept out
of `repr`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from backend_client.codec import Message

__all__ = [
    "CardAlgorithm",
    "HsmAnswer",
    "HsmAuthenticationRequest",
    "HsmCommandRequest",
    "HsmKeyRef",
    "HsmMacRequest",
    "HsmOffer",
    "HsmPermit",
    "HsmProof",
    "HsmProofRequest",
    "HsmPurchaseRequest",
    "HsmTacRequest",
]

CardAlgorithm = Literal["des", "ssf33", "sm4"]


@dataclass(frozen=True, slots=True)
class HsmKeyRef(Message):
    """A card's key: logical address of its group, and its diversification factors (24 bytes)."""

    schema: ClassVar[str] = "hsm-key:1"
    algorithm: CardAlgorithm
    address: int
    factors: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HsmOffer(Message):
    """The algorithms that the HSM computes with."""

    schema: ClassVar[str] = "hsm-offer:1"
    algorithms: tuple[CardAlgorithm, ...]


@dataclass(frozen=True, slots=True)
class HsmAuthenticationRequest(Message):
    """Authentication data over `original` (8 bytes), answered as 8 bytes."""

    schema: ClassVar[str] = "hsm-authentication-request:1"
    key: HsmKeyRef
    factor: bytes
    original: bytes


@dataclass(frozen=True, slots=True)
class HsmCommandRequest(Message):
    """A protected command; `header` is CLA INS P1 P2 and the final Lc. `data` may hold a PIN."""

    schema: ClassVar[str] = "hsm-command-request:1"
    key: HsmKeyRef
    factor: bytes
    header: bytes
    data: bytes = field(repr=False)
    encipher: bool


@dataclass(frozen=True, slots=True)
class HsmMacRequest(Message):
    """A MAC over `data`, answered as 4 bytes."""

    schema: ClassVar[str] = "hsm-mac-request:1"
    key: HsmKeyRef
    factor: bytes
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HsmAnswer(Message):
    """What the HSM computed."""

    schema: ClassVar[str] = "hsm-answer:1"
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HsmPurchaseRequest(Message):
    """What MAC1 is made of: the purchase, and the card's answer to INITIALIZE FOR PURCHASE."""

    schema: ClassVar[str] = "hsm-purchase-request:1"
    key: HsmKeyRef
    account_fen: int
    self_pay_fen: int
    fund_fen: int
    terminal: bytes
    time: bytes
    kind: bytes
    random: bytes = field(repr=False)
    sequence: bytes
    key_version: int


@dataclass(frozen=True, slots=True)
class HsmPermit(Message):
    """The HSM's transaction counter, the time that went into MAC1 (7 bytes BCD), and MAC1."""

    schema: ClassVar[str] = "hsm-permit:1"
    sequence: bytes
    time: bytes
    mac1: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HsmProofRequest(Message):
    """Whether MAC2 proves the debit that `permit` allowed."""

    schema: ClassVar[str] = "hsm-proof-request:1"
    purchase: HsmPurchaseRequest
    permit: HsmPermit
    mac2: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HsmTacRequest(Message):
    """Whether `tac` is the card's transaction cryptogram over `data`."""

    schema: ClassVar[str] = "hsm-tac-request:1"
    algorithm: CardAlgorithm
    card_id: str = field(repr=False)
    historical: bytes = field(repr=False)
    data: bytes = field(repr=False)
    tac: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HsmProof(Message):
    """Whether what was asked about is genuine."""

    schema: ClassVar[str] = "hsm-proof:1"
    genuine: bool
