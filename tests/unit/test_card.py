"""The social security card over a small scripted card (facts 2, 3.9, 4.4, 7.2)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import date
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.channel import CardChannel
from apdu.crypto import Algorithm, auth_data, card_key, session_key
from apdu.layers import stack
from apdu.pin import Pin
from apdu.sam import DEVELOPMENT_KEYS, SoftwareSam
from apdu.ssc.basic import BasicData
from apdu.ssc.card import KeyRefused, SocialSecurityCard
from apdu.ssc.files import DIRECTORIES, file_map
from apdu.ssc.keys import KeyName
from apdu.ssc.values import CardIdFormat
from apdu.status import (
    AlgorithmNotSupported,
    ApplicationLocked,
    CardError,
    KeyNotAvailable,
    MalformedData,
    NotACard,
    NotAuthentic,
    PinBlocked,
    PinWrong,
    StatusError,
    UnsupportedCard,
)

OK = b"\x90\x00"
NOT_FOUND = b"\x6a\x82"
HISTORICAL = bytes.fromhex("0081544C92868499010000007B")
NAME = DIRECTORIES["SSSE"].aid
FCI = {
    None: "6F16840F7378312E73682EC9E7BBE1B1A3D5CFA50388011E",
    Algorithm.DES: "6F1C840F7378312E73682EC9E7BBE1B1A3D5CFA50988011E9F0C03860101",
    Algorithm.SSF33: "6F1C840F7378312E73682EC9E7BBE1B1A3D5CFA50988011E9F0C03860102",
    Algorithm.SM4: "6F1C840F7378312E73682EC9E7BBE1B1A3D5CFA50988011E9F0C03860103",
}
CARD_ID = "990100D15600000500000001FFFFFFFF"
EF05 = {
    0x01: bytes.fromhex(CARD_ID),
    0x02: b"3",
    0x03: b"3.00",
    0x04: bytes.fromhex("915600000299010099010001"),
    0x05: bytes.fromhex("20240315"),
    0x06: bytes.fromhex("20340315"),
    0x07: b"A00000011",
}
EF06 = {
    0x08: b"990100199001011234",
    0x09: "张三".encode("gbk").ljust(30, b"\x00"),
    0x4E: bytes(20),
    0x0A: b"1",
    0x0B: b"\x01",
    0x0C: bytes.fromhex("990100"),
    0x0D: bytes.fromhex("19900101"),
}


class ScriptedCard:
    """A card that knows just enough, and writes down what it was asked.

    `whole` is how it reads whole files: "sfi", "current" (only the selected file) or "never".
    """

    def __init__(self, **given: object) -> None:
        self.atr = given.get("atr", bytes.fromhex("3B6D0000") + HISTORICAL)
        self.algorithm = given.get("algorithm", Algorithm.SM4)
        self.fci = bytes.fromhex(FCI[given.get("fci", self.algorithm)])  # type: ignore[index]
        self.files = {0xEF05: given.get("issuer", EF05), 0xEF06: given.get("holder", EF06)}
        self.whole = given.get("whole", "sfi")
        self.closed = given.get("closed", True)
        self.root: bytes = given.get("root", b"")  # type: ignore[assignment]
        self.answers: dict[bytes, bytes] = {}
        self.commands: list[str] = []
        self._selected = 0
        self._challenge = b""
        self._random = count(1)

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command[:4].hex().upper())
        for prefix, answer in self.answers.items():
            if command.startswith(prefix):
                return answer
        handler = self._handlers.get(command[1])
        return handler(self, command) if handler else b"\x6d\x00"

    def reset(self) -> bytes:
        assert isinstance(self.atr, bytes)
        return self.atr

    def close(self) -> None:
        pass

    def _select(self, command: bytes) -> bytes:
        data = command[5 : 5 + command[4]]
        if data == NAME:
            return self.fci + OK
        self._selected = int.from_bytes(data, "big")
        return OK if self._selected in self.files else NOT_FOUND

    def _read(self, command: bytes) -> bytes:
        _, _, p1, p2, *_ = command
        fid = 0xEF00 | p2 >> 3 if p2 >> 3 else self._selected
        if fid == 0xEF06 and self.closed:
            return b"\x69\x82"
        records = self.files[fid]
        assert isinstance(records, dict)
        if p2 & 7 == 5:
            if self.whole == "never" or (self.whole == "current" and p2 >> 3):
                return b"\x6a\x86"
            return _sized(b"".join(_tlv(*record) for record in records.items()), command[-1])
        return _sized(_tlv(p1, records[p1]), command[-1]) if p1 in records else b"\x6a\x83"

    def _get_challenge(self, command: bytes) -> bytes:
        self._challenge = next(self._random).to_bytes(command[4], "big")
        return self._challenge + OK

    def _key(self, name: KeyName) -> bytes:
        assert isinstance(self.algorithm, Algorithm)
        root = self.root or DEVELOPMENT_KEYS[name]
        return card_key(self.algorithm, root, "990100", HISTORICAL)

    def _internal(self, command: bytes) -> bytes:
        assert isinstance(self.algorithm, Algorithm)
        factor, original = command[5:13], command[13:21]
        session = session_key(self.algorithm, self._key(KeyName.IRK), factor)
        return auth_data(self.algorithm, session, original) + OK

    def _external(self, command: bytes) -> bytes:
        assert isinstance(self.algorithm, Algorithm)
        name = next(key for key in KeyName if key.card_id == command[3])
        proof, original = command[5:13], command[13:21]
        session = session_key(self.algorithm, self._key(name), self._challenge)
        if auth_data(self.algorithm, session, original) != proof:
            return b"\x63\xc2"
        self.closed = False
        return OK

    _handlers: dict[int, Callable[[ScriptedCard, bytes], bytes]] = {  # noqa: RUF012  # a table
        0xA4: _select,
        0xB2: _read,
        0x84: _get_challenge,
        0x88: _internal,
        0x82: _external,
    }


def _tlv(tag: int, value: bytes) -> bytes:
    return bytes((tag, len(value))) + value


def _sized(data: bytes, le: int) -> bytes:
    """What a T=0 card answers: all of it, or the length that it wants to be asked for."""
    return data + OK if le in (0, len(data)) else bytes((0x6C, len(data)))


def _channel(chip: ScriptedCard) -> CardChannel:
    return CardChannel(stack(chip))  # type: ignore[arg-type]  # its atr may be anything here


def _select(chip: ScriptedCard) -> SocialSecurityCard:
    return SocialSecurityCard.select(_channel(chip))


def _sam() -> SoftwareSam:
    numbers = count(0x80)
    return SoftwareSam.development(lambda length: next(numbers).to_bytes(length, "big"))


def _read(chip: ScriptedCard) -> BasicData:
    return _select(chip).read_basic(_sam())


# The ordinary way, and what it costs


def test_a_version_3_card_is_read_with_the_least_possible_commands() -> None:
    chip = ScriptedCard()
    card = _select(chip)
    sam = _sam()
    card.authenticate(sam)
    basic = card.read_basic(sam)
    assert chip.commands == [
        "00A40400",  # SELECT by name
        "00B2012D",  # EF05 whole, by short identifier
        "00880000",  # INTERNAL AUTHENTICATE
        "00840000",  # GET CHALLENGE
        "0082000A",  # EXTERNAL AUTHENTICATE, RKSSSE
        "00B20135",  # EF06 whole
    ]
    assert basic.name == "张三"
    assert basic.ssn == "990100199001011234"
    assert basic.card_number == "A00000011"
    assert basic.card_id.hex().upper() == CARD_ID
    assert basic.region == "990100"
    assert basic.card_class == "3"
    assert basic.version == "3.00"
    assert basic.initialiser == EF05[0x04]
    assert (basic.issued, basic.expires) == (date(2024, 3, 15), date(2034, 3, 15))
    assert (basic.sex, basic.ethnicity, basic.birthplace) == ("1", "01", "990100")
    assert basic.birth_date == date(1990, 1, 1)
    assert basic.historical == HISTORICAL
    assert basic.raw == {**EF05, **EF06}


@pytest.mark.parametrize("version", [b"2.00", b"2.0\x00", b"1.00", b"\x00\x00\x00\x00"])
def test_older_cards_open_without_a_key(version: bytes) -> None:
    issuer = {**EF05, 0x03: version}
    holder = EF06 if version[:1] == b"2" else {t: v for t, v in EF06.items() if t != 0x4E}
    chip = ScriptedCard(algorithm=Algorithm.DES, issuer=issuer, holder=holder, closed=False)
    assert _read(chip).name == "张三"
    assert chip.commands == ["00A40400", "00B2012D", "00B20135"]


def test_an_empty_version_is_1_0() -> None:
    issuer = {**EF05, 0x03: bytes(4)}
    chip = ScriptedCard(algorithm=Algorithm.DES, issuer=issuer, closed=False)
    assert _select(chip).version == "1.0"
    assert _read(chip).version == "1.0"


def test_nothing_selected_is_selected_again() -> None:
    chip = ScriptedCard()
    card = _select(chip)
    sam = _sam()
    card.authenticate(sam)
    card.authenticate(sam)
    card.read_basic(sam)
    card.read_basic(sam)
    assert chip.commands.count("00A40400") == 1
    assert chip.commands.count("0082000A") == 1  # the proof holds


# Cards that read in other ways


@pytest.mark.parametrize("whole", ["current", "never"])
def test_a_card_that_refuses_whole_files_is_read_in_a_simpler_way(whole: str) -> None:
    chip = ScriptedCard(whole=whole)
    basic = _read(chip)
    assert (basic.name, basic.card_number) == ("张三", "A00000011")
    # It is remembered: by short identifier is tried once, not for every file.
    assert chip.commands.count("00B2012D") == 1
    assert chip.commands.count("00B20135") == 0


def test_a_record_that_the_card_lacks_is_empty() -> None:
    holder = {tag: value for tag, value in EF06.items() if tag not in (0x4E, 0x0C)}
    basic = _read(ScriptedCard(whole="never", holder=holder))
    assert basic.name == "张三"
    assert basic.birthplace == ""


def test_a_card_that_answers_one_record_for_the_whole_file() -> None:
    chip = ScriptedCard()
    chip.answers[bytes.fromhex("00B2012D")] = _tlv(0x01, EF05[0x01]) + OK
    chip.answers[bytes.fromhex("00B20105")] = _tlv(0x01, EF05[0x01]) + OK
    assert _read(chip).card_number == "A00000011"


def test_a_card_that_answers_half_a_file() -> None:
    chip = ScriptedCard()
    chip.answers[bytes.fromhex("00B20135")] = _tlv(0x08, EF06[0x08])[:-1] + OK
    assert _read(chip).ssn == "990100199001011234"


def test_a_card_that_answers_another_record() -> None:
    chip = ScriptedCard(whole="never")
    chip.answers[bytes.fromhex("00B20100")] = _tlv(0x02, b"3") + OK
    with pytest.raises(MalformedData):
        _select(chip)


def test_single_items_cost_a_command_each() -> None:
    chip = ScriptedCard(algorithm=Algorithm.DES, issuer={**EF05, 0x03: b"2.00"}, closed=False)
    card = _select(chip)
    file = file_map("2.00")["SSSE", 0xEF06]
    assert card.read_records(file, (0x08, 0x0A)) == {0x08: EF06[0x08], 0x0A: b"1"}
    assert chip.commands[2:] == ["00A40200", "00B20800", "00B20A00"]


# Selection


def test_a_card_whose_environment_goes_by_its_file_identifier() -> None:
    chip = ScriptedCard()
    chip.answers[bytes.fromhex("00A40400")] = NOT_FOUND
    chip.answers[bytes.fromhex("00A4000002DDF1")] = chip.fci + OK
    assert _read(chip).name == "张三"


@pytest.mark.parametrize("sw", ["6A82", "6D00", "6E00", "6A86", "6999"])
def test_another_chip_is_not_a_social_security_card(sw: str) -> None:
    chip = ScriptedCard()
    chip.answers[b"\x00\xa4"] = bytes.fromhex(sw)
    with pytest.raises(NotACard):
        _select(chip)


def test_a_card_without_issuer_data_is_none_either() -> None:
    chip = ScriptedCard()
    chip.answers[b"\x00\xb2"] = NOT_FOUND
    chip.answers[bytes.fromhex("00A4020002EF05")] = NOT_FOUND
    with pytest.raises(NotACard):
        _select(chip)


@pytest.mark.parametrize("sw", ["9303", "6A81"])
def test_a_locked_card(sw: str) -> None:
    chip = ScriptedCard()
    chip.answers[b"\x00\xa4"] = bytes.fromhex(sw)
    with pytest.raises(ApplicationLocked):
        _select(chip)


@pytest.mark.parametrize(
    ("fci", "region", "algorithm"),
    [
        (Algorithm.SM4, "990100", Algorithm.SM4),
        (Algorithm.DES, "110000", Algorithm.DES),
        (Algorithm.SSF33, "990100", Algorithm.SSF33),
        (None, "990100", Algorithm.DES),
        (None, "110000", Algorithm.SSF33),
        (None, "310000", Algorithm.DES),
    ],
)
def test_the_algorithm(fci: Algorithm | None, region: str, algorithm: Algorithm) -> None:
    issuer = {**EF05, 0x01: bytes.fromhex(region + CARD_ID[6:])}
    assert _select(ScriptedCard(fci=fci, issuer=issuer)).algorithm is algorithm


def test_an_algorithm_that_nobody_knows() -> None:
    chip = ScriptedCard()
    chip.fci = chip.fci[:-1] + b"\x07"
    with pytest.raises(UnsupportedCard):
        _select(chip)


@pytest.mark.parametrize("fci", ["", "6F", "6F05840F01", "00", "FF" * 30])
def test_an_fci_that_says_nothing(fci: str) -> None:
    chip = ScriptedCard()
    chip.fci = bytes.fromhex(fci)
    assert _select(chip).algorithm is Algorithm.DES


def test_other_historical_bytes() -> None:
    with pytest.raises(UnsupportedCard):
        _select(ScriptedCard(atr=bytes.fromhex("3B6C0000") + HISTORICAL[:12]))
    with pytest.raises(UnsupportedCard):
        _select(ScriptedCard(atr=b""))


@pytest.mark.parametrize("version", [b"4.00", b"ABCD"])
def test_a_version_that_nobody_knows(version: bytes) -> None:
    card = _select(ScriptedCard(issuer={**EF05, 0x03: version}))
    with pytest.raises(UnsupportedCard):
        card.read_basic(_sam())


def test_a_card_id_of_another_form() -> None:
    with pytest.raises(CardIdFormat):
        _select(ScriptedCard(issuer={**EF05, 0x01: b"\xff" * 16}))
    with pytest.raises(CardIdFormat):
        _select(ScriptedCard(issuer={tag: EF05[tag] for tag in (0x02, 0x03)}))


# Authentication


@pytest.mark.parametrize("algorithm", [Algorithm.DES, Algorithm.SM4])
def test_a_genuine_card_and_a_forged_one(algorithm: Algorithm) -> None:
    genuine = _select(ScriptedCard(algorithm=algorithm))
    assert [genuine.authentic] == [False]  # a list, lest mypy take the property for a constant
    genuine.authenticate(_sam())
    assert genuine.authentic
    forged = _select(ScriptedCard(algorithm=algorithm, root=b"forged root key."))
    with pytest.raises(NotAuthentic):
        forged.authenticate(_sam())
    assert not forged.authentic


@pytest.mark.parametrize("answer", ["9000", "00000000000000009000", "6A88", "6D00", "6985"])
def test_any_other_answer_is_not_authentic(answer: str) -> None:
    chip = ScriptedCard()
    chip.answers[b"\x00\x88"] = bytes.fromhex(answer)
    with pytest.raises(NotAuthentic):
        _select(chip).authenticate(_sam())


def test_the_terminal_chooses_new_values_every_time() -> None:
    """A recorded answer is worth nothing: factor and original are the module's own."""
    chip = ScriptedCard()
    sent: list[bytes] = []
    original = chip.transmit

    def transmit(command: bytes) -> bytes:
        sent.append(command)
        return original(command)

    chip.transmit = transmit  # type: ignore[method-assign]
    card = _select(chip)
    sam = _sam()
    card.authenticate(sam)
    card.authenticate(sam)
    first, second = (command[5:21] for command in sent if command[1] == 0x88)
    assert first != second
    assert first[:8] != first[8:]


