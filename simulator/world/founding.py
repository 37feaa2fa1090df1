"""How every world begins: a city, its holders with bills to settle, terminals that are enrolled.

Making it takes longer than a world lives, so it is made once in a process, always the same, and
each world gets a copy of the files.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from random import Random

from apdu.sam import SoftwareSam
from backend_client.channels import direct
from simulator import city
from simulator.backoffice import seed
from simulator.backoffice.api import Api
from simulator.backoffice.backoffice import BackOffice
from simulator.backoffice.database import open_engine
from simulator.backoffice.figures import Figures, load_figures
from simulator.backoffice.inprocess import InProcessTransport
from simulator.card.description import CardProfile
from simulator.card.profile import load_profile
from simulator.card.register import BillEntry, BillLineEntry
from simulator.clock import SimulatedClock
from simulator.story import BEGINS
from simulator.world.disk import read_files
from terminal.app import Terminal
from terminal.settings import OfflineSettings, Settings, load_settings

STATIONS = 2
CENTRE_FILE = "backoffice.sqlite"
LIMITS = OfflineSettings(
    operation_fen=6_000,
    card_day_fen=8_000,
    card_total_fen=25_000,
    card_times=8,
    stored_fen=9_000,
    stored_records=3,
    oldest=timedelta(days=2),
)
"""So little that every one of these limits is met often."""

SEALING_KEY = bytes(range(32))
"""Of back offices that live for a moment, in memory."""

_CAST = ("adult-3.0", "adult-2.0", "child", "not-active")
PERMISSION = "DF04EF06"
_PAYING = 2
"""How many of the cast have an account on their card that may be debited offline."""

_BILLS = 3
"""How many bills each holder has beside those of the profile."""


@dataclass(frozen=True, slots=True)
class Founding:
    """What a world begins with: the city's figures, who has a card, and the files of all disks."""

    figures: Figures
    cast: tuple[CardProfile, ...]
    centre: Mapping[str, bytes]
    stations: tuple[Mapping[str, bytes], ...]


def disk_space() -> Path | None:
    """Where the files of a world lie: in memory where the system has such a place, else None."""
    memory = Path("/dev/shm")  # noqa: S108  # files go into directories of their own there
    return memory if memory.is_dir() else None


def station_settings(directory: Path, channel: str = direct.NAME) -> Settings:
    """The settings of a terminal whose data lie in `directory`, and that settles over `channel`."""
    settings = _settings()
    return replace(
        settings,
        terminal=replace(settings.terminal, data_dir=directory),
        settlement=replace(settings.settlement, channel=channel),
        offline=LIMITS,
    )


@cache
def _settings() -> Settings:
    return load_settings(None, {})


@cache
def founding() -> Founding:
    """The beginning of all worlds."""
    directory = Path(tempfile.mkdtemp(prefix="ssct-world-", dir=disk_space()))
    try:
        return _founded(directory)
    finally:
        shutil.rmtree(directory)


def _founded(directory: Path) -> Founding:
    random = Random("founding").randbytes  # noqa: S311  # nothing is to be secret
    clock = SimulatedClock(BEGINS)
    cast = tuple(_prepared(index, load_profile(name)) for index, name in enumerate(_CAST))
    office = directory / "centre"
    office.mkdir()
    engine = open_engine(f"sqlite:///{office / CENTRE_FILE}")
    figures = load_figures()
    with BackOffice(
        engine,
        now=clock.now,
        random=random,
        sealing_key=SEALING_KEY,
        figures=figures,
        rules=city.RULES,
    ) as backoffice:
        seed.add_sample_institutions(backoffice)
        for profile in cast:
            _register(backoffice, profile)
        transport = InProcessTransport(Api(backoffice))
        homes = [directory / f"station-{number}" for number in range(1, STATIONS + 1)]
        for home in homes:
            with Terminal.open(
                station_settings(home),
                clock=clock,
                random=random,
                sam=SoftwareSam.development(random),
                transport=transport,
            ) as terminal:
                terminal.enrol(seed.DEVELOPMENT_CODE.code)
                terminal.sync()
    return Founding(figures, cast, read_files(office), tuple(map(read_files, homes)))


def _register(backoffice: BackOffice, profile: CardProfile) -> None:
    if profile.backoffice is None:
        raise ValueError("a holder of a world is in the register")
    seed.register_entry(
        backoffice,
        name=profile.holder.name,
        ssn=profile.holder.ssn,
        card_id=profile.card.card_id,
        card_number=profile.card.number,
        entry=asdict(profile.backoffice),
    )


def _prepared(index: int, profile: CardProfile) -> CardProfile:
    """The profile as it is needed here: with more bills, and leave to pay offline."""
    profile = _with_bills(index, profile)
    if index >= _PAYING:
        return profile
    return replace(profile, files={**profile.files, PERMISSION: {"90": "1", "92": 0, "93": 0}})


def _with_bills(index: int, profile: CardProfile) -> CardProfile:
    """The profile with more bills to settle: small, middling and large ones."""
    if profile.backoffice is None:
        return profile
    more = tuple(_bill(index, number) for number in range(_BILLS))
    entry = replace(profile.backoffice, bills=profile.backoffice.bills + more)
    return replace(profile, backoffice=entry)


def _bill(index: int, number: int) -> BillEntry:
    lines = (
        BillLineEntry("110200001", "门诊诊查费", 1, 2500),
        BillLineEntry("250101015", "血常规（五分类）", 1 + number, 1999),
        BillLineEntry("210200001", "胸部 CT 平扫", 1 + 9 * number, 18001 + 7 * index),
    )
    name = f"B20260311{index:02d}{number:02d}"
    return BillEntry(name, f"V{name[1:]}", city.HOSPITAL, "内科", date(2026, 3, 11), lines)
