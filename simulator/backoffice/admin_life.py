"""The staff's routes about applications and electronic cards, /admin/v1.

`admin-life.schema.json` defines every request, and every answer that is no message.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from backend_client.codec import canonical, decode, encode
from backend_client.life_messages import ApplicationProgress, EcardCode
from backend_client.messages import CardRef
from backend_client.transport import Reply
from simulator.backoffice.admin import PREFIX, Fields, by_of, by_staff, key_of
from simulator.backoffice.applicant import Applicant, Document, PersonClass
from simulator.backoffice.application import Cause, Department
from simulator.backoffice.applications import Correction, Wanted
from simulator.backoffice.clerks import CENTRE, Clerks, Issued
from simulator.backoffice.problems import json_reply, reply_with
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.routes import LIFE, Route
from simulator.backoffice.shapes import ADMIN_LIFE, validator
from simulator.backoffice.staff import COMMUNITY_POINT

APPLYING = LIFE | {
    Refusal.HOLDER_HAS_CARD,
    Refusal.HOLDER_HAS_NO_CARD,
    Refusal.NOT_SEVEN_YET,
    Refusal.NOT_STOPPED,
    Refusal.APPLICATION_OPEN,
    Refusal.BANK_UNKNOWN,
    Refusal.POINT_UNKNOWN,
}
"""Why an application is not taken in: what `Applications.apply_for` refuses."""

_STEP = frozenset(
    {
        Refusal.APPLICATION_UNKNOWN,
        Refusal.APPLICATION_CLOSED,
        Refusal.NOT_VERIFIED_YET,
        Refusal.CARD_NOT_MADE_YET,
        Refusal.CARD_MADE_ALREADY,
        Refusal.CHANNEL_NOT_ALLOWED,
    }
)
_ISSUE = _STEP | LIFE | {Refusal.CARD_EXISTS, Refusal.HOLDER_HAS_CARD}
_PROGRESS = ApplicationProgress.schema


class LifeAdmin:
    """The staff's routes about applications, over one back office's clerks."""

    def __init__(self, clerks: Clerks) -> None:
        self._clerks = clerks

    def routes(self) -> Mapping[str, Route]:
        """Path -> what answers a POST to it."""
        table = {
            "/applications/first": _route(
                "first-application",
                _PROGRESS,
                self._first,
                "申领 Apply for a first card (Articles 8, 9, 29)",
                APPLYING
                | {
                    Refusal.NOT_ELIGIBLE,
                    Refusal.DOCUMENT_NOT_VALID,
                    Refusal.IDENTITY_NOT_CHECKED,
                },
            ),
            "/applications": _route(
                "application",
                _PROGRESS,
                self._apply,
                "补领、换领、重新申领 Apply for another card (19, 21, 22)",
                APPLYING,
            ),
            "/applications/verdicts": _route(
                "verdict",
                _PROGRESS,
                self._judge,
                "核验 One department's verdict (10)",
                {
                    Refusal.APPLICATION_UNKNOWN,
                    Refusal.NOT_VERIFYING,
                    Refusal.VERDICT_GIVEN,
                    Refusal.REASON_MISSING,
                },
            ),
            "/applications/made": _route(
                "made",
                _PROGRESS,
                self._make,
                "制卡 The card is made (11, 23)",
                _STEP | {Refusal.CARD_EXISTS},
            ),
            "/applications/issued": _route(
                "issue",
                ADMIN_LIFE + "issued",
                self._issue,
                "发放 The card is handed out; the old one is void (11, 23)",
                _ISSUE,
            ),
            "/applications/on-the-spot": _route(
                "on-the-spot",
                ADMIN_LIFE + "issued",
                self._on_the_spot,
                "即时补换卡 A new card on the spot (23)",
                APPLYING | _ISSUE | {Refusal.POINT_MAKES_NO_CARDS},
            ),
            "/applications/withdrawn": _route(
                "withdrawal", _PROGRESS, self._withdraw, "撤回 Withdraw an application", _STEP
            ),
            "/applications/progress": _route(
                "application-key",
                _PROGRESS,
                lambda fields: reply_with(self._clerks.progress(fields["application_id"])),
                "How far an application is",
                {Refusal.APPLICATION_UNKNOWN},
            ),
            "/applications/history": _route(
                "application-key",
                ADMIN_LIFE + "application-history",
                self._history,
                "An application's audit trail (7, 27)",
                {Refusal.APPLICATION_UNKNOWN},
            ),
            "/applications/overdue": _route(
                "overdue-query",
                ADMIN_LIFE + "overdue",
                self._overdue,
                "Duties that were not met in time (10, 11, 23, 27)",
            ),
            "/ecards/codes": _route(
                "card-key",
                EcardCode.schema,
                lambda fields: reply_with(EcardCode(*self._clerks.ecard_code(key_of(fields)))),
                "A code as the holder's telephone shows it (31); stands in for the telephone",
                {Refusal.CARD_UNKNOWN, Refusal.ECARD_NONE, Refusal.ECARD_LOCKED},
            ),
        }
        return {PREFIX + path: route for path, route in table.items()}

    def _first(self, fields: Fields) -> Reply:
        names = {field.name for field in dataclasses.fields(Applicant)}
        said = {name: fields[name] for name in names & fields.keys()}
        applicant = Applicant(
            **{
                **said,
                "person_class": PersonClass(said["person_class"]),
                "document": Document(said["document"]),
            }
        )
        by = by_of(fields, COMMUNITY_POINT)
        checked = fields.get("checked", False)
        return reply_with(self._clerks.apply_first(applicant, _wanted(fields), by, checked=checked))

    def _apply(self, fields: Fields) -> Reply:
        by = by_of(fields, COMMUNITY_POINT)
        cause = Cause(fields["cause"])
        return reply_with(self._clerks.apply_for(key_of(fields), cause, _wanted(fields), by))

    def _judge(self, fields: Fields) -> Reply:
        return reply_with(
            self._clerks.judge(
                fields["application_id"],
                Department(fields["department"]),
                passed=fields["passed"],
                reason=fields.get("text", ""),
                correction=Correction(fields.get("name"), fields.get("ssn")),
                by=by_of(fields, CENTRE),
            )
        )

    def _make(self, fields: Fields) -> Reply:
        new = decode(CardRef, fields["new"])
        by = by_of(fields, CENTRE)
        return reply_with(self._clerks.make(fields["application_id"], new, by))

    def _issue(self, fields: Fields) -> Reply:
        by = by_of(fields, COMMUNITY_POINT)
        activated = fields.get("activated", False)
        return _issued(self._clerks.issue(fields["application_id"], by, activated=activated))

    def _on_the_spot(self, fields: Fields) -> Reply:
        new = decode(CardRef, fields["new"])
        by = by_of(fields, COMMUNITY_POINT)
        cause = Cause(fields["cause"])
        return _issued(self._clerks.on_the_spot(key_of(fields), cause, new, fields["point"], by))

    def _withdraw(self, fields: Fields) -> Reply:
        by = by_of(fields, COMMUNITY_POINT)
        return reply_with(self._clerks.withdraw(fields["application_id"], by))

    def _history(self, fields: Fields) -> Reply:
        lines = self._clerks.history(fields["application_id"])
        return _lines("application-history", lines)

    def _overdue(self, _fields: Fields) -> Reply:
        return _lines("overdue", self._clerks.overdue())


def _route(
    takes: str,
    gives: str,
    answer: Callable[[Fields], Reply],
    summary: str,
    refuses: Collection[Refusal] = (),
) -> Route:
    return by_staff(takes, gives, answer, summary, refuses, shapes=ADMIN_LIFE)


def _wanted(fields: Fields) -> Wanted:
    return Wanted(fields.get("bank"), fields.get("pick_up"))


def _issued(issued: Issued) -> Reply:
    answer = {"progress": encode(issued.progress), "new": encode(issued.new)}
    return _checked("issued", answer)


def _lines(name: str, lines: Collection[object]) -> Reply:
    """Lines as JSON, their instants as text."""
    found = [
        {
            key: value.isoformat() if isinstance(value, datetime) else value
            for key, value in dataclasses.asdict(line).items()  # type: ignore[call-overload]
        }
        for line in lines
    ]
    return _checked(name, {"lines": found})


def _checked(name: str, value: object) -> Reply:
    validator(ADMIN_LIFE + name).validate(value)
    return json_reply(canonical(value))
