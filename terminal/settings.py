"""The terminal's settings: a TOML file, the environment, and a profile's defaults beneath.

`load_settings` reads them once, at start. A setting `key` of the section `[section]` may also come
from the environment as `SSCT_SECTION_KEY`, which wins over the file; the file wins over the
profile.
Whatever is unknown, badly written or unsafe is a `ConfigurationError` that names the file or
variable, the setting and what is allowed.

Profiles: `developer` (software keys, local back office), `kiosk` (nobody watches) and
`point-of-use` (staff watch). The last two are production: software keys are refused.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terminal.circumstances import CardRules
from terminal.errors import ConfigurationError
from terminal.policy import DEVELOPER, KIOSK, POINT_OF_USE, Function, FunctionPolicy, Policies
from terminal.setting_sources import Readers, Sources
from terminal.setting_values import (
    Read,
    day,
    duration,
    flag,
    key,
    matching,
    one_of,
    path,
    several,
    text,
    web_address,
    whole,
)

if TYPE_CHECKING:
    from backend_client.messages import Profile

PROFILES = ("developer", "kiosk", "point-of-use")
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


@dataclass(frozen=True, slots=True)
class TerminalSettings:
    """Who and where the terminal is.

    `profile`: developer, kiosk or point-of-use; the defaults of everything else.
    `institution`: the 12 characters that open every operation number, until the back office has
    said which at enrolment. `institution_name`: the same, for receipts.
    `data_dir`: where the store lies. `language`: which language comes first, zh or en.
    """

    profile: Profile
    institution: str
    institution_name: str
    data_dir: Path
    language: str


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """Which reader: a part of its name (empty: the only one), and which of several alike.

    `exclusive`: hold the reader alone from insertion to removal.
    """

    pattern: str
    slot: int
    exclusive: bool


@dataclass(frozen=True, slots=True)
class BackendSettings:
    """Where the back office is (empty: nowhere, work offline) and how long to wait for it.

    `connect_timeout` for a connection, `read_timeout` for each piece of an answer, `total_timeout`
    for a whole answer. `attempts`: how often a read is tried in all; money is sent once. `ca_file`:
    the certificate authorities (PEM) that may vouch for the back office; empty: the public ones.
    """

    url: str
    ca_file: Path | None
    connect_timeout: timedelta
    read_timeout: timedelta
    total_timeout: timedelta
    attempts: int


@dataclass(frozen=True, slots=True)
class SecuritySettings:
    """Where the keys are: `sam` is software, psam, or hsm, which is behind the back office.

    `production` refuses software keys.

    `psam_reader` and `psam_slot` say which reader holds the PSAM, like `pattern` and `slot` of the
    card's reader; "sim:" is a simulated PSAM, for development only.
    """

    sam: str
    production: bool
    psam_reader: str
    psam_slot: int


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """The key that seals personal data: in `key_file` (empty: beside the database), or in `key`.

    `key` (64 hex digits) is taken from the environment only, as SSCT_STORE_KEY: a settings file is
    no place for a secret.
    """

    key_file: Path | None
    key: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class PinSettings:
    """What a new PIN may be, in digits. `initial`: PINs that cards are issued with.

    Nobody may keep one of those: activation asks for a new PIN.
    """

    initial: tuple[str, ...] = field(repr=False)
    min_length: int
    max_length: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Where the terminal begins nothing new.

    `open_operations`: how many operations may be unfinished at once.
    """

    open_operations: int


@dataclass(frozen=True, slots=True)
class KioskSettings:
    """The touch-screen face.

    `port` and `operator_port` on this machine; 0 takes a free one. `answer_time` and `reading_time`
    pass before the countdown of `warning_time` begins. A card that is not taken sounds after
    `alarm_time` and calls the staff after `call_time`. `screen_pin`: the PIN may be typed on the
    touch screen where there is no PIN pad. `voice`: prompts are spoken from the start.
    `operator_password_file`: what `ssct kiosk --set-operator-password` wrote; None: nobody may log
    in at the operator's page.
    """

    port: int
    operator_port: int
    answer_time: timedelta
    reading_time: timedelta
    warning_time: timedelta
    alarm_time: timedelta
    call_time: timedelta
    screen_pin: bool
    voice: bool
    operator_password_file: Path | None


