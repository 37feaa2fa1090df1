"""Published reads of single files: T8 (by record number) and T10 (EF19 of DF03 after the PIN)."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from apdu.channel import CardChannel
from apdu.command import Command
from apdu.layers import stack
from apdu.pin import Pin
from apdu.readers.replay import ReplayReader
from apdu.ssc.decode import labelled
from apdu.ssc.file_content import variable_content
from apdu.ssc.files import Generation, file_map
from apdu.ssc.reading import RecordReader
from apdu.ssc.values import check_card_id
from apdu.tlv import RecordTlv, parse_record
from apdu.trace import parse_trace

TRACES = Path(__file__).parent / "traces"


def replay(name: str) -> CardChannel:
    trace = parse_trace((TRACES / name).read_text("utf-8"))
    return CardChannel(stack(ReplayReader(trace, ordered=False).connect()))


def test_t8_records_by_number() -> None:
    channel = replay("t8.trace")
    channel.select_fid(0xEF05)
    records = [parse_record(channel.read_record_by_number(number)) for number in (1, 3)]
    content = variable_content(file_map("3.00")["SSSE", 0xEF05], records)

    card_id, version = content.value(0x01), content.value(0x03)
    assert card_id is not None
    assert version is not None
    check_card_id(card_id.raw)
    assert card_id.raw.hex().upper() == "330300D15600000599110145FFFFFFFF"
    assert version.value == "3.00"
    assert Generation.of(str(version.value)) is Generation.V3
    assert content.warnings == ()


def test_t10_certificate_of_insurance() -> None:
    channel = replay("t10.trace")
    channel.call(Command(0, 0xA4, 1, 0, b"\xdf\x03"), "SELECT DF03")
    channel.verify(Pin("123456"))
    file = file_map("3.00")["DF03", 0xEF19]
    items = RecordReader(channel).read_items(file, (0x79,))
    content = variable_content(file, [RecordTlv(0x79, items[0x79])])

    # The program takes the region at offset 9 of the answer.
    assert content.raw[0][9:12].hex() == "990100"
    certificate = content.value(0x79)
    assert certificate is not None
    assert isinstance(certificate.value, tuple)
    assert {item.spec.tag: item.value.value for item in certificate.value} == {
        0x18: "110",
        0x19: "990100",
        0x1A: date(2012, 7, 1),
        0x1B: None,
        0x1C: 123456,
        0x1D: 164,
        0x1E: date(2026, 2, 1),
    }
    assert content.warnings == ()
    assert [row.place for row in labelled(content)][:3] == ["79:1", "79:1.18", "79:1.19"]
