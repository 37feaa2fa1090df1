"""Mutual TLS with real parts: the commands that make an authority, the server, the terminal."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend_client.calls import Calls, Retries
from backend_client.client import BackendClient
from backend_client.errors import BackendError, NotEnrolled, Untrusted
from backend_client.identity import TlsIdentity, certificate_request, new_key, tls_context
from backend_client.messages import Enrolment, EnrolmentRequest
from backend_client.transport import HttpTransport
from simulator.backoffice.authority import Authority
from simulator.backoffice.seed import DEVELOPMENT_CODE

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
CODE = DEVELOPMENT_CODE.code


def ssct(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "terminal.cli", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **environ}, timeout=60
    )


@dataclass
class Office:
    """A back office that serves https, and its authority."""

    url: str
    authority: Path
    opened: list[HttpTransport] = field(default_factory=list)

    @property
    def environ(self) -> dict[str, str]:
        ca = str(self.authority / "ca.crt")
        return {"SSCT_BACKEND_URL": self.url, "SSCT_BACKEND_CA_FILE": ca}

    def client(self, context: ssl.SSLContext, token: str | None = None) -> BackendClient:
        self.opened.append(HttpTransport(self.url, monotonic=time.monotonic, tls=context))
        return BackendClient(
            Calls(
                self.opened[-1],
                token=token,
                now=lambda: datetime.now(UTC),
                sleep=lambda _: None,
                random=os.urandom,
                retries=Retries(attempts=1),
            )
        )

    def close(self) -> None:
        for transport in self.opened:
            transport.close()
        self.opened.clear()

    def enrolled(self) -> tuple[Enrolment, TlsIdentity]:
        key = new_key(os.urandom)
        request = EnrolmentRequest(CODE, "kiosk", certificate_request=certificate_request(key))
        identity = self.client(tls_context(self.authority / "ca.crt")).enrol(request)
        assert identity.certificate is not None
        return identity, TlsIdentity.received(key, identity.certificate)


@contextmanager
def serving(directory: Path, *hosts: str) -> Iterator[Office]:
    """The back office as the commands set it up, with a certificate for these hosts."""
    authority = directory / "ca"
    assert ssct("ca", "init", "--dir", str(authority)).returncode == 0
    made = ssct("ca", "server", *hosts, "--dir", str(authority))
    assert f"ssct sim backoffice --tls {authority}" in made.stdout
    command = [sys.executable, "-m", "terminal.cli", "sim", "backoffice", "--port", "0"]
    command += ["--data", str(directory / "office"), "--tls", str(authority)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        found = re.search(r"https://[^ ]+:\d+", process.stdout.readline())
        assert found
        yield Office(found[0], authority)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 0


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with serving(tmp_path_factory.mktemp("tls"), "127.0.0.1") as office:
        yield office


@pytest.fixture
def office(standing: Office) -> Iterator[Office]:
    yield standing
    standing.close()


def test_the_terminal_enrols_and_serves_over_mutual_tls(office: Office, tmp_path: Path) -> None:
    environ = {**office.environ, "SSCT_TERMINAL_DATA_DIR": str(tmp_path)}
    enrolled = ssct("enrol", CODE, **environ)
    assert enrolled.returncode == 0, enrolled.stderr
    synced = ssct("sync", **environ)
    assert synced.returncode == 0, synced.stderr
    status = ssct("status", **environ).stdout
    assert re.search(r"certificate until +20\d\d-", status)
    assert not list(tmp_path.glob(".identity-*"))
    # The keys of a terminal without a PSAM are behind the back office, too.
    keyless = {**environ, "SSCT_SECURITY_SAM": "hsm"}
    read = ssct("read", "--json", "--reader", "sim:adult-3.0", **keyless)
    assert read.returncode == 0, read.stderr
    forged = ssct("read", "--reader", "sim:forged", **keyless)
    assert forged.returncode != 0
    away = {**keyless, "SSCT_BACKEND_URL": "https://127.0.0.1:9"}
    assert "[SAM_NO_ANSWER]" in ssct("read", "--reader", "sim:adult-3.0", **away).stderr
    # Without trust in the authority there is no connection, and with it there was.
    assert ssct("ca", "init", "--dir", str(tmp_path / "other")).returncode == 0
    other = str(tmp_path / "other" / "ca.crt")
    assert ssct("sync", **{**environ, "SSCT_BACKEND_CA_FILE": other}).returncode == 4


def test_who_shows_no_certificate_or_another_terminals_gets_nothing(office: Office) -> None:
    trusting = tls_context(office.authority / "ca.crt")
    one, one_tls = office.enrolled()
    _, two_tls = office.enrolled()
    with pytest.raises(NotEnrolled):
        office.client(trusting, one.token).lists.news(0)
    shown = tls_context(office.authority / "ca.crt", two_tls)
    with pytest.raises(NotEnrolled):
        office.client(shown, one.token).lists.news(0)
    own = tls_context(office.authority / "ca.crt", one_tls)
    assert office.client(own, one.token).lists.news(0).snapshot is not None
    assert office.client(trusting).server_time().now


def test_a_certificate_of_another_authority_ends_the_connection(
    office: Office, tmp_path: Path
) -> None:
    other = Authority.created(tmp_path / "other", os.urandom, lambda: datetime.now(UTC))
    identity, _ = office.enrolled()
    key = new_key(os.urandom)
    answer, _ = other.certify_terminal(
        certificate_request(key), identity.terminal_id, identity.institution
    )
    forged = tls_context(office.authority / "ca.crt", TlsIdentity.received(key, answer))
    with pytest.raises(BackendError) as caught:
        office.client(forged, identity.token).lists.news(0)
    assert not isinstance(caught.value, NotEnrolled)


def test_a_server_of_another_authority_or_name_is_not_believed(
    office: Office, tmp_path: Path
) -> None:
    other = Authority.created(tmp_path / "other", os.urandom, lambda: datetime.now(UTC))
    assert other.certificate
    with pytest.raises(Untrusted, match="self-signed certificate"):
        office.client(tls_context(tmp_path / "other" / "ca.crt")).server_time()
    renamed = replace(office, url=office.url.replace("127.0.0.1", "localhost"))
    with pytest.raises(Untrusted, match="not valid for 'localhost'"):
        renamed.client(tls_context(office.authority / "ca.crt")).server_time()


def test_plain_http_and_old_tls_get_nowhere(office: Office) -> None:
    port = int(office.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as plain:
        plain.sendall(b"GET /v1/time HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" not in plain.recv(200)
    old = ssl.create_default_context(cafile=str(office.authority / "ca.crt"))
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as raw,
        pytest.raises(ssl.SSLError),
    ):
        old.wrap_socket(raw, server_hostname="127.0.0.1")


def test_openssl_verifies_what_the_authority_makes(office: Office) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    command = [openssl, "verify", "-x509_strict", "-purpose", "sslserver"]
    command += ["-CAfile", str(office.authority / "ca.crt"), str(office.authority / "server.crt")]
    verified = subprocess.run(command, capture_output=True, text=True)
    assert verified.stdout.strip().endswith(": OK"), verified.stderr


def test_the_commands_say_what_is_wrong(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    for arguments in (("ca", "server"), ("ca", "show")):
        told = ssct(*arguments, "--dir", missing)
        assert told.returncode == 2
        assert "[BACKOFFICE_AUTHORITY_UNUSABLE]" in told.stderr
    assert ssct("ca", "init", "--dir", missing).returncode == 0
    again = ssct("ca", "init", "--dir", missing)
    assert (again.returncode, "there already" in again.stderr) == (2, True)
    served = ssct("sim", "backoffice", "--port", "0", "--data", missing, "--tls", missing)
    assert served.returncode == 2
    assert "no server certificate" in served.stderr
    assert "不存在 not there" in ssct("ca", "show", "--dir", missing).stdout


def test_the_address_that_is_announced_is_the_one_of_the_certificate(tmp_path: Path) -> None:
    with serving(tmp_path, "localhost", "127.0.0.1") as office:
        assert office.url.startswith("https://localhost:")
        office.client(tls_context(office.authority / "ca.crt")).server_time()
        office.close()
    assert ssct("ca", "show", "--dir", str(tmp_path / "ca")).stdout.count("+08:00\n") == 2
