"""A simulated transport PSAM: a gate's security module, its number and counter (facts A2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hmac import compare_digest

from apdu.crypto import MAC_LENGTH
from apdu.purse import (
    PurseKind,
    PursePurchase,
    purchase_seed,
    purse_algorithm,
    purse_key,
    purse_session_key,
)
from apdu.ssc.filespec import FREE, NEVER
from apdu.status import AlgorithmNotSupported, StatusWord
from apdu.transit_sam import APPLICATION, DEVELOPMENT_PURCHASE_KEY
from simulator.card.fci import name_only
from simulator.card.files import Directory, TransparentFile
from simulator.card.instruction import Instruction
from simulator.card.memory import Memory
from simulator.card.refusal import Refused, wrong_length, wrong_parameters
from simulator.psam_card import files
from simulator.psam_card.chip import PsamChip
from simulator.psam_card.operating_system import PsamSession

ATR = bytes.fromhex("3B6D00000081544C0086849801000000A0")
_MASTER_FILE, _APPLICATION_FID = 0x3F00, 0x1001
_REQUEST_LENGTH = 36
_COUNTER_LENGTH = 4
_COUNTER_MAX = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class TransitPsamProfile:
    """What it is issued with: terminal number (12 digits), purchase key, next transaction number.

    `key_version` is the index of the purchase key, as the file 0017 tells it.
    """

    terminal_number: str = "990100000001"
    purchase_key: bytes = field(default=DEVELOPMENT_PURCHASE_KEY, repr=False)
    counter: int = 1
    key_version: int = 1


class SimulatedTransitPsam(PsamChip):
    """A transport PSAM in software; implements `apdu.readers.inprocess.Chip`.

    `random` gives its challenges.
    """

    def __init__(
        self, profile: TransitPsamProfile | None = None, *, random: Callable[[int], bytes]
    ) -> None:
        super().__init__(TransitPsamSystem(profile or TransitPsamProfile(), random), ATR)


class TransitPsamSystem:
    """Its operating system: files, and the two commands of a purchase."""

    def __init__(self, profile: TransitPsamProfile, random: Callable[[int], bytes]) -> None:
        self.memory = Memory()
        self.random = random
        self._terminal = bytes.fromhex(profile.terminal_number)
        self._key = profile.purchase_key
        self._version = profile.key_version
        self._counter_at = self.memory.allocate(profile.counter.to_bytes(_COUNTER_LENGTH, "big"))
        self.master_file = self._directory("", _MASTER_FILE, b"")
        application = self._directory("CPTSAM", _APPLICATION_FID, APPLICATION)
        terminal = self._file(0x0016, self._terminal)
        application.add(terminal, self._file(0x0017, bytes((self._version,)) + bytes(24)))
        self.master_file.add(self._file(0x0016, self._terminal), application)
        self.session = PsamSession(self.master_file)
        self._commands: Mapping[tuple[int, int], Callable[[Instruction], bytes]] = {
            (0x00, 0x84): self._challenge,
            (0x00, 0xA4): lambda instruction: files.select(self, instruction),
            (0x00, 0xB0): lambda instruction: files.read_binary(self, instruction),
            (0x80, 0x70): self._init_for_purchase,
            (0x80, 0x72): self._credit_for_purchase,
        }

    def begin(self) -> None:
        """Finish or undo what a power cut interrupted, and forget everything volatile."""
        self.memory.restore()
        self.session = PsamSession(self.master_file)

    def execute(self, instruction: Instruction) -> bytes:
        """Carry out one command and return its answer's data. Raises `Refused`, `PowerLost`."""
        command = self._commands.get((instruction.cla, instruction.ins))
        if command is None:
            known = any(instruction.ins == ins for _, ins in self._commands)
            unknown = StatusWord.CLA_NOT_SUPPORTED if known else StatusWord.INS_NOT_SUPPORTED
            raise Refused(unknown)
        return command(instruction)

    def _init_for_purchase(self, instruction: Instruction) -> bytes:
        """80 70 00 00: answers the transaction number 4 and MAC1 4.

        Data: random 4, counter 2, amount 4, kind 1, time 7, key version 1, algorithm 1, serial 8,
        issuer 8. The number moves on before anything is answered, so it is never used twice.
        """
        if self.session.directory.label != "CPTSAM":
            raise Refused(StatusWord.CONDITIONS_NOT_SATISFIED)
        if instruction.p1 or instruction.p2:
            raise wrong_parameters()
        data = instruction.data
        if len(data) != _REQUEST_LENGTH:
            raise wrong_length()
        self.session.expected_mac2 = None
        purchase = self._purchase(data)
        if data[18] != self._version:
            raise Refused(StatusWord.KEY_INDEX_NOT_SUPPORTED)
        try:
            algorithm = purse_algorithm(data[19])
        except AlgorithmNotSupported:
            raise Refused(StatusWord.WRONG_DATA) from None
        number = self._next_number()
        key = purse_key(algorithm, self._key, data[28:36], data[20:28])
        session = purse_session_key(algorithm, key, purchase_seed(data[:4], data[4:6], number))
        self.session.expected_mac2 = purchase.mac2(algorithm, session)
        return number + purchase.mac1(algorithm, session)

    def _credit_for_purchase(self, instruction: Instruction) -> bytes:
        """80 72 00 00: the card's MAC2. 6985 when no purchase was begun, 9302 when it is wrong."""
        if instruction.p1 or instruction.p2:
            raise wrong_parameters()
        if len(instruction.data) != MAC_LENGTH:
            raise wrong_length()
        expected, self.session.expected_mac2 = self.session.expected_mac2, None
        if expected is None:
            raise Refused(StatusWord.CONDITIONS_NOT_SATISFIED)
        if not compare_digest(expected, instruction.data):
            raise Refused(StatusWord.MAC_INVALID)
        return b""

    def _challenge(self, instruction: Instruction) -> bytes:
        if instruction.p1 or instruction.p2:
            raise wrong_parameters()
        if instruction.data or instruction.le not in (4, 8):
            raise wrong_length()
        return self.random(instruction.le)

    def _purchase(self, data: bytes) -> PursePurchase:
        try:
            kind = PurseKind(data[10])
        except ValueError:
            raise Refused(StatusWord.WRONG_DATA) from None
        return PursePurchase(int.from_bytes(data[6:10], "big"), kind, self._terminal, data[11:18])

    def _next_number(self) -> bytes:
        number = self.memory.read(self._counter_at, _COUNTER_LENGTH)
        value = int.from_bytes(number, "big")
        if value == _COUNTER_MAX:
            raise Refused(StatusWord.COUNTER_AT_MAXIMUM)
        following = (value + 1).to_bytes(_COUNTER_LENGTH, "big")
        self.memory.commit([(self._counter_at, following)])
        return number

    def _directory(self, label: str, fid: int, name: bytes) -> Directory:
        return Directory(label, fid, name, name_only(name), self.memory)

    def _file(self, fid: int, content: bytes) -> TransparentFile:
        return TransparentFile(fid, FREE, NEVER, self.memory, content)
