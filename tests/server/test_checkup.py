"""The doctor finds each of what is broken here by hand, and nothing where all is well."""

from __future__ import annotations

import shutil

import pytest
import sqlalchemy as sa

from luthier.server import tables
from luthier.server.auth.caller import LOCAL, Role
from luthier.server.auth.keys import Keys
from luthier.server.checkup import check
from luthier.server.database import connect, writing
from luthier.server.schema import VERSION_TABLE
from luthier.server.shelf import Shelf
from tests.server.test_backup import keep
from tests.server.world import World

CONFIG = "method: random\nmetric: {name: loss, goal: minimize}\nrun_cap: 6\nparameters: {x: {min: 0.0, max: 1.0}}\n"
MAXIMIZED = "method: tpe\nmetric: {name: loss, goal: maximize}\nrun_cap: 4\nparameters: {x: {min: 0.0, max: 1.0}}\n"


@pytest.fixture
def played(engine):
    """Two sweeps as the server wrote them: one at its end, one with runs at work, a lost agent and a failure."""
    for seed, config in enumerate((MAXIMIZED, CONFIG)):
        world = World(engine, config, seed)
        first, second = world.join(slots=2), world.join()
        for _ in range(4):
            world.talk(first)
            world.talk(second)
            world.work(second, fail=True)
            world.work(first)
        if seed == 0:
            world.run()
        else:
            world.lose(second)
        world.close()
    return engine


def found(engine, tmp_path, level="error"):
    files = tmp_path / "files"
    return [text for kind, text in check(engine, Shelf(files), files) if kind == level]


def test_all_is_well(played, tmp_path):
    assert found(played, tmp_path) == []
    assert found(played, tmp_path, "warning") == []
    assert any("2 sweeps: their logs" in text for text in found(played, tmp_path, "ok"))


def damage(statement):
    return lambda connection: connection.execute(statement)


ONE = sa.select(sa.func.min(tables.runs.c.id)).scalar_subquery()
LINES = sa.select(sa.func.max(tables.events.c.first)).scalar_subquery()
runs, sweeps, events, history = tables.runs, tables.sweeps, tables.events, tables.history


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (runs.update().where(runs.c.id == ONE).values(state="waiting"), "state is 'waiting', by its log "),
        (runs.update().where(runs.c.id == ONE).values(attempt=77), "attempt is 77, by its log "),
        (runs.update().where(runs.c.id == ONE).values(value=-5.0), "value is -5.0, by its log "),
        (runs.update().where(runs.c.id == ONE).values(rows=99), "the history has other rows"),
        (history.delete().where(history.c.row == 0), "the history has other rows"),
        (sweeps.update().values(length=sweeps.c.length + 1), "its row says"),
        (sweeps.update().values(best_value=-7.5), "its best value is -7.5, by its log "),
        (events.delete().where(events.c.first == LINES), "its row says"),
        (events.update().where(events.c.first == LINES).values(line=b'{"v":2,"fir'), "its log cannot be read"),
        (events.update().where(events.c.first == LINES).values(first=LINES + 1), ""),
        (events.delete().where(events.c.first == 0), "its log "),
    ],
)
def test_logs_and_tables_that_differ(played, tmp_path, statement, why):
    with writing(played) as connection:
        connection.execute(statement)
    if why:
        assert any(why in text for text in found(played, tmp_path)), found(played, tmp_path)
    else:  # a batch under another number is still the batch that follows, and the line says where it stands
        assert found(played, tmp_path) == []


def test_a_server_of_earlier_called_stopped_who_had_all_its_time(engine, tmp_path):
    config = "method: random\nrun_cap: 1\nmetric: {name: loss}\nparameters: {x: {min: 0, max: 1}}\n"
    world = World(engine, f"{config}scheduler: {{name: asha, max_t: 2, grace_period: 1}}\n", 0)
    world.join()
    world.run()
    world.close()
    with writing(engine) as connection:
        assert connection.execute(sa.update(runs).where(runs.c.state == "finished").values(state="stopped")).rowcount
    assert found(engine, tmp_path) == []


def test_runs_that_are_in_one_place_alone(played, tmp_path):
    with writing(played) as connection:
        row = dict(connection.execute(sa.select(runs).limit(1)).mappings().one())
        connection.execute(runs.insert(), {**row, "id": "unheard-of", "rows": 0})
    assert any("run unheard-of is not in its log" in text for text in found(played, tmp_path))
    with writing(played) as connection:
        connection.execute(runs.delete().where(runs.c.id.in_(["unheard-of", row["id"]])))
    assert any(f"run {row['id']} is in its log alone" in text for text in found(played, tmp_path))


def test_files(played, tmp_path):
    shelf = Shelf(tmp_path / "files")
    one, two, orphan = (keep(shelf, name) for name in (b"one", b"two", b"orphan"))
    with writing(played) as connection:
        run = connection.execute(sa.select(sa.func.min(runs.c.id))).scalar_one()
        for path, stored in (("a", one), ("b", two)):
            row = {"run_id": run, "path": path, "size": 3, "sha256": stored.sha256, "at": 1.0}
            connection.execute(tables.files.insert(), row)
    assert found(played, tmp_path) == []
    (warning,) = found(played, tmp_path, "warning")
    assert "1 files in" in warning
    assert orphan.sha256 in warning
    shelf.place(one.sha256).unlink()
    shelf.place(two.sha256).write_bytes(b"t")
    errors = found(played, tmp_path)
    assert any(f"are not in {tmp_path / 'files'}: {run}/a" in text for text in errors)
    assert any(f"lost bytes: {run}/b" in text for text in errors)
    (tmp_path / "files").chmod(0o755)
    assert any("chmod 700" in text for text in found(played, tmp_path, "warning"))


def test_keys_without_an_admin(engine, tmp_path):
    Keys(engine).add("agent", Role.WRITE, by=LOCAL)
    assert any("none of the keys is an admin's" in text for text in found(engine, tmp_path, "warning"))


def test_versions(empty_database_url, tmp_path):
    engine = connect(empty_database_url)
    assert any("`luthier server migrate` brings it up" in text for text in found(engine, tmp_path))
    with writing(engine) as connection:
        connection.exec_driver_sql(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32))")
        connection.exec_driver_sql(f"INSERT INTO {VERSION_TABLE} VALUES ('9999')")
    assert any("newer than this" in text for text in found(engine, tmp_path))
    engine.dispose()


def test_a_disk_that_is_nearly_full(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**12, 10**12 - 10**8, 10**8))
    assert any("only 0.1 GB are free" in text for text in found(engine, tmp_path, "warning"))


def test_sqlites_file(sqlite_template, tmp_path):
    path = shutil.copyfile(sqlite_template, tmp_path / "server.db")
    path.chmod(0o644)
    engine = connect(str(path))
    assert any(f"chmod 600 {path}" in text for text in found(engine, tmp_path, "warning"))
    engine.dispose()
    content = bytearray(path.read_bytes())
    content[4096 * 3 + 8 : 4096 * 5] = b"\xff" * (4096 * 2 - 8)
    path.write_bytes(content)
    engine = connect(str(path))
    assert any("damaged" in text or "malformed" in text for text in found(engine, tmp_path))
    engine.dispose()


def test_a_database_that_is_away(tmp_path):
    (error,) = found(connect("postgresql://ann:secret@127.0.0.1:1/x"), tmp_path)
    assert "cannot be used" in error
    assert "secret" not in error