def test_an_ssf33_card_is_recognised_and_refused() -> None:
    card = _select(ScriptedCard(fci=Algorithm.SSF33))
    with pytest.raises(AlgorithmNotSupported):
        card.authenticate(_sam())


def test_a_key_version_is_named_to_the_card() -> None:
    chip = ScriptedCard()
    card = _select(chip)
    card.authenticate(_sam(), key_version=1)
    with pytest.raises(KeyNotAvailable):
        card.authenticate(_sam(), key_version=4)


def test_a_terminal_with_wrong_keys_does_not_cost_the_card_a_try() -> None:
    chip = ScriptedCard(root=b"another root key")
    with pytest.raises(NotAuthentic):
        _read(chip)
    assert "0082000A" not in chip.commands


@pytest.mark.parametrize(("sw", "left"), [("63C2", 2), ("63C0", 0), ("6983", 0)])
def test_a_card_that_refuses_the_key(sw: str, left: int) -> None:
    chip = ScriptedCard()
    chip.answers[b"\x00\x82"] = bytes.fromhex(sw)
    with pytest.raises(KeyRefused) as caught:
        _read(chip)
    assert caught.value.tries_left == left


def test_a_card_without_the_key() -> None:
    chip = ScriptedCard()
    chip.answers[b"\x00\x82"] = bytes.fromhex("6A88")
    with pytest.raises(KeyNotAvailable):
        _read(chip)


