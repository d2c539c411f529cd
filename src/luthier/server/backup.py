"""Backups: a tar with the database, as a file of SQLite's whatever it was, and the bytes of the runs' files.

Made while the server works: of SQLite by its backup interface, of PostgreSQL by reading all tables in one transaction
that sees one moment.  Since a backup holds the same tables either way, it can be restored into the other kind: so it is
also how to move from SQLite to PostgreSQL and back.  Sessions of browsers are not in it; keys are, as hashes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sqlite3
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from luthier.core.errors import BadBackup, DatabaseFailed
from luthier.server.database import connect, reading, shown, snapshot, why, writing
from luthier.server.schema import migrate, newest, version
from luthier.server.tables import METADATA, files, keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from luthier.server.shelf import Shelf

_DATABASE = "server.db"
_BYTES = re.compile(r"files/([0-9a-f]{64})")
_AT_ONCE = 2000  # rows
_CHUNK = 1 << 20


def backup(engine: sa.Engine, shelf: Shelf | None, path: str | os.PathLike[str]) -> dict[str, int]:
    """Write a backup to *path*, wholly or not at all; return how many rows of each table and how many files it has.

    Args:
        engine: of the database, with tables of this version.
        shelf: where the bytes of the runs' files lie; None to leave them out.
        path: the file to be made; only its owner may read it.

    Raises:
        DatabaseFailed: the database cannot be read, or has another version than this code.
        OSError: the file cannot be written.
    """
    found = version(engine)
    if found != newest():
        raise DatabaseFailed(f"the database has version {found}, not {newest()}: bring it up to date (migrate) first.")
    target = Path(path)
    with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".backup-") as place:
        copy, made = Path(place) / _DATABASE, Path(place) / "backup.tar"
        _copy(engine, copy)
        done = _tidy(copy)
        with open(made, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            with tarfile.open(fileobj=file, mode="w") as tar:
                tar.add(copy, _DATABASE)
                done["files with bytes"] = 0 if shelf is None else _pack(tar, copy, shelf)
            file.flush()
            os.fsync(file.fileno())
        os.replace(made, target)
    return done


def restore(engine: sa.Engine, shelf: Shelf, path: str | os.PathLike[str], *, replace: bool = False) -> dict[str, int]:
    """Put a backup into the database, in one transaction, and its files onto the shelf; return what there was.

    Servers on that database should not run: they would go on with what they know.

    Args:
        engine: of the database; its tables are made or brought up to date.
        shelf: where the bytes go.
        path: a backup of this version of Luthier or an older one.
        replace: whether what the database holds may go.

    Raises:
        BadBackup: the file is none, or damaged.
        DatabaseFailed: the database is not empty (and *replace* does not allow that), or fails.
        NewerFormat: a newer Luthier made the backup.
    """
    migrate(engine)
    with tempfile.TemporaryDirectory() as place, _opened(path) as tar:
        copy = Path(place) / _DATABASE
        _unpack(tar, shelf, copy)
        source = connect(str(copy))
        try:
            _sound(source)
            migrate(source)
            return _put(source, engine, replace=replace)
        except SQLAlchemyError as error:
            raise DatabaseFailed(f"the backup could not be put into {shown(engine.url)}: {why(error)}.") from error
        finally:
            source.dispose()


def _copy(engine: sa.Engine, path: Path) -> None:
    """Make *path* a file of SQLite's with all that the database held at one moment."""
    if engine.dialect.name == "sqlite":
        with reading(engine) as connection, contextlib.closing(sqlite3.connect(path)) as target:
            driver: Any = connection.connection.driver_connection
            driver.backup(target)  # in one go: in parts it would begin anew whenever somebody has written
        return
    copy = connect(str(path))
    try:
        migrate(copy)
        with snapshot(engine) as source, writing(copy) as target:
            for table in METADATA.sorted_tables:
                for rows in _rows(source, table):
                    target.execute(table.insert(), [dict(row) for row in rows])
    finally:
        copy.dispose()


def _rows(source: sa.Connection, table: sa.Table) -> Iterator[list[sa.RowMapping]]:
    """Yield all rows in bundles, but for sessions of browsers."""
    query = sa.select(table)
    if table is keys:
        query = query.where(keys.c.parent_id.is_(None))
    with source.execution_options(stream_results=True, yield_per=_AT_ONCE).execute(query) as result:
        for bundle in result.mappings().partitions():
            yield list(bundle)


