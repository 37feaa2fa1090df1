"""Makes docs/demo.svg: what `make demo` looks like, for the README.

It takes one step of the demo's own output, so the picture shows what the program prints.
"""

from __future__ import annotations

import html
import os
import re
import subprocess
from io import StringIO
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 88
FIRST, LAST = "6/12", "7/12"


def main() -> None:
    """Run the demo and draw the step between `FIRST` and `LAST`."""
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(WIDTH)}
    ssct = ROOT / ".venv" / "bin" / "ssct"
    run = subprocess.run(  # noqa: S603 - our own program
        [ssct, "demo", "--fast"], env=environment, check=True, capture_output=True, text=True
    )
    lines = run.stdout.splitlines()
    begin = next(i for i, line in enumerate(lines) if FIRST in line)
    end = next(i for i, line in enumerate(lines) if LAST in line)
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    console.print(Text.from_ansi("\n".join(lines[begin:end])))
    # Rich's frame asks a font server for its font; the reader's own monospace font will do.
    frame = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    svg = console.export_svg(title="make demo", code_format=frame, unique_id="demo")
    (ROOT / "docs" / "demo.svg").write_text(_with_true_widths(svg), "utf-8")


def _with_true_widths(svg: str) -> str:
    """Rich measures a text in characters; a Chinese one is twice as wide."""

    def widened(match: re.Match[str]) -> str:
        text = html.unescape(match["text"])
        width = float(match["width"]) * cell_len(text) / len(text)
        return f'textLength="{width:g}"{match["between"]}>{match["text"]}<'

    pattern = r'textLength="(?P<width>[\d.]+)"(?P<between>[^>]*)>(?P<text>[^<]+)<'
    return re.sub(pattern, widened, svg)


if __name__ == "__main__":
    main()
