"""A small client of the agent, for programs in Python. It needs httpx2 and websockets, no more.

    with AgentClient("http://127.0.0.1:8793", token) as agent, agent.session() as card:
        print(card.basic()["name"])

Every method raises `AgentProblem` for what the agent says no with, and `httpx2.HTTPError` when the
agent is not there. What is returned is the JSON that docs/agent.md describes.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NamedTuple

import httpx2 as httpx
from websockets.sync.client import ClientConnection, connect

Json = dict[str, Any]

_SECONDS = 90.0
"""A session may wait 60 seconds for its card."""

_LINE = logging.getLogger(f"{__name__}.line")
_LINE.setLevel(logging.INFO)  # below it are frames and headers: PINs, names, the token


class AgentProblem(Exception):
    """The agent did not do it. `code` is stable; `text` is for the holder, `remedy` for staff."""

    def __init__(self, problem: Json) -> None:
        super().__init__(f"{problem.get('code')}: {problem.get('title')}")
        self.problem = problem
        self.code = str(problem.get("code", ""))
        self.status = int(problem.get("status", 0))
        self.text: Json = problem.get("text", {})
        self.remedy = str(problem.get("remedy", ""))


class Ldt33Result(NamedTuple):
    """What a function of LD/T 33 returned, and its pOutInfo."""

    code: int
    out: str


class AgentClient:
    """The agent at `base`, with a caller's token."""

    def __init__(self, base: str, token: str, *, client: httpx.Client | None = None) -> None:
        self._base = base.rstrip("/")
        self._headers = {"authorization": f"Bearer {token}"}
        self._http = client or httpx.Client(timeout=_SECONDS)

    def __enter__(self) -> AgentClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def readers(self) -> list[Json]:
        """The readers, each with its name and whether a card is in it."""
        readers: list[Json] = self.call("GET", "/v1/readers")["readers"]
        return readers

    def blacklist(self) -> Json:
        """How the blacklist stands."""
        return self.call("GET", "/v1/blacklist")

    def operation(self, number: str) -> Json:
        """What became of an operation, as the journal has it."""
        return self.call("GET", f"/v1/operations/{number}")

    def resolve(self, number: str) -> Json:
        """The same after the centre was asked, if it was open."""
        return self.call("POST", f"/v1/operations/{number}/resolve")

    def events(self) -> Iterator[Json]:
        """Readers and cards that come and go: what is there first, then what happens."""
        with self._http.stream(
            "GET", f"{self._base}/v1/events", headers=self._headers, timeout=None
        ) as answer:
            if answer.status_code != httpx.codes.OK:
                answer.read()
                raise AgentProblem(answer.json())
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))

    @contextmanager
    def session(
        self, reader: str | None = None, *, wait: float = 30.0, lease: float = 60.0
    ) -> Iterator[AgentSession]:
        """Begin with the card in `reader`, waited for, and give it back at the end."""
        asked = {"wait": wait, "lease": lease} | ({"reader": reader} if reader else {})
        opened = self.call("POST", "/v1/sessions", asked)
        session = AgentSession(self, opened)
        try:
            yield session
        finally:
            session.close()

    @contextmanager
    def ldt33(self) -> Iterator[Ldt33Client]:
        """The functions of LD/T 33 over a socket of their own."""
        url = f"ws{self._base.removeprefix('http')}/ldt33"
        with connect(url, additional_headers=self._headers, logger=_LINE) as socket:
            yield Ldt33Client(socket)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Json:
        """One call; {} for an answer without a body."""
        content = self.content(method, path, body)
        answer: Json = json.loads(content) if content else {}
        return answer

    def content(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        """One call; the answer's bytes."""
        answer = self._http.request(
            method, f"{self._base}{path}", headers=self._headers, json=body or {}
        )
        if answer.is_success:
            return answer.content
        raise AgentProblem(answer.json())


class AgentSession:
    """A card that this caller holds; made by `AgentClient.session`."""

    def __init__(self, agent: AgentClient, opened: Json) -> None:
        self._agent = agent
        self.id: str = opened["session"]
        self.reader: str = opened["reader"]
        self.lease: float = opened["lease"]

    def close(self) -> None:
        """Give the card back; one that has left already is no error."""
        try:
            self._agent.call("DELETE", f"/v1/sessions/{self.id}")
        except AgentProblem as problem:
            if problem.code != "AGENT_SESSION_UNKNOWN":
                raise

    def renew(self) -> Json:
        """Begin the lease anew, as every call does."""
        return self._call("POST", "lease")

    def basic(self) -> Json:
        """The basic read: card and holder."""
        return self._call("GET", "card")

    def admission(self, function: str) -> Json:
        """Whether the card may be used for a function now."""
        return self._call("POST", "admission", {"function": function})

    def files(self, *addresses: str) -> list[Json]:
        """Files by their addresses, such as DF01EF0A."""
        files: list[Json] = self._call("POST", "files", {"files": list(addresses)})["files"]
        return files

    def write_items(self, address: str, items: Mapping[str, Any]) -> Json:
        """Write items of a file, by tag."""
        return self._call("PUT", f"files/{address}", {"items": dict(items)})

    def write_row(self, address: str, row: Sequence[Any]) -> Json:
        """Make a row the newest one of a cyclic file."""
        return self._call("PUT", f"files/{address}", {"row": list(row)})

    def write_content(self, address: str, content: bytes) -> Json:
        """Write a transparent file."""
        return self._call("PUT", f"files/{address}", {"content": content.hex()})

    def photo(self) -> bytes:
        """The photograph, as BMP or JPEG."""
        return self._agent.content("GET", f"/v1/sessions/{self.id}/photo")

    def pin_state(self) -> Json:
        """How many tries are left."""
        return self._call("GET", "pin")

    def verify_pin(self, pin: str) -> Json:
        """Present the PIN."""
        return self._call("POST", "pin/verify", {"pin": pin})

    def change_pin(self, old: str, new: str) -> Json:
        """Replace the PIN."""
        return self._call("POST", "pin/change", {"old": old, "new": new})

    def unblock_pin(self) -> Json:
        """All tries back."""
        return self._call("POST", "pin/unblock")

    def reload_pin(self, new: str) -> Json:
        """A new PIN without the old one."""
        return self._call("POST", "pin/reload", {"new": new})

    def account(self) -> Json:
        """The medical account on the card, and its log."""
        return self._call("GET", "account")

    def debit(self, account_fen: int, *, self_pay_fen: int = 0, fund_fen: int = 0) -> Json:
        """Debit the account. Called again after an error it finds out, and does not debit twice."""
        amounts = {"account_fen": account_fen, "self_pay_fen": self_pay_fen, "fund_fen": fund_fen}
        return self._call("POST", "debits", amounts)

    def start(self, function: str) -> Json:
        """Start a function; `state` says whether it asks or has ended."""
        return self._call("POST", f"functions/{function}")

    def answer(self, **given: Any) -> Json:  # noqa: ANN401  choice, agree, pin or cancel
        """Answer: one of `choice`, `agree`, `pin`, or `cancel=True`."""
        return self._call("POST", "answer", given)

    def _call(self, method: str, rest: str, body: Mapping[str, Any] | None = None) -> Json:
        return self._agent.call(method, f"/v1/sessions/{self.id}/{rest}", body)


class Ldt33Client:
    """The functions of LD/T 33; made by `AgentClient.ldt33`."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    def call(self, function: str, **parameters: Any) -> Ldt33Result:  # noqa: ANN401
        """Call a function by its name in the standard, with its parameters by theirs."""
        self._socket.send(json.dumps({"function": function, **parameters}))
        told = json.loads(self._socket.recv())
        return Ldt33Result(told["success"], told["pOutInfo"])
