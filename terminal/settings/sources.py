"""Where settings are written: a TOML file and the environment, read with names kept for errors."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from terminal.errors import ConfigurationError
from terminal.settings.values import Read

PREFIX = "SSCT_"
MAX_FILE = 1024 * 1024

Readers = Mapping[str, Mapping[str, Read]]
"""Section -> key -> how it is read. A section may have a dot: policy.settlement."""


class Sources:
    """What was written, section by section; the environment wins over the file."""

    def __init__(self, file: Path | None, environ: Mapping[str, str], readers: Readers) -> None:
        self._file = file
        self._readers = readers
        self._tables = dict(_sections(_parse(file))) if file else {}
        self._variables = {n: v for n, v in environ.items() if n.startswith(PREFIX)}

    def section(self, name: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
        """The values of one section, over `defaults`. Raises `ConfigurationError`."""
        values = dict(defaults)
        for key, read in self._readers[name].items():
            written, where = self._written(name, key)
            if written is None:
                continue
            try:
                values[key] = read(written)
            except ValueError as error:
                raise ConfigurationError(f"{where} must be {error}") from None
        return values

    def in_file(self, section: str, key: str) -> bool:
        """Whether the file has this setting."""
        return key in self._tables.get(section, {})

    def refuse_unknown(self, other_variables: frozenset[str]) -> None:
        """Raise `ConfigurationError` for what no section knows."""
        for section, table in self._tables.items():
            if not section:
                raise ConfigurationError(f"{self._file}: {min(table)} stands outside a section")
            if section not in self._readers:
                raise self._unknown(f"{self._file}: [{section}]", sorted(self._readers))
            for key in table:
                if key not in self._readers[section]:
                    raise self._unknown(
                        f"{self._file}: [{section}] {key}", sorted(self._readers[section])
                    )
        known = {variable(section, key) for section, keys in self._readers.items() for key in keys}
        for name in self._variables:
            if name not in known | other_variables:
                raise self._unknown(name, _choices(name, known))

    def _written(self, section: str, key: str) -> tuple[object, str]:
        name = variable(section, key)
        if name in self._variables:
            return self._variables[name], name
        return self._tables.get(section, {}).get(key), f"{self._file}: [{section}] {key}"

    def _unknown(self, what: str, allowed: list[str]) -> ConfigurationError:
        return ConfigurationError(f"{what} is not a setting; there is {', '.join(allowed)}")


def variable(section: str, key: str) -> str:
    """The environment variable of a setting: SSCT_POLICY_SETTLEMENT_MAX_LIST_AGE."""
    return f"{PREFIX}{section}_{key}".replace(".", "_").upper()


def _parse(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_FILE + 1)
        if len(raw) > MAX_FILE:
            raise ConfigurationError(f"{file} is larger than a settings file can be")
        return tomllib.loads(raw.decode("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} is not TOML: {error}") from error


def _sections(tables: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each table under its dotted name, with its own keys only."""
    own = {key: value for key, value in tables.items() if not isinstance(value, dict)}
    if own:
        yield above, own
    for name, table in tables.items():
        if isinstance(table, dict):
            yield from _sections(table, f"{above}.{name}" if above else name)


def _choices(name: str, known: set[str]) -> list[str]:
    """The variables of the same section, or else how variables are named at all."""
    section = name.split("_")[1]
    return sorted(n for n in known if n.split("_")[1] == section) or [f"{PREFIX}SECTION_KEY"]
