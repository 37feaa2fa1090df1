"""Whole files and records: from the card's bytes to items.

`apdu/ssc/values.py` knows single values; this module knows how the file map puts them together,
and the rule for 1.0 cards that hold items with their V2.0 meaning (facts 3.7).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from apdu.ssc.filespec import EfSpec, RecordSpec
from apdu.ssc.values import Item, decode
from apdu.tlv import RecordTlv

_NEW_MEANING = 0xEE


def decode_records(file: EfSpec, records: Iterable[RecordTlv]) -> tuple[Item, ...]:
    """The items of a variable file, in the order in which its records came.

    Records that the file map does not define are left out.
    """
    records = tuple(records)
    raw = {record.tag: record.value for record in records}
    items = []
    for record in records:
        spec = file.record(record.tag)
        if spec is not None:
            items.append(decode_record(spec, record.value, raw))
    return tuple(items)


def decode_record(spec: RecordSpec, value: bytes, records: Mapping[int, bytes]) -> Item:
    """One item; `records` are the values of its file by tag, one of which may decide its meaning.

    V2.0, annex C: a 1.0 item rewritten with its V2.0 meaning is filled with nibble E, and some
    items follow the fill of another.
    """
    new = spec.renewed
    if new is not None and records.get(spec.renewed_by, b"")[-1:] == bytes((_NEW_MEANING,)):
        return Item(new, decode(value[: new.length], new))
    return Item(spec, decode(value, spec))


def decode_row(file: EfSpec, row: bytes) -> tuple[Item, ...]:
    """The fields of one record of a cyclic file. A field that is missing is empty."""
    items = []
    for spec in file.records:
        items.append(Item(spec, decode(row[: spec.length], spec)))
        row = row[spec.length :]
    return tuple(items)
