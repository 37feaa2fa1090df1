"""HTTP: every way an exchange can fail is one of our errors, and the right one for money."""

from __future__ import annotations

import gzip
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import count
from queue import Empty, Queue
from threading import Thread

import httpx2
import pytest

from backend_client import errors
from backend_client.deadline import Deadline
from backend_client.transport import HttpTransport, Reply, Request, Timeouts

Handler = Callable[[httpx2.Request], httpx2.Response]


def over(handler: Handler, **options: object) -> HttpTransport:
    """A transport whose network is `handler`."""
    defaults: dict[str, object] = {"monotonic": lambda: 0.0, **options}
    return HttpTransport(
        "https://backoffice.example/base/",
        handler=httpx2.MockTransport(handler),
        **defaults,  # type: ignore[arg-type]  # options by name
    )


def pieces(*chunks: bytes, failure: Exception | None = None) -> Iterator[bytes]:
    yield from chunks
    if failure is not None:
        raise failure


def test_request_and_reply_are_carried_as_they_are() -> None:
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(409, content=pieces(b"no"), headers={"Retry-After": "3"})

    reply = over(handler).send(Request("POST", "/v1/x?since=1", b"{}", {"idempotency-key": "k"}))
    assert (reply.status, reply.body, reply.headers["retry-after"]) == (409, b"no", "3")
    (request,) = seen
    assert str(request.url) == "https://backoffice.example/base/v1/x?since=1"
    assert (request.method, request.content) == ("POST", b"{}")
    assert request.headers["idempotency-key"] == "k"
    assert request.headers["accept-encoding"] == "identity"


NEVER_SENT = {
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.UnsupportedProtocol,
}


def descendants(cls: type[httpx2.RequestError]) -> set[type[httpx2.RequestError]]:
    return {cls}.union(*(descendants(child) for child in cls.__subclasses__()))


@pytest.mark.parametrize(
    "failure", sorted(descendants(httpx2.RequestError), key=lambda failure: str(failure))
)
def test_only_a_connection_that_never_was_proves_that_nothing_left(
    failure: type[httpx2.RequestError],
) -> None:
    def handler(_request: httpx2.Request) -> httpx2.Response:
        raise failure("a message with 990100199001011234")

    expected = errors.Unreachable if failure in NEVER_SENT else errors.NoReply
    with pytest.raises(errors.BackendError) as caught:
        over(handler).send(Request("POST", "/v1/x"))
    assert type(caught.value) is expected
    assert "990100" not in str(caught.value)
    assert str(caught.value).endswith(f" ({failure.__name__})"), "a sentence, then the class"


@pytest.mark.parametrize("failure", [ConnectionResetError(), TimeoutError(), OSError("x")])
def test_errors_of_the_system_leave_the_outcome_unknown(failure: OSError) -> None:
    def handler(_request: httpx2.Request) -> httpx2.Response:
        raise failure

    with pytest.raises(errors.NoReply):
        over(handler).send(Request("POST", "/v1/x"))


def test_a_reply_torn_in_the_middle_leaves_the_outcome_unknown() -> None:
    def handler(_request: httpx2.Request) -> httpx2.Response:
        torn = pieces(b"{", failure=httpx2.ReadError("reset"))
        return httpx2.Response(200, content=torn)

    with pytest.raises(errors.NoReply):
        over(handler).send(Request("POST", "/v1/x"))


def test_a_path_that_is_no_url_was_never_sent() -> None:
    with pytest.raises(errors.Unreachable):
        over(lambda _request: httpx2.Response(200)).send(Request("GET", "/\x00"))


def test_an_endless_reply_is_cut_at_the_bound() -> None:
    drawn = count()

    def endless() -> Iterator[bytes]:
        while True:
            next(drawn)
            yield bytes(1000)

    transport = over(lambda _request: httpx2.Response(200, content=endless()), max_body=10_000)
    with pytest.raises(errors.BadMessage) as caught:
        transport.send(Request("GET", "/v1/blacklist?since=0"))
    assert caught.value.rule == "size"
    assert next(drawn) <= 11


def test_a_reply_of_exactly_the_bound_is_taken() -> None:
    transport = over(
        lambda _request: httpx2.Response(200, content=pieces(bytes(100))), max_body=100
    )
    assert len(transport.send(Request("GET", "/")).body) == 100


def test_a_reply_that_drips_for_too_long_is_given_up() -> None:
    clock = count(0, 10)
    drip = httpx2.Response(200, content=pieces(*[b"x"] * 100))
    transport = over(
        lambda _request: drip, monotonic=lambda: float(next(clock)), timeouts=Timeouts(total=60)
    )
    with pytest.raises(errors.NoReply):
        transport.send(Request("POST", "/v1/x"))


