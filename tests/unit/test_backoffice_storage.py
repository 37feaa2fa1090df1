"""What the back office keeps: sealed, versioned, durable; and how it refuses to start."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from random import Random

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import PoolProxiedConnection

from backend_client.messages import ConfirmRequest, TrialRequest
from simulator.backoffice import seed
from simulator.backoffice.backoffice import BackOffice
from simulator.backoffice.bank_function import BankEvent
from simulator.backoffice.database import open_engine
from simulator.backoffice.errors import (
    BadRecord,
    DatabaseUnavailable,
    KeyUnusable,
    Refused,
    SchemaMismatch,
    StartupError,
)
from simulator.backoffice.keys import load_or_create_key
from simulator.backoffice.lifecycle import Event
from simulator.backoffice.problems import problem_of
from simulator.backoffice.records import InsuranceRecord
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.sample import HOSPITAL, SampleCity, sample_bill, sample_ref
from simulator.backoffice.schema import EnrolmentCode, Institution, Meta
from simulator.backoffice.staff import CardKey
from simulator.backoffice.terminals import ROLES, Caller
from simulator.card.profile import BUILT_IN, load_profile
from simulator.clock import SHANGHAI, SimulatedClock

BEGIN = datetime(2026, 3, 16, 9, 0, tzinfo=SHANGHAI)


def opened(where: Path | str, *, randomness: int = 1, key: bytes = bytes(32)) -> SampleCity:
    """The city over a database URL, or over a file in a directory."""
    return SampleCity(
        open_engine(where if isinstance(where, str) else f"sqlite:///{where}/office.db"),
        clock=SimulatedClock(BEGIN),
        random=Random(randomness).randbytes,
        sealing_key=key,
    )


def everything_on_disk(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in directory.iterdir())


@pytest.mark.article(25)
def test_nothing_on_disk_names_a_person_a_card_or_an_illness(tmp_path: Path) -> None:
    city = opened(tmp_path)
    ref = city.card(1, current_fen=500, bills=[sample_bill("B1", 100, 200)])
    client, number = city.terminal(), city.number()
    tried = client.trial(TrialRequest(number, ref, "B1", 300))
    client.confirm(ConfirmRequest(number, ref, "B1", tried.split))
    client.account(ref)
    city.backoffice.staff.report_temporary_loss(CardKey(card_id=ref.card_id))
    client.lists.news(0)
    kept = everything_on_disk(tmp_path)
    secrets = ("样本1", "99010019900100", ref.card_id, ref.card_number, "内科", "样本项目", "V-B1")
    for secret in secrets:
        assert secret.encode() not in kept
        assert secret.encode("utf-16-le") not in kept
    assert bytes.fromhex(ref.card_id) not in kept
    city.backoffice.close()


def test_everything_is_there_again_after_a_restart(stored_database_url: str) -> None:
    city = opened(stored_database_url)
    ref = city.card(1, current_fen=500, bills=[sample_bill("B1", 300)])
    identity, number = city.enrolled("kiosk"), city.number()
    client = city.client(identity.token)
    tried = client.trial(TrialRequest(number, ref, "B1", 300))
    settled = client.confirm(ConfirmRequest(number, ref, "B1", tried.split))
    public_key = city.backoffice.public_key
    city.backoffice.close()
    again = opened(stored_database_url, randomness=2)
    assert again.backoffice.public_key == public_key
    client = again.client(identity.token)
    assert client.query(number).settlement == settled
    assert client.account(ref).current_account_fen == 200
    again.backoffice.close()


def test_another_sealing_key_does_not_open_the_database(stored_database_url: str) -> None:
    opened(stored_database_url).backoffice.close()
    with pytest.raises(KeyUnusable):
        opened(stored_database_url, key=b"\1" * 32)


@pytest.mark.parametrize("version", [b"0", b"1", b"999", b"x"])
def test_a_database_of_another_version_is_refused(version: bytes, stored_database_url: str) -> None:
    city = opened(stored_database_url)
    with city.backoffice.database.transaction() as session:
        session.get_one(Meta, "schema_version").value = version
    city.backoffice.close()
    with pytest.raises(SchemaMismatch):
        opened(stored_database_url)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "office.db").write_bytes(b"no database at all, but long enough to look at " * 50)
    with pytest.raises(DatabaseUnavailable):
        opened(tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "nosuch://x",
        "mysql://x",
        "sqlite:////nowhere/at/all/x.db",
        "postgresql://u:SECRET@/x?host=/nowhere/at/all",
    ],
)
def test_a_url_that_leads_nowhere_is_refused(url: str) -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        BackOffice(
            open_engine(url), now=lambda: BEGIN, random=Random(1).randbytes, sealing_key=bytes(32)
        )
    assert "SECRET" not in str(caught.value)


def test_a_locked_database_is_busy_and_nothing_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.backoffice.database._BUSY_MILLISECONDS", 0)
    city = opened(tmp_path)
    ref = city.card(1)
    with closing(sqlite3.connect(tmp_path / "office.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Refused) as caught:
            city.backoffice.staff.report_formal_loss(CardKey(card_id=ref.card_id))
    assert caught.value.refusal is Refusal.BUSY
    assert city.backoffice.staff.status(CardKey(card_id=ref.card_id)).state == "active"
    city.backoffice.close()


class CommitFails(sqlite3.OperationalError):
    """What a driver says when the connection breaks at a COMMIT."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("server closed the connection unexpectedly")
        self.sqlstate = sqlstate


