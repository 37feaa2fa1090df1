"""`make screens`: pictures of every screen, for people to look at."""

from __future__ import annotations

import io
import secrets
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from simulator.clock import SimulatedClock
from simulator.kiosk import BEGINS, embedded_kiosk

from .hall import Hall, launch, standing
from .tour import stops

LOOKS = {
    "landscape-zh": ((1280, 720), ()),
    "landscape-en": ((1280, 720), ("language",)),
    "portrait-zh-large": ((720, 1280), ("large",)),
    "portrait-en-contrast": ((720, 1280), ("language", "contrast")),
}

COLOURS = 48
"""Of a picture: the pages have few, and the repository stays small."""


def main(directory: Path, *names: str) -> None:
    """Write the pictures of the looks `names` (all without one) below `directory`."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for name in names or LOOKS:
            size, likes = LOOKS[name]
            clock = SimulatedClock(BEGINS)
            with (
                tempfile.TemporaryDirectory() as place,
                embedded_kiosk(Path(place), clock=clock, random=secrets.token_bytes) as kiosk,
                standing(browser, kiosk.running.page_url, size) as page,
            ):
                hall = Hall(kiosk, clock, page)
                hall.usually(*likes)
                (directory / name).mkdir(parents=True, exist_ok=True)
                for stop in stops(hall):
                    picture = Image.open(io.BytesIO(page.screenshot()))
                    picture.quantize(COLOURS).save(directory / name / f"{stop}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
