"""The blacklist's side of the back office: what is new, a snapshot in pieces, misuse."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from http import HTTPStatus

from backend_client.calls import Calls, same
from backend_client.errors import BadMessage, ListTooLarge, ListWithdrawn, Refused
from backend_client.list_document import MAX_DOCUMENT
from backend_client.list_messages import (
    BlacklistUpdate,
    MisuseReceipt,
    MisuseReport,
    SnapshotOffer,
)
from backend_client.transport import Request

PIECE = 256 * 1024
"""How many bytes of a snapshot are asked for at once."""

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,9})-([0-9]{1,9})/([0-9]{1,9})", re.ASCII)


@dataclass(frozen=True, slots=True)
class News:
    """What is new: documents to take in this order, or a snapshot to fetch, or nothing."""

    documents: tuple[bytes, ...] = field(default=(), repr=False)
    snapshot: SnapshotOffer | None = None


class ListClient:
    """The operations of the blacklist. Raises what `BackendClient` does."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def news(
        self, since: int, *, statement: int = 0, whole: bool = False, wait: float = 0.0
    ) -> News:
        """What is new since a version of the list (0: none) and a key statement (0: none).

        `whole` asks for a snapshot, not older than `since`, where deltas are of no use. With `wait`
        the back office answers as soon as there is something, at the latest after so many seconds.
        """
        query = f"since={since:d}&statement={statement:d}&whole={whole:d}&wait={wait:.0f}"
        update = self._calls.read(Request("GET", f"/v1/blacklist?{query}"), BlacklistUpdate)
        documents = tuple(_decoded(text, n) for n, text in enumerate(update.documents))
        return News(documents, update.snapshot)

    def piece(self, offer: SnapshotOffer, start: int) -> bytes:
        """The next bytes of a snapshot on offer, from `start` on; at most `PIECE`.

        Raises `ListWithdrawn` when it is no longer on offer, `ListTooLarge` when there is more of
        it than was said.
        """
        if offer.size > MAX_DOCUMENT:
            raise ListTooLarge(f"a snapshot of {offer.size} bytes")
        end = min(start + PIECE, offer.size)
        wanted = {"range": f"bytes={start}-{end - 1}"}
        path = f"/v1/blacklist/snapshot?version={offer.version:d}"
        try:
            reply = self._calls.fetch(Request("GET", path, headers=wanted))
        except Refused as error:
            if error.status in (HTTPStatus.NOT_FOUND, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
                raise ListWithdrawn(f"version {offer.version}") from None
            raise
        said = _CONTENT_RANGE.fullmatch(reply.headers.get("content-range", ""))
        if reply.status != HTTPStatus.PARTIAL_CONTENT or said is None:
            raise BadMessage("/content-range", "the piece asked for", "reply")
        if int(said[3]) != offer.size or len(reply.body) > end - start:
            raise ListTooLarge("the snapshot is not of the size that was said")
        if (int(said[1]), int(said[2]) + 1) != (start, start + len(reply.body)) or not reply.body:
            raise BadMessage("/content-range", "the piece asked for", "reply")
        return reply.body

    def report_misuse(self, report: MisuseReport) -> MisuseReceipt:
        """A listed card was presented (Art. 26). The same report may be sent again."""
        receipt = self._calls.ask("/v1/misuse", report, MisuseReceipt)
        same(receipt.report_id, report.report_id, "/report_id")
        return receipt


def _decoded(text: str, number: int) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadMessage(f"/documents/{number}", "base64", BlacklistUpdate.schema) from None
