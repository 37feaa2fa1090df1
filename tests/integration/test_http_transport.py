"""The HTTP transport over real sockets on this machine."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from threading import Event

import pytest

from backend_client.errors import NoReply, Unreachable
from backend_client.transport import HttpTransport, Request, Timeouts

pytestmark = pytest.mark.integration

Answer = Callable[[socket.socket], None]
REQUEST = Request(
    "POST", "/v1/settlements", b'{"number":"x"}', {"content-type": "application/json"}
)
QUICK = Timeouts(connect=5, piece=0.2, total=5)


@contextmanager
def server(*answers: Answer) -> Iterator[tuple[str, list[bytes]]]:
    """A server that takes one connection for each answer; gives its URL and what it received."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        served: Future[None] = pool.submit(_serve, listener, answers, received)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", received
        served.result(timeout=10)


def _serve(listener: socket.socket, answers: tuple[Answer, ...], received: list[bytes]) -> None:
    listener.settimeout(10)
    for answer in answers:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            data = b""
            while not data.endswith(REQUEST.body):
                data += connection.recv(65536)
            received.append(data)
            answer(connection)


Connect = Callable[[str], HttpTransport]


@pytest.fixture
def transport() -> Iterator[Connect]:
    """Makes transports, and closes the connections that they have kept at the end of the test."""
    with ExitStack() as opened:

        def connect(url: str) -> HttpTransport:
            made = HttpTransport(url, monotonic=time.monotonic, timeouts=QUICK)
            return opened.enter_context(closing(made))

        yield connect


def until_the_client_leaves(connection: socket.socket) -> None:
    connection.recv(1)


def test_an_exchange(transport: Connect) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\n{}")

    with server(answer) as (url, received):
        reply = transport(url).send(REQUEST)
    assert (reply.status, reply.body, reply.headers["x-a"]) == (200, b"{}", "b")
    assert received[0].startswith(b"POST /v1/settlements HTTP/1.1\r\n")


def test_a_closed_port_means_that_nothing_left(transport: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(Unreachable):
        transport(url).send(REQUEST)


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"garbage\r\n\r\n",
    ],
)
def test_a_server_that_dies_after_the_request_leaves_the_outcome_unknown(
    transport: Connect, part: bytes
) -> None:
    with (
        server(lambda connection: connection.sendall(part)) as (url, received),
        pytest.raises(NoReply),
    ):
        transport(url).send(REQUEST)
    assert len(received) == 1


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"])
def test_a_server_that_falls_silent_leaves_the_outcome_unknown(
    transport: Connect, part: bytes
) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(part)
        until_the_client_leaves(connection)

    with server(answer) as (url, received), pytest.raises(NoReply):
        transport(url).send(REQUEST)
    assert len(received) == 1


def test_a_kept_connection_that_was_closed_is_not_used_for_a_second_sending(
    transport: Connect,
) -> None:
    left = Event()

    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        connection.shutdown(socket.SHUT_WR)
        left.set()

    with server(answer, answer) as (url, received):
        kept = transport(url)
        assert kept.send(REQUEST).status == 200
        assert left.wait(10)
        assert kept.send(REQUEST).status == 200
    assert len(received) == 2