@dataclass(frozen=True, slots=True)
class OfflineSettings:
    """How much may be done without the centre; at each limit the terminal does no more of it.

    `operation_fen` a payment, `card_day_fen` a card and day here; `card_total_fen` and `card_times`
    what the card says it has settled offline in all; `stored_fen` and `stored_records` what may
    wait here to be uploaded, `oldest` for how long.
    """

    operation_fen: int
    card_day_fen: int
    card_total_fen: int
    card_times: int
    stored_fen: int
    stored_records: int
    oldest: timedelta


@dataclass(frozen=True, slots=True)
class SettlementSettings:
    """In which language bills are settled: `channel` is direct or national.

    For the national interface: `area` is the administrative division of the place of care, six
    digits; `receiver` the receiving system's code; `mac` and `ip` are what the sign-in says of
    this machine.
    """

    channel: str
    area: str
    receiver: str
    mac: str
    ip: str


@dataclass(frozen=True, slots=True)
class PrinterSettings:
    """The receipt printer (ESC/POS): `kind` is none, network, serial or usb.

    `host` and `tcp_port` for network, `device` and `baud` for serial, `usb` ("04b8:0e15") for usb.
    `columns` narrow characters fit on a line; `timeout` is for each exchange.
    """

    kind: str
    host: str
    tcp_port: int
    device: str
    baud: int
    usb: str
    columns: int
    timeout: timedelta


@dataclass(frozen=True, slots=True)
class PinPadSettings:
    """The PIN pad: `kind` is none, encrypting or plain; on the serial line `device` at `baud`.

    `key_file` holds the master key of an encrypting pad, 32 hex digits. A plain pad is allowed with
    `one_housing` only: pad and reader are in one tamper-responsive housing. `timeout` is how long
    the pad itself waits.
    """

    kind: str
    device: str
    baud: int
    key_file: Path | None
    one_housing: bool
    timeout: timedelta


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """The face for other programs on this machine.

    `port` on this machine only; 0 takes a free one. `hosts` are names besides 127.0.0.1, localhost
    and [::1] by which callers may name it. Pages of `origins` may call with a token; pages of
    `unchanged_pages` may use the LD/T 33 socket without one, for what `unchanged_scopes` says.
    A session whose caller is silent for `lease` is ended. `calls_per_minute` for each caller.
    `device_number` is the last field of a basic read.
    """

    port: int
    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    unchanged_pages: tuple[str, ...]
    unchanged_scopes: tuple[str, ...]
    lease: timedelta
    calls_per_minute: int
    device_number: str


@dataclass(frozen=True, slots=True)
class GateSettings:
    """The transit gate: where it stands, what it may do on its own, and who permits its debits.

    `mode` is entry, exit or single, `industry` metro, bus or ferry. `line`, `station` (4 digits)
    and, in hex digits, `device` (16), `operator` (4), `city` (4) and `acquirer` (16) are the
    operator's codes as cards keep them. `fares` is the fare table's file; "sim:metro" and "sim:bus"
    are samples. `sam` is software or psam; `psam_reader` and `psam_slot` say which reader holds the
    transport PSAM, and "sim:" is a simulated one. `max_list_age`, `needs_list`, `most_unsent` and
    `unsent_for` bound what the gate does without the back office. `upload_every`: how often it
    hands in what it debited.
    """

    mode: str
    industry: str
    line: int
    station: str
    device: str
    operator: str
    city: str
    acquirer: str
    fares: str
    sam: str
    psam_reader: str
    psam_slot: int
    max_list_age: timedelta
    needs_list: bool
    most_unsent: int
    unsent_for: timedelta
    upload_every: timedelta


@dataclass(frozen=True, slots=True)
class BlacklistSettings:
    """How news of the blacklist reaches a program that runs for long.

    `push` is long-poll or mqtt; `wait` is how long a question may wait for news, or how long a
    broker may be silent before the back office is asked. `mqtt_tls` off is for a broker on this
    machine; `mqtt_ca` names its CAs (None: the system's), `mqtt_certificate` and `mqtt_key` our
    own. `mqtt_password` is taken from the environment only, as SSCT_BLACKLIST_MQTT_PASSWORD.
    """

    push: str
    wait: timedelta
    mqtt_host: str
    mqtt_port: int
    mqtt_topic: str
    mqtt_tls: bool
    mqtt_ca: Path | None
    mqtt_certificate: Path | None
    mqtt_key: Path | None
    mqtt_user: str
    mqtt_password: str = field(repr=False)


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
    kiosk: KioskSettings
    settlement: SettlementSettings
    offline: OfflineSettings
    printer: PrinterSettings
    pin_pad: PinPadSettings
    agent: AgentSettings
    gate: GateSettings
    blacklist: BlacklistSettings
    policy: Policies


