"""The shape of what a refusal says."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

NO_REPAIR = "Nothing to repair: the rule that the code names says no."


@dataclass(frozen=True, slots=True)
class Wording:
    """`zh` and `en` are for the holder, `remedy` for the operator."""

    status: HTTPStatus
    zh: str
    en: str
    article: int | None = None
    remedy: str = NO_REPAIR
