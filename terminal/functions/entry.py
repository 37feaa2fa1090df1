"""Steps that several functions share: admission, and the PIN.

Every PIN that was typed is wiped before the step that asked for it is left, except one that is
returned; that one the caller wipes.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack

from apdu.pin import Pin
from apdu.status import PinBlocked, PinWrong
from terminal.admission import Admitted
from terminal.admission import Refused as NotAdmitted
from terminal.errors import explain
from terminal.flow import pin
from terminal.functions.proof import ask_for_proofs, torn_debits
from terminal.outcome import Refused
from terminal.policy import Function
from terminal.reasons import Reason
from terminal.screens import Answer, AskPin, Screen
from terminal.settings import PinSettings
from terminal.text import Text
from terminal.visit import Visit

_NO_HINT = Text("", "")
_PIN_TITLE = Text("请输入密码", "Please enter your PIN")
_NEW_TITLE = Text("请输入新密码", "Please enter a new PIN")
_AGAIN_TITLE = Text("请再次输入新密码", "Please enter the new PIN again")
_DIFFERENT = Text(
    "两次输入的新密码不一致，请重新设置。", "The two new PINs differ. Please start again."
)
_NOT_INITIAL = Text(
    "新密码不能是初始密码，请换一个。",
    "The new PIN must not be the initial one. Please choose another.",
)
_LENGTH = Text(
    "新密码应为{shortest}至{longest}位数字。", "A new PIN has {shortest} to {longest} digits."
)
_NOT_THE_OLD = Text("新密码不能与原密码相同。", "The new PIN must differ from the old one.")
_LAST_TRY = Text(
    "只剩最后1次机会，再错将锁定密码。", "This is the last try: another wrong PIN blocks the PIN."
)
_NO_PIN = Refused(
    "PIN_NOT_SET",
    Text(
        "这张卡没有设置密码，不能在本机办理。", "This card has no PIN, so this cannot be done here."
    ),
    Text(
        "请携带身份证件到社区受理网点设置密码。",
        "Please take your identity document to a community service point and have a PIN set.",
    ),
)


def admitted(visit: Visit, function: Function) -> Admitted | Refused:
    """What admission says, as the outcome of a flow where it says no.

    A card whose debit was torn is asked for its proof first: it may be just what keeps it out.
    """
    if function.is_value:
        ask_for_proofs(visit)
    decision = visit.admit(function)
    if isinstance(decision, NotAdmitted):
        return refusal(decision)
    return decision


def let_in(visit: Visit, function: Function) -> Generator[Screen, Answer, Admitted | Refused]:
    """`admitted` for a value function. A card that a torn debit keeps out may prove itself in.

    When its proof does not tell whose it is, the card's log does, which opens with the PIN.
    """
    decision = admitted(visit, function)
    if isinstance(decision, Admitted) or not _may_prove(visit, decision):
        return decision
    entered = yield from verified_pin(visit)
    if isinstance(entered, Refused):
        return entered
    entered.wipe()
    return admitted(visit, function)


def let_in_with_pin(
    visit: Visit, function: Function
) -> Generator[Screen, Answer, Admitted | Refused]:
    """`let_in`, and then the PIN if admission wants it."""
    decision = yield from let_in(visit, function)
    if isinstance(decision, Refused):
        return decision
    refused = yield from holder_verified(visit, decision)
    return refused or decision


def _may_prove(visit: Visit, decision: Refused) -> bool:
    is_open = decision.code == Reason.OPERATION_OPEN and not visit.pin_verified
    return is_open and any(torn_debits(visit))


def refusal(decision: NotAdmitted) -> Refused:
    """A refusal by admission, as an outcome."""
    return Refused(decision.reason.value, decision.text, decision.advice, decision.article)


def holder_verified(visit: Visit, decision: Admitted) -> Generator[Screen, Answer, Refused | None]:
    """Ask for the PIN if admission wants it and this visit has not had it yet."""
    if not decision.requires_pin or visit.pin_verified:
        return None
    entered = yield from verified_pin(visit)
    if isinstance(entered, Refused):
        return entered
    entered.wipe()
    return None


def verified_pin(
    visit: Visit, title: Text = _PIN_TITLE, hint: Text = _NO_HINT
) -> Generator[Screen, Answer, Pin | Refused]:
    """Ask for the PIN until the card takes it, telling how many tries are left.

    `hint` is told with every wrong PIN. Raises `PinBlocked` when no try is left, before asking
    where that is known already.
    """
    left = visit.card.pin_tries_left()
    if left is None and not visit.pin_verified:
        return _NO_PIN
    note = _LAST_TRY if left == 1 else None
    while left != 0:
        entered = yield from pin(AskPin(title, note, left))
        try:
            visit.card.verify_pin(entered)
        except PinWrong as wrong:
            entered.wipe()
            left, told = wrong.tries_left, explain(wrong).text
            note = Text(f"{told.zh}{hint.zh}", f"{told.en} {hint.en}".rstrip())
        except BaseException:
            entered.wipe()
            raise
        else:
            visit.pin_verified = True
            return entered
    raise PinBlocked("no try is left")


def new_pin(rules: PinSettings, old: Pin) -> Generator[Screen, Answer, Pin]:
    """Ask for a new PIN twice: neither the old nor an initial one, and twice the same."""
    note: Text | None = None
    while True:
        with ExitStack() as wiped:
            first = wiped.enter_context((yield from pin(_ask_new(rules, _NEW_TITLE, note))))
            note = _objection(rules, first, old)
            if note is not None:
                continue
            with (yield from pin(_ask_new(rules, _AGAIN_TITLE))) as second:
                same = second.matches(first)
            if same:
                wiped.pop_all()
                return first
            note = _DIFFERENT


def is_initial(rules: PinSettings, entered: Pin) -> bool:
    """Whether this is a PIN that cards are issued with."""
    return any(entered.matches(Pin(initial)) for initial in rules.initial)


def _ask_new(rules: PinSettings, title: Text, note: Text | None = None) -> AskPin:
    return AskPin(title, note, shortest=rules.min_length, longest=rules.max_length)


def _objection(rules: PinSettings, candidate: Pin, old: Pin) -> Text | None:
    if not rules.min_length <= candidate.length <= rules.max_length:
        return _LENGTH.fill(shortest=rules.min_length, longest=rules.max_length)
    if is_initial(rules, candidate):
        return _NOT_INITIAL
    return _NOT_THE_OLD if candidate.matches(old) else None
