"""Every section there is, and what each profile changes in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from terminal.circumstances import CardRules
from terminal.policy import DEVELOPER, KIOSK, POINT_OF_USE, Function, Policies
from terminal.settings import declared
from terminal.settings.basics import (
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
from terminal.settings.sources import Readers
from terminal.settings.values import (
    MINUTE,
    SECOND,
    YEAR,
    Read,
    day,
    duration,
    flag,
    matching,
    one_of,
    several,
)


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it. `policy` has one entry for every function (terminal/policy.py)."""

    terminal: TerminalSettings
    reader: ReaderSettings
    backend: BackendSettings
    security: SecuritySettings
    store: StoreSettings
    cards: CardRules
    pin: PinSettings
    limits: Limits
    blacklist: BlacklistSettings
    kiosk: KioskSettings
    settlement: SettlementSettings
    offline: OfflineSettings
    printer: PrinterSettings
    pin_pad: PinPadSettings
    agent: AgentSettings
    gate: GateSettings
    policy: Policies


DECLARED: Mapping[str, Any] = MappingProxyType(
    {
        "terminal": TerminalSettings,
        "reader": ReaderSettings,
        "backend": BackendSettings,
        "security": SecuritySettings,
        "store": StoreSettings,
        "pin": PinSettings,
        "limits": Limits,
        "blacklist": BlacklistSettings,
        "kiosk": KioskSettings,
        "settlement": SettlementSettings,
        "offline": OfflineSettings,
        "printer": PrinterSettings,
        "pin_pad": PinPadSettings,
        "agent": AgentSettings,
        "gate": GateSettings,
    }
)
"""Sections that declare their own settings; cards and policies belong to admission."""

_DIGITS = several(matching(r"\d{1,24}", "digits"))
_VERSIONS = several(one_of("1.0", "2.0", "3.0"))
_CARDS: Mapping[str, Read] = {
    "regions": _DIGITS,
    "initialisers": _DIGITS,
    "versions": _VERSIONS,
    "stopped_versions": _VERSIONS,
    "stopped_from": day,
}
_POLICY: Mapping[str, Read] = {
    "scope": one_of("social_security", "financial", "transport"),
    "needs_list": flag,
    "max_list_age": duration(MINUTE, YEAR),
    "requires_online": flag,
    "requires_activation": flag,
    "requires_pin": flag,
    "max_status_age": duration(SECOND, YEAR),
    "accepts_old_card": flag,
    "accepts_lost": flag,
    "accepts_out_of_date": flag,
}
READERS: Readers = {
    **{name: declared.readers(section) for name, section in DECLARED.items()},
    "cards": _CARDS,
    **{f"policy.{function}": _POLICY for function in Function},
}

POLICIES: Mapping[str, Policies] = {
    "developer": DEVELOPER,
    "kiosk": KIOSK,
    "point-of-use": POINT_OF_USE,
}
_SHANGHAI = {"cards": {"regions": ("31",)}}
_PROFILES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "developer": {
        "security": {"sam": "software", "production": False},
        "kiosk": {"screen_pin": True},
        "gate": {"sam": "software", "fares": "sim:bus", "needs_list": False},
        "settlement": {"channel": "direct"},
    },
    "kiosk": _SHANGHAI,
    "point-of-use": _SHANGHAI,
}


def defaults(section: str, profile: str) -> dict[str, Any]:
    """What a section holds in a profile unless file or environment say otherwise."""
    own = asdict(CardRules()) if section == "cards" else declared.defaults(DECLARED[section])
    return {**own, **_PROFILES[profile].get(section, {})}
