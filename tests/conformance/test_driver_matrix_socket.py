"""The matrix of facts appendix C, the functions called over the agent's WebSocket."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from websockets.sync.client import connect

from apdu.ssc.driver import Devices
from terminal.agent.guard import Doors, Guard
from terminal.agent.ldt33 import PATHS, Ldt33Socket
from terminal.agent.rate import RateLimit
from terminal.agent.scopes import Scope
from terminal.agent.tokens import TokenBook
from terminal.kiosk.serving import LocalServer
from tests.conformance.driver_bench import Call, Face, Result
from tests.conformance.driver_matrix import Row, cases, run


@pytest.fixture(scope="module")
def over_the_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Face]:
    """A face over one server, which is given the devices of each case."""
    directory: Path = tmp_path_factory.mktemp("agent")
    book = TokenBook(directory)
    token, _ = book.create("matrix", Scope, datetime.now(UTC), Random(1).randbytes)
    here: list[Devices] = []
    socket = Ldt33Socket(lambda: here[-1], lease=60)
    guard = Middleware(
        Guard,
        doors=Doors((), (), {}),
        tokens=book,
        limit=RateLimit(1_000_000, time.monotonic),
        failures=RateLimit(1, time.monotonic),
        page_paths=PATHS,
    )
    app = Starlette(routes=[WebSocketRoute("/", socket.serve)], middleware=[guard])
    server = LocalServer(app, 0, "matrix", sockets=True)
    server.start()
    headers = {"authorization": f"Bearer {token}"}

    @contextmanager
    def face(devices: Devices) -> Iterator[Call]:
        here.append(devices)
        with connect(server.origin.replace("http", "ws"), additional_headers=headers) as line:

            def ask(name: str, arguments: Mapping[str, object]) -> Result:
                line.send(json.dumps({"function": name, **arguments}))
                told = json.loads(line.recv(timeout=60))
                assert set(told) == {"success", "pOutInfo"}
                return Result(told["success"], told["pOutInfo"])

            yield ask

    made: Callable[[Devices], AbstractContextManager[Call]] = face
    yield made
    server.close()


@pytest.mark.parametrize(("row", "version", "module"), cases())
def test_matrix(row: Row, version: str, module: str, over_the_socket: Face) -> None:
    run(row, version, module, over_the_socket)
