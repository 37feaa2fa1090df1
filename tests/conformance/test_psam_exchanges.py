"""Published exchanges with a PSAM (T8, T9, W-PSAM) and with HSMs (T1, T5), byte for byte.

The scripts run as they stand against the simulated PSAM and card; the check vectors of appendix B
run through all three forms of the security module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random

import pytest

from apdu.channel import CardChannel
from apdu.command import Command
from apdu.crypto import Algorithm, Purchase, block_data, fold, pad80, region_factors
from apdu.hsm import HsmBasicRead, RemoteSam
from apdu.hsm_text import AuthenticationRequest, BasicReadAnswer, BasicReadRequest, MessageRequest
from apdu.layers import Layer, stack
from apdu.pin import Pin
from apdu.psam import PsamCard
from apdu.purchase import PurchaseRequest
from apdu.readers.inprocess import Chip, InProcessReader
from apdu.readers.replay import ReplayReader
from apdu.sam import DEVELOPMENT_KEYS, CardIdentity, SoftwareSam
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.files import DIRECTORIES, file_map
from apdu.ssc.keys import KeyName
from apdu.ssc.reading import Reading, RecordReader
from apdu.trace import parse_trace
from simulator.card.card import SimulatedCard
from simulator.card.profile import CardProfile, load_profile
from simulator.hsm import SoftwareHsm
from simulator.psam import PsamProfile, SimulatedPsam

DES, SM4 = Algorithm.DES, Algorithm.SM4
TRACES = Path(__file__).parent / "traces"
SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
PROFILE = PsamProfile()


class Line:
    """A chip as the scripts see it: T=0, every command and GET RESPONSE by itself."""

    def __init__(self, chip: Chip) -> None:
        chip.power_on()
        self._chip = chip

    def __call__(self, command: str) -> str:
        return self._chip.transmit(bytes.fromhex(command)).hex().upper()

    def fetched(self, command: str) -> str:
        """The answer to a command whose 61xx is followed by GET RESPONSE."""
        answer = self(command)
        assert answer[:2] == "61", answer
        return self("00C00000" + answer[2:])


def psam_line(profile: PsamProfile = PROFILE) -> Line:
    return Line(SimulatedPsam(profile, random=Random(3).randbytes))


def card_line(profile: CardProfile) -> Line:
    return Line(SimulatedCard(profile, random=Random(1).randbytes))


def factors(profile: CardProfile) -> tuple[str, str]:
    """The two factors that scripts send: the card's, the city's."""
    made = region_factors(profile.card.region, profile.card.historical)
    return made.level3.hex().upper(), made.level2.hex().upper()


# T8 and W-PSAM: authentication


def test_t8_write_authorisation_of_a_des_card() -> None:
    """UKSSSE (48/12), two factors; the card's challenge is both factor and original data."""
    profile = load_profile("adult-2.0")
    card, psam = card_line(profile), psam_line()
    level3, level2 = factors(profile)
    card.fetched(SSSE)
    random = card("0084000008").removesuffix("9000")
    psam("00A4040006D15600000590")
    assert psam(f"BFDE481218{level3}{level2}{random}") == "9000"
    assert psam(f"80FA000008{random}") == "6108"
    proof = psam("00C0000008").removesuffix("9000")
    assert card(f"0082000410{proof}{random}") == "9000"
    assert card("00DC052806050420240315") == "9000"


def test_t8_write_authorisation_of_an_sm4_card() -> None:
    """The public SM4 form: factor and original data filled with 00, the key version named."""
    profile = load_profile("adult-3.0")
    card, psam = card_line(profile), psam_line()
    level3, level2 = factors(profile)
    card.fetched(SSSE)
    random = card("0084000008").removesuffix("9000")
    psam("00A404000F7378332E73682EC9E7BBE1B1A3D5CF")
    psam("00A4000002DF01")
    assert psam(f"BFDE481220{level3}{level2}{random}{'00' * 8}") == "9000"
    answer = psam.fetched(f"80FA000010{random}{'00' * 8}").removesuffix("9000")
    proof = fold(bytes.fromhex(answer), 8).hex()
    assert card(f"0082000411{proof}{random}01") == "9000"


