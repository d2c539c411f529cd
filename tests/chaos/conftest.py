"""The databases of the server's tests."""

from __future__ import annotations

from tests.server.conftest import (
    cluster,
    database_url,
    empty_database_url,
    engine,
    postgres_template,
    sqlite_template,
)

__all__ = ["cluster", "database_url", "empty_database_url", "engine", "postgres_template", "sqlite_template"]
