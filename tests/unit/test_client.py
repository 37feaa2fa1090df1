"""The client: what is sent how often, and what each answer means."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client import errors, messages
from backend_client.calls import UNEXPLAINED, Calls, Retries
from backend_client.client import BackendClient
from backend_client.codec import Message, dump, load
from backend_client.list_messages import BlacklistUpdate, MisuseReceipt, MisuseReport
from backend_client.transport import Reply, Request

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.timezone(dt.timedelta(hours=8)))
CARD = messages.CardRef("00112233445566778899aabbccddeeff", "A12345678")
OTHER_CARD = messages.CardRef("ff112233445566778899aabbccddeeff", "A12345678")
NUMBER = "990100000001" + "20261123120000" + "0001"
OTHER_NUMBER = "990100000001" + "20261123120000" + "0002"
SPLIT = messages.Split(100, 0, 0, 0, 0, 0, 100, (messages.Band("现金", "Cash", 100, 0, 0, 100),))
STATUS = messages.CardStatus(CARD, "active", None, True, False, False, NOW)
OVERVIEW = messages.AccountOverview(CARD, (), 0, 0, (), NOW)
BILLS = messages.BillList(CARD, ())
TRIAL_REQUEST = messages.TrialRequest(NUMBER, CARD, "b-1", 100)
TRIAL = messages.Trial(NUMBER, "b-1", SPLIT, NOW)
ACTIVATION_REQUEST = messages.ActivationRequest(NUMBER, CARD, True)
ACTIVATION = messages.ActivationResult(NUMBER, STATUS)
CONFIRM = messages.ConfirmRequest(NUMBER, CARD, "b-1", SPLIT)
SETTLEMENT = messages.Settlement(NUMBER, "s-1", "b-1", SPLIT, NOW, 0, 0)
STATE = messages.OperationState(NUMBER, "confirmed", SETTLEMENT)
REVERSAL = messages.Reversal(NUMBER, True, NOW)
ENROLMENT_REQUEST = messages.EnrolmentRequest("CODE-0001", "kiosk")
ENROLMENT = messages.Enrolment(
    "t-1",
    "token-of-16-chars",
    "990100000001",
    "示例医院",
    "urn:example:center",
    (messages.PublicKey("key-1", bytes(32)),),
    NOW,
)
PROBLEM = messages.Problem(
    "about:blank", "void", 409, "CARD_VOID", zh="卡已失效。", en="The card is void."
)


class Script:
    """A transport that plays replies and errors in order and keeps what was sent."""

    def __init__(self, *steps: Reply | errors.BackendError) -> None:
        self.steps = list(steps)
        self.sent: list[Request] = []

    def send(self, request: Request) -> Reply:
        self.sent.append(request)
        step = self.steps.pop(0)
        if isinstance(step, errors.BackendError):
            raise step
        return step


class Pauses(list[float]):
    """A sleep that only remembers."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def client(
    script: Script,
    pauses: Pauses | None = None,
    *,
    token: str | None = "secret-token",
    random: Callable[[int], bytes] = lambda size: b"\xff" * size,
    retries: Retries | None = None,
) -> BackendClient:
    sleep = pauses if pauses is not None else Pauses()
    return BackendClient(
        Calls(script, token=token, now=lambda: NOW, sleep=sleep, random=random, retries=retries)
    )


def good(message: Message) -> Reply:
    return Reply(200, dump(message), {"content-type": "application/json"})


def bad(status: int, problem: messages.Problem = PROBLEM, **headers: str) -> Reply:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, dump(replace(problem, status=status)), names)


Call = Callable[[BackendClient], Any]

MISUSE = MisuseReport("r1", CARD, NOW, "query", "console", "FROZEN", 3)

READS: dict[str, tuple[Call, Message, str, str]] = {
    "card_status": (lambda c: c.card_status(CARD), STATUS, "POST", "/v1/cards/status"),
    "account": (lambda c: c.account(CARD), OVERVIEW, "POST", "/v1/cards/account"),
    "bills": (lambda c: c.bills(CARD), BILLS, "POST", "/v1/bills/search"),
    "trial": (lambda c: c.trial(TRIAL_REQUEST), TRIAL, "POST", "/v1/settlements/trial"),
    "query": (lambda c: c.query(NUMBER), STATE, "POST", "/v1/operations/query"),
    "server_time": (lambda c: c.server_time(), messages.ServerTime(NOW), "GET", "/v1/time"),
    "news": (
        lambda c: BlacklistUpdate(c.lists.news(7, statement=2, wait=30).snapshot),
        BlacklistUpdate(),
        "GET",
        "/v1/blacklist?since=7&statement=2&whole=0&wait=30",
    ),
    "report_misuse": (
        lambda c: c.lists.report_misuse(MISUSE),
        MisuseReceipt("r1"),
        "POST",
        "/v1/misuse",
    ),
}
CHANGES: dict[str, tuple[Call, Message, str, str]] = {
    "activate": (lambda c: c.activate(ACTIVATION_REQUEST), ACTIVATION, "POST", "/v1/activations"),
    "confirm": (lambda c: c.confirm(CONFIRM), SETTLEMENT, "POST", "/v1/settlements"),
    "reverse": (lambda c: c.reverse(NUMBER), REVERSAL, "POST", "/v1/operations/reverse"),
    "enrol": (lambda c: c.enrol(ENROLMENT_REQUEST), ENROLMENT, "POST", "/v1/terminals"),
}
ALL = READS | CHANGES
OPEN = {"server_time", "enrol"}

