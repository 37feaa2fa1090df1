"""How soon a reported loss is refused: from the report being sent to the refusal at each terminal.

The reference back office is a process of its own; a thousand simulated terminals live in two more.
Each has its own connection and its own copy of the list, verifies what comes, applies it and looks
the card up; the time is taken when that finds it. By long-poll, and by MQTT where Mosquitto is
installed. `SSCT_BENCH_TERMINALS` names another number of terminals.
"""

from __future__ import annotations

import base64
import json
import os
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from backend_client.blacklist import Applied, Trust, apply_documents
from backend_client.broker import DELTA, BrokerAddress
from backend_client.codec import decode, load
from backend_client.entry_lookup import Lookup
from backend_client.list_messages import BlacklistUpdate
from backend_client.messages import PublicKey
from benchmarks.table import Table

TERMINALS = 1000
ROUNDS = 6
PROCESSES = 2
MOSQUITTO = "/usr/sbin/mosquitto"
ROOT = Path(__file__).parents[1]
NUMBER = "S00000000"
ADMIN = "benchmark-administrator"
JSON = {"content-type": "application/json"}

SERVER = """
import sys
from pathlib import Path
from backend_client.broker import BrokerAddress
from simulator.backoffice import seed
from simulator.backoffice.backoffice import Rules
from simulator.backoffice.records import AccountRecord, CardRecord, HolderRecord
from simulator.backoffice.sample import sample_ref
from simulator.backoffice.server import run

directory, rounds, port = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])


def prepare(backoffice):
    seed.add_sample_institutions(backoffice)
    for serial in range(rounds):
        ref = sample_ref(serial)
        seed.register(
            backoffice,
            holder=HolderRecord("样本", f"9901001990010{serial:05d}"),
            card=CardRecord(ref.card_id, ref.card_number, "active"),
            accounts=AccountRecord(0, 0),
        )


run(
    "127.0.0.1", 0, f"sqlite:///{directory}/office.db", directory / "office.key", sys.argv[4],
    rules=Rules(development_code=seed.DEVELOPMENT_CODE), prepare=prepare,
    announce=lambda host, port: print(port, flush=True),
    broker=BrokerAddress("127.0.0.1", port, tls=False) if port else None,
)
"""


def tables() -> list[Table]:
    """One row a way of pushing."""
    count = int(os.environ.get("SSCT_BENCH_TERMINALS", TERMINALS))
    rows, notes = [], [f"{count} terminals, {ROUNDS} losses one after the other, one machine"]
    for way in ("long-poll", "mqtt"):
        if way == "mqtt" and shutil.which(MOSQUITTO) is None:
            notes.append("MQTT is left out: mosquitto is not installed")
            continue
        times = sorted(_measured(way, count))
        rows.append(
            (
                way,
                statistics.median(times) * 1e3,
                times[int(len(times) * 0.99)] * 1e3,
                times[-1] * 1e3,
                len(times),
            )
        )
    columns = ("pushed by", "median ms", "99 % ms", "longest ms", "refusals")
    return [Table("Loss report to refusal", columns, rows, notes)]