def _tidy(path: Path) -> dict[str, int]:
    """Make the copy one file, without sessions; return how many rows it has."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as copy:
        copy.execute("DELETE FROM keys WHERE parent_id IS NOT NULL")
        copy.execute("PRAGMA journal_mode = DELETE")
        count = "SELECT count(*) FROM "  # of our own tables
        return {name: copy.execute(f'{count} "{name}"').fetchone()[0] for name in METADATA.tables}


def _pack(tar: tarfile.TarFile, copy: Path, shelf: Shelf) -> int:
    packed = 0
    with contextlib.closing(sqlite3.connect(copy)) as database:
        for (digest,) in database.execute("SELECT DISTINCT sha256 FROM files ORDER BY sha256"):
            with contextlib.suppress(FileNotFoundError):  # deleted since, or lost: doctor tells
                tar.add(shelf.place(digest), f"files/{digest}")
                packed += 1
    return packed


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, "r:") as tar:
            yield tar
    except (tarfile.TarError, EOFError) as error:
        raise BadBackup(f"{os.fspath(path)} is no backup of luthier server, or it is damaged: {error}.") from error


def _unpack(tar: tarfile.TarFile, shelf: Shelf, copy: Path) -> None:
    """Take the database and the files out of *tar*; names in it never lead anywhere but to where they belong."""
    for member in tar:
        content = tar.extractfile(member) if member.isfile() else None
        if content is None:
            raise BadBackup(f"{member.name!r} does not belong into a backup.")
        if member.name == _DATABASE:
            _write(content, copy)
            continue
        found = _BYTES.fullmatch(member.name)
        if found is None:
            raise BadBackup(f"{member.name!r} does not belong into a backup.")
        place = shelf.place(found[1])
        shelf.make()
        place.parent.mkdir(exist_ok=True, mode=0o700)
        new = place.with_name(f".new-{found[1]}")
        if _write(content, new) != found[1]:
            new.unlink()
            raise BadBackup(f"{member.name} is damaged: its bytes have another SHA-256.")
        os.replace(new, place)
    if not copy.exists():
        raise BadBackup("there is no database in it.")


def _write(content: Any, path: Path) -> str:
    digest = hashlib.sha256()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _sound(source: sa.Engine) -> None:
    try:
        with reading(source) as connection:
            said = connection.exec_driver_sql("PRAGMA integrity_check").scalar_one()
    except SQLAlchemyError as error:
        said = why(error)
    if said != "ok":
        raise BadBackup(f"the database in it is damaged: {said}.")


def _put(source: sa.Engine, engine: sa.Engine, *, replace: bool) -> dict[str, int]:
    done = {}
    with reading(source) as old, writing(engine) as new:
        if engine.dialect.name == "postgresql":
            new.exec_driver_sql("SET LOCAL statement_timeout = 0")
        full = [name for name, table in METADATA.tables.items() if new.execute(sa.select(table).limit(1)).first()]
        if full and not replace:
            raise DatabaseFailed(
                f"the database {shown(engine.url)} is not empty ({', '.join(full)}): restore into a new one, or say "
                "that what is there may go (--replace)."
            )
        for table in reversed(METADATA.sorted_tables):
            new.execute(table.delete())
        for table in METADATA.sorted_tables:
            done[table.name] = 0
            for rows in _rows(old, table):
                _insert(new, table, rows)
                done[table.name] += len(rows)
            _count_on(new, table)
        done["files with bytes"] = new.execute(sa.select(sa.func.count(files.c.sha256.distinct()))).scalar_one()
    return done


def _insert(connection: sa.Connection, table: sa.Table, rows: list[sa.RowMapping]) -> None:
    if connection.dialect.name == "sqlite":
        connection.execute(table.insert(), [dict(row) for row in rows])
        return
    quote = connection.dialect.identifier_preparer.quote
    columns = ", ".join(quote(column.name) for column in table.columns)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {quote(table.name)} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([_sayable(row[column.name]) for column in table.columns])


def _sayable(value: object) -> object:
    return value.replace("\x00", "\ufffd") if isinstance(value, str) else value  # PostgreSQL knows no NUL in texts


def _count_on(connection: sa.Connection, table: sa.Table) -> None:
    """Have PostgreSQL number new rows from where the restored ones end; SQLite does so by itself."""
    column = table.autoincrement_column
    if connection.dialect.name == "sqlite" or column is None:
        return
    last = sa.select(sa.func.coalesce(sa.func.max(column), 0) + 1).scalar_subquery()
    sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
    connection.execute(sa.select(sa.func.setval(sequence, last, sa.false())))
