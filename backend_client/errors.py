"""What can go wrong between the terminal and the back office.

Every error has a stable `code` for programs, a sentence in Chinese and English for the holder and
a `remedy` for the operator, as `apdu.status.CardError` has. For money one more thing matters:
`certainly_not_done`. True means that the back office did not do what it was asked, and never will
for this sending; False means that nobody knows, so the journal has to query or reverse. It is
False unless a class proves otherwise. `said_no` tells the back office's own refusal from every
other failure. Messages hold no values of the exchanged documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from backend_client.messages import Problem


class BackendError(Exception):
    """Anything that went wrong on the way to the back office, there, or on the way back."""

    code: ClassVar[str] = "BACKEND_ERROR"
    zh: str = "后台服务暂时无法使用，请稍后再试。"
    en: str = "The service behind this terminal does not work right now. Please try again later."
    remedy: str = "Run `ssct status`, then `ssct diagnose`."
    certainly_not_done: ClassVar[bool] = False
    said_no: ClassVar[bool] = False


class BadAddress(BackendError):
    """The back office's address is not usable: not http(s), no host, or plain http off-host."""

    code = "BACKEND_BAD_ADDRESS"
    remedy = "Correct the back office's URL in the settings; beyond this machine it must be https."
    certainly_not_done = True


class Unreachable(BackendError):
    """No connection came about, so it is certain that nothing was processed."""

    code = "BACKEND_UNREACHABLE"
    zh = "网络不通，暂时无法连接后台服务。"
    en = "There is no connection to the service behind this terminal."
    remedy = "Check network, address and the back office; operations resume by themselves."
    certainly_not_done = True


class Untrusted(Unreachable):
    """The back office did not prove that it is the one of the address: nothing was sent."""

    code = "BACKEND_NOT_TRUSTED"
    zh = "无法确认后台服务的身份，未发送任何信息。请联系工作人员。"
    en = "The service behind this terminal did not prove who it is, so nothing was sent to it."
    remedy = "Check `ca_file`, the clock, and that the certificate names the host of the URL."


class NoReply(BackendError):
    """The request may have left and no usable answer came: the outcome is unknown."""

    code = "BACKEND_UNKNOWN_OUTCOME"
    zh = "未收到后台应答，结果待核实。请勿重复操作。"
    en = "No answer came back, so the result is being checked. Please do not start again."
    remedy = "Nothing to do by hand: the journal asks for the outcome and reverses if needed."


class NoAnswer(NoReply):
    """No usable answer to what books nothing: whoever wants to know may ask again."""

    code = "BACKEND_NO_ANSWER"
    zh = "未收到后台应答，请稍后再试。"
    en = "No answer came back from the service behind this terminal. Please try again later."
    remedy = "Look at the network and at the back office's own log; then try again."


class Refused(BackendError):
    """The back office understood and said no. `problem` tells why (RFC 9457)."""

    code = "BACKEND_REFUSED"
    remedy = "The reason code names the rule; nothing was done."
    certainly_not_done = True
    said_no = True

    def __init__(self, problem: Problem, *, retry_after: float | None = None) -> None:
        super().__init__(f"refused: {problem.code} ({problem.status})")
        self.problem = problem
        self.status = problem.status
        self.retry_after = retry_after
        self.zh = problem.zh or type(self).zh
        self.en = problem.en or type(self).en


class Unexplained(Refused):
    """A failure without problem details of ours: a box in between, or a back office that broke."""

    code = "BACKEND_UNEXPLAINED"
    remedy = (
        "What answers is not the back office, or it is broken: check [backend] url, what stands in "
        "between, and the back office's own log."
    )
    certainly_not_done = False
    said_no = False


class NotEnrolled(BackendError):
    """The terminal has no token, or the back office does not know it (any more)."""

    code = "BACKEND_NOT_ENROLLED"
    zh = "本终端尚未登记，请联系工作人员。"
    en = "This terminal is not enrolled. Please ask the staff."
    remedy = "Get an enrolment code from the back office and run `ssct enrol`."
    certainly_not_done = True


