"""The functions of LD/T 33: what hospital programs call to use a social security card (facts 6).

`Driver` has one method a function, and `FUNCTIONS` the functions by their names in the standard
("iReadCardBas"), for faces that call them by name. Outputs are the standard's strings.
"""

from __future__ import annotations

from apdu.ssc.driver.device import Devices, Interface, Modules, always, no_module, psam_in
from apdu.ssc.driver.driver import Driver
from apdu.ssc.driver.functions import FUNCTIONS, Function, call
from apdu.ssc.driver.interrupted import Debits, FinishedDebit, InterruptedDebits
from apdu.ssc.driver.pin_pad import PinCancelled, PinPad, PinPrompt, PinTimeout
from apdu.ssc.driver.result import FALLBACK_CODES, DriverResult, ResultCode

__all__ = [
    "FALLBACK_CODES",
    "FUNCTIONS",
    "Debits",
    "Devices",
    "Driver",
    "DriverResult",
    "FinishedDebit",
    "Function",
    "Interface",
    "InterruptedDebits",
    "Modules",
    "PinCancelled",
    "PinPad",
    "PinPrompt",
    "PinTimeout",
    "ResultCode",
    "always",
    "call",
    "no_module",
    "psam_in",
]
