"""The hand at the card slot: puts the card in, takes it out, swaps it, pulls it in mid-write.

Lines come from standard input, from signals (SIGUSR1: in or out; SIGUSR2: tear) or from a test; one
thread carries them out, in their order.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import Protocol

from apdu.readers.inprocess import Chip
from apdu.status import CardError
from simulator.card.card import SimulatedCard
from simulator.card.persistence import CardStateError, PersistentCard
from simulator.card.profile import ProfileError, load_profile

HELP = (
    "insert             插卡  put the card in\n"
    "remove             拔卡  take it out\n"
    "swap PROFILE       换卡  another card instead (PROFILE@FILE keeps its state in FILE)\n"
    "tear [N]           断电  cut the power after N more bytes written to its memory (0)\n"
    "status             状态  what is in the slot\n"
    "quit               退出  take the card out and end"
)

QUIT = "quit"
_TOGGLE, _TEAR = "toggle", "tear"
_SIGNALS = {"SIGUSR1": _TOGGLE, "SIGUSR2": _TEAR, "SIGTERM": QUIT}


class Slot(Protocol):
    """Where a card goes in: a virtual reader, or one of this process."""

    @property
    def occupied(self) -> bool:
        """Whether a card is in."""
        ...

    def insert(self, chip: Chip) -> None:
        """Put a card in."""
        ...

    def remove(self) -> Chip | None:
        """Take it out; None when there was none."""
        ...


class CardPanel:
    """One slot and the card that belongs to it, in or out."""

    def __init__(
        self, slot: Slot, wanted: str, *, random: Callable[[int], bytes], state: Path | None = None
    ) -> None:
        """`wanted` is PROFILE or PROFILE@FILE; `state` names the file instead.

        Raises `ProfileError` or `CardStateError`.
        """
        self._slot = slot
        self._random = random
        self._name, self._chip = wanted, self._made(wanted, state)

    def insert(self) -> str:
        """Put the card in. Raises `CardError` when there is one, or no reader to put it into."""
        self._slot.insert(self._chip)
        return f"已插卡 inserted: {self._name}"

    def remove(self) -> str:
        """Take the card out."""
        if self._slot.remove() is None:
            return "卡槽为空 the slot is empty"
        return f"已拔卡 removed: {self._name}"

    def do(self, line: str) -> str:
        """Carry out one line and say what came of it."""
        command, _, rest = line.strip().partition(" ")
        try:
            return self._do(command, rest.strip())
        except (CardError, ProfileError, CardStateError) as error:
            return f"{error.zh} {error.en} [{error.code}] {error}"

    def close(self) -> None:
        """Take the card out and let go of its file."""
        self._slot.remove()
        _let_go(self._chip)

    def _do(self, command: str, rest: str) -> str:
        if command == "swap" and rest:
            return self._swap(rest)
        if command == _TEAR and (not rest or (rest.isascii() and rest.isdecimal())):
            self._chip.memory.tear_after(int(rest or "0"))
            return f"下次写入时断电 the power goes after {rest or 0} more bytes written"
        plain: dict[str, Callable[[], str]] = {
            "insert": self.insert,
            "remove": self.remove,
            "status": self._status,
            _TOGGLE: self._toggle,
        }
        if command in plain and not rest:
            return plain[command]()
        return HELP

    def _swap(self, wanted: str) -> str:
        chip = self._made(wanted, None)
        self._slot.remove()
        _let_go(self._chip)
        self._name, self._chip = wanted, chip
        return self.insert()

    def _toggle(self) -> str:
        if self._slot.remove() is None:
            return self.insert()
        return f"已拔卡 removed: {self._name}"

    def _status(self) -> str:
        where = "卡在槽中 in the slot" if self._slot.occupied else "卡在手中 out of the slot"
        return f"{where}: {self._name}"

    def _made(self, wanted: str, state: Path | None) -> SimulatedCard | PersistentCard:
        name, _, file = wanted.partition("@")
        profile = load_profile(name)
        if state is None and file:
            state = Path(file)
        if state is None:
            return SimulatedCard(profile, random=self._random)
        return PersistentCard(profile, state, random=self._random)


def serve(panel: CardPanel, typed: Iterable[str], tell: Callable[[str], None]) -> None:
    """Carry out lines until one says quit, or Ctrl-C. The end of `typed` ends nothing."""
    lines: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_pass_on, args=(typed, lines), name="panel-input", daemon=True).start()
    with _signals(lines):
        while (line := lines.get()).strip() != QUIT:
            tell(panel.do(line))


def _pass_on(typed: Iterable[str], lines: SimpleQueue[str]) -> None:
    for line in typed:
        if line.strip():
            lines.put(line)


@contextmanager
def _signals(lines: SimpleQueue[str]) -> Iterator[None]:
    """Signals become lines. Where there are none (Windows), or in another thread, nothing does."""
    names = [name for name in _SIGNALS if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        names = []

    def hear(number: int, _frame: FrameType | None) -> None:
        lines.put(_SIGNALS[signal.Signals(number).name])

    before = {name: signal.signal(getattr(signal, name), hear) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def _let_go(chip: SimulatedCard | PersistentCard) -> None:
    if isinstance(chip, PersistentCard):
        chip.close()
