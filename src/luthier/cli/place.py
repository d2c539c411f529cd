"""Where a server keeps what it has: the options that all verbs of ``luthier server`` share."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from luthier.cli.opened import Refused
from luthier.core.errors import LuthierError, MissingLibrary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

_F = TypeVar("_F", bound="Callable[..., Any]")


def place_options(command: _F) -> _F:
    """Add ``--database-url`` and ``--files`` to *command*."""
    url = click.option(
        "--database-url",
        envvar="LUTHIER_DATABASE_URL",
        help="sqlite:///FILE or postgresql://USER@HOST/NAME; a file in your data directory by default.",
    )
    files = click.option(
        "--files",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="LUTHIER_SERVER_FILES",
        help="Directory for what runs upload; beside the database by default.",
    )
    return url(files(command))


class Place:
    """A server's database and files.

    Args:
        database_url: as given; None for the default, or for what ``luthier server`` itself was given.
        files: as given; None for a directory beside the database.

    Raises:
        Refused: the URL will not do, or what a server needs is not installed.
    """

    def __init__(self, database_url: str | None, files: Path | None) -> None:
        context = click.get_current_context()
        above = context.find_root().meta
        try:
            from luthier.server.database import checked, data_directory, default_url
        except ImportError as error:
            raise Refused(str(MissingLibrary("luthier server", error.name or "its libraries", "server"))) from error
        self.url = database_url or above.get("luthier.database_url") or default_url()
        with refusing():
            parsed = checked(self.url)
        beside = parsed.get_backend_name() == "sqlite" and parsed.database
        default = (Path(str(beside)).parent if beside else data_directory()) / "files"
        self.files: Path = files or above.get("luthier.files") or default

    def remember(self) -> None:
        """Have the verbs below use the same place, unless they are told otherwise."""
        click.get_current_context().find_root().meta.update(
            {"luthier.database_url": self.url, "luthier.files": self.files}
        )

    @contextlib.contextmanager
    def engine(self, *, migrated: bool = True) -> Iterator[Engine]:
        """Give the database, with tables of this version if *migrated*; what is wrong is told in one line."""
        from luthier.server.database import connect
        from luthier.server.schema import migrate

        with refusing():
            engine = connect(self.url)
            try:
                if migrated:
                    migrate(engine)
                yield engine
            finally:
                engine.dispose()


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """Tell what goes wrong on purpose in one line."""
    try:
        yield
    except LuthierError as error:
        raise Refused(str(error)) from error