class Drip:
    """A server on this machine that sends a reply piece by piece, one for each look at the clock.

    Its clock goes on ten seconds with every look, so nobody has to wait for anything.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = list(pieces)
        self._looked: Queue[None] = Queue()
        self._time = 0.0
        self.sent = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = Thread(target=self._serve)
        self._thread.start()

    def monotonic(self) -> float:
        self._looked.put(None)
        self._time += 10.0
        return self._time

    def end(self) -> None:
        self._thread.join(timeout=30)
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, suppress(OSError):
            connection.recv(65536)
            for piece in self._pieces:
                with suppress(Empty):  # a client that looks at no clock gets everything anyway
                    self._looked.get(timeout=0.2)
                connection.sendall(piece)
                self.sent += 1


HEADERS = [b"HTTP/1.1 200 OK\r\n", *[b"x-drip: 1\r\n"] * 20, b"content-length: 2\r\n\r\n", b"{}"]
BODY = [b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n", *[b"x"] * 20]


@pytest.mark.parametrize("pieces", [HEADERS, BODY])
def test_one_deadline_is_over_the_whole_exchange(pieces: list[bytes]) -> None:
    drip = Drip(pieces)
    transport = HttpTransport(drip.url, monotonic=drip.monotonic, timeouts=Timeouts(total=150))
    with pytest.raises(errors.NoReply):
        transport.send(Request("POST", "/v1/x", b"{}"))
    transport.close()
    drip.end()
    assert drip.sent < len(pieces)


def test_each_exchange_has_a_deadline_of_its_own() -> None:
    clock = count(0, 10)
    exchanges = 5

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()  # all of them come over one kept connection
        with connection:
            for _ in range(exchanges):
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve, args=[listener])
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        transport = HttpTransport(
            url, monotonic=lambda: float(next(clock)), timeouts=Timeouts(total=90)
        )
        for _ in range(exchanges):
            assert transport.send(Request("GET", "/v1/time")).body == b"{}"
        transport.close()
        thread.join(timeout=30)
    assert next(clock) > 90 * 2


def test_a_wait_is_never_longer_than_what_is_left() -> None:
    clock = iter([0.0, 10.0, 50.0, 59.0, 60.0])
    deadline = Deadline(lambda: next(clock))
    deadline.start(60)
    assert [deadline.bounded(15, TimeoutError) for _ in range(3)] == [15, 10, 1]
    with pytest.raises(TimeoutError):
        deadline.bounded(15, TimeoutError)


def test_a_compressed_reply_is_refused_unopened() -> None:
    def handler(_request: httpx2.Request) -> httpx2.Response:
        packed = gzip.compress(bytes(100_000))
        return httpx2.Response(200, content=pieces(packed), headers={"content-encoding": "gzip"})

    with pytest.raises(errors.BadMessage) as caught:
        over(handler).send(Request("GET", "/"))
    assert caught.value.rule == "content-encoding"


def test_a_redirect_is_a_reply_and_is_not_followed() -> None:
    seen: list[str] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(str(request.url))
        return httpx2.Response(
            307, content=pieces(), headers={"location": "https://elsewhere.example/"}
        )

    assert over(handler).send(Request("POST", "/v1/x")).status == 307
    assert len(seen) == 1


def test_no_cookie_is_kept() -> None:
    cookies: list[str | None] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        cookies.append(request.headers.get("cookie"))
        return httpx2.Response(200, content=pieces(), headers={"set-cookie": "a=b; Path=/"})

    transport = over(handler)
    transport.send(Request("GET", "/"))
    transport.send(Request("GET", "/"))
    assert cookies == [None, None]


@pytest.mark.parametrize(
    "url",
    [
        "https://backoffice.example",
        "https://backoffice.example:8443/city/",
        "http://127.0.0.1:8080",
        "http://127.9.9.9",
        "http://[::1]:8080",
        "http://localhost:1",
    ],
)
def test_https_anywhere_and_http_on_this_machine_are_addresses(url: str) -> None:
    HttpTransport(url, monotonic=lambda: 0.0).close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "backoffice.example",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "http://backoffice.example",
        "http://10.0.0.1",
        "http://0.0.0.0:8080",
        "http://localhost.example",
        "https://",
        "https://:443",
        "https://user:secret@backoffice.example",
        "https://backoffice.example/?token=secret",
        "https://backoffice.example/#secret",
        "https://backoffice.example:0",
        "https://backoffice.example:99999",
        "https://[::1",
    ],
)
def test_other_addresses_are_refused_and_not_shown(url: str) -> None:
    with pytest.raises(errors.BadAddress) as caught:
        HttpTransport(url, monotonic=lambda: 0.0)
    assert "secret" not in str(caught.value)


def test_reprs_show_no_body_and_no_header() -> None:
    shown = repr(
        (Request("POST", "/", b"body", {"a": "token"}), Reply(200, b"body", {"a": "token"}))
    )
    assert "body" not in shown
    assert "token" not in shown
