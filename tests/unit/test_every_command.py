"""Every command with every status word that is published for it, on both sides (facts 5, 5.1, 5.2).

`PUBLISHED` is the table of the facts, written down again. The simulated card must be brought to
answer each pair by itself; the few that no state of this card leads to are named with the reason.
The terminal must turn each pair, answered by a scripted card, into the error that it stands for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from random import Random

import pytest

from apdu.channel import CardChannel
from apdu.layers import stack
from apdu.pin import Pin
from apdu.readers.inprocess import InProcessReader
from apdu.sam import KeyName, SoftwareSam
from apdu.secure import MacMissing, MacRefused, SecureMessaging
from apdu.ssc.account import MedicalAccount
from apdu.ssc.account_errors import (
    AccountNotAvailable,
    CounterExhausted,
    InsufficientBalance,
    KeyIndexNotSupported,
    ProofNotAvailable,
    TransactionMacRefused,
    WrongTransactionState,
)
from apdu.ssc.card import KeyRefused, SocialSecurityCard
from apdu.ssc.driver.result import code_of
from apdu.ssc.entitlement import PinNeeded
from apdu.ssc.maintenance import CardMaintenance
from apdu.ssc.transactions import PurchaseOrder, TransactionKind, TransactionUncertain
from apdu.ssc.values import SHANGHAI
from apdu.status import (
    ApplicationLocked,
    CardError,
    KeyNotAvailable,
    NotAuthentic,
    PinBlocked,
    PinWrong,
    StatusError,
    StatusWord,
)
from simulator.card.card import SimulatedCard
from simulator.card.description import Condition
from simulator.card.profile import load_profile
from tests.unit.test_sim_card_account import Account
from tests.unit.test_sim_card_security import RIGHT_PIN, SELECT_SSSE, WRONG_PIN, Desk

# Facts 5: the specific words of each command; 5.1 gives one list for all commands of the account,
# spread here over those that can meet them. `common` holds for every command.
PUBLISHED = """
APPLICATION BLOCK       6581 6982 6984 6985 6988 6A88
CARD BLOCK              6581 6982 6984 6985 6988 6A88
CHANGE PIN              63Cx 6983 6A80
EXTERNAL AUTHENTICATE   63Cx 6983 6984 6A88
GET CHALLENGE           6700
GET RESPONSE            61xx 6Cxx 6F00
INTERNAL AUTHENTICATE   6A88
PIN UNBLOCK             6982 6984 6988
PIN RELOAD              6982 6984 6988
READ BINARY             6981 6982 6986 6A82 6B00 6Cxx
READ RECORD             6981 6982 6986 6A82 6A83 6Cxx
SELECT                  6A82 9303
UPDATE BINARY           6581 6981 6982 6984 6986 6987 6988 6A82 6B00
UPDATE RECORD           6581 6981 6982 6984 6986 6987 6988 6A82 6A83 6A84 6A85
VERIFY                  63Cx 6983 6984 6A88
INITIALIZE FOR LOAD     6901 6982 6985 9402 9403
CREDIT FOR LOAD         6581 6901 6985 9302
INITIALIZE FOR PURCHASE 6901 6982 6985 9401 9402 9403
DEBIT FOR PURCHASE      6581 6901 6985 9302
GET BALANCE             6982 6985
GET TRANSACTION PROOF   6985 9406
UPDATE STARTING DAY     6982 6985
GET STARTING DAY        6985
common                  6700 6A81 6A86 6D00 6E00 9303
"""
PAIRS = {
    (line[:24].strip(), sw) for line in PUBLISHED.strip().splitlines() for sw in line[24:].split()
}
NOT_BY_OURS = {
    ("APPLICATION BLOCK", "6985"): "nothing beside the right and the MAC is a condition of it",
    ("CARD BLOCK", "6985"): "nothing beside the right and the MAC is a condition of it",
    ("CARD BLOCK", "6A88"): "no card is personalised without the key that signs it",
    ("VERIFY", "6984"): "a PIN that is set is never invalid, only blocked",
}

RIGHT_CHANGE = "805E010007246810FF135790"
AT = datetime(2026, 3, 10, 10, 15, tzinfo=SHANGHAI)


# The card's side


def account(*, pin: bool = True) -> Account:
    at = Account()
    if not pin:
        at.enter(pin=False)
    return at


def outside() -> Account:
    """An account whose application is not the current one."""
    at = account()
    at.send("00A4000002DF03")
    return at


def counters_at_their_end() -> Account:
    at = account()
    ledger = at.card._system.ledger
    ledger.book(ledger.balance._replace(online=0xFFFF, offline=0xFFFF), ledger.proof, bytes(28))
    return at


LOAD = "B02800010B01" + "00000001" + "990100000001"


def worn_credit() -> str:
    at = account()
    transmit = at.card.transmit

    def worn(command: bytes) -> bytes:
        if command.startswith(b"\xb0\x2a"):
            at.card.memory.wear_out()
        return transmit(command)

    at.card.transmit = worn  # type: ignore[method-assign]
    return at.credit(1)[0]


def worn_debit() -> str:
    at = account()
    begun = at.begin_purchase(1)
    at.card.memory.wear_out()
    return at.debit(begun, (1, 0, 0))


def after(*steps: Callable[[Desk], object] | str, card: str = "adult-3.0") -> str:
    """What the last of these steps answers, on a fresh card."""
    desk = Desk(card)
    answer: object = ""
    for step in steps:
        answer = desk.send(step) if isinstance(step, str) else step(desk)
    assert isinstance(answer, str)
    return answer


def by(key: KeyName) -> Callable[[Desk], object]:
    return lambda desk: desk.authenticate(key)


def spoilt(key: KeyName) -> Callable[[Desk], object]:
    return lambda desk: desk.authenticate(key, spoil=True)


def signed(key: KeyName, header: str, data: bytes = b"") -> Callable[[Desk], object]:
    return lambda desk: desk.secured(key, header, data)


def worn(desk: Desk) -> None:
    desk.card.memory.wear_out()


def worn_but_signed(key: KeyName, header: str) -> Callable[[Desk], object]:
    def send(desk: Desk) -> str:
        worn(desk)
        return desk.secured(key, header)

    return send


def over_t0(*commands: str) -> str:
    card = SimulatedCard(load_profile("adult-3.0"), random=Random(1).randbytes, protocol="T0")
    card.power_on()
    return [card.transmit(bytes.fromhex(command)).hex().upper() for command in commands][-1]


def without_pin() -> str:
    return Desk(pin=None).send(RIGHT_PIN)


K = KeyName
SFI_5, SFI_8 = "28", "88"
SEALED_ZERO = "00000000"
TO_DF03, TO_DF06 = "00A4000002DF03", "00A4000002DF06"
ON_CARD: dict[tuple[str, str], Callable[[], str]] = {
    ("APPLICATION BLOCK", "6581"): lambda: after(by(K.BK), worn_but_signed(K.STK, "841E0001")),
    ("APPLICATION BLOCK", "6982"): lambda: after(signed(K.STK, "841E0001")),
    ("APPLICATION BLOCK", "6984"): lambda: after(by(K.BK), "841E000104" + SEALED_ZERO),
    ("APPLICATION BLOCK", "6988"): lambda: after(by(K.BK), signed(K.PUK, "841E0001")),
    ("APPLICATION BLOCK", "6A88"): lambda: after(TO_DF06, by(K.BK), "841E000104" + SEALED_ZERO),
    ("CARD BLOCK", "6581"): lambda: after(by(K.BK), worn_but_signed(K.STK, "84160000")),
    ("CARD BLOCK", "6982"): lambda: after(signed(K.STK, "84160000")),
    ("CARD BLOCK", "6984"): lambda: after(by(K.BK), "8416000004" + SEALED_ZERO),
    ("CARD BLOCK", "6988"): lambda: after(by(K.BK), signed(K.PUK, "84160000")),
    ("CHANGE PIN", "63Cx"): lambda: after("805E010007999999FF135790"),
    ("CHANGE PIN", "6983"): lambda: after(*[WRONG_PIN] * 3, RIGHT_CHANGE),
    ("CHANGE PIN", "6A80"): lambda: after("805E010007246810FF1357AB"),
    ("EXTERNAL AUTHENTICATE", "63Cx"): lambda: after(spoilt(K.UKSSSE)),
    ("EXTERNAL AUTHENTICATE", "6983"): lambda: after(*[spoilt(K.UKSSSE)] * 3, by(K.UKSSSE)),
    ("EXTERNAL AUTHENTICATE", "6984"): lambda: after("0082000410" + "00" * 16),
    ("EXTERNAL AUTHENTICATE", "6A88"): lambda: after("0082000910" + "00" * 16),
    ("GET CHALLENGE", "6700"): lambda: after("0084000005"),
    ("GET RESPONSE", "61xx"): lambda: over_t0(SELECT_SSSE, "00C0000004")[-4:],
    ("GET RESPONSE", "6Cxx"): lambda: over_t0(SELECT_SSSE, "00C0000000"),
    ("GET RESPONSE", "6F00"): lambda: over_t0("00C0000004"),
    ("INTERNAL AUTHENTICATE", "6A88"): lambda: after("0088000011" + "00" * 16 + "0400"),
    ("PIN UNBLOCK", "6982"): lambda: after(signed(K.STK, "84240000")),
    ("PIN UNBLOCK", "6984"): lambda: after(by(K.PUK), "8424000004" + SEALED_ZERO),
    ("PIN UNBLOCK", "6988"): lambda: after(by(K.PUK), signed(K.BK, "84240000")),
    ("PIN RELOAD", "6982"): lambda: after(signed(K.STK, "84240001", b"\x13\x57")),
    ("PIN RELOAD", "6984"): lambda: after(by(K.PUK), "8424000114" + "00" * 20),
    ("PIN RELOAD", "6988"): lambda: after(by(K.PUK), signed(K.BK, "84240001", b"\x13\x57")),
    ("READ BINARY", "6981"): lambda: after("00B0850001"),
    ("READ BINARY", "6982"): lambda: after("00B0880001"),
    ("READ BINARY", "6986"): lambda: after("00B0000001"),
    ("READ BINARY", "6A82"): lambda: after("00B09D0001"),
    ("READ BINARY", "6B00"): lambda: after(by(K.RKSSSE), "00B0880001", "00B0100001"),
    ("READ BINARY", "6Cxx"): lambda: after(by(K.RKSSSE), "00B0880001", "00B00FFF08"),
    ("READ RECORD", "6981"): lambda: after("00B2014401"),
    ("READ RECORD", "6982"): lambda: after("00B2083000"),
    ("READ RECORD", "6986"): lambda: after("00B2010401"),
    ("READ RECORD", "6A82"): lambda: after("00B201EC01"),
    ("READ RECORD", "6A83"): lambda: after("00B2992800"),
    ("READ RECORD", "6Cxx"): lambda: after("00B2072C0C"),
    ("SELECT", "6A82"): lambda: after("00A4020002EF1F"),
    ("SELECT", "9303"): lambda: Desk(condition=Condition.APPLICATION_BLOCKED).send(SELECT_SSSE),
    ("UPDATE BINARY", "6581"): lambda: after(by(K.UKSSSE), worn, "00D6880001AA"),
    ("UPDATE BINARY", "6981"): lambda: after("00D6850001AA"),
    ("UPDATE BINARY", "6982"): lambda: after("00D6880001AA"),
    ("UPDATE BINARY", "6984"): lambda: after(by(K.UKSSSE), "04D6880005AA" + SEALED_ZERO),
    ("UPDATE BINARY", "6986"): lambda: after("00D6000001AA"),
    ("UPDATE BINARY", "6987"): lambda: after(by(K.UKSSSE), "04D6880001AA"),
    ("UPDATE BINARY", "6988"): lambda: after(
        by(K.UKSSSE), "0084000008", "04D6880005AA" + SEALED_ZERO
    ),
    ("UPDATE BINARY", "6A82"): lambda: after("00D69D0001AA"),
    ("UPDATE BINARY", "6B00"): lambda: after(by(K.UKSSSE), "00D6880001AA", "00D6100001AA"),
    ("UPDATE RECORD", "6581"): lambda: after(by(K.UKSSSE), worn, "00DC022803020132"),
    ("UPDATE RECORD", "6981"): lambda: after("00DC014403010132"),
    ("UPDATE RECORD", "6982"): lambda: after("00DC022803020132"),
    ("UPDATE RECORD", "6984"): lambda: after(by(K.UKSSSE), "04DC022807020132" + SEALED_ZERO),
    ("UPDATE RECORD", "6986"): lambda: after("00DC020403020132"),
    ("UPDATE RECORD", "6987"): lambda: after(by(K.UKSSSE), "04DC022803020132"),
    ("UPDATE RECORD", "6988"): lambda: after(
        by(K.UKSSSE), "0084000008", "04DC022807020132" + SEALED_ZERO
    ),
    ("UPDATE RECORD", "6A82"): lambda: after("00DC01EC03010132"),
    ("UPDATE RECORD", "6A83"): lambda: after(by(K.UKSSSE), "00DC192903190132"),
    ("UPDATE RECORD", "6A84"): lambda: after(by(K.UKSSSE), "00DC192803190132"),
    ("UPDATE RECORD", "6A85"): lambda: after(by(K.UKSSSE), "00DC022803020232"),
    ("VERIFY", "63Cx"): lambda: after(WRONG_PIN),
    ("VERIFY", "6983"): lambda: after(*[WRONG_PIN] * 3, RIGHT_PIN),
    ("VERIFY", "6A88"): without_pin,
    ("INITIALIZE FOR LOAD", "6901"): lambda: _twice(account(), LOAD),
    ("INITIALIZE FOR LOAD", "6982"): lambda: account(pin=False).send(LOAD),
    ("INITIALIZE FOR LOAD", "6985"): lambda: outside().send(LOAD),
    ("INITIALIZE FOR LOAD", "9402"): lambda: counters_at_their_end().send(LOAD),
    ("INITIALIZE FOR LOAD", "9403"): lambda: account().send(LOAD.replace("0B01", "0B02", 1)),
    ("CREDIT FOR LOAD", "6581"): worn_credit,
    ("CREDIT FOR LOAD", "6901"): lambda: account().send("B02A00000B" + "00" * 11),
    ("CREDIT FOR LOAD", "6985"): lambda: outside().send("B02A00000B" + "00" * 11),
    ("CREDIT FOR LOAD", "9302"): lambda: _begun(
        account(), LOAD, "B02A00000B20260310093000" + "00" * 4
    ),
    ("INITIALIZE FOR PURCHASE", "6901"): lambda: _twice(account(), PURCHASE),
    ("INITIALIZE FOR PURCHASE", "6982"): lambda: account(pin=False).begin_purchase(1),
    ("INITIALIZE FOR PURCHASE", "6985"): lambda: outside().begin_purchase(1),
    ("INITIALIZE FOR PURCHASE", "9401"): lambda: account().begin_purchase(10001),
    ("INITIALIZE FOR PURCHASE", "9402"): lambda: counters_at_their_end().begin_purchase(1),
    ("INITIALIZE FOR PURCHASE", "9403"): lambda: account().begin_purchase(1, key=4),
    ("DEBIT FOR PURCHASE", "6581"): worn_debit,
    ("DEBIT FOR PURCHASE", "6901"): lambda: account().send("B02C01000F" + "00" * 15),
    ("DEBIT FOR PURCHASE", "6985"): lambda: outside().send("B02C01000F" + "00" * 15),
    ("DEBIT FOR PURCHASE", "9302"): lambda: _begun(
        account(), PURCHASE, "B02C01000F0000000120260310093000" + "00" * 4
    ),
    ("GET BALANCE", "6982"): lambda: account(pin=False).send("B026000104"),
    ("GET BALANCE", "6985"): lambda: outside().send("B026000104"),
    ("GET TRANSACTION PROOF", "6985"): lambda: outside().send("B02E0001020000"),
    ("GET TRANSACTION PROOF", "9406"): lambda: account().send("B02E0001020000"),
    ("UPDATE STARTING DAY", "6982"): lambda: account().send("B0560000020701"),
    ("UPDATE STARTING DAY", "6985"): lambda: outside().send("B0560000020701"),
    ("GET STARTING DAY", "6985"): lambda: outside().send("B056010002"),
    ("common", "6700"): lambda: after("0020000001AA"),
    ("common", "6A81"): lambda: Desk(condition=Condition.CARD_BLOCKED).send("0084000008"),
    ("common", "6A86"): lambda: after("0084000108"),
    ("common", "6D00"): lambda: after("00FF0000"),
    ("common", "6E00"): lambda: after("9084000008"),
    ("common", "9303"): lambda: after(by(K.BK), signed(K.STK, "841E0001"), "0084000008"),
}
PURCHASE = "B02801011301" + "00" * 12 + "990100000001"


def _twice(at: Account, command: str) -> str:
    at.send(command)
    return at.send(command)


def _begun(at: Account, begin: str, finish: str) -> str:
    at.send(begin)
    return at.send(finish)


def is_one_of(sw: str, published: str) -> bool:
    return (
        sw[: published.index("x")] == published.rstrip("x") if "x" in published else sw == published
    )


def test_nothing_that_is_published_is_left_out() -> None:
    assert ON_CARD.keys() | NOT_BY_OURS.keys() == PAIRS
    assert not ON_CARD.keys() & NOT_BY_OURS.keys()
    assert all(NOT_BY_OURS.values())


@pytest.mark.parametrize("pair", ON_CARD, ids=" ".join)
def test_the_card_answers_it(pair: tuple[str, str]) -> None:
    assert is_one_of(ON_CARD[pair](), pair[1])


@pytest.mark.parametrize(
    ("steps", "still"),
    [
        ([by(K.UKSSSE), worn, "00DC022803020134", "00B2022800"], "0201339000"),
        ([worn, RIGHT_PIN, "00200000"], "63C3"),
        ([worn, WRONG_PIN, "00200000"], "63C3"),
        ([by(K.BK), worn_but_signed(K.STK, "84160000"), "0020000000"], "63C3"),
    ],
)
def test_a_worn_memory_leaves_everything_as_it_was(
    steps: list[Callable[[Desk], object] | str], still: str
) -> None:
    assert after(*steps) == still


# The terminal's side


class Scripted(SimulatedCard):
    """A simulated card that answers the commands of one instruction with a word of the test."""

    ins = -1
    sw = 0
    p1: int | None = None
    armed = False

    def transmit(self, command: bytes) -> bytes:
        if self.armed and command[1] == self.ins and self.p1 in (None, command[2]):
            return self.sw.to_bytes(2, "big")
        return super().transmit(command)


class Terminal:
    """A selected card that can be armed, and what a terminal does with it."""

    def __init__(self) -> None:
        profile = load_profile("adult-3.0")
        account = replace(profile.medical_account, starting_day_key="8E")
        profile = replace(profile, medical_account=account)
        self.chip = Scripted(profile, random=Random(1).randbytes, protocol="T1")
        self.reader = InProcessReader("slot", self.chip)
        self.channel = CardChannel(stack(self.reader.connect()))
        self.card = SocialSecurityCard.select(self.channel)
        self.sam = SoftwareSam.development(Random(2).randbytes, terminal_number="990100000001")
        self.card.authenticate(self.sam)
        self.maintenance = CardMaintenance(self.card, self.sam)
        self.account = MedicalAccount(self.card)

    def arm(self, ins: int, sw: int, p1: int | None = None) -> None:
        self.chip.ins, self.chip.sw, self.chip.p1, self.chip.armed = ins, sw, p1, True

    def sealed(self) -> SecureMessaging:
        return SecureMessaging(self.channel, self.card.identity, self.sam, K.STK)


def _pin() -> Pin:
    return Pin("246810")


def _buy(at: Terminal) -> object:
    return at.account.purchase(PurchaseOrder(1, AT), at.sam, keep=lambda _: None)


def _load(at: Terminal) -> object:
    return at.account.load(1, AT, at.sam, keep=lambda _: None)


def _set_day(at: Terminal) -> None:
    at.account.set_starting_day(1, 1, at.sam, key_number=0x8E)


DO: dict[str, tuple[int, int | None, Callable[[Terminal], object]]] = {
    "APPLICATION BLOCK": (0x1E, None, lambda at: at.maintenance.block_application("SSSE")),
    "CARD BLOCK": (0x16, None, lambda at: at.maintenance.block_card()),
    "CHANGE PIN": (0x5E, None, lambda at: at.card.change_pin(_pin(), _pin())),
    "EXTERNAL AUTHENTICATE": (0x82, None, lambda at: at.card.authorise(at.sam, K.UKSSSE)),
    "GET CHALLENGE": (0x84, None, lambda at: at.channel.get_challenge()),
    "INTERNAL AUTHENTICATE": (0x88, None, lambda at: at.card.authenticate(at.sam)),
    "PIN UNBLOCK": (0x24, None, lambda at: at.maintenance.unblock_pin()),
    "PIN RELOAD": (0x24, None, lambda at: at.maintenance.reload_pin(_pin())),
    "READ BINARY": (0xB0, None, lambda at: at.channel.read_binary(0, 1, sfi=8)),
    "READ RECORD": (0xB2, None, lambda at: at.channel.read_record_by_tag(1, sfi=5)),
    "SELECT": (0xA4, None, lambda at: at.channel.select_fid(0xDF02)),
    "UPDATE BINARY": (0xD6, None, lambda at: at.sealed().update_binary(0, b"1", sfi=8)),
    "UPDATE RECORD": (0xDC, None, lambda at: at.sealed().update_record_by_tag(2, b"\x02\x011")),
    "VERIFY": (0x20, None, lambda at: at.card.verify_pin(_pin())),
    "INITIALIZE FOR LOAD": (0x28, 0, _load),
    "CREDIT FOR LOAD": (0x2A, None, _load),
    "INITIALIZE FOR PURCHASE": (0x28, 1, _buy),
    "DEBIT FOR PURCHASE": (0x2C, None, _buy),
    "GET BALANCE": (0x26, None, lambda at: at.account.balance()),
    "GET TRANSACTION PROOF": (
        0x2E, None, lambda at: at.account.prove(TransactionKind.LOAD, b"\x00\x00")
    ),
    "UPDATE STARTING DAY": (0x56, 0, _set_day),
    "GET STARTING DAY": (0x56, 1, lambda at: at.account.starting_day()),
}  # fmt: skip
ACCOUNT = {
    0x6901: WrongTransactionState,
    0x6982: PinNeeded,
    0x6985: AccountNotAvailable,
    0x9302: TransactionMacRefused,
    0x9401: InsufficientBalance,
    0x9402: CounterExhausted,
    0x9403: KeyIndexNotSupported,
    0x9406: ProofNotAvailable,
    0x6581: TransactionUncertain,
}
SPECIAL: dict[tuple[str, int], type[CardError]] = {
    ("CHANGE PIN", 0x63C2): PinWrong,
    ("CHANGE PIN", 0x6983): PinBlocked,
    ("VERIFY", 0x63C2): PinWrong,
    ("VERIFY", 0x6983): PinBlocked,
    ("EXTERNAL AUTHENTICATE", 0x63C2): KeyRefused,
    ("EXTERNAL AUTHENTICATE", 0x6983): KeyRefused,
    ("EXTERNAL AUTHENTICATE", 0x6A88): KeyNotAvailable,
    ("INTERNAL AUTHENTICATE", 0x6A88): NotAuthentic,
    ("SELECT", 0x9303): ApplicationLocked,
    **{
        (command, 0x6988): MacRefused
        for command in (
            "APPLICATION BLOCK", "CARD BLOCK", "PIN UNBLOCK", "PIN RELOAD", "UPDATE BINARY",
            "UPDATE RECORD",
        )
    },
    ("UPDATE BINARY", 0x6987): MacMissing,
    ("UPDATE RECORD", 0x6987): MacMissing,
}  # fmt: skip
CODES = {
    PinWrong: -51,
    PinBlocked: -52,
    KeyNotAvailable: -27272,
    NotAuthentic: -21,
    ApplicationLocked: -37635,
}
"""Errors whose code of LD/T 33 is not the status word's (facts 6.4)."""
ASKED = sorted(
    (command, sw) for command, sw in PAIRS if command in DO and sw not in ("61xx", "6Cxx")
)


