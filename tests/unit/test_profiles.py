"""Card profiles: the built-in ones make sense, and a wrong one is refused naming its field."""

import copy
import json
from datetime import date
from importlib import resources
from pathlib import Path
from random import Random
from typing import Any

import pytest

from apdu.crypto import Algorithm
from apdu.ssc.values import check_card_id, is_card_number
from simulator.card.card import SimulatedCard
from simulator.card.description import Condition
from simulator.card.profile import (
    BUILT_IN,
    INITIAL_PIN,
    ProfileError,
    ProfileNotFound,
    load_profile,
    parse_profile,
    replacement,
)

DEMO_DAY = date(2026, 3, 10)


def document(name: str = "adult-3.0") -> dict[str, Any]:
    text = resources.files("simulator.profiles").joinpath(f"{name}.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_profiles_are_plainly_fictitious_and_well_formed(name: str) -> None:
    profile = load_profile(name)
    check_card_id(profile.card.card_id)
    assert profile.card.region == "990100"
    assert profile.holder.ssn.startswith("990100")
    assert is_card_number(profile.card.number)
    assert profile.holder.ssn[-1] == citizen_check_digit(profile.holder.ssn[:17])
    born = profile.holder.birth_date
    assert born is not None
    assert profile.holder.ssn[6:14] == f"{born:%Y%m%d}"
    SimulatedCard(profile, random=Random(1).randbytes)


def citizen_check_digit(body: str) -> str:
    """GB 11643: weights are the powers of two modulo 11."""
    total = sum(int(digit) * pow(2, 17 - at, 11) for at, digit in enumerate(body))
    return "10X98765432"[total % 11]


def test_no_two_built_in_cards_share_a_number() -> None:
    profiles = [load_profile(name) for name in BUILT_IN]
    for values in (
        {p.card.card_id for p in profiles},
        {p.card.number for p in profiles},
        {p.card.historical for p in profiles},
        {p.holder.ssn for p in profiles},
    ):
        assert len(values) == len(BUILT_IN)


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_cards_are_in_date_on_the_day_of_the_demo(name: str) -> None:
    card = load_profile(name).card
    assert card.issued < DEMO_DAY < card.expires


def test_the_childs_card_ends_on_the_seventh_birthday() -> None:
    child = load_profile("child")
    born = child.holder.birth_date
    assert born is not None
    assert child.card.card_class == "1"
    assert child.card.expires == born.replace(year=born.year + 7)


def test_the_old_card_is_stopped_in_the_register() -> None:
    old = load_profile("adult-1.0")
    assert old.card.issued < date(2019, 12, 1)
    assert old.backoffice is not None
    assert old.backoffice.state == "stopped"


def test_the_new_card_waits_for_activation_with_the_initial_pin() -> None:
    new = load_profile("not-active")
    assert new.pin is not None
    assert (new.pin.value, new.pin.initial) == (INITIAL_PIN, True)
    assert new.backoffice is not None
    assert new.backoffice.state == "not_activated"


def test_versions_and_algorithms_of_the_built_in_cards() -> None:
    found = {name: load_profile(name).card for name in BUILT_IN}
    assert (found["adult-3.0"].version, found["adult-3.0"].algorithm) == ("3.00", Algorithm.SM4)
    assert (found["adult-2.0"].version, found["adult-2.0"].algorithm) == ("2.00", Algorithm.DES)
    assert (found["adult-1.0"].version, found["adult-1.0"].algorithm) == ("1.00", Algorithm.DES)
    assert not found["adult-1.0"].fci_names_algorithm
    assert found["contactless-3.0"].contactless
    assert load_profile("forged").keys == "wrong"


def test_a_long_name_goes_on_in_the_extension() -> None:
    holder = load_profile("contactless-3.0").holder
    first, rest = holder.encoded_name
    assert len(holder.name) > 15
    assert len(first) == 30
    assert (first + rest).decode("gbk") == holder.name


def test_bills_add_up_from_their_lines() -> None:
    entry = load_profile("adult-3.0").backoffice
    assert entry is not None
    bill = entry.bills[0]
    assert [line.amount_fen for line in bill.lines] == [2500, 2000, 18000, 2520]
    assert bill.total_fen == 25020
    assert entry.insurances[0].since == date(2012, 7, 1)


def test_nothing_personal_shows_in_a_repr() -> None:
    profile = load_profile("adult-3.0")
    shown = repr(profile) + repr(profile.backoffice)
    card_id = profile.card.card_id.hex()
    for secret in ("张三", "990100199001011234", "A99010016", "246810", card_id, "6299990"):
        assert secret not in shown
    assert str(profile.card.historical) not in shown


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("holder", "ssn"), "12345", "$.holder.ssn"),
        (("holder", "birth_date"), "1990-02-30", "$.holder.birth_date"),
        (("holder", "name"), "甲" * 26, "$.holder.name"),
        (("card", "number"), "A99010017", "$.card.number"),
        (("card", "expires"), "2020-01-01", "$.card.expires"),
        (("card", "issued"), "20240315", "$.card.issued"),
        (("card", "historical_bytes"), "0081", "$.card.historical_bytes"),
        (("card", "algorithm"), "AES", "$.card.algorithm"),
        (("card", "fci"), "plain", "$.card.fci"),
        (("pin", "value"), "12345x", "$.pin.value"),
        (("pin", "tries_left"), 4, "$.pin.tries_left"),
        (("state",), "sleeping", "$.state"),
        (("backoffice", "bills", 0, "lines", 0, "quantity"), 0, None),
        (("backoffice", "state"), "lost", "$.backoffice.state"),
        (("surprise",), 1, "$"),
    ],
)
def test_a_wrong_field_is_named_and_its_value_is_not_shown(
    path: tuple[str | int, ...], value: object, field: str | None
) -> None:
    changed: Any = document()
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ProfileError) as caught:
        parse_profile(changed)
    assert caught.value.field == (field or "$.backoffice.bills[0].lines[0].quantity")
    assert caught.value.code == "PROFILE_INVALID"
    assert str(value) not in str(caught.value) or isinstance(value, int)


