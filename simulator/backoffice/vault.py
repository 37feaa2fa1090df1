"""Sealing what names a person or a card, and finding it again without keeping it in clear."""

from __future__ import annotations

from collections.abc import Callable

from backend_client.codec import canonical, parse
from backend_client.sealing import Sealer, blind_index


class Vault:
    """Seals JSON values under the back office's key, each bound to its table and row."""

    def __init__(self, key: bytes, random: Callable[[int], bytes]) -> None:
        self._key = key
        self._sealer = Sealer(key, random)

    def seal(self, value: object, table: str, row: str | bytes) -> bytes:
        """Seal a JSON value for one row."""
        return self._sealer.seal(canonical(value), _context(table, row))

    def open(self, sealed: bytes, table: str, row: str | bytes) -> object:
        """The JSON value sealed for that row. Raises `SealBroken`."""
        return parse(self._sealer.open(sealed, _context(table, row)))

    def seal_bytes(self, data: bytes, table: str, row: str) -> bytes:
        """Seal bytes for one row."""
        return self._sealer.seal(data, _context(table, row))

    def open_bytes(self, sealed: bytes, table: str, row: str) -> bytes:
        """The bytes sealed for that row. Raises `SealBroken`."""
        return self._sealer.open(sealed, _context(table, row))

    def index(self, kind: str, value: str) -> bytes:
        """32 bytes to look `value` up by; `kind` keeps an SSN and a token apart."""
        return blind_index(self._key, kind.encode() + b"\0" + value.encode())


def _context(table: str, row: str | bytes) -> bytes:
    return table.encode() + b"\0" + (row.encode() if isinstance(row, str) else row)
