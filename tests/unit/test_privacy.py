"""Nothing personal in a log, at the most talkative level; nothing readable on disk (Article 25)."""

from __future__ import annotations

import logging
import random
from pathlib import Path

import pytest

from simulator.card.description import CardProfile
from simulator.card.profile import load_profile, replacement
from simulator.clock import SimulatedClock
from simulator.embedded import embedded_scene
from simulator.story import BEGINS, OWN_PIN, STORY, Play


def secrets_of(profile: CardProfile) -> dict[str, str]:
    """What nobody may find, by what it is."""
    return {
        "name": profile.holder.name,
        "social security number": profile.holder.ssn,
        "card number": profile.card.number,
        "card id": profile.card.card_id.hex(),
        "PIN": profile.pin.value if profile.pin else OWN_PIN,
    }


def spellings(secret: str) -> set[bytes]:
    """The forms in which a secret may turn up: text, as on the card, hex of either, packed."""
    raw = {secret.encode(), secret.encode("gbk"), secret.upper().encode()}
    if secret.isdigit() and len(secret) % 2 == 0:
        raw.add(bytes.fromhex(secret))
    return (
        raw | {form.hex().encode() for form in raw} | {form.hex().upper().encode() for form in raw}
    )


def tell_the_story(directory: Path) -> list[CardProfile]:
    """Play all of it; the cards that took part."""
    chance = random.Random(3).randbytes
    with embedded_scene(directory, clock=SimulatedClock(BEGINS), random=chance) as scene:
        play = Play(scene, chance)
        for step in STORY:
            step.play(play)
        assert play.new is not None
        return [play.active, play.fresh, play.new]


@pytest.mark.article(25)
def test_nothing_personal_is_in_the_log_or_on_the_disk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.NOTSET + 6):
        profiles = tell_the_story(tmp_path)
    logged = "\n".join(f"{record.getMessage()} {record.args}" for record in caplog.records)
    assert len(caplog.records) > 100, "it did log"
    files = {file.name: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert {"terminal.sqlite", "backoffice.sqlite"} <= set(files)
    for profile in profiles:
        for what, secret in secrets_of(profile).items():
            for spelling in spellings(secret):
                assert spelling not in logged.encode(), f"a {what} is in the log"
                found = [name for name, data in files.items() if spelling in data]
                if what == "card id":
                    # The back office publishes the blacklist, which names listed cards by it.
                    found = [name for name in found if not name.startswith("backoffice")]
                assert not found, f"a {what} is readable in {found}"


def test_the_spellings_find_what_they_should() -> None:
    profile = replacement(load_profile("not-active"), issued=BEGINS.date())
    number = profile.card.number
    assert number.encode() in spellings(number)
    assert number.encode().hex().encode() in spellings(number)
    assert b"\x86\x42\x09" in spellings("864209")
    assert "张三".encode("gbk").hex().upper().encode() in spellings("张三")
