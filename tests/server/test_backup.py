"""Backups: made while others write, restored into either kind of database, refused when they are not sound."""

from __future__ import annotations

import io
import stat
import tarfile
import threading

import pytest
import sqlalchemy as sa

from luthier.core.errors import BadBackup, DatabaseFailed, NewerFormat
from luthier.server import tables
from luthier.server.auth.caller import LOCAL, Role
from luthier.server.auth.keys import Keys
from luthier.server.backup import backup, restore
from luthier.server.database import connect, reading, writing
from luthier.server.schema import VERSION_TABLE
from luthier.server.shelf import Shelf
from tests.server.seeded import Seeded


def rows(engine):
    with reading(engine) as connection:
        return {
            name: sorted(map(repr, map(tuple, connection.execute(sa.select(table)))))
            for name, table in tables.METADATA.tables.items()
        }


def keep(shelf, content):
    async def put():
        async def chunks():
            yield content

        return await shelf.put(chunks())

    import asyncio

    return asyncio.run(put())


@pytest.fixture
def full(engine, tmp_path):
    """A database with something in every table, and a file on the shelf."""
    found = Seeded(engine)
    found.project()
    run = found.sweep()[0]
    shelf = Shelf(tmp_path / "files")
    stored = keep(shelf, b"weights" * 1000)
    found.add(tables.files, {"run_id": run, "path": "w.bin", "size": stored.size, "sha256": stored.sha256, "at": 1.0})
    keys = Keys(engine)
    ann = keys.find(keys.add("ann", Role.ADMIN, by=LOCAL)[1])
    assert ann is not None
    keys.open_session(ann)
    with writing(engine) as connection:
        keyed = sa.select(sa.func.count()).select_from(tables.keys)
        assert connection.execute(keyed).scalar_one() == 2
    return engine, shelf, stored.sha256


def test_there_and_back_into_both_kinds(full, tmp_path, cluster, postgres_template):
    engine, shelf, digest = full
    before = rows(engine)
    done = backup(engine, shelf, tmp_path / "b.tar")
    assert done["runs"] == len(before["runs"])
    assert done["files with bytes"] == 1
    assert stat.S_IMODE((tmp_path / "b.tar").stat().st_mode) == 0o600
    name = cluster.create(postgres_template)
    for url in (f"sqlite:///{tmp_path}/restored.db", cluster.url(name)):
        other, elsewhere = connect(url), Shelf(tmp_path / f"files-{other_kind(url)}")
        assert restore(other, elsewhere, tmp_path / "b.tar") == done
        assert elsewhere.place(digest).read_bytes() == b"weights" * 1000
        assert stat.S_IMODE((tmp_path / f"files-{other_kind(url)}").stat().st_mode) == 0o700
        after = rows(other)
        assert [name for name in before if before[name] != after[name]] == ["keys"]
        assert len(after["keys"]) == 1  # without the browser's session
        with writing(other) as connection:  # numbers go on where they were
            connection.execute(tables.projects.insert(), {"name": "new", "created_at": 1.0})
        with pytest.raises(DatabaseFailed, match=r"is not empty \(projects, .*\): restore into a new one"):
            restore(other, elsewhere, tmp_path / "b.tar")
        restore(other, elsewhere, tmp_path / "b.tar", replace=True)
        assert rows(other) == after
        other.dispose()
    cluster.drop(name)


def other_kind(url):
    return url.partition(":")[0]


def test_one_moment_though_others_write(full, tmp_path):
    engine = full[0]
    stop, going = threading.Event(), threading.Event()

    def write():
        number = 0
        while not stop.is_set():
            with writing(engine) as connection:  # a project and its key belong together
                row = {"id": 1000 + number, "name": f"p{number}", "created_at": 1.0}
                connection.execute(tables.projects.insert(), row)
                key = {"id": f"k{number}", "hash": f"h{number}", "name": "n", "role": "read", "created_at": 1.0}
                connection.execute(tables.keys.insert(), {**key, "project_id": 1000 + number})
            number += 1
            going.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        going.wait(30)
        done = [backup(engine, None, tmp_path / f"{n}.tar") for n in range(3)]
    finally:
        stop.set()
        thread.join()
    for found in done:
        assert found["projects"] - 1 == found["keys"] - 1 > 0