def test_w_psam_one_factor_and_an_original_of_its_own() -> None:
    """A PSAM of city keys (28); the original data are 1122334455667788, as in the script."""
    profile = load_profile("adult-2.0")
    card, psam = card_line(profile), psam_line(replace(PROFILE, levels=1))
    level3, level2 = factors(profile)
    card.fetched(SSSE)
    assert profile.pin is not None
    assert card("0020000003" + profile.pin.value) == "9000"
    random = card("0084000008").removesuffix("9000")
    psam("00A4040006D15600000590")
    assert psam(f"BFDE481218{level3}{level2}{random}") == "6A80"
    assert psam(f"BFDE485D18{level3}{level2}{random}") == "6A88"  # the region's own key
    assert psam(f"BFDE281210{level3}{random}") == "9000"
    assert psam("80FA0000081122334455667788") == "6108"
    proof = psam("00C0000008").removesuffix("9000")
    assert card(f"0082000410{proof}1122334455667788") == "9000"


def test_w_psam_city_factor() -> None:
    assert region_factors("371700", bytes(13)).level2.hex() == "3337313730307378"


class Heard(Layer):
    """Remembers what went over the line."""

    def __init__(self, chip: Chip) -> None:
        super().__init__(InProcessReader("slot 2", chip).connect())
        self.commands: list[str] = []

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command.hex().upper())
        return super().transmit(command)


@pytest.mark.parametrize(
    ("algorithm", "environments", "script"),
    [
        (
            DES,
            False,
            [
                "00A4040006D15600000590",
                "BFDE481218{level3}{level2}{challenge}",
                "80FA000008{original}",
                "00C0000008",
            ],
        ),
        (
            SM4,
            True,
            [
                "00A404000F7378332E73682EC9E7BBE1B1A3D5CF",
                "00A4000002DF01",
                "BFDE481220{level3}{level2}{challenge}0000000000000000",
                "80FA000010{original}0000000000000000",
                "00C0000010",
            ],
        ),
    ],
)
def test_our_terminal_sends_what_the_scripts_send(
    algorithm: Algorithm, environments: bool, script: list[str]
) -> None:
    """All but GET RESPONSE after SELECT: nobody needs what a PSAM says of its applications."""
    profile = replace(PROFILE, algorithms=frozenset({algorithm}), environments=environments)
    line = Heard(SimulatedPsam(profile, random=Random(3).randbytes))
    psam = PsamCard(line)
    card = CardIdentity(algorithm, CARD_ID, HISTORICAL)
    values = {
        "challenge": "1122334455667788",
        "original": "A1A2A3A4A5A6A7A8",
        "level3": "868499010000007B",
        "level2": "3939303130307378",
    }
    challenge, original = bytes.fromhex(values["challenge"]), bytes.fromhex(values["original"])
    psam.terminal_authentication(card, KeyName.UKSSSE, challenge, original)  # finds the level
    _ = psam.terminal_number  # leaves the application
    line.commands.clear()
    psam.terminal_authentication(card, KeyName.UKSSSE, challenge, original)
    assert line.commands == [command.format(**values) for command in script]


# T9: a purchase, in the order of the program


