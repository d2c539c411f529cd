"""The server's database: SQLite, one file, or PostgreSQL.

:func:`connect` makes the engine, :func:`reading` and :func:`writing` its transactions.  On SQLite a writing one begins
with ``BEGIN IMMEDIATE``: it waits for its turn at the start, and does not fail half way because somebody else wrote
since it read.  Readers see the state at their first statement and keep nobody waiting (write-ahead log).

``synchronous`` is FULL: a commit is on the disk before an agent hears of it, as an order that a power cut takes back
would be given twice.  Against NORMAL that is one fsync for each commit: 0.06 ms (12 000 in place of 31 000 commits/s)
on the virtual disk where it was measured, a millisecond or so on an SSD; all that waits goes into one commit.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from luthier.core.errors import BadArgument, DatabaseFailed, MissingLibrary

if TYPE_CHECKING:
    from collections.abc import Iterator

_WANTED = "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
_POSTGRES = frozenset({"postgres", "postgresql", "postgresql+psycopg"})
_WRITES = "luthier_writes"
_BUSY_S = 30
_CONNECTIONS = 8
_SPARE_CONNECTIONS = 24  # for peaks; closed after them
_POSTGRES_OPTIONS = "-c statement_timeout=60000 -c lock_timeout=30000 -c idle_in_transaction_session_timeout=120000"


def data_directory() -> Path:
    """Return where the server keeps its database and files if it is not told: the user's data directory.

    ``$XDG_DATA_HOME/luthier`` or ``~/.local/share/luthier``; ``~/Library/Application Support/luthier`` on macOS,
    ``%LOCALAPPDATA%\\luthier`` on Windows.  Nothing is made yet.

    >>> data_directory().name
    'luthier'
    """  # noqa: D301 (Windows' separator)
    given = os.environ.get("XDG_DATA_HOME", "")
    if os.path.isabs(given):  # the specification says that relative ones are to be ignored
        return Path(given) / "luthier"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "luthier"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "luthier"
    return Path.home() / ".local" / "share" / "luthier"


def default_url() -> str:
    """Return the URL of the database in the user's data directory.

    >>> default_url().endswith("luthier/server.db")
    True
    """
    return f"sqlite:///{(data_directory() / 'server.db').as_posix()}"


def checked(url: str) -> sa.URL:
    """Return *url* with its driver; a path without ``://`` is a file of SQLite's.

    Raises:
        BadArgument: it is no URL of a database that will do.  The text never holds a password.

    >>> checked("postgres://ann:secret@db/luthier")
    postgresql+psycopg://ann:***@db/luthier
    >>> checked("mysql://ann:secret@db/luthier")
    Traceback (most recent call last):
        ...
    luthier.core.errors.BadArgument: database_url='mysql://ann:***@db/luthier' cannot be used: give sqlite:///FILE ...
    """
    if not url.strip() or "\x00" in url:
        raise BadArgument("database_url", url, _WANTED)
    if "://" not in url:
        return sa.URL.create("sqlite+pysqlite", database=os.path.abspath(os.path.expanduser(url)))
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # what cannot be parsed may hold a password anywhere
        raise BadArgument("database_url", f"{url.partition('://')[0]}://...", _WANTED, "it cannot be parsed") from None
    if parsed.drivername in {"sqlite", "sqlite+pysqlite"}:
        if parsed.host or parsed.username:
            raise BadArgument(
                "database_url", shown(parsed), "sqlite:///FILE, with three slashes or four", "it has a host"
            )
        if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
            raise BadArgument("database_url", shown(parsed), _WANTED, "a server keeps its database in a file")
        path = os.path.abspath(os.path.expanduser(parsed.database))
        return parsed.set(drivername="sqlite+pysqlite", database=path)
    if parsed.drivername in _POSTGRES:
        if not parsed.database:
            raise BadArgument("database_url", shown(parsed), _WANTED, "it names no database")
        return parsed.set(drivername="postgresql+psycopg")
    raise BadArgument("database_url", shown(parsed), _WANTED)


def shown(url: str | sa.URL) -> str:
    """Return *url* as people may see it: without its password.

    >>> shown("postgresql://ann:secret@db/luthier?password=other")
    'postgresql://ann:***@db/luthier'
    """
    parsed = make_url(url).difference_update_query(["password", "sslpassword"])
    return parsed.set(drivername=parsed.get_backend_name()).render_as_string(hide_password=True)


def connect(url: str) -> sa.Engine:
    """Return an engine for the database at *url*, which is not reached for yet.

    The directory of an SQLite file is made, and the file itself, for its owner's eyes alone.

    Args:
        url: ``sqlite:///FILE`` (or a path), or ``postgresql://USER:PASSWORD@HOST/NAME``.

    Raises:
        BadArgument: the URL will not do.
        DatabaseFailed: the file cannot be made.
        MissingLibrary: PostgreSQL's driver is not there.
    """
    parsed = checked(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    try:
        import psycopg  # noqa: F401 (SQLAlchemy's message would not say what to install)
    except ImportError as error:
        raise MissingLibrary("PostgreSQL", "psycopg", "server") from error
    options = {} if "options" in parsed.query else {"options": _POSTGRES_OPTIONS}
    return sa.create_engine(
        parsed,
        connect_args={"connect_timeout": 10, "application_name": "luthier", **options},
        pool_size=_CONNECTIONS,
        max_overflow=_SPARE_CONNECTIONS,
        pool_pre_ping=True,  # the database may have been restarted since
        pool_recycle=1800,
        hide_parameters=True,  # parameters of users' programs do not belong in logs of the server
    )


def _sqlite(url: sa.URL) -> sa.Engine:
    path = Path(str(url.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # what SQLite adds to it gets the same mode
    except OSError as error:
        raise DatabaseFailed(f"the database {path} cannot be opened: {error.strerror}.") from error
    engine = sa.create_engine(
        url,
        connect_args={"timeout": _BUSY_S, "check_same_thread": False},
        pool_size=_CONNECTIONS,
        max_overflow=_SPARE_CONNECTIONS,
        hide_parameters=True,
    )
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    """Make *connection*, of the driver's, what the module's docstring says."""
    connection.isolation_level = None  # transactions begin where _begin says, not where the driver guesses
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_S * 1000}")
    _write_ahead(cursor)
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA trusted_schema = OFF")
    cursor.execute("PRAGMA journal_size_limit = 67108864")
    cursor.close()


def _write_ahead(cursor: Any) -> None:
    """Switch the file to write-ahead logging; who does that at the same time is waited for, which SQLite does not."""
    for attempt in range(_BUSY_S * 20):
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or attempt == _BUSY_S * 20 - 1:
                raise
            time.sleep(0.05)


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextlib.contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection to read from: what others write in the meantime keeps nobody waiting."""
    with engine.connect() as connection:
        yield connection


@contextlib.contextmanager
def snapshot(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection whose statements all see the same moment, however long it takes to read."""
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":  # there it is always so
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        yield connection


@contextlib.contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection in a transaction that may write: committed at the end, rolled back if the block raises."""
    with engine.connect() as connection:
        connection.execution_options(**{_WRITES: True})  # of this one; an engine of its own takes as long as the rest
        with connection.begin():
            yield connection


def reach(engine: sa.Engine) -> str:
    """Return which database it is and its version, once it answers.

    Raises:
        DatabaseFailed: it does not; the text says why, without a password.
    """
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                return f"SQLite {connection.exec_driver_sql('SELECT sqlite_version()').scalar_one()}"
            return f"PostgreSQL {connection.exec_driver_sql('SHOW server_version').scalar_one()}"
    except (SQLAlchemyError, OSError) as error:
        raise DatabaseFailed(f"the database {shown(engine.url)} cannot be used: {why(error)}.") from error


def why(error: BaseException) -> str:
    """Return what a database complained of, in one line and without its statement."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return " ".join(str(cause).split()).rstrip(".") or type(cause).__name__
