"""What the holders were told of their money, held against what is booked at that very moment."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulator.world.books import at_centre, done_offline, in_journal, on_card
from simulator.world.centre import Centre
from simulator.world.holder import Holder
from simulator.world.station import Station
from simulator.world.violation import Violation
from terminal.receipt import Receipt, money
from terminal.screens import Message, ReceiptScreen, Screen

RECEIPTS = frozenset({"医疗费用结算单", "结算撤销凭条", "社会保险缴费凭条", "待遇领取确认凭条"})
"""The titles of what a holder takes away when something is done."""

SLIPS = frozenset({"卡内账户付款凭条", "脱网就诊登记凭条"})
"""The titles of those for what is done without the centre."""

NOT_DONE = "OPERATION_REVERSED"


@dataclass(slots=True)
class Tellings:
    """`paid` is the cash that goes with each receipt, `undone` what was said not to have happened.

    `receipts` are those that were shown, in order; one may be shown again. `slips` are those for
    what was done without the centre.
    """

    centre: Centre
    receipts: list[tuple[str, str]] = field(default_factory=list)
    paid: dict[tuple[str, str], int] = field(default_factory=dict)
    slips: set[tuple[str, str]] = field(default_factory=set)
    undone: set[tuple[str, str]] = field(default_factory=set)


class Listener:
    """Listens to one visit. Raises `Violation` at the word that is not true."""

    def __init__(self, tellings: Tellings, station: Station, holder: Holder) -> None:
        self._tellings = tellings
        self._station = station
        self._holder = holder
        self._before = frozenset(in_journal(station))

    def saw(self, screen: Screen) -> None:
        """A screen is shown."""
        match screen:
            case ReceiptScreen(receipt=receipt) if receipt.title.zh in RECEIPTS:
                self._receipt(receipt)
            case ReceiptScreen(receipt=receipt) if receipt.title.zh in SLIPS:
                self._slip(receipt)
            case Message(code=code, body=body) if code == NOT_DONE:
                numbers = [line.en.rpartition(" ")[2] for line in body if "Number" in line.en]
                self._not_done(numbers or sorted(self._new()))
            case _:
                pass

    def _receipt(self, receipt: Receipt) -> None:
        """Money is said to have moved: it has, and in these amounts. The holder pays the cash."""
        key = self._station.terminal_id, receipt.number
        booked = at_centre(self._tellings.centre).get(key)
        if booked is None or not booked.holds:
            state = booked.state if booked else "unknown"
            raise Violation("told", f"a receipt for {receipt.number}, which is {state} there")
        values = {line.value for line in receipt.lines}
        wanted = () if booked.total_fen is None else (booked.total_fen, booked.cash_fen)
        if any(money(fen) not in values for fen in wanted):
            raise Violation("told", f"the receipt of {receipt.number} has other amounts")
        self._tellings.receipts.append(key)
        self._tellings.paid[key] = booked.cash_fen

    def _slip(self, receipt: Receipt) -> None:
        """Something is said to be done without the centre: it is, and the card has booked it."""
        done = {one.number: one for one in done_offline(self._station)}
        one = done.get(receipt.number)
        if one is None or one.state != "confirmed":
            state = one.state if one else "unknown"
            raise Violation("told", f"a receipt for {receipt.number}, which is {state} here")
        debit = one.booking
        if debit is not None:
            if debit not in on_card(self._holder)[1]:
                raise Violation("told", f"a receipt for {receipt.number}, which no card has booked")
            if all(line.value != money(debit.fen) for line in receipt.lines):
                raise Violation("told", f"the receipt of {receipt.number} has other amounts")
        self._tellings.slips.add((self._station.terminal_id, receipt.number))

    def _not_done(self, numbers: list[str]) -> None:
        """Nothing is said to have happened: nothing has, and nothing will."""
        centre = at_centre(self._tellings.centre)
        for number in numbers:
            key = self._station.terminal_id, number
            if key in centre and centre[key].holds:
                raise Violation("told", f"{number} is said not to be done, but it is booked")
            self._tellings.undone.add(key)

    def _new(self) -> frozenset[str]:
        """The numbers that this visit has begun."""
        return frozenset(in_journal(self._station)) - self._before
