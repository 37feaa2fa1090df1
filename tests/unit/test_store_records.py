"""The smaller records of the store: audit trail, last known statuses, identity, the clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from backend_client.messages import CardRef, CardStatus, Enrolment, PublicKey
from simulator.clock import SimulatedClock
from terminal.clock import SHANGHAI
from terminal.store.audit import Audit, AuditEntry
from terminal.store.clock_guard import TOLERANCE, ClockGuard
from terminal.store.identity import load_identity, save_identity
from terminal.store.status_cache import TOLERANCE as STATUS_TOLERANCE
from terminal.store.status_cache import StatusCache
from terminal.store.store import Store

NOW = datetime(2026, 3, 4, 10, tzinfo=SHANGHAI)
HOUR = timedelta(hours=1)
CARD = CardRef("990100d15600000500000001ffffffff", "A12345678")
OTHER = CardRef("990100d15600000500000002ffffffff", "B12345678")
KEY = bytes(range(32))


def open_store(directory: Path) -> Store:
    return Store.open(directory, random=Random(1).randbytes, key=KEY)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


@pytest.mark.article(27)
def test_the_trail_says_who_did_what_where_and_why_not(store: Store) -> None:
    audit = Audit(store)
    read = AuditEntry(NOW, "console", "read", "admitted", list_version=3)
    settled = AuditEntry(NOW + HOUR, "kiosk", "settlement", "refused", "FROZEN", 18, 4)
    nobody = AuditEntry(NOW + HOUR, "kiosk", "read", "refused", "NOT_AUTHENTIC", 26)
    audit.record(read, CARD.card_id)
    audit.record(settled, OTHER.card_id)
    audit.record(nobody, None)
    assert audit.latest() == (nobody, settled, read)
    assert audit.latest(1) == (nobody,)
    assert audit.latest(card_id=CARD.card_id) == (read,)


@pytest.mark.article(25)
def test_the_store_names_no_card(store: Store, tmp_path: Path) -> None:
    Audit(store).record(AuditEntry(NOW, "console", "read", "admitted"), CARD.card_id)
    StatusCache(store, SimulatedClock(NOW)).keep(status(NOW))
    store.close()
    raw = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert CARD.card_id.encode() not in raw
    assert bytes.fromhex(CARD.card_id) not in raw
    assert CARD.card_number.encode() not in raw


def status(as_of: datetime) -> CardStatus:
    return CardStatus(CARD, "active", None, True, False, False, as_of)


def test_the_latest_status_of_a_card_is_kept(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        cache = StatusCache(store, SimulatedClock(NOW + HOUR))
        assert cache.last(CARD.card_id) is None
        cache.keep(status(NOW))
        newer = replace(status(NOW + HOUR), state="void")
        cache.keep(newer)
        cache.keep(status(NOW))
        assert cache.last(CARD.card_id) == newer
        assert cache.last(OTHER.card_id) is None
    with open_store(tmp_path) as store:
        assert StatusCache(store, SimulatedClock(NOW)).last(CARD.card_id) == newer


def test_a_status_from_the_future_freezes_nothing(store: Store) -> None:
    """An answer from a centre whose clock is far ahead; or a clock here that was, and is right."""
    cache = StatusCache(store, SimulatedClock(NOW))
    cache.keep(status(NOW))
    cache.keep(status(NOW + STATUS_TOLERANCE + timedelta(seconds=1)))
    assert cache.last(CARD.card_id) == status(NOW)
    cache.keep(status(NOW + STATUS_TOLERANCE))
    assert cache.last(CARD.card_id) == status(NOW + STATUS_TOLERANCE)
    StatusCache(store, SimulatedClock(NOW + 240 * HOUR)).keep(status(NOW + 240 * HOUR))
    now_void = replace(status(NOW), state="void")
    cache.keep(now_void)
    assert cache.last(CARD.card_id) == now_void


def test_the_identity_is_kept_sealed(tmp_path: Path) -> None:
    identity = Enrolment(
        "t-1",
        "a-very-secret-token-of-this-terminal",
        "990100000001",
        "示例医院",
        "urn:example:centre",
        (PublicKey("key-1", bytes(32)),),
        NOW,
    )
    with open_store(tmp_path) as store:
        assert load_identity(store) is None
        save_identity(store, identity)
    raw = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert identity.token.encode() not in raw
    with open_store(tmp_path) as store:
        assert load_identity(store) == identity


class JumpingClock(SimulatedClock):
    """A clock whose wall time somebody sets, while steady time goes its way."""

    offset = timedelta()

    def now(self) -> datetime:
        return super().now() + self.offset


def test_a_clock_that_runs_is_trusted(store: Store) -> None:
    clock = JumpingClock(NOW)
    guard = ClockGuard(store, clock)
    for _ in range(5):
        assert guard.trusted()
        clock.advance(7 * HOUR)


def test_a_clock_behind_what_the_store_has_seen_is_not_trusted(store: Store) -> None:
    clock = JumpingClock(NOW)
    assert ClockGuard(store, clock).trusted()
    clock.advance(HOUR)
    assert ClockGuard(store, clock).trusted()
    earlier = JumpingClock(NOW + HOUR - TOLERANCE)
    assert ClockGuard(store, earlier).trusted()
    too_early = JumpingClock(NOW + HOUR - TOLERANCE - timedelta(seconds=1))
    guard = ClockGuard(store, too_early)
    assert not guard.trusted()
    too_early.advance(24 * HOUR)
    assert not guard.trusted(), "time that passes alone does not bring trust back"
    assert not ClockGuard(store, JumpingClock(NOW + 48 * HOUR)).trusted()


@pytest.mark.parametrize("jump", [6 * HOUR, -6 * HOUR])
def test_a_clock_that_is_set_while_the_terminal_runs_is_not_trusted(
    store: Store, jump: timedelta
) -> None:
    clock = JumpingClock(NOW)
    clock.advance(24 * HOUR)
    guard = ClockGuard(store, clock)
    assert guard.trusted()
    clock.offset = jump
    assert not guard.trusted()
    assert not guard.trusted()


@pytest.mark.parametrize("sign", [1, -1])
def test_a_clock_is_not_walked_away_in_small_steps(store: Store, sign: int) -> None:
    clock = JumpingClock(NOW)
    clock.advance(24 * HOUR)
    guard = ClockGuard(store, clock)
    step = sign * timedelta(minutes=2)
    seen = []
    for _ in range(4):
        clock.offset += step
        clock.advance(HOUR)
        seen.append(guard.trusted())
    assert seen == [True, True, False, False]
    assert guard.confirm(clock.now())
    clock.offset += step
    assert guard.trusted(), "the sum begins anew with each confirmation"


def test_a_clock_is_confirmed_by_the_back_office_alone_and_anew_after_each_start(
    store: Store,
) -> None:
    clock = JumpingClock(NOW)
    guard = ClockGuard(store, clock)
    assert (guard.trusted(), guard.confirmed) == (True, False)
    guard.confirm(NOW)
    assert (guard.trusted(), guard.confirmed) == (True, True)
    restarted = ClockGuard(store, clock)
    assert (restarted.trusted(), restarted.confirmed) == (True, False)
    restarted.confirm(NOW + 2 * TOLERANCE)
    assert (restarted.trusted(), restarted.confirmed) == (False, False)


def test_the_back_office_settles_it(store: Store) -> None:
    clock = JumpingClock(NOW)
    guard = ClockGuard(store, clock)
    assert guard.trusted()
    assert not guard.confirm(NOW + TOLERANCE + timedelta(seconds=1))
    assert not guard.trusted()
    assert guard.confirm(NOW + TOLERANCE)
    assert guard.trusted()


def test_a_clock_that_was_ahead_is_trusted_again_once_put_right(store: Store) -> None:
    ahead = JumpingClock(NOW + 240 * HOUR)
    assert ClockGuard(store, ahead).trusted()
    right = JumpingClock(NOW)
    guard = ClockGuard(store, right)
    assert not guard.trusted()
    assert guard.confirm(NOW)
    assert guard.trusted()
    assert ClockGuard(store, right).trusted()