def word(published: str) -> int:
    return int(published.replace("x", "2"), 16)


@pytest.mark.parametrize(("command", "published"), ASKED, ids=[" ".join(pair) for pair in ASKED])
def test_the_terminal_tells_it_apart(command: str, published: str) -> None:
    at, sw = Terminal(), word(published)
    ins, p1, do = DO[command]
    if ins in (0x26, 0x28, 0x2A, 0x2C, 0x2E, 0x56):
        at.card.verify_pin(_pin())
        expected: type[CardError] = ACCOUNT[sw]
    else:
        expected = SPECIAL.get((command, sw), StatusError)
    at.arm(ins, sw, p1)
    with pytest.raises(expected) as raised:
        do(at)
    assert type(raised.value) is expected
    assert code_of(raised.value) == CODES.get(expected, -sw)


@pytest.mark.parametrize("sw", [0x6A81, 0x9303])
@pytest.mark.parametrize("command", DO)
def test_a_lock_is_told_by_every_command(command: str, sw: int) -> None:
    at = Terminal()
    ins, p1, do = DO[command]
    at.card.verify_pin(_pin())
    at.arm(ins, sw, p1)
    with pytest.raises(CardError) as raised:
        do(at)
    assert code_of(raised.value) in (-sw, -0x9303, -21)


@pytest.mark.parametrize("sw", [0x6700, 0x6A86, 0x6D00, 0x6E00, 0x6F00, 0x1234])
@pytest.mark.parametrize("command", DO)
def test_any_other_word_is_an_error_that_keeps_it(command: str, sw: int) -> None:
    at = Terminal()
    ins, p1, do = DO[command]
    at.card.verify_pin(_pin())
    at.arm(ins, sw, p1)
    with pytest.raises(CardError) as raised:
        do(at)
    assert code_of(raised.value) in (-sw, -21)


def test_words_have_one_name_each() -> None:
    """Facts 5.2: every common status word is known by name."""
    fixed = {sw for _, sw in PAIRS if "x" not in sw}
    assert {int(sw, 16) for sw in fixed} <= {*StatusWord}
