"""The application of ``luthier ui``."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI

import luthier
from luthier.server.auth.armor import KnownHosts, SecureHeaders
from luthier.server.database import connect
from luthier.server.routes import reading
from luthier.server.schema import migrate
from luthier.server.viewing.folder import Folder
from luthier.server.web import pages

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def viewing(directory: Path, *, follow: bool = True) -> Iterator[tuple[FastAPI, Folder]]:
    """Give an application that shows the experiments below *directory*, and what copies them.

    The copy lies in a temporary directory that goes with it.

    Args:
        directory: an experiment's, or one above.
        follow: whether what comes later is shown, too.
    """
    with tempfile.TemporaryDirectory(prefix="luthier-ui-") as temporary:
        database = connect(f"sqlite:///{Path(temporary) / 'ui.db'}")
        migrate(database)
        folder = Folder(database, directory)
        folder.look()
        if follow:
            folder.start()
        app = FastAPI(title="Luthier", version=luthier.__version__, docs_url=None, redoc_url=None)
        app.include_router(reading.router(database))
        app.include_router(pages.router(database, readonly=True))
        app.add_middleware(KnownHosts)
        app.add_middleware(SecureHeaders)
        try:
            yield app, folder
        finally:
            folder.stop()
            database.dispose()
