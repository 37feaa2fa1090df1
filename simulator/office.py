"""What the city's staff do in a story: codes, losses, replacements, and the passing of time.

It speaks the back office's staff interface over any transport, so the back office may be in this
process or another one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from backend_client.codec import encode
from backend_client.messages import CardRef
from backend_client.transport import Request, Transport

PREFIX = "/admin/v1"


class OfficeRefused(Exception):
    """The back office did not do what its staff asked. `code` is the problem's code."""

    def __init__(self, path: str, status: int, code: str) -> None:
        super().__init__(f"{path}: {code} ({status})")
        self.code = code


class Office:
    """The staff of one back office. Every method raises `OfficeRefused` for a no."""

    def __init__(self, transport: Transport, admin_token: str) -> None:
        self._transport = transport
        self._admin_token = admin_token

    def enrolment_code(self, institution: str) -> str:
        """A one-time code for a terminal of that institution."""
        return str(self._ask("/enrolment-codes", {"institution": institution})["code"])

    def report_temporary_loss(self, card: CardRef) -> None:
        """The holder calls (Article 18)."""
        self._ask("/losses", {**_key(card), "kind": "temporary", "channel": "phone"})

    def report_formal_loss(self, card: CardRef) -> None:
        """The holder comes to a community service point (Article 18)."""
        self._ask("/losses", {**_key(card), "kind": "formal", "channel": "community_point"})

    def release_loss(self, card: CardRef) -> None:
        """The card was found (Article 19)."""
        self._ask("/losses/release", _key(card))

    def replace(self, old: CardRef, new: CardRef) -> None:
        """A new card in place of one that is formally lost (Articles 19, 23)."""
        self._ask("/replacements", {**_key(old), "new": encode(new)})

    def verdict(self, application: str, department: str, reason: str = "") -> None:
        """A department verifies an application, or says why not (Article 10)."""
        body = {"application_id": application, "department": department, "passed": not reason}
        self._ask("/applications/verdicts", {**body, **({"text": reason} if reason else {})})

    def made(self, application: str, new: CardRef) -> None:
        """The card of an application is made (Articles 11, 23)."""
        self._ask("/applications/made", {"application_id": application, "new": encode(new)})

    def issued(self, application: str) -> None:
        """The card of an application is handed out (Articles 11, 23)."""
        self._ask("/applications/issued", {"application_id": application})

    def bank_reports(self, card: CardRef, event: str, bank: str) -> None:
        """A service bank reports something of its function (Articles 14, 20)."""
        self._ask("/bank-functions", {**_key(card), "event": event, "bank": bank})

    def ecard_code(self, card: CardRef) -> str:
        """What the holder's telephone shows: a code of the electronic card (Article 31)."""
        return str(self._ask("/ecards/codes", _key(card))["code"])

    def wait_until(self, instant: datetime) -> None:
        """Let the back office's simulated clock go on to `instant`, if it is not there yet."""
        self._ask("/clock", {"until": instant.isoformat()})

    def _ask(self, path: str, body: Mapping[str, object]) -> Mapping[str, Any]:
        headers = {
            "content-type": "application/json",
            "authorization": f"Bearer {self._admin_token}",
        }
        data = json.dumps(body).encode()
        reply = self._transport.send(Request("POST", PREFIX + path, data, headers))
        answer: Mapping[str, Any] = json.loads(reply.body)
        if reply.status >= 300:
            raise OfficeRefused(path, reply.status, str(answer.get("code")))
        return answer


def _key(card: CardRef) -> dict[str, str]:
    return {"card_id": card.card_id}
