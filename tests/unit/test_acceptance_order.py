"""Accepting a card in the order of facts 7.2, each failure with its own error, contacts released.

`CardSession` carries out what is asked of the card, `admission.decide` what is decided about it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import pytest

from apdu.crypto import Algorithm
from apdu.pin import Pin
from apdu.readers.inprocess import InProcessReader
from apdu.sam import DEVELOPMENT_KEYS, SoftwareSam
from apdu.ssc.card import KeyRefused
from apdu.ssc.keys import KeyName
from apdu.ssc.values import CardIdFormat
from apdu.status import (
    AlgorithmNotSupported,
    ApplicationLocked,
    CardError,
    KeyNotAvailable,
    NoCard,
    NotACard,
    PinBlocked,
    ReaderBusy,
    UnsupportedCard,
)
from apdu.trace import Exchange, Trace
from backend_client.list_messages import Terms
from backend_client.messages import CardRef, CardStatus
from simulator.card.card import Protocol, SimulatedCard
from simulator.card.description import CardProfile, Condition, PinState
from simulator.card.profile import load_profile
from terminal.admission import AdmissionContext, Admitted, CardRules, Listing, Refused, decide
from terminal.clock import SHANGHAI
from terminal.policy import KIOSK, Function
from terminal.reasons import Reason
from terminal.session import CardSession

NOW = datetime(2026, 3, 4, 10, 0, tzinfo=SHANGHAI)
DAY = timedelta(days=1)
SELECT, READ, CHALLENGE, INTERNAL, EXTERNAL, VERIFY, FETCH = (
    0xA4, 0xB2, 0x84, 0x88, 0x82, 0x20, 0xC0,
)  # fmt: skip
ISSUER, HOLDER = 0x2D, 0x35
"""P2 of reading EF05 and EF06 whole."""


def sam(**changed: bytes) -> SoftwareSam:
    keys = {**DEVELOPMENT_KEYS, **{KeyName[name]: root for name, root in changed.items()}}
    return SoftwareSam(keys, Random(7).randbytes)


def with_card(name: str, **changes: Any) -> CardProfile:  # noqa: ANN401  # any field
    profile = load_profile(name)
    return replace(profile, card=replace(profile.card, **changes))


def reader(profile: CardProfile, protocol: Protocol = "T1") -> InProcessReader:
    return InProcessReader(
        "slot", SimulatedCard(profile, random=Random(5).randbytes, protocol=protocol)
    )


def steps(trace: Trace) -> list[tuple[int, int]]:
    """Instruction and P2 of every command that was not there to fetch an answer."""
    headers = [event.command.value for event in trace.events if isinstance(event, Exchange)]
    return [(header[1], header[3]) for header in headers if header[1] != FETCH]


# What is asked of the card


@pytest.mark.parametrize("protocol", ["T0", "T1", "TCL"])
@pytest.mark.parametrize(
    ("name", "opening"),
    [
        ("adult-1.0", []),
        ("adult-2.0", []),
        ("adult-3.0", [(CHALLENGE, 0), (EXTERNAL, 0x0A)]),
        ("contactless-3.0", [(CHALLENGE, 0), (EXTERNAL, 0x0A)]),
    ],
)
def test_a_card_is_asked_in_the_prescribed_order(
    protocol: Protocol, name: str, opening: list[tuple[int, int]]
) -> None:
    """Select, who issued it (which names its keys), proof, and only then whose it is.

    The card id comes first because the card's key is derived with the region in it (facts 4.3).
    """
    trace = Trace()
    profile = load_profile(name)
    with CardSession.open(reader(profile, protocol), sam(), trace=trace) as session:
        accepted = [(SELECT, 0), (READ, ISSUER), (INTERNAL, 0), *opening, (READ, HOLDER)]
        assert steps(trace) == accepted
        assert session.card.pin_tries_left() == 3
        assert profile.pin is not None
        session.card.verify_pin(Pin(profile.pin.value))
        assert steps(trace) == [*accepted, (VERIFY, 0), (VERIFY, 0)]


def test_nothing_personal_is_read_from_a_card_that_has_not_proved_itself() -> None:
    trace = Trace()
    with CardSession.open(reader(load_profile("forged")), sam(), trace=trace) as session:
        assert not session.facts.authentic
    assert (READ, HOLDER) not in steps(trace)
    assert not any(step[0] in (EXTERNAL, VERIFY) for step in steps(trace))


def blocked(name: str, condition: Condition) -> CardProfile:
    return replace(load_profile(name), condition=condition)


def issuer_file(first: str) -> CardProfile:
    """A card whose EF05 begins with this record."""
    content = {"hex": first + "020133" + "0304322E3030"}
    return replace(load_profile("adult-2.0"), files={"SSSEEF05": content})


Fault = Callable[[], tuple[CardProfile, SoftwareSam]]
FAULTS: dict[str, tuple[Fault, type[CardError]]] = {
    "application blocked": (
        lambda: (
            replace(load_profile("adult-2.0"), condition=Condition.APPLICATION_BLOCKED),
            sam(),
        ),
        ApplicationLocked,
    ),
    "card blocked": (
        lambda: (blocked("adult-3.0", Condition.CARD_BLOCKED), sam()),
        ApplicationLocked,
    ),
    "algorithm without a module": (
        lambda: (with_card("adult-3.0", algorithm=Algorithm.SSF33), sam()),
        AlgorithmNotSupported,
    ),
    "malformed card id": (
        lambda: (issuer_file("0110" + "AB" * 16), sam()),
        CardIdFormat,
    ),
    "no issuer data": (
        lambda: (replace(load_profile("adult-2.0"), absent=frozenset({"SSSEEF05"})), sam()),
        NotACard,
    ),
    "unknown version": (
        lambda: (replace(load_profile("adult-2.0"), files={"SSSEEF05": {"03": "7.00"}}), sam()),
        UnsupportedCard,
    ),
    "no internal key": (
        lambda: (
            load_profile("adult-2.0"),
            SoftwareSam({KeyName.RKSSSE: bytes(16)}, Random(1).randbytes),
        ),
        KeyNotAvailable,
    ),
    "no key for the holder's data": (
        lambda: (
            load_profile("adult-3.0"),
            SoftwareSam({KeyName.IRK: DEVELOPMENT_KEYS[KeyName.IRK]}, Random(1).randbytes),
        ),
        KeyNotAvailable,
    ),
    "key refused": (lambda: (load_profile("adult-3.0"), sam(RKSSSE=bytes(16))), KeyRefused),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_failure_has_its_own_error_and_releases_the_contacts(fault: str) -> None:
    make, error = FAULTS[fault]
    profile, module = make()
    slot = reader(profile)
    with pytest.raises(CardError) as caught:
        CardSession.open(slot, module)
    assert type(caught.value) is error
    slot.connect().close()  # nobody holds the reader any more


def test_failures_before_the_card_is_asked() -> None:
    with pytest.raises(NoCard):
        CardSession.open(InProcessReader("slot"), sam())
    slot = reader(load_profile("adult-2.0"))
    with CardSession.open(slot, sam()), pytest.raises(ReaderBusy):
        CardSession.open(slot, sam())


def test_an_algorithm_that_nobody_computes_is_noticed_before_the_card_is_tried() -> None:
    """The environment for the card's algorithm is chosen before internal authentication."""
    trace = Trace()
    slot = reader(with_card("adult-3.0", algorithm=Algorithm.SSF33))
    with pytest.raises(AlgorithmNotSupported):
        CardSession.open(slot, sam(), trace=trace)
    assert steps(trace) == [(SELECT, 0), (READ, ISSUER)]


