"""Generated holders: well-formed, plainly invented, of every kind, and the same for a seed."""

import json
from datetime import date
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apdu.channel import CardChannel
from apdu.crypto import Algorithm
from apdu.layers import stack
from apdu.readers.inprocess import InProcessReader
from apdu.sam import SoftwareSam
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.values import check_card_id, is_card_number
from simulator.card.card import SimulatedCard
from simulator.card.description import Condition
from simulator.card.profile import BUILT_IN, CardProfile, load_profile, parse_profile
from simulator.profiles.generator import SAMPLE_DAY, generate, write_profiles, years_after
from simulator.profiles.names import draw_name, size
from simulator.profiles.numbers import luhn_check_digit, ssn_check_character
from terminal.cli import main
from terminal.exit_codes import ExitCode

SEEDS = st.integers(min_value=0, max_value=2**32)
SAM = SoftwareSam.development(Random(1).randbytes)
MANY = [parse_profile(document) for document in generate(400, seed=2026)]


def age(profile: CardProfile, day: date = SAMPLE_DAY) -> int:
    born = profile.holder.birth_date
    assert born is not None
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


@given(seed=SEEDS, today=st.dates(date(2020, 1, 1), date(2060, 12, 31)))
@settings(max_examples=60, deadline=None)
def test_every_profile_obeys_the_schema_and_makes_a_card(seed: int, today: date) -> None:
    for document in generate(4, seed, today=today):
        profile = parse_profile(json.loads(json.dumps(document)))
        SimulatedCard(profile, random=Random(1).randbytes).power_on()
        assert profile.card.issued < today
        assert 0 <= age(profile, today) <= 102


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_the_same_seed_makes_the_same_and_more_begin_alike(seed: int) -> None:
    first = list(generate(6, seed))
    assert list(generate(6, seed)) == first
    assert list(generate(3, seed)) == first[:3]
    assert list(generate(6, seed + 1)) != first
    assert list(generate(0, seed)) == []


def test_numbers_are_well_formed_and_plainly_of_nowhere() -> None:
    for profile in MANY:
        holder, card = profile.holder, profile.card
        assert holder.ssn[:6] == card.region == "990100"
        assert holder.ssn[6:14] == f"{holder.birth_date:%Y%m%d}"
        assert holder.ssn[-1] == ssn_check_character(holder.ssn[:17])
        assert int(holder.ssn[16]) % 2 == (holder.sex == "1")
        check_card_id(card.card_id)
        assert is_card_number(card.number)
        if card.bank_card_number:
            assert card.bank_card_number[-1] == luhn_check_digit(card.bank_card_number[:-1])


def test_no_number_is_given_out_twice_nor_to_a_built_in_card() -> None:
    every = [*MANY, *(load_profile(name) for name in BUILT_IN)]
    for numbers in (
        [p.holder.ssn for p in every],
        [p.card.number for p in every],
        [p.card.card_id for p in every],
        [p.card.historical for p in every],
    ):
        assert len(set(numbers)) == len(every)


def test_the_check_characters_against_known_numbers() -> None:
    # The examples of GB 11643, and the one that texts about the Luhn formula print.
    assert ssn_check_character("11010519491231002") == "X"
    assert ssn_check_character("44052418800101001") == "4"
    assert luhn_check_digit("7992739871") == "3"


def test_there_is_one_of_every_kind() -> None:
    assert {p.card.card_class for p in MANY} == {"1", "2", "3", "4"}
    assert {p.card.version for p in MANY} == {"1.00", "2.00", "3.00"}
    assert {p.card.algorithm for p in MANY} == {Algorithm.DES, Algorithm.SSF33, Algorithm.SM4}
    assert {p.condition for p in MANY} == set(Condition)
    assert {p.card.contactless for p in MANY} == {True, False}
    assert {p.holder.sex for p in MANY} == {"1", "2"}
    states = {p.backoffice.state for p in MANY if p.backoffice}
    assert states == {
        "active",
        "not_activated",
        "temporarily_lost",
        "formally_lost",
        "void",
        "stopped",
    }
    assert {p.pin.tries_left if p.pin else None for p in MANY} == {None, 0, 1, 2, 3}
    assert any(p.pin and p.pin.initial for p in MANY)
    assert {p.card.bank_card_number is None for p in MANY} == {True, False}
    assert any(p.card.expires < SAMPLE_DAY for p in MANY)
    assert {age(p) < 7 for p in MANY} == {age(p) >= 60 for p in MANY} == {True, False}


