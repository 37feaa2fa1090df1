"""The transport purse's money: composite purchase, plain purchase, load, proof (facts A1).

INITIALIZE begins, DEBIT or CREDIT ends. Records of a composite purchase wait in the card until the
debit writes them together with balance, counter, proof and log, in one commit: a power cut leaves
all of it or nothing. The counter that is logged and that can be proved is the one after the debit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hmac import compare_digest
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from apdu.crypto import Algorithm
from apdu.purse import (
    PurseKind,
    PurseLoad,
    PursePurchase,
    algorithm_identifier,
    load_seed,
    purchase_seed,
    purse_session_key,
)
from apdu.status import StatusWord
from simulator.card.files import CyclicFile
from simulator.card.instruction import Instruction
from simulator.card.memory import Change, Memory
from simulator.card.refusal import Refused, wrong_length, wrong_parameters

if TYPE_CHECKING:
    from simulator.card.files import Handler
    from simulator.card.operating_system import OperatingSystem

_PURSE = 0x02
_LOAD, _PURCHASE, _COMPOSITE = 0x00, 0x01, 0x03
_WITH_OVERDRAFT, _OVERDRAFT, _WITHOUT_OVERDRAFT = 0x00, 0x01, 0x03
_BY_TAG, _BY_NUMBER = 0x00, 0x04
_KEY_VERSION = 1
_COUNTER_MAX = 0xFFFF
_BALANCE_MAX = 0x7FFFFFFF
_STATE = Struct(">IIHHBH4s4s")


class PurseState(NamedTuple):
    """What the purse remembers: money in fen, both counters, the last cryptograms."""

    balance: int
    overdraft: int
    offline: int = 0
    online: int = 0
    kind: int = 0
    proved: int = 0
    mac: bytes = bytes(4)
    tac: bytes = bytes(4)


@dataclass(frozen=True, slots=True)
class PurseKeys:
    """The card's own keys, and the algorithm that they are for."""

    algorithm: Algorithm
    purchase: bytes = field(repr=False)
    load: bytes = field(repr=False)
    tac: bytes = field(repr=False)


@dataclass(slots=True)
class PendingFare:
    """A transaction between INITIALIZE and its end; `records` are those of a composite one."""

    transaction: PursePurchase | PurseLoad
    random: bytes
    records: dict[int, bytes] | None = None


