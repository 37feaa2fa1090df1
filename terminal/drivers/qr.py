"""QR codes as text, for consoles: two modules above each other make one character."""

from __future__ import annotations

from itertools import zip_longest

QUIET = 2
"""Light modules around the code. ISO/IEC 18004 asks for four; readers of screens do with two."""

_BLOCKS = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}


def qr_lines(payload: str) -> str:
    """The QR code of a text, dark modules drawn; show it black on white."""
    import segno  # only where a code is shown

    code = segno.make_qr(payload, error="m")
    matrix = [tuple(row) for row in code.matrix_iter(border=QUIET)]
    blank = (0,) * len(matrix[0])
    pairs = zip_longest(matrix[::2], matrix[1::2], fillvalue=blank)
    return "\n".join(
        "".join(_BLOCKS[int(up > 0), int(down > 0)] for up, down in zip(*pair, strict=True))
        for pair in pairs
    )