@pytest.mark.article(22)
def test_a_young_childs_card_ends_on_the_seventh_birthday() -> None:
    children = [p for p in MANY if p.card.card_class == "1"]
    for profile in children:
        assert profile.holder.birth_date is not None
        assert profile.card.expires == years_after(profile.holder.birth_date, 7)


def test_what_a_card_is_agrees_with_what_it_says() -> None:
    for profile in MANY:
        assert (profile.card.version == "3.00") == (profile.card.algorithm is Algorithm.SM4)
        assert profile.holder.birth_date is not None
        assert profile.holder.birth_date < profile.card.issued < profile.card.expires


def test_years_that_have_no_such_day() -> None:
    assert years_after(date(2024, 2, 29), 7) == date(2031, 3, 1)
    assert years_after(date(2024, 2, 29), 4) == date(2028, 2, 29)


# Names.


def is_gbk(name: str) -> bool:
    try:
        name.encode("gbk")
    except UnicodeEncodeError:
        return False
    return True


def test_names_are_common_rare_short_and_long() -> None:
    names = {p.holder.name for p in MANY}
    assert {is_gbk(name) for name in names} == {True, False}
    assert any(ord(character) > 0xFFFF for name in names for character in name)
    assert any(size(name) > 30 for name in names)
    assert any(name.isascii() for name in names)


@given(seed=SEEDS, extension=st.booleans())
def test_a_name_fits_its_card(seed: int, extension: bool) -> None:
    name, ethnicity = draw_name(Random(seed), extension=extension)
    assert 0 < size(name) <= (50 if extension else 30)
    assert len(ethnicity) == 2


def test_gb18030_is_gbk_wherever_gbk_has_a_character() -> None:
    """What makes it safe to write a rare name in GB 18030 onto a card that others read as GBK."""
    for code in range(0x80, 0x10000):
        character = chr(code)
        if is_gbk(character):
            assert character.encode("gb18030") == character.encode("gbk")


def test_every_generated_holder_is_read_back_from_the_card() -> None:
    for profile in MANY[:200]:
        usable = profile.condition is Condition.NORMAL
        if not usable or not SAM.supports(profile.card.algorithm):
            continue
        chip = SimulatedCard(profile, random=Random(1).randbytes)
        connection = stack(InProcessReader("slot", chip).connect())
        basic = SocialSecurityCard.select(CardChannel(connection)).read_basic(SAM)
        assert basic.warnings == ()
        assert (basic.name, basic.ssn) == (profile.holder.name, profile.holder.ssn)
        assert (basic.issued, basic.expires) == (profile.card.issued, profile.card.expires)


def test_a_character_that_lies_across_name_and_extension_is_read() -> None:
    name = "样本示例测试某某样本示例测𠮷末"  # 13 characters of two bytes, then one of four
    document = next(generate(1, seed=3))
    profile = parse_profile({**document, "holder": {**document["holder"], "name": "某" + name}})
    plain, extension = profile.holder.encoded_name
    assert (len(plain), len(extension)) == (30, 4)
    chip = SimulatedCard(profile, random=Random(1).randbytes)
    connection = stack(InProcessReader("slot", chip).connect())
    assert SocialSecurityCard.select(CardChannel(connection)).read_basic(SAM).name == "某" + name


# Files and the command line.


def test_files_are_profiles(tmp_path: Path) -> None:
    documents = list(generate(3, seed=1))
    files = write_profiles(documents, tmp_path / "new" / "place")
    assert [file.name for file in files] == [
        "holder-00001.json",
        "holder-00002.json",
        "holder-00003.json",
    ]
    assert [load_profile(file) for file in files] == [parse_profile(one) for one in documents]


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSCT_CONFIG", raising=False)


@pytest.mark.usefixtures("own_home")
def test_the_command_line_generates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    arguments = ["sim", "profiles", "--generate", "5", "--seed", "7", "--out", str(out)]
    assert main(arguments) == ExitCode.OK
    assert str(out) in capsys.readouterr().out
    written = [json.loads(file.read_text("utf-8")) for file in sorted(out.iterdir())]
    assert written == list(generate(5, seed=7))


@pytest.mark.usefixtures("own_home")
def test_the_command_line_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    arguments = ["sim", "profiles", "--generate", "1", "--out", str(tmp_path / "file" / "below")]
    assert main(arguments) == ExitCode.USAGE
    assert "PROFILES_NOT_WRITTEN" in capsys.readouterr().err
    with pytest.raises(SystemExit) as done:
        main(["sim", "profiles", "--generate", "-1"])
    assert done.value.code == ExitCode.USAGE
