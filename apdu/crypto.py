"""The card's cryptography: key diversification, session keys, authentication data, MACs.

Follows facts 4.3 (diversification), 4.4 (session keys, MAC, encryption) and 5.1 (medical
account). Two families share every rule: 8-byte blocks (DES and 3DES) and 16-byte blocks (SM4).
SSF33 is not public; every function refuses it with `AlgorithmNotSupported`.

Keys are plain `bytes`. No cipher is cached: setting one up costs about two microseconds, and a
cache would keep key material alive after the card has gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from apdu.command import Command
from apdu.status import AlgorithmNotSupported

MAC_LENGTH = 4


class Algorithm(IntEnum):
    """A card's algorithm, with the value its FCI gives in 9F0C/86 (facts 2)."""

    DES = 1
    SSF33 = 2
    SM4 = 3

    @property
    def block_size(self) -> int:
        """Bytes in one cipher block, which is also the length of a session key."""
        return 8 if self is Algorithm.DES else 16


@dataclass(frozen=True, slots=True)
class Factors:
    """The 8-byte diversification factors of province, city and card (facts 4.3)."""

    level1: bytes
    level2: bytes
    level3: bytes


def region_factors(region: str, historical: bytes) -> Factors:
    """The factors for a card of `region` (six digits) with these 13 historical bytes.

    Facts 4.3: the digits enter as ASCII; regions that start with "33" use only four of them at
    city level. Raises `ValueError` for arguments of another form.
    """
    if len(region) != 6 or not (region.isascii() and region.isdigit()):
        raise ValueError("a region code has six digits")
    if len(historical) != 13:
        raise ValueError("a card has 13 historical bytes")
    city = region[:4] + "00" if region.startswith("33") else region
    return Factors(
        level1=region[:2].encode() + b"0000sh",
        level2=city.encode() + b"sx",
        level3=historical[5:],
    )


def diversify(algorithm: Algorithm, key: bytes, factor: bytes) -> bytes:
    """One level of diversification by an 8-byte factor; the child is as long as `key` (facts 4.3).

    An 8-byte DES key gives E(K, F), a 16-byte one E(K, F) and E(K, not F), SM4 E(K, F, not F).
    """
    inverted = bytes(byte ^ 0xFF for byte in factor)
    return encrypt_blocks(algorithm, key, (factor + inverted)[: len(key)])


def card_key(algorithm: Algorithm, root: bytes, region: str, historical: bytes) -> bytes:
    """The card's own key, three levels below the national root key (facts 4.3)."""
    factors = region_factors(region, historical)
    province = diversify(algorithm, root, factors.level1)
    city = diversify(algorithm, province, factors.level2)
    return diversify(algorithm, city, factors.level3)


def session_key(algorithm: Algorithm, key: bytes, random: bytes) -> bytes:
    """The session key that `random` (4 to 8 bytes, 16 at most for SM4) makes of `key`.

    Facts 4.4: shorter values are padded on the right with 00 to one block.
    """
    return encrypt_blocks(algorithm, key, random.ljust(algorithm.block_size, b"\x00"))


def auth_data(algorithm: Algorithm, session: bytes, original: bytes) -> bytes:
    """The 8-byte authentication cryptogram over 8 bytes of original data (facts 4.4)."""
    block = encrypt_blocks(algorithm, session, original.ljust(algorithm.block_size, b"\x00"))
    return block if len(block) == 8 else fold(block, 8)


def mac(algorithm: Algorithm, session: bytes, data: bytes, iv: bytes = b"") -> bytes:
    """The 4-byte MAC over `data` (facts 4.4).

    CBC over the data padded with 80 00...; `iv` is padded with 00 to a block, and zero when left
    out. DES keeps the left four bytes of the last block, the 16-byte algorithms the exclusive-or
    of its four words.
    """
    cbc = modes.CBC(iv.ljust(algorithm.block_size, b"\x00"))
    encryptor = Cipher(_block_cipher(algorithm, session), cbc).encryptor()
    last = encryptor.update(pad80(data, algorithm.block_size))[-algorithm.block_size :]
    return last[:MAC_LENGTH] if len(last) == 8 else fold(last, MAC_LENGTH)


