"""The functions by their names in LD/T 33, for faces that call them by name (facts 6.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from apdu.ssc.driver.driver import Driver
from apdu.ssc.driver.result import DriverRefusal, DriverResult, ResultCode, failure

_TYPES: Mapping[str, type] = {"i": int, "p": str}
"""The standard's names begin with their type."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function: its name, its input parameters in order, and the method behind it."""

    name: str
    parameters: tuple[str, ...]
    method: Callable[..., DriverResult]

    def type_of(self, parameter: str) -> type:
        """The type of an input parameter: `int` for iType, `str` for pKey."""
        return _TYPES[parameter[0]]


def call(driver: Driver, name: str, arguments: Mapping[str, object]) -> DriverResult:
    """Call a function by name. `arguments` that it does not take are left alone.

    -13 for a name that is no function, -14 for an argument that is missing or of another type.
    """
    function = FUNCTIONS.get(name)
    if function is None:
        return failure(DriverRefusal(ResultCode.NOT_SUPPORTED, "no such function"))
    values = [arguments.get(parameter) for parameter in function.parameters]
    for parameter, value in zip(function.parameters, values, strict=True):
        if type(value) is not function.type_of(parameter):
            return failure(DriverRefusal(ResultCode.BAD_PARAMETER, f"{name}, {parameter}"))
    return function.method(driver, *values)


def _function(name: str, method: Callable[..., DriverResult], *parameters: str) -> Function:
    return Function(name, parameters, method)


_CARD = ("iType", "pCardInfo")
_FILE = (*_CARD, "pFileAddr")

FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        function.name: function
        for function in (
            _function("iReadCardBas", Driver.read_card_bas, "iType"),
            _function("iReadCard", Driver.read_card, "iType", "iAuthType", *_FILE[1:]),
            _function("iWriteCard", Driver.write_card, *_FILE, "pWriteData"),
            _function("iVerifyPIN", Driver.verify_pin, "iType"),
            _function("iChangePIN", Driver.change_pin, "iType"),
            _function("iReloadPIN", Driver.reload_pin, *_CARD),
            _function("iUnblockPIN", Driver.unblock_pin, *_CARD),
            _function("iDoDebit", Driver.do_debit, *_CARD, "pPayInfo"),
            _function("iReadDebitRecord", Driver.read_debit_record, "iType"),
            _function("iReadCardBas_HSM_Step1", Driver.read_card_bas_hsm_step1, "iType"),
            _function("iReadCardBas_HSM_Step2", Driver.read_card_bas_hsm_step2, "pKey"),
            _function("iReadCard_HSM_Step1", Driver.read_card_hsm_step1, *_FILE),
            _function("iReadCard_HSM_Step2", Driver.read_card_hsm_step2, "pKey"),
            _function("iWriteCard_HSM_Step1", Driver.write_card_hsm_step1, *_FILE),
            _function("iWriteCard_HSM_Step2", Driver.write_card_hsm_step2, "pKey", "pWriteData"),
            _function("iReloadPIN_HSM_Step1", Driver.reload_pin_hsm_step1, *_CARD),
            _function("iReloadPIN_HSM_Step2", Driver.reload_pin_hsm_step2, "pKey"),
            _function("iReloadPIN_HSM_Step3", Driver.reload_pin_hsm_step3, "pKey"),
            _function("iUnblockPIN_HSM_Step1", Driver.unblock_pin_hsm_step1, *_CARD),
            _function("iUnblockPIN_HSM_Step2", Driver.unblock_pin_hsm_step2, "pKey"),
            _function("iUnblockPIN_HSM_Step3", Driver.unblock_pin_hsm_step3, "pKey"),
            _function("iDoDebit_HSM_Step1", Driver.do_debit_hsm_step1, *_CARD, "pPayInfo"),
            _function("iDoDebit_HSM_Step2", Driver.do_debit_hsm_step2, "pKey"),
        )
    }
)
