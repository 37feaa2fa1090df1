"""What the terminal may do: PINs, limits, settlement, work without the centre, the blacklist."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from terminal.settings.declared import setting
from terminal.settings.values import (
    DAY,
    MINUTE,
    SECOND,
    YEAR,
    duration,
    flag,
    matching,
    one_of,
    path,
    several,
    text,
    whole,
)

_FEN = whole(0, 100_000_000)


@dataclass(frozen=True, slots=True)
class PinSettings:
    """What a new PIN may be, in digits. `initial`: PINs that cards are issued with.

    Nobody may keep one of those: activation asks for a new PIN.
    """

    initial: tuple[str, ...] = setting(
        several(matching(r"\d{4,16}", "PINs of 4 to 16 digits")), ("123456",), secret=True
    )
    min_length: int = setting(whole(4, 16), 6)
    max_length: int = setting(whole(4, 16), 12)


@dataclass(frozen=True, slots=True)
class Limits:
    """Where the terminal begins nothing new.

    `open_operations`: how many operations may be unfinished at once.
    """

    open_operations: int = setting(whole(1, 10_000), 20)


@dataclass(frozen=True, slots=True)
class SettlementSettings:
    """In which language bills are settled: `channel` is direct or national.

    For the national interface: `area` is the administrative division of the place of care, six
    digits; `receiver` the receiving system's code; `mac` and `ip` are what the sign-in says of
    this machine.
    """

    channel: str = setting(one_of("direct", "national"), "national")
    area: str = setting(matching(r"\d{6}", "6 digits"), "310000")
    receiver: str = setting(matching(r"[0-9A-Za-z_-]{1,10}", "1 to 10 letters or digits"), "SSCT")
    mac: str = setting(matching(r"[0-9A-Fa-f:-]{0,17}", "a hardware address"), "00-00-00-00-00-00")
    ip: str = setting(matching(r"[0-9A-Fa-f.:]{0,20}", "an IP address"), "127.0.0.1")


@dataclass(frozen=True, slots=True)
class OfflineSettings:
    """How much may be done without the centre; at each limit the terminal does no more of it.

    `operation_fen` a payment, `card_day_fen` a card and day here; `card_total_fen` and `card_times`
    what the card says it has settled offline in all; `stored_fen` and `stored_records` what may
    wait here to be uploaded, `oldest` for how long.
    """

    operation_fen: int = setting(_FEN, 20_000)
    card_day_fen: int = setting(_FEN, 50_000)
    card_total_fen: int = setting(_FEN, 200_000)
    card_times: int = setting(whole(0, 65_535), 20)
    stored_fen: int = setting(whole(0, 1_000_000_000), 5_000_000)
    stored_records: int = setting(whole(0, 100_000), 500)
    oldest: timedelta = setting(duration(MINUTE, YEAR), 7 * DAY)


@dataclass(frozen=True, slots=True)
class BlacklistSettings:
    """How news of the blacklist reaches a program that runs for long.

    `push` is long-poll or mqtt; `wait` is how long a question may wait for news, or how long a
    broker may be silent before the back office is asked. `mqtt_tls` off is for a broker on this
    machine; `mqtt_ca` names its CAs (None: the system's), `mqtt_certificate` and `mqtt_key` our
    own. `mqtt_password` is taken from the environment only, as SSCT_BLACKLIST_MQTT_PASSWORD.
    """

    push: str = setting(one_of("long-poll", "mqtt"), "long-poll")
    wait: timedelta = setting(duration(SECOND, 5 * MINUTE), 55 * SECOND)
    mqtt_host: str = setting(text, "")
    mqtt_port: int = setting(whole(1, 65535), 8883)
    mqtt_topic: str = setting(
        matching(r"[0-9A-Za-z._/-]{1,64}", "letters, digits, dots and slashes"), "ssct/blacklist"
    )
    mqtt_tls: bool = setting(flag, True)
    mqtt_ca: Path | None = setting(path, None)
    mqtt_certificate: Path | None = setting(path, None)
    mqtt_key: Path | None = setting(path, None)
    mqtt_user: str = setting(text, "")
    mqtt_password: str = setting(text, "", secret=True)