def encrypt_data(algorithm: Algorithm, session: bytes, data: bytes) -> bytes:
    """Command data enciphered: length byte and data, padded only where needed, ECB (facts 4.4)."""
    return encrypt_blocks(algorithm, session, block_data(algorithm, data))


def block_data(algorithm: Algorithm, data: bytes) -> bytes:
    """Command data ready to be enciphered: length byte, data, padding where needed (facts 4.4)."""
    block = bytes((len(data),)) + data
    return pad80(block, algorithm.block_size) if len(block) % algorithm.block_size else block


def decrypt_data(algorithm: Algorithm, session: bytes, cipher: bytes) -> bytes:
    """The data that `encrypt_data` enciphered: what a card does on receipt.

    Raises `ValueError` when the length byte or the padding does not fit.
    """
    if not cipher or len(cipher) % algorithm.block_size:
        raise ValueError("enciphered data are not whole blocks")
    decryptor = Cipher(_block_cipher(algorithm, session), modes.ECB()).decryptor()  # noqa: S305  # the card's own rule
    plain = decryptor.update(cipher)
    data, padding = plain[1 : 1 + plain[0]], plain[1 + plain[0] :]
    if len(data) != plain[0] or (padding and padding != pad80(b"", len(padding))):
        raise ValueError("enciphered data have a wrong length byte or padding")
    return data


def command_mac(algorithm: Algorithm, session: bytes, header: bytes, data: bytes = b"") -> bytes:
    """The MAC over a command: CLA INS P1 P2, Lc including the MAC, data (facts 4.4)."""
    lc = bytes((len(data) + MAC_LENGTH,))
    return mac(algorithm, session, header + lc + data)


def secured_command(
    algorithm: Algorithm,
    session: bytes,
    header: bytes,
    data: bytes = b"",
    *,
    encipher: bool = False,
) -> Command:
    """A command with its MAC, and with its data enciphered first when `encipher` asks for it.

    `header` is CLA INS P1 P2. PIN RELOAD is 84 24 00 01 with the PIN enciphered, PIN UNBLOCK
    84 24 00 00 and APPLICATION BLOCK 84 1E 00 01 without data (facts 5).
    """
    if encipher:
        data = encrypt_data(algorithm, session, data)
    cla, ins, p1, p2 = header
    return Command(cla, ins, p1, p2, data + command_mac(algorithm, session, header, data))


def tac(algorithm: Algorithm, dtk: bytes, data: bytes) -> bytes:
    """The 4-byte transaction cryptogram over `data` with the card's DTK (facts 4.4).

    A DES card folds its 16-byte key, left half exclusive-or right half, into a single-DES key.
    """
    key = fold(dtk, 8) if algorithm is Algorithm.DES and len(dtk) == 16 else dtk
    return mac(algorithm, key, data)


# Medical account (facts 5.1). Amounts are big-endian binary fen in four bytes; header bytes are
# not part of these MACs.


@dataclass(frozen=True, slots=True)
class Purchase:
    """The fields of one purchase, in the order in which the cryptograms take them.

    `account`, `self_pay` and `fund` are fen, `terminal` the terminal number (6 bytes BCD), `time`
    YYYYMMDDhhmmss (7 bytes BCD), `kind` the type byte in ASCII (32: settlement).
    """

    account: int
    self_pay: int
    fund: int
    terminal: bytes
    time: bytes
    kind: bytes = b"2"

    @property
    def amounts(self) -> bytes:
        """The three amounts as the commands carry them."""
        return b"".join(_amount(fen) for fen in (self.account, self.self_pay, self.fund))

    def mac1(self, algorithm: Algorithm, session: bytes) -> bytes:
        """MAC1: the security module proves the purchase to the card."""
        return mac(algorithm, session, self.amounts + self.kind + self.terminal + self.time)

    def mac2(self, algorithm: Algorithm, session: bytes) -> bytes:
        """MAC2: the card proves the debit to the security module."""
        return mac(algorithm, session, self.amounts)

    def tac(self, algorithm: Algorithm, dtk: bytes, psam_sequence: bytes) -> bytes:
        """TAC: the card proves the purchase to the back office. `psam_sequence` is 4 bytes."""
        return tac(algorithm, dtk, self.tac_fields(psam_sequence))

    def tac_fields(self, psam_sequence: bytes) -> bytes:
        """What the TAC is computed over."""
        return self.amounts + self.kind + self.terminal + psam_sequence + self.time


