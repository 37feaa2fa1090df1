"""The staff's routes of the blacklist: a file for sites without a network, keys, misuse."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from backend_client.codec import canonical, to_json
from backend_client.messages import CardRef
from backend_client.transport import Reply
from simulator.backoffice.admin import PREFIX, Fields, by_staff
from simulator.backoffice.list_desk import ListDesk, MisuseLine
from simulator.backoffice.problems import json_reply
from simulator.backoffice.routes import Route
from simulator.backoffice.shapes import ADMIN


class ListAdmin:
    """The staff's routes over one list desk."""

    def __init__(self, desk: ListDesk) -> None:
        self._desk = desk

    def routes(self) -> Mapping[str, Route]:
        """Path -> what answers a POST to it."""
        table = {
            "/blacklist/file": by_staff(
                "nothing",
                None,
                self._file,
                "The list and its keys as a file, for terminals without a network",
                media="application/octet-stream",
            ),
            "/blacklist/keys": by_staff(
                "key-rotation",
                ADMIN + "key-rotation-result",
                self._rotate,
                "Sign the list with a new key, and tell terminals by a key statement",
            ),
            "/misuse": by_staff(
                "misuse-query",
                ADMIN + "misuse-lines",
                self._misuse,
                "冒用 The listed cards that were presented, newest first (26)",
            ),
        }
        return {PREFIX + path: route for path, route in table.items()}

    def _file(self, _fields: Fields) -> Reply:
        headers = {"cache-control": "no-store", "content-type": "application/octet-stream"}
        return Reply(HTTPStatus.OK, self._desk.bundle(), headers)

    def _rotate(self, fields: Fields) -> Reply:
        statement = self._desk.rotate_keys(at_once=fields.get("at_once", False))
        return json_reply(canonical({"statement": statement}))

    def _misuse(self, fields: Fields) -> Reply:
        card = CardRef(**fields["card"]) if "card" in fields else None
        return json_reply(canonical({"lines": [_line(each) for each in self._desk.misuse(card)]}))


def _line(line: MisuseLine) -> Mapping[str, object]:
    report = to_json(line.report)
    return {
        **{name: report[name] for name in ("card", "presented_at", "function", "face", "reason")},
        "terminal": line.terminal,
        "institution": line.institution,
        "received_at": line.received_at.isoformat(),
    }