def test_other_refusals_pass_through() -> None:
    chip = ScriptedCard()
    chip.answers[b"\x00\x82"] = bytes.fromhex("6984")
    with pytest.raises(StatusError) as caught:
        _read(chip)
    assert caught.value.sw == 0x6984


def test_a_key_without_a_published_card_id() -> None:
    chip = ScriptedCard()
    with pytest.raises(KeyNotAvailable):
        _select(chip).authorise(_sam(), KeyName.RK1DF07)


def test_a_local_key_is_proved_in_its_directory_and_lost_when_leaving_it() -> None:
    chip = ScriptedCard()
    chip.answers[bytes.fromhex("00A4040006D15600000500")] = OK
    card = _select(chip)
    sam = _sam()
    card.authorise(sam, KeyName.RK1DF01)
    assert chip.commands[-3:] == ["00A40400", "00840000", "00820088"]
    card.authorise(sam, KeyName.RKSSSE)
    assert chip.commands[-3:] == ["00A40400", "00840000", "0082000A"]
    card.authorise(sam, KeyName.RK1DF01)
    assert chip.commands[-3:] == ["00A40400", "00840000", "00820088"]


def test_ef06_stays_closed_without_the_key() -> None:
    card = _select(ScriptedCard())
    with pytest.raises(StatusError) as caught:
        card.read_records(file_map("3.00")["SSSE", 0xEF06])
    assert caught.value.sw == 0x6982


