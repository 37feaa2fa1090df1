"""The functions of LD/T 33, one method each (facts 6.1).

`interface` is iType (1 contact, 2 contactless, 3 contact first, 4 contactless first), strings are
the standard's. Every method powers the card, works and powers it off, also when it fails; the first
steps of the HSM forms leave it powered for the next one. None raises for what a card, a module, a
holder or the caller's parameters do: the code says it.
"""

from __future__ import annotations

from collections.abc import Callable

from apdu.ssc.driver import exchanges, operations
from apdu.ssc.driver.device import Devices
from apdu.ssc.driver.interrupted import Debits, InterruptedDebits
from apdu.ssc.driver.result import DriverResult, ResultCode, failure
from apdu.ssc.driver.steps import Steps
from apdu.ssc.transactions import PendingDebit
from apdu.status import CardError


class Driver:
    """The functions at one point of use. Not for two threads at once.

    `keep` is given every debit before it leaves the terminal, to be stored: with it, and the same
    card, it can be found out whether the card was charged. The driver itself does so when it is
    asked for the same payment again. Several drivers of one point of use share `debits` instead.
    """

    def __init__(
        self,
        devices: Devices,
        *,
        keep: Callable[[PendingDebit], None] = lambda _debit: None,
        debits: Debits | None = None,
    ) -> None:
        self._devices = devices
        self._steps = Steps()
        self._debits = debits or InterruptedDebits(keep)

    def close(self) -> None:
        """Give up an HSM form that is half way, and power its card off."""
        self._steps.end()

    # With a PSAM

    def read_card_bas(self, interface: int) -> DriverResult:
        """iReadCardBas: eleven fields about card and holder (facts 6.2)."""
        return self._run(lambda: operations.read_card_bas(self._devices, interface))

    def read_card(
        self, interface: int, auth_type: int, card_info: str, file_addr: str
    ) -> DriverResult:
        """iReadCard: items of files. `auth_type`: 1 the PIN, 2 the key, where either opens."""
        return self._run(
            lambda: operations.read_card(self._devices, interface, auth_type, card_info, file_addr)
        )

    def write_card(
        self, interface: int, card_info: str, file_addr: str, write_data: str
    ) -> DriverResult:
        """iWriteCard: items of files, records of cyclic files, whole transparent files."""
        return self._run(
            lambda: operations.write_card(
                self._devices, interface, card_info, file_addr, write_data
            )
        )

    def verify_pin(self, interface: int) -> DriverResult:
        """iVerifyPIN: after a wrong PIN the output is the number of tries left."""
        return self._run(lambda: operations.verify_pin(self._devices, interface))

    def change_pin(self, interface: int) -> DriverResult:
        """iChangePIN: the old PIN, then the new one twice."""
        return self._run(lambda: operations.change_pin(self._devices, interface))

    def reload_pin(self, interface: int, card_info: str) -> DriverResult:
        """iReloadPIN: a new PIN, entered twice, without the old one."""
        return self._run(lambda: operations.reload_pin(self._devices, interface, card_info))

    def unblock_pin(self, interface: int, card_info: str) -> DriverResult:
        """iUnblockPIN: all tries back; the PIN stays."""
        return self._run(lambda: operations.unblock_pin(self._devices, interface, card_info))

    def do_debit(self, interface: int, card_info: str, pay_info: str) -> DriverResult:
        """iDoDebit: pay, after the PIN; the output is what the TAC is checked with, and the TAC."""
        return self._run(
            lambda: operations.do_debit(self._devices, self._debits, interface, card_info, pay_info)
        )

    def read_debit_record(self, interface: int) -> DriverResult:
        """iReadDebitRecord: the card's settlements, newest first, after the PIN."""
        return self._run(lambda: operations.read_debit_record(self._devices, interface))

    # With an HSM, which the caller asks between the steps

    def read_card_bas_hsm_step1(self, interface: int) -> DriverResult:
        """iReadCardBas_HSM_Step1: what the HSM is asked."""
        exchange = exchanges.read_card_bas(self._devices, interface)
        return self._steps.begin("iReadCardBas_HSM", exchange)

    def read_card_bas_hsm_step2(self, key: str) -> DriverResult:
        """iReadCardBas_HSM_Step2: as `read_card_bas`."""
        return self._steps.resume("iReadCardBas_HSM", 2, key)

    def read_card_hsm_step1(self, interface: int, card_info: str, file_addr: str) -> DriverResult:
        """iReadCard_HSM_Step1: for the first file; -2204 where no key is needed."""
        exchange = exchanges.read_card(self._devices, interface, card_info, file_addr)
        return self._steps.begin("iReadCard_HSM", exchange)

    def read_card_hsm_step2(self, key: str) -> DriverResult:
        """iReadCard_HSM_Step2: as `read_card`."""
        return self._steps.resume("iReadCard_HSM", 2, key)

    def write_card_hsm_step1(self, interface: int, card_info: str, file_addr: str) -> DriverResult:
        """iWriteCard_HSM_Step1: for the first file."""
        exchange = exchanges.write_card(self._devices, interface, card_info, file_addr)
        return self._steps.begin("iWriteCard_HSM", exchange)

    def write_card_hsm_step2(self, key: str, write_data: str) -> DriverResult:
        """iWriteCard_HSM_Step2: as `write_card`."""
        return self._steps.resume("iWriteCard_HSM", 2, key, write_data)

    def reload_pin_hsm_step1(self, interface: int, card_info: str) -> DriverResult:
        """iReloadPIN_HSM_Step1: the question for PUK."""
        exchange = exchanges.reload_pin(self._devices, interface, card_info)
        return self._steps.begin("iReloadPIN_HSM", exchange)

    def reload_pin_hsm_step2(self, key: str) -> DriverResult:
        """iReloadPIN_HSM_Step2: asks for the new PIN; the output holds it, for the HSM."""
        return self._steps.resume("iReloadPIN_HSM", 2, key)

    def reload_pin_hsm_step3(self, key: str) -> DriverResult:
        """iReloadPIN_HSM_Step3: the command that the HSM made."""
        return self._steps.resume("iReloadPIN_HSM", 3, key)

    def unblock_pin_hsm_step1(self, interface: int, card_info: str) -> DriverResult:
        """iUnblockPIN_HSM_Step1: the question for PUK."""
        exchange = exchanges.unblock_pin(self._devices, interface, card_info)
        return self._steps.begin("iUnblockPIN_HSM", exchange)

    def unblock_pin_hsm_step2(self, key: str) -> DriverResult:
        """iUnblockPIN_HSM_Step2: the question for the command's MAC."""
        return self._steps.resume("iUnblockPIN_HSM", 2, key)

    def unblock_pin_hsm_step3(self, key: str) -> DriverResult:
        """iUnblockPIN_HSM_Step3: the command that the HSM made."""
        return self._steps.resume("iUnblockPIN_HSM", 3, key)

    def do_debit_hsm_step1(self, interface: int, card_info: str, pay_info: str) -> DriverResult:
        """iDoDebit_HSM_Step1: after the PIN, the question for MAC1."""
        exchange = exchanges.do_debit(self._devices, self._debits, interface, card_info, pay_info)
        return self._steps.begin("iDoDebit_HSM", exchange)

    def do_debit_hsm_step2(self, key: str) -> DriverResult:
        """iDoDebit_HSM_Step2: the debit; MAC2, and as `do_debit`."""
        return self._steps.resume("iDoDebit_HSM", 2, key)

    def _run(self, work: Callable[[], str]) -> DriverResult:
        self._steps.end()
        try:
            return DriverResult(ResultCode.SUCCESS, work())
        except CardError as error:
            return failure(error)