def _measured(way: str, count: int) -> list[float]:
    """Seconds from each report to each refusal."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory()))
        broker = stack.enter_context(_broker(directory)) if way == "mqtt" else 0
        port = stack.enter_context(_office(directory, broker))
        identity = _asked(port, "/v1/terminals", _enrolment())
        document = _snapshot(port, identity["token"])
        told = {
            "way": way,
            "port": broker or port,
            "identity": identity,
            "snapshot": base64.b64encode(document).decode(),
            "count": count // PROCESSES,
        }
        workers = [stack.enter_context(_worker(told)) for _ in range(PROCESSES)]
        return [each for serial in range(ROUNDS) for each in _round(port, workers, serial)]


def _round(port: int, workers: list[subprocess.Popen[str]], serial: int) -> list[float]:
    """One loss: wait until all terminals wait, report it, gather when each refused the card."""
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    started = time.monotonic()
    report = {"card_number": f"S{serial:08d}", "kind": "temporary"}
    _asked(port, "/admin/v1/losses", report, ADMIN)
    found: list[float] = []
    for worker in workers:
        assert worker.stdout is not None
        found += [at - started for at in json.loads(worker.stdout.readline())]
    return found


# The terminals


class Terminal:
    """One terminal: its list, and when it refused the card of the present round."""

    def __init__(self, trust: Trust, snapshot: bytes) -> None:
        self._trust = trust
        self._applied: Applied = apply_documents(None, [snapshot], trust, datetime.now(UTC))
        self.refused_at: float | None = None

    @property
    def version(self) -> int:
        assert self._applied.list is not None
        return self._applied.list.version

    def take(self, documents: list[bytes], card_id: str) -> None:
        """Verify, apply, look up."""
        now = datetime.now(UTC)
        self._applied = apply_documents(self._applied.list, documents, self._trust, now)
        assert self._applied.list is not None
        if Lookup(self._applied.list.entries).find(card_id, NUMBER) and self.refused_at is None:
            self.refused_at = time.monotonic()


def work() -> None:
    """The body of a process of terminals: what it needs to know comes on standard input."""
    told = json.loads(sys.stdin.readline())
    identity = told["identity"]
    keys = tuple(decode(PublicKey, key) for key in identity["blacklist_keys"])
    trust = Trust(identity["blacklist_issuer"], keys)
    snapshot = base64.b64decode(told["snapshot"])
    terminals = [Terminal(trust, snapshot) for _ in range(told["count"])]
    way = _LongPolls if told["way"] == "long-poll" else _Subscriptions
    connections = way(terminals, told["port"], identity["token"])
    for serial in range(ROUNDS):
        for terminal in terminals:
            terminal.refused_at = None
        connections.ready()
        print("ready", flush=True)
        connections.run(f"990100d156000005{serial:08x}ffffffff")
        print(json.dumps([terminal.refused_at for terminal in terminals]), flush=True)


class _LongPolls:
    """A plain HTTP connection a terminal, all on one selector."""

    def __init__(self, terminals: list[Terminal], port: int, token: str) -> None:
        self._selector = selectors.DefaultSelector()
        self._terminals = terminals
        self._header = f"host: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\r\n"
        self._sockets = []
        for terminal in terminals:
            connection = socket.create_connection(("127.0.0.1", port))
            self._selector.register(connection, selectors.EVENT_READ, (terminal, bytearray()))
            self._sockets.append(connection)

    def ready(self) -> None:
        """Every terminal asks; a moment later all of them wait."""
        for connection, terminal in zip(self._sockets, self._terminals, strict=True):
            path = f"/v1/blacklist?since={terminal.version}&wait=300"
            connection.sendall(f"GET {path} HTTP/1.1\r\n{self._header}".encode())
        threading.Event().wait(3 + len(self._terminals) / 100)

    def run(self, card_id: str) -> None:
        """Until each has its answer."""
        waiting = len(self._terminals)
        while waiting:
            for key, _ in self._selector.select():
                terminal, received = key.data
                received += key.fileobj.recv(65536)  # type: ignore[union-attr]  # a socket
                body = _body(received)
                if body is None:
                    continue
                received.clear()
                update = load(BlacklistUpdate, body)
                terminal.take([base64.b64decode(each) for each in update.documents], card_id)
                waiting -= 1


class _Subscriptions:
    """An MQTT client a terminal, all on one selector."""

    def __init__(self, terminals: list[Terminal], port: int, _token: str) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        self._selector = selectors.DefaultSelector()
        self._waiting = 0
        self._card_id = ""
        for terminal in terminals:
            client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
            client.on_connect = self._connected
            client.on_message = self._receiver(terminal)
            client.connect("127.0.0.1", port, keepalive=600)
            connection = client.socket()
            assert connection is not None
            self._selector.register(connection.fileno(), selectors.EVENT_READ, client)
        self._pump_for(3 + len(terminals) / 200)
        self._count = len(terminals)

    def ready(self) -> None:
        """They are subscribed."""
        self._waiting = self._count

    def run(self, card_id: str) -> None:
        """Until each has the delta."""
        self._card_id = card_id
        while self._waiting:
            self._pump(None)

    def _pump_for(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            self._pump(0.05)

    def _pump(self, seconds: float | None) -> None:
        for key, _ in self._selector.select(seconds):
            client = key.data
            client.loop_read()
            while client.want_write():
                client.loop_write()

    def _connected(self, client: Any, *_: object) -> None:  # noqa: ANN401  # paho's
        client.subscribe(f"{BrokerAddress('').topic}/{DELTA}", qos=1)

    def _receiver(self, terminal: Terminal) -> Callable[[Any, object, Any], None]:
        def received(_client: object, _data: object, message: Any) -> None:  # noqa: ANN401
            terminal.take([message.payload], self._card_id)
            self._waiting -= 1

        return received


def _body(received: bytearray) -> bytes | None:
    """The body of an answer that has arrived whole."""
    head, mark, rest = bytes(received).partition(b"\r\n\r\n")
    if not mark:
        return None
    length = next(
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    )
    return rest if len(rest) == length else None


# The parts around them


@contextmanager
def _office(directory: Path, broker: int) -> Iterator[int]:
    """The back office in its own process, and its port."""
    arguments = [str(directory), str(ROUNDS), str(broker), ADMIN]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def _broker(directory: Path) -> Iterator[int]:
    """A Mosquitto of our own, and its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    config = directory / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen(
        [MOSQUITTO, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            threading.Event().wait(0.02)
        yield port
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _worker(told: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", "from benchmarks.freezing import work; work()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(told) + "\n")
    process.stdin.flush()
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _enrolment() -> dict[str, str]:
    from simulator.backoffice.seed import DEVELOPMENT_CODE

    return {"code": DEVELOPMENT_CODE.code, "profile": "kiosk"}


def _asked(port: int, path: str, body: object, token: str = "") -> dict[str, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {**JSON, "authorization": f"Bearer {token}"}
    connection.request("POST", path, json.dumps(body), headers)
    reply = connection.getresponse()
    answer: dict[str, Any] = json.loads(reply.read())
    connection.close()
    assert reply.status == 200, answer
    return answer


def _snapshot(port: int, token: str) -> bytes:
    """The list as it is before the first loss."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"authorization": f"Bearer {token}"}
    connection.request("GET", "/v1/blacklist?since=0", headers=headers)
    offer = json.loads(connection.getresponse().read())["snapshot"]
    connection.request("GET", f"/v1/blacklist/snapshot?version={offer['version']}", headers=headers)
    document = connection.getresponse().read()
    connection.close()
    return document
