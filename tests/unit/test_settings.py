"""Settings: what is taken from where, and how everything else is refused."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from terminal.errors import ConfigurationError
from terminal.policy import DEVELOPER, KIOSK, Function
from terminal.settings import load_settings
from terminal.settings.sources import MAX_FILE


def written(directory: Path, text: str) -> Path:
    file = directory / "ssct.toml"
    file.write_text(text, "utf-8")
    return file


def test_without_anything_the_developer_profile_holds() -> None:
    settings = load_settings(None, {"HOME": "/home/somebody"})
    assert settings.terminal.profile == "developer"
    assert settings.terminal.data_dir == Path("/home/somebody/.local/state/ssct")
    assert settings.security.sam == "software"
    assert settings.policy == DEVELOPER
    assert settings.backend.url == ""


def test_the_state_directory_follows_the_system() -> None:
    settings = load_settings(None, {"XDG_STATE_HOME": "/state", "HOME": "/home/somebody"})
    assert settings.terminal.data_dir == Path("/state/ssct")


def test_environment_over_file_over_profile(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        """
        [terminal]
        profile = "kiosk"
        institution = "310000000001"
        [reader]
        pattern = "ACME"
        slot = 1
        [policy.settlement]
        max_list_age = "12h"
        """,
    )
    environ = {"SSCT_READER_SLOT": "2", "SSCT_POLICY_SETTLEMENT_REQUIRES_PIN": "false"}
    settings = load_settings(file, environ)
    assert settings.terminal.institution == "310000000001"
    assert (settings.reader.pattern, settings.reader.slot) == ("ACME", 2)
    settlement = settings.policy[Function.SETTLEMENT]
    assert settlement.max_list_age == timedelta(hours=12)
    assert settlement.requires_pin is False
    assert settlement.requires_online is True
    assert settings.policy[Function.QUERY] == KIOSK[Function.QUERY]
    assert settings.cards.regions == ("31",)


def test_the_environment_names_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, '[terminal]\nlanguage = "en"\n')
    assert load_settings(None, {"SSCT_CONFIG": str(file)}).terminal.language == "en"


def test_lists_days_and_times_are_read(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        """
        [cards]
        regions = ["31", "9901"]
        stopped_from = 2022-02-02
        [backend]
        url = "https://centre.example/api"
        read_timeout = "90s"
        """,
    )
    settings = load_settings(file, {"SSCT_CARDS_VERSIONS": "2.0, 3.0"})
    assert settings.cards.regions == ("31", "9901")
    assert settings.cards.stopped_from == date(2022, 2, 2)
    assert settings.cards.versions == ("2.0", "3.0")
    assert settings.backend.read_timeout == timedelta(seconds=90)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[terminal\n", "not TOML"),
        ("[readers]\npattern = 'x'\n", r"\[readers\] is not a setting"),
        ("[reader]\npatern = 'x'\n", r"\[reader\] patern is not a setting; there is exclusive"),
        ("pattern = 'x'\n", "pattern stands outside a section"),
        ("[policy.settle]\nscope = 'x'\n", r"\[policy.settle\] is not a setting"),
        ("[reader]\nslot = '-1'\n", r"\[reader\] slot must be a whole number from 0 to 255"),
        ("[reader]\nslot = true\n", "slot must be a whole number"),
        ("[reader]\nexclusive = 1\n", "exclusive must be true or false"),
        ("[terminal]\nprofile = 'clinic'\n", "one of developer, kiosk, point-of-use"),
        ("[terminal]\ninstitution = '12'\n", "12 digits or letters"),
        ('[terminal]\ninstitution_name = "a\\nb"\n', "a text on one line"),
        ("[terminal]\ndata_dir = ''\n", "data_dir must be a path"),
        ("[backend]\nurl = 'ftp://x'\n", "url must be https"),
        ("[backend]\nurl = 'https://me:pw@host/'\n", "url must be https"),
        ("[backend]\nurl = 'https://[x'\n", "url must be https"),
        ("[backend]\nread_timeout = 15\n", "a time such as 90s"),
        ("[backend]\nread_timeout = '1d'\n", "a time such as 90s"),
        ("[cards]\nregions = ['3x']\n", "regions must be digits"),
        ("[cards]\nregions = 31\n", "regions must be a list"),
        ("[cards]\nstopped_from = 'soon'\n", "a day such as 2021-01-01"),
        ("[pin]\ninitial = ['12']\n", "PINs of 4 to 16 digits"),
        ("[pin]\nmin_length = 8\nmax_length = 7\n", "min_length must not be more"),
        ("[store]\nkey = '00'\n", "key does not belong in a file"),
        ("[security]\nproduction = true\n", "sam = software is for development"),
        ("[policy.settlement]\nneeds_list = false\n", "needs_list must be true"),
        ("[policy.query]\nmax_list_age = '5w'\n", "max_list_age must be a time"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        load_settings(written(tmp_path, text), {})


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("SSCT_BACKEND_ULR", "x", "there is SSCT_BACKEND_ATTEMPTS"),
        ("SSCT_BAKEND_URL", "x", "SSCT_BAKEND_URL is not a setting; there is SSCT_SECTION_KEY"),
        ("SSCT_BACKEND_ATTEMPTS", "0", "SSCT_BACKEND_ATTEMPTS must be a whole number"),
        ("SSCT_STORE_KEY", "secret", "SSCT_STORE_KEY must be 64 hex digits"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named) as caught:
        load_settings(None, {name: value})
    assert "secret" not in str(caught.value)


def test_variables_of_others_are_left_alone() -> None:
    environ = {"PATH": "/bin", "SSCT_FUZZ_COMMANDS": "9", "SSCT_REQUIRE_REAL": "1"}
    assert load_settings(None, environ) == load_settings(None, {})


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        load_settings(tmp_path / "missing.toml", {})
    with pytest.raises(ConfigurationError, match="larger"):
        load_settings(written(tmp_path, "#" * (MAX_FILE + 1)), {})
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="not TOML"):
        load_settings(binary, {})


@pytest.mark.parametrize("profile", ["kiosk", "point-of-use"])
def test_production_profiles_refuse_software_keys(profile: str) -> None:
    settings = load_settings(None, {"SSCT_TERMINAL_PROFILE": profile})
    assert settings.security.production
    with pytest.raises(ConfigurationError, match="psam"):
        load_settings(None, {"SSCT_TERMINAL_PROFILE": profile, "SSCT_SECURITY_SAM": "software"})
    with pytest.raises(ConfigurationError, match="real PSAM"):
        load_settings(
            None, {"SSCT_TERMINAL_PROFILE": profile, "SSCT_SECURITY_PSAM_READER": "sim:card"}
        )


AT_THE_BACK_OFFICE = {
    Function.RECORDS,
    Function.STANDING,
    Function.RELEASE,
    Function.REPLACEMENT,
    Function.ECARD,
}
ON_THE_CARD = {Function.DEBIT}
"""What moves value on the card itself, under its own limits, so that it works without a network."""


@pytest.mark.parametrize("profile", ["developer", "kiosk", "point-of-use"])
def test_defaults_are_safe(profile: str) -> None:
    """Value stops with a list older than a day; reading goes on for a month (facts 6.4)."""
    policy = load_settings(None, {"SSCT_TERMINAL_PROFILE": profile}).policy
    for function in Function:
        day_old = policy[function].max_list_age
        assert day_old == (timedelta(days=1) if function.is_value else timedelta(days=30))
        decided_there = function in AT_THE_BACK_OFFICE or function.is_value
        assert policy[function].requires_online is (decided_there and function not in ON_THE_CARD)


def test_secrets_do_not_show() -> None:
    settings = load_settings(None, {"SSCT_STORE_KEY": "ab" * 32})
    assert settings.store.key == b"\xab" * 32
    assert "ab" * 8 not in repr(settings)
    assert "xab" not in repr(settings)
    assert "123456" not in repr(settings)
