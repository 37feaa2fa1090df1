"""Challenge, authentication, PIN, blocking: what the card remembers and forgets (facts 4, 5)."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from apdu.crypto import Algorithm, auth_data, card_key, secured_command, session_key
from apdu.sam import DEVELOPMENT_KEYS, CardIdentity, SoftwareSam
from apdu.ssc.keys import KeyName
from simulator.card.card import SimulatedCard
from simulator.card.description import Condition, PinState
from simulator.card.profile import CardProfile, load_profile

SELECT_SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
FACTOR, ORIGINAL = bytes.fromhex("1122334455667788"), bytes.fromhex("A1A2A3A4A5A6A7A8")
RIGHT_PIN, WRONG_PIN = "0020000003246810", "0020000003999999"
BY_ALGORITHM = pytest.mark.parametrize("name", ["adult-2.0", "adult-3.0"])


class Desk:
    """A card on the issuer's desk: it knows the card's keys."""

    def __init__(self, name: str = "adult-3.0", **changes: Any) -> None:  # noqa: ANN401  # any field
        self.profile: CardProfile = replace(load_profile(name), **changes)
        self.card = SimulatedCard(self.profile, random=Random(1).randbytes, protocol="T1")
        self.card.power_on()
        self.send(SELECT_SSSE)

    def send(self, command: str) -> str:
        return self.card.transmit(bytes.fromhex(command)).hex().upper()

    def restart(self) -> None:
        self.card.power_off()
        self.card.power_on()
        self.send(SELECT_SSSE)

    def challenge(self, length: int = 8) -> bytes:
        return self.card.transmit(bytes((0, 0x84, 0, 0, length)))[:-2]

    def key(self, name: KeyName) -> bytes:
        chip = self.profile.card
        root = DEVELOPMENT_KEYS[name][: name.length(chip.algorithm)]
        return card_key(chip.algorithm, root, chip.region, chip.historical)

    def authenticate(self, name: KeyName, *, spoil: bool = False, version: str = "") -> str:
        chip = self.profile.card
        identity = CardIdentity(chip.algorithm, chip.card_id, chip.historical)
        sam = SoftwareSam.development(Random(2).randbytes)
        data = sam.terminal_authentication(identity, name, self.challenge(), ORIGINAL)
        if spoil:
            data = bytes((data[0] ^ 1,)) + data[1:]
        length = 16 + len(version) // 2
        return self.send(f"008200{name.card_id:02X}{length:02X}" + data.hex() + version)

    def secured(self, name: KeyName, header: str, data: bytes = b"") -> str:
        """A command with a MAC; data are enciphered."""
        algorithm = self.profile.card.algorithm
        session = session_key(algorithm, self.key(name), self.challenge())
        command = secured_command(
            algorithm, session, bytes.fromhex(header), data, encipher=bool(data)
        )
        return self.card.transmit(bytes(command)).hex().upper()


# GET CHALLENGE.


@pytest.mark.parametrize("length", ["04", "08", "10"])
def test_challenge_lengths(length: str) -> None:
    assert len(Desk().send("00840000" + length)) == 2 * (int(length, 16) + 2)


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("0084000000", "6700"),
        ("0084000005", "6700"),
        ("00840000", "6700"),
        ("0084000001AA", "6700"),
        ("0084010008", "6A86"),
    ],
)
def test_refused_challenges(command: str, sw: str) -> None:
    assert Desk().send(command) == sw


def test_challenges_differ_and_come_from_the_randomness_given() -> None:
    random = Random(1)
    desk = Desk()
    assert [desk.challenge(), desk.challenge()] == [random.randbytes(8), random.randbytes(8)]


# INTERNAL AUTHENTICATE.


@pytest.mark.parametrize(
    ("algorithm", "cryptogram"),
    [("DES", "6CA63E545BD8C16D"), ("SM4", "9EB9B4342C50EB6C")],
)
def test_internal_authentication_gives_the_published_vectors(
    algorithm: str, cryptogram: str
) -> None:
    """Facts, appendix B: the root key there is this card's IRK root."""
    profile = load_profile("adult-3.0")
    chip = replace(
        profile.card,
        algorithm=Algorithm[algorithm],
        historical=bytes.fromhex("0081544C92868499010000007B"),
        key_versions=1,
    )
    keys = {"IRK": bytes.fromhex("00112233445566778899AABBCCDDEEFF")}
    desk = Desk(card=chip, keys=keys)
    data = (FACTOR + ORIGINAL).hex()
    assert desk.send("0088000010" + data) == cryptogram + "9000"
    assert desk.send("0088000011" + data + "01") == cryptogram + "9000"
    assert desk.send("0088000011" + data + "02") == "6A88"


