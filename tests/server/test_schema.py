"""The tables' versions: what migrations make is what the code means, whoever starts first."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from luthier.core.errors import DatabaseFailed, NewerFormat
from luthier.server.database import connect, reading, writing
from luthier.server.migrations.write import write
from luthier.server.schema import REVISIONS, VERSION_TABLE, migrate, newest, version
from luthier.server.tables import METADATA, projects


def test_migrations_make_what_the_tables_say(engine):
    with reading(engine) as connection:
        # Alembic takes the default '' for another one on SQLite; there the next test compares defaults.
        defaults = engine.dialect.name == "postgresql"
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": defaults}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), METADATA) == []


def test_on_sqlite_to_the_letter(sqlite_template, tmp_path):
    # What is not compared above: tables without row numbers, checks, defaults.
    def told(path):
        engine = connect(str(path))
        with writing(engine) as connection:
            METADATA.create_all(connection)
            rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").all()
        engine.dispose()
        return {name: sorted(re.split(r"[\s,()]+", sql)) for name, sql in rows if name != VERSION_TABLE}

    migrated = told(sqlite_template)
    fresh = told(tmp_path / "fresh.db")
    assert migrated == fresh
    assert "ROWID" in migrated["history"]


def test_twice_is_once(empty_database_url):
    engine = connect(empty_database_url)
    assert version(engine) is None
    assert migrate(engine)[-1] == newest()
    assert version(engine) == newest()
    assert migrate(engine) == []
    engine.dispose()


def test_many_servers_start_at_once(empty_database_url):
    def start(_):
        engine = connect(empty_database_url)
        try:
            return migrate(engine)
        finally:
            engine.dispose()

    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(start, range(6)))
    assert sorted(map(len, done)) == [0] * 5 + [len(list((REVISIONS / "versions").glob("[0-9]*.py")))]


def test_a_newer_database_is_refused(engine):
    with writing(engine) as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(NewerFormat, match=r"has version 9999, this Luthier knows 0\d+ at most: install a newer one"):
        migrate(engine)


def test_tables_of_another_program_are_left_alone(empty_database_url):
    engine = connect(empty_database_url)
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE projects (title TEXT)")
    with pytest.raises(DatabaseFailed, match=r"tables of another program \(projects\): give an empty one"):
        migrate(engine)
    with reading(engine) as connection:
        assert sa.inspect(connection).get_table_names() == ["projects"]
    engine.dispose()


def test_beside_another_program_that_migrates(empty_database_url):
    engine = connect(empty_database_url)
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num TEXT)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('theirs')")
    migrate(engine)
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one() == "theirs"
    engine.dispose()


def test_foreign_keys_are_on_again_after_migrating(empty_database_url):
    engine = connect(empty_database_url)
    migrate(engine)
    with pytest.raises(sa.exc.IntegrityError), writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO files VALUES ('nobody', 'a', 1, 'x', 1.0)")
    with writing(engine) as connection:
        connection.execute(projects.insert(), {"name": "kept", "created_at": 1.0})
    engine.dispose()


def test_a_revision_can_be_written(tmp_path):
    path = write("the_tables", tmp_path)
    assert path.name == "0001_the_tables.py"
    assert path.read_text().count("create_table") == len(METADATA.tables)
