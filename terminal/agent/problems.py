"""Errors as problem details (RFC 9457), with the stable code and both sentences."""

from __future__ import annotations

import logging
from typing import Any

from starlette.responses import JSONResponse

from apdu.ssc.account_errors import AccountError
from apdu.ssc.card import KeyRefused
from apdu.ssc.entitlement import NotReadable, PinNeeded
from apdu.ssc.identity import AnotherCard
from apdu.ssc.photo import NoPhoto
from apdu.ssc.transactions import TransactionUncertain
from apdu.ssc.values import IllegalValue
from apdu.ssc.writing import NotWritable, WriteUncertain
from apdu.status import (
    CardError,
    CardRemoved,
    CardReset,
    NoCard,
    PinBlocked,
    PinFormat,
    PinWrong,
    ReaderAmbiguous,
    ReaderBusy,
    ReaderNotFound,
    SecurityModuleError,
    ServiceUnavailable,
)
from backend_client.errors import BackendError
from terminal.agent.errors import AgentError, NotAdmitted, TooManyCalls
from terminal.errors import StoreError, explain

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

_CARD_STATUSES: tuple[tuple[type[CardError], int], ...] = (
    (ReaderNotFound, 404),
    (ReaderAmbiguous, 409),
    (ReaderBusy, 409),
    (ServiceUnavailable, 503),
    (NoCard, 409),
    (CardRemoved, 409),
    (CardReset, 409),
    (PinWrong, 403),
    (PinBlocked, 403),
    (PinFormat, 422),
    (SecurityModuleError, 503),
    (NoPhoto, 404),
    (PinNeeded, 409),
    (KeyRefused, 403),
    (NotReadable, 403),
    (NotWritable, 403),
    (IllegalValue, 422),
    (AccountError, 409),
    (TransactionUncertain, 409),
    (WriteUncertain, 409),
    (AnotherCard, 409),
)


def status_of(error: Exception) -> int:
    """The HTTP status of an error."""
    if isinstance(error, AgentError):
        return error.status
    for kind, status in _CARD_STATUSES:
        if isinstance(error, kind):
            return status
    if isinstance(error, BackendError) and error.said_no:
        return 409
    if isinstance(error, BackendError | StoreError):
        return 503
    return 502 if isinstance(error, CardError) else 500


def problem(error: Exception) -> JSONResponse:
    """The answer that tells of `error`."""
    status = status_of(error)
    told = explain(error)
    if told.code == "INTERNAL_ERROR":
        log.error("a call failed", exc_info=error)
    zh, en = told.text.zh, told.text.en
    body: dict[str, Any] = {
        "type": f"about:blank#{told.code}",
        "status": status,
        "code": told.code,
        "title": en,
        "detail": told.detail,
        "remedy": told.remedy,
    }
    if isinstance(error, NotAdmitted):
        zh, en = error.sentences
        body |= {"reason": error.reason, "title": en}
        if error.article is not None:
            body["article"] = error.article
    elif told.article is not None:
        body["article"] = told.article
    if isinstance(error, PinWrong):
        body["tries_left"] = error.tries_left
    body["text"] = {"zh": zh, "en": en}
    headers = {}
    if isinstance(error, TooManyCalls):
        headers["retry-after"] = str(max(1, round(error.seconds + 0.5)))
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(body, status, headers, MEDIA_TYPE)