@pytest.mark.parametrize("name", ["adult-2.0", "adult-3.0"])
@pytest.mark.parametrize("levels", [2, None])
def test_t9_purchase_in_program_order(name: str, levels: int | None) -> None:
    """With two factors, or with one where the PSAM refuses two."""
    profile = load_profile(name)
    algorithm = profile.card.algorithm
    card, psam = card_line(profile), psam_line(replace(PROFILE, levels=levels))
    level3, level2 = factors(profile)
    assert profile.pin is not None
    card.fetched(SSSE)
    psam("00A40000023F00")
    terminal = psam("00B0960006").removesuffix("9000")
    if algorithm is SM4:  # the program knows DES only
        psam("00A404000F7378332E73682EC9E7BBE1B1A3D5CF")
    psam("00A4000002DF01")
    assert psam("00A40000020019") == "9000"
    counter = psam("00B0000004").removesuffix("9000")
    card("00A4000002DF04")
    assert card("0020000003" + profile.pin.value) == "9000"
    amounts, time = "00000000" + "00003039" + "00002710", "20260102030405"
    begun = card.fetched(f"B02801011301{amounts}{terminal}")
    assert len(begun) == 2 * 0x16 + 4
    sequence, version, random = begun[28:32], begun[32:36], begun[36:44]
    data = f"{random}{sequence}{amounts}32{time}{version}{level3}"
    two = psam(f"807001002C{data}{level2}")
    if levels is None:
        assert two == "6A80"
        assert psam(f"8070010024{data}") == "6108"
    else:
        assert two == "6108"
    permit = psam("00C0000008").removesuffix("9000")
    assert permit[:8] == counter
    done = card.fetched(f"B02C01000F{permit[:8]}{time}{permit[8:]}").removesuffix("9000")
    assert psam(f"8072000004{done[8:]}") == "9000"


def test_t10_public_files_of_the_psam() -> None:
    psam = psam_line()
    psam("00A4000000")
    assert psam("00A40000020015") == "9000"
    assert psam("00B000000F") == "43" + PROFILE.serial + "22440000" + "9000"
    assert psam("00A40000020016") == "9000"
    assert psam("00B0000006") == PROFILE.terminal_number + "9000"


# T1: the strings between terminal and HSM


class WithoutLe(Layer):
    """T=0 as it was recorded: a command with data goes out without its Le (ISO 7816-3)."""

    def transmit(self, command: bytes) -> bytes:
        parsed = Command.parse(command)
        return self._transmit(bytes(replace(parsed, le=None)) if parsed.data else command)


T1_REQUEST = (
    "519900|3B6D000000814A444686605199000001AC|03|519900D15600000510000B26FFFFFFFF|"
    "32D9E876ADB31BBF|DBF7A936D0D18C9E|98B4D293D091C331|E603E2CAADAF02B6|"
    "00000000000000000000000000000000|"
)
T1_ANSWER = "F4A0CF965BDCEA30DBF7A936D0D18C9E|774A08EDF447A1DEE603E2CAADAF02B6|"
T1_PUK_REQUEST = "03|0090|E4A30F837E2CAFEC|1B0D7286F2DC77AF|"
T1_PUK_ANSWER = "50C45431554CBADC1B0D7286F2DC77AF"
T1_PIN_REQUEST = "03|0173|2AFD6A015D2D9BAC|8424000114|123456"
T1_PIN_ANSWER = "2bc19c17ae974cd2427039c301cff79ffd937aa7"


def test_t1_from_the_first_step_to_the_pin_reload() -> None:
    """The recorded card, the recorded strings, in the recorded order, to the last command."""
    trace = parse_trace((TRACES / "t1.trace").read_text())
    connection = ReplayReader(trace).connect()
    channel = CardChannel(stack(WithoutLe(connection)))
    files = file_map("3.00")
    issuer_file, holder_file = files["SSSE", 0xEF05], files["SSSE", 0xEF06]
    name = DIRECTORIES["SSSE"].aid
    channel.select_name(name)
    reader = RecordReader(channel, Reading.BY_RECORD)
    issuer = reader.read_items(issuer_file, (0x01, 0x03, 0x07))
    historical = bytes.fromhex("00814A444686605199000001AC")
    identity = CardIdentity(SM4, issuer[0x01], historical)
    card = SocialSecurityCard(channel, name, identity, reader, issuer)
    channel.forget()  # the recorded program selected the environment again

    step = HsmBasicRead.begin(card, channel.get_challenge, terminal="0" * 32, whole_atr=True)
    assert str(step.request) == T1_REQUEST
    answer = BasicReadAnswer.parse(T1_ANSWER)
    assert str(answer) == T1_ANSWER
    step.confirm(answer)
    assert card.authentic
    card.read_records(issuer_file, (0x03,))
    card.read_records(holder_file, (0x08, 0x09, 0x4E))

    original, factor = channel.get_challenge(8), channel.get_challenge(8)
    puk = AuthenticationRequest(SM4, KeyName.PUK.spec.hsm or 0, factor, original)
    assert str(puk) == T1_PUK_REQUEST
    card.present_key(KeyName.PUK, puk.answer(T1_PUK_ANSWER))
    header = bytes.fromhex("8424000114")
    stk = KeyName.STK.spec.hsm or 0
    message = MessageRequest(SM4, stk, channel.get_challenge(8), header, "123456")
    assert str(message).removesuffix("|") == T1_PIN_REQUEST  # IF38 ends it with a bar
    channel.call(message.answer(T1_PIN_ANSWER), "PIN RELOAD")
    assert getattr(connection, "remaining") == 0  # noqa: B009  # not part of the protocol