_SECOND, _MINUTE, _HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
_YEAR = timedelta(days=366)
_DIGITS = matching(r"\d{1,24}", "digits")
_VERSION = one_of("1.0", "2.0", "3.0")
_ORIGIN = matching(r"https?://[a-z0-9.-]{1,253}(:[0-9]{1,5})?", "origins like https://his.example")
_SCOPES = ("social_security", "financial", "transport")

_READ_SECTIONS: Readers = {
    "terminal": {
        "profile": one_of(*PROFILES),
        "institution": matching(r"[0-9A-Za-z]{12}", "12 digits or letters"),
        "institution_name": text,
        "data_dir": path,
        "language": one_of("zh", "en"),
    },
    "reader": {"pattern": text, "slot": whole(0, 255), "exclusive": flag},
    "backend": {
        "url": web_address,
        "ca_file": path,
        "connect_timeout": duration(_SECOND, 2 * _MINUTE),
        "read_timeout": duration(_SECOND, 5 * _MINUTE),
        "total_timeout": duration(_SECOND, 10 * _MINUTE),
        "attempts": whole(1, 10),
    },
    "security": {
        "sam": one_of("software", "psam", "hsm"),
        "production": flag,
        "psam_reader": text,
        "psam_slot": whole(0, 255),
    },
    "store": {"key_file": path, "key": key},
    "cards": {
        "regions": several(_DIGITS),
        "initialisers": several(_DIGITS),
        "versions": several(_VERSION),
        "stopped_versions": several(_VERSION),
        "stopped_from": day,
    },
    "pin": {
        "initial": several(matching(r"\d{4,16}", "PINs of 4 to 16 digits")),
        "min_length": whole(4, 16),
        "max_length": whole(4, 16),
    },
    "limits": {"open_operations": whole(1, 10_000)},
    "blacklist": {
        "push": one_of("long-poll", "mqtt"),
        "wait": duration(_SECOND, 5 * _MINUTE),
        "mqtt_host": text,
        "mqtt_port": whole(1, 65535),
        "mqtt_topic": matching(r"[0-9A-Za-z._/-]{1,64}", "letters, digits, dots and slashes"),
        "mqtt_tls": flag,
        "mqtt_ca": path,
        "mqtt_certificate": path,
        "mqtt_key": path,
        "mqtt_user": text,
        "mqtt_password": text,
    },
    "kiosk": {
        "port": whole(0, 65_535),
        "operator_port": whole(0, 65_535),
        "answer_time": duration(20 * _SECOND, 10 * _MINUTE),
        "reading_time": duration(20 * _SECOND, 30 * _MINUTE),
        "warning_time": duration(20 * _SECOND, 5 * _MINUTE),
        "alarm_time": duration(5 * _SECOND, 2 * _MINUTE),
        "call_time": duration(10 * _SECOND, 10 * _MINUTE),
        "screen_pin": flag,
        "voice": flag,
        "operator_password_file": path,
    },
    "offline": {
        "operation_fen": whole(0, 100_000_000),
        "card_day_fen": whole(0, 100_000_000),
        "card_total_fen": whole(0, 100_000_000),
        "card_times": whole(0, 65_535),
        "stored_fen": whole(0, 1_000_000_000),
        "stored_records": whole(0, 100_000),
        "oldest": duration(_MINUTE, _YEAR),
    },
    "settlement": {
        "channel": one_of("direct", "national"),
        "area": matching(r"\d{6}", "6 digits"),
        "receiver": matching(r"[0-9A-Za-z_-]{1,10}", "1 to 10 letters or digits"),
        "mac": matching(r"[0-9A-Fa-f:-]{0,17}", "a hardware address"),
        "ip": matching(r"[0-9A-Fa-f.:]{0,20}", "an IP address"),
    },
    "printer": {
        "kind": one_of("none", "network", "serial", "usb"),
        "host": text,
        "tcp_port": whole(1, 65_535),
        "device": text,
        "baud": whole(300, 1_000_000),
        "usb": matching(r"[0-9A-Fa-f]{4}:[0-9A-Fa-f]{4}", "vendor and product, as in 04b8:0e15"),
        "columns": whole(24, 80),
        "timeout": duration(_SECOND, _MINUTE),
    },
    "pin_pad": {
        "kind": one_of("none", "encrypting", "plain"),
        "device": text,
        "baud": whole(300, 1_000_000),
        "key_file": path,
        "one_housing": flag,
        "timeout": duration(5 * _SECOND, 4 * _MINUTE),
    },
    "agent": {
        "port": whole(0, 65_535),
        "hosts": several(matching(r"[a-z0-9.-]{1,253}", "host names")),
        "origins": several(_ORIGIN),
        "unchanged_pages": several(_ORIGIN),
        "unchanged_scopes": several(one_of("read", "write", "pin", "debit")),
        "lease": duration(_SECOND, 10 * _MINUTE),
        "calls_per_minute": whole(1, 100_000),
        "device_number": matching(r"[0-9A-Za-z]{0,32}", "digits or letters"),
    },
    "gate": {
        "mode": one_of("entry", "exit", "single"),
        "industry": one_of("metro", "bus", "ferry"),
        "line": whole(0, 255),
        "station": matching(r"\d{4}", "4 digits"),
        "device": matching(r"[0-9a-fA-F]{16}", "16 hex digits"),
        "operator": matching(r"[0-9a-fA-F]{4}", "4 hex digits"),
        "city": matching(r"[0-9a-fA-F]{4}", "4 hex digits"),
        "acquirer": matching(r"[0-9a-fA-F]{16}", "16 hex digits"),
        "fares": text,
        "sam": one_of("software", "psam"),
        "psam_reader": text,
        "psam_slot": whole(0, 255),
        "max_list_age": duration(_MINUTE, _YEAR),
        "needs_list": flag,
        "most_unsent": whole(1, 1_000_000),
        "unsent_for": duration(_MINUTE, _YEAR),
        "upload_every": duration(_SECOND, _HOUR),
    },
}
_READ_POLICY: Mapping[str, Read] = {
    "scope": one_of(*_SCOPES),
    "needs_list": flag,
    "max_list_age": duration(_MINUTE, _YEAR),
    "requires_online": flag,
    "requires_activation": flag,
    "requires_pin": flag,
    "max_status_age": duration(_SECOND, _YEAR),
    "accepts_old_card": flag,
    "accepts_lost": flag,
    "accepts_out_of_date": flag,
}

