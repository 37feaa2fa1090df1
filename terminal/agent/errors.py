"""What the agent says no with; each has its HTTP status and a stable code."""

from __future__ import annotations

from typing import ClassVar

from terminal.errors import TerminalError


class AgentError(TerminalError):
    """A call that the agent does not carry out."""

    code: ClassVar[str] = "AGENT_ERROR"
    status: ClassVar[int] = 400
    zh: ClassVar[str] = "请求未执行。"
    en: ClassVar[str] = "The call was not carried out."
    remedy: ClassVar[str] = "See docs/agent.md."


class HostRefused(AgentError):
    """The call names a host that is not this machine: a page that had its name rebound."""

    code = "AGENT_HOST_REFUSED"
    status = 403
    remedy = "Call 127.0.0.1 or localhost; other names belong into [agent] hosts."


class OriginRefused(AgentError):
    """The call comes from a web page that is not allowed."""

    code = "AGENT_ORIGIN_REFUSED"
    status = 403
    remedy = "If the page may use the card, put its origin into [agent] origins."


class TokenRefused(AgentError):
    """No token, or none that is known."""

    code = "AGENT_TOKEN_REFUSED"
    status = 401
    remedy = "Make one with `ssct agent token create`, and send it as a bearer token."


class ScopeMissing(AgentError):
    """The token does not allow this."""

    code = "AGENT_SCOPE_MISSING"
    status = 403
    remedy = "Make a token with this scope; `ssct agent token list` shows what this one has."


class TooManyCalls(AgentError):
    """More calls than the settings allow."""

    code = "AGENT_TOO_MANY_CALLS"
    status = 429
    remedy = "Call less often; [agent] calls_per_minute says how often."

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds:.0f} seconds")
        self.seconds = seconds


class NoSuchPath(AgentError):
    """Nothing is at this address."""

    code = "AGENT_NOT_FOUND"
    status = 404
    remedy = "GET /v1/openapi.json tells what there is."


class WrongMethod(AgentError):
    """The address is right, the method is not."""

    code = "AGENT_METHOD_WRONG"
    status = 405
    remedy = "GET /v1/openapi.json tells the methods."


class QueryRefused(AgentError):
    """The address has a query. What a call says is in its body: addresses end up in logs."""

    code = "AGENT_QUERY_REFUSED"
    status = 400
    remedy = "Put what you say into the body; GET /v1/openapi.json tells its form."


class BodyTooLong(AgentError):
    """More bytes than a call has."""

    code = "AGENT_BODY_TOO_LONG"
    status = 413


class BodyInvalid(AgentError):
    """The body is not what the operation takes. The message names the place, never the value."""

    code = "AGENT_BODY_INVALID"
    status = 422
    remedy = "GET /v1/openapi.json tells the form."


class SessionUnknown(AgentError):
    """No such session: it was closed, its lease ran out, or its card has left."""

    code = "AGENT_SESSION_UNKNOWN"
    status = 404
    remedy = "Begin a new session."


class ReaderTaken(AgentError):
    """Another caller has a session at this reader."""

    code = "AGENT_READER_TAKEN"
    status = 409
    remedy = "Wait until the other session ends; its lease sees to that."


class FunctionRunning(AgentError):
    """A function of this session waits for an answer."""

    code = "AGENT_FUNCTION_RUNNING"
    status = 409
    remedy = "Answer or cancel the function first."


class NothingAsked(AgentError):
    """An answer without a question."""

    code = "AGENT_NOTHING_ASKED"
    status = 409
    remedy = "Start a function first."


class AnswerUnfit(AgentError):
    """The answer is not one that the question takes."""

    code = "AGENT_ANSWER_UNFIT"
    status = 422
    remedy = "Answer with what the question's kind says."


class NotAdmitted(AgentError):
    """Admission refused the card for this function."""

    code = "AGENT_NOT_ADMITTED"
    status = 403

    def __init__(self, reason: str, zh: str, en: str, article: int | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.article = article
        self.sentences = zh, en


class OperationUnknown(AgentError):
    """The journal has no operation of that number."""

    code = "AGENT_OPERATION_UNKNOWN"
    status = 404


class PinMissing(AgentError):
    """The operation needs the PIN, and this session has not had it."""

    code = "AGENT_PIN_MISSING"
    status = 409
    remedy = "Verify the PIN first."


class Ending(AgentError):
    """The agent is going down."""

    code = "AGENT_ENDING"
    status = 503
    remedy = "Call again when it is back."
