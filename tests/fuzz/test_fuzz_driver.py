"""The LD/T 33 functions against hostile cards, PSAMs, HSMs and callers.

Whatever they are given, they answer with a code and a string, after bounded work, and leave every
slot closed. SSCT_FUZZ_EXAMPLES sets how many of each they meet.
"""

from __future__ import annotations

import os
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apdu.pin import Pin
from apdu.readers.inprocess import InProcessReader
from apdu.ssc.driver import FUNCTIONS, Devices, Driver, PinPrompt, call, psam_in
from simulator.card.card import Protocol, SimulatedCard
from simulator.card.profile import load_profile
from simulator.psam import PsamProfile, SimulatedPsam
from tests.fuzz.test_hostile_card import MOST_COMMANDS, TWISTS, Honest, Hostile, Twist

EXAMPLES = int(os.environ.get("SSCT_FUZZ_EXAMPLES", "100"))
INFO = "990100D156000005C0000001FFFFFFFF|A99010016|"
ADDRESS = (
    "DF01EF05|20|21|0E|$DF01EF15|2A|40:2|$SSSEEF06|08|09|$DF04EF06|90|$DF02EF07$DF01EF16$DF04EF08$"
)
PAYMENT = "123.45|100.00|20260102030405|"
SENSIBLE: dict[str, list[object]] = {
    "iType": [1, 2, 3, 4],
    "iAuthType": [1, 2],
    "pCardInfo": [INFO],
    "pFileAddr": [ADDRESS, "DF01EF07|29|$", "DF02EF07$", "DF01EF16$"],
    "pWriteData": ["DF01EF07|1|$", "DF02EF07|1^20200101^20210101^x^|$"],
    "pPayInfo": [PAYMENT],
    "pKey": ["00" * 16, "00" * 16 + "||", "00000001|20260102030405|00000000|"],
}
ANYTHING = st.one_of(
    st.none(), st.integers(-5, 2**40), st.booleans(), st.text(max_size=40), st.binary(max_size=8),
    st.text(alphabet="SDEF0123456789A:|$^", max_size=60),
)  # fmt: skip


class OnePin:
    def read_pin(self, prompt: PinPrompt) -> Pin:
        return Pin("246810")


def point(card: InProcessReader, psam: InProcessReader) -> Driver:
    return Driver(Devices((card,), Random(3).randbytes, psam_in(psam), OnePin()))


def psam_slot() -> InProcessReader:
    return InProcessReader("psam", SimulatedPsam(PsamProfile(), random=Random(2).randbytes))


def card_slot() -> InProcessReader:
    profile = load_profile("adult-3.0")
    return InProcessReader("card", SimulatedCard(profile, random=Random(1).randbytes))


def run_all(driver: Driver) -> None:
    """Every function with sensible arguments, the HSM forms with answers of the right form."""
    for name, function in FUNCTIONS.items():
        for turn in range(len(SENSIBLE["pFileAddr"]) if "pFileAddr" in function.parameters else 1):
            given = {one: values[turn % len(values)] for one, values in SENSIBLE.items()}
            result = call(driver, name, given)
            assert result.ok or result.out


def require_closed(*slots: InProcessReader) -> None:
    for slot in slots:
        slot.connect(exclusive=True).close()


@pytest.mark.parametrize("protocol", ["T0", "TCL"])
@given(honest=st.integers(0, 60), twists=st.lists(TWISTS, min_size=1, max_size=8))
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_card_whose_answers_are_twisted(
    protocol: Protocol, honest: int, twists: list[Twist]
) -> None:
    card = SimulatedCard(load_profile("adult-3.0"), random=Random(1).randbytes, protocol=protocol)
    chip = Hostile(card, honest, twists, Honest())
    slot, psam = InProcessReader("card", chip), psam_slot()
    driver = point(slot, psam)
    run_all(driver)
    driver.close()
    require_closed(slot, psam)
    assert chip.commands <= 2 * MOST_COMMANDS


@given(honest=st.integers(0, 40), twists=st.lists(TWISTS, min_size=1, max_size=8))
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_psam_whose_answers_are_twisted(honest: int, twists: list[Twist]) -> None:
    chip = Hostile(
        SimulatedPsam(PsamProfile(), random=Random(2).randbytes),
        honest,
        twists,
        Honest(),
    )
    slot, psam = card_slot(), InProcessReader("psam", chip)
    driver = point(slot, psam)
    run_all(driver)
    driver.close()
    require_closed(slot, psam)
    assert chip.commands <= 2 * MOST_COMMANDS


@given(
    calls=st.lists(
        st.tuples(
            st.sampled_from([*FUNCTIONS]),
            st.fixed_dictionaries(
                {name: ANYTHING | st.sampled_from(values) for name, values in SENSIBLE.items()}
            ),
        ),
        max_size=8,
    )
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_caller_who_sends_anything(calls: list[tuple[str, dict[str, object]]]) -> None:
    slot, psam = card_slot(), psam_slot()
    driver = point(slot, psam)
    for name, arguments in calls:
        result = call(driver, name, arguments)
        assert result.ok or result.out
    driver.close()
    require_closed(slot, psam)
