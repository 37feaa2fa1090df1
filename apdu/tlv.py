"""The two tag-length-value forms on the card.

`RecordTlv` is the card's own (facts 3.1): one byte of tag, one of length, then the value. The
records of a variable-length file have it, and so have the items inside a B-TLV record.
`Tlv` is BER-TLV (ISO/IEC 7816-4, 5.2.2), which a SELECT answers in.

Order and repeats are kept, the cost grows with the size only, and nothing in an error message or
a `repr` shows a value. Broken structure raises `MalformedData`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from apdu.status import MalformedData

MAX_DEPTH = 16
"""How deep BER-TLV may nest; the deepest template of a known card is at 4."""

MAX_TAG_BYTES = 3
MAX_LENGTH_BYTES = 3

_FILLERS = (0x00, 0xFF)


@dataclass(frozen=True, slots=True)
class RecordTlv:
    """One record or item: a tag 01..FE and up to 255 bytes of value."""

    tag: int
    value: bytes

    def __post_init__(self) -> None:
        if not 0 < self.tag < 0xFF:
            raise MalformedData(f"{self.tag:02X} is no record tag")
        if len(self.value) > 0xFF:
            raise MalformedData(f"record {self.tag:02X}: {len(self.value)} bytes are too many")

    def __bytes__(self) -> bytes:
        return bytes((self.tag, len(self.value))) + self.value

    def __repr__(self) -> str:
        return f"RecordTlv({self.tag:02X}, {len(self.value)} bytes)"


def parse_record(data: bytes) -> RecordTlv:
    """The one record that `data` is. Raises `MalformedData`."""
    records = parse_records(data)
    if len(records) != 1:
        raise MalformedData(f"{len(records)} records where one was expected")
    return records[0]


def parse_records(data: bytes, *, lenient: bool = False) -> tuple[RecordTlv, ...]:
    """The records that follow one another in `data`: a whole file, or the items of a record.

    `lenient` ignores a tail of 00 or FF bytes, the unused end of a file that some cards answer
    with. Raises `MalformedData` when the lengths do not add up to the length of `data`.
    """
    records = []
    at, end = 0, len(data)
    while at < end:
        if lenient and data[at] in _FILLERS and data.count(data[at], at) == end - at:
            break
        if at + 1 == end:
            raise MalformedData(f"record {data[at]:02X} at byte {at} has no length")
        stop = at + 2 + data[at + 1]
        if stop > end:
            raise MalformedData(f"record {data[at]:02X} at byte {at} runs {stop - end} bytes over")
        records.append(RecordTlv(data[at], data[at + 2 : stop]))
        at = stop
    return tuple(records)


def leading_records(data: bytes) -> tuple[tuple[RecordTlv, ...], bytes]:
    """The records that `data` starts with, and what follows the last whole one.

    For data that were cut off or are damaged: nothing is raised, and the rest is never parsed.
    """
    records = []
    at, end = 0, len(data)
    while at + 1 < end and 0 < data[at] < 0xFF:
        stop = at + 2 + data[at + 1]
        if stop > end:
            break
        records.append(RecordTlv(data[at], data[at + 2 : stop]))
        at = stop
    return tuple(records), data[at:]


@dataclass(frozen=True, slots=True)
class Tlv:
    """A node of a BER-TLV tree.

    `tag` is the tag's one to three bytes as a number (0x6F, 0x9F0C). `value` is the whole value;
    `children` are the nodes inside it when the tag says that it is constructed.
    """

    tag: int
    value: bytes
    children: tuple[Tlv, ...] = ()

    @classmethod
    def containing(cls, tag: int, *children: Tlv) -> Tlv:
        """The constructed node with these children."""
        return cls(tag, b"".join(map(bytes, children)), children)

    @classmethod
    def parse(cls, data: bytes, *, lenient: bool = False) -> Tlv:
        """The one tree that `data` is; see `parse_tlvs`."""
        nodes = parse_tlvs(data, lenient=lenient)
        if len(nodes) != 1:
            raise MalformedData(f"{len(nodes)} BER-TLV objects where one was expected")
        return nodes[0]

    def find(self, *path: int) -> Tlv | None:
        """The first node that the tags in `path` lead to, child by child; None if there is none."""
        node: Tlv | None = self
        for tag in path:
            node = next(node.all(tag), None) if node is not None else None
        return node

    def all(self, tag: int) -> Iterator[Tlv]:
        """The children with this tag, in their order."""
        return (child for child in self.children if child.tag == tag)

    def __bytes__(self) -> bytes:
        tag = self.tag.to_bytes((self.tag.bit_length() + 7) // 8 or 1, "big")
        return tag + _length_field(len(self.value)) + self.value

    def __repr__(self) -> str:
        inside = f", {list(self.children)}" if self.children else ""
        return f"Tlv({self.tag:02X}, {len(self.value)} bytes{inside})"


def parse_tlvs(data: bytes, *, lenient: bool = False) -> tuple[Tlv, ...]:
    """The BER-TLV trees that follow one another in `data`.

    Strict: lengths in their shortest form, no filler, tags of at most three bytes, definite
    lengths of at most `MAX_LENGTH_BYTES` bytes, nesting up to `MAX_DEPTH`. `lenient` allows longer
    forms of a length and skips the filler bytes 00 and FF between and after the objects, at the
    price of the tags FFxx.
    Raises `MalformedData`.
    """
    return _parse(data, 0, len(data), MAX_DEPTH, lenient)


def _parse(data: bytes, at: int, end: int, depth: int, lenient: bool) -> tuple[Tlv, ...]:
    """The objects in `data[at:end]`, with `depth` more levels allowed."""
    if not depth:
        raise MalformedData(f"BER-TLV nested deeper than {MAX_DEPTH}")
    nodes = []
    while at < end:
        start = at
        tag = first = data[at]
        at += 1
        if first in _FILLERS and (lenient or not first):
            if lenient:
                continue
            raise MalformedData(f"filler at byte {start}")
        if first & 0x1F == 0x1F:
            tag, at = _long_tag(data, start, end)
        if at == end:
            raise MalformedData(f"tag {tag:02X} at byte {start} has no length")
        length = data[at]
        at += 1
        if length > 0x7F:
            length, at = _long_length(data, at, end, lenient)
        stop = at + length
        if stop > end:
            raise MalformedData(f"tag {tag:02X} at byte {start} runs {stop - end} bytes over")
        children = _parse(data, at, stop, depth - 1, lenient) if first & 0x20 else ()
        nodes.append(Tlv(tag, data[at:stop], children))
        at = stop
    return tuple(nodes)


def _long_tag(data: bytes, start: int, end: int) -> tuple[int, int]:
    """A tag of two or three bytes that begins at `start`, and where it ends."""
    at = start + 1
    while at < end and at - start < MAX_TAG_BYTES:
        at += 1
        if data[at - 1] < 0x80:
            return int.from_bytes(data[start:at], "big"), at
    raise MalformedData(f"the tag at byte {start} does not end")


def _long_length(data: bytes, at: int, end: int, lenient: bool) -> tuple[int, int]:
    """A length whose field is 81 to 83 followed by as many bytes from `at`, and where it ends."""
    size = data[at - 1] & 0x7F
    if not 1 <= size <= MAX_LENGTH_BYTES:
        raise MalformedData(f"length field {data[at - 1]:02X} at byte {at - 1}")
    if at + size > end:
        raise MalformedData(f"the length at byte {at - 1} is cut off")
    length = int.from_bytes(data[at : at + size], "big")
    if not lenient and len(_length_field(length)) != size + 1:
        raise MalformedData(f"the length at byte {at - 1} is not in its shortest form")
    return length, at + size


def _length_field(length: int) -> bytes:
    if length < 0x80:
        return bytes((length,))
    size = (length.bit_length() + 7) // 8
    return bytes((0x80 | size,)) + length.to_bytes(size, "big")