def break_commits(
    city: SampleCity, monkeypatch: pytest.MonkeyPatch, *, done: bool, sqlstate: str | None
) -> None:
    """Let every commit fail: after it was done, or instead of it."""
    dialect = city.backoffice.database.engine.dialect
    commit, rollback = dialect.do_commit, dialect.do_rollback

    def broken(connection: PoolProxiedConnection) -> None:
        (commit if done else rollback)(connection)
        raise CommitFails(sqlstate)

    monkeypatch.setattr(dialect, "do_commit", broken)


def test_a_commit_that_may_have_been_done_is_never_called_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = opened(tmp_path)
    ref = city.card(1, current_fen=500, bills=[sample_bill("B1", 300)])
    client, number = city.terminal(), city.number()
    tried = client.trial(TrialRequest(number, ref, "B1", 300))
    token = client._calls._token
    with monkeypatch.context() as patch:
        break_commits(city, patch, done=True, sqlstate=None)
        caller = Caller("T000001", 1, HOSPITAL, ROLES["kiosk"])
        with pytest.raises(Refused) as caught:
            city.backoffice.desk.confirm(caller, ConfirmRequest(number, ref, "B1", tried.split))
    assert caught.value.refusal is Refusal.INTERNAL
    assert not problem_of(caught.value).not_processed
    assert city.client(token).query(number).state == "confirmed"
    city.backoffice.close()


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
def test_a_commit_that_the_database_says_it_undid_is_busy(
    sqlstate: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = opened(tmp_path)
    ref = city.card(1)
    with monkeypatch.context() as patch:
        break_commits(city, patch, done=False, sqlstate=sqlstate)
        with pytest.raises(Refused) as caught:
            city.backoffice.staff.report_formal_loss(CardKey(card_id=ref.card_id))
    assert caught.value.refusal is Refusal.BUSY
    assert city.backoffice.staff.status(CardKey(card_id=ref.card_id)).state == "active"
    city.backoffice.close()


def test_two_that_race_for_one_key_may_try_again_but_a_broken_rule_is_a_fault(
    database_url: str,
) -> None:
    city = opened(database_url)
    database = city.backoffice.database
    with pytest.raises(Refused) as caught, database.transaction() as session:
        session.add(Institution(code=HOSPITAL, name="样本", tier=1))
    assert caught.value.refusal is Refusal.BUSY
    for row in (
        Institution(code="990100000999", name=None, tier=1),
        EnrolmentCode(code_index=b"1", institution="nowhere", valid_until=BEGIN),
    ):
        with pytest.raises(IntegrityError), database.transaction() as session:
            session.add(row)
    city.backoffice.close()


def test_an_instant_is_taken_when_a_transaction_is_alone(tmp_path: Path) -> None:
    """So `issued_at`, `as_of` and `settled_at` never run back from one version to the next."""
    city = opened(tmp_path)
    ref = city.card(1, state="formally_lost", bills=[sample_bill("B1", 300)])
    key, client, office = CardKey(card_id=ref.card_id), city.terminal(), city.backoffice
    number = city.number()
    was_alone: list[bool] = []

    def now() -> datetime:
        with closing(sqlite3.connect(tmp_path / "office.db", timeout=0)) as other:
            try:
                other.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                was_alone.append(True)
            else:
                was_alone.append(False)
        return city.clock.now()

    office._now = now
    office.staff.release_loss(key)
    office.staff.bank_event(key, BankEvent.OPEN)
    office.staff.freeze(key)
    office.staff.unfreeze(key)
    client.account(ref)
    client.bills(ref)
    tried = client.trial(TrialRequest(number, ref, "B1", 300))
    client.confirm(ConfirmRequest(number, ref, "B1", tried.split))
    client.reverse(number)
    office.staff.replace(key, sample_ref(2), Event.EXCHANGE)
    fresh = CardKey(card_id=sample_ref(2).card_id)
    office.staff.activate(fresh)
    office.staff.stop(fresh)
    client.lists.news(0)
    assert len(was_alone) >= 13
    assert all(was_alone)
    city.backoffice.close()


def test_the_key_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "key"
    key = load_or_create_key(file, Random(1).randbytes)
    assert len(key) == 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert load_or_create_key(file, Random(2).randbytes) == key


@pytest.mark.parametrize("text", ["", "00" * 31, "00" * 33, "zz" * 32, "钥匙"])
def test_a_key_file_without_a_key_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(text, "utf-8")
    file.chmod(0o600)
    with pytest.raises(KeyUnusable):
        load_or_create_key(file, Random(1).randbytes)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    load_or_create_key(file, Random(1).randbytes)
    file.chmod(0o640)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        load_or_create_key(file, Random(1).randbytes)


def test_a_key_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable):
        load_or_create_key(tmp_path / "missing" / "key", Random(1).randbytes)


