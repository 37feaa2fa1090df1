"""Certificates of terminals: what the authority issues, and what the back office accepts."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from backend_client.calls import Calls
from backend_client.certificate_messages import CertificateRequest, TerminalCertificate
from backend_client.client import BackendClient
from backend_client.errors import BadAddress, BadCertificate, NotEnrolled, Refused
from backend_client.identity import TlsIdentity, certificate_request, new_key, tls_context
from backend_client.messages import Enrolment, EnrolmentRequest
from backend_client.transport import Request
from simulator.backoffice.authority import SKEW, TERMINAL_LIFETIME, Authority, ends_at
from simulator.backoffice.backoffice import BackOffice
from simulator.backoffice.database import open_engine
from simulator.backoffice.errors import AuthorityUnusable
from simulator.backoffice.inprocess import InProcessTransport
from simulator.backoffice.sample import HOSPITAL, SampleCity
from simulator.clock import SHANGHAI, SimulatedClock

BEGIN = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.created(tmp_path / "ca", Random(1).randbytes, lambda: BEGIN)


@pytest.fixture
def city(authority: Authority, database_url: str) -> Iterator[SampleCity]:
    city = SampleCity(
        open_engine(database_url),
        clock=SimulatedClock(BEGIN),
        random=Random(1).randbytes,
        authority=authority,
    )
    yield city
    city.backoffice.close()


def client(city: SampleCity, token: str | None, certificate: bytes | None) -> BackendClient:
    """A client whose connections show that certificate."""
    return BackendClient(
        Calls(
            InProcessTransport(city.api, certificate),
            token=token,
            now=city.clock.now,
            sleep=lambda _: None,
            random=Random(2).randbytes,
        )
    )


def enrolled(city: SampleCity, seed: int = 1) -> tuple[Enrolment, TlsIdentity]:
    code, _ = city.backoffice.staff.create_enrolment_code(HOSPITAL)
    key = new_key(Random(seed).randbytes)
    request = EnrolmentRequest(code, "kiosk", certificate_request=certificate_request(key))
    identity = client(city, None, None).enrol(request)
    assert identity.certificate is not None
    return identity, TlsIdentity.received(key, identity.certificate)


def der(identity: TlsIdentity) -> bytes:
    return base64.b64decode(identity.certificate.certificate)


def code_of(city: SampleCity, token: str, certificate: bytes | None) -> str:
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    request = Request("GET", "/v1/blacklist", b"", headers)
    reply = city.api.dispatch(request, certificate)
    return "" if reply.status == 200 else str(json.loads(reply.body)["code"])


def test_a_terminals_certificate_says_who_it_is_and_what_it_is_for(
    city: SampleCity, authority: Authority
) -> None:
    identity, tls = enrolled(city)
    found = x509.load_der_x509_certificate(der(tls))
    found.verify_directly_issued_by(authority.certificate)
    names = {each.oid: each.value for each in found.subject}
    assert names[NameOID.COMMON_NAME] == identity.terminal_id
    assert names[NameOID.ORGANIZATION_NAME] == HOSPITAL
    extensions = found.extensions
    usage = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert found.not_valid_before_utc == BEGIN - SKEW
    assert found.not_valid_after_utc == BEGIN + TERMINAL_LIFETIME
    assert found.public_key() == tls.key.public_key()


def test_a_token_is_good_over_its_own_certificate_only(city: SampleCity) -> None:
    one, one_tls = enrolled(city, 1)
    two, two_tls = enrolled(city, 2)
    assert code_of(city, one.token, der(one_tls)) == ""
    assert code_of(city, two.token, der(two_tls)) == ""
    assert code_of(city, one.token, None) == "CERTIFICATE_REQUIRED"
    assert code_of(city, one.token, der(two_tls)) == "CERTIFICATE_NOT_ACCEPTED"
    assert code_of(city, one.token, b"anything") == "CERTIFICATE_NOT_ACCEPTED"
    assert code_of(city, "x" * 43, der(one_tls)) == "NOT_ENROLLED"
    with pytest.raises(NotEnrolled, match="CERTIFICATE_REQUIRED"):
        client(city, one.token, None).lists.news(0)


def test_every_terminal_route_wants_the_certificate(city: SampleCity) -> None:
    identity, _ = enrolled(city)
    headers = {"content-type": "application/json", "authorization": f"Bearer {identity.token}"}
    for path, route in city.api.routes.items():
        if not path.startswith("/v1/") or path in ("/v1/time", "/v1/terminals"):
            continue
        reply = city.api.dispatch(Request(route.method, path, b"{}", headers))
        assert json.loads(reply.body)["code"] == "CERTIFICATE_REQUIRED"
    assert client(city, None, None).server_time().now == BEGIN


def test_a_renewed_certificate_is_good_beside_the_one_before(city: SampleCity) -> None:
    identity, tls = enrolled(city)
    fresh = new_key(Random(9).randbytes)
    connected = client(city, identity.token, der(tls))
    answer = connected.certificates.renew(CertificateRequest(certificate_request(fresh)))
    renewed = TlsIdentity.received(fresh, answer)
    assert der(renewed) != der(tls)
    for each in (tls, renewed):
        assert code_of(city, identity.token, der(each)) == ""
    other, _ = enrolled(city, 2)
    assert code_of(city, other.token, der(renewed)) == "CERTIFICATE_NOT_ACCEPTED"


def other_key_request() -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    return encoded(builder.sign(key, None))


def other_curve_request() -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    return encoded(builder.sign(ec.derive_private_key(7, ec.SECP384R1()), hashes.SHA256()))


def tampered_request() -> str:
    """A request whose key was exchanged after it was signed."""
    mine = base64.b64decode(certificate_request(new_key(Random(1).randbytes)))
    other = new_key(Random(2).randbytes).public_key()
    point = other.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    own = new_key(Random(1).randbytes).public_key()
    known = own.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    return base64.b64encode(mine.replace(known, point)).decode()


def encoded(request: x509.CertificateSigningRequest) -> str:
    return base64.b64encode(request.public_bytes(serialization.Encoding.DER)).decode()


@pytest.mark.parametrize(
    "request_text",
    [None, "AAAA", other_key_request(), other_curve_request(), tampered_request()],
    ids=["missing", "garbage", "ed25519", "p384", "tampered"],
)
def test_a_bad_request_is_refused_and_the_code_stays_good(
    request_text: str | None, city: SampleCity
) -> None:
    code, _ = city.backoffice.staff.create_enrolment_code(HOSPITAL)
    bad = EnrolmentRequest(code, "kiosk", certificate_request=request_text)
    with pytest.raises(Refused) as caught:
        client(city, None, None).enrol(bad)
    assert caught.value.problem.code == "CERTIFICATE_REQUEST_INVALID"
    good = certificate_request(new_key(Random(3).randbytes))
    request = EnrolmentRequest(code, "kiosk", certificate_request=good)
    assert client(city, None, None).enrol(request).certificate is not None


def test_without_an_authority_no_certificate_is_issued_or_wanted() -> None:
    city = SampleCity(
        open_engine("sqlite://"), clock=SimulatedClock(BEGIN), random=Random(1).randbytes
    )
    asked = certificate_request(new_key(Random(3).randbytes))
    code, _ = city.backoffice.staff.create_enrolment_code(HOSPITAL)
    request = EnrolmentRequest(code, "kiosk", certificate_request=asked)
    identity = city.client(None).enrol(request)
    assert identity.certificate is None
    connected = city.client(identity.token)
    assert connected.lists.news(0).snapshot is not None
    with pytest.raises(Refused) as caught:
        connected.certificates.renew(CertificateRequest(asked))
    assert caught.value.problem.code == "CERTIFICATES_NOT_ISSUED"
    city.backoffice.close()


# The terminal's side


def test_a_certificate_is_checked_before_it_is_taken(city: SampleCity, tmp_path: Path) -> None:
    _, tls = enrolled(city)
    answer = tls.certificate
    stranger = Authority.created(tmp_path / "other", Random(8).randbytes, lambda: BEGIN)
    forged, _ = stranger.certify_terminal(certificate_request(tls.key), "T000001", HOSPITAL)
    for bad in (
        replace(answer, certificate="AAAA"),
        replace(answer, certificate="%%%%"),
        replace(answer, issuer=forged.issuer),
        replace(answer, not_after=answer.not_after + timedelta(days=1)),
    ):
        with pytest.raises(BadCertificate):
            TlsIdentity.received(tls.key, bad)
    with pytest.raises(BadCertificate, match="another key"):
        TlsIdentity.received(new_key(Random(5).randbytes), answer)


def test_an_identity_is_kept_and_comes_back_and_shows_no_key(city: SampleCity) -> None:
    _, tls = enrolled(city)
    again = TlsIdentity.restored(json.loads(json.dumps(tls.kept())))
    assert again.certificate == tls.certificate
    assert again.key.private_numbers() == tls.key.private_numbers()
    assert "key" not in repr(tls)


def test_renewal_is_due_when_a_third_of_the_time_is_left(city: SampleCity) -> None:
    _, tls = enrolled(city)
    begin, end = tls.certificate.not_before, tls.certificate.not_after
    due = begin + (end - begin) * 2 / 3
    second = timedelta(seconds=1)
    assert not tls.is_renewal_due(due - second)
    assert tls.is_renewal_due(due)
    assert tls.is_valid(begin)
    assert not tls.is_valid(begin - second)
    assert tls.is_valid(end - second)
    assert not tls.is_valid(end)


def test_the_key_is_on_disk_for_a_moment_only(city: SampleCity, tmp_path: Path) -> None:
    _, tls = enrolled(city)
    tls_context(None, tls, directory=tmp_path, random=Random(4).randbytes)
    assert [file.name for file in tmp_path.iterdir()] == ["ca"]


def test_a_file_without_authorities_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty.crt").write_text("nothing")
    for name in ("missing.crt", "empty.crt"):
        with pytest.raises(BadAddress, match=re.escape(name)):
            tls_context(tmp_path / name)


def test_keys_are_on_the_curve_and_from_the_randomness_handed_in() -> None:
    one, two = new_key(Random(1).randbytes), new_key(Random(1).randbytes)
    assert one.private_numbers() == two.private_numbers()
    assert one.private_numbers() != new_key(Random(2).randbytes).private_numbers()
    assert new_key(lambda n: bytes(n)).private_numbers().private_value == 1
    assert isinstance(new_key(lambda n: b"\xff" * n).curve, ec.SECP256R1)


# The authority on disk


def test_the_authority_is_made_once_and_its_key_is_for_its_owner_only(tmp_path: Path) -> None:
    made = Authority.created(tmp_path / "ca", Random(1).randbytes, lambda: BEGIN)
    assert (tmp_path / "ca" / "ca.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(AuthorityUnusable, match="there already"):
        Authority.created(tmp_path / "ca", Random(2).randbytes, lambda: BEGIN)
    opened = Authority.opened(tmp_path / "ca", Random(3).randbytes, lambda: BEGIN)
    assert opened.certificate == made.certificate
    constraints = made.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, True)


def test_an_authority_that_others_can_read_or_that_is_no_pair_is_refused(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("two", 2)):
        Authority.created(tmp_path / name, Random(seed).randbytes, lambda: BEGIN)
    (tmp_path / "one" / "ca.key").chmod(0o640)
    with pytest.raises(AuthorityUnusable, match="other users"):
        Authority.opened(tmp_path / "one", Random(3).randbytes, lambda: BEGIN)
    (tmp_path / "two" / "ca.crt").write_bytes((tmp_path / "one" / "ca.crt").read_bytes())
    with pytest.raises(AuthorityUnusable, match="no pair"):
        Authority.opened(tmp_path / "two", Random(3).randbytes, lambda: BEGIN)
    with pytest.raises(AuthorityUnusable, match="ssct ca init"):
        Authority.opened(tmp_path / "three", Random(3).randbytes, lambda: BEGIN)


def test_a_servers_certificate_names_its_hosts_and_is_made_anew(
    tmp_path: Path, authority: Authority
) -> None:
    until = authority.certify_server(tmp_path, ["localhost", "127.0.0.1", "::1"])
    first = (tmp_path / "server.crt").read_bytes()
    found = x509.load_pem_x509_certificate(first)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert ends_at(tmp_path / "server.crt") == until
    authority.certify_server(tmp_path, ["localhost"])
    assert (tmp_path / "server.crt").read_bytes() != first
    assert (tmp_path / "server.key").stat().st_mode & 0o777 == 0o600


def test_instants_of_certificates_are_whole_seconds_in_any_zone(tmp_path: Path) -> None:
    odd = datetime(2026, 3, 16, 1, 2, 3, 456, tzinfo=UTC)
    authority = Authority.created(tmp_path / "ca", Random(1).randbytes, lambda: odd)
    answer, _ = authority.certify_terminal(
        certificate_request(new_key(Random(2).randbytes)), "T000001", HOSPITAL
    )
    assert answer.not_before == odd.replace(microsecond=0) - SKEW
    assert isinstance(answer, TerminalCertificate)


def test_a_back_office_says_whether_it_wants_certificates(city: SampleCity) -> None:
    assert city.backoffice.mutual_tls
    document = json.loads(city.api.dispatch(Request("GET", "/openapi.json")).body)
    schemes = document["components"]["securitySchemes"]
    assert schemes["terminalCertificate"]["type"] == "mutualTLS"
    assert isinstance(city.backoffice, BackOffice)
