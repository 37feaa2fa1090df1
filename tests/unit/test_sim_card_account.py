"""The medical account on the simulated card (facts 5.1 and the vectors of appendix B)."""

from dataclasses import replace
from random import Random

import pytest

from apdu.crypto import (
    Algorithm,
    Load,
    Purchase,
    card_key,
    load_session_key,
    purchase_session_key,
)
from apdu.sam import DEVELOPMENT_KEYS
from apdu.ssc.keys import KeyName
from simulator.card.card import SimulatedCard
from simulator.card.description import MedicalAccount
from simulator.card.profile import load_profile

SELECT_SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
SELECT_DF04 = "00A4040006D15600000503"
TERMINAL = bytes.fromhex("990100000001")
TIME = bytes.fromhex("20260310093000")
ROOT = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
BY_ALGORITHM = pytest.mark.parametrize("algorithm", [Algorithm.DES, Algorithm.SM4])


class Account:
    """A card with a medical account, and the keys of PSAM and host beside it."""

    def __init__(
        self,
        algorithm: Algorithm = Algorithm.SM4,
        balance: int = 10000,
        start: str = "0701",
        *,
        vectors: bool = False,
    ) -> None:
        profile = load_profile("adult-3.0")
        chip = replace(profile.card, algorithm=algorithm)
        if vectors:
            chip = replace(chip, historical=bytes.fromhex("0081544C92868499010000007B"))
        self.chip = chip
        self.keys = dict.fromkeys(("DPK", "DLK"), ROOT) if vectors else {}
        held = MedicalAccount(balance, start)
        self.card = SimulatedCard(
            replace(profile, card=chip, keys=self.keys, medical_account=held),
            random=(lambda _: bytes.fromhex("C0FFEE01")) if vectors else Random(1).randbytes,
            protocol="T1",
        )
        self.enter()

    def enter(self, *, pin: bool = True) -> None:
        self.card.power_on()
        self.send(SELECT_SSSE)
        if pin:
            assert self.send("0020000003246810") == "9000"
        assert self.send(SELECT_DF04).endswith("9000")

    def send(self, command: str | bytes) -> str:
        raw = bytes.fromhex(command) if isinstance(command, str) else command
        return self.card.transmit(raw).hex().upper()

    def key(self, name: KeyName) -> bytes:
        root = self.keys.get(name.name, DEVELOPMENT_KEYS[name][: name.length(self.chip.algorithm)])
        return card_key(self.chip.algorithm, root, self.chip.region, self.chip.historical)

    def begin_purchase(self, account: int, self_pay: int = 0, fund: int = 0, key: int = 1) -> str:
        amounts = b"".join(fen.to_bytes(4, "big") for fen in (account, self_pay, fund))
        return self.send(bytes.fromhex(f"B028010113{key:02X}") + amounts + TERMINAL)

    def debit(
        self, begun: str, amounts: tuple[int, int, int], time: bytes = TIME, key: int = 1
    ) -> str:
        psam = bytes.fromhex("00000123")
        name = {1: KeyName.DPK, 2: KeyName.DPK2, 3: KeyName.DPK3}[key]
        answer = bytes.fromhex(begun)
        algorithm = self.chip.algorithm
        session = purchase_session_key(
            algorithm, self.key(name), answer[18:22], answer[14:16], psam
        )
        mac1 = Purchase(*amounts, TERMINAL, time).mac1(algorithm, session)
        return self.send(bytes.fromhex("B02C01000F") + psam + time + mac1)

    def purchase(self, account: int, self_pay: int = 0, fund: int = 0, time: bytes = TIME) -> str:
        amounts = (account, self_pay, fund)
        return self.debit(self.begin_purchase(*amounts), amounts, time)

    def credit(self, amount: int, time: bytes = TIME) -> tuple[str, str]:
        """A load: what the card answers, and what it should answer when it books."""
        head = bytes.fromhex("B02800010B01") + amount.to_bytes(4, "big") + TERMINAL
        begun = bytes.fromhex(self.send(head))
        algorithm = self.chip.algorithm
        session = load_session_key(algorithm, self.key(KeyName.DLK), begun[8:12], begun[4:6])
        balance = int.from_bytes(begun[:4], "big")
        load = Load(balance, amount, TERMINAL, time)
        assert begun[12:16] == load.mac1(algorithm, session)
        tac = load.tac(algorithm, self.key(KeyName.DTK), begun[4:6])
        answer = self.send(bytes.fromhex("B02A00000B") + time + load.mac2(algorithm, session))
        return answer, tac.hex().upper() + "9000"

    def load(self, amount: int, time: bytes = TIME) -> str:
        answer, expected = self.credit(amount, time)
        assert answer == expected
        return answer

    @property
    def figures(self) -> tuple[int, int, int, str]:
        """Balance, the year's self-pay and fund sums, the year."""
        balance = self.send("B026000104")
        self_pay, fund = self.send("B026000206"), self.send("B026000306")
        assert self_pay[8:12] == fund[8:12]
        return int(balance[:8], 16), int(self_pay[:8], 16), int(fund[:8], 16), fund[8:12]


