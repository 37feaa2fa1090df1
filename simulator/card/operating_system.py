"""The card operating system: its state, who may do what, and the table of its commands.

Facts 4 and 5. A handler takes the operating system and an `Instruction`, and returns the answer's
data or raises `Refused`. Which part of the data travels, and how, is the transmission's affair
(`card.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from apdu.crypto import Algorithm, session_key
from apdu.ssc.filespec import Access, Rule
from apdu.ssc.keys import KeyName
from apdu.status import StatusWord
from simulator.card import account, authentication, binary, blocking, pin, records, secure, select
from simulator.card.files import Directory, Handler
from simulator.card.instruction import Instruction
from simulator.card.keys import CardKey, Keyring
from simulator.card.ledger import Ledger
from simulator.card.memory import Memory
from simulator.card.pin_store import PinStore
from simulator.card.refusal import Refused
from simulator.card.session import Session

COMMANDS: Mapping[tuple[int, int], Handler] = {
    (0x00, 0x20): pin.verify,
    (0x00, 0x82): authentication.external_authenticate,
    (0x00, 0x84): authentication.get_challenge,
    (0x00, 0x88): authentication.internal_authenticate,
    (0x00, 0xA4): select.select,
    (0x00, 0xB0): binary.read_binary,
    (0x00, 0xB2): records.read_record,
    (0x00, 0xD6): binary.update_binary,
    (0x00, 0xDC): records.update_record,
    (0x04, 0xD6): secure.update_binary,
    (0x04, 0xDC): secure.update_record,
    (0x80, 0x5E): pin.change_pin,
    (0x84, 0x16): blocking.block_card,
    (0x84, 0x1E): blocking.block_application,
    (0x84, 0x24): pin.unblock_or_reload,
    (0xB0, 0x26): account.get_balance,
    (0xB0, 0x28): account.initialize,
    (0xB0, 0x2A): account.credit_for_load,
    (0xB0, 0x2C): account.debit_for_purchase,
    (0xB0, 0x2E): account.get_transaction_proof,
    (0xB0, 0x56): account.starting_day,
}
_CLASSES = {cla for cla, _ in COMMANDS}
_INSTRUCTIONS = {ins for _, ins in COMMANDS}
_SELECT = 0xA4
# What any application on the same card understands; keys, PIN and account are SSSE's.
_EVERYWHERE = {
    authentication.get_challenge,
    binary.read_binary,
    records.read_record,
    select.select,
}


class OperatingSystem:
    """One personalised card, as `personalise.py` puts it together.

    `random` gives the challenges. `begin` must be called at every power-up before commands.
    """

    def __init__(
        self,
        *,
        memory: Memory,
        master_file: Directory,
        keys: Keyring,
        pin: PinStore,
        ledger: Ledger,
        algorithm: Algorithm,
        random: Callable[[int], bytes],
    ) -> None:
        self.memory = memory
        self.master_file = master_file
        self.keys = keys
        self.pin = pin
        self.ledger = ledger
        self.algorithm = algorithm
        self.random = random
        self.session = Session(master_file)
        self._card_blocked_at = memory.allocate(b"\x00")
        self._stopped: int | None = None

    def begin(self) -> None:
        """Finish or undo what a power cut interrupted, and forget everything volatile."""
        self.memory.restore()
        self.session = Session(self.master_file)
        self.look_for_blocks()

    def execute(self, instruction: Instruction) -> bytes:
        """Carry out one command and return its answer's data. Raises `Refused`, `PowerLost`."""
        if self._stopped is not None and (
            self._stopped != StatusWord.APPLICATION_LOCKED or instruction.ins != _SELECT
        ):
            raise Refused(self._stopped)
        directory = self.session.directory
        command = instruction.cla, instruction.ins
        if command in directory.commands:
            return directory.commands[command](self, instruction)
        handler = COMMANDS.get(command)
        if handler is None:
            raise Refused(_unknown(instruction))
        if not directory.label and handler not in _EVERYWHERE:
            raise Refused(StatusWord.INS_NOT_SUPPORTED)
        return handler(self, instruction)

    def look_for_blocks(self) -> None:
        """Note what every command is answered with where card or application are blocked."""
        if self.memory.byte(self._card_blocked_at):
            self._stopped = StatusWord.NOT_SUPPORTED_OR_LOCKED
        elif self.session.directory.is_blocked:
            self._stopped = StatusWord.APPLICATION_LOCKED
        else:
            self._stopped = None

    def block(self) -> None:
        """Stop the whole card for good."""
        self.memory.commit([(self._card_blocked_at, b"\x01")])
        self.look_for_blocks()

    def require(self, access: Access) -> None:
        """Raise 6982 unless the session's state satisfies `access` (facts 3.5)."""
        if access.rule is Rule.FREE:
            return
        by_pin = self.session.pin_verified
        by_key = access.key is not None and self.is_granted(access.key)
        if not _satisfied(access.rule, by_pin, by_key):
            raise Refused(StatusWord.SECURITY_STATUS_NOT_SATISFIED)

    def is_granted(self, key: KeyName) -> bool:
        """Whether the terminal has authenticated with `key` since it entered the application."""
        number = self.keys.number(key)
        return number is not None and (key.spec.df, number) in self.session.granted

    def take_challenge(self) -> bytes:
        """The last GET CHALLENGE, which is used up by this. Raises 6984 when there is none."""
        challenge = self.session.challenge
        if challenge is None:
            raise Refused(StatusWord.NO_CHALLENGE)
        self.session.challenge = None
        return challenge

    def session_key(self, key: CardKey, factor: bytes) -> bytes:
        """The session key of `key` for `factor`, of which one block counts (facts 4.4)."""
        return session_key(self.algorithm, key.value, factor[: self.algorithm.block_size])


def _unknown(instruction: Instruction) -> StatusWord:
    """6D00 for an instruction that no class has, 6E00 for a class that is wrong for it."""
    if instruction.cla in _CLASSES and instruction.ins not in _INSTRUCTIONS:
        return StatusWord.INS_NOT_SUPPORTED
    return StatusWord.CLA_NOT_SUPPORTED


def _satisfied(rule: Rule, by_pin: bool, by_key: bool) -> bool:
    if rule is Rule.PIN:
        return by_pin
    if rule is Rule.KEY:
        return by_key
    if rule is Rule.PIN_OR_KEY:
        return by_pin or by_key
    return rule is Rule.PIN_AND_KEY and by_pin and by_key