def test_a_forged_card_answers_something_else() -> None:
    desk = Desk("forged")
    session = session_key(Algorithm.SM4, desk.key(KeyName.IRK), FACTOR)
    genuine = auth_data(Algorithm.SM4, session, ORIGINAL)
    answer = desk.card.transmit(bytes.fromhex("0088000010") + FACTOR + ORIGINAL)
    assert answer[-2:] == b"\x90\x00"
    assert answer[:-2] != genuine


def test_an_ssf33_card_answers_by_a_stand_in() -> None:
    desk = Desk(card=replace(load_profile("adult-3.0").card, algorithm=Algorithm.SSF33))
    assert len(desk.send("0088000010" + (FACTOR + ORIGINAL).hex())) == 20


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("00880000" + "0F" + "11" * 15, "6700"),
        ("00880000" + "12" + "11" * 18, "6700"),
        ("00880001" + "10" + "11" * 16, "6A86"),
        ("00820100" + "10" + "11" * 16, "6A86"),
        ("0082000A" + "0F" + "11" * 15, "6700"),
        ("0082000A" + "10" + "11" * 16, "6984"),
        ("0082000B" + "10" + "11" * 16, "6A88"),
        ("00820000" + "10" + "11" * 16, "6A88"),  # IRK is not for this
        ("00820002" + "10" + "11" * 16, "6A88"),  # nor is STK
        ("00820084" + "10" + "11" * 16, "6A88"),  # a key of DF03, not of SSSE
    ],
)
def test_refused_authentications(command: str, sw: str) -> None:
    assert Desk().send(command) == sw


# EXTERNAL AUTHENTICATE.


@BY_ALGORITHM
def test_a_challenge_is_good_for_one_use(name: str) -> None:
    desk = Desk(name)
    assert desk.authenticate(KeyName.UKSSSE) == "9000"
    assert desk.send("0082000410" + "11" * 16) == "6984"
    assert desk.authenticate(KeyName.UKSSSE, spoil=True) == "63C2"
    assert desk.send("0082000410" + "11" * 16) == "6984"


def test_only_the_last_challenge_counts() -> None:
    desk = Desk()
    first = desk.challenge()
    desk.challenge()
    session = session_key(Algorithm.SM4, desk.key(KeyName.UKSSSE), first)
    data = auth_data(Algorithm.SM4, session, ORIGINAL) + ORIGINAL
    assert desk.send("0082000410" + data.hex()) == "63C2"


@BY_ALGORITHM
@pytest.mark.parametrize("length", [4, 8, 16])
def test_challenges_of_every_length_authenticate(name: str, length: int) -> None:
    desk = Desk(name)
    algorithm = desk.profile.card.algorithm
    factor = desk.challenge(length)[: algorithm.block_size]
    session = session_key(algorithm, desk.key(KeyName.UKSSSE), factor)
    data = auth_data(algorithm, session, ORIGINAL) + ORIGINAL
    assert desk.send("0082000410" + data.hex()) == "9000"


def test_the_challenge_does_not_survive_another_application() -> None:
    desk = Desk()
    desk.challenge()
    desk.send("00A4000002DF03")
    assert desk.send("0082000410" + "11" * 16) == "6984"


def test_key_versions() -> None:
    desk = Desk(card=replace(load_profile("adult-3.0").card, key_versions=1))
    assert desk.authenticate(KeyName.UKSSSE, version="01") == "9000"
    assert desk.authenticate(KeyName.UKSSSE, version="02") == "6A88"