@BY_ALGORITHM
def test_a_purchase_debits_counts_and_logs(algorithm: Algorithm) -> None:
    account = Account(algorithm)
    begun = account.begin_purchase(3000, 500, 700)
    assert begun.startswith("00002710" + "00000000" * 2 + "0000" + "0000" + f"010{algorithm}")
    assert len(begun) == 2 * (22 + 2)
    answer = account.debit(begun, (3000, 500, 700))
    purchase = Purchase(3000, 500, 700, TERMINAL, TIME)
    tac = purchase.tac(algorithm, account.key(KeyName.DTK), bytes.fromhex("00000123"))
    assert answer[:8] == tac.hex().upper()
    assert answer[16:] == "9000"
    assert account.figures == (7000, 500, 700, "2025")
    row = "0000" + "32" + TERMINAL.hex() + TIME.hex() + "00000BB8" + "000001F4" + "000002BC"
    assert account.send("00B2014400") == row.upper() + "9000"


@BY_ALGORITHM
def test_a_load_credits_counts_and_logs(algorithm: Algorithm) -> None:
    account = Account(algorithm)
    account.load(2500)
    account.load(1)
    assert account.figures == (12501, 0, 0, "0000")
    log = account.send("00B2014500")
    newest = "0001" + "31" + TERMINAL.hex() + TIME.hex() + "00000001" + "00" * 8
    assert log.startswith(newest.upper() + "0000" + "31")


def test_the_published_vectors_for_des() -> None:
    """Appendix B: card counters 0007 and 0003, random C0FFEE01."""
    account = Account(Algorithm.DES, balance=1000, vectors=True)
    time = "20260102030405"
    for _ in range(3):
        account.load(0)
    begun = account.send("B02800010B01" + "00002710" + TERMINAL.hex())
    assert begun == "000003E8" + "0003" + "0101" + "C0FFEE01" + "ED10A2E9" + "9000"
    assert account.send("B02A00000B" + time + "F143306A").endswith("9000")
    for _ in range(7):
        account.purchase(0)
    begun = account.begin_purchase(0, 0x3039, 0x2710)
    assert begun[28:44] == "0007" + "0101" + "C0FFEE01"
    answer = account.send("B02C01000F" + "00000123" + time + "E6501057")
    assert answer[8:] == "8035FEB9" + "9000"


@pytest.mark.parametrize("key", [1, 2, 3])
def test_every_purchase_key_index_has_its_own_key(key: int) -> None:
    account = Account()
    begun = account.begin_purchase(1, key=key)
    assert account.debit(begun, (1, 0, 0), key=key).endswith("9000")


def test_sums_add_up_within_a_payment_year_and_start_anew_with_the_next() -> None:
    account = Account(start="0701")
    for day in ("20250701", "20251231", "20260630"):
        account.purchase(0, 100, 10, bytes.fromhex(day + "080000"))
    assert account.figures == (10000, 300, 30, "2025")
    account.purchase(0, 7, 5, bytes.fromhex("20260701000000"))
    assert account.figures == (10000, 7, 5, "2026")
    account.purchase(0, 1, 1, bytes.fromhex("20290630000000"))
    assert account.figures == (10000, 1, 1, "2028")
    assert account.send("B056010002") == "07019000"


def test_refusals_of_initialize() -> None:
    account = Account(balance=100)
    assert account.begin_purchase(101) == "9401"
    assert account.begin_purchase(100, key=4) == "9403"
    assert account.send("B02800010B02" + "00000001" + TERMINAL.hex()) == "9403"
    assert account.send("B02800010B01" + "FFFFFFFF" + TERMINAL.hex()) == "6985"
    assert account.send("B02800010A01" + "000001" + TERMINAL.hex()) == "6700"
    assert account.send("B028010013" + "00" * 19) == "6A86"
    assert account.send("B028020113" + "00" * 19) == "6A86"
    assert account.figures == (100, 0, 0, "0000")


def test_counters_end_at_their_maximum() -> None:
    account = Account()
    ledger = account.card._system.ledger
    worn = ledger.balance._replace(online=0xFFFF, offline=0xFFFF)
    ledger.book(worn, ledger.proof, bytes(28))
    assert account.begin_purchase(1) == "9402"
    assert account.send("B02800010B01" + "00000001" + TERMINAL.hex()) == "9402"


def test_the_years_sums_do_not_overflow() -> None:
    account = Account()
    account.purchase(0, 0xFFFFFFFF, 0)
    assert account.purchase(0, 1, 0) == "6985"
    assert account.figures == (10000, 0xFFFFFFFF, 0, "2025")


