"""The medical account: purchases, loads, proofs, and what happens when the card leaves early."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from apdu.channel import CardChannel
from apdu.command import Command
from apdu.crypto import Algorithm
from apdu.hsm import RemoteSam
from apdu.layers import stack
from apdu.pin import Pin
from apdu.psam import PsamCard
from apdu.readers.inprocess import InProcessReader
from apdu.sam import DEVELOPMENT_KEYS, PurchaseModule, SoftwareSam
from apdu.ssc.account import MedicalAccount, Proof
from apdu.ssc.account_errors import (
    AccountNotAvailable,
    CardCryptogramWrong,
    CounterExhausted,
    InsufficientBalance,
    KeyIndexNotSupported,
    ProofNotAvailable,
    TransactionMacRefused,
    WrongTransactionState,
    account_error,
)
from apdu.ssc.account_log import AccountRecord
from apdu.ssc.card import KeyRefused, SocialSecurityCard
from apdu.ssc.entitlement import PinNeeded
from apdu.ssc.identity import AnotherCard
from apdu.ssc.keys import KeyName
from apdu.ssc.transactions import (
    DebitNotProved,
    Done,
    DoneEarlier,
    NotDone,
    Pending,
    PendingCredit,
    PendingDebit,
    PurchaseOrder,
    TransactionKind,
    TransactionUncertain,
)
from apdu.ssc.values import IllegalValue
from apdu.status import (
    CardRemoved,
    KeyNotAvailable,
    MalformedApdu,
    MalformedData,
    PurchaseNotProved,
    SecurityModuleError,
    StatusError,
)
from apdu.tac import SoftwareTacModule, TacWrong, verify_tac
from simulator.card.card import Protocol, SimulatedCard
from simulator.card.description import CardProfile
from simulator.card.profile import load_profile, replacement
from simulator.hsm import SoftwareHsm
from simulator.psam import PsamProfile, SimulatedPsam

SHANGHAI = ZoneInfo("Asia/Shanghai")
AT = datetime(2026, 3, 10, 9, 30, tzinfo=SHANGHAI)
ORDER = PurchaseOrder(account_fen=700, at=AT, self_pay_fen=500, fund_fen=300)
CARDS: dict[str, Callable[[], CardProfile]] = {
    "1.0 DES": lambda: load_profile("adult-1.0"),
    "2.0 DES": lambda: load_profile("adult-2.0"),
    "2.0 SM4": lambda: _with(load_profile("adult-2.0"), algorithm=Algorithm.SM4),
    "3.0 DES": lambda: _with(load_profile("adult-3.0"), algorithm=Algorithm.DES),
    "3.0 SM4": lambda: load_profile("adult-3.0"),
}
PROTOCOLS: tuple[Protocol, ...] = ("T0", "T1", "TCL")


def _with(profile: CardProfile, **changes: Any) -> CardProfile:  # noqa: ANN401  # any field
    return replace(profile, card=replace(profile.card, **changes))


@dataclass
class Bench:
    """A simulated card in a reader, and a module with the development keys."""

    profile: CardProfile
    chip: SimulatedCard
    sam: SoftwareSam
    card: SocialSecurityCard
    kept: list[Pending]

    @property
    def account(self) -> MedicalAccount:
        return MedicalAccount(self.card)

    def present(self, *, pin: bool = True) -> MedicalAccount:
        """Put the card in again."""
        self.card = _select(self.chip)
        if pin:
            self.verify_pin()
        return self.account

    def verify_pin(self) -> None:
        assert self.profile.pin is not None
        with Pin(self.profile.pin.value) as pin:
            self.card.verify_pin(pin)

    def purchase(self, order: PurchaseOrder = ORDER) -> Done:
        return self.account.purchase(order, self.sam, keep=self.kept.append)

    def load(self, fen: int = 2500) -> Done:
        return self.account.load(fen, AT, self.sam, keep=self.kept.append)

    def exhaust_counters(self) -> None:
        """Let the card have made as many transactions as it can; only the simulation can."""
        ledger = self.chip._system.ledger
        worn = ledger.balance._replace(online=0xFFFF, offline=0xFFFF)
        ledger.book(worn, ledger.proof, bytes(28))


def _select(chip: SimulatedCard) -> SocialSecurityCard:
    reader = InProcessReader("reader", chip)
    return SocialSecurityCard.select(CardChannel(stack(reader.connect())))


def bench(profile: CardProfile, protocol: Protocol = "T0", *, pin: bool = True) -> Bench:
    chip = SimulatedCard(profile, random=Random(7).randbytes, protocol=protocol)
    sam = SoftwareSam.development(Random(8).randbytes)
    made = Bench(profile, chip, sam, _select(chip), [])
    if pin:
        made.verify_pin()
    return made


@pytest.fixture(params=CARDS)
def profile(request: pytest.FixtureRequest) -> CardProfile:
    return CARDS[request.param]()


@pytest.fixture(params=PROTOCOLS)
def user(request: pytest.FixtureRequest, profile: CardProfile) -> Bench:
    return bench(profile, request.param)


@pytest.fixture
def one() -> Bench:
    return bench(load_profile("adult-2.0"))


# What the account says


def test_a_new_account_tells_its_balance_sums_and_day(user: Bench) -> None:
    assert user.account.balance() == user.profile.medical_account.balance_fen
    assert (user.account.year_self_pay().fen, user.account.year_self_pay().year) == (0, "0000")
    assert user.account.year_fund().fen == 0
    assert user.account.starting_day() == (7, 1)
    assert user.account.records() == ()


def settable(profile: CardProfile) -> CardProfile:
    """A card whose issuer has given DSK a number."""
    account = replace(profile.medical_account, starting_day_key="8E")
    return replace(profile, medical_account=account)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_starting_day_is_changed_with_its_key(profile: CardProfile, protocol: Protocol) -> None:
    user = bench(settable(profile), protocol)
    user.account.set_starting_day(2, 29, user.sam, key_number=0x8E)
    assert user.account.starting_day() == (2, 29)
    user.card.channel.reset()
    assert user.present().starting_day() == (2, 29)


@pytest.mark.parametrize("form", ["psam", "hsm"])
def test_psam_and_hsm_hold_its_key_too(profile: CardProfile, form: str) -> None:
    user = bench(settable(profile))
    module = (
        RemoteSam(SoftwareHsm(), Random(4).randbytes)
        if form == "hsm"
        else PsamCard.open(
            InProcessReader("psam", SimulatedPsam(PsamProfile(), random=Random(3).randbytes))
        )
    )
    user.account.set_starting_day(1, 1, module, key_number=0x8E)
    assert user.account.starting_day() == (1, 1)


def test_without_its_key_nobody_changes_the_starting_day(one: Bench) -> None:
    with pytest.raises(KeyNotAvailable):
        one.account.set_starting_day(1, 1, one.sam, key_number=0x8E)
    user = bench(settable(load_profile("adult-2.0")))
    roots = {**DEVELOPMENT_KEYS, KeyName.DSK: bytes(16)}
    with pytest.raises(KeyRefused) as refused:
        user.account.set_starting_day(
            1, 1, SoftwareSam(roots, Random(8).randbytes), key_number=0x8E
        )
    assert refused.value.tries_left == 2
    assert user.account.starting_day() == (7, 1)


@pytest.mark.parametrize(("month", "day"), [(0, 1), (13, 1), (2, 30), (4, 31), (1, 0)])
def test_a_day_that_is_none_is_not_set(one: Bench, month: int, day: int) -> None:
    with pytest.raises(IllegalValue):
        one.account.set_starting_day(month, day, one.sam, key_number=0x8E)


@pytest.mark.parametrize("data", ["0230", "1301", "0A01", "0000"])
def test_the_card_takes_no_day_that_is_none(data: str) -> None:
    user = bench(settable(load_profile("adult-2.0")))
    user.card.enter("DF04")
    user.card.authorise(user.sam, KeyName.DSK, number=0x8E)
    raw = user.card.channel.connection.transmit(bytes.fromhex("B056000002" + data))
    assert raw == b"\x6a\x80"
    assert user.account.starting_day() == (7, 1)


def test_a_purchase_debits_once_and_its_cryptograms_hold(user: Bench) -> None:
    before = user.account.balance()
    done = user.purchase()
    assert user.kept == [done.transaction]
    assert user.account.balance() == done.balance_after_fen == before - 700
    assert (user.account.year_self_pay().fen, user.account.year_fund().fen) == (500, 300)
    assert user.account.year_self_pay().year == "2025"  # the year began on 1 July
    identity = user.card.identity
    verify_tac(SoftwareTacModule.development(), identity, done.transaction.tac_fields, done.tac)
    other = SoftwareTacModule(DEVELOPMENT_KEYS[KeyName.DPK])
    with pytest.raises(TacWrong):
        verify_tac(other, identity, done.transaction.tac_fields, done.tac)


def test_a_load_credits_once_and_its_cryptogram_holds(user: Bench) -> None:
    before = user.account.balance()
    done = user.load()
    assert user.account.balance() == done.balance_after_fen == before + 2500
    fields = done.transaction.tac_fields
    verify_tac(SoftwareTacModule.development(), user.card.identity, fields, done.tac)


def test_the_log_holds_what_was_booked_newest_first(user: Bench) -> None:
    user.load()
    user.purchase()
    newest, oldest = user.account.records()
    assert (newest.kind, newest.sequence, newest.account_fen) == ("2", 0, 700)
    assert (newest.self_pay_fen, newest.fund_fen) == (500, 300)
    assert (newest.terminal, newest.at) == (user.sam.terminal_number, AT)
    assert (oldest.kind, oldest.sequence, oldest.account_fen) == ("1", 0, 2500)


def test_purchase_keys_of_every_index_work(one: Bench) -> None:
    for index in (1, 2, 3):
        one.purchase(replace(ORDER, key_index=index))
    assert one.account.balance() == 12000 - 2100


def test_a_proof_is_that_of_the_last_transaction(user: Bench) -> None:
    done = user.purchase()
    proof = user.account.prove(TransactionKind.PURCHASE, done.transaction.sequence)
    assert proof == Proof(done.mac, done.tac)
    loaded = user.load()
    assert user.account.prove(TransactionKind.LOAD, loaded.transaction.sequence).tac == loaded.tac
    with pytest.raises(ProofNotAvailable):
        user.account.prove(TransactionKind.PURCHASE, done.transaction.sequence)


def test_a_record_of_the_account_alone_has_no_other_amounts() -> None:
    row = bytes.fromhex("000732990100000001202603100930000000000A")
    record = AccountRecord.parse(row)
    assert (record.sequence, record.account_fen, record.self_pay_fen, record.fund_fen) == (
        (7, 10, 0, 0)
    )
    assert AccountRecord.parse(row[:9] + b"\xff" * 7 + row[16:]).at is None
    with pytest.raises(MalformedData):
        AccountRecord.parse(row[:19])


# What it refuses


def test_everything_but_the_proof_wants_the_pin(profile: CardProfile) -> None:
    user = bench(profile, pin=False)
    for ask in (user.account.balance, user.account.records, user.purchase, user.load):
        with pytest.raises(PinNeeded):
            ask()
    with pytest.raises(ProofNotAvailable):
        user.account.prove(TransactionKind.PURCHASE, b"\x00\x00")


def test_too_little_money(user: Bench) -> None:
    balance = user.account.balance()
    with pytest.raises(InsufficientBalance):
        user.purchase(replace(ORDER, account_fen=balance + 1))
    assert user.kept == []
    assert user.purchase(replace(ORDER, account_fen=balance)).balance_after_fen == 0


def test_a_counter_at_its_end(user: Bench) -> None:
    user.exhaust_counters()
    with pytest.raises(CounterExhausted):
        user.purchase()
    with pytest.raises(CounterExhausted):
        user.load()


def test_a_key_index_that_the_card_lacks(one: Bench) -> None:
    with pytest.raises(KeyIndexNotSupported):
        one.account.load(1, AT, one.sam, keep=one.kept.append, key_index=2)


def test_a_module_with_other_keys_is_refused_by_the_card(user: Bench) -> None:
    wrong = {**DEVELOPMENT_KEYS, KeyName.DPK: bytes(16), KeyName.DLK: bytes(16)}
    sam = SoftwareSam(wrong, Random(1).randbytes, terminal_number=user.sam.terminal_number)
    before = user.account.balance()
    with pytest.raises(TransactionMacRefused):
        user.account.purchase(ORDER, sam, keep=user.kept.append)
    with pytest.raises(CardCryptogramWrong):
        user.account.load(1, AT, sam, keep=user.kept.append)
    assert user.account.balance() == before
    assert user.account.resolve(user.kept[0]) == NotDone(user.kept[0])


def test_a_command_out_of_order(user: Bench) -> None:
    user.account.balance()
    with pytest.raises(StatusError) as caught:
        user.card.channel.call(Command(0xB0, 0x2C, 1, 0, bytes(15), le=8), "DEBIT")
    assert isinstance(account_error(caught.value), WrongTransactionState)


def test_a_transaction_left_open_does_not_hinder_the_next(user: Bench) -> None:
    class Silent(SoftwareSam):
        def permit_purchase(self, *_: object) -> Any:  # noqa: ANN401  # never returns
            raise SecurityModuleError("the module failed")

    broken = Silent(DEVELOPMENT_KEYS, Random(1).randbytes, terminal_number="990100000001")
    with pytest.raises(SecurityModuleError):
        user.account.purchase(ORDER, broken, keep=user.kept.append)
    before = user.account.balance()
    assert user.purchase().balance_after_fen == before - 700


def test_a_card_without_an_account() -> None:
    user = bench(load_profile("adult-2.0"))
    environment = user.chip._system.master_file
    environment.children[:] = [df for df in environment.children if df.label != "DF04"]
    with pytest.raises(AccountNotAvailable):
        user.account.balance()


@pytest.mark.parametrize(
    "order",
    [
        lambda: replace(ORDER, account_fen=-1),
        lambda: replace(ORDER, fund_fen=1 << 32),
        lambda: replace(ORDER, key_index=0),
        lambda: replace(ORDER, key_index=4),
        lambda: replace(ORDER, at=AT.replace(tzinfo=None)),
    ],
)
def test_an_order_that_no_card_can_take(order: Callable[[], PurchaseOrder]) -> None:
    with pytest.raises(IllegalValue):
        order()


def test_a_time_elsewhere_is_written_in_shanghai(one: Bench) -> None:
    utc = AT.astimezone(ZoneInfo("UTC"))
    one.purchase(replace(ORDER, at=utc))
    assert one.account.records()[0].at == AT


def test_a_debit_that_the_module_does_not_confirm_is_told_with_its_receipt(one: Bench) -> None:
    class Doubting(SoftwareSam):
        def complete_purchase(self, mac2: bytes) -> None:
            super().complete_purchase(bytes(byte ^ 1 for byte in mac2))

    doubting = Doubting(DEVELOPMENT_KEYS, Random(1).randbytes, terminal_number="990100000001")
    with pytest.raises(DebitNotProved) as caught:
        one.account.purchase(ORDER, doubting, keep=one.kept.append)
    assert isinstance(caught.value.__cause__, PurchaseNotProved)
    assert one.account.balance() == caught.value.done.balance_after_fen
    with pytest.raises(DebitNotProved):
        one.account.resolve(one.kept[0], doubting)


# When the card leaves, or its answer is lost


class Line:
    """A connection that may be told to lose or spoil an answer."""

    def __init__(self, chip: SimulatedCard) -> None:
        self.chip = chip
        self.atr = chip.power_on()
        self.spoil: Callable[[bytes, bytes], bytes] = lambda _command, answer: answer

    def transmit(self, command: bytes) -> bytes:
        return self.spoil(command, self.chip.transmit(command))

    def reset(self) -> bytes:
        return self.chip.power_on()

    def close(self) -> None:
        self.chip.power_off()


def lost(command: bytes, answer: bytes) -> bytes:
    """The answers to DEBIT and CREDIT never arrive."""
    if command[:2] in (b"\xb0\x2c", b"\xb0\x2a"):
        raise CardRemoved("pulled")
    return answer


def on_a_line(profile: CardProfile, protocol: Protocol) -> tuple[Bench, Line]:
    user = bench(profile, protocol, pin=False)
    line = Line(user.chip)
    user.card = SocialSecurityCard.select(CardChannel(stack(line)))
    user.verify_pin()
    return user, line


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("work", [Bench.purchase, Bench.load])
def test_a_lost_answer_is_made_good_by_the_proof(
    profile: CardProfile, protocol: Protocol, work: Callable[[Bench], Done]
) -> None:
    user, line = on_a_line(profile, protocol)
    before = user.account.balance()
    line.spoil = lost
    with pytest.raises(TransactionUncertain) as caught:
        work(user)
    pending = caught.value.pending
    assert user.kept == [pending]
    again = user.present(pin=False)
    done = again.resolve(pending, user.sam)
    assert isinstance(done, Done)
    user.verify_pin()
    assert again.balance() == done.balance_after_fen != before
    verify_tac(SoftwareTacModule.development(), user.card.identity, pending.tac_fields, done.tac)


@pytest.mark.parametrize("answer", ["9000", "00119000", "6F00", "6581", "6D00", "90"])
def test_a_spoiled_answer_to_debit_is_uncertain_never_a_failure(answer: str) -> None:
    user, line = on_a_line(load_profile("adult-3.0"), "T1")

    def spoil(command: bytes, given: bytes) -> bytes:
        return bytes.fromhex(answer) if command[:2] == b"\xb0\x2c" else given

    line.spoil = spoil
    with pytest.raises(TransactionUncertain):
        user.purchase()
    line.spoil = lambda _command, given: given
    assert isinstance(user.account.resolve(user.kept[0], user.sam), Done)


def test_another_card_is_refused_and_nothing_is_asked_of_it(one: Bench) -> None:
    done = one.purchase()
    other = replacement(one.profile, issued=one.profile.card.issued)
    changed = bench(other, pin=False)
    with pytest.raises(AnotherCard):
        changed.account.resolve(done.transaction)
    same_id = _with(one.profile, number=other.card.number)
    with pytest.raises(AnotherCard):
        bench(same_id, pin=False).account.resolve(done.transaction)


def test_a_debit_covered_by_a_later_one_is_found_in_the_log(user: Bench) -> None:
    first = user.purchase()
    user.load()
    assert user.account.resolve(first.transaction) == DoneEarlier(first.transaction)


def test_the_proof_of_a_later_debit_with_the_same_counter_is_not_taken_for_ours(one: Bench) -> None:
    one.chip.memory.tear_after(0)
    with pytest.raises(TransactionUncertain) as caught:
        one.purchase()
    pending = caught.value.pending
    elsewhere = SoftwareSam.development(Random(2).randbytes, terminal_number="990100000099")
    paid = one.present().purchase(ORDER, elsewhere, keep=one.kept.append)
    assert paid.transaction.sequence == pending.sequence
    with pytest.raises(PinNeeded):
        one.present(pin=False).resolve(pending)
    assert one.present().resolve(pending) == NotDone(pending)
    assert one.present().resolve(pending, one.sam) == NotDone(pending)


def test_the_proof_of_a_later_load_with_the_same_counter_is_not_taken_for_ours(one: Bench) -> None:
    one.chip.memory.tear_after(0)
    with pytest.raises(TransactionUncertain) as caught:
        one.load()
    one.present()
    one.load(2600)
    assert one.present(pin=False).resolve(caught.value.pending) == NotDone(caught.value.pending)


def test_a_debit_that_was_covered_is_not_denied_for_want_of_the_pin(one: Bench) -> None:
    first = one.purchase()
    one.purchase()
    with pytest.raises(PinNeeded):
        one.present(pin=False).resolve(first.transaction)
    assert one.present().resolve(first.transaction) == DoneEarlier(first.transaction)


def test_a_debit_that_the_log_no_longer_holds_stays_undecided(one: Bench) -> None:
    first = one.purchase()
    for _ in one.chip.ledger.log.capacity * (1,):
        one.purchase(replace(ORDER, account_fen=1))
    with pytest.raises(ProofNotAvailable):
        one.account.resolve(first.transaction)


def test_a_card_that_takes_the_kind_in_ascii_only() -> None:
    user, line = on_a_line(load_profile("adult-2.0"), "T1")
    done = user.purchase()

    def ascii_only(command: bytes, answer: bytes) -> bytes:
        binary = command[:2] == b"\xb0\x2e" and command[3] < 0x30
        return b"\x6a\x86" if binary else answer

    line.spoil = ascii_only
    assert user.account.prove(TransactionKind.PURCHASE, done.transaction.sequence).mac == done.mac


def test_wrong_lengths_are_malformed() -> None:
    user, line = on_a_line(load_profile("adult-2.0"), "T1")
    line.spoil = lambda c, a: a[1:] if c[:1] == b"\xb0" else a
    for ask in (user.account.balance, user.account.year_fund, user.purchase):
        with pytest.raises(MalformedApdu):
            ask()
    line.spoil = lambda c, a: b"\xaa\xbb\x90\x00" if c[:2] == b"\xb0\x56" else a
    with pytest.raises(MalformedData):
        user.account.starting_day()


@pytest.mark.parametrize("work", [Bench.purchase, Bench.load])
def test_torn_at_any_write_money_is_moved_once_or_not_at_all(
    profile: CardProfile, work: Callable[[Bench], Done]
) -> None:
    """Facts 7.5: pull the card after every byte; with the same card the books always close."""
    rehearsal = bench(profile)
    start = rehearsal.account.balance()
    first = rehearsal.chip.memory.byte_writes
    moved = work(rehearsal).balance_after_fen
    writes = rehearsal.chip.memory.byte_writes - first
    assert writes > 0
    outcomes = set()
    user = bench(profile)
    clean = user.chip.memory.content
    for fuse in range(writes + 1):
        user.chip.memory.replace_content(clean)
        user.kept.clear()
        user.present()
        user.chip.memory.tear_after(fuse)
        with pytest.raises(TransactionUncertain):
            work(user)
        outcome = user.present().resolve(user.kept[0], user.sam)
        balance = user.account.balance()
        assert balance == (moved if isinstance(outcome, Done) else start)
        assert len(user.account.records()) == (1 if isinstance(outcome, Done) else 0)
        if isinstance(outcome, NotDone):
            assert work(user).balance_after_fen == moved == user.account.balance()
        outcomes.add(type(outcome))
    assert outcomes == {Done, NotDone}


def test_the_account_follows_the_card_into_the_next_payment_year(one: Bench) -> None:
    one.purchase()
    one.purchase(replace(ORDER, at=AT + timedelta(days=200)))
    assert (one.account.year_self_pay().fen, one.account.year_self_pay().year) == (500, "2026")


def test_pendings_keep_their_secrets_out_of_reprs(one: Bench) -> None:
    one.purchase()
    one.load()
    for pending in one.kept:
        text = repr(pending)
        assert one.profile.card.number not in text
        secret = pending.mac1 if isinstance(pending, PendingDebit) else pending.mac2
        assert repr(secret) not in text
        assert isinstance(pending, PendingDebit | PendingCredit)


# With every form of the security module


def _psam() -> PurchaseModule:
    chip = SimulatedPsam(PsamProfile(), random=Random(3).randbytes)
    return PsamCard.open(InProcessReader("slot 2", chip))


def _hsm() -> PurchaseModule:
    return RemoteSam(SoftwareHsm(), Random(4).randbytes, terminal_number="990100000001")


@pytest.mark.parametrize("make", [_psam, _hsm])
@pytest.mark.parametrize("card", ["2.0 DES", "3.0 SM4"])
def test_psam_and_hsm_allow_and_confirm_purchases(
    make: Callable[[], PurchaseModule], card: str
) -> None:
    user, line = on_a_line(CARDS[card](), "T0")
    module = make()
    before = user.account.balance()
    done = user.account.purchase(ORDER, module, keep=user.kept.append)
    assert done.balance_after_fen == before - 700
    line.spoil = lost
    with pytest.raises(TransactionUncertain) as caught:
        user.account.purchase(ORDER, module, keep=user.kept.append)
    resolved = user.present().resolve(caught.value.pending, module)
    assert isinstance(resolved, Done)
    assert user.account.balance() == before - 1400
