"""What the agent says, as JSON: cards, files, screens, outcomes, operations.

A caller with the scope gets names and numbers in full: showing them to nobody else is its duty, as
the token's owner has agreed (docs/agent.md).
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from apdu.readers.pcsc_events import CardEvent
from apdu.ssc.account_log import AccountRecord
from apdu.ssc.decode import labelled
from apdu.ssc.file_content import FileContent
from terminal.agent.flow_face import Asked, Ended
from terminal.errors import explain
from terminal.outcome import Done, Failed, Outcome, Refused, Stopped, Unknown
from terminal.receipt import Receipt
from terminal.screens import (
    AskAmount,
    AskIdentity,
    AskPin,
    AskScan,
    Choose,
    Confirm,
    Details,
    Message,
    Progress,
    ReceiptScreen,
    Row,
    Screen,
    Section,
    ShowQr,
)
from terminal.session import CardSession
from terminal.store.journal import Operation
from terminal.text import Text

Json = dict[str, Any]


def card(session: CardSession) -> Json:
    """The basic read."""
    basic = session.basic
    return {
        "name": basic.name,
        "ssn": basic.ssn,
        "card_number": basic.card_number,
        "card_id": basic.card_id.hex().upper(),
        "birth_date": _day(basic.birth_date),
        "region": basic.region,
        "card_class": basic.card_class,
        "version": basic.version,
        "algorithm": session.card.algorithm.name,
        "initialiser": basic.initialiser.hex().upper(),
        "issued": _day(basic.issued),
        "expires": _day(basic.expires),
        "historical_bytes": basic.historical.hex().upper(),
        "authentic": session.facts.authentic,
        "warnings": list(basic.warnings),
    }


def file(content: FileContent) -> Json:
    """One file: its items in words, as plain values and as bytes."""
    return {
        "file": content.file.address,
        "name": {"zh": content.file.name_zh, "en": content.file.name_en},
        "items": [
            {
                "place": row.place,
                "name": {"zh": row.name.zh, "en": row.name.en},
                "value": {"zh": row.value.zh, "en": row.value.en},
                "raw": row.raw.hex().upper(),
            }
            for row in labelled(content)
        ],
        "warnings": list(content.warnings),
    }


def account_record(record: AccountRecord) -> Json:
    """One row of the medical account's log. Amounts are fen."""
    return {
        "sequence": record.sequence,
        "kind": {"1": "load", "2": "settlement"}.get(record.kind, record.kind),
        "terminal": record.terminal,
        "at": record.at.isoformat() if record.at else None,
        "account_fen": record.account_fen,
        "self_pay_fen": record.self_pay_fen,
        "fund_fen": record.fund_fen,
    }


def event(happened: CardEvent) -> Json:
    """A card or reader that came or went."""
    return {"event": happened.kind.value, "reader": happened.reader}


def step(where: Asked | Ended) -> Json:
    """How far a function has come."""
    shown = [screen(one) for one in where.shown if not isinstance(one, Progress)]
    if isinstance(where, Asked):
        return {"state": "asking", "shown": shown, "question": screen(where.question)}
    return {"state": "ended", "shown": shown, "outcome": outcome(where.outcome)}


def screen(one: Screen) -> Json:
    """A screen of a function; `kind` tells which members there are."""
    match one:
        case Message():
            body = [text(line) for line in one.body]
            told = {"title": text(one.title), "body": body, "tone": one.tone.value}
            return {"kind": "message", **told, "code": one.code}
        case Details():
            return {
                "kind": "details",
                "title": text(one.title),
                "sections": _sections(one.sections),
            }
        case Choose():
            options = [
                {
                    "key": option.key,
                    "label": text(option.label),
                    "detail": _maybe(option.detail),
                }
                for option in one.options
            ]
            return {"kind": "choose", "title": text(one.title), "options": options}
        case AskPin():
            return {
                "kind": "pin",
                "title": text(one.title),
                "note": _maybe(one.note),
                "tries_left": one.tries_left,
                "shortest": one.shortest,
                "longest": one.longest,
            }
        case AskIdentity():
            return {"kind": "identity", "title": text(one.title), "note": _maybe(one.note)}
        case AskScan():
            return {"kind": "scan", "title": text(one.title), "note": _maybe(one.note)}
        case AskAmount():
            return {
                "kind": "amount",
                "title": text(one.title),
                "note": _maybe(one.note),
                "sections": _sections(one.sections),
            }
        case ShowQr():
            told = {"title": text(one.title), "body": [text(line) for line in one.body]}
            return {"kind": "qr", **told, "payload": one.payload}
        case Confirm():
            words = {"yes": text(one.yes), "no": text(one.no)}
            facts = {"amounts": _rows(one.amounts), "sections": _sections(one.sections)}
            return {"kind": "confirm", "title": text(one.title), **facts, **words}
        case ReceiptScreen():
            return {"kind": "receipt", "receipt": receipt(one.receipt)}
        case _:
            return {"kind": "progress", "title": text(one.title)}


def outcome(ended: Outcome) -> Json:
    """How a function ended; `result` tells which members there are."""
    match ended:
        case Done():
            slip = receipt(ended.receipt) if ended.receipt else None
            return {"result": "done", "text": text(ended.text), "receipt": slip}
        case Refused():
            told = {"text": text(ended.text), "advice": _maybe(ended.advice)}
            return {"result": "refused", "code": ended.code, "article": ended.article, **told}
        case Failed():
            told_error = explain(ended.error)
            told = {"text": text(told_error.text), "changed": _maybe(ended.changed)}
            return {"result": "failed", "code": told_error.code, **told}
        case Stopped():
            return {"result": "stopped", "text": text(ended.why.text)}
        case Unknown():
            return {"result": "unknown", "number": ended.number, "receipt": receipt(ended.slip)}


def receipt(slip: Receipt) -> Json:
    """What the holder takes away."""
    return {
        "title": text(slip.title),
        "number": slip.number,
        "at": slip.at.isoformat(),
        "place": slip.place,
        "lines": [{"label": text(line.label), "value": text(line.value)} for line in slip.lines],
        "notes": [text(note) for note in slip.notes],
    }


def operation(found: Operation) -> Json:
    """An operation in the journal; `result` is what the centre answered. Amounts are fen."""
    return {
        "number": found.number,
        "kind": found.kind.value,
        "state": found.state.value,
        "open": found.state.is_open,
        "evidence": found.evidence.value if found.evidence else None,
        "prepared_at": found.prepared_at.isoformat(),
        "changed_at": found.changed_at.isoformat(),
        "result": dict(found.result) if found.result is not None else None,
    }


def text(sentence: Text) -> Json:
    """Both languages."""
    return {"zh": sentence.zh, "en": sentence.en}


def instant(at: datetime | None) -> str | None:
    """An instant as ISO 8601."""
    return at.isoformat() if at else None


def _maybe(sentence: Text | None) -> Json | None:
    return text(sentence) if sentence else None


def _sections(sections: tuple[Section, ...]) -> list[Json]:
    return [
        {
            "title": text(section.title),
            "rows": _rows(section.rows),
        }
        for section in sections
    ]


def _rows(rows: tuple[Row, ...]) -> list[Json]:
    return [{"label": text(row.label), "value": text(row.value)} for row in rows]


def _day(value: date | None) -> str | None:
    return value.isoformat() if value else None