@pytest.mark.parametrize("error", StartupError.__subclasses__())
def test_every_startup_error_explains_itself(error: type[StartupError]) -> None:
    assert error.code.startswith("BACKOFFICE_")
    assert error.zh
    assert error.en
    assert error.remedy


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_profile_can_be_registered_once(name: str, tmp_path: Path) -> None:
    city, profile = opened(tmp_path), load_profile(name)
    entry = profile.backoffice
    if entry is None:
        city.backoffice.close()
        return

    def register() -> bool:
        return seed.register_entry(
            city.backoffice,
            name=profile.holder.name,
            ssn=profile.holder.ssn,
            card_id=profile.card.card_id,
            card_number=profile.card.number,
            entry=asdict(entry),
        )

    assert register()
    status = city.backoffice.staff.status(CardKey(card_number=profile.card.number))
    assert (status.state, status.financial_active) == (entry.state, entry.financial_active)
    client = city.terminal()
    if entry.state == "active":
        assert client.account(status.card).current_account_fen == entry.current_account_fen
        assert len(client.bills(status.card).bills) == len(entry.bills)
    assert not register()
    city.backoffice.close()


def test_a_record_that_breaks_the_contract_is_refused(tmp_path: Path) -> None:
    city = opened(tmp_path)
    for bills in (
        [sample_bill("B1", 1, institution="990100999999")],
        [sample_bill("B 1", 1)],
        [sample_bill("B1", 1), sample_bill("B1", 1)],
    ):
        with pytest.raises(BadRecord):
            city.card(1, bills=bills)
    unheard_of = InsuranceRecord("weather", "insured", BEGIN.date(), 1)
    with pytest.raises(BadRecord):
        city.card(1, insurances=[unheard_of])
    assert city.card(1).card_number == "S00000001"
    with pytest.raises(Refused):
        city.backoffice.staff.status(CardKey(card_number="S00000002"))
    city.backoffice.close()
