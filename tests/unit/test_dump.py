"""A card dumped, and served again from its dump."""

from __future__ import annotations

import io
import json
import stat
from dataclasses import replace
from importlib import resources
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no types

from apdu.channel import CardChannel
from apdu.layers import stack
from apdu.pin import Pin
from apdu.readers.inprocess import InProcessReader
from apdu.sam import SoftwareSam
from apdu.ssc.binary import ReadingStopped
from apdu.ssc.card import SocialSecurityCard
from apdu.ssc.dump import NOT_ASKED, CardDump, dump
from apdu.ssc.files import DIRECTORIES
from apdu.status import PinWrong, StatusError
from simulator.card.card import Protocol, SimulatedCard
from simulator.card.from_dump import profile_of_dump
from simulator.card.profile import (
    BUILT_IN,
    CardProfile,
    ProfileError,
    load_profile,
    parse_profile,
)
from terminal.cli import main
from terminal.exit_codes import ExitCode

PROTOCOLS: tuple[Protocol, ...] = ("T0", "T1", "TCL")


def opened(profile: CardProfile, protocol: Protocol = "T0") -> SocialSecurityCard:
    chip = SimulatedCard(profile, random=Random(7).randbytes, protocol=protocol)
    channel = CardChannel(stack(InProcessReader("test", chip).connect()))
    return SocialSecurityCard.select(channel)


def dumped(
    profile: CardProfile, protocol: Protocol = "T0", *, pin: str | None = "", sam: bool = True
) -> dict[str, Any]:
    """A dump as JSON; `pin` is the profile's own unless given, None for without."""
    known = profile.pin.value if profile.pin else None
    digits = known if pin == "" else pin
    module = SoftwareSam.development(Random(8).randbytes) if sam else None
    made = dump(opened(profile, protocol), module, Pin(digits) if digits else None)
    document: dict[str, Any] = json.loads(json.dumps(made.to_json()))
    return document


def by_name(document: dict[str, Any]) -> dict[str, Any]:
    return {file["file"]: file for file in document["files"]}


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    text = resources.files("apdu.ssc").joinpath("dump.schema.json").read_text("utf-8")
    Draft202012Validator.check_schema(json.loads(text))
    return Draft202012Validator(json.loads(text))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", BUILT_IN)
def test_a_dump_is_as_its_schema_says_and_serves_the_same_again(
    name: str, protocol: Protocol, schema: Draft202012Validator
) -> None:
    first = dumped(load_profile(name), protocol)
    schema.validate(first)
    again = dumped(profile_of_dump(first), protocol, pin="123456")
    assert again == first


def test_what_a_dump_holds() -> None:
    row = [1, "2", "990100000001", "20260102030405", 100, 0, 0]
    profile = load_profile("adult-3.0")
    photo = b"BM" + bytes(4094)
    files = {**profile.files, "DF04EF08": [row, row], "SSSEEF08": {"hex": photo.hex()}}
    document = dumped(replace(profile, files=files))
    assert document["atr"] == "3B6D0000" + "0081544C928699990100000001"
    assert document["fci"].startswith("6F1C840F7378312E7368")
    assert (document["card_version"], document["algorithm"]) == ("3.00", "SM4")
    assert (document["authentic"], document["pin_verified"]) == (True, True)
    names = by_name(document)
    assert names["SSSEEF05"]["records"][2] == "0304332E3030"
    assert len(names["DF04EF08"]["rows"]) == 2
    assert names["SSSEEF08"]["content"] == photo.hex().upper()
    assert names["SSSEEF07"]["unreadable"] == {"reason": NOT_ASKED}
    assert names["DF06EF05"]["unreadable"] == {"reason": "SAM_KEY_NOT_AVAILABLE", "sw": "6982"}


def test_fingerprints_are_read_when_asked_for() -> None:
    profile = load_profile("adult-3.0")
    profile = replace(profile, files={"SSSEEF07": {"hex": "AB" * 768}})
    sam = SoftwareSam.development(Random(8).randbytes)
    made = dump(opened(profile), sam, fingerprints=True)
    assert by_name(made.to_json())["SSSEEF07"]["content"] == "AB" * 768