def purchase_session_key(
    algorithm: Algorithm, dpk: bytes, random: bytes, card_sequence: bytes, psam_sequence: bytes
) -> bytes:
    """SESPK: of DPK with the card's random (4), its counter (2) and the PSAM's counter's last 2."""
    return session_key(algorithm, dpk, random + card_sequence + psam_sequence[-2:])


@dataclass(frozen=True, slots=True)
class Load:
    """The fields of one load of the medical account; units and encodings as in `Purchase`.

    `balance` is the balance before the load, `kind` is 31.
    """

    balance: int
    amount: int
    terminal: bytes
    time: bytes
    kind: bytes = b"1"

    def mac1(self, algorithm: Algorithm, session: bytes) -> bytes:
        """MAC1: the card proves its balance and the request to the host."""
        return mac(algorithm, session, self.mac1_fields)

    def mac2(self, algorithm: Algorithm, session: bytes) -> bytes:
        """MAC2: the host allows the load."""
        return mac(algorithm, session, self.mac2_fields)

    def tac(self, algorithm: Algorithm, dtk: bytes, sequence: bytes) -> bytes:
        """TAC: the card proves the load. `sequence` is the online counter before the load."""
        return tac(algorithm, dtk, self.tac_fields(sequence))

    @property
    def mac1_fields(self) -> bytes:
        """What MAC1 is computed over."""
        return _amount(self.balance) + _amount(self.amount) + self.kind + self.terminal

    @property
    def mac2_fields(self) -> bytes:
        """What MAC2 is computed over."""
        return _amount(self.amount) + self.kind + self.terminal + self.time

    def tac_fields(self, sequence: bytes) -> bytes:
        """What the TAC is computed over."""
        fields = sequence + _amount(self.amount) + self.kind + self.terminal + self.time
        return _amount(self.balance + self.amount) + fields


def load_session_key(algorithm: Algorithm, dlk: bytes, random: bytes, sequence: bytes) -> bytes:
    """SESLK: of DLK with the card's random (4), its online counter (2) and 80 00."""
    return session_key(algorithm, dlk, random + sequence + b"\x80\x00")


def pad80(data: bytes, block_size: int) -> bytes:
    """`data` followed by 80 and as many 00 as fill the last block (ISO/IEC 9797-1, method 2)."""
    return data + b"\x80" + bytes(-(len(data) + 1) % block_size)


def encrypt_blocks(algorithm: Algorithm, key: bytes, data: bytes) -> bytes:
    """Whole blocks enciphered one by one. An 8-byte DES key is single DES, a 16-byte one 3DES."""
    # ECB is what the card's specification prescribes for all of these one-block values.
    encryptor = Cipher(_block_cipher(algorithm, key), modes.ECB()).encryptor()  # noqa: S305
    return encryptor.update(data)


def _block_cipher(algorithm: Algorithm, key: bytes) -> BlockCipherAlgorithm:
    if algorithm is Algorithm.SM4:
        return SM4(key)
    if algorithm is Algorithm.DES:
        # The library takes 24 bytes only: K K K is single DES, K1 K2 K1 two-key 3DES.
        return TripleDES((key * 3)[:24] if len(key) == 8 else key + key[:8])
    raise AlgorithmNotSupported("SSF33 is not public; only a hardware module can compute it")


def fold(data: bytes, length: int) -> bytes:
    """The exclusive-or of all `length`-byte words of `data`."""
    value = 0
    for start in range(0, len(data), length):
        value ^= int.from_bytes(data[start : start + length], "big")
    return value.to_bytes(length, "big")


def _amount(fen: int) -> bytes:
    return fen.to_bytes(4, "big")