class BadCertificate(BackendError):
    """A certificate that is not for this terminal's key, or not of the issuer that it names."""

    code = "BACKEND_BAD_CERTIFICATE"
    remedy = "The certificate was not taken. Enrol again; if it repeats, call the back office."


class BadMessage(BackendError):
    """Bytes that are not the message they should be, or an answer to another question.

    `pointer` is the JSON pointer (RFC 6901) of the offending place and `rule` the rule that it
    breaks; the value itself is never kept.
    """

    code = "BACKEND_BAD_MESSAGE"
    remedy = "The two sides disagree about the contract: compare their versions (`ssct status`)."

    def __init__(self, pointer: str, rule: str, what: str = "message") -> None:
        super().__init__(f"{what}: {pointer or '/'} breaks the rule '{rule}'")
        self.pointer = pointer
        self.rule = rule


class BadRequest(BadMessage):
    """A message of our own that breaks the contract; it was not sent."""

    code = "BACKEND_BAD_REQUEST"
    certainly_not_done = True


class ListError(BackendError):
    """A blacklist document that must not be applied; the last good list stays in force."""

    code = "BACKEND_LIST_ERROR"
    remedy = "The last good list stays in force. If it repeats, call the back office."


class BadSignature(ListError):
    """The signature does not verify, or its key is not trusted (now)."""

    code = "BACKEND_BAD_SIGNATURE"
    remedy = "The document was altered on its way, or its key is not trusted: enrol again, or call."


class WrongIssuer(ListError):
    """A good list, but somebody else's."""

    code = "BACKEND_LIST_WRONG_ISSUER"


class ListTooLarge(ListError):
    """More bytes or entries than declared or allowed."""

    code = "BACKEND_LIST_TOO_LARGE"


class ListRolledBack(ListError):
    """A list older than the one held."""

    code = "BACKEND_LIST_ROLLED_BACK"


class ListForked(ListError):
    """The list held and the one offered have one version but different contents or past."""

    code = "BACKEND_LIST_FORKED"


class ListGap(ListError):
    """The delta does not continue the list held: something in between is missing."""

    code = "BACKEND_LIST_GAP"
    remedy = "The terminal asks for a full snapshot at its next synchronisation."


class ListExpired(ListError):
    """The newest list offered, or held with nothing newer on offer, is past its expiry."""

    code = "BACKEND_LIST_EXPIRED"
    remedy = "Check this machine's clock, then whether the back office still publishes."


class ListFromFuture(ListError):
    """The list says that it will be issued later than now: one of the two clocks is wrong."""

    code = "BACKEND_LIST_FROM_FUTURE"
    remedy = "Check this machine's clock and time zone."


class KeysRolledBack(ListError):
    """A key statement older than the one taken."""

    code = "BACKEND_KEYS_ROLLED_BACK"


class ListWithdrawn(ListError):
    """The snapshot that was being fetched is no longer on offer; there is a newer one."""

    code = "BACKEND_LIST_WITHDRAWN"
    remedy = "The terminal fetches the newer one at its next synchronisation."


class BrokerUnreachable(BackendError):
    """The broker that pushes the blacklist does not let us in, or is not there."""

    code = "BACKEND_BROKER_UNREACHABLE"
    remedy = "Check [blacklist] mqtt_... in the settings, the broker and the network."
    certainly_not_done = True


class BrokerUnusable(BackendError):
    """The program that speaks to the broker is not installed."""

    code = "BACKEND_BROKER_UNUSABLE"
    remedy = "Install it: `pip install 'ssct[mqtt]'`, or set [blacklist] push = \"long-poll\"."
    certainly_not_done = True


class SealBroken(Exception):
    """Sealed data that do not open: altered, of another context, or sealed under another key."""

    code: ClassVar[str] = "SEAL_BROKEN"
    zh: str = "本机加密数据无法读取，请联系工作人员。"
    en: str = "Data stored on this terminal cannot be opened. Please ask the staff."
    remedy: str = "Restore the key file that belongs to this database, or the database's backup."
