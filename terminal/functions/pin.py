"""Change of the PIN: the old one, the new one twice."""

from __future__ import annotations

from apdu.pin import Pin
from apdu.status import CardRemoved, CardReset, NoAnswer
from terminal.flow import Flow, committing
from terminal.functions.earlier import earlier
from terminal.functions.entry import admitted, new_pin, verified_pin
from terminal.outcome import Done, Failed, Refused
from terminal.policy import Function
from terminal.text import Text
from terminal.visit import Visit

_OLD_TITLE = Text("请输入原密码", "Please enter your present PIN")
_CHANGED = Text("密码已修改，请牢记新密码。", "Your PIN was changed. Please remember the new one.")
_MAYBE_CHANGED = Text(
    "修改密码时中断：新密码可能已生效。下次请先试新密码，不对再用原密码。",
    "This stopped while the PIN was being changed: the new PIN may be in force. Next time try the "
    "new PIN first, then the old one.",
)


def flow(visit: Visit) -> Flow:
    """Ask, check, change. Nothing changes before the card takes the CHANGE PIN command."""
    decision = admitted(visit, Function.PIN_CHANGE)
    if isinstance(decision, Refused):
        return decision
    old = yield from verified_pin(visit, _OLD_TITLE)
    if isinstance(old, Refused):
        return old
    with old:
        yield from earlier(visit)
        with (yield from new_pin(visit.pin_rules, old)) as new:
            yield from committing("正在修改密码，请勿取卡", "Changing the PIN: leave the card in")
            failed = change(visit, old, new)
    return failed or Done(_CHANGED)


def change(visit: Visit, old: Pin, new: Pin) -> Failed | None:
    """Change the PIN on the card. A card that goes silent meanwhile leaves it open which holds."""
    try:
        visit.card.change_pin(old, new)
    except (CardRemoved, CardReset, NoAnswer) as error:
        return Failed(error, _MAYBE_CHANGED)
    return None
