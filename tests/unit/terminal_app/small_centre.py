"""A small stand-in for the back office below the real client, so every message is a real one."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import date, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from backend_client.blacklist import Blacklist
from backend_client.codec import Message, dump, encode, load
from backend_client.entry_set import EntrySet
from backend_client.errors import BackendError
from backend_client.list_issue import sign_snapshot
from backend_client.list_messages import (
    IDENTITY,
    BlacklistEntry,
    BlacklistUpdate,
    Coverage,
    MisuseReceipt,
    MisuseReport,
    SnapshotOffer,
)
from backend_client.messages import (
    CardRef,
    CardState,
    CardStatus,
    ConfirmRequest,
    Enrolment,
    EnrolmentRequest,
    ListingReason,
    OperationQuery,
    OperationState,
    Problem,
    PublicKey,
    Reversal,
    ServerTime,
    Split,
)
from backend_client.transport import Reply, Request
from simulator.clock import SimulatedClock
from terminal.admission import CardFacts, Refused
from terminal.app import Terminal
from terminal.clock import SHANGHAI
from terminal.policy import Function
from terminal.reasons import Reason
from terminal.store.journal import Kind, Operation

NOW = datetime(2026, 3, 4, 10, tzinfo=SHANGHAI)
DAY = timedelta(days=1)
ISSUER = "urn:example:centre"
TOKEN = "a-token-that-is-long-enough"
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TRUSTED = PublicKey("key-1", SIGNER.public_key().public_bytes_raw())
CARD = CardRef("990100d15600000500000001ffffffff", "A12345678")
OTHER = CardRef("990100d15600000500000002ffffffff", "B12345678")
FACTS = CardFacts(
    True, CARD.card_id, CARD.card_number, "3.00", "91560000", "990100", None, date(2036, 1, 1)
)
SPLIT = Split(1000, 1000, 0, 0, 0, 0, 0, ())


class Centre:
    """A back office in a few lines. `fail` makes the next answers fail, one each."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock = clock
        self.clock_error = timedelta()
        self.requests: list[str] = []
        self.away: type[BackendError] | None = None
        self.states: dict[str, CardStatus] = {}
        self.operations: dict[str, OperationState] = {}
        self.reversed: list[str] = []
        self.deltas: tuple[bytes, ...] = ()
        self.offer = SnapshotOffer(0, 1)
        self.whole: bytes | None = None
        self.misuse: list[MisuseReport] = []
        self.keys: tuple[PublicKey, ...] = (TRUSTED,)
        self.enrolments: list[EnrolmentRequest] = []
        self.meddle: Callable[[Request], Reply | None] = lambda _: None

    def send(self, request: Request) -> Reply:
        self.requests.append(request.path)
        if self.away is not None:
            raise self.away("away")
        meddled = self.meddle(request)
        if meddled is not None:
            return meddled
        if request.path.startswith("/v1/blacklist/snapshot"):
            return self.piece(request)
        answer = self.answer(request)
        status = answer.status if isinstance(answer, Problem) else 200
        return Reply(status, dump(answer))

    def piece(self, request: Request) -> Reply:
        assert self.whole is not None
        start, end = map(int, request.headers["range"].removeprefix("bytes=").split("-"))
        piece = self.whole[start : end + 1]
        said = f"bytes {start}-{start + len(piece) - 1}/{len(self.whole)}"
        return Reply(206, piece, {"content-range": said})

    def answer(self, request: Request) -> Message:
        match request.path.split("?")[0]:
            case "/v1/time":
                return ServerTime(self.clock.now() + self.clock_error)
            case "/v1/terminals":
                self.enrolments.append(load(EnrolmentRequest, request.body))
                return Enrolment(
                    f"t-{len(self.enrolments)}", f"{TOKEN}-{len(self.enrolments)}",
                    "990100000009", "示例医院", ISSUER, self.keys, NOW,
                )  # fmt: skip
            case "/v1/cards/status":
                card = load(CardRef, request.body)
                return self.states.get(card.card_id) or problem("CARD_UNKNOWN")
            case "/v1/operations/query":
                number = load(OperationQuery, request.body).number
                return self.operations.get(number, OperationState(number, "unknown"))
            case "/v1/operations/reverse":
                number = load(OperationQuery, request.body).number
                self.reversed.append(number)
                return Reversal(number, found=False, reversed_at=NOW)
            case "/v1/blacklist":
                documents = tuple(base64.b64encode(each).decode() for each in self.deltas)
                if self.whole is None or (self.deltas and "whole=0" in request.path):
                    return BlacklistUpdate(documents=documents)
                return BlacklistUpdate(snapshot=self.offer)
            case "/v1/misuse":
                self.misuse.append(load(MisuseReport, request.body))
                return MisuseReceipt(self.misuse[-1].report_id)
        raise AssertionError(request.path)


def problem(code: str, status: int = 404) -> Problem:
    return Problem("about:blank", "no", status, code)


Open = Callable[[], Terminal]


def status_of(state: CardState, *, at: datetime = NOW) -> CardStatus:
    return CardStatus(CARD, state, None, state == "active", False, False, at)


def listed(version: int, *entries: BlacklistEntry, at: datetime = NOW) -> Blacklist:
    these = EntrySet.of(entries)
    return Blacklist(
        ISSUER, version, these.hash, at, at + 7 * DAY, Coverage(("990100",), at), these
    )


def publish(centre: Centre, version: int, *entries: BlacklistEntry, at: datetime = NOW) -> None:
    """Have the centre offer this list, whole."""
    offer_whole(centre, version, sign_snapshot(listed(version, *entries, at=at), "key-1", SIGNER))


def offer_whole(centre: Centre, version: int, document: bytes) -> None:
    centre.deltas, centre.whole = (), document
    centre.offer = SnapshotOffer(version, len(document))


def loss(until: datetime | None) -> BlacklistEntry:
    why: ListingReason = "formal_loss" if until is None else "temporary_loss"
    card = CARD.card_id[:IDENTITY]
    return BlacklistEntry(card, None, None, why, ("social_security",), "refuse", None, until)


def reason(terminal: Terminal, function: Function, facts: CardFacts = FACTS) -> Reason | None:
    decision = terminal.admit(facts, function, "console")
    return decision.reason if isinstance(decision, Refused) else None


def asked(since: int, *, whole: bool = False) -> str:
    return f"/v1/blacklist?since={since}&statement=0&whole={whole:d}&wait=0"


def prepared_settlement(terminal: Terminal, *, in_hand: bool = False) -> Operation:
    """Left by a visit that is over, unless it is `in_hand`."""
    operation = terminal.journal.prepare(Kind.SETTLEMENT, CARD, {"bill_id": "b-1"})
    if not in_hand:
        terminal.journal.let_go(operation)
    return operation


def sent_settlement(terminal: Terminal, *, in_hand: bool = False) -> Operation:
    operation = prepared_settlement(terminal, in_hand=in_hand)
    request = ConfirmRequest(operation.number, CARD, "b-1", SPLIT)
    return terminal.journal.mark_sent(operation, encode(request))