class Purse:
    """The purse in the card's memory, and its commands."""

    def __init__(
        self,
        memory: Memory,
        keys: PurseKeys,
        *,
        log: CyclicFile,
        balance_fen: int,
        overdraft_limit_fen: int,
        overdraft_used_fen: int,
    ) -> None:
        self._memory = memory
        self._keys = keys
        self._log = log
        self._limit = overdraft_limit_fen
        self._at = memory.allocate(_STATE.pack(*PurseState(balance_fen, overdraft_used_fen)))

    def commands(self) -> Mapping[tuple[int, int], Handler]:
        """Class and instruction of each command, and what carries it out."""
        return {
            (0x80, 0x50): self.initialize,
            (0x80, 0x52): self.credit,
            (0x80, 0x54): self.debit,
            (0x80, 0x5A): self.prove,
            (0x80, 0x5C): self.get_balance,
            (0x80, 0xDC): self.cache_record,
        }

    def get_balance(self, _system: OperatingSystem, instruction: Instruction) -> bytes:
        """80 5C: P1 0 with what may still be overdrawn, 1 the overdraft used, 3 without either."""
        if instruction.p2 != _PURSE:
            raise wrong_parameters()
        if instruction.data or instruction.le is None:
            raise wrong_length()
        state = self._state()
        answers = {
            _WITH_OVERDRAFT: self._available(state),
            _OVERDRAFT: state.overdraft,
            _WITHOUT_OVERDRAFT: state.balance,
        }
        if instruction.p1 not in answers:
            raise Refused(StatusWord.WRONG_P1_P2)
        return _amount(answers[instruction.p1])

    def initialize(self, system: OperatingSystem, instruction: Instruction) -> bytes:
        """80 50: begin a load (P1 0), a purchase (1) or a composite purchase (3).

        Data: key index 1, amount 4, terminal 6.
        """
        system.session.pending = None
        if instruction.p2 != _PURSE or instruction.p1 not in (_LOAD, _PURCHASE, _COMPOSITE):
            raise wrong_parameters()
        if len(instruction.data) != 11:
            raise wrong_length()
        if instruction.data[0] != _KEY_VERSION:
            raise Refused(StatusWord.KEY_INDEX_NOT_SUPPORTED)
        fen, terminal = int.from_bytes(instruction.data[1:5], "big"), instruction.data[5:]
        if instruction.p1 == _LOAD:
            return self._begin_load(system, fen, terminal)
        return self._begin_purchase(system, fen, terminal, composite=instruction.p1 == _COMPOSITE)

    def cache_record(self, system: OperatingSystem, instruction: Instruction) -> bytes:
        """80 DC: hold a record for the composite purchase that was begun.

        P2 names the file; P1 the record by its number, or by its first byte.
        """
        pending = system.session.pending
        if not isinstance(pending, PendingFare) or pending.records is None:
            raise Refused(StatusWord.WRONG_STATE)
        sfi, mode, record = instruction.p2 >> 3, instruction.p2 & 7, instruction.data
        file = system.session.directory.by_sfi.get(sfi)
        if mode not in (_BY_TAG, _BY_NUMBER):
            raise wrong_parameters()
        if not isinstance(file, CyclicFile) or file is self._log:
            raise Refused(StatusWord.FILE_NOT_FOUND)
        found = instruction.p1 <= file.capacity if mode else instruction.p1 == record[:1][0]
        if not record or not found:
            raise Refused(StatusWord.RECORD_NOT_FOUND)
        if len(record) != file.row_length:
            raise Refused(StatusWord.NO_SPACE)
        pending.records[sfi] = record
        return b""

    def debit(self, system: OperatingSystem, instruction: Instruction) -> bytes:
        """80 54 01 00: terminal's number 4, time 7, MAC1 4. Answers TAC, MAC2."""
        pending = _taken(system)
        purchase = pending.transaction
        if not isinstance(purchase, PursePurchase):
            raise Refused(StatusWord.WRONG_STATE)
        _check_form(instruction, 0x01, 15)
        number, time, mac1 = (instruction.data[a:b] for a, b in ((0, 4), (4, 11), (11, 15)))
        old, algorithm = self._state(), self._keys.algorithm
        purchase = replace(purchase, time=time)
        seed = purchase_seed(pending.random, old.offline.to_bytes(2, "big"), number)
        session = purse_session_key(algorithm, self._keys.purchase, seed)
        if not compare_digest(purchase.mac1(algorithm, session), mac1):
            raise Refused(StatusWord.MAC_INVALID)
        mac2 = purchase.mac2(algorithm, session)
        tac = purchase.tac(algorithm, self._keys.tac, number)
        own = min(old.balance, purchase.fen)
        new = old._replace(
            balance=old.balance - own,
            overdraft=old.overdraft + purchase.fen - own,
            offline=old.offline + 1,
            kind=purchase.kind,
            proved=old.offline + 1,
            mac=mac2,
            tac=tac,
        )
        self._commit(system, new, purchase, time, pending.records or {})
        return tac + mac2

    def credit(self, system: OperatingSystem, instruction: Instruction) -> bytes:
        """80 52 00 00: host's time 7, MAC2 4. Answers TAC."""
        pending = _taken(system)
        load = pending.transaction
        if not isinstance(load, PurseLoad):
            raise Refused(StatusWord.WRONG_STATE)
        _check_form(instruction, 0x00, 11)
        old, algorithm = self._state(), self._keys.algorithm
        load = replace(load, time=instruction.data[:7])
        sequence = old.online.to_bytes(2, "big")
        session = purse_session_key(algorithm, self._keys.load, load_seed(pending.random, sequence))
        mac2 = instruction.data[7:]
        if not compare_digest(load.mac2(algorithm, session), mac2):
            raise Refused(StatusWord.MAC_INVALID)
        tac = load.tac(algorithm, self._keys.tac, sequence)
        # A load first pays back what was overdrawn.
        repaid = min(old.overdraft, load.fen)
        new = old._replace(
            balance=old.balance + load.fen - repaid,
            overdraft=old.overdraft - repaid,
            online=old.online + 1,
            kind=PurseKind.LOAD,
            proved=old.online,
            mac=mac2,
            tac=tac,
        )
        self._commit(system, new, load, load.time, {})
        return tac

    def prove(self, _system: OperatingSystem, instruction: Instruction) -> bytes:
        """80 5A 00 kind, counter 2: MAC and TAC of the last transaction, if it was this one."""
        if instruction.p1:
            raise wrong_parameters()
        if len(instruction.data) != 2:
            raise wrong_length()
        state = self._state()
        asked = instruction.p2, int.from_bytes(instruction.data, "big")
        if not state.kind or asked != (state.kind, state.proved):
            raise Refused(StatusWord.PROOF_NOT_AVAILABLE)
        return state.mac + state.tac

    def _begin_purchase(
        self, system: OperatingSystem, fen: int, terminal: bytes, *, composite: bool
    ) -> bytes:
        """Answers balance 4, counter 2, overdraft limit 3, key version, algorithm, random 4."""
        state = self._state()
        if state.offline == _COUNTER_MAX:
            raise Refused(StatusWord.COUNTER_AT_MAXIMUM)
        if fen > self._available(state):
            raise Refused(StatusWord.INSUFFICIENT_BALANCE)
        random = system.random(4)
        kind = PurseKind.COMPOSITE if composite else PurseKind.PURCHASE
        purchase = PursePurchase(fen, kind, terminal, b"")
        system.session.pending = PendingFare(purchase, random, {} if composite else None)
        limit = self._limit.to_bytes(3, "big")
        head = _amount(state.balance) + state.offline.to_bytes(2, "big") + limit
        return head + self._key_info() + random

    def _begin_load(self, system: OperatingSystem, fen: int, terminal: bytes) -> bytes:
        """Answers balance 4, counter 2, key version, algorithm, random 4, MAC1 4."""
        state, algorithm = self._state(), self._keys.algorithm
        if state.online == _COUNTER_MAX:
            raise Refused(StatusWord.COUNTER_AT_MAXIMUM)
        if state.balance + fen > _BALANCE_MAX:
            raise Refused(StatusWord.CONDITIONS_NOT_SATISFIED)
        random = system.random(4)
        sequence = state.online.to_bytes(2, "big")
        load = PurseLoad(state.balance, fen, terminal)
        session = purse_session_key(algorithm, self._keys.load, load_seed(random, sequence))
        system.session.pending = PendingFare(load, random)
        head = _amount(state.balance) + sequence + self._key_info() + random
        return head + load.mac1(algorithm, session)

    def _commit(
        self,
        system: OperatingSystem,
        new: PurseState,
        done: PursePurchase | PurseLoad,
        time: bytes,
        records: Mapping[int, bytes],
    ) -> None:
        """Write money, log and records: all of them or none."""
        sequence = new.proved.to_bytes(2, "big")
        row = sequence + new.overdraft.to_bytes(3, "big") + _amount(done.fen)
        row += bytes((new.kind,)) + done.terminal + time
        changes: list[Change] = [(self._at, _STATE.pack(*new)), *self._log.appended(row)]
        for sfi, record in records.items():
            file = system.session.directory.by_sfi[sfi]
            assert isinstance(file, CyclicFile)  # noqa: S101  # looked at when it was handed over
            changes += file.appended(record)
        self._memory.commit(changes)

    def _state(self) -> PurseState:
        return PurseState(*_STATE.unpack(self._memory.read(self._at, _STATE.size)))

    def _available(self, state: PurseState) -> int:
        return state.balance + self._limit - state.overdraft

    def _key_info(self) -> bytes:
        return bytes((_KEY_VERSION, algorithm_identifier(self._keys.algorithm)))


def _taken(system: OperatingSystem) -> PendingFare:
    """The transaction begun, which is over with this, whatever comes of it."""
    pending, system.session.pending = system.session.pending, None
    if not isinstance(pending, PendingFare):
        raise Refused(StatusWord.WRONG_STATE)
    return pending


def _check_form(instruction: Instruction, p1: int, length: int) -> None:
    if (instruction.p1, instruction.p2) != (p1, 0):
        raise wrong_parameters()
    if len(instruction.data) != length:
        raise wrong_length()


def _amount(fen: int) -> bytes:
    return fen.to_bytes(4, "big")