_READERS: Readers = {
    **_READ_SECTIONS,
    **{f"policy.{function}": _READ_POLICY for function in Function},
}
_POLICIES: Mapping[str, Policies] = {
    "developer": DEVELOPER,
    "kiosk": KIOSK,
    "point-of-use": POINT_OF_USE,
}

_NO_PSAM = {"psam_reader": "", "psam_slot": 0}
_SOFTWARE_ONLY = {"sam": "software", "production": False, **_NO_PSAM}
_PRODUCTION = {"sam": "psam", "production": True, **_NO_PSAM}
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "terminal": {"institution": "990100000001", "institution_name": "", "language": "zh"},
    "reader": {"pattern": "", "slot": 0, "exclusive": True},
    "backend": {
        "url": "",
        "ca_file": None,
        "connect_timeout": timedelta(seconds=5),
        "read_timeout": timedelta(seconds=15),
        "total_timeout": timedelta(seconds=60),
        "attempts": 3,
    },
    "store": {"key_file": None, "key": None},
    "pin": {"initial": ("123456",), "min_length": 6, "max_length": 12},
    "limits": {"open_operations": 20},
    "offline": {
        "operation_fen": 20_000,
        "card_day_fen": 50_000,
        "card_total_fen": 200_000,
        "card_times": 20,
        "stored_fen": 5_000_000,
        "stored_records": 500,
        "oldest": timedelta(days=7),
    },
    "blacklist": {
        "push": "long-poll",
        "wait": timedelta(seconds=55),
        "mqtt_host": "",
        "mqtt_port": 8883,
        "mqtt_topic": "ssct/blacklist",
        "mqtt_tls": True,
        "mqtt_ca": None,
        "mqtt_certificate": None,
        "mqtt_key": None,
        "mqtt_user": "",
        "mqtt_password": "",
    },
    "printer": {
        "kind": "none",
        "host": "",
        "tcp_port": 9100,
        "device": "/dev/ttyS1",
        "baud": 9600,
        "usb": "04b8:0e15",
        "columns": 48,
        "timeout": timedelta(seconds=5),
    },
    "pin_pad": {
        "kind": "none",
        "device": "/dev/ttyS2",
        "baud": 9600,
        "key_file": None,
        "one_housing": False,
        "timeout": timedelta(seconds=60),
    },
    "agent": {
        "port": 8793,
        "hosts": (),
        "origins": (),
        "unchanged_pages": (),
        "unchanged_scopes": ("read",),
        "lease": timedelta(seconds=60),
        "calls_per_minute": 600,
        "device_number": "",
    },
}
_KIOSK = {
    "port": 8790,
    "operator_port": 8791,
    "answer_time": timedelta(seconds=60),
    "reading_time": timedelta(seconds=120),
    "warning_time": timedelta(seconds=30),
    "alarm_time": timedelta(seconds=10),
    "call_time": timedelta(seconds=40),
    "screen_pin": False,
    "voice": False,
    "operator_password_file": None,
}
_NATIONAL = {
    "channel": "national",
    "area": "310000",
    "receiver": "SSCT",
    "mac": "00-00-00-00-00-00",
    "ip": "127.0.0.1",
}
_GATE = {
    "mode": "single",
    "industry": "bus",
    "line": 1,
    "station": "0101",
    "device": "0000000000000001",
    "operator": "0000",
    "city": "2900",
    "acquirer": "12002900FFFFFFFF",
    "fares": "",
    "sam": "psam",
    "psam_reader": "",
    "psam_slot": 0,
    "max_list_age": timedelta(days=3),
    "needs_list": True,
    "most_unsent": 50_000,
    "unsent_for": timedelta(days=7),
    "upload_every": timedelta(seconds=30),
}
_SHANGHAI_ONLY = asdict(CardRules(regions=("31",)))
_PROFILE_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "developer": {
        "security": _SOFTWARE_ONLY,
        "cards": asdict(CardRules()),
        "kiosk": {**_KIOSK, "screen_pin": True},
        "gate": {**_GATE, "sam": "software", "fares": "sim:bus", "needs_list": False},
        "settlement": {**_NATIONAL, "channel": "direct"},
    },
    "kiosk": {
        "security": _PRODUCTION,
        "cards": _SHANGHAI_ONLY,
        "kiosk": _KIOSK,
        "gate": _GATE,
        "settlement": _NATIONAL,
    },
    "point-of-use": {
        "security": _PRODUCTION,
        "cards": _SHANGHAI_ONLY,
        "kiosk": _KIOSK,
        "gate": _GATE,
        "settlement": _NATIONAL,
    },
}


