"""pCardInfo: which card the caller means (facts 6.1)."""

from __future__ import annotations

import re

from apdu.ssc.driver.result import DriverRefusal, ResultCode
from apdu.ssc.identity import OneCard

LONGEST = 128

_CARD = re.compile(r"([0-9A-Fa-f]{32})\|([^|]{0,9})\|")


def parse_card_info(text: str) -> OneCard:
    """`card id|card number|`. Raises -23 for anything else.

    `OneCard.require` then raises `AnotherCard` (-22) for a card that is not this one.
    """
    match = _CARD.fullmatch(text) if len(text) <= LONGEST else None
    if match is None:
        raise DriverRefusal(ResultCode.ILLEGAL_DATA, "pCardInfo")
    return OneCard(bytes.fromhex(match[1]), match[2])
