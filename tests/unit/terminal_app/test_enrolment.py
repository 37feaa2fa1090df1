"""The terminal put together, and enrolled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from apdu.sam import SoftwareSam
from backend_client.codec import dump
from backend_client.errors import NoReply, NotEnrolled, Unreachable
from backend_client.errors import Refused as RefusedByCentre
from backend_client.messages import Problem
from backend_client.transport import Reply, Request
from simulator.clock import SimulatedClock
from terminal.app import Terminal
from terminal.errors import ConfigurationError, OperationsOpen, StoreLocked
from terminal.policy import Function
from terminal.reasons import Reason
from terminal.settings import load_settings
from terminal.store.journal import Kind

from .small_centre import (
    CARD,
    TOKEN,
    Centre,
    Open,
    prepared_settlement,
    problem,
    reason,
    sent_settlement,
    status_of,
)


def refusing(path: str, *problems: Problem) -> Callable[[Request], Reply | None]:
    """Refuses the next requests to `path`, one problem each."""
    left = list(problems)

    def meddle(request: Request) -> Reply | None:
        if request.path != path or not left:
            return None
        return Reply(left[0].status, dump(left.pop(0)))

    return meddle


def test_enrolment_is_kept_and_used(opened: Open, centre: Centre) -> None:
    terminal = opened()
    assert terminal.status().terminal_id is None
    identity = terminal.enrol("one-time-code")
    assert identity.terminal_id == "t-1"
    operation = terminal.journal.prepare(Kind.SETTLEMENT, CARD, {})
    assert operation.number.startswith("990100000009")
    again = opened()
    assert again.identity == identity
    assert again.institution_name == "示例医院"
    assert again.status().institution == "990100000009"
    centre.states[CARD.card_id] = status_of("active")
    assert again.client.card_status(CARD).state == "active"


def test_before_enrolment_money_is_refused_and_sync_says_why(opened: Open) -> None:
    terminal = opened()
    assert reason(terminal, Function.READ) is None
    assert reason(terminal, Function.SETTLEMENT) is Reason.OFFLINE
    report = terminal.sync()
    assert report.error is not None
    assert report.error.code == NotEnrolled.code
    assert report.clock_trusted


def test_software_keys_are_refused_in_production(tmp_path: Path, clock: SimulatedClock) -> None:
    environ = {
        "SSCT_TERMINAL_PROFILE": "kiosk",
        "SSCT_TERMINAL_DATA_DIR": str(tmp_path / "data"),
    }
    with pytest.raises(ConfigurationError, match="software keys"):
        Terminal.open(
            load_settings(None, environ),
            clock=clock,
            random=Random(1).randbytes,
            sam=SoftwareSam.development(Random(1).randbytes),
            transport=None,
        )
    assert not (tmp_path / "data").exists()


def test_without_a_back_office_it_works_offline(tmp_path: Path, clock: SimulatedClock) -> None:
    with Terminal.open(
        load_settings(None, {"SSCT_TERMINAL_DATA_DIR": str(tmp_path)}),
        clock=clock,
        random=Random(1).randbytes,
        sam=SoftwareSam.development(Random(1).randbytes),
        transport=None,
    ) as terminal:
        report = terminal.sync()
        assert report.error is not None
        assert report.error.code == Unreachable.code
        assert reason(terminal, Function.READ) is None


def test_a_terminal_with_unfinished_operations_stays_who_it_is(
    terminal: Terminal, centre: Centre
) -> None:
    """Facts 5.4, rule 6: only who sent it can ask what became of it."""
    identity = terminal.identity
    sent_settlement(terminal)
    centre.away = NoReply
    with pytest.raises(OperationsOpen):
        terminal.enrol("one-time-code")
    assert terminal.identity == identity
    centre.away = None
    in_hand = prepared_settlement(terminal, in_hand=True)
    with pytest.raises(OperationsOpen):
        terminal.enrol("one-time-code")
    terminal.journal.let_go(in_hand)
    assert len(centre.enrolments) == 1
    assert terminal.enrol("one-time-code").terminal_id == "t-2"
    assert terminal.journal.open_operations() == ()


def test_a_new_enrolment_names_the_one_before(terminal: Terminal, centre: Centre) -> None:
    terminal.enrol("one-time-code")
    assert [one.previous_token for one in centre.enrolments] == [None, f"{TOKEN}-1"]


def test_a_back_office_that_was_built_anew_knows_no_enrolment_before(
    terminal: Terminal, centre: Centre
) -> None:
    centre.meddle = refusing("/v1/terminals", problem("PREVIOUS_TOKEN_UNKNOWN", 403))
    assert terminal.enrol("one-time-code").terminal_id == "t-2"
    assert [one.previous_token for one in centre.enrolments] == [None, None]
    centre.meddle = refusing("/v1/terminals", problem("ENROLMENT_CODE_INVALID", 403))
    with pytest.raises(RefusedByCentre):
        terminal.enrol("one-time-code")


def test_a_second_terminal_in_the_same_place_is_refused(
    terminal: Terminal, clock: SimulatedClock
) -> None:
    with pytest.raises(StoreLocked):
        Terminal.open(
            terminal.settings,
            clock=clock,
            random=Random(1).randbytes,
            sam=terminal.sam,
            transport=None,
        )
