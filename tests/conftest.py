"""What holds for every test: no judging by the clock of a busy machine; databases to work on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from simulator import postgres
from simulator.backoffice.database import Database, open_engine
from simulator.backoffice.schema import Base

settings.register_profile(
    "ssct", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("ssct")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.PrivatePostgres]:
    """A private PostgreSQL server; every worker of pytest-xdist has its own."""
    lacking = postgres.missing()
    if lacking:
        if os.environ.get("SSCT_REQUIRE_REAL") == "1":
            pytest.fail(f"SSCT_REQUIRE_REAL=1, but {lacking}")
        pytest.skip(lacking)
    with postgres.PrivatePostgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_database(postgres_server: postgres.PrivatePostgres) -> str:
    """A back office's database that the tests of this process use one after the other."""
    url = postgres_server.database()
    Database(open_engine(url)).close()
    return url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def new_database(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Gives the URL of an empty database for a back office, once of each kind.

    The one in PostgreSQL is emptied at each call: what was in it before is gone.
    """
    if request.param == "sqlite":
        return lambda: "sqlite://"
    url: str = request.getfixturevalue("postgres_database")
    return lambda: emptied(url)


def emptied(url: str) -> str:
    """A PostgreSQL database of which nothing but its tables is left."""
    engine = open_engine(url)
    tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
    engine.dispose()
    return url


@pytest.fixture
def database_url(new_database: Callable[[], str]) -> str:
    """The URL of an empty database for a back office, once of each kind."""
    return new_database()


@pytest.fixture
def stored_database_url(database_url: str, tmp_path: Path) -> str:
    """The same, and what is in it stays when it is closed."""
    return f"sqlite:///{tmp_path}/office.db" if database_url == "sqlite://" else database_url