def test_a_right_authentication_lasts_until_another_application_is_selected() -> None:
    desk = Desk()
    desk.authenticate(KeyName.RKSSSE)
    for staying in (SELECT_SSSE, "00A4020002EF05", "00A4020002EF06"):
        desk.send(staying)
        assert desk.send("00B2083000").endswith("9000")
    desk.send("00A4000002DF01")
    desk.send(SELECT_SSSE)
    assert desk.send("00B2083000") == "6982"


def test_a_right_authentication_does_not_survive_power_off() -> None:
    desk = Desk()
    desk.authenticate(KeyName.RKSSSE)
    desk.restart()
    assert desk.send("00B2083000") == "6982"


def test_a_wrong_authentication_takes_the_right_back() -> None:
    desk = Desk()
    desk.authenticate(KeyName.RKSSSE)
    assert desk.authenticate(KeyName.RKSSSE, spoil=True) == "63C2"
    assert desk.send("00B2083000") == "6982"


def test_a_key_locks_after_its_tries_and_stays_locked() -> None:
    desk = Desk()
    tries = [desk.authenticate(KeyName.RKSSSE, spoil=True) for _ in range(4)]
    assert tries == ["63C2", "63C1", "63C0", "6983"]
    desk.restart()
    assert desk.authenticate(KeyName.RKSSSE) == "6983"
    assert desk.authenticate(KeyName.UKSSSE) == "9000"  # another key is none the worse


def test_a_right_authentication_gives_the_tries_back() -> None:
    desk = Desk()
    desk.authenticate(KeyName.RKSSSE, spoil=True)
    desk.authenticate(KeyName.RKSSSE)
    assert desk.authenticate(KeyName.RKSSSE, spoil=True) == "63C2"


def test_local_keys_belong_to_their_application() -> None:
    desk = Desk()
    desk.send("00A4000002DF03")
    assert desk.authenticate(KeyName.RK1DF03) == "9000"
    assert desk.send("00B2012C01") == "6982"  # EF05 wants RK2
    assert desk.authenticate(KeyName.RK2DF03) == "9000"
    assert desk.send("00B2012C01").endswith("9000")
    desk.send("00A4000002DF04")
    assert desk.send("00B2012C01") == "6982"  # key 84 of DF03 is not key 84 of DF04


# VERIFY and CHANGE PIN.


def test_verify_counts_down_to_blocked_and_stays_blocked() -> None:
    desk = Desk()
    assert [desk.send(WRONG_PIN) for _ in range(4)] == ["63C2", "63C1", "63C0", "6983"]
    assert desk.send(RIGHT_PIN) == "6983"
    desk.restart()
    assert desk.send(RIGHT_PIN) == "6983"
    assert desk.send("00200000") == "6983"


@pytest.mark.parametrize("query", ["00200000", "0020000000"])
def test_verify_without_data_tells_the_tries_and_costs_none(query: str) -> None:
    desk = Desk()
    assert [desk.send(query) for _ in range(3)] == ["63C3", "63C3", "63C3"]
    desk.send(WRONG_PIN)
    assert desk.send(query) == "63C2"
    desk.send(RIGHT_PIN)
    assert desk.send(query) == "63C3"
    assert Desk(pin=None).send(query) == "9000"


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("0020000001 24", "6700"),
        ("0020000009" + "24" * 9, "6700"),
        ("0020010003246810", "6A86"),
        ("0020000103246810", "6A86"),
        ("0020000003ABCDEF", "63C2"),
        ("002000000224 68", "63C2"),
        ("002000000424681000", "63C2"),
    ],
)
def test_refused_pins(command: str, sw: str) -> None:
    assert Desk().send(command) == sw


def test_a_pin_of_odd_length_is_filled_with_f() -> None:
    desk = Desk(pin=PinState("12345", initial=False, retries=3, tries_left=3))
    assert desk.send("002000000312345F") == "9000"


