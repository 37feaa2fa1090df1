"""Who gets nothing: other hosts, other pages, no token, too little scope, too many calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from terminal.agent.errors import TooManyCalls
from terminal.agent.operations import OPERATIONS
from terminal.agent.rate import RateLimit
from terminal.agent.scopes import Scope, scope_of
from terminal.agent.tokens import FILE, TokenBook
from terminal.cli import main
from terminal.errors import ConfigurationError
from terminal.exit_codes import ExitCode
from tests.unit.agent_bench import ALLOWED, AgentBench, agent_bench

UNCHANGED = "http://pharmacy.example:8080"
EVIL = "https://evil.example"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentBench]:
    directory: Path = tmp_path_factory.mktemp("agent")
    with agent_bench(
        directory, hosts=("his.local",), unchanged_pages=(UNCHANGED,), unchanged_scopes=("read",)
    ) as made:
        made.insert()
        yield made


REFUSED = (
    ({"host": "evil.example"}, 403, "AGENT_HOST_REFUSED"),
    ({"host": "127.0.0.1.evil.example:80"}, 403, "AGENT_HOST_REFUSED"),
    ({"host": "evil.example", "origin": ALLOWED}, 403, "AGENT_HOST_REFUSED"),
    ({"host": "evil.example", "origin": "http://evil.example"}, 403, "AGENT_HOST_REFUSED"),
    ({"origin": EVIL}, 403, "AGENT_ORIGIN_REFUSED"),
    ({"origin": "null"}, 403, "AGENT_ORIGIN_REFUSED"),
    ({"origin": ""}, 403, "AGENT_ORIGIN_REFUSED"),
    ({"origin": ALLOWED + ".evil.example"}, 403, "AGENT_ORIGIN_REFUSED"),
    ({"origin": ALLOWED.upper()}, 403, "AGENT_ORIGIN_REFUSED"),
    ({"sec-fetch-site": "cross-site"}, 403, "AGENT_ORIGIN_REFUSED"),
    ({"sec-fetch-site": "same-site"}, 403, "AGENT_ORIGIN_REFUSED"),
    ({"authorization": None}, 401, "AGENT_TOKEN_REFUSED"),
    ({"authorization": "Bearer nonsense"}, 401, "AGENT_TOKEN_REFUSED"),
    ({"authorization": "Bearer ssct__"}, 401, "AGENT_TOKEN_REFUSED"),
    ({"authorization": "Basic abc"}, 401, "AGENT_TOKEN_REFUSED"),
    ({"authorization": None, "origin": ALLOWED}, 401, "AGENT_TOKEN_REFUSED"),
    ({"authorization": None, "origin": UNCHANGED}, 401, "AGENT_TOKEN_REFUSED"),
)


@pytest.mark.article(25)
@pytest.mark.parametrize(("headers", "status", "code"), REFUSED)
def test_who_is_not_allowed_gets_nothing(
    headers: dict[str, str], status: int, code: str, bench: AgentBench
) -> None:
    for method, path in (("GET", "/v1/readers"), ("POST", "/v1/sessions"), ("GET", "/nothing")):
        answer = bench.http(method, path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert "embedded" not in answer.text
        known = headers.get("origin") in (ALLOWED, UNCHANGED)
        assert ("access-control-allow-origin" in answer.headers) is known
    assert not bench.running.sessions.busy


OVER_SOCKETS = [case for case in REFUSED[:-1] if "host" not in case[0]]


@pytest.mark.parametrize(("headers", "status", "code"), OVER_SOCKETS)
def test_nor_over_a_socket(
    headers: dict[str, str], status: int, code: str, bench: AgentBench
) -> None:
    given = {"authorization": f"Bearer {bench.token}"} | headers
    origin = given.pop("origin", None)
    sent = {name: value for name, value in given.items() if value is not None}
    url = bench.origin.replace("http", "ws")
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(
            url, additional_headers=sent, origin=Origin(origin) if origin is not None else None
        ),
    ):
        pass
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body or b"{}")["code"] == code


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "localhost:1"},
        {"host": "his.local:8793"},
        {"host": "LOCALHOST"},
        {"origin": ALLOWED},
        {"sec-fetch-site": "none"},
    ],
)
def test_who_is_allowed(headers: dict[str, str], bench: AgentBench) -> None:
    answer = bench.http("GET", "/v1/readers", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers.get("access-control-allow-origin") == headers.get("origin")


def test_a_browser_asks_first(bench: AgentBench) -> None:
    asked = {
        "authorization": None,
        "access-control-request-method": "PUT",
        "access-control-request-headers": "authorization",
        "access-control-request-private-network": "true",
    }
    allowed = bench.http("OPTIONS", "/v1/readers", headers={**asked, "origin": ALLOWED})
    assert allowed.status_code == 204
    assert allowed.headers["access-control-allow-origin"] == ALLOWED
    assert allowed.headers["access-control-allow-private-network"] == "true"
    evil = bench.http("OPTIONS", "/v1/readers", headers={**asked, "origin": EVIL})
    assert evil.status_code == 403
    assert "access-control-allow-origin" not in evil.headers


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_every_operation_wants_its_scope(operation: object, bench: AgentBench) -> None:
    one = next(known for known in OPERATIONS if known is operation)
    if one.scope is None:
        return
    others = [scope for scope in Scope if scope is not one.scope]
    token = bench.token_for(*others)
    path = one.path.format(session="0" * 32, file="DF01EF05", function="read", number="1")
    answer = bench.http(one.method, path, headers={"authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (403, "AGENT_SCOPE_MISSING")


def test_functions_want_theirs(bench: AgentBench) -> None:
    reader = {"authorization": f"Bearer {bench.token_for(Scope.READ)}"}
    opened = bench.http("POST", "/v1/sessions", headers=reader, json={}).json()
    at = f"/v1/sessions/{opened['session']}"
    settle = bench.http("POST", f"{at}/functions/settlement", headers=reader)
    assert (settle.status_code, settle.json()["code"]) == (403, "AGENT_SCOPE_MISSING")
    assert bench.http("POST", f"{at}/functions/read", headers=reader).status_code == 200
    assert bench.http("DELETE", at, headers=reader).status_code == 204


def test_a_page_that_is_allowed_as_it_is_reads_without_a_token_and_no_more(
    bench: AgentBench,
) -> None:
    url = bench.origin.replace("http", "ws")
    with connect(url, origin=Origin(UNCHANGED)) as line:
        line.send('{"function": "iReadCardBas", "iType": 3}')
        assert json.loads(line.recv())["success"] == 0
        line.send('{"function": "iDoDebit", "iType": 3, "pCardInfo": "", "pPayInfo": ""}')
        assert json.loads(line.recv())["success"] == -0x6982
    tokened = [Subprotocol(f"ssct.token.{bench.token}"), Subprotocol("ssct.v1")]
    with connect(url, origin=Origin(ALLOWED), subprotocols=tokened) as line:
        assert line.subprotocol == "ssct.v1"


def test_a_token_that_was_taken_back_is_refused_from_the_next_call_on(bench: AgentBench) -> None:
    headers = {"authorization": f"Bearer {bench.token_for(Scope.READERS)}"}
    assert bench.http("GET", "/v1/readers", headers=headers).status_code == 200
    token_id = headers["authorization"].split("_")[1]
    assert main(["agent", "token", "revoke", token_id]) == ExitCode.USAGE, "another directory"
    bench.book.revoke(token_id)
    answer = bench.http("GET", "/v1/readers", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "AGENT_TOKEN_REFUSED")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"nonsense", 422, "AGENT_BODY_INVALID"),
        (b"[]", 422, "AGENT_BODY_INVALID"),
        (b"[" * 10_000, 422, "AGENT_BODY_INVALID"),
        (b'{"wait": 1e9}', 422, "AGENT_BODY_INVALID"),
        (b'{"secret-member": "secret-value"}', 422, "AGENT_BODY_INVALID"),
        (b"x" * 70_000, 413, "AGENT_BODY_TOO_LONG"),
        (b"\xff\xfe", 422, "AGENT_BODY_INVALID"),
    ],
)
def test_a_hostile_body_gets_a_problem(
    body: bytes, status: int, code: str, bench: AgentBench
) -> None:
    answer = bench.http("POST", "/v1/sessions", content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "secret-value" not in answer.text


def test_too_many_calls(tmp_path: Path) -> None:
    with agent_bench(tmp_path, calls_per_minute=5) as bench:
        answers = [bench.http("GET", "/v1/readers") for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert answers[-1].json()["code"] == "AGENT_TOO_MANY_CALLS"
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        other = {"authorization": f"Bearer {bench.token_for(Scope.READERS)}"}
        assert bench.http("GET", "/v1/readers", headers=other).status_code == 200
        reader = {"authorization": f"Bearer {bench.token_for(Scope.READ, Scope.PIN)}"}
        with connect(bench.origin.replace("http", "ws"), additional_headers=reader) as line:
            codes = []
            for _ in range(6):
                line.send('{"function": "iReadCardBas", "iType": 3}')
                codes.append(json.loads(line.recv())["success"])
        assert codes == [-2, -2, -2, -2, -99, -99], "connecting has counted, too"


def test_guessing_tokens_is_bounded(tmp_path: Path) -> None:
    with agent_bench(tmp_path) as bench:
        wrong = {"authorization": "Bearer ssct_00000000_" + "0" * 64}
        answers = [bench.http("GET", "/v1/readers", headers=wrong) for _ in range(31)]
        assert answers[-2].status_code == 401
        assert answers[-1].status_code == 429
        assert bench.http("GET", "/v1/readers").status_code == 200, "the right one still works"


def test_a_bucket_fills_again() -> None:
    now = [0.0]
    limit = RateLimit(60, lambda: now[0])
    for _ in range(60):
        limit.take("a")
    with pytest.raises(TooManyCalls) as too_many:
        limit.take("a")
    assert too_many.value.seconds == pytest.approx(1.0)
    limit.take("b")
    now[0] = 1.5
    limit.take("a")
    with pytest.raises(TooManyCalls):
        limit.take("a")
    for number in range(5_000):
        limit.take(str(number))
    assert len(limit._buckets) <= 1_024


def test_tokens_are_hashed_at_rest_and_their_owners_alone(tmp_path: Path) -> None:
    book = TokenBook(tmp_path)
    shown, made = book.create("his", [Scope.READ], NOW, Random(1).randbytes)
    file = tmp_path / FILE
    assert file.stat().st_mode & 0o077 == 0
    assert shown.split("_")[2] not in file.read_text()
    assert book.find(shown) == made
    assert TokenBook(tmp_path).find(shown) == made
    for other in ("", "ssct", shown[:-1], shown + "0", shown.replace("ssct", "tcss"), "a_b_c_d"):
        assert book.find(other) is None
    another = TokenBook(tmp_path)
    another.revoke(made.id)
    assert book.find(shown) is None, "the file is looked at again"
    with pytest.raises(ConfigurationError):
        book.revoke("nobody")


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[{"id": 1}]', "x" * (1024 * 1024 + 1)])
def test_a_broken_token_file_is_told_and_lets_nobody_in(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content)
    if content == "{}":
        assert TokenBook(tmp_path).all() == ()
        return
    with pytest.raises(ConfigurationError):
        TokenBook(tmp_path).find("ssct_a_b")


def test_the_commands_for_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    create = ["agent", "token", "create", "counter 3", "--scope", "read", "--scope", "pin"]
    assert main(create) == ExitCode.OK
    shown = capsys.readouterr().out.strip()
    book = TokenBook(tmp_path / "ssct")
    made = book.find(shown)
    assert made is not None
    assert made.scopes == {Scope.READ, Scope.PIN}
    assert main(["agent", "token", "list"]) == ExitCode.OK
    assert f"{made.id}  counter 3  pin,read" in capsys.readouterr().out
    assert main(["agent", "token", "revoke", made.id]) == ExitCode.OK
    assert main(["agent", "token", "list", "--json"]) == ExitCode.OK
    told = capsys.readouterr().out
    assert json.loads(told[told.index("[") :])[0]["revoked"] is True
    assert main(["agent", "token", "revoke", "none"]) == ExitCode.USAGE
    kept = [file.name for file in (tmp_path / "ssct").iterdir()]
    assert kept == [FILE], "no store is opened for tokens"


@pytest.mark.parametrize(
    ("function", "scope"),
    [
        ("iReadCardBas", Scope.READ),
        ("iReadCardBas_HSM_Step2", Scope.READ),
        ("iReadDebitRecord", Scope.DEBIT),
        ("iDoDebit_HSM_Step1", Scope.DEBIT),
        ("iUnblockPIN", Scope.PIN),
        ("iWriteCard", Scope.WRITE),
        ("iNone", None),
    ],
)
def test_scopes_of_ldt33(function: str, scope: Scope | None) -> None:
    assert scope_of(function) is scope
