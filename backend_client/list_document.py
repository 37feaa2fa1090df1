"""Signed documents of the blacklist, the same bytes by whatever way they come.

    document  = "SSCTLIST" kind (1) size of key id (1) size of header (4) key id header
                signature (64) body

Kinds: "S" a snapshot, "D" a delta, "K" a key statement, which has no body. Sizes are little-endian.
The header is the canonical JSON of a `ListHeader` or `KeyStatement`; it is what is signed, and it
binds the body by size and hash. So the first bytes of a snapshot tell whether the rest is worth
fetching, and documents may follow each other in one file. The body of a snapshot is the packed set;
that of a delta is the size (4) of the packed set to remove, that set, and the packed set to add.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from backend_client import signing
from backend_client.codec import Message, dump, load
from backend_client.entry_set import MAX_SET, EntrySet
from backend_client.errors import BadMessage, BadSignature, ListTooLarge
from backend_client.list_messages import KeyStatement, ListHeader
from backend_client.messages import PublicKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MAGIC = b"SSCTLIST"
MAX_HEADER = 64 * 1024
MAX_BODY = 2 * MAX_SET + 4
_WHAT = "list document"
_PREFIX = struct.Struct("<8scBI")
_SIZE = struct.Struct("<I")
_SNAPSHOT, _DELTA, _KEYS = b"S", b"D", b"K"
_SIGNED_AS = {
    _SNAPSHOT: "blacklist-snapshot",
    _DELTA: "blacklist-delta",
    _KEYS: "key-statement",
}
"""What a signature of each kind says that it signs."""

FIRST_BYTES = _PREFIX.size + 255 + MAX_HEADER + signing.SIGNATURE_SIZE
"""So many bytes of a document always hold its whole header."""

MAX_DOCUMENT = FIRST_BYTES + MAX_BODY

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A verified snapshot."""

    header: ListHeader
    entries: EntrySet = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delta:
    """A verified delta."""

    header: ListHeader
    removed: EntrySet = field(repr=False)
    added: EntrySet = field(repr=False)


Document = Snapshot | Delta | KeyStatement


def sign_list(header: ListHeader, body: bytes, key_id: str, key: Ed25519PrivateKey) -> bytes:
    """A snapshot or delta; the header's `body_size` and `body_hash` are those of the body.

    Raises `ListTooLarge`.
    """
    if len(body) > MAX_BODY:
        raise ListTooLarge(f"{len(body)} bytes; at most {MAX_BODY} can be published")
    return _signed(_DELTA if header.is_delta else _SNAPSHOT, header, key_id, key) + body


def sign_keys(statement: KeyStatement, key_id: str, key: Ed25519PrivateKey) -> bytes:
    """A key statement."""
    return _signed(_KEYS, statement, key_id, key)


def delta_body(removed: EntrySet, added: EntrySet) -> bytes:
    """The body of a delta."""
    gone = removed.encode()
    return _SIZE.pack(len(gone)) + gone + added.encode()


def delta_parts(body: bytes) -> tuple[EntrySet, EntrySet]:
    """What a delta's body removes and adds. Raises `BadMessage`."""
    if len(body) < _SIZE.size:
        raise BadMessage("/body", "size", _WHAT)
    middle = _SIZE.size + _SIZE.unpack_from(body)[0]
    if middle > len(body):
        raise BadMessage("/body/removed", "size", _WHAT)
    return EntrySet.decode(body[_SIZE.size : middle]), EntrySet.decode(body[middle:])