def test_without_pin_or_module_the_reasons_are_told() -> None:
    document = dumped(load_profile("adult-2.0"), pin=None, sam=False)
    assert (document["authentic"], document["pin_verified"]) == (None, False)
    reasons = {n: f["unreadable"] for n, f in by_name(document).items() if "unreadable" in f}
    assert reasons["DF04EF08"] == {"reason": "CARD_PIN_NEEDED", "sw": "6982"}
    assert reasons["DF01EF05"] == {"reason": "SAM_KEY_NOT_AVAILABLE", "sw": "6982"}
    assert "SSSEEF06" not in reasons


def test_a_card_more_open_than_the_file_map_is_read_all_the_same() -> None:
    profile = load_profile("adult-2.0")
    sam = SoftwareSam.development(Random(8).randbytes)
    card = opened(profile)
    card.verify_pin(Pin(profile.pin.value if profile.pin else ""))
    # The reader does not know that the card has seen the PIN.
    made = by_name(dump(card, sam).to_json())
    assert "rows" in made["DF04EF08"]


def test_what_could_not_be_read_is_closed_on_the_served_card() -> None:
    document = dumped(load_profile("adult-2.0"), pin=None)
    card = opened(profile_of_dump(document))
    card.verify_pin(Pin("123456"))
    card.channel.select_name(DIRECTORIES["DF04"].aid)
    with pytest.raises(StatusError) as refused:
        card.channel.read_record(1, 0x45, 256)
    assert refused.value.sw == 0x6982
    assert card.channel.read_record(1, 0x2D, 256)  # EF05 was readable with the key


def test_what_the_card_lacked_the_served_card_lacks() -> None:
    profile = replace(load_profile("adult-3.0"), absent=frozenset({"SSSEEF08", "DF05EF05"}))
    document = dumped(profile)
    assert by_name(document)["DF05EF05"]["unreadable"]["sw"] == "6A82"
    card = opened(profile_of_dump(document))
    with pytest.raises(StatusError) as no_file:
        card.channel.select_fid(0xEF08)
    with pytest.raises(StatusError) as no_application:
        card.channel.select_name(DIRECTORIES["DF05"].aid)
    assert (no_file.value.sw, no_application.value.sw) == (0x6A82, 0x6A82)


def test_a_forged_card_is_dumped_and_stays_forged() -> None:
    document = dumped(load_profile("forged"))
    assert document["authentic"] is False
    assert by_name(document)["SSSEEF06"]["unreadable"]["reason"] == "CARD_NOT_AUTHENTIC"
    assert dumped(profile_of_dump(document), pin="123456")["authentic"] is False


def test_sloppy_contents_are_kept_byte_for_byte() -> None:
    profile = load_profile("adult-2.0")
    sloppy = {
        "SSSEEF05": {"05": {"hex": "32303132"}, "07": "A99010017"},
        "SSSEEF06": {"08": {"hex": "39" * 25}, "4E": {"hex": "FF" * 20}},
        "DF01EF07": {"29": "1", "2A": {"hex": "21"}},
    }
    document = dumped(replace(profile, files=sloppy))
    assert by_name(document)["DF01EF07"]["records"] == ["290131", "2A0121"]
    assert dumped(profile_of_dump(document), pin="123456") == document


def test_a_wrong_pin_ends_the_dump() -> None:
    with pytest.raises(PinWrong):
        dumped(load_profile("adult-2.0"), pin="999999")


def test_a_dump_can_be_stopped() -> None:
    sam = SoftwareSam.development(Random(8).randbytes)
    with pytest.raises(ReadingStopped):
        dump(opened(load_profile("adult-3.0")), sam, progress=lambda _done, _total: False)


def test_nothing_personal_shows_in_a_repr() -> None:
    sam = SoftwareSam.development(Random(8).randbytes)
    made: CardDump = dump(opened(load_profile("adult-3.0")), sam)
    shown = repr(made).lower()
    assert "990100199001011234" not in shown
    assert b"990100199001011234".hex() not in shown
    assert "d5c5" not in shown


