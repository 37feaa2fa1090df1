"""Synchronisation: snapshots, deltas, gaps, and lists that must not be taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from backend_client.entry_set import EntrySet
from backend_client.errors import NoAnswer, NoReply
from backend_client.list_issue import sign_delta, sign_snapshot
from backend_client.messages import PublicKey
from backend_client.transport import Reply, Request
from simulator.clock import SimulatedClock
from terminal.app import Terminal
from terminal.policy import Function
from terminal.reasons import Reason

from .small_centre import (
    CARD,
    DAY,
    NOW,
    SIGNER,
    Centre,
    asked,
    listed,
    loss,
    offer_whole,
    publish,
    reason,
    status_of,
)


def test_sync_takes_a_snapshot_then_deltas(terminal: Terminal, centre: Centre) -> None:
    first, second = listed(1), listed(2, loss(None), at=NOW + timedelta(hours=1))
    centre.clock.advance(timedelta(hours=1))
    centre.deltas = (sign_delta(first, second, "key-1", SIGNER),)
    report = terminal.sync()
    assert (report.before, report.after, report.entries, report.error) == (1, 2, 1, None)
    assert centre.requests[-1] == asked(1)
    assert terminal.blacklist.load() == second
    centre.deltas, centre.whole = (), None
    assert terminal.sync().error is None
    assert terminal.blacklist.load() == second


def whole_asked(since: int) -> list[str]:
    """What is asked for when deltas of no use are passed over."""
    return [asked(since), asked(since, whole=True)]


def test_after_a_gap_the_whole_list_is_fetched(terminal: Terminal, centre: Centre) -> None:
    offer(centre, delta=sign_delta(listed(4), listed(5, loss(None)), "key-1", SIGNER), version=5)
    assert terminal.sync().after == 5
    assert [path for path in centre.requests if path.startswith("/v1/blacklist?")][:2] == (
        whole_asked(1)
    )


def offer(centre: Centre, *, delta: bytes, version: int) -> None:
    """Have the centre offer this delta, and a version to who asks for all of it."""
    publish(centre, version, loss(None))
    centre.deltas = (delta,)


def broken(previous: int) -> dict[str, bytes]:
    """Deltas after a version that cannot be applied to it."""
    gone = EntrySet.of([loss(None)])
    elsewhere = replace(listed(previous), set_hash=bytes(32))
    lying = replace(listed(previous), entries=gone)
    return {
        "a fork": sign_delta(elsewhere, listed(3), "key-1", SIGNER),
        "a removal of what is not there": sign_delta(lying, listed(3), "key-1", SIGNER),
    }


@pytest.mark.parametrize("delta", broken(1).values(), ids=broken(1))
def test_changes_that_do_not_apply_are_passed_over_by_the_whole_list(
    terminal: Terminal, centre: Centre, delta: bytes
) -> None:
    offer(centre, delta=delta, version=4)
    centre.meddle = forgetting_the_delta(centre)
    report = terminal.sync()
    assert (report.after, report.error) == (4, None)
    assert centre.requests[1:3] == whole_asked(1)
    assert terminal.status().blacklist_refusal is None


def forgetting_the_delta(centre: Centre) -> Callable[[Request], Reply | None]:
    """A centre that has nothing more to say once the whole list was fetched."""

    def meddle(request: Request) -> Reply | None:
        if "whole=0" in request.path and asked(1) not in request.path:
            centre.deltas, centre.whole = (), None
        return None

    return meddle


@pytest.mark.parametrize("delta", broken(2).values(), ids=broken(2))
@pytest.mark.parametrize(
    ("version", "code"), [(1, "BACKEND_LIST_ROLLED_BACK"), (2, "BACKEND_LIST_FORKED")]
)
def test_the_whole_list_does_not_get_around_rollback_and_fork(
    terminal: Terminal, centre: Centre, delta: bytes, version: int, code: str
) -> None:
    publish(centre, 2)
    terminal.sync()
    held = terminal.blacklist.load()
    offer(centre, delta=delta, version=version)
    centre.requests.clear()
    report = terminal.sync()
    assert report.error is not None
    assert report.error.code == code
    assert centre.requests[1:3] == whole_asked(2)
    assert terminal.blacklist.load() == held


def rebuilt(centre: Centre) -> None:
    """The back office has lost everything; its new key has the old one's name."""
    signer = Ed25519PrivateKey.from_private_bytes(bytes(32))
    centre.keys = (PublicKey("key-1", signer.public_key().public_bytes_raw()),)
    offer_whole(centre, 1, sign_snapshot(listed(1), "key-1", signer))


