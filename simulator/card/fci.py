"""What SELECT answers: file control information templates (facts 2)."""

from __future__ import annotations


def tlv(tag: int, *parts: bytes) -> bytes:
    """A BER-TLV object of up to 255 bytes."""
    value = b"".join(parts)
    size = bytes((len(value),)) if len(value) < 0x80 else bytes((0x81, len(value)))
    return tag.to_bytes((tag.bit_length() + 7) // 8, "big") + size + value


def name_only(name: bytes) -> bytes:
    """6F with nothing but the directory's name in it."""
    return tlv(0x6F, tlv(0x84, name))


def with_proprietary(name: bytes, *objects: bytes) -> bytes:
    """6F with the directory's name and proprietary objects."""
    return tlv(0x6F, tlv(0x84, name), tlv(0xA5, *objects))
