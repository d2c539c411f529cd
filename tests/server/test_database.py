"""Transactions and URLs of the server's database."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa

from luthier.core.errors import BadArgument, DatabaseFailed
from luthier.server import tables
from luthier.server.database import connect, default_url, reach, reading, shown, snapshot, writing

COUNT = sa.select(sa.func.count()).select_from(tables.projects)


def add(connection, name):
    connection.execute(tables.projects.insert(), {"name": name, "created_at": 1.0})


def test_readers_and_the_writer_do_not_wait_for_each_other(engine):
    with snapshot(engine) as before:
        assert before.execute(COUNT).scalar_one() == 0
        with writing(engine) as connection:
            add(connection, "a")
            with reading(engine) as beside:
                assert beside.execute(COUNT).scalar_one() == 0
        with reading(engine) as after:
            assert after.execute(COUNT).scalar_one() == 1
        assert before.execute(COUNT).scalar_one() == 0


def test_a_block_that_raises_leaves_nothing(engine):
    with pytest.raises(sa.exc.IntegrityError), writing(engine) as connection:
        connection.execute(tables.projects.insert(), [{"name": "a", "created_at": 1.0}] * 2)
    with reading(engine) as connection:
        assert connection.execute(COUNT).scalar_one() == 0


def test_writers_take_turns_and_see_what_was_before(engine):
    """Each reads, then writes: on SQLite, a transaction that began as a reader could not."""

    def more():
        for _ in range(10):
            with writing(engine) as connection:
                if engine.dialect.name == "postgresql":
                    connection.exec_driver_sql("LOCK TABLE projects IN EXCLUSIVE MODE")
                add(connection, f"p{connection.execute(COUNT).scalar_one()}")

    threads = [threading.Thread(target=more) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(engine) as connection:
        names = set(connection.execute(sa.select(tables.projects.c.name)).scalars())
    assert names == {f"p{n}" for n in range(40)}


def test_foreign_keys_hold_and_cascade(engine):
    with writing(engine) as connection:
        add(connection, "a")
        number = connection.execute(sa.select(tables.projects.c.id)).scalar_one()
        key = {"id": "k", "hash": "h", "name": "n", "role": "read", "project_id": number, "created_at": 1.0}
        connection.execute(tables.keys.insert(), key)
    with pytest.raises(sa.exc.IntegrityError), writing(engine) as connection:
        connection.execute(tables.keys.insert(), {**key, "id": "l", "hash": "i", "project_id": number + 1})
    with writing(engine) as connection:
        connection.execute(tables.projects.delete())
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.keys)).scalar_one() == 0


def test_sqlites_file_is_its_owners(tmp_path):
    engine = connect(f"sqlite:///{tmp_path}/new/deep/server.db")
    with writing(engine) as connection:
        tables.METADATA.create_all(connection)
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30000}
    for path in (tmp_path / "new/deep").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE((tmp_path / "new/deep").stat().st_mode) == 0o700
    engine.dispose()


def test_processes_that_open_a_new_file_at_once(tmp_path):
    code = "import sys; from luthier.server import database as d, schema; schema.migrate(d.connect(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path / "server.db")]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [(p.communicate(timeout=60)[1], p.returncode) for p in started] == [("", 0)] * 3


def test_statements_on_postgresql_come_to_an_end(cluster):
    engine = connect(cluster.url("postgres"))
    with reading(engine) as connection:
        names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "application_name")
        told = [connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names]
    assert told == ["1min", "30s", "2min", "luthier"]
    assert reach(engine).startswith("PostgreSQL ")
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "give sqlite:///FILE or postgresql://"),
        (" ", "give sqlite:///FILE"),
        ("mysql://ann:secret@db/x", "give sqlite:///FILE"),
        ("postgresql+asyncpg://ann:secret@db/x", "give sqlite:///FILE"),
        ("postgresql://ann:secret@db", "it names no database"),
        ("postgresql://ann:secret@db:port/x", "it cannot be parsed"),
        ("sqlite://", "keeps its database in a file"),
        ("sqlite:///:memory:", "keeps its database in a file"),
        ("sqlite://host/x", "three slashes"),
        ("/tmp/a\0b", "give sqlite:///FILE"),
    ],
)
def test_urls_that_will_not_do(url, why):
    with pytest.raises(BadArgument, match="database_url") as caught:
        connect(url)
    assert why in str(caught.value)
    assert "secret" not in str(caught.value)


def test_what_cannot_be_reached_is_told_without_the_password(cluster, tmp_path):
    for url, why in (
        ("postgresql://ann:secret@127.0.0.1:1/x?password=secret", "refused"),
        (cluster.url("not_there").replace("luthier@", "luthier:secret@"), "does not exist"),
    ):
        engine = connect(url)
        with pytest.raises(DatabaseFailed, match=why) as caught:
            reach(engine)
        assert "secret" not in str(caught.value)
    (tmp_path / "words.db").write_text("These are words, and no database of anybody's. " * 40)
    with pytest.raises(DatabaseFailed, match="not a database"):
        reach(connect(str(tmp_path / "words.db")))
    with pytest.raises(DatabaseFailed, match="cannot be opened"):
        connect(str(tmp_path))
    assert shown("postgres://ann:secret@db/x?sslpassword=secret") == "postgres://ann:***@db/x"


def test_the_default_is_in_the_users_data_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_url() == f"sqlite:///{tmp_path}/luthier/server.db"
    monkeypatch.setenv("XDG_DATA_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert default_url() == f"sqlite:///{tmp_path}/.local/share/luthier/server.db"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert default_url() == f"sqlite:///{tmp_path}/Library/Application Support/luthier/server.db"