# Values


def test_a_long_name_goes_on_in_the_extension() -> None:
    """A character may begin in one record and end in the other."""
    name = "a" + "阿卜杜拉买买提样本示例姓名延续到扩展处"
    raw = name.encode("gbk")
    holder = {**EF06, 0x09: raw[:30], 0x4E: raw[30:].ljust(20, b"\xff")}
    basic = _read(ScriptedCard(holder=holder))
    assert basic.name == name
    assert basic.warnings == ()


def test_dates_with_the_year_alone_last_as_long_as_they_can() -> None:
    issuer = {**EF05, 0x05: b"2012", 0x06: b"2032"}
    basic = _read(ScriptedCard(issuer=issuer, holder={**EF06, 0x0D: b"1990"}))
    assert (basic.issued, basic.expires) == (date(2012, 1, 1), date(2032, 12, 31))
    assert basic.birth_date is None
    assert basic.warnings == (
        "05: the year alone, in ASCII",
        "06: the year alone, in ASCII",
        "0D: the year alone, in ASCII",
    )


@pytest.mark.parametrize("year", [b"0000", b"0001", b"9999"])
def test_years_that_make_no_sense(year: bytes) -> None:
    basic = _read(ScriptedCard(issuer={**EF05, 0x06: year}))
    assert basic.expires is None