def load_settings(file: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings from `file` (None: the one that SSCT_CONFIG names, if any) and `environ`.

    Raises `ConfigurationError`.
    """
    if file is None and environ.get(CONFIG_VARIABLE):
        file = Path(environ[CONFIG_VARIABLE])
    sources = Sources(file, environ, _READERS)
    sources.refuse_unknown(OTHER_VARIABLES)
    _refuse_written_key(sources)
    profile = sources.section("terminal", {"profile": "developer"})["profile"]
    defaults = {**_DEFAULTS, **_PROFILE_DEFAULTS[profile]}
    place = {"profile": profile, "data_dir": default_data_dir(environ)}
    settings = Settings(
        terminal=TerminalSettings(**sources.section("terminal", {**defaults["terminal"], **place})),
        reader=ReaderSettings(**sources.section("reader", defaults["reader"])),
        backend=BackendSettings(**sources.section("backend", defaults["backend"])),
        security=SecuritySettings(**sources.section("security", defaults["security"])),
        store=StoreSettings(**sources.section("store", defaults["store"])),
        cards=CardRules(**sources.section("cards", defaults["cards"])),
        pin=PinSettings(**sources.section("pin", defaults["pin"])),
        limits=Limits(**sources.section("limits", defaults["limits"])),
        blacklist=BlacklistSettings(**sources.section("blacklist", defaults["blacklist"])),
        kiosk=KioskSettings(**sources.section("kiosk", defaults["kiosk"])),
        offline=OfflineSettings(**sources.section("offline", defaults["offline"])),
        gate=GateSettings(**sources.section("gate", defaults["gate"])),
        settlement=SettlementSettings(**sources.section("settlement", defaults["settlement"])),
        printer=PrinterSettings(**sources.section("printer", defaults["printer"])),
        pin_pad=PinPadSettings(**sources.section("pin_pad", defaults["pin_pad"])),
        agent=AgentSettings(**sources.section("agent", defaults["agent"])),
        policy={
            function: FunctionPolicy(**sources.section(f"policy.{function}", asdict(policy)))
            for function, policy in _POLICIES[profile].items()
        },
    )
    _refuse_unsafe(settings)
    return settings


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