def test_pin_success_lasts_until_power_off() -> None:
    desk = Desk()
    desk.send("00A4000002DF04")
    assert desk.send("00B2012C00") == "6982"
    desk.send(SELECT_SSSE)
    desk.send(RIGHT_PIN)
    desk.send("00A4000002DF04")
    assert desk.send("00B2012C00").endswith("9000")
    desk.restart()
    desk.send("00A4000002DF04")
    assert desk.send("00B2012C00") == "6982"


def test_a_wrong_pin_takes_the_right_back() -> None:
    desk = Desk()
    desk.send(RIGHT_PIN)
    desk.send(WRONG_PIN)
    desk.send("00A4000002DF04")
    assert desk.send("00B2012C00") == "6982"


def test_change_pin() -> None:
    desk = Desk()
    assert desk.send("805E010007246810FF135790") == "9000"
    assert desk.send(RIGHT_PIN) == "63C2"
    assert desk.send("0020000003135790") == "9000"
    assert desk.send("805E010006135790FF9753") == "9000"
    desk.restart()
    assert desk.send("00200000029753") == "9000"
    assert desk.send("805E0100069753FF97531F") == "9000"  # an odd number of digits
    assert desk.send("002000000397531F") == "9000"


def test_change_pin_with_a_wrong_old_one_counts_a_try() -> None:
    desk = Desk()
    change = "805E010007999999FF135790"
    assert [desk.send(change) for _ in range(4)] == ["63C2", "63C1", "63C0", "6983"]


def test_changing_the_pin_gives_the_tries_back() -> None:
    desk = Desk()
    desk.send(WRONG_PIN)
    desk.send("805E010007246810FF135790")
    assert desk.send("00200000") == "63C3"


def test_an_empty_old_pin_sets_the_first_one_and_an_empty_new_one_removes_it() -> None:
    desk = Desk()
    assert desk.send("805E010004246810FF") == "9000"
    assert desk.send("00200000") == "9000"
    assert desk.send(RIGHT_PIN) == "6A88"
    assert desk.send("805E010007246810FF135790") == "6A88"
    assert desk.send("805E010004FF135790") == "9000"
    assert desk.send("0020000003135790") == "9000"


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("805E010007246810135790FF", "63C2"),
        ("805E010006246810135790", "6A80"),
        ("805E010007246810FF13579A", "6A80"),
        ("805E010005246810FF13", "6A80"),
        ("805E010004FF135790", "63C2"),  # an empty old PIN is a wrong one
        ("805E010002 24FF", "6700"),
        ("805E010012" + "24" * 8 + "FF" + "13" * 9, "6700"),
        ("805E000007246810FF135790", "6A86"),
        ("805E010107246810FF135790", "6A86"),
        ("005E010007246810FF135790", "6E00"),
    ],
)
def test_refused_pin_changes_leave_the_pin(command: str, sw: str) -> None:
    desk = Desk()
    assert desk.send(command) == sw
    assert desk.send(RIGHT_PIN) == "9000"


# PIN UNBLOCK and PIN RELOAD.


@BY_ALGORITHM
def test_unblock_gives_the_tries_back_and_leaves_the_pin(name: str) -> None:
    desk = Desk(name)
    pin = desk.profile.pin
    assert pin is not None
    for _ in range(3):
        desk.send(WRONG_PIN)
    assert desk.authenticate(KeyName.PUK) == "9000"
    assert desk.secured(KeyName.STK, "84240000") == "9000"
    assert desk.send("0020000003" + pin.value) == "9000"


def test_unblock_with_all_tries_left_is_no_error() -> None:
    desk = Desk()
    desk.authenticate(KeyName.PUK)
    assert desk.secured(KeyName.STK, "84240000") == "9000"
    assert desk.send("00200000") == "63C3"


@BY_ALGORITHM
@pytest.mark.parametrize("packed", ["8642", "123456", "1234567890123456"])
def test_reload_sets_a_new_pin(name: str, packed: str) -> None:
    desk = Desk(name)
    for _ in range(4):
        desk.send(WRONG_PIN)
    desk.authenticate(KeyName.PUK)
    assert desk.secured(KeyName.STK, "84240001", bytes.fromhex(packed)) == "9000"
    assert desk.send(f"00200000{len(packed) // 2:02X}{packed}") == "9000"


