"""The security module that the settings name: development keys, a PSAM, or the central HSM."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

from apdu.connection import Connection, Reader
from apdu.hsm import RemoteSam
from apdu.psam import PsamCard
from apdu.sam import SecureAccessModule, SoftwareSam
from apdu.status import CardRemoved, CardReset, NoAnswer, NoCard, ReaderError, SamAbsent
from terminal.central_keys import CentralHsm
from terminal.errors import ConfigurationError
from terminal.settings import SecuritySettings

SIMULATED = "sim:"


@contextmanager
def security_module(
    settings: SecuritySettings, central: CentralHsm | None = None, *, needed: bool = True
) -> Iterator[SecureAccessModule]:
    """The terminal's keys for as long as the terminal is open. Raises `ConfigurationError`.

    A PSAM is powered when it is first needed, so whoever only looks at the terminal needs none;
    who will never need one says so, and then it need not be named either.
    `central` is the HSM behind the back office, which is asked when it is first needed.
    """
    if settings.sam == "hsm":
        yield RemoteSam(central or CentralHsm(), secrets.token_bytes)
        return
    if settings.sam == "software":
        yield SoftwareSam.development(secrets.token_bytes)
        return
    if needed:
        _require_name(settings)
    slot = PsamSlot(lambda: _psam_reader(settings))
    psam = PsamCard(slot)
    slot.lost = psam.forget
    try:
        yield psam
    finally:
        slot.close()


class PsamSlot:
    """A `Connection` to the PSAM in the reader of `find`, made on first use and anew after a loss.

    Its use raises `SamAbsent` for an empty slot, or what the reader raises. When the PSAM, its
    reader or the service goes away the command fails, `lost` is called, and the next command
    powers what is in the slot then: a terminal in service outlives a pulled plug.
    """

    def __init__(self, find: Callable[[], Reader]) -> None:
        self._find = find
        self._connection: Connection | None = None
        self.lost: Callable[[], None] = lambda: None

    @property
    def atr(self) -> bytes:
        """The PSAM's answer to reset."""
        return self._powered().atr

    def transmit(self, command: bytes) -> bytes:
        """Send one command APDU and return the response APDU."""
        with self._watched() as connection:
            return connection.transmit(command)

    def reset(self) -> bytes:
        """Reset the PSAM and return its ATR."""
        with self._watched() as connection:
            return connection.reset()

    def close(self) -> None:
        """Power the PSAM off, if it was ever needed, and give its slot back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextmanager
    def _watched(self) -> Iterator[Connection]:
        try:
            yield self._powered()
        except (CardRemoved, CardReset, NoAnswer, ReaderError):
            self.close()
            self.lost()
            raise

    def _powered(self) -> Connection:
        if self._connection is None:
            reader = self._find()
            try:
                self._connection = reader.connect(exclusive=True)
            except NoCard as error:
                raise SamAbsent(f"{reader.name}: there is no PSAM in this slot") from error
        return self._connection


def _require_name(settings: SecuritySettings) -> None:
    if not settings.psam_reader:
        raise ConfigurationError(
            "[security] sam = psam needs [security] psam_reader: the reader that holds the PSAM"
        )


def _psam_reader(settings: SecuritySettings) -> Reader:
    _require_name(settings)
    if settings.psam_reader.startswith(SIMULATED):
        from apdu.readers.inprocess import InProcessReader

        # By name: the terminal does not depend on the simulator, and runs without it.
        psam = import_module("simulator.psam")
        chip = psam.SimulatedPsam(psam.PsamProfile(), random=secrets.token_bytes)
        return InProcessReader("sim:psam", chip)
    from terminal.commands.opening import plugged_reader

    return plugged_reader(settings.psam_reader, settings.psam_slot)