def test_an_unwritable_place_is_left_as_it_was(full, tmp_path):
    engine, shelf, digest = full
    with pytest.raises(OSError, match="not/there"):
        backup(engine, shelf, tmp_path / "not/there/b.tar")
    target = tmp_path / "b.tar"
    backup(engine, shelf, target)
    before = target.read_bytes()
    shelf.place(digest).unlink()
    shelf.place(digest).mkdir()  # what cannot be packed
    (shelf.place(digest) / "x").touch()
    backup(engine, None, target)
    assert target.read_bytes() != before
    assert not list(tmp_path.glob(".backup-*"))


def made(path, **members):
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if content is None:
                member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            member.size = len(content or b"")
            tar.addfile(member, io.BytesIO(content or b""))
    return path


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({}, "no database in it"),
        ({"server.db": b"words " * 1000}, "damaged"),
        ({"server.db": None}, "does not belong"),
        ({"../outside": b"x"}, "does not belong"),
        ({"/tmp/luthier-outside": b"x"}, "does not belong"),
        ({"files/../../x": b"x"}, "does not belong"),
        ({f"files/{'a' * 64}": b"x"}, "another SHA-256"),
        ({f"files/{'a' * 64}": None}, "does not belong"),
        ({f"files/{'A' * 64}/x": b"x"}, "does not belong"),
    ],
)
def test_what_is_no_backup(tmp_path, members, why):
    path = made(tmp_path / "b.tar", **members)
    engine = connect(str(tmp_path / "new.db"))
    with pytest.raises(BadBackup, match=why):
        restore(engine, Shelf(tmp_path / "files"), path)
    assert not [
        p for p in tmp_path.rglob("*") if p.is_file() and p.name not in {"b.tar", "new.db", "new.db-wal", "new.db-shm"}
    ]
    engine.dispose()


@pytest.mark.parametrize("content", [b"", b"\x00" * 5000, b"words " * 999])
def test_what_is_no_tar(tmp_path, content):
    (tmp_path / "b.tar").write_bytes(content)
    engine = connect(str(tmp_path / "new.db"))
    with pytest.raises(BadBackup):
        restore(engine, Shelf(tmp_path / "files"), tmp_path / "b.tar")
    engine.dispose()


def test_a_torn_backup(full, tmp_path):
    engine, shelf, _ = full
    backup(engine, shelf, tmp_path / "b.tar")
    whole = (tmp_path / "b.tar").read_bytes()
    other = connect(str(tmp_path / "new.db"))
    for length in (600, len(whole) // 2, len(whole) - 11000):
        (tmp_path / "torn.tar").write_bytes(whole[:length])
        with pytest.raises(BadBackup):
            restore(other, Shelf(tmp_path / "new-files"), tmp_path / "torn.tar")
    other.dispose()


def test_a_backup_of_a_newer_version(full, tmp_path):
    engine, shelf, _ = full
    backup(engine, shelf, tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar") as tar:
        tar.extract("server.db", tmp_path / "in", filter="data")
    inside = connect(str(tmp_path / "in/server.db"))
    with writing(inside) as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(DatabaseFailed, match="bring it up to date"):
        backup(inside, shelf, tmp_path / "c.tar")
    inside.dispose()
    path = made(tmp_path / "c.tar", **{"server.db": (tmp_path / "in/server.db").read_bytes()})
    other = connect(str(tmp_path / "new.db"))
    with pytest.raises(NewerFormat, match="9999"):
        restore(other, shelf, path)
    other.dispose()
