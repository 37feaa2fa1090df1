"""The security module that the settings name: published development keys, or a PSAM in a slot."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from apdu.connection import Connection, Reader
from apdu.psam import PsamCard
from apdu.sam import SecureAccessModule, SoftwareSam
from apdu.status import NoCard, SamAbsent
from terminal.errors import ConfigurationError
from terminal.settings import SecuritySettings

SIMULATED = "sim:"


@contextmanager
def security_module(settings: SecuritySettings) -> Iterator[SecureAccessModule]:
    """The terminal's keys for as long as the terminal is open. Raises `ConfigurationError`.

    A PSAM is powered when it is first needed, so whoever only looks at the terminal needs none.
    """
    if settings.sam == "software":
        yield SoftwareSam.development(secrets.token_bytes)
        return
    if not settings.psam_reader:
        raise ConfigurationError(
            "[security] sam = psam needs [security] psam_reader: the reader that holds the PSAM"
        )
    slot = PsamSlot(settings)
    try:
        yield PsamCard(slot)
    finally:
        slot.close()


class PsamSlot:
    """A `Connection` to the PSAM that is made on first use.

    Its first use raises `SamAbsent` for an empty slot, or what the reader raises.
    """

    def __init__(self, settings: SecuritySettings) -> None:
        self._settings = settings
        self._connection: Connection | None = None

    @property
    def atr(self) -> bytes:
        """The PSAM's answer to reset."""
        return self._powered().atr

    def transmit(self, command: bytes) -> bytes:
        """Send one command APDU and return the response APDU."""
        return self._powered().transmit(command)

    def reset(self) -> bytes:
        """Reset the PSAM and return its ATR."""
        return self._powered().reset()

    def close(self) -> None:
        """Power the PSAM off, if it was ever needed, and give its slot back."""
        if self._connection is not None:
            self._connection.close()

    def _powered(self) -> Connection:
        if self._connection is None:
            reader = _psam_reader(self._settings)
            try:
                self._connection = reader.connect(exclusive=True)
            except NoCard as error:
                raise SamAbsent(f"{reader.name}: there is no PSAM in this slot") from error
        return self._connection


def _psam_reader(settings: SecuritySettings) -> Reader:
    if settings.psam_reader.startswith(SIMULATED):
        from apdu.readers.inprocess import InProcessReader

        # By name: the terminal does not depend on the simulator, and runs without it.
        psam = import_module("simulator.psam")
        chip = psam.SimulatedPsam(psam.PsamProfile(), random=secrets.token_bytes)
        return InProcessReader("sim:psam", chip)
    from apdu.readers.pcsc import find_reader

    return find_reader(settings.psam_reader, settings.psam_slot or None)
