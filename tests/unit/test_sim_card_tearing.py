"""The power fails at every byte of every write: the card comes back old or new (facts 7.5)."""

from collections.abc import Callable, Iterator
from random import Random

import pytest

from apdu.crypto import Purchase, card_key, purchase_session_key, secured_command, session_key
from apdu.sam import DEVELOPMENT_KEYS, CardIdentity, SoftwareSam
from apdu.ssc.keys import KeyName
from apdu.status import CardRemoved
from simulator.card.card import SimulatedCard
from simulator.card.profile import load_profile

PROFILE = load_profile("adult-2.0")
SELECT_SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
QUERY = "00200000"
VERIFY, WRONG = "0020000003135790", "0020000003999999"
CHANGE = "805E010007135790FF246810"
NEW_VERIFY = "0020000003246810"
TERMINAL, TIME = bytes.fromhex("990100000001"), bytes.fromhex("20260310093000")


def make() -> SimulatedCard:
    card = SimulatedCard(PROFILE, random=Random(1).randbytes, protocol="T1")
    restart(card)
    return card


def restart(card: SimulatedCard) -> None:
    card.power_on()
    send(card, SELECT_SSSE)


def send(card: SimulatedCard, command: str) -> str:
    return card.transmit(bytes.fromhex(command)).hex().upper()


def key(name: KeyName) -> bytes:
    chip = PROFILE.card
    root = DEVELOPMENT_KEYS[name][: name.length(chip.algorithm)]
    return card_key(chip.algorithm, root, chip.region, chip.historical)


def authenticate(card: SimulatedCard, name: KeyName) -> str:
    chip = PROFILE.card
    challenge = card.transmit(bytes.fromhex("0084000008"))[:8]
    sam = SoftwareSam.development(Random(2).randbytes)
    identity = CardIdentity(chip.algorithm, chip.card_id, chip.historical)
    data = sam.terminal_authentication(identity, name, challenge, bytes(8))
    return send(card, f"008200{name.card_id:02X}10" + data.hex())


def secured(card: SimulatedCard, name: KeyName, header: str) -> str:
    algorithm = PROFILE.card.algorithm
    challenge = card.transmit(bytes.fromhex("0084000008"))[:8]
    session = session_key(algorithm, key(name), challenge)
    command = secured_command(algorithm, session, bytes.fromhex(header))
    return card.transmit(bytes(command)).hex().upper()


Step = Callable[[SimulatedCard], object]


def torn_at_every_byte(prepare: Step, operate: Step) -> Iterator[SimulatedCard]:
    """Cards on which the power failed in `operate`, once after each byte written, restarted."""
    card = make()
    prepare(card)
    before = card.memory.byte_writes
    operate(card)
    total = card.memory.byte_writes - before
    assert total > 0
    for fuse in range(total + 1):
        card = make()
        prepare(card)
        card.memory.tear_after(fuse)
        with pytest.raises(CardRemoved):
            operate(card)
        with pytest.raises(CardRemoved):
            send(card, QUERY)  # a card without power stays silent
        restart(card)
        yield card


def nothing(card: SimulatedCard) -> None:
    """Need no preparation."""


def test_a_torn_wrong_pin_costs_a_try_or_not_and_never_gives_one() -> None:
    cards = list(torn_at_every_byte(lambda c: send(c, WRONG), lambda c: send(c, WRONG)))
    assert {send(card, QUERY) for card in cards} == {"63C2", "63C1"}


def test_a_torn_right_pin_had_spent_its_try_before_it_was_compared() -> None:
    cards = list(torn_at_every_byte(nothing, lambda c: send(c, VERIFY)))
    assert {send(card, QUERY) for card in cards} == {"63C3", "63C2"}
    assert all(send(card, VERIFY) == "9000" for card in cards)


def test_a_torn_change_leaves_the_old_pin_or_the_new_one() -> None:
    outcomes = set()
    for card in torn_at_every_byte(lambda c: send(c, WRONG), lambda c: send(c, CHANGE)):
        tries = send(card, QUERY)
        works = (send(card, VERIFY) == "9000", send(card, NEW_VERIFY) == "9000")
        outcomes.add((tries, works))
    old, new = (True, False), (False, True)
    assert outcomes == {("63C2", old), ("63C1", old), ("63C3", new)}


