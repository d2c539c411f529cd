"""Databases for the tests: each takes a new one, on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from luthier.server.database import connect
from luthier.server.routes import reading
from luthier.server.schema import migrate
from tests.server.postgres import Cluster
from tests.server.seeded import Seeded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import sqlalchemy as sa

BACKENDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One PostgreSQL for each process that runs tests."""
    found = Cluster()
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("template") / "server.db"
    _migrated(str(path))
    return path


@pytest.fixture(scope="session")
def postgres_template(cluster: Cluster) -> str:
    name = cluster.create()
    _migrated(cluster.url(name))
    return name


@pytest.fixture(params=BACKENDS)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/server.db"
        return
    cluster = request.getfixturevalue("cluster")
    name = cluster.create()
    yield cluster.url(name)
    cluster.drop(name)


@pytest.fixture(params=BACKENDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with tables, and nothing in them."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "server.db")  # with its mode
        yield f"sqlite:///{path}"
        return
    cluster = request.getfixturevalue("cluster")
    name = cluster.create(request.getfixturevalue("postgres_template"))
    yield cluster.url(name)
    cluster.drop(name)


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """The same, connected."""
    found = connect(database_url)
    yield found
    found.dispose()


@pytest.fixture
def seeded(engine: sa.Engine) -> Seeded:
    """The same, to be filled."""
    return Seeded(engine)


@pytest.fixture
def client(seeded: Seeded) -> Iterator[TestClient]:
    """Who asks an application that only reads."""
    app = FastAPI()
    app.include_router(reading.router(seeded.database))
    with TestClient(app) as found:
        yield found


def _migrated(url: str) -> None:
    engine = connect(url)
    migrate(engine)
    engine.dispose()
