"""WCAG 2.2 AA on every screen, by axe-core in real Chromium: languages, sizes, orientations.

Besides what the engine finds: targets of 60 px, text of 18 px and more (facts 4.2), nothing that
runs out of the screen sideways.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import axe_core_python
import pytest
from playwright.sync_api import Page

from simulator.clock import SimulatedClock
from simulator.kiosk import EmbeddedKiosk

from .conftest import Stand
from .hall import LANDSCAPE, PORTRAIT, Hall
from .tour import stops

pytestmark = pytest.mark.integration

AXE = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text("utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
VIOLATIONS = """tags => axe.run(document, {runOnly: {type: "tag", values: tags}}).then(found => ({
    passes: found.passes.length,
    violations: found.violations.map(one => [one.id, one.nodes.map(node => node.html)]),
}))"""
SMALL_TARGETS = """() => [...document.querySelectorAll("button")].filter(one => {
    const box = one.getBoundingClientRect();
    return box.width > 0 && (box.width < 60 || box.height < 60);
}).map(one => one.id)"""
SMALL_TEXT = """least => [...document.querySelectorAll("#page *")].filter(one =>
    [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())
    && one.getClientRects().length && !one.closest(".unseen, svg")
    && parseFloat(getComputedStyle(one).fontSize) < least).map(one => one.outerHTML)"""
SIDEWAYS = """() => [...document.querySelectorAll("html, main, .scroll, .tiles")]
    .filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.className)"""


def faults(page: Page, least: int) -> list[Any]:
    """What is wrong with the screen that stands."""
    result = page.evaluate(VIOLATIONS, RULES)
    assert result["passes"], "the engine looked at nothing"
    found: list[Any] = result["violations"]
    found += [("small target", one) for one in page.evaluate(SMALL_TARGETS)]
    found += [("small text", one) for one in page.evaluate(SMALL_TEXT, least)]
    found += [("sideways", one) for one in page.evaluate(SIDEWAYS)]
    return found


@pytest.mark.timeout(400)  # some thirty screens, each looked at by the engine
@pytest.mark.parametrize(
    ("size", "likes"),
    [
        (LANDSCAPE, ()),
        (LANDSCAPE, ("language", "large")),
        (PORTRAIT, ("large",)),
        (PORTRAIT, ("language", "contrast")),
    ],
    ids=["landscape-zh", "landscape-en-large", "portrait-zh-large", "portrait-en-contrast"],
)
def test_every_screen_is_accessible(
    size: tuple[int, int],
    likes: tuple[str, ...],
    embedded: EmbeddedKiosk,
    clock: SimulatedClock,
    stand: Stand,
) -> None:
    least = 30 if "large" in likes else 18
    wrong: dict[str, list[Any]] = {}
    with stand(embedded.running.page_url, size) as page:
        page.evaluate(AXE)
        hall = Hall(embedded, clock, page)
        hall.usually(*likes)
        seen = []
        for name in stops(hall):
            seen.append(name)
            found = faults(page, least)
            if found:
                wrong[name] = found
    assert wrong == {}
    assert len(seen) == len(set(seen)) > 20
