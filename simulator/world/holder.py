"""A holder: answers the screens of a terminal, more or less as asked.

Holders know their PIN, except after a change that was cut short: then they try the new one first,
as they were told. They pay in cash what a receipt says, once for each receipt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from apdu.pin import Pin
from apdu.status import CardRemoved
from simulator.card.card import SimulatedCard
from simulator.card.description import CardProfile
from simulator.city import card_ref
from simulator.story import INITIAL_PIN, OWN_PIN
from simulator.world.founding import PERMISSION
from simulator.world.plastic import Plastic
from terminal.outcome import Cancelled
from terminal.receipt import yuan
from terminal.screens import Answer, AskAmount, AskPin, Choose, Confirm, Message, Screen

if TYPE_CHECKING:
    from backend_client.messages import CardRef

_OWN = (OWN_PIN, "975318", "314159", "271828")
_NEW = ("请输入新密码", "请再次输入新密码")


@dataclass(slots=True)
class Holder:
    """One person with one card.

    `pins` are those that may be the card's, the likeliest first; `misses` is how often none of them
    was known to be taken since. `visited` names the terminals where the card has been.
    """

    name: str
    profile: CardProfile
    plastic: Plastic[SimulatedCard]
    pins: list[str] = field(default_factory=list)
    misses: int = 0
    busy: bool = False
    visited: list[str] = field(default_factory=list)

    @property
    def card(self) -> CardRef:
        """The card as the back office names it."""
        return card_ref(self.profile)

    @property
    def pays_offline(self) -> bool:
        """Whether the account on the card may be debited."""
        return PERMISSION in self.profile.files and self.profile.files[PERMISSION]["90"] == "1"

    @property
    def is_sure(self) -> bool:
        """Whether the holder knows the PIN, with tries to spare."""
        return len(self.pins) == 1 and self.misses == 0


class Habits:
    """What a holder does at a screen. This one does everything right."""

    def at(self, _screen: Screen) -> Exception | None:
        """What happens instead of an answer, if anything; a pulled card is `CardRemoved`."""
        return None

    def option(self, screen: Choose) -> str:
        """Which option the holder takes."""
        return screen.options[0].key

    def agrees(self) -> bool:
        """Whether the holder agrees to what is shown."""
        return True

    def amount_fen(self) -> int:
        """What the desk asks for, where something is paid from the card."""
        return 1_250

    def reading_time(self) -> timedelta:
        """How long the holder looks at a screen."""
        return timedelta(seconds=3)


class AtTheScreen:
    """One holder before one terminal: the driver of a flow.

    `saw` hears of every screen first. `wait` lets time pass, and with it other things happen.
    """

    def __init__(
        self,
        holder: Holder,
        habits: Habits,
        *,
        saw: Callable[[Screen], None],
        wait: Callable[[timedelta], None],
    ) -> None:
        self._holder = holder
        self._habits = habits
        self._saw = saw
        self._wait = wait
        self._tried: set[str] = set()
        self._entered: str | None = None
        self._new: str | None = None

    def show(self, screen: Screen) -> Answer:
        """See `Driver.show`."""
        self._saw(screen)
        self._learn(screen)
        self._wait(self._habits.reading_time())
        happens = self._habits.at(screen)
        if happens is not None:
            if isinstance(happens, CardRemoved):
                self._holder.plastic.leave()
            raise happens
        match screen:
            case AskPin():
                return self._pin(screen)
            case Choose():
                return self._habits.option(screen)
            case Confirm():
                return self._habits.agrees()
            case AskAmount():
                return yuan(self._habits.amount_fen())
            case _:
                return None

    def _learn(self, screen: Screen) -> None:
        """A PIN after which things go on is the card's."""
        if self._entered is None or isinstance(screen, Message):
            return
        if not isinstance(screen, AskPin) or _asks_new(screen):
            self._holder.pins[:] = [self._entered]
            self._holder.misses = 0
        self._entered = None

    def _pin(self, screen: AskPin) -> Answer:
        if _asks_new(screen):
            return Pin(self._new_pin())
        left = [pin for pin in self._holder.pins if pin not in self._tried]
        if not left or screen.tries_left == 1:
            raise Cancelled  # nobody risks the last try on a guess
        self._entered = left[0]
        self._holder.misses += 1
        self._tried.add(left[0])
        return Pin(left[0])

    def _new_pin(self) -> str:
        """A new PIN, which may be the card's from now on."""
        if self._new is None:
            known = self._holder.pins
            self._new = next(pin for pin in _OWN if pin not in known)
            known.insert(0, self._new)
        return self._new


def _asks_new(screen: AskPin) -> bool:
    return screen.title.zh.startswith(_NEW)


def first_pins(profile: CardProfile) -> list[str]:
    """What the holder of a new card knows."""
    return [profile.pin.value if profile.pin else INITIAL_PIN]