def test_card_numbers_have_nine_characters_and_a_warning_at_most() -> None:
    basic = _read(ScriptedCard(issuer={**EF05, 0x07: b"A0000001X99"}))
    assert basic.card_number == "A0000001X"
    assert basic.warnings == ("07: 11 bytes where 9 are defined", "07: wrong check character")


def test_a_blank_card() -> None:
    holder = {
        0x08: bytes(18), 0x09: bytes(30), 0x4E: bytes(20), 0x0A: b"\x00",
        0x0B: b"\xff", 0x0C: b"\xff" * 3, 0x0D: b"\xff" * 4,
    }  # fmt: skip
    basic = _read(ScriptedCard(holder=holder, issuer={**EF05, 0x07: bytes(9)}))
    assert (basic.ssn, basic.name, basic.card_number, basic.sex) == ("", "", "", "")
    assert (basic.ethnicity, basic.birthplace, basic.birth_date) == ("", "", None)
    assert basic.warnings == ()


def test_nothing_personal_shows_in_a_repr() -> None:
    basic = _read(ScriptedCard())
    shown = repr(basic)
    for secret in (
        "张三",
        "199001011234",
        "A00000011",
        CARD_ID[16:24],
        "1990",
        repr(EF06[0x08])[2:-1],
    ):
        assert secret not in shown
    assert "3.00" in shown