def body_hash(body: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(body).digest()


class Opener:
    """Opens documents with the keys that are trusted, at one instant.

    A key statement that it opens decides about the keys of the documents after it.
    """

    def __init__(
        self,
        keys: Iterable[PublicKey],
        now: datetime,
        statement_keys: Iterable[PublicKey] = (),
    ) -> None:
        self.keys = tuple(keys)
        self._now = now
        self._statement_keys = tuple(statement_keys)

    def open(self, data: bytes) -> Document:
        """One whole document.

        Raises `BadSignature` (unknown key, key outside its time, wrong signature, or a body that
        is not the one signed), `ListTooLarge` (more bytes than declared) or `BadMessage`.
        """
        frame = _frame(data)
        body = data[frame.size :]
        if frame.kind == _KEYS:
            if body:
                raise ListTooLarge("bytes behind a key statement")
            return self._verified(frame, KeyStatement, self._statement_keys)
        header = self.header(data)
        if len(body) > header.body_size:
            raise ListTooLarge("more bytes than declared")
        if len(body) < header.body_size:
            raise BadMessage("/body", "all of it", _WHAT)
        if body_hash(body) != header.body_hash:
            raise BadSignature("the body is not the one that was signed")
        return _delta(header, body) if header.is_delta else _snapshot(header, body)

    def header(self, start: bytes) -> ListHeader:
        """What a snapshot or delta says of itself, from its first bytes. Raises as `open` does."""
        frame = _frame(start)
        if frame.kind not in (_SNAPSHOT, _DELTA):
            raise BadMessage("/kind", "a snapshot or a delta", _WHAT)
        header = self._verified(frame, ListHeader, self.keys)
        if header.is_delta != (frame.kind == _DELTA):
            raise BadMessage("/previous_version", "that of its kind", _WHAT)
        return header

    def _verified(self, frame: _Frame, cls: type[M], keys: Iterable[PublicKey]) -> M:
        kind = _SIGNED_AS[frame.kind]
        signing.verify(kind, frame.header, frame.signature, frame.key_id, keys, self._now)
        return load(cls, frame.header, limit=MAX_HEADER)


def whole_size(start: bytes) -> int | None:
    """How many bytes the document that begins so has in all, by its own, unverified word.

    None when more bytes are needed to tell. Raises `BadMessage`.
    """
    frame = _begun(start)
    if frame is None:
        return None
    if frame.kind == _KEYS:
        return frame.size
    return frame.size + load(ListHeader, frame.header, limit=MAX_HEADER).body_size


def split(data: bytes) -> Iterator[bytes]:
    """The documents that follow each other in a file. Raises `BadMessage`."""
    view = memoryview(data)
    while view:
        size = whole_size(bytes(view[:FIRST_BYTES]))
        if size is None or size > len(view):
            raise BadMessage("", "whole documents", _WHAT)
        yield bytes(view[:size])
        view = view[size:]


@dataclass(frozen=True, slots=True)
class _Frame:
    """What stands before the body; `size` is where that begins."""

    kind: bytes
    key_id: str
    header: bytes
    signature: bytes
    size: int


def _frame(data: bytes) -> _Frame:
    frame = _begun(data)
    if frame is None:
        raise BadMessage("/header", "all of it", _WHAT)
    return frame


def _begun(data: bytes) -> _Frame | None:
    """What stands before the body, None as long as it is not all there."""
    if len(data) < _PREFIX.size:
        if not MAGIC.startswith(data[: len(MAGIC)]):
            raise BadMessage("/magic", "SSCTLIST", _WHAT)
        return None
    magic, kind, id_size, header_size = _PREFIX.unpack_from(data)
    if magic != MAGIC:
        raise BadMessage("/magic", "SSCTLIST", _WHAT)
    if kind not in _SIGNED_AS:
        raise BadMessage("/kind", "S, D or K", _WHAT)
    if header_size > MAX_HEADER:
        raise BadMessage("/header", "size", _WHAT)
    header = _PREFIX.size + id_size
    signature = header + header_size
    end = signature + signing.SIGNATURE_SIZE
    if len(data) < end:
        return None
    try:
        key_id = data[_PREFIX.size : header].decode("ascii")
    except UnicodeDecodeError:
        raise BadMessage("/key_id", "ASCII", _WHAT) from None
    return _Frame(kind, key_id, data[header:signature], data[signature:end], end)


def _signed(kind: bytes, message: Message, key_id: str, key: Ed25519PrivateKey) -> bytes:
    header = dump(message)
    if len(header) > MAX_HEADER:
        raise ListTooLarge(f"a header of {len(header)} bytes; at most {MAX_HEADER}")
    name = key_id.encode("ascii")
    signature = signing.sign(_SIGNED_AS[kind], header, key)
    return _PREFIX.pack(MAGIC, kind, len(name), len(header)) + name + header + signature


def _snapshot(header: ListHeader, body: bytes) -> Snapshot:
    entries = EntrySet.decode(body)
    if header.removed_count or len(entries) != header.added_count:
        raise BadMessage("/added_count", "number of added entries", _WHAT)
    return Snapshot(header, entries)


def _delta(header: ListHeader, body: bytes) -> Delta:
    removed, added = delta_parts(body)
    if len(removed) != header.removed_count:
        raise BadMessage("/removed_count", "number of removed entries", _WHAT)
    if len(added) != header.added_count:
        raise BadMessage("/added_count", "number of added entries", _WHAT)
    return Delta(header, removed, added)
