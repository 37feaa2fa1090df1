"""Routes as data: who may use one, what it takes and gives, and every refusal it may answer.

The table of all routes is the interface's only source: requests are dispatched by it, and
`openapi.py` describes it. A refusal that a route does not declare is a fault of the table, which
the interface reports; over a sample city it fails the test.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

from backend_client.codec import Message
from backend_client.transport import Reply
from simulator.backoffice.incoming import MAX_REQUEST, Incoming
from simulator.backoffice.problems import reply_with
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.shapes import shape
from simulator.backoffice.terminals import Caller, Task

M = TypeVar("M", bound=Message)


class Who(Enum):
    """Who may use a route."""

    ANYBODY = "anybody"
    TERMINAL = "terminal"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a query. `schema` is a JSON Schema; nobody has to give it."""

    name: str
    schema: Mapping[str, Any]
    description: str


@dataclass(frozen=True, slots=True)
class Route:
    """What answers a method and a path, and whom.

    `takes` and `gives` are names of schemas behind "urn:ssct:schema:", as `Message.schema` has
    them; None is no body, or an answer that is no message but `media`. `task` is what a terminal's
    role must allow. `refuses` are the refusals of its own; `refusals` adds what every route of its
    kind may answer. `largest` is how many bytes a body may have.
    """

    method: str
    who: Who
    answer: Callable[[Incoming], Reply]
    summary: str
    takes: str | None = None
    gives: str | None = None
    task: Task | None = None
    refuses: Collection[Refusal] = ()
    query: tuple[Parameter, ...] = ()
    media: str = "application/json"
    largest: int = MAX_REQUEST
    refusals: frozenset[Refusal] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "refusals", frozenset(self.refuses) | _of_kind(self))


def by_terminal(
    takes: type[M],
    gives: type[Message],
    answer: Callable[[Caller, M], Message],
    *,
    task: Task | None,
    summary: str,
    refuses: Collection[Refusal] = (),
) -> Route:
    """A POST by an enrolled terminal: a message in, a message out."""

    def answered(incoming: Incoming) -> Reply:
        return reply_with(answer(incoming.terminal, incoming.message(takes)))

    return Route(
        "POST",
        Who.TERMINAL,
        answered,
        summary,
        takes=takes.schema,
        gives=gives.schema,
        task=task,
        refuses=refuses,
    )


# Groups of refusals that routes share.

LOST = frozenset({Refusal.CARD_TEMPORARILY_LOST, Refusal.CARD_FORMALLY_LOST})
ENDED = frozenset({Refusal.CARD_VOID, Refusal.CARD_STOPPED})
UNUSABLE = LOST | ENDED | {Refusal.CARD_UNKNOWN, Refusal.NOT_ACTIVATED, Refusal.CARD_FROZEN}
"""Why a card cannot be served now: what `TerminalDesk` asks before it shows or moves anything."""

NUMBERED = frozenset(
    {
        Refusal.NUMBER_FOREIGN,
        Refusal.NUMBER_REUSED,
        Refusal.NUMBER_REVERSED,
        Refusal.REFUSED_BEFORE,
    }
)
"""Why an operation cannot happen under its number: what `Operations.once` refuses."""

LIFE = (
    LOST
    | ENDED
    | {
        Refusal.CARD_UNKNOWN,
        Refusal.CHANNEL_NOT_ALLOWED,
        Refusal.NOT_LOST,
        Refusal.NOT_FORMALLY_LOST,
        Refusal.ALREADY_ACTIVE,
    }
)
"""Why an event cannot happen to a card: what `Register.happen` refuses."""

_ALWAYS = frozenset(
    {Refusal.BODY_TOO_LARGE, Refusal.REQUEST_TIMEOUT, Refusal.BUSY, Refusal.INTERNAL}
)
_WITH_BODY = frozenset({Refusal.BAD_REQUEST, Refusal.MEDIA_TYPE_NOT_SUPPORTED})
_OF_CALLERS: Mapping[Who, frozenset[Refusal]] = {
    Who.ANYBODY: frozenset(),
    Who.TERMINAL: frozenset(
        {
            Refusal.NOT_ENROLLED,
            Refusal.CERTIFICATE_REQUIRED,
            Refusal.CERTIFICATE_NOT_ACCEPTED,
        }
    ),
    Who.STAFF: frozenset({Refusal.ADMIN_TOKEN_WRONG}),
}


def _of_kind(route: Route) -> frozenset[Refusal]:
    """What every route of this kind may answer."""
    found = _ALWAYS | _OF_CALLERS[route.who]
    if route.takes is not None:
        found |= _WITH_BODY
        if "number" in shape(route.takes).get("properties", ()):
            found |= {Refusal.IDEMPOTENCY_KEY_DIFFERS}
    if route.query:
        found |= {Refusal.BAD_REQUEST}
    if route.task is not None:
        found |= {Refusal.ROLE_NOT_ALLOWED}
    return found
