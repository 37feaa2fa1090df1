"""Whether the kiosk can serve at all, and what it cannot do at present."""

from __future__ import annotations

from dataclasses import dataclass

from terminal.app import Terminal
from terminal.errors import explain
from terminal.policy import Function
from terminal.store.blacklist import ListHead
from terminal.text import Text

_NOT_ENROLLED = Text("本机尚未启用。", "This terminal is not in service yet.")
_NO_LIST = Text(
    "本机还没有收到挂失名单，暂停服务。",
    "This terminal has no list of lost cards yet and cannot serve.",
)
_STALE = Text(
    "挂失名单未及时更新，暂时只能查询，不能结算和开通。",
    "The list of lost cards is out of date: you can look things up, but not settle or activate.",
)
_CLOCK = Text(
    "本机时间未经确认，暂时只能查询，不能结算和开通。",
    "The clock is not confirmed: you can look things up, but not settle or activate.",
)


@dataclass(frozen=True, slots=True)
class Standing:
    """`reason` and `code` say why nobody is served; `limits` what is not possible at present."""

    reason: Text | None = None
    code: str = ""
    limits: tuple[Text, ...] = ()

    @property
    def serves(self) -> bool:
        """Whether cards are served."""
        return self.reason is None


def standing(terminal: Terminal, trouble: Exception | None) -> Standing:
    """How the kiosk stands; `trouble` is what is wrong with the reader. Never raises."""
    if trouble is not None:
        told = explain(trouble)
        return Standing(told.text, told.code)
    try:
        return _of(terminal)
    except Exception as error:
        told = explain(error)
        return Standing(told.text, told.code)


def _of(terminal: Terminal) -> Standing:
    if terminal.identity is None:
        return Standing(_NOT_ENROLLED, "TERMINAL_NOT_ENROLLED")
    head = terminal.blacklist.head()
    policy = terminal.settings.policy
    if head is None and policy[Function.READ].needs_list:
        return Standing(_NO_LIST, "LIST_MISSING")
    limits = []
    if not terminal.clock_guard.trusted():
        limits.append(_CLOCK)
    elif head is not None and _stale(head, terminal):
        limits.append(_STALE)
    return Standing(limits=tuple(limits))


def _stale(head: ListHead, terminal: Terminal) -> bool:
    """Whether the list is too old for what moves money."""
    now = terminal.clock.now()
    oldest = terminal.settings.policy[Function.SETTLEMENT].max_list_age
    return now - head.issued_at > oldest or now >= head.expires_at