def test_the_list_of_a_back_office_that_was_built_anew_is_taken(
    terminal: Terminal, centre: Centre
) -> None:
    publish(centre, 7, loss(None))
    terminal.sync()
    rebuilt(centre)
    assert terminal.sync().after == 7, "its keys are not known before the terminal is enrolled"
    terminal.enrol("one-time-code")
    assert reason(terminal, Function.QUERY) is Reason.LISTED_FORMAL_LOSS, "until a new one is there"
    report = terminal.sync()
    assert (report.after, report.error) == (1, None)
    assert asked(0) in centre.requests
    assert terminal.blacklist.keys() == centre.keys


def test_a_new_enrolment_alone_lets_no_list_roll_back(terminal: Terminal, centre: Centre) -> None:
    publish(centre, 7)
    terminal.sync()
    centre.keys = (*centre.keys, PublicKey("key-2", bytes(32)))
    terminal.enrol("one-time-code")
    publish(centre, 6)
    report = terminal.sync()
    assert report.error is not None
    assert report.error.code == "BACKEND_LIST_ROLLED_BACK"
    assert report.after == 7


def spoiled(centre: Centre) -> None:
    """A list with a bit changed under its signature."""
    publish(centre, 2, loss(None))
    assert centre.whole is not None
    centre.whole = centre.whole[:-1] + bytes([centre.whole[-1] ^ 1])


def rolled_back(centre: Centre) -> None:
    publish(centre, 0 + 1, loss(None))


@pytest.mark.parametrize(
    ("attack", "code"),
    [(spoiled, "BACKEND_BAD_SIGNATURE"), (rolled_back, "BACKEND_LIST_FORKED")],
)
def test_a_bad_list_is_refused_the_good_one_stays_and_status_tells(
    terminal: Terminal, centre: Centre, attack: Callable[[Centre], None], code: str
) -> None:
    good = terminal.blacklist.load()
    attack(centre)
    report = terminal.sync()
    assert report.error is not None
    assert report.error.code == code
    assert (report.before, report.after) == (1, 1)
    assert terminal.blacklist.load() == good
    refusal = terminal.status().blacklist_refusal
    assert refusal is not None
    assert (refusal.code, refusal.at) == (code, NOW)
    assert reason(terminal, Function.SETTLEMENT) is None
    publish(centre, 3)
    terminal.sync()
    assert terminal.status().blacklist_refusal is None


def test_a_centre_that_is_away_is_no_refusal_of_a_list(terminal: Terminal, centre: Centre) -> None:
    centre.away = NoReply
    report = terminal.sync()
    assert report.error is not None
    assert report.error.code == NoAnswer.code
    assert terminal.status().blacklist_refusal is None


def test_a_wrong_clock_stops_money_until_the_centre_confirms_it(
    terminal: Terminal, centre: Centre
) -> None:
    centre.clock_error = timedelta(hours=2)
    assert not terminal.sync().clock_trusted
    assert reason(terminal, Function.SETTLEMENT) is Reason.CLOCK_UNTRUSTED
    assert reason(terminal, Function.QUERY) is None
    assert not terminal.status().clock_trusted
    centre.clock_error = timedelta()
    assert terminal.sync().clock_trusted
    assert reason(terminal, Function.SETTLEMENT) is None


def test_a_list_grows_stale_for_money_first(
    terminal: Terminal, centre: Centre, clock: SimulatedClock
) -> None:
    clock.advance(DAY + timedelta(seconds=1))
    centre.states[CARD.card_id] = status_of("active", at=clock.now())
    assert reason(terminal, Function.SETTLEMENT) is Reason.LIST_STALE
    assert reason(terminal, Function.QUERY) is None
    assert terminal.status().blacklist_age == DAY + timedelta(seconds=1)
    publish(centre, 2, at=clock.now())
    terminal.sync()
    assert reason(terminal, Function.SETTLEMENT) is None


def test_status_tells_how_the_terminal_stands(terminal: Terminal) -> None:
    status = terminal.status()
    assert (status.profile, status.terminal_id, status.institution_name) == (
        "developer",
        "t-1",
        "示例医院",
    )
    assert status.blacklist is not None
    assert status.blacklist.version == 1
    assert status.clock_trusted
    assert sum(status.operations.values()) == 0
