"""Who stands before the kiosk: presses, waits and looks, in a real Chromium."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, Page, Playwright, expect

from apdu.status import ServiceUnavailable
from simulator.clock import SimulatedClock
from simulator.kiosk import EmbeddedKiosk
from terminal.kiosk.inbox import ReaderTrouble

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PATIENCE = 15_000
expect.set_options(timeout=PATIENCE)
LANDSCAPE, PORTRAIT = (1920, 1080), (1080, 1920)

# The kiosk takes one answer to a screen and drops what else is pressed on it. The page notes which
# screen was answered, so that no visitor presses on before the next one stands.
NOTES_ANSWERS = """
document.addEventListener("click", (event) => {
    if (event.target.closest("[data-answer], [data-cancel], [data-send], [data-key=enter]")) {
        const { dataset } = document.documentElement;
        dataset.answered = dataset.revision;
    }
}, true);
"""
UNANSWERED = """() => {
    const { answered, revision } = document.documentElement.dataset;
    return answered === undefined || answered !== revision;
}"""
TYPES_FAST = "pin => [...pin].forEach(digit => document.getElementById(`key-${digit}`).click())"


class Visitor(ABC):
    """Who stands before a kiosk, wherever that runs: sees its page, has hands and time."""

    page: Page

    @abstractmethod
    def insert(self, profile: str = "adult-3.0") -> None:
        """Put a card in."""

    @abstractmethod
    def remove(self) -> None:
        """Take the card."""

    @abstractmethod
    def wait(self, seconds: float) -> None:
        """Let time pass."""

    def goes_on(self) -> None:
        """Wait until the screen that was answered last has gone."""
        self.page.wait_for_function(UNANSWERED, timeout=PATIENCE)

    def at(self, kind: str) -> None:
        """Wait until a screen of this kind is shown that was not answered yet."""
        self.goes_on()
        self.page.locator(f"main.{kind}").wait_for(timeout=PATIENCE)

    def title(self, words: str) -> None:
        """Wait until the title says so."""
        self.goes_on()
        expect(self.page.locator("#title")).to_contain_text(words)

    def press(self, name: str) -> None:
        """Press the button with this id, on a screen that was not answered yet."""
        self.goes_on()
        self.page.locator(f"#{name}").click(timeout=PATIENCE)

    def enter(self, pin: str) -> None:
        """Type a PIN on the screen's pad, faster than the screen counts."""
        self.at("ask_pin")
        self.page.evaluate(TYPES_FAST, pin)
        self.shows_digits(len(pin))
        self.press("enter")

    def enter_slowly(self, pin: str) -> None:
        """Type a PIN on the screen's pad, and see every digit counted."""
        self.at("ask_pin")
        for typed, digit in enumerate(pin, 1):
            self.press(f"key-{digit}")
            self.shows_digits(typed)
        self.press("enter")

    def text(self) -> str:
        """Everything that is on the screen, on one line."""
        self.goes_on()
        return re.sub(r"\s+", " ", self.page.locator("body").inner_text())

    def press_item(self, key: str) -> None:
        """Choose from the menu, on whichever of its pages it stands."""
        self.at("menu")
        while self.page.locator("#back").count():
            self._turn("back")
        while self.page.locator(f"#item-{key}").count() == 0:
            self._turn("more")
        self.press(f"item-{key}")

    def _turn(self, button: str) -> None:
        """Turn to another page of the menu."""
        self.press(button)
        self.goes_on()

    def menu(self) -> list[str]:
        """The functions on every page of the menu."""
        self.at("menu")
        keys: list[str] = []
        while True:
            shown = self.page.locator(".tile").evaluate_all("all => all.map(one => one.id)")
            keys += [name.removeprefix("item-") for name in shown]
            if self.page.locator("#more").count() == 0:
                return keys
            self._turn("more")

    def leave_menu(self) -> None:
        """Wait until something that stands has come after the menu."""
        self.goes_on()
        self.page.locator("main:not(.menu):not(.progress)").wait_for(timeout=PATIENCE)

    def back_to_menu(self) -> None:
        """Leave whatever is on the screen, until the menu is there again."""
        for _ in range(20):
            self.goes_on()
            self.page.locator("main:not(.progress)").wait_for(timeout=PATIENCE)
            if self.page.locator("main.menu").count():
                return
            for name in ("cancel", "no", "next"):
                if self.page.locator(f"#{name}").count():
                    self.press(name)
                    break
        raise AssertionError("no way back to the menu")

    def shows(self, words: str) -> None:
        """Wait until the screen shows these words."""
        self.goes_on()
        expect(self.page.locator("main")).to_contain_text(words)

    def shows_digits(self, count: int) -> None:
        """Wait until so many digits of a PIN are counted."""
        self.page.wait_for_function(
            "dots => document.querySelector('#dots')?.textContent.trim() === dots",
            arg="●" * count,
            timeout=PATIENCE,
        )

    def note(self, zh: str, en: str) -> None:
        """Wait for a note that says this, in either language."""
        self.goes_on()
        expect(self.page.locator(".note")).to_contain_text(re.compile(f"{zh}|{en}"))


@dataclass
class Hall(Visitor):
    """A kiosk in this process, and who stands before it."""

    kiosk: EmbeddedKiosk
    clock: SimulatedClock
    page: Page

    def insert(self, profile: str = "adult-3.0") -> None:
        self.kiosk.panel.insert(profile)

    def remove(self) -> None:
        self.kiosk.panel.remove()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.kiosk.panel.advance(seconds)

    def usually(self, *likes: str) -> None:
        """Have every visitor like it so, instead of each choosing it anew."""
        stage = self.kiosk.running.stage
        for name in likes:
            stage.prefer(name)
        stage.usual = stage.page.preferences

    def trouble(self) -> None:
        """The reader goes away."""
        self.kiosk.running.inbox.put(ReaderTrouble(ServiceUnavailable("gone")))


def launch(playwright: Playwright) -> Browser:
    """A real Chromium."""
    return playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))


@contextmanager
def standing(browser: Browser, url: str, size: tuple[int, int] = LANDSCAPE) -> Iterator[Page]:
    """A page of its own before a kiosk; whatever its script complains about fails."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height}, reduced_motion="reduce"
    )
    context.add_init_script(NOTES_ANSWERS)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(url)
    page.locator("#title").wait_for(timeout=PATIENCE)
    yield page
    context.close()
    assert not complaints, complaints
    origin = url.split("?")[0]
    outside = [one for one in requests if not one.startswith((origin, "data:"))]
    assert not outside, outside
