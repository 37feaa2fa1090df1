"""The PSAM's operating system: its applications, its volatile state, the table of its commands.

Facts 4.5. As in the simulated card, a handler takes the operating system and an `Instruction` and
returns the answer's data or raises `Refused`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from apdu.crypto import Algorithm
from apdu.status import StatusWord
from simulator.card.files import Directory, ElementaryFile, TransparentFile
from simulator.card.instruction import Instruction
from simulator.card.memory import Memory
from simulator.card.refusal import Refused
from simulator.psam_card import ciphering, files, purchases
from simulator.psam_card.keys import PsamKey

Handler = Callable[["PsamSystem", Instruction], bytes]

COMMANDS: Mapping[tuple[int, int], Handler] = {
    (0x00, 0x84): files.get_challenge,
    (0x00, 0xA4): files.select,
    (0x00, 0xB0): files.read_binary,
    (0x80, 0x70): purchases.init_sam_for_purchase,
    (0x80, 0x72): purchases.credit_sam_for_purchase,
    (0x80, 0xFA): ciphering.cipher_data,
    (0xBF, 0xDE): ciphering.delivery_session_key,
    (0xBF, 0xEC): ciphering.initialize_environment,
}
_CLASSES = {cla for cla, _ in COMMANDS}
_INSTRUCTIONS = {ins for _, ins in COMMANDS}


@dataclass(frozen=True, slots=True)
class Application:
    """The social security application of one environment.

    `algorithm` is what its keys are for, `engine` what computes in its place (SSF33 is not public,
    so SM4 stands in). `counter` is the file 0019, the PSAM's transaction counter.
    """

    algorithm: Algorithm
    engine: Algorithm
    keys: Mapping[tuple[int, int], PsamKey] = field(repr=False)
    counter: TransparentFile


@dataclass(slots=True)
class PsamSession:
    """What a powered PSAM remembers. Selecting an application forgets all but the selection."""

    directory: Directory
    file: ElementaryFile | None = None
    province: int | None = None
    key: ciphering.SessionKey | None = None
    expected_mac2: bytes | None = field(default=None, repr=False)


class PsamSystem:
    """One PSAM. `begin` must be called at every power-up before commands.

    `applications` are found by the label of their directory. With `wants_province`, keys are
    refused until INITIALIZE ENVIRONMENT has named the card's province.
    """

    def __init__(
        self,
        *,
        memory: Memory,
        master_file: Directory,
        applications: Mapping[str, Application],
        terminal_number: bytes,
        wants_province: bool,
        random: Callable[[int], bytes],
    ) -> None:
        self.memory = memory
        self.master_file = master_file
        self.terminal_number = terminal_number
        self.wants_province = wants_province
        self.random = random
        self.session = PsamSession(master_file)
        self._applications = applications

    def begin(self) -> None:
        """Finish or undo what a power cut interrupted, and forget everything volatile."""
        self.memory.restore()
        self.session = PsamSession(self.master_file)

    def execute(self, instruction: Instruction) -> bytes:
        """Carry out one command and return its answer's data. Raises `Refused`, `PowerLost`."""
        handler = COMMANDS.get((instruction.cla, instruction.ins))
        if handler is None:
            known_class = instruction.cla in _CLASSES and instruction.ins not in _INSTRUCTIONS
            raise Refused(
                StatusWord.INS_NOT_SUPPORTED if known_class else StatusWord.CLA_NOT_SUPPORTED
            )
        return handler(self, instruction)

    @property
    def application(self) -> Application:
        """The application selected. Raises 6985 when none is."""
        application = self._applications.get(self.session.directory.label)
        if application is None:
            raise Refused(StatusWord.CONDITIONS_NOT_SATISFIED)
        return application

    def require_province(self) -> None:
        """Raise 6985 when this PSAM wants the card's province and has not been told it."""
        if self.wants_province and self.session.province is None:
            raise Refused(StatusWord.CONDITIONS_NOT_SATISFIED)
