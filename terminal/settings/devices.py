"""The devices beside the reader: receipt printer and PIN pad."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from terminal.settings.declared import setting
from terminal.settings.values import (
    MINUTE,
    SECOND,
    duration,
    flag,
    matching,
    one_of,
    path,
    text,
    whole,
)


@dataclass(frozen=True, slots=True)
class PrinterSettings:
    """The receipt printer (ESC/POS): `kind` is none, network, serial or usb.

    `host` and `tcp_port` for network, `device` and `baud` for serial, `usb` ("04b8:0e15") for usb.
    `columns` narrow characters fit on a line; `timeout` is for each exchange.
    """

    kind: str = setting(one_of("none", "network", "serial", "usb"), "none")
    host: str = setting(text, "")
    tcp_port: int = setting(whole(1, 65_535), 9100)
    device: str = setting(text, "/dev/ttyS1")
    baud: int = setting(whole(300, 1_000_000), 9600)
    usb: str = setting(
        matching(r"[0-9A-Fa-f]{4}:[0-9A-Fa-f]{4}", "vendor and product, as in 04b8:0e15"),
        "04b8:0e15",
    )
    columns: int = setting(whole(24, 80), 48)
    timeout: timedelta = setting(duration(SECOND, MINUTE), 5 * SECOND)


@dataclass(frozen=True, slots=True)
class PinPadSettings:
    """The PIN pad: `kind` is none, encrypting or plain; on the serial line `device` at `baud`.

    `key_file` holds the master key of an encrypting pad, 32 hex digits. A plain pad is allowed with
    `one_housing` only: pad and reader are in one tamper-responsive housing. `timeout` is how long
    the pad itself waits.
    """

    kind: str = setting(one_of("none", "encrypting", "plain"), "none")
    device: str = setting(text, "/dev/ttyS2")
    baud: int = setting(whole(300, 1_000_000), 9600)
    key_file: Path | None = setting(path, None)
    one_housing: bool = setting(flag, False)
    timeout: timedelta = setting(duration(5 * SECOND, 4 * MINUTE), 60 * SECOND)
