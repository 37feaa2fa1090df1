"""Pages in a real Chromium before the agent: the allowed one reads a card, the others nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

import terminal.agent
from simulator.card.profile import load_profile
from tests.unit.agent_bench import AgentBench, agent_bench

pytestmark = pytest.mark.integration

SCRIPT = Path(terminal.agent.__file__).parent / "static" / "ssct-agent.js"
ADULT = load_profile("adult-3.0")
PIN = "246810"

READ_A_CARD = """async ([base, token]) => {
  const { Agent } = await import("/ssct-agent.js");
  const agent = new Agent(base, token);
  const card = await agent.open({ wait: 5 });
  try {
    const files = await card.files("SSSEEF05");
    return { name: (await card.basic()).name, file: files[0].file, reader: card.reader };
  } finally { await card.close(); }
}"""

TRY_TO_READ = """async ([base, token]) => {
  const got = [];
  for (const path of ["/v1/readers", "/v1/openapi.json", "/v1/sessions", "/v1/events"]) {
    for (const options of [
      { headers: { authorization: `Bearer ${token}` } },
      { method: "POST", body: "{}", headers: { authorization: `Bearer ${token}` } },
      { mode: "no-cors" },
      { method: "POST", body: "{}", mode: "no-cors" },
    ]) {
      try { got.push(await (await fetch(base + path, options)).text()); } catch (refused) {}
    }
  }
  return got.filter((text) => text);
}"""

TRY_A_SOCKET = """([base, token]) => new Promise((resolve) => {
  const offered = token ? ["ssct.v1", `ssct.token.${token}`] : [];
  const socket = new WebSocket(base.replace("http", "ws"), offered);
  socket.onopen = () => socket.send('{"function": "iReadCardBas", "iType": 3}');
  socket.onmessage = (message) => { socket.close(); resolve(JSON.parse(message.data)); };
  socket.onerror = () => resolve(null);
})"""


class Site(BaseHTTPRequestHandler):
    """A web site: an empty page, and the client script."""

    def do_GET(self) -> None:
        is_script = self.path == "/ssct-agent.js"
        content = SCRIPT.read_bytes() if is_script else b"<!doctype html><title>site</title>"
        self.send_response(200)
        self.send_header("content-type", "text/javascript" if is_script else "text/html")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    serving.join()
    server.server_close()


@dataclass
class Town:
    """The agent, and three sites: allowed, allowed as it is, and neither."""

    bench: AgentBench
    allowed: str
    unchanged: str
    evil: str


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with (
        site() as allowed,
        site() as unchanged,
        site() as evil,
        agent_bench(tmp_path, origins=(allowed,), unchanged_pages=(unchanged,)) as bench,
    ):
        bench.insert()
        yield Town(bench, allowed, unchanged, evil)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def test_a_page_of_an_allowed_origin_reads_a_card(town: Town, page: Page) -> None:
    page.goto(town.allowed)
    told = page.evaluate(READ_A_CARD, [town.bench.origin, town.bench.token])
    assert told == {"name": ADULT.holder.name, "file": "SSSEEF05", "reader": "embedded"}
    socket = page.evaluate(TRY_A_SOCKET, [town.bench.origin, town.bench.token])
    assert socket["success"] == 0
    assert ADULT.holder.name in socket["pOutInfo"]


def test_the_client_settles_hears_events_and_throws_problems(town: Town, page: Page) -> None:
    page.goto(town.allowed)
    told = page.evaluate(
        """async ([base, token, pin]) => {
          const { Agent, AgentProblem } = await import("/ssct-agent.js");
          const agent = new Agent(base, token);
          const card = await agent.open();
          let wrong, where = await card.start("settlement");
          try { await card.answer({ agree: true }); } catch (problem) { wrong = problem; }
          where = await card.answer({ pin });
          where = await card.answer({ choice: where.question.options[0].key });
          where = await card.answer({ agree: true });
          await card.close();
          const number = where.outcome.receipt.number;
          const stop = new AbortController();
          let first;
          for await (const event of agent.events(stop.signal)) { first = event; break; }
          stop.abort();
          const functions = await agent.ldt33();
          const [one, two] = await Promise.all([
            functions.call("iReadCardBas", { iType: 3 }),
            functions.call("iReadCardBas", { iType: 9 }),
          ]);
          functions.close();
          return {
            wrong: [wrong instanceof AgentProblem, wrong.code],
            result: where.outcome.result,
            state: (await agent.operation(number)).state,
            first: first.event,
            codes: [one.success, two.success],
          };
        }""",
        [town.bench.origin, town.bench.token, PIN],
    )
    assert told == {
        "wrong": [True, "AGENT_ANSWER_UNFIT"],
        "result": "done",
        "state": "confirmed",
        "first": "reader_added",
        "codes": [0, -14],
    }


@pytest.mark.article(25)
def test_a_page_of_another_origin_gets_nothing_even_with_a_token(town: Town, page: Page) -> None:
    page.goto(town.evil)
    assert page.evaluate(TRY_TO_READ, [town.bench.origin, town.bench.token]) == []
    assert page.evaluate(TRY_A_SOCKET, [town.bench.origin, town.bench.token]) is None
    assert page.evaluate(TRY_A_SOCKET, [town.bench.origin, ""]) is None
    assert not town.bench.running.sessions.busy
    assert town.bench.scene.terminal.audit.latest() == ()


def test_a_page_whose_name_was_rebound_to_this_machine_gets_nothing(town: Town, page: Page) -> None:
    port = town.bench.origin.rpartition(":")[2]
    rebound = f"http://rebound.localhost:{port}"  # resolves to this machine, as any *.localhost
    page.route(f"{rebound}/page", lambda route: route.fulfill(body="<!doctype html>"))
    page.goto(f"{rebound}/page")
    got = page.evaluate(TRY_TO_READ, [rebound, town.bench.token])
    assert got
    assert all("AGENT_HOST_REFUSED" in text for text in got)
    assert page.evaluate(TRY_A_SOCKET, [rebound, town.bench.token]) is None
    assert town.bench.scene.terminal.audit.latest() == ()


def test_an_existing_page_works_unchanged_and_can_only_read(town: Town, page: Page) -> None:
    page.goto(town.unchanged)
    told = page.evaluate(TRY_A_SOCKET, [town.bench.origin, ""])
    assert told["success"] == 0
    assert told["pOutInfo"].split("|")[4] == ADULT.holder.name
    assert page.evaluate(TRY_TO_READ, [town.bench.origin, "no-token"])[0].count("TOKEN_REFUSED")
    debit = TRY_A_SOCKET.replace("iReadCardBas", "iDoDebit")
    assert page.evaluate(debit, [town.bench.origin, ""])["success"] == -0x6982
