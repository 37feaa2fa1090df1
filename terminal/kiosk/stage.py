"""The one thing that is on the screen now. The session thread sets it, the page follows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Lock

from terminal.kiosk.views import Attract, Page, Preferences, View

CHOICES = ("language", "large", "contrast", "voice", "reveal")
"""The preferences that a visitor can change."""


class Stage:
    """Holds the page. Every method may be called from any thread.

    `usual` are the preferences that every visit begins with.
    """

    def __init__(self, usual: Preferences) -> None:
        self.usual = usual
        self._lock = Lock()
        self._page = Page(0, Attract(""), usual)
        self._followers: list[Callable[[], None]] = []

    @property
    def page(self) -> Page:
        """What is shown now."""
        return self._page

    def show(self, view: View) -> int:
        """Put `view` on the screen and return its revision."""
        with self._lock:
            kept = replace(self._page.preferences, reveal=False)
            self._page = Page(self._page.revision + 1, view, kept)
            revision = self._page.revision
        self._tell()
        return revision

    def warn(self, seconds: int | None) -> None:
        """Say how long it takes until the visit ends; None: there is time."""
        if self._page.warning != seconds:
            self._change(lambda page: replace(page, warning=seconds))

    def typed(self, digits: int) -> None:
        """Say how many digits of a PIN there are."""
        self._change(lambda page: replace(page, digits=digits))

    def prefer(self, name: str) -> None:
        """Switch a preference over. Raises `KeyError` for one that there is not."""
        if name not in CHOICES:
            raise KeyError(name)

        def switched(page: Page) -> Page:
            now = page.preferences
            if name == "language":
                other = "en" if now.language == "zh" else "zh"
                return replace(page, preferences=replace(now, language=other))
            turned = not getattr(now, name)
            return replace(page, preferences=_with(now, name, turned))

        self._change(switched)

    def wipe(self, view: View) -> None:
        """Forget the visit: what was shown, and how the visitor liked it."""
        with self._lock:
            self._page = Page(self._page.revision + 1, view, self.usual)
        self._tell()

    def follow(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` after every change, until what this returns is called."""
        with self._lock:
            self._followers.append(changed)

        def leave() -> None:
            with self._lock:
                if changed in self._followers:
                    self._followers.remove(changed)

        return leave

    @property
    def followers(self) -> int:
        """How many pages are open."""
        return len(self._followers)

    def _change(self, change: Callable[[Page], Page]) -> None:
        with self._lock:
            self._page = change(self._page)
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            followers = tuple(self._followers)
        for follower in followers:
            follower()


def _with(preferences: Preferences, name: str, on: bool) -> Preferences:
    match name:
        case "large":
            return replace(preferences, large=on)
        case "contrast":
            return replace(preferences, contrast=on)
        case "voice":
            return replace(preferences, voice=on)
        case _:
            return replace(preferences, reveal=on)
