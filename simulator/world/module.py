"""The security module of a terminal: keys in software, or a PSAM in a slot that may be loose."""

from __future__ import annotations

from collections.abc import Callable

from apdu.psam import PsamCard
from apdu.readers.inprocess import InProcessReader
from apdu.sam import CompleteModule, SoftwareSam
from simulator.psam import PsamProfile, SimulatedPsam
from simulator.world.plastic import Plastic, Tear
from terminal.commands.security_module import PsamSlot


class Module:
    """The module of the terminal of that number, which outlives the terminal's process.

    `psam` is the card, in use where `has_psam`; what a process knows of it ends with it (`opened`).
    """

    def __init__(
        self,
        number: int,
        random: Callable[[int], bytes],
        *,
        has_psam: bool,
        on_tear: Callable[[Tear], None],
    ) -> None:
        terminal_number = f"{number + 1:012d}"
        profile = PsamProfile(terminal_number=terminal_number)
        self.psam = Plastic(lambda: SimulatedPsam(profile, random=random), on_tear)
        self._software = SoftwareSam.development(random, terminal_number=terminal_number)
        self._has_psam = has_psam
        self._reader = InProcessReader("PSAM slot")
        self._slot: PsamSlot | None = None

    def opened(self) -> CompleteModule:
        """The module as a process that has just begun has it, which knows nothing of it yet."""
        if not self._has_psam:
            return self._software
        if self._slot is not None:
            self._slot.close()
        self.push_home()
        self._slot = PsamSlot(lambda: self._reader)
        psam = PsamCard(self._slot)
        self._slot.lost = psam.forget
        return psam

    def push_home(self) -> None:
        """Put the PSAM back where it belongs, if it has lost its contacts."""
        if self.psam.is_away:
            self.psam.enter(self._reader, lambda: None)