# Serving what is no good dump


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"atr": "3B"}, "$.atr"),
        ({"atr": "3B020000"}, "$.atr"),
        ({"card_version": "9.99"}, "$"),
        ({"algorithm": "AES"}, "$.algorithm"),
        ({"format_version": 2}, "$.format_version"),
        ({"files": []}, "$"),
        ({"extra": 1}, "$"),
        ({"files": [{"file": "SSSEEF05", "structure": "variable", "records": ["0110AB"]}]}, "$"),
        ({"files": [{"file": "SSSEEF05", "structure": "cyclic", "records": []}]}, "$.files[0]"),
    ],
)
def test_a_bad_dump_names_its_field(change: dict[str, Any], field: str) -> None:
    document = {**dumped(load_profile("adult-2.0"), pin=None), **change}
    with pytest.raises(ProfileError) as bad:
        parse_profile(document)
    assert bad.value.field.startswith(field)


def test_a_file_of_the_wrong_structure() -> None:
    document = dumped(load_profile("adult-2.0"))
    wrong = {"file": "DF04EF08", "structure": "variable", "records": ["900131"]}
    document["files"] = [f for f in document["files"] if f["file"] != "DF04EF08"] + [wrong]
    with pytest.raises(ProfileError, match="cyclic"):
        profile_of_dump(document)


def test_a_row_and_a_content_of_another_length_are_fitted() -> None:
    document = dumped(load_profile("adult-2.0"))
    for file in document["files"]:
        if file["file"] == "DF04EF08":
            file["rows"] = ["0001" + "31" * 18, "0002" + "32" * 40]
        if file["file"] == "DF01EF16":
            file["content"] = "AB" * 400
    again = by_name(dumped(profile_of_dump(document), pin="123456"))
    assert [len(row) for row in again["DF04EF08"]["rows"]] == [56, 56]
    assert again["DF01EF16"]["content"] == "AB" * 296


@given(st.dictionaries(st.sampled_from(["atr", "fci", "files", "card_version"]), st.text()))
def test_hostile_dumps_are_refused(change: dict[str, str]) -> None:
    document = {"format": "ssct-card-dump", **change}
    with pytest.raises(ProfileError):
        parse_profile(document)


# The command


@pytest.fixture
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSCT_CONFIG", raising=False)
    return tmp_path


def test_the_command_writes_a_file_for_its_owner_only(
    own_state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("246810\n"))
    file = own_state / "card.json"
    assert main(["dump", str(file), "--reader", "sim:adult-3.0", "--pin"]) == ExitCode.OK
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    document = json.loads(file.read_text("utf-8"))
    assert document["pin_verified"] is True
    told = capsys.readouterr()
    assert "个人信息" in told.err
    assert "personal data" in told.err
    assert "DF06EF05" in told.out
    assert "246810" not in told.out + told.err

    # And the file is a card again.
    assert main(["read", "--reader", f"sim:{file}", "--json", "--show-personal"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["card"]["name"] == "张三"


def test_the_command_never_overwrites(own_state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = own_state / "card.json"
    file.write_text("mine")
    assert main(["dump", str(file), "--reader", "sim:adult-3.0"]) == ExitCode.USAGE
    assert file.read_text() == "mine"
    assert "exists" in capsys.readouterr().err


def test_the_command_says_where_it_cannot_write(own_state: Path) -> None:
    file = own_state / "nowhere" / "card.json"
    assert main(["dump", str(file), "--reader", "sim:adult-3.0"]) == ExitCode.USAGE


def test_a_refused_card_is_not_dumped(own_state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = own_state / "card.json"
    assert main(["dump", str(file), "--reader", "sim:forged"]) == ExitCode.REFUSED
    assert not file.exists()
    assert "[" in capsys.readouterr().err


def test_no_pin_at_the_prompt_cancels(
    own_state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    file = own_state / "card.json"
    arguments = ["dump", str(file), "--reader", "sim:adult-3.0", "--pin"]
    assert main(arguments) == ExitCode.INTERRUPTED
    assert not file.exists()
    assert "Cancelled" in capsys.readouterr().err
    assert not (own_state / "state" / "ssct" / "crash.log").exists()


def test_a_profile_without_end_is_refused() -> None:
    with pytest.raises(ProfileError, match="larger than"):
        load_profile("/dev/zero")