every_call = pytest.mark.parametrize("name", ALL)
every_read = pytest.mark.parametrize("name", READS)
every_change = pytest.mark.parametrize("name", CHANGES)


# What leaves


@every_call
def test_each_operation_has_its_path_and_gives_its_answer(name: str) -> None:
    call, answer, method, path = ALL[name]
    script = Script(good(answer))
    assert call(client(script)) == answer
    (request,) = script.sent
    assert (request.method, request.path) == (method, path)
    token = request.headers.get("authorization")
    assert token == (None if name in OPEN else "Bearer secret-token")


@every_call
def test_no_card_and_no_number_in_a_url_and_no_token_in_a_repr(name: str) -> None:
    call, answer, *_ = ALL[name]
    script = Script(good(answer))
    call(client(script))
    for secret in (CARD.card_id, CARD.card_number, NUMBER, "secret-token"):
        assert secret not in repr(script.sent[0])


@pytest.mark.parametrize("name", ["trial", "activate", "confirm", "reverse"])
def test_the_operation_number_is_the_idempotency_key(name: str) -> None:
    call, answer, *_ = ALL[name]
    script = Script(good(answer))
    call(client(script))
    assert script.sent[0].headers["idempotency-key"] == NUMBER


def test_the_body_is_the_message() -> None:
    script = Script(good(SETTLEMENT))
    client(script).confirm(CONFIRM)
    assert load(messages.ConfirmRequest, script.sent[0].body) == CONFIRM


@every_call
def test_without_a_token_only_open_calls_leave(name: str) -> None:
    call, answer, *_ = ALL[name]
    script = Script(good(answer))
    if name in OPEN:
        assert call(client(script, token=None)) == answer
        return
    with pytest.raises(errors.NotEnrolled):
        call(client(script, token=None))
    assert not script.sent


def test_an_enrolled_client_uses_its_token() -> None:
    script = Script(good(STATUS))
    client(script, token=None).with_token("new-token").card_status(CARD)
    assert script.sent[0].headers["authorization"] == "Bearer new-token"


def test_a_message_against_the_contract_does_not_leave() -> None:
    script = Script()
    with pytest.raises(errors.BadRequest) as caught:
        client(script).confirm(replace(CONFIRM, bill_id=""))
    assert caught.value.certainly_not_done
    assert not script.sent


# Money is sent once


@every_change
@pytest.mark.parametrize(
    "step",
    [errors.Unreachable("x"), errors.NoReply("x"), bad(503), bad(409), Reply(502, b"<html>")],
    ids=lambda step: type(step).__name__ + str(getattr(step, "status", "")),
)
def test_a_change_is_never_repeated(name: str, step: Reply | errors.BackendError) -> None:
    script, pauses = Script(step), Pauses()
    with pytest.raises(errors.BackendError):
        CHANGES[name][0](client(script, pauses))
    assert len(script.sent) == 1
    assert not pauses


@every_change
@pytest.mark.parametrize(
    "reply",
    [
        bad(500),
        bad(503),
        Reply(500, b""),
        Reply(502, b"<html>Bad Gateway</html>"),
        Reply(404, b"not here"),
        Reply(401, b"captive portal"),
        Reply(408, b""),
        Reply(302, b"", {"location": "http://elsewhere.example/"}),
        Reply(409, dump(replace(PROBLEM, status=410))),
    ],
    ids=lambda reply: f"{reply.status}-{len(reply.body)}",
)
def test_a_failure_that_proves_nothing_leaves_the_outcome_unknown(name: str, reply: Reply) -> None:
    with pytest.raises(errors.NoReply) as caught:
        CHANGES[name][0](client(Script(reply)))
    assert not caught.value.certainly_not_done