# PIN


def test_pin() -> None:
    chip = ScriptedCard()
    card = _select(chip)
    pin = Pin("123456")
    chip.answers[b"\x00\x20"] = b"\x63\xc3"
    assert card.pin_tries_left() == 3
    with pytest.raises(PinWrong) as caught:
        card.verify_pin(pin)
    assert caught.value.tries_left == 3
    chip.answers[b"\x00\x20"] = b"\x69\x83"
    assert card.pin_tries_left() == 0
    with pytest.raises(PinBlocked):
        card.verify_pin(pin)
    chip.answers[b"\x00\x20"] = OK
    assert card.pin_tries_left() is None
    card.verify_pin(pin)
    chip.answers[b"\x80\x5e"] = OK
    card.change_pin(pin, Pin("654321"))
    assert chip.commands[-1] == "805E0100"


# Hostile cards


class HostileCard(ScriptedCard):
    """Answers what it is told to, from the start again when it runs out."""

    def __init__(self, answers: list[bytes]) -> None:
        super().__init__()
        self._given = answers

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command[:4].hex())
        return self._given[len(self.commands) % len(self._given)]


ANSWERS = st.one_of(
    st.binary(max_size=300),
    st.builds(lambda data: data + OK, st.binary(max_size=100)),
    st.sampled_from(
        [
            *(bytes.fromhex(FCI[Algorithm.SM4]) + OK, b"\x61\x10", b"\x6c\x40", b"\x6c\x00"),
            b"".join(_tlv(*record) for record in EF05.items()) + OK,
            b"".join(_tlv(*record) for record in EF06.items()) + OK,
            *(bytes.fromhex(sw) for sw in ("6982", "6A82", "6A83", "6A86", "9303", "6F00")),
        ]
    ),
)


@given(st.lists(ANSWERS, min_size=1, max_size=8))
def test_a_hostile_card_ends_in_a_value_or_a_typed_error(answers: list[bytes]) -> None:
    chip = HostileCard(answers)
    with contextlib.suppress(CardError):
        card = _select(chip)
        card.read_basic(_sam())
    assert len(chip.commands) < 10_000


@given(st.lists(ANSWERS, min_size=1, max_size=8), st.sampled_from([b"2.00", b"1.00"]))
def test_hostile_holder_data_end_in_a_value_or_a_typed_error(
    answers: list[bytes], version: bytes
) -> None:
    chip = ScriptedCard(algorithm=Algorithm.DES, issuer={**EF05, 0x03: version})
    card = _select(chip)
    turn = iter(answers * 100)
    chip.transmit = lambda command: next(turn, b"")  # type: ignore[method-assign]
    with contextlib.suppress(CardError):
        basic = card.read_basic(_sam())
        assert len(basic.name) <= 512
