"""``luthier server backup``, ``restore``, ``migrate`` and ``doctor``."""

from __future__ import annotations

from pathlib import Path

import click

from luthier.cli.opened import Refused
from luthier.cli.place import Place, place_options

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(short_help="Write all that a server has into a file; it may run meanwhile.")
@click.argument("file", type=_FILE)
@click.option("--no-files", is_flag=True, help="Leave out the bytes of the files that runs uploaded.")
@place_options
def backup(file: Path, no_files: bool, database_url: str | None, files: Path | None) -> None:
    """Write a backup to FILE: the database as it was at one moment, and the runs' files.

    It can be restored into SQLite and into PostgreSQL, wherever it came from.
    """
    place = Place(database_url, files)
    with place.engine(migrated=False) as engine:
        from luthier.server.backup import backup as write
        from luthier.server.shelf import Shelf

        try:
            done = write(engine, None if no_files else Shelf(place.files), file)
        except OSError as error:
            raise Refused(f"{file} cannot be written: {error.strerror or error}.") from error
    click.echo(f"{file}: {_said(done)}")


@click.command(short_help="Put a backup into an empty database.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--replace", is_flag=True, help="What the database holds may go.")
@place_options
def restore(file: Path, replace: bool, database_url: str | None, files: Path | None) -> None:
    """Put the backup FILE into the database. Stop its servers first: they would go on with what they know."""
    place = Place(database_url, files)
    with place.engine() as engine:
        from luthier.server.backup import restore as put
        from luthier.server.shelf import Shelf

        try:
            done = put(engine, Shelf(place.files), file, replace=replace)
        except OSError as error:
            raise Refused(f"{file} cannot be restored: {error.strerror or error}.") from error
    click.echo(f"restored {_said(done)}")


@click.command(short_help="Bring a database up to date.")
@place_options
def migrate(database_url: str | None, files: Path | None) -> None:
    """Bring the tables to what this version works with; a server does so itself when it starts."""
    with Place(database_url, files).engine(migrated=False) as engine:
        from luthier.server.schema import migrate as bring
        from luthier.server.schema import newest

        done = bring(engine)
    click.echo(f"now at {newest()}, by way of {', '.join(done)}" if done else f"at {newest()} already")


@click.command(short_help="Look whether all is well.")
@place_options
def doctor(database_url: str | None, files: Path | None) -> None:
    """Look at the database, at every sweep's log and what the tables made of it, at files, room and permissions.

    Nothing is changed. The exit code is 1 if something is wrong.
    """
    place = Place(database_url, files)
    wrong = False
    with place.engine(migrated=False) as engine:
        from luthier.server.checkup import check
        from luthier.server.shelf import Shelf

        for finding in check(engine, Shelf(place.files), place.files):
            click.echo(f"{finding.level + ':':9} {finding.text}")
            wrong |= finding.level == "error"
    if wrong:
        raise click.exceptions.Exit(1)


def _said(done: dict[str, int]) -> str:
    shown = ("projects", "sweeps", "runs", "history", "files with bytes")
    words = {"history": "rows of history"}
    return ", ".join(f"{done[name]} {words.get(name, name)}" for name in shown)
