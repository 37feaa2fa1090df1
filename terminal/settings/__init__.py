"""The terminal's settings: a TOML file, the environment, and a profile's defaults beneath.

`load_settings` reads them once, at start. A setting `key` of the section `[section]` may also come
from the environment as `SSCT_SECTION_KEY`, which wins over the file; the file wins over the
profile.
Whatever is unknown, badly written or unsafe is a `ConfigurationError` that names the file or
variable, the setting and what is allowed.

Profiles: `developer` (software keys, local back office), `kiosk` (nobody watches) and
`point-of-use` (staff watch). The last two are production: software keys are refused.

A setting is declared in one place, as a field of its section (`basics`, `faces`, `devices`,
`rules`); the defaults are those of production, and `sections` says what the developer's profile
makes of them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from terminal.circumstances import CardRules
from terminal.errors import ConfigurationError
from terminal.policy import FunctionPolicy
from terminal.settings.basics import (
    PROFILES,
    BackendSettings,
    ReaderSettings,
    SecuritySettings,
    StoreSettings,
    TerminalSettings,
)
from terminal.settings.devices import PinPadSettings, PrinterSettings
from terminal.settings.faces import AgentSettings, GateSettings, KioskSettings
from terminal.settings.rules import (
    BlacklistSettings,
    Limits,
    OfflineSettings,
    PinSettings,
    SettlementSettings,
)
from terminal.settings.sections import DECLARED, POLICIES, READERS, Settings, defaults
from terminal.settings.sources import Sources

__all__ = [
    "CONFIG_VARIABLE",
    "OTHER_VARIABLES",
    "PROFILES",
    "AgentSettings",
    "BackendSettings",
    "BlacklistSettings",
    "GateSettings",
    "KioskSettings",
    "Limits",
    "OfflineSettings",
    "PinPadSettings",
    "PinSettings",
    "PrinterSettings",
    "ReaderSettings",
    "SecuritySettings",
    "Settings",
    "SettlementSettings",
    "StoreSettings",
    "TerminalSettings",
    "default_data_dir",
    "load_settings",
]

CONFIG_VARIABLE = "SSCT_CONFIG"
OTHER_VARIABLES = frozenset(
    {
        CONFIG_VARIABLE,
        "SSCT_BENCH_ENTRIES",
        "SSCT_BENCH_TERMINALS",
        "SSCT_FUZZ_COMMANDS",
        "SSCT_FUZZ_EXAMPLES",
        "SSCT_FUZZ_REQUESTS",
        "SSCT_GATE_WORLDS",
        "SSCT_REQUIRE_REAL",
        "SSCT_SOAK_VISITS",
        "SSCT_TAP_MINUTES",
    }
)
"""Variables of this project that are not settings."""


def load_settings(file: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings from `file` (None: the one that SSCT_CONFIG names, if any) and `environ`.

    Raises `ConfigurationError`.
    """
    if file is None and environ.get(CONFIG_VARIABLE):
        file = Path(environ[CONFIG_VARIABLE])
    sources = Sources(file, environ, READERS)
    sources.refuse_unknown(OTHER_VARIABLES)
    _refuse_written_key(sources)
    profile = sources.section("terminal", {"profile": "developer"})["profile"]
    settings = Settings(
        cards=CardRules(**sources.section("cards", defaults("cards", profile))),
        policy={
            function: FunctionPolicy(**sources.section(f"policy.{function}", asdict(policy)))
            for function, policy in POLICIES[profile].items()
        },
        **{
            name: section(**sources.section(name, _defaults(name, profile, environ)))
            for name, section in DECLARED.items()
        },
    )
    _refuse_unsafe(settings)
    return settings


def _defaults(section: str, profile: str, environ: Mapping[str, str]) -> dict[str, object]:
    if section == "terminal":
        return {**defaults(section, profile), "data_dir": default_data_dir(environ)}
    return defaults(section, profile)


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """Where a program of this user keeps its state, by the custom of the system."""
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA", ".")) / "ssct"
    home = Path(environ.get("HOME", "."))
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "ssct"
    return Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "ssct"


def _refuse_written_key(sources: Sources) -> None:
    if sources.in_file("store", "key"):
        raise ConfigurationError(
            "[store] key does not belong in a file: use [store] key_file or SSCT_STORE_KEY"
        )
    if sources.in_file("blacklist", "mqtt_password"):
        raise ConfigurationError(
            "[blacklist] mqtt_password does not belong in a file: use SSCT_BLACKLIST_MQTT_PASSWORD"
        )


def _refuse_unsafe(settings: Settings) -> None:
    """What is well written and still must not be."""
    pushed = settings.blacklist
    if pushed.push == "mqtt" and not pushed.mqtt_host:
        raise ConfigurationError("[blacklist] push = mqtt needs [blacklist] mqtt_host")
    if settings.security.production and pushed.push == "mqtt" and not pushed.mqtt_tls:
        raise ConfigurationError("[blacklist] mqtt_tls = false is for development only")
    if settings.security.production and settings.security.sam == "software":
        raise ConfigurationError(
            "[security] sam = software is for development: with production = true use psam or hsm"
        )
    if settings.security.production and settings.security.psam_reader.startswith("sim:"):
        raise ConfigurationError(
            "[security] psam_reader = sim: is for development: production needs a real PSAM"
        )
    if settings.pin_pad.kind == "plain" and not settings.pin_pad.one_housing:
        raise ConfigurationError(
            "[pin_pad] kind = plain is for a pad in one tamper-responsive housing with the reader: "
            "say so with one_housing = true, or use an encrypting pad"
        )
    if settings.pin.min_length > settings.pin.max_length:
        raise ConfigurationError("[pin] min_length must not be more than max_length")
    for function, policy in settings.policy.items():
        if function.is_value and not policy.needs_list:
            raise ConfigurationError(
                f"[policy.{function}] needs_list must be true: it changes money or standing"
            )
