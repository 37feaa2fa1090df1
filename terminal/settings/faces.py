"""The faces of the terminal: touch screen, agent, gate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from terminal.settings.declared import setting
from terminal.settings.values import (
    DAY,
    HOUR,
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

_ORIGIN = matching(r"https?://[a-z0-9.-]{1,253}(:[0-9]{1,5})?", "origins like https://his.example")


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

    port: int = setting(whole(0, 65_535), 8790)
    operator_port: int = setting(whole(0, 65_535), 8791)
    answer_time: timedelta = setting(duration(20 * SECOND, 10 * MINUTE), 60 * SECOND)
    reading_time: timedelta = setting(duration(20 * SECOND, 30 * MINUTE), 120 * SECOND)
    warning_time: timedelta = setting(duration(20 * SECOND, 5 * MINUTE), 30 * SECOND)
    alarm_time: timedelta = setting(duration(5 * SECOND, 2 * MINUTE), 10 * SECOND)
    call_time: timedelta = setting(duration(10 * SECOND, 10 * MINUTE), 40 * SECOND)
    screen_pin: bool = setting(flag, False)
    voice: bool = setting(flag, False)
    operator_password_file: Path | None = setting(path, None)


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """The face for other programs on this machine.

    `port` on this machine only; 0 takes a free one. `hosts` are names besides 127.0.0.1, localhost
    and [::1] by which callers may name it. Pages of `origins` may call with a token; pages of
    `unchanged_pages` may use the LD/T 33 socket without one, for what `unchanged_scopes` says.
    A session whose caller is silent for `lease` is ended. `calls_per_minute` for each caller.
    `device_number` is the last field of a basic read.
    """

    port: int = setting(whole(0, 65_535), 8793)
    hosts: tuple[str, ...] = setting(several(matching(r"[a-z0-9.-]{1,253}", "host names")), ())
    origins: tuple[str, ...] = setting(several(_ORIGIN), ())
    unchanged_pages: tuple[str, ...] = setting(several(_ORIGIN), ())
    unchanged_scopes: tuple[str, ...] = setting(
        several(one_of("read", "write", "pin", "debit")), ("read",)
    )
    lease: timedelta = setting(duration(SECOND, 10 * MINUTE), 60 * SECOND)
    calls_per_minute: int = setting(whole(1, 100_000), 600)
    device_number: str = setting(matching(r"[0-9A-Za-z]{0,32}", "digits or letters"), "")


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

    mode: str = setting(one_of("entry", "exit", "single"), "single")
    industry: str = setting(one_of("metro", "bus", "ferry"), "bus")
    line: int = setting(whole(0, 255), 1)
    station: str = setting(matching(r"\d{4}", "4 digits"), "0101")
    device: str = setting(matching(r"[0-9a-fA-F]{16}", "16 hex digits"), "0000000000000001")
    operator: str = setting(matching(r"[0-9a-fA-F]{4}", "4 hex digits"), "0000")
    city: str = setting(matching(r"[0-9a-fA-F]{4}", "4 hex digits"), "2900")
    acquirer: str = setting(matching(r"[0-9a-fA-F]{16}", "16 hex digits"), "12002900FFFFFFFF")
    fares: str = setting(text, "")
    sam: str = setting(one_of("software", "psam"), "psam")
    psam_reader: str = setting(text, "")
    psam_slot: int = setting(whole(0, 255), 0)
    max_list_age: timedelta = setting(duration(MINUTE, YEAR), 3 * DAY)
    needs_list: bool = setting(flag, True)
    most_unsent: int = setting(whole(1, 1_000_000), 50_000)
    unsent_for: timedelta = setting(duration(MINUTE, YEAR), 7 * DAY)
    upload_every: timedelta = setting(duration(SECOND, HOUR), 30 * SECOND)
