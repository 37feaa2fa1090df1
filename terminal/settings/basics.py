"""Who and where the terminal is, its reader, its back office, its keys, its store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from terminal.settings.declared import setting
from terminal.settings.values import (
    MINUTE,
    SECOND,
    duration,
    flag,
    key,
    matching,
    one_of,
    path,
    text,
    web_address,
    whole,
)

if TYPE_CHECKING:
    from backend_client.messages import Profile

PROFILES = ("developer", "kiosk", "point-of-use")


@dataclass(frozen=True, slots=True)
class TerminalSettings:
    """Who and where the terminal is.

    `profile`: developer, kiosk or point-of-use; the defaults of everything else.
    `institution`: the 12 characters that open every operation number, until the back office has
    said which at enrolment. `institution_name`: the same, for receipts.
    `data_dir`: where the store lies; by the custom of the system unless said. `language`: which
    language comes first, zh or en.
    """

    profile: Profile = setting(one_of(*PROFILES), "developer")
    institution: str = setting(matching(r"[0-9A-Za-z]{12}", "12 digits or letters"), "990100000001")
    institution_name: str = setting(text, "")
    data_dir: Path = setting(path, Path())
    language: str = setting(one_of("zh", "en"), "zh")


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """Which reader: a part of its name (empty: the only one), and which of several alike.

    `exclusive`: hold the reader alone from insertion to removal.
    """

    pattern: str = setting(text, "")
    slot: int = setting(whole(0, 255), 0)
    exclusive: bool = setting(flag, True)


@dataclass(frozen=True, slots=True)
class BackendSettings:
    """Where the back office is (empty: nowhere, work offline) and how long to wait for it.

    `connect_timeout` for a connection, `read_timeout` for each piece of an answer, `total_timeout`
    for a whole answer. `attempts`: how often a read is tried in all; money is sent once. `ca_file`:
    the certificate authorities (PEM) that may vouch for the back office; empty: the public ones.
    """

    url: str = setting(web_address, "")
    ca_file: Path | None = setting(path, None)
    connect_timeout: timedelta = setting(duration(SECOND, 2 * MINUTE), 5 * SECOND)
    read_timeout: timedelta = setting(duration(SECOND, 5 * MINUTE), 15 * SECOND)
    total_timeout: timedelta = setting(duration(SECOND, 10 * MINUTE), 60 * SECOND)
    attempts: int = setting(whole(1, 10), 3)


@dataclass(frozen=True, slots=True)
class SecuritySettings:
    """Where the keys are: `sam` is software, psam, or hsm, which is behind the back office.

    `production` refuses software keys.

    `psam_reader` and `psam_slot` say which reader holds the PSAM, like `pattern` and `slot` of the
    card's reader; "sim:" is a simulated PSAM, for development only.
    """

    sam: str = setting(one_of("software", "psam", "hsm"), "psam")
    production: bool = setting(flag, True)
    psam_reader: str = setting(text, "")
    psam_slot: int = setting(whole(0, 255), 0)


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """The key that seals personal data: in `key_file` (empty: beside the database), or in `key`.

    `key` (64 hex digits) is taken from the environment only, as SSCT_STORE_KEY: a settings file is
    no place for a secret.
    """

    key_file: Path | None = setting(path, None)
    key: bytes | None = setting(key, None, secret=True)