def test_t1_strings_are_understood() -> None:
    request = BasicReadRequest.parse(T1_REQUEST)
    assert str(request) == T1_REQUEST
    assert request.identity.historical.hex().upper() == "00814A444686605199000001AC"
    assert MessageRequest.parse(T1_PIN_REQUEST).pin == "123456"
    other = (
        "519900|00814A444686605199000000DB|03|519900D15600000510000B26FFFFFFFF|"
        "89F8256B7CE352A9|6387799E6829D175|F5A2277DBDEEF496|F9D2088D3167BB83|"
        "00000000000000000000000000000000|"
    )
    assert str(BasicReadRequest.parse(other)) == other
    answer = "B6F4F60729E65FF26387799E6829D175|81139604F1650924F9D2088D3167BB83|"
    assert str(BasicReadAnswer.parse(answer)) == answer


# T5: the parts of the messages that can be computed without the keys

T5_HISTORICAL = bytes.fromhex("0081544C928684420100000135")
T5_AUTHENTICATION = (
    "B0A5 000000000000000001 0090 02 3432303130307378 8684420100000135 00 A273F18414E54044 08"
    " 0102030405060708"
)
T5_ENCRYPTION = (
    "B0A6 000000000000000001 0173 02 3432303130307378 8684420100000135 00 D35A1BBD61EFDEFD 08"
    " 0312345680000000"
)
T5_MAC = (
    "B080 000000000000000000 0173 02 3432303130307378 8684420100000135 00 D35A1BBD61EFDEFD"
    " 0000000000000000 0010 842400010C ba7cb5d03e93d00ea15d623b7b3edf48 800000"
)


@pytest.mark.parametrize("message", [T5_AUTHENTICATION, T5_ENCRYPTION, T5_MAC])
def test_t5_addresses_and_factors(message: str) -> None:
    """Two levels: the HSM keeps provincial keys, and the city's factor comes first."""
    _, _, address, levels, city, card, *_ = message.split()
    made = region_factors("420100", T5_HISTORICAL)
    assert int(levels) == 2
    assert (made.level2.hex(), made.level3.hex()) == (city, card)
    key = KeyName.PUK if message is T5_AUTHENTICATION else KeyName.STK
    assert key.spec.hsm == int(address, 16)


def test_t5_pin_block() -> None:
    with Pin("123456") as pin:
        assert block_data(DES, pin.packed()).hex() == T5_ENCRYPTION.split()[-1]


def test_t5_mac_input() -> None:
    """The log's server answered 16 bytes for every request, and the program signed them all."""
    header, cipher, padding = T5_MAC.split()[-3:]
    text = bytes.fromhex(header + cipher)
    assert pad80(text, 8).hex().upper() == (header + cipher + padding).upper()
    assert pad80(text, 8)[len(text) :].hex() == padding
    assert T5_MAC.split()[8] == bytes(8).hex()  # the initial value


# Appendix B through every form

REGION = "990100"
CARD_ID = bytes.fromhex("990100D15600000500000001FFFFFFFF")
HISTORICAL = bytes.fromhex("0081544C92868499010000007B")
ROOT = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
STK_ROOT = bytes.fromhex("0123456789ABCDEF0123456789ABCDEF")
FACTOR = bytes.fromhex("1122334455667788")
ORIGINAL = bytes.fromhex("A1A2A3A4A5A6A7A8")
ROOTS = {name: STK_ROOT if name.spec.short else ROOT for name in DEVELOPMENT_KEYS}
AnyModule = SoftwareSam | PsamCard | RemoteSam


