"""The infcodes of the national interface, and what each means here.

The texts fix only that 0 is success and that anything else is failure with a sentence for the
operator; the numbers differ between provinces. A code that is not in the table is a refusal all the
same, with the sentence that came with it.
"""

from __future__ import annotations

from collections.abc import Mapping

SUCCESS = "0"
SYSTEM_ERROR = "-1"
"""The receiver failed and does not say how far it came: the outcome is unknown (facts 1.1)."""

NOT_SIGNED_IN = "9003"
UNEXPLAINED_REFUSAL = "CENTRE_REFUSED"

CODES: Mapping[str, str] = {
    "9000": "CENTRE_CLOCK_DIFFERS",
    NOT_SIGNED_IN: "CENTRE_NOT_SIGNED_IN",
    "9004": "CENTRE_SIGNED_OUT_TODAY",
    "2001": "PERSON_UNKNOWN",
    "2002": "INSURANCE_NOT_IN_FORCE",
    "2003": "VISIT_UNKNOWN",
    "2004": "VISIT_HAS_SETTLEMENT",
    "2005": "FEE_LINES_MISSING",
    "2006": "FEE_LINES_DIFFER",
    "2007": "BILL_UNKNOWN",
    "2008": "BILL_SETTLED",
    "2009": "BILL_CHANGED",
    "2010": "NO_TARIFF",
    "2011": "SPLIT_DIFFERS",
    "2012": "ACCOUNT_CHANGED",
    "2013": "SETTLEMENT_UNKNOWN",
    "2014": "SETTLEMENT_CANCELLED",
    "2015": "CANCELLATION_STANDS",
    "2016": "NUMBER_REUSED",
    "2017": "NUMBER_REVERSED",
    "2018": "NUMBER_FOREIGN",
    "2019": "CARD_UNKNOWN",
    "2020": "CARD_FROZEN",
    "2021": "CARD_VOID",
    "2022": "CARD_STOPPED",
    "2023": "CARD_TEMPORARILY_LOST",
    "2024": "CARD_FORMALLY_LOST",
    "2025": "NOT_ACTIVATED",
    "2026": "ROLE_NOT_ALLOWED",
    "2027": "BAD_REQUEST",
    "2028": "BUSY",
    "2029": "FILE_UNKNOWN",
    "2030": "PROVISIONAL_UNKNOWN",
    "2031": "PROVISIONAL_SETTLED",
    "2032": "PROVISIONAL_DIFFERS",
}
"""infcode -> our stable code."""

INFCODES: Mapping[str, str] = {code: infcode for infcode, code in CODES.items()}
"""Our stable code -> infcode."""

ENGLISH: Mapping[str, str] = {
    "BILL_SETTLED": "This bill is settled already. Do not pay again.",
    "SETTLEMENT_CANCELLED": "This settlement was taken back already.",
    "PROVISIONAL_SETTLED": "This visit is settled already. Do not pay again.",
    "INSURANCE_NOT_IN_FORCE": (
        "The medical insurance is not in force, so the bill cannot be settled."
    ),
    "CENTRE_SIGNED_OUT_TODAY": (
        "This terminal has signed out for today. Please come back tomorrow, or go to the cash desk."
    ),
}
"""What a holder must know of a refusal, where it is more than that there was one.

The interface's own sentence (`err_msg`) is in Chinese only.
"""
