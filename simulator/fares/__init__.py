"""Sample fare tables: `sim:metro` and `sim:bus`. Their stations are nowhere."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from terminal.errors import ConfigurationError

SAMPLES = ("metro", "bus")


def sample(name: str) -> dict[str, Any]:
    """The sample table of this name as it is written. Raises `ConfigurationError`."""
    if name not in SAMPLES:
        raise ConfigurationError(f"no sample fare table '{name}'; there are {', '.join(SAMPLES)}")
    text = files("simulator.fares").joinpath(f"{name}.json").read_text("utf-8")
    written: dict[str, Any] = json.loads(text)
    return written