@pytest.mark.parametrize(
    ("files", "field"),
    [
        ({"DF01EF99": {"20": "1"}}, "$.files.DF01EF99"),
        ({"DF01EF05": {"20": "123"}}, "$.files.DF01EF05.20"),
        ({"DF01EF05": {"0E": "abc"}}, "$.files.DF01EF05.0E"),
        ({"DF01EF05": [["1"]]}, "$.files.DF01EF05"),
        ({"DF01EF05": {"hex": "200501"}}, "$.files.DF01EF05"),
        ({"DF04EF15": {"10": "1"}}, "$.files.DF04EF15"),
        ({"DF04EF15": [["1"]]}, "$.files.DF04EF15[0]"),
        ({"DF04EF15": [{"hex": "01"}]}, "$.files.DF04EF15[0]"),
        ({"SSSEEF08": {"10": "1"}}, "$.files.SSSEEF08"),
        ({"SSSEEF06": {"EA": {"hex": "00" * 256}}}, "$.files.SSSEEF06.EA"),
        ({"SSSEEF08": {"hex": "00" * 4097}}, "$.files.SSSEEF08"),
    ],
)
def test_file_contents_must_fit_the_file_map(files: dict[str, Any], field: str) -> None:
    changed = document()
    changed["files"] = files
    profile = parse_profile(changed)
    with pytest.raises(ProfileError) as caught:
        SimulatedCard(profile, random=Random(1).randbytes)
    assert caught.value.field == field


def test_a_1_0_card_has_no_room_for_a_long_name() -> None:
    changed = document("adult-1.0")
    changed["holder"]["name"] = "甲" * 16
    with pytest.raises(ProfileError) as caught:
        parse_profile(changed)
    assert caught.value.field == "$.holder.name"


def test_an_unknown_key_name_is_refused() -> None:
    changed = document()
    changed["keys"] = {"NOKEY": "00" * 16}
    with pytest.raises(ProfileError) as caught:
        SimulatedCard(parse_profile(changed), random=Random(1).randbytes)
    assert caught.value.field == "$.keys.NOKEY"


@pytest.mark.parametrize("garbage", [None, [], "x", 1, {}])
def test_anything_but_a_profile_is_refused(garbage: object) -> None:
    with pytest.raises(ProfileError):
        parse_profile(garbage)


def test_a_profile_is_read_from_a_file(tmp_path: Path) -> None:
    changed = document("adult-2.0")
    changed["state"] = "card_blocked"
    changed["pin"] = None
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(changed, ensure_ascii=False), "utf-8")
    profile = load_profile(path)
    assert (profile.condition, profile.pin) == (Condition.CARD_BLOCKED, None)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_a_file_that_is_not_json_is_a_profile_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(content)
    with pytest.raises(ProfileError):
        load_profile(path)


def test_a_file_that_is_too_large_is_a_profile_error(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(b" " * (1024 * 1024 + 1))
    with pytest.raises(ProfileError, match="larger"):
        load_profile(path)


@pytest.mark.parametrize("name", ["adult-4.0", "/nowhere/at/all.json", "", "\x00"])
def test_a_profile_that_is_not_there(name: str) -> None:
    with pytest.raises(ProfileNotFound) as caught:
        load_profile(name)
    assert caught.value.code == "PROFILE_NOT_FOUND"


def test_a_replacement_is_a_new_card_for_the_same_holder() -> None:
    old = load_profile("adult-3.0")
    new = replacement(old, issued=date(2026, 3, 17))
    assert new.holder == old.holder
    assert new.backoffice == old.backoffice
    assert new.card.card_id != old.card.card_id
    assert new.card.historical != old.card.historical
    assert new.card.historical[:9] == old.card.historical[:9]
    assert new.card.number != old.card.number
    assert is_card_number(new.card.number)
    assert new.card.issued == date(2026, 3, 17)
    assert new.pin is not None
    assert (new.pin.value, new.pin.initial) == (INITIAL_PIN, True)
    SimulatedCard(new, random=Random(1).randbytes)


def test_each_replacement_differs_from_the_next_and_from_all_built_in_cards() -> None:
    profiles = [load_profile(name) for name in BUILT_IN]
    profiles += [
        replacement(profiles[0], issued=DEMO_DAY, sequence=sequence) for sequence in range(1, 40)
    ]
    assert len({p.card.number for p in profiles}) == len(profiles)
    assert len({p.card.card_id for p in profiles}) == len(profiles)
    assert all(is_card_number(p.card.number) for p in profiles)


def test_a_replacement_can_have_its_own_expiry() -> None:
    old = load_profile("child")
    new = replacement(old, issued=DEMO_DAY, expires=date(2036, 3, 10))
    assert new.card.expires == date(2036, 3, 10)
    assert replacement(old, issued=DEMO_DAY).card.expires == old.card.expires


def test_a_misspelt_field_is_refused() -> None:
    original = document()
    for name in original["card"]:
        changed = copy.deepcopy(original)
        changed["card"][name + "_"] = changed["card"].pop(name)
        with pytest.raises(ProfileError):
            parse_profile(changed)
