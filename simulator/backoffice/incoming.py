"""A request on its way to a route: bounded, of the right media type, taken apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from backend_client.codec import Message, load, parse
from backend_client.errors import BadMessage
from backend_client.transport import Request
from simulator.backoffice.errors import Refused
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.terminals import Caller

MAX_REQUEST = 256 * 1024
"""No request's body is larger than this many bytes, but for those that carry a file."""

_MAX_DETAIL = 200
M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request, its query (what follows "?") and the terminal that shows itself, if any.

    `certificate` (DER) is the connection's, which TLS has checked.
    """

    request: Request = field(repr=False)
    query: str
    caller: Caller | None = None
    certificate: bytes | None = field(default=None, repr=False)

    @property
    def terminal(self) -> Caller:
        """The calling terminal. Raises `Refused` NOT_ENROLLED."""
        if self.caller is None:
            raise Refused(Refusal.NOT_ENROLLED)
        return self.caller

    def message(self, cls: type[M]) -> M:
        """The body as a message of the contract. Raises `Refused`."""
        self._check()
        try:
            message = load(cls, self.request.body, limit=MAX_REQUEST)
        except BadMessage as error:
            raise bad_request(error.pointer, error.rule) from None
        key = self.request.headers.get("idempotency-key")
        if key is not None and key != getattr(message, "number", key):
            raise Refused(Refusal.IDEMPOTENCY_KEY_DIFFERS)
        return message

    def json(self) -> object:
        """The body as JSON. Raises `Refused`."""
        self._check()
        try:
            return parse(self.request.body, limit=MAX_REQUEST)
        except BadMessage as error:
            raise bad_request(error.pointer, error.rule) from None

    def _check(self) -> None:
        if len(self.request.body) > MAX_REQUEST:
            raise Refused(Refusal.BODY_TOO_LARGE)
        media_type = self.request.headers.get("content-type", "").partition(";")[0]
        if media_type.strip().lower() != "application/json":
            raise Refused(Refusal.MEDIA_TYPE_NOT_SUPPORTED)


def bad_request(pointer: str, rule: str) -> Refused:
    """What is wrong with a body: the place and the rule, never the value."""
    detail = f"{pointer or '/'} breaks the rule '{rule}'"
    return Refused(Refusal.BAD_REQUEST, detail=detail[:_MAX_DETAIL])
