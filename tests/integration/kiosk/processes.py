"""Commands of ours that run as processes of their own beside a test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]


@dataclass
class Process:
    """A running command, and what it prints."""

    popen: subprocess.Popen[str]

    def line(self, words: str) -> str:
        """The next line that holds `words`."""
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            if words in line:
                return line
        raise AssertionError(f"it ended without saying {words!r}")


@contextmanager
def running(*arguments: str, **environment: str) -> Iterator[Process]:
    """`ssct` with these arguments, until the end of the context."""
    popen = subprocess.Popen(
        [sys.executable, "-m", "terminal.cli", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    try:
        yield Process(popen)
    finally:
        popen.send_signal(signal.SIGTERM)
        popen.communicate(timeout=30)


@contextmanager
def back_office(directory: Path, *arguments: str) -> Iterator[str]:
    """The reference back office with the sample city; its address."""
    with running(
        "sim", "backoffice", "--port", "0", "--data", str(directory), *arguments
    ) as office:
        yield office.line("back office:").split("back office: ")[1].strip()