def test_unblock_and_reload_are_checked() -> None:
    desk = Desk()
    assert desk.secured(KeyName.STK, "84240000") == "6982"
    desk.authenticate(KeyName.PUK)
    assert desk.send("8424000004" + "00" * 4) == "6984"
    assert desk.secured(KeyName.UKSSSE, "84240000") == "6988"
    assert desk.secured(KeyName.STK, "84240002") == "6A86"
    assert desk.secured(KeyName.STK, "84240000", b"\x12\x34") == "6700"
    assert desk.secured(KeyName.STK, "84240001", b"\x12\xab") == "6A80"
    assert desk.secured(KeyName.STK, "84240001", b"\x12") == "6A80"
    assert desk.secured(KeyName.STK, "84240001") == "6A80"
    assert desk.send(RIGHT_PIN) == "9000"


# APPLICATION BLOCK and CARD BLOCK.


@BY_ALGORITHM
@pytest.mark.parametrize(
    ("df", "authoriser", "message_key"),
    [
        ("DF03", KeyName.LKDF03, KeyName.STKDF03),
        ("DF04", KeyName.LKDF04, KeyName.STKDF04),
        ("DF01", KeyName.BK, KeyName.STKDF01),
    ],
)
def test_a_blocked_application_is_blocked_for_good(
    name: str, df: str, authoriser: KeyName, message_key: KeyName
) -> None:
    desk = Desk(name)
    desk.send("00A4000002" + df)
    assert desk.secured(message_key, "841E0001") == "6982"
    assert desk.authenticate(authoriser) == "9000"
    assert desk.secured(message_key, "841E0001") == "9000"
    for command in ("0084000008", "00A4020002EF05", "00FF0000"):
        assert desk.send(command) == "9303"
    desk.restart()
    assert desk.send("00A4000002" + df) == "9303"
    assert desk.send("00A4000002DF02").endswith("9000")
    assert desk.send("00A4000002" + df) == "9303"


def test_blocking_ssse_blocks_what_is_under_it() -> None:
    desk = Desk()
    desk.authenticate(KeyName.BK)
    assert desk.secured(KeyName.STK, "841E0001") == "9000"
    desk.restart()
    assert desk.send(SELECT_SSSE) == "9303"
    assert desk.send("00A4040006D15600000503") == "9303"


def test_a_blocked_card_answers_nothing_else() -> None:
    desk = Desk()
    assert desk.secured(KeyName.STK, "84160000") == "6982"
    desk.authenticate(KeyName.BK)
    assert desk.secured(KeyName.STK, "84160000") == "9000"
    for command in (SELECT_SSSE, "0084000008", "00FF0000", "00B2012C00"):
        assert desk.send(command) == "6A81"
    desk.restart()
    assert desk.send(SELECT_SSSE) == "6A81"


def test_a_wrong_mac_blocks_nothing_and_locks_no_key() -> None:
    desk = Desk()
    desk.authenticate(KeyName.BK)
    for _ in range(5):
        assert desk.secured(KeyName.UKSSSE, "84160000") == "6988"
        assert desk.secured(KeyName.UKSSSE, "841E0001") == "6988"
    assert desk.secured(KeyName.STK, "84160000") == "9000"


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("841E000004" + "00" * 4, "6A86"),
        ("841E000103" + "00" * 3, "6700"),
        ("8416000104" + "00" * 4, "6A86"),
        ("8416000005" + "00" * 5, "6700"),
        ("0016000004" + "00" * 4, "6E00"),
    ],
)
def test_refused_blocks(command: str, sw: str) -> None:
    assert Desk().send(command) == sw


def test_a_card_can_be_personalised_blocked() -> None:
    assert Desk(condition=Condition.CARD_BLOCKED).send(SELECT_SSSE) == "6A81"
    assert Desk(condition=Condition.APPLICATION_BLOCKED).send(SELECT_SSSE) == "9303"
    blocked_pin = PinState("123456", initial=False, retries=3, tries_left=0)
    assert Desk(pin=blocked_pin).send("0020000003123456") == "6983"
