"""The version of the database's tables, and how it gets to the one that this code works with."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy.exc import SQLAlchemyError

from luthier.core.errors import DatabaseFailed, NewerFormat
from luthier.server.database import reach, reading, shown, why
from luthier.server.tables import METADATA

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION_TABLE = "luthier_version"  # not Alembic's name for it: other programs in the same database use that
REVISIONS = Path(__file__).parent / "migrations"
_LOCK = 0x6C757468696572  # "luthier": the number of the advisory lock on PostgreSQL


def newest() -> str:
    """Return the version that this code works with.

    >>> newest() >= "0002"
    True
    """
    return str(_scripts().get_current_head())


def version(engine: sa.Engine) -> str | None:
    """Return the version of the tables in the database; None if there are none yet.

    Raises:
        DatabaseFailed: the database cannot be reached.
    """
    reach(engine)
    with reading(engine) as connection:
        return _context(connection).get_current_revision()


def migrate(engine: sa.Engine, to: str = "head") -> list[str]:
    """Bring the tables to version *to*; return the versions that were passed through, none if nothing was to do.

    All of it is one transaction, and of several servers that start at once one does it while the others wait.

    Raises:
        NewerFormat: a newer Luthier has been at work there.
        DatabaseFailed: the database cannot be reached, holds other tables, or refuses.
    """
    scripts = _scripts()
    found = version(engine)
    _known(scripts, found, engine)
    if found is not None and to == "head" and found == scripts.get_current_head():
        return []
    try:
        with _alone(engine) as connection:
            context = _context(connection, fn=lambda revision, _: scripts._upgrade_revs(to, revision))  # noqa: SLF001
            found = context.get_current_revision()  # it may have changed while we waited
            _known(scripts, found, engine)
            if found is None:
                _empty(connection)
            with Operations.context(context):
                context.run_migrations()
            return [script.revision for script in reversed(list(scripts.walk_revisions(found or "base", to)))][
                found is not None :
            ]
    except SQLAlchemyError as error:
        raise DatabaseFailed(
            f"the tables in {shown(engine.url)} could not be brought up to date: {why(error)}."
        ) from error


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(REVISIONS))


def _context(connection: sa.Connection, **options: Any) -> MigrationContext:
    return MigrationContext.configure(
        connection, opts={"version_table": VERSION_TABLE, "transactional_ddl": True, **options}
    )


def _known(scripts: ScriptDirectory, found: str | None, engine: sa.Engine) -> None:
    if found is not None and found not in {script.revision for script in scripts.walk_revisions()}:
        raise NewerFormat(
            f"the database {shown(engine.url)} has version {found}, this Luthier knows {scripts.get_current_head()} at "
            "most: install a newer one, or go back to a backup that was made before."
        )


def _empty(connection: sa.Connection) -> None:
    others = sorted(set(sa.inspect(connection).get_table_names()) & set(METADATA.tables))
    if others:
        raise DatabaseFailed(
            f"the database {shown(connection.engine.url)} has tables of another program ({', '.join(others)}): give an "
            "empty one."
        )


@contextlib.contextmanager
def _alone(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection in a transaction that nobody else migrates beside; foreign keys are checked at its end."""
    sqlite = engine.dialect.name == "sqlite"
    with engine.connect().execution_options(luthier_writes=True) as connection:
        driver = connection.connection.driver_connection
        if sqlite and driver is not None:  # cannot be said in a transaction, and a rebuilt table would take rows along
            driver.execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.begin():
                if not sqlite:
                    connection.exec_driver_sql("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
                yield connection
                if sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                    raise DatabaseFailed("a row would refer to one that is not there; nothing was changed.")
        finally:
            if sqlite and driver is not None:
                driver.execute("PRAGMA foreign_keys = ON")