@every_change
def test_a_refusal_and_a_promise_of_not_processed_are_certain(name: str) -> None:
    refusals = [bad(409), bad(503, replace(PROBLEM, code="BUSY", not_processed=True))]
    for reply in refusals:
        with pytest.raises(errors.Refused) as caught:
            CHANGES[name][0](client(Script(reply)))
        assert caught.value.certainly_not_done
        assert caught.value.status == reply.status


@every_change
@pytest.mark.parametrize("body", [b"", b"{}", b"[" * 5000, b"\xff"])
def test_a_good_status_with_a_bad_body_leaves_the_outcome_unknown(name: str, body: bytes) -> None:
    with pytest.raises(errors.BadMessage) as caught:
        CHANGES[name][0](client(Script(Reply(200, body))))
    assert not caught.value.certainly_not_done


def test_only_proof_makes_a_certain_error() -> None:
    certain = {
        errors.BadAddress,
        errors.BadRequest,
        errors.BrokerUnreachable,  # nothing is done through a broker
        errors.BrokerUnusable,
        errors.NotEnrolled,
        errors.Refused,
        errors.Unreachable,
        errors.Untrusted,
    }
    assert {cls for cls in family(errors.BackendError) if cls.certainly_not_done} == certain


def family(cls: type[errors.BackendError]) -> set[type[errors.BackendError]]:
    return {cls}.union(*(family(child) for child in cls.__subclasses__()))


def test_every_error_has_its_own_code_and_all_sentences() -> None:
    known = family(errors.BackendError)
    assert len({cls.code for cls in known}) == len(known)
    for cls in known:
        assert cls.code.startswith("BACKEND_")
        assert cls.zh
        assert cls.en
        assert cls.remedy


# Reads are repeated


@every_read
@pytest.mark.parametrize(
    "step",
    [errors.Unreachable("x"), errors.NoReply("x"), bad(429), bad(502), bad(503), bad(504)],
    ids=lambda step: type(step).__name__ + str(getattr(step, "status", "")),
)
def test_a_read_is_repeated_and_then_answered(name: str, step: Reply | errors.BackendError) -> None:
    call, answer, *_ = READS[name]
    script = Script(step, step, good(answer))
    assert call(client(script)) == answer
    assert script.sent[0] == script.sent[1] == script.sent[2]


@every_read
def test_a_read_gives_up_with_the_last_error(name: str) -> None:
    script = Script(errors.Unreachable("x"), bad(503), errors.NoReply("x"), good(STATUS))
    with pytest.raises(errors.NoReply):
        READS[name][0](client(script))
    assert len(script.sent) == 3


@every_read
def test_no_answer_to_a_read_sounds_like_no_operation_of_unknown_outcome(name: str) -> None:
    with pytest.raises(errors.NoAnswer) as caught:
        READS[name][0](client(Script(*[errors.NoReply("x")] * 3)))
    assert caught.value.code != errors.NoReply.code
    assert "result" not in caught.value.en


@every_read
@pytest.mark.parametrize("reply", [bad(409), bad(400), bad(500), Reply(200, b"{")])
def test_a_read_is_not_repeated_where_that_cannot_help(name: str, reply: Reply) -> None:
    script = Script(reply)
    with pytest.raises((errors.Refused, errors.BadMessage)):
        READS[name][0](client(script))
    assert len(script.sent) == 1


def test_pauses_are_random_below_a_bound_that_doubles_up_to_the_longest() -> None:
    retries = Retries(attempts=6, first_pause=1.0, longest_pause=5.0)
    unreachable = [errors.Unreachable("x") for _ in range(5)]
    pauses = Pauses()
    half: Callable[[int], bytes] = lambda size: b"\x80" + bytes(size - 1)  # noqa: E731
    script = Script(*unreachable, good(STATUS))
    client(script, pauses, random=half, retries=retries).card_status(CARD)
    assert pauses == [0.5, 1.0, 2.0, 2.5, 2.5]
    pauses = Pauses()
    script = Script(*unreachable, good(STATUS))
    client(script, pauses, random=bytes, retries=retries).card_status(CARD)
    assert pauses == [0.0] * 5


