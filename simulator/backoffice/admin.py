"""The staff's routes, /admin/v1: activations, losses, stops, freezes, terminals, the clock.

`admin.schema.json` defines every request and every answer; both are checked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from backend_client.codec import canonical, decode, encode
from backend_client.messages import CardRef, CardStatus, ServerTime
from backend_client.transport import Reply
from simulator.backoffice.backoffice import BackOffice
from simulator.backoffice.bank_function import BankEvent
from simulator.backoffice.errors import Refused
from simulator.backoffice.incoming import Incoming, bad_request
from simulator.backoffice.lifecycle import Channel, Event
from simulator.backoffice.listings import NumberRange
from simulator.backoffice.problems import json_reply, reply_with
from simulator.backoffice.refusals import Refusal
from simulator.backoffice.register import By
from simulator.backoffice.routes import LIFE, Route, Who
from simulator.backoffice.shapes import ADMIN, validator
from simulator.backoffice.staff import BANK, CENTRE, COMMUNITY_POINT, PHONE, CardKey, PurseKey

PREFIX = "/admin/v1"
_BANK = frozenset(
    {
        Refusal.CARD_UNKNOWN,
        Refusal.CARD_VOID,
        Refusal.BANK_FUNCTION_CLOSED,
        Refusal.BANK_FUNCTION_OPEN,
        Refusal.BANK_FUNCTION_LOST,
        Refusal.BANK_UNKNOWN,
        Refusal.OTHER_BANK,
    }
)
_LAST = datetime(2199, 1, 1, tzinfo=UTC)
Fields = Mapping[str, Any]
Advance = Callable[[timedelta], None]


class Admin:
    """The staff's routes over one back office. `advance` moves a simulated clock, if it is one."""

    def __init__(self, backoffice: BackOffice, advance: Advance | None) -> None:
        self._staff = backoffice.staff
        self._now = backoffice.now
        self._advance = advance

    def routes(self) -> Mapping[str, Route]:
        """Path -> what answers a POST to it."""
        status = CardStatus.schema
        table: Mapping[str, Route] = {
            "/activations": by_staff(
                "activation",
                status,
                self._activation,
                "开通 Activate the social security function (Article 12)",
                LIFE | {Refusal.CARD_FROZEN},
            ),
            "/losses": by_staff(
                "loss", status, self._loss, "挂失 Report a temporary or formal loss (18)", LIFE
            ),
            "/losses/release": by_staff(
                "release", status, self._release, "解除挂失 Release a loss (19)", LIFE
            ),
            "/stops": by_staff(
                "stop", status, self._stop, "停止使用 Stop a card of before 2019 (30)", LIFE
            ),
            "/replacements": by_staff(
                "replacement",
                ADMIN + "replacement-result",
                self._replacement,
                "补领、换领、重新申领 Hand out a new card (19, 21, 22, 23)",
                LIFE | {Refusal.CARD_EXISTS, Refusal.HOLDER_HAS_CARD},
            ),
            "/bank-functions": by_staff(
                "bank-function",
                status,
                self._bank_function,
                "Note what a service bank reports (14, 20)",
                _BANK,
            ),
            "/freezes": by_staff(
                "freeze",
                ADMIN + "done",
                self._freeze,
                "冻结 Freeze a card or a range of numbers",
                {Refusal.CARD_UNKNOWN},
            ),
            "/freezes/release": by_staff(
                "freeze-release",
                ADMIN + "done",
                self._unfreeze,
                "Lift the freezes of a card or a range",
                {Refusal.CARD_UNKNOWN, Refusal.NOT_FROZEN},
            ),
            "/freezes/history": by_staff(
                "nothing",
                ADMIN + "freeze-lines",
                self._freezes,
                "Who froze what and who lifted it, newest first (7, 27)",
            ),
            "/cards/status": by_staff(
                "card", status, self._status, "Where a card stands", {Refusal.CARD_UNKNOWN}
            ),
            "/cards/history": by_staff(
                "card",
                ADMIN + "history",
                self._history,
                "A card's audit trail (7, 27)",
                {Refusal.CARD_UNKNOWN},
            ),
            "/cards/accesses": by_staff(
                "card",
                ADMIN + "accesses",
                self._accesses,
                "Which terminal looked at the data behind a card (25, 27)",
                {Refusal.CARD_UNKNOWN},
            ),
            "/institutions": by_staff(
                "institution", ADMIN + "done", self._institution, "Take in an institution"
            ),
            "/enrolment-codes": by_staff(
                "enrolment-code",
                ADMIN + "enrolment-code-result",
                self._enrolment_code,
                "A one-time code for a terminal",
                {Refusal.INSTITUTION_UNKNOWN},
            ),
            "/terminals/stop": by_staff(
                "terminal",
                ADMIN + "done",
                self._stop_terminal,
                "Know a terminal no more: stolen, broken, gone",
                {Refusal.TERMINAL_UNKNOWN},
            ),
            "/clock": by_staff(
                "clock",
                ServerTime.schema,
                self._clock,
                "Let a simulated clock go on",
                {Refusal.CLOCK_IS_REAL},
            ),
        }
        return {PREFIX + path: route for path, route in table.items()}

    def _activation(self, fields: Fields) -> Reply:
        return _status(self._staff.activate(key_of(fields), by_of(fields, COMMUNITY_POINT)))

    def _stop(self, fields: Fields) -> Reply:
        return _status(self._staff.stop(key_of(fields), by_of(fields, CENTRE)))

    def _loss(self, fields: Fields) -> Reply:
        if fields["kind"] == "temporary":
            return _status(self._staff.report_temporary_loss(key_of(fields), by_of(fields, PHONE)))
        by = by_of(fields, COMMUNITY_POINT)
        return _status(self._staff.report_formal_loss(key_of(fields), by))

    def _release(self, fields: Fields) -> Reply:
        return _status(self._staff.release_loss(key_of(fields), by_of(fields, COMMUNITY_POINT)))

    def _replacement(self, fields: Fields) -> Reply:
        applied_at = fields.get("applied_at")
        made = self._staff.replace(
            key_of(fields),
            decode(CardRef, fields["new"]),
            Event(fields.get("event", Event.REPLACE)),
            by_of(fields, COMMUNITY_POINT),
            activated=fields.get("activated", False),
            applied_at=_instant(applied_at, "/applied_at") if applied_at else None,
        )
        answer = {"old": encode(made.old), "new": encode(made.new), "due_at": _text(made.due_at)}
        return _answer("replacement-result", answer)

    def _bank_function(self, fields: Fields) -> Reply:
        event = BankEvent(fields["event"])
        bank = fields.get("bank")
        return _status(self._staff.bank_event(key_of(fields), event, by_of(fields, BANK), bank))

    def _freeze(self, fields: Fields) -> Reply:
        given = {name: fields[name] for name in ("reason", "action") if name in fields}
        if "scope" in fields:
            given["scope"] = tuple(fields["scope"])
        elif "purse_number" in fields:
            given["scope"] = ("transport",)
        self._staff.freeze(_what(fields), **given, by=_by_and_why(fields))
        return _answer("done", {})

    def _unfreeze(self, fields: Fields) -> Reply:
        self._staff.unfreeze(_what(fields), _by_and_why(fields))
        return _answer("done", {})

    def _freezes(self, _fields: Fields) -> Reply:
        lines = [dataclasses.asdict(line) for line in self._staff.freezes()]
        for line in lines:
            line["at"] = _text(line["at"])
            line["scope"] = list(line["scope"])
        return _answer("freeze-lines", {"lines": lines})

    def _status(self, fields: Fields) -> Reply:
        return _status(self._staff.status(key_of(fields)))

    def _history(self, fields: Fields) -> Reply:
        lines = [dataclasses.asdict(line) for line in self._staff.history(key_of(fields))]
        for line in lines:
            line["at"] = _text(line["at"])
            line["until"] = line["until"] and _text(line["until"])
        return _answer("history", {"lines": lines})

    def _accesses(self, fields: Fields) -> Reply:
        lines = [dataclasses.asdict(line) for line in self._staff.accesses(key_of(fields))]
        for line in lines:
            line["at"] = _text(line["at"])
        return _answer("accesses", {"lines": lines})

    def _institution(self, fields: Fields) -> Reply:
        self._staff.add_institution(fields["code"], fields["name"], fields["tier"])
        return _answer("done", {})

    def _enrolment_code(self, fields: Fields) -> Reply:
        code, until = self._staff.create_enrolment_code(
            fields["institution"], fields.get("profile"), fields.get("role")
        )
        return _answer("enrolment-code-result", {"code": code, "valid_until": _text(until)})

    def _stop_terminal(self, fields: Fields) -> Reply:
        self._staff.stop_terminal(fields["terminal_id"])
        return _answer("done", {})

    def _clock(self, fields: Fields) -> Reply:
        if self._advance is None:
            raise Refused(Refusal.CLOCK_IS_REAL)
        if "until" in fields:
            duration = _instant(fields["until"], "/until") - self._now()
        else:
            duration = timedelta(seconds=fields["advance_seconds"])
        if duration < timedelta():
            raise bad_request("/until", "minimum")  # time does not return
        if self._now() + duration > _LAST:
            raise bad_request("", "maximum")
        self._advance(duration)
        return reply_with(ServerTime(self._now()))


