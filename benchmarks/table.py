"""A table of results, and how it is printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column heads, with notes below; a skipped measurement is a note without rows."""

    title: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str | int | float]] = ()
    notes: Sequence[str] = field(default_factory=tuple)

    def render(self) -> str:
        """The table as text: words to the left, numbers to the right, floats with one decimal."""
        cells = [[_text(cell) for cell in row] for row in self.rows]
        widths = [
            max(map(len, column), default=0) for column in zip(self.columns, *cells, strict=True)
        ]
        lines = [self.title, "=" * len(self.title)]
        if self.rows:
            numeric = [not isinstance(cell, str) for cell in self.rows[0]]
            lines.append(_line(self.columns, widths, numeric))
            lines.append("  ".join("-" * width for width in widths))
            lines += [_line(row, widths, numeric) for row in cells]
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(lines)


def _text(cell: str | float) -> str:
    return f"{cell:.1f}" if isinstance(cell, float) else str(cell)


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    aligned = [
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(cells, widths, numeric, strict=True)
    ]
    return "  ".join(aligned).rstrip()
