"""Calling the back office: what every operation of the client shares.

Reads are repeated a few times with growing, random pauses; what changes something is sent exactly
once, and an answer that does not prove what was done counts as none. The clients of the single
areas (`client.py` and its neighbours) put their operations on top of a `Calls`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TypeVar

from backend_client.codec import Message, dump, load
from backend_client.errors import (
    BadMessage,
    NoAnswer,
    NoReply,
    NotEnrolled,
    Refused,
    Unexplained,
    Unreachable,
)
from backend_client.messages import Problem
from backend_client.transport import Reply, Request, Transport

M = TypeVar("M", bound=Message)
T = TypeVar("T")

_PASSING = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""Answers that a later attempt may change."""

UNEXPLAINED = "UNEXPLAINED"
"""The problem code of a refusal that came without problem details of ours."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How reads are repeated: attempts in all, first and longest pause in seconds.

    A pause is random between zero and its bound ("full jitter"), and the bound doubles. A server
    that asks for a longer pause than `longest_wait` gets no second attempt now.
    """

    attempts: int = 3
    first_pause: float = 0.2
    longest_pause: float = 2.0
    longest_wait: float = 10.0


class Calls:
    """Requests in the name of one terminal. Safe to share between threads.

    `now` gives timezone-aware instants, `sleep` takes seconds, `random(n)` gives n random bytes.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        token: str | None,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
        random: Callable[[int], bytes],
        retries: Retries | None = None,
    ) -> None:
        self._transport = transport
        self._token = token
        self._now = now
        self._sleep = sleep
        self._random = random
        self._retries = retries or Retries()

    def with_token(self, token: str) -> Calls:
        """The same calls for an enrolled terminal."""
        return Calls(
            self._transport,
            token=token,
            now=self._now,
            sleep=self._sleep,
            random=self._random,
            retries=self._retries,
        )

    def ask(self, path: str, message: Message, answer: type[M], *, key: str | None = None) -> M:
        """A read that needs a body."""
        return self.read(_post(path, message, key), answer)

    def read(self, request: Request, answer: type[M], *, authorised: bool = True) -> M:
        """A question that may be asked again."""
        request = self._signed(request, authorised=authorised)
        return self._repeated(
            request, lambda reply: _answer(reply, answer, self._now(), authorised)
        )

    def fetch(self, request: Request) -> Reply:
        """A question that may be asked again, answered with bytes."""

        def good(reply: Reply) -> Reply:
            _good(reply, self._now())
            return reply

        return self._repeated(self._signed(request, authorised=True), good)

    def exchange(self, path: str, body: bytes, *, repeat: bool) -> bytes:
        """Bytes in a format that is not ours, and the bytes of a good answer.

        `repeat` is for what changes nothing; anything else is sent exactly once, as by `change`.
        """
        headers = {"content-type": "application/json"}
        request = self._signed(Request("POST", path, body, headers), authorised=True)
        if repeat:
            return self._repeated(request, lambda reply: _good(reply, self._now()))
        reply = self._transport.send(request)
        if _is_unexplained(reply):
            raise NoReply(f"status {reply.status} does not say what was done")
        return _good(reply, self._now())

    def _repeated(self, request: Request, take: Callable[[Reply], T]) -> T:
        """Send until an answer can be taken, or the attempts are used up."""
        for attempt in range(self._retries.attempts - 1):
            try:
                return take(self._transport.send(request))
            except (Unreachable, NoReply):
                pause = 0.0
            except Refused as error:
                if error.status not in _PASSING:
                    raise
                pause = error.retry_after or 0.0
                if pause > self._retries.longest_wait:
                    raise
            self._sleep(max(pause, self._pause(attempt)))
        try:
            return take(self._transport.send(request))
        except NoReply as error:
            raise NoAnswer(str(error)) from None

    def change(
        self,
        path: str,
        message: Message,
        answer: type[M],
        *,
        key: str | None = None,
        authorised: bool = True,
    ) -> M:
        """Something that changes, sent exactly once. `key` is its operation number.

        Raises `NoReply` also for an answer that does not say whether it was done.
        """
        request = self._signed(_post(path, message, key), authorised=authorised)
        reply = self._transport.send(request)
        if _is_unexplained(reply):
            raise NoReply(f"status {reply.status} does not say what was done")
        return _answer(reply, answer, self._now(), authorised)

    def _signed(self, request: Request, *, authorised: bool) -> Request:
        if not authorised:
            return request
        if self._token is None:
            raise NotEnrolled("no token")
        headers = {**request.headers, "authorization": f"Bearer {self._token}"}
        return Request(request.method, request.path, request.body, headers)

    def _pause(self, attempt: int) -> float:
        bound = min(self._retries.longest_pause, self._retries.first_pause * float(2**attempt))
        return bound * (int.from_bytes(self._random(4), "big") / 2**32)


def _post(path: str, message: Message, key: str | None) -> Request:
    headers = {"content-type": "application/json"}
    if key is not None:
        headers["idempotency-key"] = key
    return Request("POST", path, dump(message), headers)


def _answer(reply: Reply, answer: type[M], now: datetime, authorised: bool) -> M:
    """The message of a good reply; the error that any other reply stands for."""
    return load(answer, _good(reply, now, authorised=authorised))


def _good(reply: Reply, now: datetime, *, authorised: bool = True) -> bytes:
    """The body of a good reply; the error that any other reply stands for."""
    if 200 <= reply.status < 300:
        return reply.body
    if reply.status == HTTPStatus.UNAUTHORIZED and authorised:
        raise NotEnrolled(f"the back office does not accept this terminal: {_problem(reply).code}")
    problem = _problem(reply)
    kind = Unexplained if problem.code == UNEXPLAINED else Refused
    raise kind(problem, retry_after=_retry_after(reply, now))


def _is_unexplained(reply: Reply) -> bool:
    """True for a failure that does not prove that nothing was done.

    Only problem details of ours prove it: a 4xx, or a 5xx that says `not_processed`. Anything
    else may come from a box in between, after the request went through.
    """
    if 200 <= reply.status < 300:
        return False
    problem = _problem(reply)
    if problem.code == UNEXPLAINED:
        return True
    return not (400 <= reply.status < 500 or problem.not_processed)


def _problem(reply: Reply) -> Problem:
    try:
        problem = load(Problem, reply.body)
    except BadMessage:
        problem = None
    if problem is None or problem.status != reply.status:
        return Problem("about:blank", "unexplained answer", reply.status, UNEXPLAINED)
    return problem


def _retry_after(reply: Reply, now: datetime) -> float | None:
    """Seconds to wait (RFC 9110, 10.2.3: seconds or a date), or None."""
    value = reply.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit() and len(value) <= 9:
        return float(value)
    try:
        when = datetime.strptime(value.replace("GMT", "+0000"), "%a, %d %b %Y %H:%M:%S %z")
    except ValueError:
        return None
    return max(0.0, (when - now).total_seconds())


def same(answered: object, asked: object, pointer: str) -> None:
    """Refuse an answer to another question: mixed-up answers must not reach another holder."""
    if answered != asked:
        raise BadMessage(pointer, "answers the question", "reply")