def by_staff(
    takes: str,
    gives: str | None,
    answer: Callable[[Fields], Reply],
    summary: str,
    refuses: Collection[Refusal] = (),
    *,
    shapes: str = ADMIN,
    media: str = "application/json",
) -> Route:
    """A POST by the staff. `takes` is a shape of the file `shapes`, `gives` a schema's name.

    A body that breaks its schema is refused before it is answered.
    """

    def checked(incoming: Incoming) -> Reply:
        value = incoming.json()
        fault = next(iter(validator(shapes + takes).iter_errors(value)), None)
        if fault is not None or not isinstance(value, dict):
            pointer = "".join(f"/{step}" for step in fault.absolute_path) if fault else ""
            raise bad_request(pointer, str(fault.validator) if fault else "type")
        return answer(value)

    return Route(
        "POST",
        Who.STAFF,
        checked,
        summary,
        takes=shapes + takes,
        gives=gives,
        refuses=refuses,
        media=media,
    )


def _answer(name: str, value: object) -> Reply:
    validator(ADMIN + name).validate(value)
    return json_reply(canonical(value))


def _status(status: CardStatus) -> Reply:
    return reply_with(status)


def key_of(fields: Fields) -> CardKey:
    """The card that a body names."""
    return CardKey(fields.get("card_id"), fields.get("card_number"))


def _what(fields: Fields) -> CardKey | NumberRange | PurseKey:
    if "purse_number" in fields:
        return PurseKey(fields["purse_number"])
    if "number_from" in fields:
        return NumberRange(fields["number_from"], fields["number_to"])
    return key_of(fields)


def by_of(fields: Fields, default: By) -> By:
    """Who brings it, where and why; what the body leaves out is that of `default`."""
    return By(
        Channel(fields.get("channel", default.channel)),
        fields.get("actor", default.actor),
        fields.get("reason", default.reason),
    )


def _by_and_why(fields: Fields) -> By:
    """As `by_of`, of a body whose `reason` is that of the entry."""
    return By(
        Channel(fields.get("channel", CENTRE.channel)),
        fields.get("actor", CENTRE.actor),
        fields.get("why", CENTRE.reason),
    )


def _instant(text: str, pointer: str) -> datetime:
    """The instant of a text that has the form of one. Raises `Refused` for a day there is not."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise bad_request(pointer, "instant") from None


def _text(instant: datetime) -> str:
    return instant.isoformat()
