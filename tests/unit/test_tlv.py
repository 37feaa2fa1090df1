"""Record TLV and BER-TLV: strict and lenient, order and repeats, hostile bytes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apdu.status import MalformedData
from apdu.tlv import MAX_DEPTH, RecordTlv, Tlv, parse_record, parse_records, parse_tlvs

NAME = "7378312E73682EC9E7BBE1B1A3D5CF"
NEW_FCI = bytes.fromhex(f"6F1C840F{NAME}A50988011E9F0C03860103")
OLD_FCI = bytes.fromhex(f"6F16840F{NAME}A50388011E")

records = st.builds(RecordTlv, st.integers(1, 0xFE), st.binary(max_size=255))
tags = st.sampled_from([0x01, 0x4F, 0x50, 0x84, 0x88, 0x9F0C, 0x9F8101, 0xDF01])
leaves = st.builds(Tlv, tags, st.binary(max_size=300))
trees = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda tag, children: Tlv.containing(tag, *children),
        st.sampled_from([0x6F, 0x61, 0xA5, 0xBF0C, 0x7F49]),
        st.lists(inner, max_size=4),
    ),
    max_leaves=12,
)


def test_the_records_of_a_file() -> None:
    file = bytes.fromhex("0201330304322E3000050420140601")
    assert parse_records(file) == (
        RecordTlv(0x02, b"3"),
        RecordTlv(0x03, b"2.0\0"),
        RecordTlv(0x05, bytes.fromhex("20140601")),
    )


def test_lengths_of_records_are_one_plain_byte() -> None:
    assert parse_record(b"\x40\xff" + bytes(255)).value == bytes(255)
    assert parse_record(b"\x40\x81" + bytes(0x81)).value == bytes(0x81)


@given(st.lists(records, max_size=20))
def test_records_keep_order_and_repeats(items: list[RecordTlv]) -> None:
    assert parse_records(b"".join(map(bytes, items))) == tuple(items)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_records_or_refused(data: bytes, lenient: bool) -> None:
    try:
        found = parse_records(data, lenient=lenient)
    except MalformedData:
        return
    written = b"".join(map(bytes, found))
    assert data.startswith(written)
    assert set(data[len(written) :]) <= ({0x00} if data.endswith(b"\0") else {0xFF})
    assert lenient or written == data


@pytest.mark.parametrize("data", ["01", "0102AA", "0101AA02", "0000", "FF00", "0101AAFFFF", "00"])
def test_broken_records(data: str) -> None:
    with pytest.raises(MalformedData):
        parse_records(bytes.fromhex(data))


@pytest.mark.parametrize("tail", ["", "00", "FF", "0000000000", "FFFF"])
def test_lenient_ignores_the_unused_end_of_a_file(tail: str) -> None:
    assert parse_records(bytes.fromhex("0101AA" + tail), lenient=True) == (RecordTlv(1, b"\xaa"),)


@pytest.mark.parametrize("data", ["0101AA00FF", "0101AA000102", "0102AA"])
def test_lenient_is_not_blind(data: str) -> None:
    with pytest.raises(MalformedData):
        parse_records(bytes.fromhex(data), lenient=True)


@pytest.mark.parametrize("data", [b"", b"\x01\x00\x02\x00"])
def test_one_record_is_one(data: bytes) -> None:
    with pytest.raises(MalformedData):
        parse_record(data)


@pytest.mark.parametrize(("tag", "value"), [(0, b""), (0xFF, b""), (-1, b""), (1, bytes(256))])
def test_no_record(tag: int, value: bytes) -> None:
    with pytest.raises(MalformedData):
        RecordTlv(tag, value)


def test_fci_of_a_new_card() -> None:
    fci = Tlv.parse(NEW_FCI)
    assert fci.tag == 0x6F
    name = fci.find(0x84)
    assert name is not None
    assert name.value == bytes.fromhex(NAME)
    short_id = fci.find(0xA5, 0x88)
    assert short_id is not None
    assert short_id.value == b"\x1e"
    discretionary = fci.find(0xA5, 0x9F0C)
    assert discretionary is not None
    assert Tlv.parse(discretionary.value) == Tlv(0x86, b"\x03")
    assert bytes(fci) == NEW_FCI


def test_fci_of_an_old_card() -> None:
    fci = Tlv.parse(OLD_FCI)
    assert fci.find(0xA5, 0x9F0C) is None
    assert fci.find(0xA6, 0x9F0C) is None
    assert fci.find() is fci


def test_repeated_tags_are_all_there() -> None:
    first, other, second = Tlv(0x4F, b"1"), Tlv(0x50, b""), Tlv(0x4F, b"2")
    template = Tlv.parse(bytes(Tlv.containing(0x61, first, other, second)))
    assert template.children == (first, other, second)
    assert list(template.all(0x4F)) == [first, second]
    assert template.find(0x4F) == first


@given(st.lists(trees, max_size=3), st.booleans())
def test_trees_round_trip(nodes: list[Tlv], lenient: bool) -> None:
    assert parse_tlvs(b"".join(map(bytes, nodes)), lenient=lenient) == tuple(nodes)


@given(st.binary(max_size=200))
def test_any_bytes_are_trees_or_refused(data: bytes) -> None:
    try:
        nodes = parse_tlvs(data)
    except MalformedData:
        pass
    else:
        assert b"".join(map(bytes, nodes)) == data
    with contextlib.suppress(MalformedData):
        parse_tlvs(data, lenient=True)


@pytest.mark.parametrize("size", [0, 127, 128, 255, 256, 65_535, 65_536])
def test_lengths_in_their_shortest_form(size: int) -> None:
    node = Tlv(0x53, bytes(size))
    assert Tlv.parse(bytes(node)) == node


@pytest.mark.parametrize(
    "data",
    [
        "6F",  # no length
        "6F0284",  # cut off
        "6F038402AA",  # a child longer than its parent
        "5380",  # indefinite
        "5384000000" + "00",  # a length field of four bytes
        "538101",  # value missing
        "5382",  # length field cut off
        "53810100",  # not the shortest length
        "5382000100",
        "9F",  # a tag that does not end
        "9F8181810100",  # a tag of four bytes
        "0000",  # filler
        "530000",
    ],
)
def test_broken_trees(data: str) -> None:
    with pytest.raises(MalformedData):
        parse_tlvs(bytes.fromhex(data))


@pytest.mark.parametrize("data", ["53810100", "5382000100", "00530100", "53010000FF", "FF530100"])
def test_lenient_takes_long_lengths_and_filler(data: str) -> None:
    assert parse_tlvs(bytes.fromhex(data), lenient=True) == (Tlv(0x53, b"\0"),)


def test_nesting_is_bounded() -> None:
    def nest(levels: int) -> bytes:
        node = Tlv(0x50, b"")
        for _ in range(levels - 1):
            node = Tlv.containing(0x6F, node)
        return bytes(node)

    assert parse_tlvs(nest(MAX_DEPTH))
    with pytest.raises(MalformedData):
        parse_tlvs(nest(MAX_DEPTH + 1))
    with pytest.raises(MalformedData):
        parse_tlvs(nest(1000), lenient=True)


def test_private_tags_are_read_strictly_only() -> None:
    data = bytes.fromhex("FF4900")
    assert parse_tlvs(data) == (Tlv(0xFF49, b""),)
    assert parse_tlvs(data, lenient=True) == (Tlv(0x49, b""),)


def test_one_tree_is_one() -> None:
    for data in (b"", NEW_FCI * 2):
        with pytest.raises(MalformedData):
            Tlv.parse(data)


def test_no_value_in_repr_or_errors() -> None:
    name = "张三".encode("gbk")
    assert name.hex() not in repr(RecordTlv(9, name)).lower()
    assert repr(Tlv.containing(0x6F, Tlv(0x50, name))) == "Tlv(6F, 6 bytes, [Tlv(50, 4 bytes)])"
    with pytest.raises(MalformedData) as caught:
        parse_records(b"\x09\x1e" + name)
    assert name.hex() not in str(caught.value).lower()
