"""The electronic purse's cryptography: keys, session keys, MACs and TACs (facts A1).

The purse of JR/T 0025 lives on in the transport application. Its rules are near those of the social
security card (`crypto.py`) and differ where it matters: with SM4 a session key is made of the seed
and its complement, a MAC keeps the first four bytes of the last block, and the TAC key is not
folded. Amounts are fen in four bytes, times YYYYMMDDhhmmss in seven bytes BCD, both big-endian.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from apdu.crypto import MAC_LENGTH, Algorithm, diversify, fold, mac, pad80, session_key
from apdu.status import AlgorithmNotSupported

ISSUER_LENGTH = 8
SERIAL_LENGTH = 8
_IV = bytes(16)


class PurseKind(IntEnum):
    """交易类型标识: what a purse's cryptograms and its log say was done."""

    LOAD = 0x02
    PURCHASE = 0x06
    COMPOSITE = 0x09


_ALGORITHMS = {0x00: Algorithm.DES, 0x04: Algorithm.SM4}
_IDENTIFIERS = {algorithm: number for number, algorithm in _ALGORITHMS.items()}


def purse_algorithm(identifier: int) -> Algorithm:
    """The algorithm that the answer to INITIALIZE names: 00 3DES, 04 SM4.

    Raises `AlgorithmNotSupported`.
    """
    algorithm = _ALGORITHMS.get(identifier)
    if algorithm is None:
        raise AlgorithmNotSupported(f"the purse's algorithm {identifier:02X} is not known")
    return algorithm


def algorithm_identifier(algorithm: Algorithm) -> int:
    """The byte that names `algorithm` in a purse's answers."""
    return _IDENTIFIERS[algorithm]


def purse_key(algorithm: Algorithm, root: bytes, issuer: bytes, serial: bytes) -> bytes:
    """A card's own key: `root` diversified by the issuer code (8), then the card's serial (8).

    The order of the two is inferred from the order in which gates hand them to a PSAM (facts A1).
    """
    return diversify(algorithm, diversify(algorithm, root, issuer), serial)


def purse_session_key(algorithm: Algorithm, key: bytes, seed: bytes) -> bytes:
    """The session key that an 8-byte seed makes of `key`: 8 bytes for 3DES, 16 for SM4."""
    if algorithm is Algorithm.SM4:
        return diversify(algorithm, key, seed)
    return session_key(algorithm, key, seed)


def purse_mac(algorithm: Algorithm, key: bytes, data: bytes) -> bytes:
    """The first 4 bytes of the CBC-MAC over `data` padded with 80 00..., starting from zero."""
    if algorithm is not Algorithm.SM4:
        return mac(algorithm, key, data)
    encryptor = Cipher(SM4(key), modes.CBC(_IV)).encryptor()
    last = encryptor.update(pad80(data, 16))[-16:]
    return last[:MAC_LENGTH]


def purchase_seed(random: bytes, card_sequence: bytes, terminal_sequence: bytes) -> bytes:
    """SESPK's seed: random 4, the card's offline counter 2, the last 2 of the terminal's number."""
    return random + card_sequence + terminal_sequence[-2:]


def load_seed(random: bytes, card_sequence: bytes) -> bytes:
    """SESLK's seed: random 4, the card's online counter 2, 80 00."""
    return random + card_sequence + b"\x80\x00"


@dataclass(frozen=True, slots=True)
class PursePurchase:
    """A purchase as the cryptograms take it; `terminal` is the PSAM's number, 6 bytes BCD."""

    fen: int
    kind: PurseKind
    terminal: bytes
    time: bytes

    def mac1(self, algorithm: Algorithm, session: bytes) -> bytes:
        """MAC1: the terminal proves the purchase to the card."""
        data = _amount(self.fen) + bytes((self.kind,)) + self.terminal + self.time
        return purse_mac(algorithm, session, data)

    def mac2(self, algorithm: Algorithm, session: bytes) -> bytes:
        """MAC2: the card proves the debit to the terminal."""
        return purse_mac(algorithm, session, _amount(self.fen))

    def tac(self, algorithm: Algorithm, dtk: bytes, terminal_sequence: bytes) -> bytes:
        """TAC: the card proves the purchase to the clearing house."""
        head = _amount(self.fen) + bytes((self.kind,)) + self.terminal
        return purse_tac(algorithm, dtk, head + terminal_sequence + self.time)


@dataclass(frozen=True, slots=True)
class PurseLoad:
    """A load as the cryptograms take it. `balance_fen` is the balance before; `time` the host's."""

    balance_fen: int
    fen: int
    terminal: bytes
    time: bytes = b""

    def mac1(self, algorithm: Algorithm, session: bytes) -> bytes:
        """MAC1: the card proves its balance and the request to the host."""
        data = _amount(self.balance_fen) + self._what
        return purse_mac(algorithm, session, data)

    def mac2(self, algorithm: Algorithm, session: bytes) -> bytes:
        """MAC2: the host allows the load."""
        return purse_mac(algorithm, session, self._what + self.time)

    def tac(self, algorithm: Algorithm, dtk: bytes, sequence: bytes) -> bytes:
        """TAC: the card proves the load. `sequence` is the online counter before it."""
        after = _amount(self.balance_fen + self.fen)
        return purse_tac(algorithm, dtk, after + sequence + self._what + self.time)

    @property
    def _what(self) -> bytes:
        return _amount(self.fen) + bytes((PurseKind.LOAD,)) + self.terminal


def purse_tac(algorithm: Algorithm, dtk: bytes, data: bytes) -> bytes:
    """A TAC over `data`: 3DES folds the 16-byte key into 8 bytes first, SM4 takes it as it is."""
    return purse_mac(algorithm, fold(dtk, 8) if algorithm is Algorithm.DES else dtk, data)


def _amount(fen: int) -> bytes:
    return fen.to_bytes(4, "big")