def test_a_blocked_pin_shows_after_the_card_was_accepted() -> None:
    pin = PinState("135790", initial=False, retries=3, tries_left=0)
    slot = reader(replace(load_profile("adult-2.0"), pin=pin))
    with CardSession.open(slot, sam()) as session:
        assert session.facts.authentic
        assert session.card.pin_tries_left() == 0
        with pytest.raises(PinBlocked):
            session.card.verify_pin(Pin("135790"))


def test_a_card_without_a_pin_is_not_asked_for_one() -> None:
    with CardSession.open(reader(replace(load_profile("adult-2.0"), pin=None)), sam()) as session:
        assert session.card.pin_tries_left() is None


# What is decided about it


def context(session: CardSession, *, listed: bool) -> AdmissionContext:
    facts = session.facts
    entry = Terms("formal_loss", ("social_security",), "refuse", NOW - DAY)
    listing = Listing(1, NOW - timedelta(hours=1), NOW + DAY, (entry,) if listed else ())
    card = CardRef(facts.card_id, facts.card_number)
    status = CardStatus(card, "active", None, True, False, False, NOW)
    return AdmissionContext(
        policy=KIOSK[Function.QUERY],
        listing=listing,
        status=status,
        online=True,
        rules=CardRules(initialisers=("9156000002990100",)),
    )


def verdict(profile: CardProfile, *, listed: bool = False) -> Reason | None:
    with CardSession.open(reader(profile), sam()) as session:
        decision = decide(session.facts, Function.QUERY, NOW, context(session, listed=listed))
    assert isinstance(decision, Admitted | Refused)
    return decision.reason if isinstance(decision, Refused) else None


def test_the_decisions_follow_in_their_order() -> None:
    """Blacklist, initialising body, version, validity: mended one by one, each shows the next."""
    foreign = "915600000211000011000001"
    over = date(2025, 1, 1)
    everything = with_card("adult-1.0", initialiser=foreign, expires=over)
    assert verdict(replace(everything, keys="wrong"), listed=True) is Reason.NOT_AUTHENTIC
    assert [
        verdict(everything, listed=True),
        verdict(everything),
        verdict(with_card("adult-1.0", expires=over)),
        verdict(with_card("adult-3.0", expires=over)),
        verdict(load_profile("adult-3.0")),
    ] == [
        Reason.LISTED_FORMAL_LOSS,
        Reason.WRONG_ISSUER,
        Reason.STOPPED_OLD_CARD,
        Reason.EXPIRED,
        None,
    ]