@pytest.mark.parametrize(
    "update",
    [
        "00DC052806050420240102",
        "00DC07280B070943393930313030333731",
        "00DC0228020200",
        "00DC0B30030B0102",
    ],
)
def test_a_torn_update_leaves_the_old_record_or_the_new_one(update: str) -> None:
    _old_or_new(lambda c: authenticate(c, KeyName.UKSSSE), update)


def test_a_torn_cyclic_append_leaves_the_old_rows_or_the_new_ones() -> None:
    def prepare(card: SimulatedCard) -> None:
        send(card, VERIFY)
        send(card, "00A4000002DF04")
        authenticate(card, KeyName.UK2DF04)
        for row in range(8):
            send(card, f"00DC00AB03{row:04X}31")

    _old_or_new(prepare, "00DC00AB03000831")


def test_a_torn_photograph_is_the_old_one_or_the_new_one() -> None:
    _old_or_new(lambda c: authenticate(c, KeyName.UKSSSE), "00D6880040" + "5A" * 64)


def _old_or_new(prepare: Step, update: str) -> None:
    card = make()
    prepare(card)
    old = card.memory.content
    assert send(card, update) == "9000"
    new = card.memory.content
    seen = {c.memory.content for c in torn_at_every_byte(prepare, lambda c: send(c, update))}
    assert seen == {old, new}


def test_a_torn_authentication_costs_at_most_one_try() -> None:
    seen = set()
    for card in torn_at_every_byte(nothing, lambda c: authenticate(c, KeyName.UKSSSE)):
        assert send(card, "00DC052806050420240102") == "6982"
        card.transmit(bytes.fromhex("0084000008"))
        seen.add(send(card, "0082000410" + "11" * 16))
    assert seen == {"63C2", "63C1"}


@pytest.mark.parametrize(("header", "sw"), [("84160000", "6A81"), ("841E0001", "9303")])
def test_a_torn_block_has_blocked_or_not(header: str, sw: str) -> None:
    cards = torn_at_every_byte(
        lambda c: authenticate(c, KeyName.BK), lambda c: secured(c, KeyName.STK, header)
    )
    assert {send(card, SELECT_SSSE)[-4:] for card in cards} == {"9000", sw}


def test_torn_again_while_it_restores_itself_the_card_needs_one_more_power_up() -> None:
    card = make()
    authenticate(card, KeyName.UKSSSE)
    old = card.memory.content
    card.memory.tear_after(90)  # after the backup of 68 bytes, while the record is written
    with pytest.raises(CardRemoved):
        send(card, "00DC052806050420240102")
    card.memory.tear_after(10)
    with pytest.raises(CardRemoved):
        card.power_on()
    with pytest.raises(CardRemoved):
        send(card, QUERY)
    restart(card)
    assert card.memory.content == old


def test_a_torn_purchase_is_booked_whole_with_its_proof_or_not_at_all() -> None:
    def prepare(card: SimulatedCard) -> None:
        send(card, VERIFY)
        send(card, "00A4000002DF04")

    def purchase(card: SimulatedCard) -> str:
        algorithm = PROFILE.card.algorithm
        amounts = (3000, 500, 700)
        sent = b"".join(fen.to_bytes(4, "big") for fen in amounts)
        begun = card.transmit(bytes.fromhex("B02801011301") + sent + TERMINAL)
        sequence, random = begun[14:16], begun[18:22]
        session = purchase_session_key(
            algorithm, key(KeyName.DPK), random, sequence, bytes.fromhex("00000123")
        )
        mac1 = Purchase(*amounts, TERMINAL, TIME).mac1(algorithm, session)
        data = bytes.fromhex("00000123") + TIME + mac1
        return card.transmit(bytes.fromhex("B02C01000F") + data).hex().upper()

    seen = set()
    for card in torn_at_every_byte(prepare, purchase):
        prepare(card)
        balance = send(card, "B026000104")
        self_pay, fund = send(card, "B026000206"), send(card, "B026000306")
        log = send(card, "00B2014400")
        proof = send(card, "B02E0002020000")
        seen.add((balance, self_pay, fund, log[:6], log[-4:], proof[-4:]))
    assert seen == {
        ("00002EE09000", "0000000000009000", "0000000000009000", "6A83", "6A83", "9406"),
        ("000023289000", "000001F420259000", "000002BC20259000", "000032", "9000", "9000"),
    }
