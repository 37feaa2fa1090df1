"""The scene of the embedded default: everything in this process, on SQLite files in a directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from apdu.readers.inprocess import InProcessReader
from apdu.sam import SoftwareSam
from backend_client.transport import Transport
from simulator import city
from simulator.backoffice.api import Api
from simulator.backoffice.backoffice import BackOffice
from simulator.backoffice.database import open_engine
from simulator.backoffice.inprocess import InProcessTransport
from simulator.clock import SimulatedClock
from simulator.network import Network
from simulator.office import Office
from simulator.scene import Scene
from terminal.app import Terminal
from terminal.settings import load_settings

ADMIN_TOKEN = "embedded-administrator"  # noqa: S105 - of a back office that nobody else can reach


@contextmanager
def embedded_scene(
    directory: Path,
    *,
    clock: SimulatedClock,
    random: Callable[[int], bytes],
    environ: Mapping[str, str] | None = None,
    database_url: str | None = None,
) -> Iterator[Scene]:
    """Back office, network, terminal and reader around one clock. `random` is for all of them.

    `environ` holds settings of the terminal, as the environment would; `database_url` names another
    database for the back office than a file in the directory.
    """
    engine = open_engine(database_url or f"sqlite:///{directory / 'backoffice.sqlite'}")
    with BackOffice(
        engine, now=clock.now, random=random, sealing_key=random(32), rules=city.RULES
    ) as backoffice:
        city.found(backoffice)
        api = Api(backoffice, admin_token=ADMIN_TOKEN, advance=clock.advance)
        transport = InProcessTransport(api)
        office = Office(transport, ADMIN_TOKEN)
        with scene_over(
            transport, office, directory, clock=clock, random=random, environ=environ
        ) as scene:
            yield scene


@contextmanager
def scene_over(
    transport: Transport,
    office: Office,
    directory: Path,
    *,
    clock: SimulatedClock,
    random: Callable[[int], bytes],
    environ: Mapping[str, str] | None = None,
) -> Iterator[Scene]:
    """Terminal and reader of a scene whose back office, wherever it is, answers on `transport`."""
    network = Network(transport)
    place = {"SSCT_TERMINAL_DATA_DIR": str(directory / "terminal")}
    settings = load_settings(None, {**place, **(environ or {})})
    with Terminal.open(
        settings,
        clock=clock,
        random=random,
        sam=SoftwareSam.development(random),
        transport=network,
    ) as terminal:
        reader = InProcessReader("embedded")
        yield Scene(clock, terminal, office, network, reader, reader)