def test_a_wrong_mac_changes_nothing_and_ends_the_transaction() -> None:
    account = Account()
    begun = account.begin_purchase(3000)
    assert account.debit(begun, (2999, 0, 0)) == "9302"
    assert account.debit(begun, (3000, 0, 0)) == "6901"
    account.send("B02800010B01" + "00000001" + TERMINAL.hex())
    assert account.send("B02A00000B" + TIME.hex() + "00000000") == "9302"
    assert account.send("B02A00000B" + TIME.hex() + "00000000") == "6901"
    assert account.figures == (10000, 0, 0, "0000")
    assert account.send("00B2014400") == "6A83"


def test_the_states_of_a_transaction() -> None:
    account = Account()
    debit, credit = "B02C01000F" + "00" * 15, "B02A00000B" + "00" * 11
    assert account.send(debit) == "6901"
    assert account.send(credit) == "6901"
    account.begin_purchase(1)
    assert account.send(credit) == "6901"  # another order: back to idle
    assert account.send(debit) == "6901"
    account.begin_purchase(1)
    assert account.send("B02C01000E" + "00" * 14) == "6700"
    assert account.send(debit) == "6901"
    account.begin_purchase(1)
    assert account.send("B02C00000F" + "00" * 15) == "6A86"
    account.send("B02800010B01" + "00000001" + TERMINAL.hex())
    assert account.send(debit) == "6901"
    account.begin_purchase(1)
    assert account.begin_purchase(1) == "6901"
    begun = account.begin_purchase(1)
    account.send("B026000104")  # balance and proof do not change the state
    account.send("B02E0002020000")
    assert account.debit(begun, (1, 0, 0)).endswith("9000")


@pytest.mark.parametrize("forget", [SELECT_DF04, "00A4000002DF03"])
def test_selecting_ends_a_transaction(forget: str) -> None:
    account = Account()
    begun = account.begin_purchase(1)
    account.send(forget)
    account.send(SELECT_DF04)
    assert account.debit(begun, (1, 0, 0)) == "6901"


def test_the_proof_of_the_last_transaction_survives_a_power_cut() -> None:
    account = Account()
    answer = account.purchase(3000)
    account.enter()
    for kind in ("02", "32"):
        proof = account.send(f"B02E00{kind}020000")
        assert proof == answer[8:16] + answer[:8] + "9000"
    assert account.send("B02E0002020001") == "9406"
    assert account.send("B02E0001020000") == "9406"
    assert account.send("B02E0003020000") == "6A86"
    assert account.send("B02E00020100") == "6700"
    account.purchase(1)
    assert account.send("B02E0002020000") == "9406"
    load = account.load(1)
    assert account.send("B02E0001020000")[8:] == load


def test_without_the_pin_there_is_no_account() -> None:
    account = Account()
    account.enter(pin=False)
    assert account.send("B026000104") == "6982"
    assert account.begin_purchase(1) == "6982"


def test_the_account_lives_in_its_application() -> None:
    account = Account()
    account.send("00A4000002DF03")
    for command in ("B026000104", "B02800010B" + "00" * 11, "B02C01000F" + "00" * 15):
        assert account.send(command) == "6985"


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("B026000404", "6A86"),
        ("B026010104", "6A86"),
        ("B056000002" + "0101", "6982"),  # DSK has not authenticated
        ("B056000001" + "01", "6700"),
        ("B056020002", "6A86"),
        ("B02A00000B" + "00" * 11, "6901"),
        ("B02600010100", "6700"),
        ("8028010113" + "00" * 19, "6E00"),
    ],
)
def test_refused_account_commands(command: str, sw: str) -> None:
    assert Account().send(command) == sw


@pytest.mark.parametrize("time", ["2026031009300A", "FFFFFFFFFFFFFF"])
def test_a_time_that_is_no_number_is_refused(time: str) -> None:
    account = Account()
    begun = account.begin_purchase(1)
    assert account.debit(begun, (1, 0, 0), bytes.fromhex(time)) == "6A80"
    assert account.figures == (10000, 0, 0, "0000")


def test_over_t0_the_answers_are_fetched() -> None:
    account = Account()
    card = SimulatedCard(load_profile("adult-3.0"), random=Random(1).randbytes, protocol="T0")
    card.power_on()
    for command in (SELECT_SSSE, "0020000003246810", "00A4000002DF04"):
        card.transmit(bytes.fromhex(command))
    head = bytes.fromhex("B02800010B0100000001") + TERMINAL
    assert card.transmit(head).hex() == "6110"
    assert len(card.transmit(bytes.fromhex("00C0000010"))) == 18
    assert account.send("B026000104") == "000027109000"
    assert card.transmit(bytes.fromhex("B026000100")).hex() == "6c04"