def software() -> AnyModule:
    return SoftwareSam(ROOTS, Random(2).randbytes)


def hsm() -> AnyModule:
    return RemoteSam(SoftwareHsm(ROOTS, later_versions={}), Random(2).randbytes)


def psam(levels: int | None = None) -> PsamCard:
    """A PSAM with the keys of the appendix, whose next purchase has the number 00000123."""
    profile = replace(PROFILE, roots=ROOTS, levels=levels, counter=0x123)
    chip = SimulatedPsam(profile, random=Random(3).randbytes)
    return PsamCard.open(InProcessReader("slot 2", chip))


PSAMS: dict[str, Callable[[], PsamCard]] = {
    "psam-as-published": psam,
    "psam-national": partial(psam, 3),
    "psam-provincial": partial(psam, 2),
    "psam-city": partial(psam, 1),
}
FORMS: dict[str, Callable[[], AnyModule]] = {"software": software, "hsm": hsm, **PSAMS}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("algorithm", "data"), [(DES, "6CA63E545BD8C16D"), (SM4, "9EB9B4342C50EB6C")]
)
def test_appendix_b_authentication_data(form: str, algorithm: Algorithm, data: str) -> None:
    module, card = FORMS[form](), CardIdentity(algorithm, CARD_ID, HISTORICAL)
    assert module.card_authentication(card, FACTOR, ORIGINAL).hex().upper() == data
    proof = module.terminal_authentication(card, KeyName.RKSSSE, FACTOR, ORIGINAL)
    assert proof.hex().upper() == data + ORIGINAL.hex().upper()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("header", "pin", "command"),
    [
        pytest.param("84240001", "123456", "842400010CF55C2E69706C590797E51E3E", id="PIN reload"),
        pytest.param("84240000", "", "8424000004642FB8F7", id="PIN unblock"),
        pytest.param("841E0001", "", "841E000104C1F35057", id="application block"),
    ],
)
def test_appendix_b_secured_commands(form: str, header: str, pin: str, command: str) -> None:
    module, card = FORMS[form](), CardIdentity(DES, CARD_ID, HISTORICAL)
    made = module.secured_command(
        card,
        KeyName.STK,
        FACTOR,
        bytes.fromhex(header),
        bytes.fromhex(pin),
        encipher=bool(pin),
    )
    assert bytes(made).hex().upper() == command


@pytest.mark.parametrize("form", PSAMS)
def test_appendix_b_purchase(form: str) -> None:
    """MAC1 and MAC2 under the PSAM's counter 00000123."""
    module, card = PSAMS[form](), CardIdentity(DES, CARD_ID, HISTORICAL)
    purchase = Purchase(
        0,
        0x3039,
        0x2710,
        bytes.fromhex("990100000001"),
        bytes.fromhex("20260102030405"),
    )
    request = PurchaseRequest(purchase, bytes.fromhex("C0FFEE01"), bytes.fromhex("0007"))
    permit = module.permit_purchase(card, request)
    assert permit.sequence.hex() == "00000123"
    assert permit.mac1.hex().upper() == "E6501057"
    module.complete_purchase(bytes.fromhex("8035FEB9"))


@pytest.mark.parametrize("form", FORMS)
def test_appendix_b_load(form: str) -> None:
    module, card = FORMS[form](), CardIdentity(DES, CARD_ID, HISTORICAL)
    factor = bytes.fromhex("C0FFEE0100038000")
    mac1 = bytes.fromhex("000003E80000271031990100000001")
    mac2 = bytes.fromhex("000027103199010000000120260102030405")
    assert module.message_mac(card, KeyName.DLK, factor, mac1).hex().upper() == "ED10A2E9"
    assert module.message_mac(card, KeyName.DLK, factor, mac2).hex().upper() == "F143306A"
