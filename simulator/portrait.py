"""A drawn portrait for simulated cards: nobody's photograph, small enough for the card's file."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw

LARGEST = 4096
"""Bytes that EF08 holds (facts 3.2)."""


def portrait() -> bytes:
    """A JPEG of 120 by 150 pixels."""
    picture = Image.new("RGB", (120, 150), "#dfe8f3")
    pen = ImageDraw.Draw(picture)
    pen.ellipse((5, 100, 115, 220), fill="#365f91")
    pen.rectangle((50, 85, 70, 110), fill="#e0b48c")
    pen.ellipse((33, 25, 87, 98), fill="#eac39d")
    pen.pieslice((30, 16, 90, 80), 180, 360, fill="#2b2320")
    for x in (46, 66):
        pen.ellipse((x, 58, x + 7, 65), fill="#2b2320")
    pen.arc((48, 68, 72, 86), 20, 160, fill="#9b4d3a", width=2)
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=60)
    return written.getvalue()