@pytest.mark.parametrize(
    ("value", "pause"),
    [
        ("3", 3.0),
        ("0", 0.0),
        ("Mon, 23 Nov 2026 04:00:07 GMT", 7.0),
        ("Mon, 23 Nov 2026 03:59:00 GMT", 0.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("", 0.0),
        ("Mon, 99 Nov 2026 04:00:07 GMT", 0.0),
    ],
)
def test_a_server_may_ask_for_a_pause(value: str, pause: float) -> None:
    pauses = Pauses()
    script = Script(bad(503, retry_after=value), good(STATUS))
    client(script, pauses, random=bytes).card_status(CARD)
    assert pauses == [pause]


@pytest.mark.parametrize("value", ["11", "999999999", "Tue, 24 Nov 2026 04:00:00 GMT"])
def test_a_server_that_asks_for_too_long_a_pause_gets_no_second_call(value: str) -> None:
    script, pauses = Script(bad(503, retry_after=value)), Pauses()
    with pytest.raises(errors.Refused) as caught:
        client(script, pauses).card_status(CARD)
    assert caught.value.retry_after
    assert not pauses


@given(st.text(max_size=40))
def test_any_retry_after_is_survived(value: str) -> None:
    patient = Retries(longest_wait=float("inf"))
    script, pauses = Script(bad(503, retry_after=value), good(STATUS)), Pauses()
    assert client(script, pauses, retries=patient).card_status(CARD) == STATUS
    assert pauses[0] >= 0


# What answers mean


def test_a_refusal_carries_the_problem_and_its_sentences() -> None:
    with pytest.raises(errors.Refused) as caught:
        client(Script(bad(409))).card_status(CARD)
    refused = caught.value
    assert (refused.problem.code, refused.status) == ("CARD_VOID", 409)
    assert (refused.zh, refused.en) == ("卡已失效。", "The card is void.")
    assert str(refused) == "refused: CARD_VOID (409)"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'{"type": "about:blank"}', dump(replace(PROBLEM, status=500))]
)
def test_an_unexplained_refusal_has_a_code_and_sentences_too(body: bytes) -> None:
    with pytest.raises(errors.Unexplained) as caught:
        client(Script(Reply(404, body))).card_status(CARD)
    assert caught.value.problem.code == UNEXPLAINED
    assert caught.value.zh == errors.Refused.zh
    assert caught.value.en == errors.Refused.en


@pytest.mark.parametrize("name", sorted(ALL.keys() - OPEN))
def test_an_unknown_token_means_not_enrolled(name: str) -> None:
    problem = replace(PROBLEM, code="TOKEN_UNKNOWN")
    with pytest.raises(errors.NotEnrolled):
        ALL[name][0](client(Script(bad(401, problem))))


def test_a_wrong_enrolment_code_is_a_refusal() -> None:
    with pytest.raises(errors.Refused):
        client(Script(bad(401)), token=None).enrol(ENROLMENT_REQUEST)


# Answers to another question

MIXED_UP: list[tuple[str, Message, str]] = [
    ("card_status", replace(STATUS, card=OTHER_CARD), "/card"),
    ("account", replace(OVERVIEW, card=OTHER_CARD), "/card"),
    ("bills", replace(BILLS, card=OTHER_CARD), "/card"),
    ("trial", replace(TRIAL, number=OTHER_NUMBER), "/number"),
    ("trial", replace(TRIAL, bill_id="b-2"), "/bill_id"),
    ("trial", replace(TRIAL, split=replace(SPLIT, total_fen=101)), "/split/total_fen"),
    ("activate", replace(ACTIVATION, number=OTHER_NUMBER), "/number"),
    ("activate", replace(ACTIVATION, status=replace(STATUS, card=OTHER_CARD)), "/status/card"),
    ("confirm", replace(SETTLEMENT, number=OTHER_NUMBER), "/number"),
    ("confirm", replace(SETTLEMENT, bill_id="b-2"), "/bill_id"),
    ("confirm", replace(SETTLEMENT, split=replace(SPLIT, cash_fen=99)), "/split"),
    ("query", replace(STATE, number=OTHER_NUMBER), "/number"),
    (
        "query",
        replace(STATE, settlement=replace(SETTLEMENT, number=OTHER_NUMBER)),
        "/settlement/number",
    ),
    (
        "query",
        replace(STATE, activation=replace(ACTIVATION, number=OTHER_NUMBER)),
        "/activation/number",
    ),
    ("reverse", replace(REVERSAL, number=OTHER_NUMBER), "/number"),
]


@pytest.mark.parametrize(("name", "answer", "pointer"), MIXED_UP)
def test_a_mixed_up_answer_is_refused(name: str, answer: Message, pointer: str) -> None:
    with pytest.raises(errors.BadMessage) as caught:
        ALL[name][0](client(Script(good(answer))))
    assert caught.value.pointer == pointer
    assert OTHER_CARD.card_id not in str(caught.value)


@every_call
@given(status=st.integers(200, 599), body=st.binary(max_size=60))
def test_any_reply_is_an_answer_or_an_error_of_ours(name: str, status: int, body: bytes) -> None:
    script = Script(*[Reply(status, body)] * 3)
    with pytest.raises(errors.BackendError):
        ALL[name][0](client(script))
